//! The captures of the sampling exporters.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rahdar_model::Timestamp;

use crate::{SAMPLED, is_free};

/// A datagram of a capture.
struct Datagram {
    received_us: i64,
    payload: Vec<u8>,
}

/// A flow record, as the test needs it.
#[derive(Clone, Copy)]
struct Flow {
    src: IpAddr,
    dst: IpAddr,
    packets: u64,
    octets: u64,
    /// Milliseconds since the epoch, by the exporter's clock.
    first_ms: i64,
    last_ms: i64,
}

/// What a capture says.
#[derive(Default)]
struct Heard {
    flows: Vec<Flow>,
    datagrams: u64,
    /// Datagrams, or records, that the sequence numbers miss.
    missed: u64,
    /// Times of datagrams that announce an interval, with that interval.
    intervals: Vec<(i64, u64)>,
    /// Uptimes that went back.
    wraps: u64,
    /// Export time by the exporter's clock less time of arrival, in seconds.
    ahead_s: Vec<i64>,
    first_data_us: Option<i64>,
}

fn be(octets: &[u8]) -> u64 {
    octets.iter().fold(0, |n, &octet| n << 8 | u64::from(octet))
}

fn checksum(octets: &[u8]) -> u64 {
    let mut sum: u64 = octets.chunks(2).map(|pair| be(pair) << (8 * (2 - pair.len()))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}

/// The datagrams of a capture; every length and checksum on the way must fit.
fn datagrams(file: &str, from: [u8; 4]) -> Vec<Datagram> {
    let octets = fs::read(SAMPLED.out.join("telemetry").join(file)).unwrap();
    let le = |octets: &[u8]| u32::from_le_bytes(octets.try_into().unwrap());
    assert_eq!(le(&octets[..4]), 0xa1b2_c3d4);
    assert_eq!(le(&octets[20..24]), 1);
    let mut rest = &octets[24..];
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (seconds, micros, length) = (le(&rest[..4]), le(&rest[4..8]), le(&rest[8..12]) as usize);
        assert_eq!(le(&rest[12..16]) as usize, length);
        let frame = &rest[16..16 + length];
        rest = &rest[16 + length..];
        let ip = &frame[14..];
        assert_eq!((&frame[12..14], ip[0], ip[9]), (&[8, 0][..], 0x45, 17));
        assert_eq!(be(&ip[2..4]) as usize, ip.len());
        assert_eq!(checksum(&ip[..20]), 0xffff);
        assert_eq!((&ip[12..16], &ip[16..20]), (&from[..], &[192, 0, 2, 250][..]));
        let udp = &ip[20..];
        assert_eq!(be(&udp[4..6]) as usize, udp.len());
        let pseudo = [&ip[12..20], &[0, 17], &udp[4..6], udp].concat();
        assert_eq!(checksum(&pseudo), 0xffff);
        assert!(udp.len() - 8 <= 1_400);
        found.push(Datagram {
            received_us: i64::from(seconds) * 1_000_000 + i64::from(micros),
            payload: udp[8..].to_vec(),
        });
    }
    assert!(found.is_sorted_by_key(|datagram| datagram.received_us));
    found
}

/// A template: elements and their octets; and how many of them are scope.
type Template = (Vec<(u64, usize)>, usize);

/// Reads a record by its template into element numbers and values.
fn record<'a>(template: &Template, octets: &mut &'a [u8]) -> HashMap<u64, &'a [u8]> {
    let mut values = HashMap::new();
    for (n, (element, length)) in template.0.iter().enumerate() {
        let (value, rest) = octets.split_at(*length);
        *octets = rest;
        if n >= template.1 {
            values.insert(*element, value);
        }
    }
    values
}

fn ip(values: &HashMap<u64, &[u8]>, v4: u64, v6: u64) -> IpAddr {
    match values.get(&v4) {
        Some(octets) => Ipv4Addr::from(be(octets) as u32).into(),
        None => Ipv6Addr::from(<[u8; 16]>::try_from(values[&v6]).unwrap()).into(),
    }
}

