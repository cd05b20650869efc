-- What was seen of hosts and names, and others may share: certificates, keys, fingerprints, registrations. Append-only.
CREATE TABLE traits (
    id         INTEGER PRIMARY KEY,
    version    INTEGER NOT NULL REFERENCES imports (version),
    subject    TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    confidence INTEGER,
    source     TEXT    NOT NULL,
    place      TEXT    NOT NULL,
    UNIQUE (subject, kind, value, first_seen, last_seen, source)
) STRICT;
