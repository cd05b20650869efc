//! The collector behind the door for live export.

use proptest::prelude::*;
use rahdar_model::fact::{Loss, Unit};
use rahdar_model::flow::Quality;
use rahdar_model::{Address, Timestamp};
use rahdar_wire::{Account, Arrival, Collector, Options};

use super::message::{
    EXPORT_S, FLOW_FIELDS, FLOWS, Header, flow, ipfix_options_template, ipfix_template, record, set,
    v9_template,
};
use crate::kept::Kept;

const EXPORTER: &str = "192.0.2.1";

fn arrival(s: u32, port: u16) -> Arrival {
    let received = Some(Timestamp::from_seconds((EXPORT_S + s).into()));
    Arrival { exporter: EXPORTER.parse().unwrap(), port, received, packet: u64::from(s) + 1 }
}

/// The message with this sequence number.
fn numbered(mut message: Vec<u8>, number: u32) -> Vec<u8> {
    let at = if message[1] == 9 { 12 } else { 8 };
    message[at..at + 4].copy_from_slice(&number.to_be_bytes());
    message
}

fn v9(domain: u32, number: u32, s: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    numbered(Header { domain, ..Header::after(s) }.v9(sets), number)
}

fn ipfix(number: u32, s: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    numbered(Header::after(s).ipfix(sets), number)
}

/// The operator tells the rate, so that nothing waits for it.
fn unsampled() -> Options {
    Options { sampling: Some(1), ..Options::default() }
}

fn account(collector: &Collector) -> Account {
    let account = collector.accounts()[&EXPORTER.parse::<Address>().unwrap()];
    assert!(account.balances(), "{account:?}");
    account
}

#[test]
fn an_account_says_what_became_of_every_message() {
    let (mut collector, mut kept) = (Collector::new(&unsampled()), Kept::default());
    collector.begin("a".into());
    let mut send = |collector: &mut Collector, s, message: &[u8]| {
        collector.datagram(message, &arrival(s, 9), &mut kept).unwrap();
    };
    send(&mut collector, 0, &v9(7, 0, 0, &[set(FLOWS, &flow(1_000))]));
    send(&mut collector, 1, &v9(7, 1, 1, &[set(FLOWS, &flow(1_000)), set(FLOWS, &flow(1_000))]));
    send(&mut collector, 2, b"no export");
    let so_far = account(&collector);
    assert_eq!((so_far.messages, so_far.waiting, so_far.in_error), (3, 2, 1));
    send(&mut collector, 3, &v9(7, 2, 3, &[v9_template(FLOWS, FLOW_FIELDS)]));
    send(&mut collector, 4, &v9(7, 3, 4, &[v9_template(FLOWS, &FLOW_FIELDS[..9])]));
    let at_last = account(&collector);
    assert_eq!((at_last.messages, at_last.waiting, at_last.understood), (5, 0, 4));
    assert_eq!((at_last.tally.flows, at_last.redefined), (3, 1));
    assert_eq!(collector.tally(), at_last.tally);
}

#[test]
fn an_exporter_whose_rate_is_known_waits_for_no_word_about_it() {
    let options = Options { sampling_known: [EXPORTER.parse().unwrap()].into(), ..Options::default() };
    let (mut collector, mut kept) = (Collector::new(&options), Kept::default());
    collector.begin("a".into());
    let message = v9(7, 0, 0, &[v9_template(FLOWS, FLOW_FIELDS), set(FLOWS, &flow(1_000))]);
    collector.datagram(&message, &arrival(0, 9), &mut kept).unwrap();
    assert_eq!((kept.flows.len(), collector.tally().held), (1, 0));
    assert!(kept.flows[0].quality.contains(Quality::RATE_UNKNOWN), "who knows it has to say it");

    let other = Arrival { exporter: "192.0.2.2".parse().unwrap(), ..arrival(0, 9) };
    collector.datagram(&message, &other, &mut kept).unwrap();
    assert_eq!((kept.flows.len(), collector.tally().held), (1, 1), "nobody knows how this one samples");

    let of_others = [FLOW_FIELDS, &[(130, 4)]].concat();
    let record = [flow(1_000), vec![192, 0, 2, 3]].concat();
    let message = v9(8, 0, 0, &[v9_template(FLOWS, &of_others), set(FLOWS, &record)]);
    collector.datagram(&message, &arrival(0, 9), &mut kept).unwrap();
    assert_eq!((kept.flows.len(), collector.tally().held), (1, 2), "it hands on what others metered");
}