/// Reads IPFIX or NetFlow v9 of one observation domain, for they differ in headers and numbers only.
fn templated(file: &str, from: [u8; 4], version: u64) -> Heard {
    let ipfix = version == 10;
    let mut heard = Heard::default();
    let mut templates: HashMap<u64, Template> = HashMap::new();
    let mut expected = 0;
    let mut uptime_before = 0;
    for Datagram { received_us, payload } in datagrams(file, from) {
        heard.datagrams += 1;
        assert_eq!(be(&payload[..2]), version);
        let (uptime, export_s, sequence, header) = if ipfix {
            assert_eq!(be(&payload[2..4]) as usize, payload.len());
            (0, be(&payload[4..8]), be(&payload[8..12]), 16)
        } else {
            (be(&payload[4..8]), be(&payload[8..12]), be(&payload[12..16]), 20)
        };
        heard.ahead_s.push(export_s as i64 - received_us / 1_000_000);
        heard.wraps += u64::from(uptime < uptime_before);
        uptime_before = uptime;
        heard.missed += sequence - expected;
        expected = sequence + u64::from(!ipfix);
        let booted_ms = export_s as i64 * 1_000 - uptime as i64;

        let mut counted = 0;
        let mut sets = &payload[header..];
        while !sets.is_empty() {
            let (id, length) = (be(&sets[..2]), be(&sets[2..4]) as usize);
            let mut set = &sets[4..length];
            sets = &sets[length..];
            let (plain, options) = if ipfix { (2, 3) } else { (0, 1) };
            if id == plain || id == options {
                while set.len() >= 4 {
                    let template_id = be(&set[..2]);
                    let (count, scope, head) = match (id == options, ipfix) {
                        (false, _) => (be(&set[2..4]), 0, 4),
                        (true, true) => (be(&set[2..4]), be(&set[4..6]), 6),
                        (true, false) => ((be(&set[2..4]) + be(&set[4..6])) / 4, be(&set[2..4]) / 4, 6),
                    };
                    set = &set[head..];
                    let fields = (0..count as usize)
                        .map(|n| (be(&set[4 * n..4 * n + 2]), be(&set[4 * n + 2..4 * n + 4]) as usize))
                        .collect();
                    set = &set[4 * count as usize..];
                    templates.insert(template_id, (fields, scope as usize));
                    counted += 1;
                }
                continue;
            }
            let template = &templates[&id];
            let length: usize = template.0.iter().map(|(_, octets)| octets).sum();
            while set.len() >= length {
                let values = record(template, &mut set);
                counted += 1;
                expected += u64::from(ipfix);
                if template.1 > 0 {
                    let interval = match values.get(&34) {
                        Some(interval) => be(interval),
                        None => be(values[&305]) + be(values[&306]),
                    };
                    heard.intervals.push((received_us, interval));
                    continue;
                }
                heard.first_data_us.get_or_insert(received_us);
                let uptime_of = |element: u64| {
                    let ago = (uptime as u32).wrapping_sub(be(values[&element]) as u32);
                    booted_ms + uptime as i64 - i64::from(ago)
                };
                heard.flows.push(Flow {
                    src: ip(&values, 8, 27),
                    dst: ip(&values, 12, 28),
                    packets: be(values[&2]),
                    octets: be(values[&1]),
                    first_ms: if ipfix { be(values[&152]) as i64 } else { uptime_of(22) },
                    last_ms: if ipfix { be(values[&153]) as i64 } else { uptime_of(21) },
                });
            }
            assert!(set.len() < 4 && set.iter().all(|octet| *octet == 0), "padding");
        }
        if !ipfix {
            assert_eq!(be(&payload[2..4]), counted, "the header counts every record");
        }
    }
    heard
}

fn e1() -> Heard {
    templated("e1-ipfix.pcap", [192, 0, 2, 241], 10)
}

fn e2() -> Heard {
    templated("e2-netflow-v9.pcap", [192, 0, 2, 242], 9)
}

