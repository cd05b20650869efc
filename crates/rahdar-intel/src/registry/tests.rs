//! Files of every kind, small.

use std::convert::Infallible;

use rahdar_model::Address;

use super::*;

/// Dumps in memory.
struct Dumps(Vec<Label>, Vec<Dump>);

impl Dumps {
    fn of(mut dumps: Vec<Dump>) -> Self {
        dumps.sort_by_key(Label::of);
        Self(dumps.iter().map(Label::of).collect(), dumps)
    }
}

impl Shelf for Dumps {
    type Error = Infallible;

    fn labels(&self) -> &[Label] {
        &self.0
    }

    fn take(&self, place: usize) -> Result<Dump, Infallible> {
        // By way of the octets that are kept.
        Ok(packed::unpack(&packed::pack(&self.1[place])).unwrap())
    }
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn day(text: &str) -> Day {
    text.parse::<rahdar_model::Timestamp>().unwrap().day()
}

/// The dump of a text of a known kind.
fn dump(name: &str, text: &str) -> Dump {
    let kind = kind(text.as_bytes()).unwrap_or_else(|| panic!("{name} is told by its content"));
    read(kind, name, text.as_bytes(), None).unwrap().dump
}

/// What is known of an address on a day, in one line.
fn known(dumps: &Dumps, asked: &str, at: &str) -> String {
    let question = Question { address: address(asked), at: day(at), asn: None };
    let answer = ask(dumps, &[question]).unwrap().remove(0);
    let mut words: Vec<String> = Vec::new();
    for origin in &answer.origins {
        let as_of = origin.as_of.unwrap();
        words.push(format!("{} {:?} {as_of}", origin.value.prefix, origin.value.asns));
    }
    let countries = &answer.countries;
    let lists = [
        ("org", &answer.orgs),
        ("sector", &answer.sectors),
        ("registered", &countries.registered),
        ("geolocated", &countries.geolocated),
        ("operating", &countries.operating),
    ];
    for (what, list) in lists {
        words.extend(list.iter().map(|said| format!("{what} {} ({})", said.value, said.source)));
    }
    words.join("; ")
}

const AUGUST: &str = "203.0.113.0\t24\t64500\n203.0.113.128\t25\t64501_64502\n198.51.100.0\t24\t64503,64504\n0.0.0.0\t0\t64511\n";

#[test]
fn the_longest_prefix_of_the_latest_dump_not_after_the_day_counts() {
    let dumps = Dumps::of(vec![
        dump("routeviews-rv2-20210801-1200.pfx2as", AUGUST),
        dump("routeviews-rv2-20210901-1200.pfx2as", "203.0.113.0\t24\t64505\n"),
        dump("routeviews-rv6-20210815-1200.pfx2as", "2001:db8::\t32\t64506\n2001:db8:1::\t48\t64507\n"),
    ]);
    assert_eq!(known(&dumps, "203.0.113.25", "2021-08-15"), "203.0.113.0/24 [64500] 2021-08-01");
    assert_eq!(known(&dumps, "203.0.113.25", "2021-09-01"), "203.0.113.0/24 [64505] 2021-09-01");
    assert_eq!(known(&dumps, "203.0.113.25", "2021-07-31"), "");
    assert_eq!(known(&dumps, "203.0.113.200", "2021-08-02"), "203.0.113.128/25 [64501, 64502] 2021-08-01");
    assert_eq!(known(&dumps, "198.51.100.1", "2021-08-02"), "198.51.100.0/24 [64503, 64504] 2021-08-01");
    assert_eq!(known(&dumps, "192.0.2.1", "2021-08-02"), "", "a default route holds nobody");
    assert_eq!(known(&dumps, "2001:db8:1::25", "2021-08-20"), "2001:db8:1::/48 [64507] 2021-08-15");
    assert_eq!(known(&dumps, "2001:db8:2::25", "2021-09-20"), "2001:db8::/32 [64506] 2021-08-15");
}

#[test]
fn an_as_has_an_organisation_a_sector_and_countries() {
    let organisations = "# name: AS Org\n# format:org_id|changed|org_name|country|source\n\
        ORG-1|20120130|Example Telecom|AF|RIPE\n\
        # format:aut|changed|aut_name|org_id|opaque_id|source\n\
        64500|20120224|EXAMPLE|ORG-1|x|RIPE\n64501|20120224|OTHER|ORG-9|x|RIPE\nx|1|y|ORG-1|x|RIPE\n";
    let sectors = "ASN,Category 1 - Layer 1,Category 1 - Layer 2,Category 2 - Layer 1,Category 2 - Layer 2\n\
        AS64500,Computer and Information Technology,Internet Service Provider (ISP),\"Media, Publishing\",Other\n";
    let peering = r#"{"meta": {"generated": 1627776000.5}, "data": [{"asn": 64500, "name": "EXTEL", "info_type": "NSP", "org": {"id": 1, "name": "Example Telecom Ltd", "country": "AE"}}]}"#;
    let delegated = "2|ripencc|20210801|3|19830705|20210801|+0300\nripencc|*|ipv4|*|2|summary\n\
        ripencc|AF|ipv4|203.0.113.0|256|20050101|allocated|id\nripencc|AF|asn|64500|1|20050101|allocated|id\n\
        ripencc||ipv4|198.51.100.0|256||available|\nripencc|AF|ipv6|2001:db8::|32|20050101|allocated|id\n";
    let mut dumps = vec![
        dump("routeviews-rv2-20210801-1200.pfx2as", AUGUST),
        dump("20210701.as-org2info.txt", organisations),
        dump("2021-07_categorized_ases.csv", sectors),
        dump("net.json", peering),
        dump("delegated-ripencc-extended-latest", delegated),
    ];
    // What is newest comes first.
    let expected = "203.0.113.0/24 [64500] 2021-08-01; org Example Telecom Ltd (PeeringDB); \
        org Example Telecom (CAIDA as2org); sector NSP (PeeringDB); \
        sector Internet Service Provider (ISP); Media, Publishing (ASdb); registered AF (delegated, ripencc); \
        registered AF (CAIDA as2org); operating AE (PeeringDB)";
    assert_eq!(known(&Dumps::of(dumps.clone()), "203.0.113.25", "2021-08-15"), expected);
    let json = "{\"asn\":\"64500\",\"changed\":\"20120224\",\"name\":\"EXAMPLE\",\"organizationId\":\"ORG-1\",\"type\":\"ASN\"}\n\
        {\"changed\":\"\",\"country\":\"AF\",\"name\":\"Example Telecom\",\"organizationId\":\"ORG-1\",\"type\":\"Organization\"}\n";
    dumps[1] = dump("20210701.as-org2info.jsonl", json);
    assert_eq!(known(&Dumps::of(dumps), "203.0.113.25", "2021-08-15"), expected);
}

#[test]
fn ranges_tell_origins_or_countries() {
    let dumps = Dumps::of(vec![
        dump("asn-20210801.csv", "203.0.113.0,203.0.113.191,64500,\"Example, the telecom\"\n"),
        dump("country-20210801.csv", "203.0.113.0,203.0.113.255,af\n"),
    ]);
    assert_eq!(
        known(&dumps, "203.0.113.130", "2021-08-15"),
        "203.0.113.128/26 [64500] 2021-08-01; org Example, the telecom (ranges of AS, IPv4); \
         geolocated AF (ranges of countries, IPv4)"
    );
    let tabs = dump(
        "ip2asn-20210801.tsv",
        "203.0.113.0\t203.0.113.255\t64500\tAF\tExample\n198.51.100.0\t198.51.100.255\t0\tNone\tNot routed\n",
    );
    let dumps = Dumps::of(vec![tabs]);
    assert_eq!(
        known(&dumps, "203.0.113.1", "2021-08-15"),
        "203.0.113.0/24 [64500] 2021-08-01; org Example (ranges of AS, IPv4)"
    );
    assert_eq!(known(&dumps, "198.51.100.1", "2021-08-15"), "");
}

#[test]
fn bad_lines_are_named_and_counted() {
    let text = "203.0.113.0\t24\t64500\n203.0.113.0\t33\t64500\n203.0.113.0\t24\n198.51.100.0\t24\tx\n";
    let read = read(Kind::Pfx2As, "pfx2as-20210801", text.as_bytes(), None).unwrap();
    let told: Vec<String> = read.told.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "line 2: `203.0.113.0/33` is not a prefix such as 192.0.2.0/24",
            "line 3: it has 2 fields, 3 are needed",
            "line 4: `x` is not an AS number such as 64496",
        ]
    );
    assert_eq!((read.refused, read.dump.parts[0].table.len()), (3, 1));
}