#[test]
fn what_waited_for_a_rate_is_read_if_the_operator_has_told_it_since() {
    let (mut collector, mut kept) = (Collector::new(&Options::default()), Kept::default());
    collector.begin("a".into());
    let message = v9(7, 0, 0, &[v9_template(FLOWS, FLOW_FIELDS), set(FLOWS, &flow(1_000))]);
    collector.datagram(&message, &arrival(0, 9), &mut kept).unwrap();
    assert_eq!((kept.flows.len(), collector.tally().held), (0, 1));

    let mut collector = Collector::restore(&unsampled(), &collector.save()).unwrap();
    collector.begin("b".into());
    collector.datagram(&v9(7, 1, 1, &[set(FLOWS, &flow(2_000))]), &arrival(1, 9), &mut kept).unwrap();
    let octets: Vec<_> = kept.flows.iter().map(|flow| flow.octets).collect();
    assert_eq!((octets, collector.tally().held), (vec![1_000, 2_000], 0));
    assert!(kept.flows.iter().all(|flow| flow.sampling_interval == Some(1)));
}

#[test]
fn rows_are_numbered_anew_in_each_input() {
    let (mut collector, mut kept) = (Collector::new(&unsampled()), Kept::default());
    let message = v9(7, 0, 0, &[v9_template(FLOWS, FLOW_FIELDS), set(FLOWS, &flow(1).repeat(2))]);
    for source in ["a", "b"] {
        collector.begin(source.into());
        collector.datagram(&message, &arrival(0, 9), &mut kept).unwrap();
        collector.message(&message, &arrival(0, 9), &mut kept).unwrap();
    }
    let rows: Vec<_> = kept.flows.iter().map(|flow| (&*flow.source, flow.source_row)).collect();
    let expected: Vec<_> =
        ["a", "b"].into_iter().flat_map(|source| (1..5).map(move |row| (source, row))).collect();
    assert_eq!(rows, expected);
}

#[test]
fn the_templates_of_a_stream_end_with_it() {
    let (mut collector, mut kept) = (Collector::new(&unsampled()), Kept::default());
    collector.begin("a".into());
    let with = ipfix(0, 0, &[ipfix_template(FLOWS, FLOW_FIELDS), set(FLOWS, &flow(1))]);
    let without = ipfix(1, 1, &[set(FLOWS, &flow(1))]);
    collector.message(&with, &arrival(0, 9), &mut kept).unwrap();
    collector.datagram(&without, &arrival(1, 9), &mut kept).unwrap();
    assert_eq!(account(&collector).waiting, 1, "a datagram from the same port is another session");
    collector.close(EXPORTER.parse().unwrap(), 9, &mut kept).unwrap();
    collector.message(&without, &arrival(1, 9), &mut kept).unwrap();
    assert_eq!((account(&collector).waiting, kept.flows.len()), (2, 1));
    collector.close_all(&mut kept).unwrap();
    assert_eq!((account(&collector).waiting, account(&collector).no_template), (1, 1));
}

/// Two days, in seconds: longer than any template lives that is announced every minute.
const TWO_DAYS_S: u32 = 2 * 86_400;

/// Sends a template at these times, and a flow of it two days later. Returns whether that could be read,
/// and what was said.
fn after_two_days(announced_s: &[u32]) -> (bool, Vec<String>) {
    let (mut collector, mut kept) = (Collector::new(&unsampled()), Kept::default());
    collector.begin("a".into());
    for (number, s) in announced_s.iter().enumerate() {
        let message = v9(7, number as u32, *s, &[v9_template(FLOWS, FLOW_FIELDS)]);
        collector.datagram(&message, &arrival(*s, 9), &mut kept).unwrap();
    }
    let (s, number) = (announced_s[announced_s.len() - 1] + TWO_DAYS_S, announced_s.len() as u32);
    collector.datagram(&v9(7, number, s, &[set(FLOWS, &flow(1_000))]), &arrival(s, 9), &mut kept).unwrap();
    account(&collector);
    let is_read = kept.flows.len() == 1;
    if !is_read {
        let again = v9(7, number + 1, s + 60, &[v9_template(FLOWS, FLOW_FIELDS)]);
        collector.datagram(&again, &arrival(s + 60, 9), &mut kept).unwrap();
        assert_eq!(kept.flows.len(), 1, "it waited for its template");
        assert_eq!(account(&collector).redefined, 0);
        assert!(!kept.flows[0].quality.contains(Quality::TEMPLATE_CONFLICT));
    }
    (is_read, kept.problems())
}