fn e3() -> Heard {
    let mut heard = Heard::default();
    let (mut expected, mut uptime_before) = (1, 0);
    // Of each data source the next number, the pool, and whether a datagram is missing since.
    let mut sources: HashMap<u64, (u64, u64, u64)> = HashMap::new();
    for Datagram { received_us, payload } in datagrams("e3-sflow.pcap", [192, 0, 2, 243]) {
        heard.datagrams += 1;
        let mut words = payload.chunks(4).map(be);
        let mut word = || words.next().unwrap();
        assert_eq!([word(), word(), word(), word()], [5, 1, 0xc000_02f3, 0]);
        let (sequence, uptime, samples) = (word(), word(), word());
        heard.missed += sequence - expected;
        expected = sequence + 1;
        heard.wraps += u64::from(uptime < uptime_before);
        uptime_before = uptime;
        let mut rest = &payload[28..];
        for _ in 0..samples {
            assert_eq!(be(&rest[..4]), 1, "a flow sample");
            let (sample, after) = rest[8..].split_at(be(&rest[4..8]) as usize);
            rest = after;
            let of = |n: usize| be(&sample[4 * n..4 * n + 4]);
            let (number, source, rate, pool) = (of(0), of(1), of(2), of(3));
            assert_eq!((of(4), source, of(5) + of(6), of(7)), (0, of(5), 3, 2));
            heard.intervals.push((received_us, rate));
            let (next, pool_before, missed) = sources.get(&source).copied().unwrap_or((1, 0, 0));
            assert!(number == next || heard.missed > missed, "numbers follow unless a datagram is lost");
            assert_eq!(pool - pool_before, (number + 1 - next) * rate, "the pool tells the same rate");
            sources.insert(source, (number + 1, pool, heard.missed));
            heard.flows.push(sampled_packet(&sample[32..], received_us));
        }
        assert!(rest.is_empty());
    }
    heard
}

/// The packet of a sampled header, with a gateway record behind it.
fn sampled_packet(records: &[u8], received_us: i64) -> Flow {
    assert_eq!(be(&records[..4]), 1, "a sampled header");
    let (record, gateway) = records[8..].split_at(be(&records[4..8]) as usize);
    assert_eq!((be(&gateway[..4]), be(&gateway[4..8]) as usize), (1003, gateway.len() - 8));
    let (frame_octets, taken_off, there) = (be(&record[4..8]), be(&record[8..12]), be(&record[12..16]));
    assert_eq!((be(&record[..4]), taken_off), (1, 4));
    let frame = &record[16..16 + there as usize];
    assert_eq!(there, (frame_octets - 4).min(128));
    let packet = &frame[14..];
    let (src, dst, octets, protocol, transport): (IpAddr, IpAddr, _, _, _) = match be(&frame[12..14]) {
        0x0800 => {
            assert_eq!(checksum(&packet[..20]), 0xffff);
            let v4 = |at: usize| Ipv4Addr::from(be(&packet[at..at + 4]) as u32).into();
            (v4(12), v4(16), be(&packet[2..4]), packet[9], &packet[20..])
        }
        _ => {
            let v6 = |at: usize| Ipv6Addr::from(<[u8; 16]>::try_from(&packet[at..at + 16]).unwrap()).into();
            (v6(8), v6(24), 40 + be(&packet[4..6]), packet[6], &packet[40..])
        }
    };
    assert_eq!(frame_octets, (octets + 14).max(60) + 4, "the length on the wire, of layer 2");
    let headers = packet.len() - transport.len();
    match protocol {
        6 => assert!((20..=octets as usize - headers).contains(&(usize::from(transport[12] >> 4) * 4))),
        _ => assert_eq!((protocol, be(&transport[4..6]) as usize), (17, octets as usize - headers)),
    }
    let ms = received_us / 1_000;
    Flow { src, dst, packets: 1, octets, first_ms: ms, last_ms: ms }
}

