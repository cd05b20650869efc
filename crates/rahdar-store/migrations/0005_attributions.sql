-- Who is said to be behind clusters: one statement of one source a row. Append-only, as the rest.
CREATE TABLE attributions (
    id         INTEGER PRIMARY KEY,
    version    INTEGER NOT NULL REFERENCES imports (version),
    cluster    TEXT    NOT NULL,
    actor      TEXT    NOT NULL,
    relation   TEXT    NOT NULL,
    source     TEXT    NOT NULL,
    published  INTEGER,
    confidence INTEGER
) STRICT;

-- Nulls differ from one another in a UNIQUE constraint: here they must not.
CREATE UNIQUE INDEX attributions_said ON attributions
    (cluster, actor, relation, source, coalesce(published, -1), coalesce(confidence, -1));
