-- Passive DNS: a name stood for another from the first to the last time that this was seen. Append-only, as the rest.
CREATE TABLE aliases (
    id         INTEGER PRIMARY KEY,
    version    INTEGER NOT NULL REFERENCES imports (version),
    name       TEXT    NOT NULL,
    target     TEXT    NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    count      INTEGER,
    source     TEXT    NOT NULL,
    place      TEXT    NOT NULL,
    UNIQUE (name, target, first_seen, last_seen, source)
) STRICT;