#[test]
fn a_template_lives_three_times_as_long_as_it_took_to_come_again() {
    let too_old = "packet 172861, octet 20 of the datagram: template `256` of exporter `192.0.2.1` was not announced \
                   again in time: its data waits for it";
    assert_eq!(after_two_days(&[0, 60]), (false, vec![too_old.to_owned()]));
    assert_eq!(after_two_days(&[0, TWO_DAYS_S]), (true, Vec::new()), "three times two days");
    assert_eq!(after_two_days(&[0]), (true, Vec::new()), "who never repeats himself is believed");
}

#[test]
fn a_template_of_another_meaning_is_a_new_version_whose_flows_are_marked() {
    let (mut collector, mut kept) = (Collector::new(&unsampled()), Kept::default());
    collector.begin("a".into());
    // The same record, its ends exchanged.
    let forged: Vec<_> = [(12, 4), (8, 4)].iter().chain(&FLOW_FIELDS[2..]).copied().collect();
    let flow_at = |s: u32| set(FLOWS, &flow(1_000 + u128::from(s)));
    let day = 86_400;
    for (number, (s, sets)) in [
        (0, vec![v9_template(FLOWS, FLOW_FIELDS), flow_at(0)]),
        (60, vec![v9_template(FLOWS, &forged), flow_at(60)]),
        (61, vec![v9_template(FLOWS, &forged), flow_at(61)]),
        (62, vec![v9_template(FLOWS, FLOW_FIELDS), flow_at(62)]),
        (day, vec![v9_template(FLOWS, FLOW_FIELDS), flow_at(day)]),
        (day + 63, vec![flow_at(day + 63)]),
    ]
    .into_iter()
    .enumerate()
    {
        collector.datagram(&v9(7, number as u32, s, &sets), &arrival(s, 9), &mut kept).unwrap();
        // What is known of versions survives a restart.
        collector = Collector::restore(&unsampled(), &collector.save()).unwrap();
        collector.begin("a".into());
    }
    let octets: Vec<_> = kept.flows.iter().map(|flow| flow.octets).collect();
    let day = u64::from(day);
    assert_eq!(octets, [0, 60, 61, 62, day, day + 63].map(|s| 1_000 + s));
    let sources: Vec<_> = kept.flows.iter().map(|flow| flow.src.to_string()).collect();
    let (own, other) = ("192.0.2.10", "198.51.100.7");
    assert_eq!(sources, [own, other, other, own, own, own], "each version reads its own records");
    let marked: Vec<_> =
        kept.flows.iter().map(|flow| flow.quality.contains(Quality::TEMPLATE_CONFLICT)).collect();
    assert_eq!(marked, [false, true, true, true, true, false], "for as long as the first would have lived");
}

/// What is missing of messages with these numbers, a record each, when so many datagrams were dropped here: what
/// the network lost, and what the socket did.
#[track_caller]
fn check_lost(numbers: &[u32], dropped: (Option<&str>, u64), (expected, of_socket): (u64, u64)) {
    let (mut collector, mut kept) = (Collector::new(&unsampled()), Kept::default());
    collector.begin("a".into());
    let template = v9_template(FLOWS, FLOW_FIELDS);
    for (s, number) in numbers.iter().enumerate() {
        let message = v9(7, *number, s as u32, &[template.clone(), set(FLOWS, &flow(1_000))]);
        collector.datagram(&message, &arrival(s as u32, 9), &mut kept).unwrap();
    }
    let time = Timestamp::from_seconds((EXPORT_S + numbers.len() as u32).into());
    collector.dropped(dropped.0.map(|exporter| exporter.parse().unwrap()), dropped.1, time);
    collector.finish(&mut kept).unwrap();
    assert!(kept.gaps.iter().all(|gap| gap.unit == Unit::Datagrams));
    let lost = |cause| kept.gaps.iter().filter(|gap| gap.cause == cause).map(|gap| gap.lost).sum::<u64>();
    assert_eq!((lost(Loss::Sequence), lost(Loss::KernelDrop)), (expected, of_socket));
    assert_eq!(account(&collector).lost_messages, expected);
}

