//! A flood from one sender, be it an exporter or one who forges its address: what others announced stays.

use rahdar_model::{Address, Timestamp};
use rahdar_testkit::alone::{most_memory, run_us};
use rahdar_testkit::aloud::told;
use rahdar_testkit::{alone, is_nightly, skipped};
use rahdar_wire::{Arrival, Collector, Options};

use super::message::{EXPORT_S, FLOW_FIELDS, FLOWS, Header, flow, set, template, v9_template};
use crate::kept::Kept;

/// Who floods, and who announced its template before that and sends a flow now and then.
const FLOODER: &str = "192.0.2.1";
const QUIET: &str = "192.0.2.2";

/// The longest set of a UDP datagram, about.
const SET_OCTETS: usize = 60_000;

struct Live {
    collector: Collector,
    kept: Kept,
    datagrams: u32,
}

impl Live {
    /// A collector to which the quiet exporter has announced its template.
    fn new() -> Self {
        let options = Options { sampling: Some(1), ..Options::default() };
        let mut collector = Collector::new(&options);
        collector.begin("a".into());
        let mut live = Self { collector, kept: Kept::default(), datagrams: 0 };
        live.send(QUIET, 7, &[v9_template(FLOWS, FLOW_FIELDS)]);
        live
    }

    fn send(&mut self, exporter: &str, domain: u32, sets: &[Vec<u8>]) {
        self.datagrams += 1;
        let message = Header { domain, ..Header::after(0) }.v9(sets);
        let received = Some(Timestamp::from_seconds(EXPORT_S.into()));
        let exporter = exporter.parse::<Address>().unwrap();
        let arrival = Arrival { exporter, port: 9, received, packet: self.datagrams.into() };
        self.collector.datagram(&message, &arrival, &mut self.kept).unwrap();
    }

    /// The quiet exporter sends a flow; says whether it was read.
    fn quiet_flow(&mut self) -> bool {
        let before = self.kept.flows.len();
        self.send(QUIET, 7, &[set(FLOWS, &flow(1_000))]);
        self.kept.flows.len() > before
    }
}

#[test]
fn a_flood_of_domains_leaves_what_another_exporter_announced() {
    let mut live = Live::new();
    for domain in 0..70_000 {
        live.send(FLOODER, domain, &[v9_template(FLOWS, &[(8, 4), (12, 4)])]);
    }
    assert!(live.quiet_flow());
}

#[test]
fn a_flood_of_what_waits_leaves_what_another_exporter_announced() {
    let mut live = Live::new();
    let waits = set(FLOWS, &vec![1; SET_OCTETS]);
    for n in 0..3_000 {
        live.send(FLOODER, n % 500, std::slice::from_ref(&waits));
    }
    assert!(live.quiet_flow());
    let held = live.collector.tally().held as usize * SET_OCTETS;
    assert!(held < 128 << 20 && held > 100 << 20, "{held}");
}

#[test]
fn one_exporter_is_remembered_with_its_domains_in_use_and_no_more() {
    let mut live = Live::new();
    let known = |live: &mut Live, domain| {
        let before = live.kept.flows.len();
        live.send(FLOODER, domain, &[set(FLOWS, &flow(1_000))]);
        live.kept.flows.len() > before
    };
    for domain in 0..1_500 {
        live.send(FLOODER, domain, &[v9_template(FLOWS, FLOW_FIELDS)]);
        assert!(known(&mut live, 0), "in use while {domain} domains were announced");
    }
    assert!(known(&mut live, 1_499) && !known(&mut live, 100), "one that was not used gave way");
}

#[test]
fn a_session_ends_in_no_more_time_among_many_others() {
    alone("exports::flood::a_session_ends_in_no_more_time_among_many_others", || {
        /// Sessions that end.
        const ENDS: u16 = 1_000;
        let lasted_us = |exporters: u32| {
            let mut live = Live::new();
            let received = Some(Timestamp::from_seconds(EXPORT_S.into()));
            for (exporter, domain) in (0..exporters).flat_map(|e| (0..1_000).map(move |domain| (e, domain))) {
                let exporter = Address::from_v4_bits(0xc612_0000 + exporter);
                let arrival = Arrival { exporter, port: 9, received, packet: 1 };
                let message = Header { domain, ..Header::after(0) }.ipfix(&[set(FLOWS, &[0; 4])]);
                live.collector.message(&message, &arrival, &mut live.kept).unwrap();
            }
            let before = run_us()?;
            for port in 0..ENDS {
                live.collector.close(FLOODER.parse().unwrap(), port, &mut live.kept).unwrap();
            }
            Some(run_us()? - before)
        };
        let Some((few, many)) = lasted_us(1).zip(lasted_us(40)) else {
            return skipped("nobody tells how long a thread ran");
        };
        assert!(many < 10 * few + 20_000, "{few} us among a thousand, {many} us among 40 thousand");
        told(format_args!("{few} us among a thousand, {many} us among 40 thousand"));
    });
}

#[test]
fn templates_without_end_take_little_memory_and_leave_those_in_use() {
    alone("exports::flood::templates_without_end_take_little_memory_and_leave_those_in_use", || {
        // Of a domain no more than a thousand are kept: more of them take time, not memory.
        let most = |domain| if is_nightly() || domain == 0 { u16::MAX } else { 2_000 };
        let mut live = Live::new();
        let before = most_memory();
        live.send(FLOODER, 0, &[v9_template(FLOWS, FLOW_FIELDS)]);
        let (mut sent, mut read) = (0, 0);
        for domain in 0..64 {
            for first in (257..most(domain)).step_by(512) {
                let ids = first..=first.saturating_add(511);
                let many: Vec<u8> = ids.flat_map(|id| template(id, &[(8, 4), (12, 4)])).collect();
                live.send(FLOODER, domain, &[set(0, &many)]);
                live.send(FLOODER, 0, &[set(FLOWS, &flow(1_000))]);
                live.quiet_flow();
                sent += 2;
                read += std::mem::take(&mut live.kept).flows.len();
            }
        }
        assert!(read * 100 >= sent * 99, "{read} of {sent} flows were read");
        let Some((before, after)) = before.zip(most_memory()) else {
            return skipped("nobody tells the memory in use");
        };
        let grown = after - before;
        assert!(grown < 64 << 20, "{grown} octets more");
        told(format_args!("{read} of {sent} flows read, {} MiB more", grown >> 20));
    });
}
