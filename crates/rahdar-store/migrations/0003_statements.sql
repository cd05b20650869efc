-- What reports and galaxies say of names and endpoints, with the words it came from. Append-only.

-- A statement of a report waits until a person accepts it; those of galaxies are accepted as they come.
-- A claim on an indicator has a kind; a relation has none.
CREATE TABLE statements (
    id          INTEGER PRIMARY KEY,
    identity    BLOB    NOT NULL UNIQUE,
    file        TEXT    NOT NULL,
    content     TEXT    NOT NULL,
    stated_at   INTEGER NOT NULL,
    kind        TEXT,
    subject     TEXT    NOT NULL,
    relation    TEXT    NOT NULL,
    object      TEXT    NOT NULL,
    port        INTEGER,
    protocol    INTEGER,
    valid_from  INTEGER,
    valid_until INTEGER,
    basis       TEXT,
    cluster     TEXT,
    tools       TEXT    NOT NULL,
    confidence  INTEGER,
    asserted_by TEXT,
    source      TEXT    NOT NULL,
    published   INTEGER,
    tlp         TEXT,
    wording     TEXT    NOT NULL,
    sentence    TEXT    NOT NULL,
    place       TEXT    NOT NULL
) STRICT;

-- Who accepted it is the operator of this book; the version says what it changed.
CREATE TABLE acceptances (
    statement INTEGER PRIMARY KEY REFERENCES statements (id),
    version   INTEGER NOT NULL REFERENCES imports (version)
) STRICT;