#[test]
fn what_was_dropped_here_is_not_missed_again() {
    check_lost(&[1, 2, 13, 14], (None, 0), (10, 0));
    check_lost(&[1, 2, 13, 14], (Some(EXPORTER), 4), (6, 0));
    check_lost(&[1, 2, 13, 14], (Some(EXPORTER), 10), (0, 0));
    check_lost(&[1, 2, 13, 14], (Some("192.0.2.99"), 10), (10, 0));
}

#[test]
fn what_a_socket_dropped_is_told_under_the_exporter_that_misses_it() {
    check_lost(&[1, 2, 13, 14], (None, 40), (0, 10));
    check_lost(&[1, 2, 13, 14], (None, 4), (6, 4));
}

/// In the unit of its numbers, so that it is known what share of its records came.
#[test]
fn an_exporter_that_numbers_records_is_told_its_records() {
    for (dropped, expected) in
        [(1, vec![(Loss::Sequence, 7), (Loss::KernelDrop, 3)]), (9, vec![(Loss::KernelDrop, 10)])]
    {
        let (mut collector, mut kept) = (Collector::new(&unsampled()), Kept::default());
        collector.begin("a".into());
        let flows = || vec![set(300, &short(4_000)); 3];
        let first = ipfix(0, 0, &[vec![ipfix_template(300, &FLOW_FIELDS[..9])], flows()].concat());
        collector.datagram(&first, &arrival(0, 9), &mut kept).unwrap();
        collector.dropped(None, dropped, Timestamp::from_seconds(EXPORT_S.into()));
        for (s, number) in [(1, 13), (2, 16), (3, 19)] {
            collector.datagram(&ipfix(number, s, &flows()), &arrival(s, 9), &mut kept).unwrap();
        }
        collector.finish(&mut kept).unwrap();
        let told: Vec<_> = kept.gaps.iter().map(|gap| (gap.cause, gap.lost)).collect();
        assert_eq!(told, expected, "{dropped}");
        assert!(kept.gaps.iter().all(|gap| &*gap.exporter == EXPORTER && gap.unit == Unit::Records));
    }
}

#[test]
fn what_a_socket_dropped_long_ago_explains_nothing() {
    let (mut collector, mut kept) = (Collector::new(&unsampled()), Kept::default());
    collector.begin("a".into());
    collector.dropped(None, 1_000, Timestamp::from_seconds(EXPORT_S.into()));
    for (s, number) in [(600, 1), (601, 2), (602, 13)] {
        collector.datagram(&v9(7, number, s, &[]), &arrival(s, 9), &mut kept).unwrap();
    }
    collector.finish(&mut kept).unwrap();
    assert_eq!(kept.gaps.iter().map(|gap| gap.lost).sum::<u64>(), 10);
}

/// A record without its last field.
fn short(octets: u128) -> Vec<u8> {
    flow(octets)[..26].to_vec()
}

/// What an exporter sends in a life of a few minutes, so that there is something of everything to remember.
fn life() -> Vec<Vec<u8>> {
    let rate = [ipfix_options_template(400, &[(149, 4), (34, 4)]), set(400, &record(&[(7, 4), (100, 4)]))];
    vec![
        v9(1, 0, 0, &[v9_template(FLOWS, FLOW_FIELDS), set(FLOWS, &flow(1_000).repeat(3))]),
        v9(2, 0, 1, &[set(FLOWS, &flow(2_000))]),
        v9(1, 4, 2, &[set(FLOWS, &flow(3_000))]),
        ipfix(0, 3, &[ipfix_template(300, &FLOW_FIELDS[..9]), set(300, &short(4_000))]),
        ipfix(1, 4, &[set(300, &[short(5_000), short(5_001)].concat())]),
        ipfix(9, 5, &rate),
        v9(1, 2, 6, &[set(FLOWS, &flow(6_000))]),
        ipfix(11, 7, &[set(300, &short(7_000))]),
        v9(2, 3, 8, &[v9_template(FLOWS, FLOW_FIELDS)]),
        v9(1, 6, 700, &[set(FLOWS, &flow(8_000))]),
        v9(2, 4, 701, &[set(FLOWS, &flow(9_000))]),
    ]
}

