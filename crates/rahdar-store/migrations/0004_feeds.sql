-- How far each part of each feed was read. Append-only: the newest row of a part counts. It is written in the
-- transaction that adds what was read, so a feed that is killed at any moment goes on where the book ends.
CREATE TABLE feed_positions (
    id         INTEGER PRIMARY KEY,
    feed       TEXT    NOT NULL,
    part       TEXT    NOT NULL,
    position   TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    reached_at INTEGER NOT NULL
) STRICT;

CREATE INDEX feed_positions_of ON feed_positions (feed, part, id);
