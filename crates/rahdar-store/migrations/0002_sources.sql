-- What sources say beside claims. Append-only, as the rest.

-- Passive DNS: a name stood for an address from the first to the last time that this was seen.
CREATE TABLE resolutions (
    id         INTEGER PRIMARY KEY,
    version    INTEGER NOT NULL REFERENCES imports (version),
    name       TEXT    NOT NULL,
    address    TEXT    NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    count      INTEGER,
    source     TEXT    NOT NULL,
    place      TEXT    NOT NULL,
    UNIQUE (name, address, first_seen, last_seen, source)
) STRICT;

-- Names that lists warn of.
CREATE TABLE notes (
    id          INTEGER PRIMARY KEY,
    version     INTEGER NOT NULL REFERENCES imports (version),
    matching    TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    valid_from  INTEGER NOT NULL,
    valid_until INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    UNIQUE (matching, name, valid_from, valid_until, source)
) STRICT;

-- What was reported of indicators: sightings, false positives, expirations.
CREATE TABLE reports (
    id        INTEGER PRIMARY KEY,
    version   INTEGER NOT NULL REFERENCES imports (version),
    kind      TEXT    NOT NULL,
    indicator TEXT    NOT NULL,
    report    TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    source    TEXT    NOT NULL,
    UNIQUE (kind, indicator, report, at, source)
) STRICT;