#[test]
fn a_collector_that_was_saved_goes_on_as_if_it_had_not_been() {
    let options = Options::default();
    let run = |saved_after: Option<usize>| {
        let (mut collector, mut kept) = (Collector::new(&options), Kept::default());
        collector.begin("a".into());
        for (n, message) in life().iter().enumerate() {
            if saved_after == Some(n) {
                let state = collector.save();
                collector = Collector::restore(&options, &state).unwrap();
                assert_eq!(collector.save().len(), state.len());
                collector.begin("a".into());
            }
            collector.datagram(message, &arrival(n as u32, 9), &mut kept).unwrap();
        }
        collector.finish(&mut kept).unwrap();
        account(&collector);
        // Rows are numbered anew, and only that is not the same.
        kept.flows.iter_mut().for_each(|flow| flow.source_row = 0);
        (kept.flows, kept.gaps)
    };
    let whole = run(None);
    assert!(whole.0.len() >= 12 && !whole.1.is_empty(), "{whole:?}");
    for n in 0..life().len() {
        assert_eq!(run(Some(n)), whole, "saved before message {n}");
    }
}

#[test]
fn a_state_may_be_anything() {
    let options = Options::default();
    let mut collector = Collector::new(&options);
    for (n, message) in life()[..8].iter().enumerate() {
        collector.datagram(message, &arrival(n as u32, 9), &mut Kept::default()).unwrap();
    }
    let state = collector.save();
    for end in 0..state.len() {
        assert!(Collector::restore(&options, &state[..end]).is_err(), "{end}");
    }
    for at in 0..state.len() {
        for value in [0, 1, 0x7f, 0xff, state[at] ^ 1] {
            let mut state = state.clone();
            state[at] = value;
            // The file that holds it has a checksum; what gets by must not break anything all the same.
            if let Ok(mut restored) = Collector::restore(&options, &state) {
                restored.begin("a".into());
                restored.finish(&mut Kept::default()).unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    /// Who forges the sender and the domain as well is noticed: every flow that a forged template has read is
    /// marked, and the change is counted (reliability.md §3).
    #[test]
    fn a_forged_template_of_the_same_domain_is_a_conflict(
        order in prop::collection::vec(any::<bool>(), 1..12),
        fields in prop::sample::subsequence(FLOW_FIELDS.to_vec(), 1..10),
    ) {
        let (mut collector, mut kept) = (Collector::new(&unsampled()), Kept::default());
        collector.begin("a".into());
        let mut is_forged = false;
        let mut changes = 0;
        for (s, forge) in (0..).zip([&[false][..], &order].concat()) {
            let fields = if forge { &fields[..] } else { FLOW_FIELDS };
            changes += u64::from(forge != is_forged);
            is_forged = forge;
            let message = v9(7, s, s, &[v9_template(FLOWS, fields), set(FLOWS, &flow(1_000))]);
            let before = kept.flows.len();
            collector.datagram(&message, &arrival(s, 9), &mut kept).unwrap();
            for flow in &kept.flows[before..] {
                prop_assert_eq!(flow.quality.contains(Quality::TEMPLATE_CONFLICT), changes > 0);
            }
            prop_assert_eq!(account(&collector).redefined, changes);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Nobody changes by templates of his own domain how another's flows are read (reliability.md §3).
    #[test]
    fn templates_of_one_domain_do_not_touch_another(
        others in prop::collection::vec((0..12usize, prop::sample::subsequence(FLOW_FIELDS.to_vec(), 1..10)), 1..12),
    ) {
        let own = |n: u32| {
            let sets = if n.is_multiple_of(4) { vec![v9_template(FLOWS, FLOW_FIELDS)] } else { Vec::new() };
            v9(7, n, n, &[sets, vec![set(FLOWS, &flow(1_000 + u128::from(n)))]].concat())
        };
        let (mut alone, mut kept_alone) = (Collector::new(&unsampled()), Kept::default());
        let (mut mixed, mut kept_mixed) = (Collector::new(&unsampled()), Kept::default());
        for n in 0..12 {
            alone.datagram(&own(n), &arrival(n, 9), &mut kept_alone).unwrap();
            for (_, fields) in others.iter().filter(|(at, _)| *at == n as usize) {
                let hostile = v9(8, n, n, &[v9_template(FLOWS, fields)]);
                mixed.datagram(&hostile, &arrival(n, 9), &mut Kept::default()).unwrap();
                mixed.datagram(&own(99), &arrival(n, 10), &mut Kept::default()).unwrap();
            }
            mixed.datagram(&own(n), &arrival(n, 9), &mut kept_mixed).unwrap();
        }
        kept_mixed.flows.iter_mut().chain(&mut kept_alone.flows).for_each(|flow| flow.source_row = 0);
        prop_assert_eq!(kept_mixed.flows, kept_alone.flows);
    }
}