/// What every capture must be like.
fn check(number: usize, heard: &Heard, interval: u64, active_ms: i64) {
    let told = &SAMPLED.truth.telemetry[number];
    assert_eq!(heard.datagrams, told.datagrams - told.datagrams_lost);
    assert_eq!(heard.flows.len() as u64, told.records);
    assert_eq!(heard.flows.iter().map(|flow| flow.packets).sum::<u64>(), told.packets);
    assert_eq!(heard.flows.iter().map(|flow| flow.octets).sum::<u64>(), told.octets);
    let lost = told.datagrams_lost as f64 / told.datagrams as f64;
    assert!((0.01..0.03).contains(&lost), "{lost}");
    assert!(heard.missed > 0);
    assert!(!heard.intervals.is_empty());
    assert!(heard.intervals.iter().all(|(_, announced)| *announced == interval));
    for flow in &heard.flows {
        assert!(is_free(flow.src) && is_free(flow.dst));
        assert!(flow.first_ms <= flow.last_ms && flow.last_ms - flow.first_ms <= active_ms);
        assert!((28 * flow.packets..=1_500 * flow.packets).contains(&flow.octets));
    }
    let day = |time: &str| time.parse::<Timestamp>().unwrap().micros() / 1_000;
    let (from, until) = (day("2020-07-01"), day("2021-09-28"));
    assert!(heard.flows.iter().all(|flow| flow.first_ms >= from && flow.last_ms < until + 40_000));
}

#[test]
fn e1_speaks_ipfix_and_was_down_for_six_hours() {
    let heard = e1();
    check(0, &heard, 512, 60_000);
    assert!(heard.ahead_s.iter().all(|ahead| (-1..=0).contains(ahead)));
    let at = |time: &str| time.parse::<Timestamp>().unwrap().micros() / 1_000;
    let (from, until) = (at("2021-08-20T06:00:00Z"), at("2021-08-20T12:00:00Z"));
    let during = |from: i64, until: i64| {
        heard.flows.iter().filter(|flow| flow.last_ms >= from && flow.first_ms < until).count()
    };
    assert_eq!(during(from, until), 0);
    assert!(during(from - 21_600_000, from) > 0 && during(until, until + 21_600_000) > 0);
}

#[test]
fn e2_speaks_netflow_v9_with_a_wrong_clock_and_tells_its_sampling_late() {
    let heard = e2();
    check(1, &heard, 1_000, 1_800_000);
    assert!(heard.ahead_s.iter().all(|ahead| (39..=40).contains(ahead)));
    assert!(heard.wraps >= 1);
    let late_us = heard.intervals[0].0 - heard.first_data_us.unwrap();
    assert_eq!(late_us, 480_000_000);
}

#[test]
fn e3_speaks_sflow_and_tells_every_packet_by_itself() {
    let heard = e3();
    check(2, &heard, 4_000, 0);
    assert!(heard.wraps >= 1);
    assert!(heard.flows.iter().all(|flow| flow.packets == 1));
}

/// Σ octets × interval estimates what passed an exporter, less lost datagrams; four standard deviations
/// are allowed.
#[test]
fn samples_estimate_what_passed_each_exporter() {
    let truth = &SAMPLED.truth;
    for (number, heard, interval) in [(0, e1(), 512.0), (1, e2(), 1_000.0), (2, e3(), 4_000.0)] {
        for pair in &truth.pairs {
            let cluster = truth.clusters.iter().find(|cluster| cluster.name == pair.cluster).unwrap();
            // The shared server is used from v1 only, so its octets are left out on both sides.
            let own: Vec<IpAddr> = cluster
                .indicators
                .iter()
                .filter(|server| server.class != "shared")
                .map(|server| server.address.to_ip())
                .collect();
            if own.len() < cluster.indicators.len() && pair.victim.to_string() == "203.0.113.25" {
                continue;
            }
            let out =
                heard.flows.iter().filter(|flow| flow.src == pair.victim.to_ip() && own.contains(&flow.dst));
            let octets = out.map(|flow| flow.octets).sum::<u64>() as f64 * interval;
            let passed = pair.exporters[number].traffic.octets_out as f64 * 0.98;
            let deviation = (passed * 1_500.0 * interval).sqrt();
            assert!(
                (octets - passed).abs() < 4.0 * deviation,
                "{} {}: {octets}, {passed}",
                number,
                pair.cluster
            );
        }
    }
}