#[test]
fn a_file_that_does_not_say_its_day_is_refused_unless_a_person_does() {
    let text = "203.0.113.0\t24\t64500\n";
    let refused = read(Kind::Pfx2As, "pfx2as", text.as_bytes(), None).unwrap_err();
    assert_eq!(refused.to_string(), "it does not say of which day it is; give --as-of DATE");
    let taken = read(Kind::Pfx2As, "pfx2as-20210801", text.as_bytes(), Some(day("2021-08-15"))).unwrap();
    assert_eq!(taken.dump.as_of, day("2021-08-15"), "a person's word goes before the name");
}

#[test]
fn tables_that_people_keep_are_none_of_these() {
    for text in [
        "prefix,asn,org,sector,country\n203.0.113.0/24,64500,x,telecom,AF\n",
        "",
        "date,label\n",
        "{}",
        "203.0.113.0/24\n",
    ] {
        assert_eq!(kind(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn what_is_kept_is_what_was_packed_or_nothing() {
    let mut dump = dump(
        "asn-20210801.csv",
        "203.0.113.0,203.0.113.191,64500,Example\n2001:db8::,2001:db8::ff,64501,Other\n",
    );
    dump.parts[0].table = Table::Prefixes({
        let mut rows = prefix::PrefixRows::default();
        for text in ["::/16", "203.0.113.0/24", "2001:db8::/32", "203.0.113.0/25"] {
            rows.add(text.parse().unwrap(), text).unwrap();
        }
        rows.finish(prefix::Same::First).unwrap()
    });
    let octets = packed::pack(&dump);
    assert_eq!(packed::unpack(&octets).unwrap(), dump);
    assert_eq!(packed::label(&octets[..200]).unwrap(), Label::of(&dump));
    assert_eq!(Label::of(&dump).slug(), "ranges-of-as-2021-08-01");
    for at in 0..octets.len() {
        assert!(packed::unpack(&octets[..at]).is_err(), "cut at {at}");
        let mut odd = octets.clone();
        odd[at] ^= 0x40;
        assert!(packed::unpack(&odd).is_err(), "changed at {at}");
        packed::label(&odd).ok();
    }
}

#[test]
fn the_operators_as_is_asked_of_too() {
    let organisations = "# format:org_id|changed|org_name|country|source\nORG-1|1|Example Telecom|AF|RIPE\n\
        # format:aut|changed|aut_name|org_id|source\n64510|1|X|ORG-1|RIPE\n";
    let dumps = Dumps::of(vec![dump("20210701.as-org2info.txt", organisations)]);
    let question = Question { address: address("203.0.113.1"), at: day("2021-08-15"), asn: Some(64510) };
    assert_eq!(ask(&dumps, &[question]).unwrap()[0].orgs[0].value, "Example Telecom");
}
