//! Routing tables: made ones, cut ones, and those of the corpus.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::ops::ControlFlow;

use flate2::read::GzDecoder;
use proptest::prelude::*;
use rahdar_model::Prefix;
use rahdar_testkit::corpus;
use rahdar_wire::bgp::{Opened, RibError, RibTally, open};

/// What a dump says: origins by prefix, in the order in which they came.
fn table(mut octets: &[u8]) -> Result<(BTreeMap<Prefix, Vec<u32>>, RibTally), RibError> {
    let mut table: BTreeMap<Prefix, Vec<u32>> = BTreeMap::new();
    let Opened::Rib(rib) = open(&mut octets).unwrap() else { panic!("it is a dump") };
    let tally = rib.read(&mut |prefix, origins| {
        table.entry(prefix).or_default().extend(origins);
        ControlFlow::Continue(())
    })?;
    Ok((table, tally))
}

/// An MRT record of 2021-08-15 08:00.
fn record(kind: u16, subtype: u16, body: &[u8]) -> Vec<u8> {
    let mut octets = 1_629_014_400_u32.to_be_bytes().to_vec();
    octets.extend(kind.to_be_bytes());
    octets.extend(subtype.to_be_bytes());
    octets.extend((body.len() as u32).to_be_bytes());
    octets.extend(body);
    octets
}

/// An AS path of one segment, after an ORIGIN attribute.
fn path(kind: u8, asns: &[u32]) -> Vec<u8> {
    let mut octets = vec![0x40, 1, 1, 0, 0x50, 2, 0, (2 + 4 * asns.len()) as u8, kind, asns.len() as u8];
    asns.iter().for_each(|asn| octets.extend(asn.to_be_bytes()));
    octets
}

fn rib(subtype: u16, prefix: &[u8], routes: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend(prefix);
    body.extend((routes.len() as u16).to_be_bytes());
    for route in routes {
        body.extend([0; 6]);
        body.extend((route.len() as u16).to_be_bytes());
        body.extend(route);
    }
    record(13, subtype, &body)
}

fn made() -> Vec<u8> {
    let mut octets = record(13, 1, &[192, 0, 2, 1, 0, 0, 0, 0]);
    let v4 = [path(2, &[64_496, 64_500]), path(2, &[64_497, 64_501]), path(2, &[64_498, 64_501])];
    octets.extend(rib(2, &[24, 203, 0, 113], &v4));
    octets.extend(rib(2, &[25, 198, 51, 100, 128], &[path(1, &[64_502, 64_503]), vec![0x40, 2, 9]]));
    octets.extend(rib(4, &[32, 0x20, 1, 0x0d, 0xb8], &[path(2, &[64_504])]));
    octets.extend(rib(3, &[4, 224], &[path(2, &[64_505])]));
    octets.extend(rib(2, &[33, 1, 2, 3, 4, 5], &[path(2, &[64_506])]));
    octets
}

#[test]
fn prefixes_come_with_their_origins_the_most_seen_first() {
    let (table, tally) = table(&made()).unwrap();
    let shown: Vec<String> = table.iter().map(|(prefix, origins)| format!("{prefix} {origins:?}")).collect();
    assert_eq!(
        shown,
        ["198.51.100.128/25 [64502, 64503]", "203.0.113.0/24 [64501, 64500]", "2001:db8::/32 [64504]"]
    );
    assert_eq!(
        (tally.prefixes, tally.refused),
        (3, 2),
        "a route with broken attributes, and a prefix of 33 bits"
    );
    assert_eq!(tally.at.to_string(), "2021-08-15T08:00:00Z");
    assert_eq!(tally.collector.unwrap().to_string(), "192.0.2.1");
}

#[test]
fn a_dump_that_is_cut_is_refused_wherever_it_is_cut() {
    let whole = made();
    let mut ends = vec![0];
    while let Some(header) = whole.get(ends[ends.len() - 1]..).filter(|rest| rest.len() > 12) {
        let length = u32::from_be_bytes(header[8..12].try_into().unwrap()) as usize;
        ends.push(ends[ends.len() - 1] + 12 + length);
    }
    for at in 12..whole.len() {
        let cut = table(&whole[..at]);
        assert_eq!(cut.is_ok(), ends.contains(&at), "cut at {at}");
    }
}

#[test]
fn what_is_no_dump_is_handed_back_whole() {
    let mut text: &[u8] = b"203.0.113.0\t24\t64500\n";
    let Opened::Other(mut rest) = open(&mut text).unwrap() else { panic!("it is no dump") };
    let mut read = String::new();
    rest.read_to_string(&mut read).unwrap();
    assert_eq!(read, "203.0.113.0\t24\t64500\n");
    let update = record(16, 4, &[0; 20]);
    assert_eq!(open(&mut &*update).err().unwrap().to_string(), "rahdar does not read BGP updates in MRT");
    let mut odd = made();
    odd.extend(record(16, 4, &[0; 20]));
    assert!(matches!(table(&odd), Err(RibError::NoRecord { .. })));
}

proptest! {
    /// Whatever is changed, nothing panics.
    #[test]
    fn changed_octets_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20)) {
        let mut octets = made();
        for (at, to) in changes {
            let at = 12 + at.index(octets.len() - 12);
            octets[at] = to;
        }
        table(&octets).ok();
    }
}

#[test]
fn the_old_table_of_the_corpus_is_read_as_bgpdump_reads_it() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("bgp/ripe-bgpdump");
    let octets = fs::read(folder.join("test_data/bview.20020722.2337.gz")).unwrap();
    let (table, tally) = table(&octets).unwrap();
    let mut expected: BTreeMap<Prefix, Vec<u32>> = BTreeMap::new();
    let mut text = String::new();
    let file = File::open(folder.join("test_expect/bview.20020722.2337.gz.bgp.gz")).unwrap();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let mut routes = 0;
    for line in text.lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let last = fields[6].rsplit(' ').next().unwrap().trim_matches(['{', '}']);
        let origins = last.split(',').map(|asn| asn.parse::<u32>().unwrap());
        expected.entry(fields[5].parse().unwrap()).or_default().extend(origins);
        routes += 1;
    }
    let sorted = |mut table: BTreeMap<Prefix, Vec<u32>>| {
        table.values_mut().for_each(|origins| {
            origins.sort_unstable();
            origins.dedup();
        });
        table
    };
    assert_eq!((tally.refused, tally.prefixes), (0, routes));
    assert_eq!(sorted(table), sorted(expected));
}

/// Expected are the prefixes to which a route with a path leads, as an independent reading counted them.
#[test]
fn every_table_of_the_corpus_is_read() {
    let Some(corpus) = corpus() else { return };
    for (name, prefixes) in [
        ("zannotate/data-snapshots/routing.mrt", 2),
        ("mrtparse/samples/openbgpd_rib_table", 2),
        ("mrtparse/samples/openbgpd_rib_table-v2", 2),
        ("mrtparse/samples/quagga_rib", 6),
        ("mrtparse/samples/bird-mrtdump_rib", 6),
        ("mrtparse/samples/bird6-mrtdump_rib", 3),
        ("ripe-bgpdump/test_data/bview.64k_stream_overflow.gz", 1),
        ("ripe-bgpdump/test_data/bview.ipv4_unicast_add_path.gz", 31),
        ("ripe-bgpdump/test_data/bview.ipv6_unicast_add_path.gz", 31),
    ] {
        let (table, tally) = table(&fs::read(corpus.join("bgp").join(name)).unwrap()).unwrap();
        assert_eq!((tally.refused, tally.prefixes), (0, prefixes), "{name}: {table:?}");
    }
}
