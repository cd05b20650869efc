-- What a lookup of one address or one name needs, so that it need not read the whole book.

CREATE INDEX claims_on ON claims (indicator);

-- The versions of a STIX object, or of an entry of a list: the newest speaks for all.
CREATE INDEX claims_of_object ON claims (place) WHERE instr(place, '--') > 0;

CREATE INDEX resolutions_at ON resolutions (address);

CREATE INDEX aliases_of ON aliases (target);

-- The hosts of URLs, which SQL cannot find. An import adds its own; opening an older book adds the rest.
CREATE TABLE url_hosts (
    claim INTEGER PRIMARY KEY REFERENCES claims (id),
    host  TEXT    NOT NULL
) STRICT;

CREATE INDEX url_hosts_of ON url_hosts (host);
CREATE INDEX claims_of_urls ON claims (kind) WHERE kind = 'url';
