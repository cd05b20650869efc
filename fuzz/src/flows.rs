//! What the fuzz targets of flows do: decode, and hold the result to what must be true of any input.
//!
//! The tests of `rahdar-wire` take in this file and replay seeds through the same functions, so that what
//! the targets rest on is compiled and tried with every change.

use rahdar_model::fact::Fact;
use rahdar_model::sink::SinkError;
use rahdar_model::{FlowRecord, FlowSink, Problem, Timestamp};
use rahdar_wire::{Arrival, Collector, Format, Options, WireError, decode};

/// Counts what a decoder gives, and keeps nothing.
#[derive(Default)]
struct Counting {
    flows: u64,
    facts: u64,
    refused: u64,
}

impl FlowSink for Counting {
    fn flow(&mut self, record: &FlowRecord) -> Result<(), SinkError> {
        assert!(record.start_time <= record.end_time);
        self.flows += 1;
        Ok(())
    }

    fn fact(&mut self, fact: Fact<'_>) -> Result<(), SinkError> {
        match fact {
            Fact::Resolution(_) | Fact::Handshake(_) => self.facts += 1,
            Fact::Gap(gap) => assert!(gap.lost > 0),
        }
        Ok(())
    }

    fn problem(&mut self, problem: Problem) {
        self.refused += problem.refused;
    }
}

/// Decodes `input` as `format`, or as what it seems to be.
///
/// # Panics
/// If the decoder does, or if its counts contradict each other: both are bugs.
pub fn check(mut input: &[u8], format: Option<Format>) {
    let options = Options { format, ..Options::default() };
    let mut sink = Counting::default();
    match decode(&mut input, "fuzz".into(), &options, &mut sink) {
        Ok(tally) | Err(WireError::Read { tally, .. }) => {
            assert!(tally.balances());
            assert_eq!((tally.flows, tally.facts, tally.refused), (sink.flows, sink.facts, sink.refused));
        }
        Err(_) => assert_eq!(sink.flows, 0),
    }
}

/// The first octets of the datagrams that [`check_live`] makes: NetFlow v5 and v9, IPFIX, sFlow.
const VERSIONS: [&[u8]; 4] = [&[0, 5], &[0, 9], &[0, 10], &[0, 0, 0, 5]];

/// When the first datagram of [`check_live`] arrives: 2021-08-15T00:00:00Z.
const ARRIVAL_S: i64 = 1_628_985_600;

/// Gives a collector two datagrams, and saves and restores it between them.
///
/// Octet 0 of `input` says of which version they are, octets 1 and 2 how many octets the first has
/// behind its version; the rest is the second. If the highest bit of octet 0 is set, both come again
/// in a stream.
///
/// # Panics
/// If the collector does, or if its counts contradict each other: both are bugs.
pub fn check_live(input: &[u8]) {
    let [kind, high, low, rest @ ..] = input else { return };
    let version = VERSIONS[usize::from(kind & 3)];
    let (first, second) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])).min(rest.len()));
    let datagrams = [first, second].map(|datagram| [version, datagram].concat());
    let options = Options::default();
    let mut sink = Counting::default();
    let mut collector = Collector::new(&options);
    for (datagram, number) in datagrams.iter().zip(0..) {
        let received = Some(Timestamp::from_seconds(ARRIVAL_S + number));
        let exporter = "192.0.2.1".parse().expect("this is an address");
        let arrival = Arrival { exporter, port: 9, received, packet: number as u64 + 1 };
        collector.begin("fuzz".into());
        collector.datagram(datagram, &arrival, &mut sink).expect("the sink takes everything");
        if kind & 0x80 != 0 {
            collector.message(datagram, &arrival, &mut sink).expect("the sink takes everything");
        }
        hold(&collector);
        let state = collector.save();
        collector = Collector::restore(&options, &state).expect("it was saved just now");
        assert_eq!(collector.save().len(), state.len());
    }
    collector.finish(&mut sink).expect("the sink takes everything");
    collector.close_all(&mut sink).expect("the sink takes everything");
    hold(&collector);
}

