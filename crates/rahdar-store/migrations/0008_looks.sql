-- When a hunt saw further than those before it: an event registered after that may have been suggested by the flows.

CREATE TABLE looks (
    id    INTEGER PRIMARY KEY,
    at    INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT;
