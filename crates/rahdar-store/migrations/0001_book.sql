-- The book: append-only. Every row carries the version that added it; nothing is updated or deleted.
-- Times are microseconds since 1970-01-01T00:00:00 UTC; the ends of time are the ends of the integer range.

-- The mark of a book in the header of the file: "rhdr".
PRAGMA application_id = 1919444082;

CREATE TABLE imports (
    version     INTEGER PRIMARY KEY,
    what        TEXT    NOT NULL CHECK (what IN ('claims', 'networks', 'events')),
    name        TEXT    NOT NULL,
    content     TEXT    NOT NULL,
    imported_at INTEGER NOT NULL,
    added       INTEGER NOT NULL,
    refused     INTEGER NOT NULL,
    UNIQUE (what, content)
) STRICT;

CREATE TABLE claims (
    id          INTEGER PRIMARY KEY,
    version     INTEGER NOT NULL REFERENCES imports (version),
    identity    BLOB    NOT NULL UNIQUE,
    kind        TEXT    NOT NULL,
    indicator   TEXT    NOT NULL,
    port        INTEGER,
    protocol    INTEGER,
    valid_from  INTEGER NOT NULL,
    valid_until INTEGER NOT NULL,
    basis       TEXT    NOT NULL,
    cluster     TEXT,
    tools       TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    place       TEXT    NOT NULL,
    published   INTEGER,
    confidence  INTEGER,
    tlp         TEXT,
    revoked     INTEGER NOT NULL
) STRICT;

CREATE TABLE clusters (
    id      INTEGER PRIMARY KEY,
    version INTEGER NOT NULL REFERENCES imports (version),
    cluster TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    named   INTEGER NOT NULL,
    tools   TEXT    NOT NULL,
    UNIQUE (cluster, name, named, tools)
) STRICT;

CREATE TABLE host_facts (
    id          INTEGER PRIMARY KEY,
    version     INTEGER NOT NULL REFERENCES imports (version),
    network     TEXT    NOT NULL,
    class       TEXT    NOT NULL,
    valid_from  INTEGER NOT NULL,
    valid_until INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    UNIQUE (network, class, valid_from, valid_until, source)
) STRICT;

CREATE TABLE networks (
    id      INTEGER PRIMARY KEY,
    version INTEGER NOT NULL REFERENCES imports (version),
    prefix  TEXT    NOT NULL,
    asn     INTEGER,
    org     TEXT    NOT NULL,
    sector  TEXT    NOT NULL,
    country TEXT    NOT NULL,
    role    TEXT    NOT NULL
) STRICT;

CREATE TABLE events (
    id      INTEGER PRIMARY KEY,
    version INTEGER NOT NULL REFERENCES imports (version),
    at      INTEGER NOT NULL,
    label   TEXT    NOT NULL,
    UNIQUE (at, label)
) STRICT;