/// Restores a collector from octets that need not be what one saved, and lets it read on.
///
/// # Panics
/// If the collector does, or cannot be restored from what it saves: both are bugs.
pub fn check_saved(input: &[u8]) {
    let options = Options::default();
    let version = Collector::new(&options).save()[0];
    let Ok(collector) = Collector::restore(&options, &[&[version], input].concat()) else { return };
    let state = collector.save();
    let mut collector = Collector::restore(&options, &state).expect("it was saved just now");
    assert_eq!(collector.save().len(), state.len());
    let mut sink = Counting::default();
    let received = Some(Timestamp::from_seconds(ARRIVAL_S));
    let exporter = "192.0.2.1".parse().expect("this is an address");
    let arrival = Arrival { exporter, port: 9, received, packet: 1 };
    collector.begin("fuzz".into());
    for version in VERSIONS {
        collector
            .datagram(&[version, input].concat(), &arrival, &mut sink)
            .expect("the sink takes everything");
    }
    collector.finish(&mut sink).expect("the sink takes everything");
    collector.close_all(&mut sink).expect("the sink takes everything");
}

/// Ends of the packets that [`check_clear`] makes, and the link type of bare IP.
const HOST: [u8; 4] = [192, 0, 2, 1];
const SERVER: [u8; 4] = [203, 0, 113, 1];
const BARE_IP: u32 = 101;

/// Gives octets to whatever reads what packets carry: as a question and an answer of DNS, over UDP and TCP, and as the
/// beginning of a connection, whole and in two segments. The first octet says where they are divided.
///
/// # Panics
/// If the decoder does, or if its counts contradict each other: both are bugs.
pub fn check_clear(input: &[u8]) {
    let Some((at, octets)) = input.split_first() else { return };
    let octets = &octets[..octets.len().min(60_000)];
    let (first, second) = octets.split_at(usize::from(*at).min(octets.len()));
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0];
    file.extend(BARE_IP.to_le_bytes());
    let mut packet = |protocol: u8, from: u16, to: u16, header: &[u8], octets: &[u8]| {
        let (src, dst) = if from < to { (SERVER, HOST) } else { (HOST, SERVER) };
        let length = (24 + header.len() + octets.len()) as u16;
        let ip = [&[0x45, 0][..], &length.to_be_bytes(), &[0, 0, 0, 0, 64, protocol, 0, 0], &src, &dst];
        let packet = [&ip.concat(), &from.to_be_bytes()[..], &to.to_be_bytes(), header, octets].concat();
        file.extend([0; 8]);
        file.extend([(packet.len() as u32).to_le_bytes(); 2].concat());
        file.extend(packet);
    };
    let length = ((8 + octets.len()) as u16).to_be_bytes();
    let datagram = [length[0], length[1], 0, 0];
    let segment =
        |number: u32| [&number.to_be_bytes()[..], &[0, 0, 0, 0, 0x50, 0x18, 0, 0, 0, 0, 0, 0]].concat();
    for (from, to) in [(50_000, 53), (53, 50_000)] {
        packet(17, from, to, &datagram, octets);
        packet(6, from, to, &segment(1), octets);
    }
    packet(6, 50_001, 443, &segment(1), octets);
    packet(6, 50_002, 443, &segment(1), first);
    packet(6, 50_002, 443, &segment(1 + first.len() as u32), second);
    packet(6, 443, 50_003, &segment(1), first);
    packet(6, 443, 50_003, &segment(1 + first.len() as u32), second);
    check(&file, Some(Format::Packets));
}

/// Holds the accounts of a collector to what must be true of any.
fn hold(collector: &Collector) {
    assert!(collector.tally().balances());
    assert!(collector.accounts().values().all(|account| account.balances()));
}
