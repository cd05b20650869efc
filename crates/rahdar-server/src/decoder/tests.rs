//! Segments that are applied, again, and after kills.

use std::fs;

use proptest::prelude::*;
use rahdar_model::fact::{Gap, Loss};
use rahdar_model::store::End;
use rahdar_model::{Timestamp, Window};
use rahdar_testkit::NaiveStore;

use super::*;
use crate::segment::{Dropped, Entry, Received, Whose, write_head};

/// 2021-08-15T00:00:00Z.
const BEGIN_S: u32 = 1_628_985_600;

/// What an exporter of IPFIX does.
#[derive(Debug, Clone)]
enum Step {
    /// It announces the template of its flows; one of two.
    Template(bool),
    /// It says at which rate it samples.
    Rate,
    /// It sends so many flows.
    Flows(u8),
    /// It sends so many that never arrive.
    Lost(u8),
    /// Minutes pass.
    Pause(u8),
    /// The segment ends.
    Seal,
    /// The collector is told to stop, and started again.
    Drained,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => any::<bool>().prop_map(Step::Template),
        1 => Just(Step::Rate),
        8 => (1..5u8).prop_map(Step::Flows),
        1 => (1..5u8).prop_map(Step::Lost),
        2 => (1..7u8).prop_map(Step::Pause),
        3 => Just(Step::Seal),
        1 => Just(Step::Drained),
    ]
}

/// What goes wrong while segments are applied.
#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    /// Killed after the commit, before the state was written.
    KilledUnsaved,
    /// Killed after the state was written.
    Killed,
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![Just(Fault::None), Just(Fault::KilledUnsaved), Just(Fault::Killed)]
}

fn set(id: u16, body: &[u8]) -> Vec<u8> {
    [&id.to_be_bytes()[..], &(4 + body.len() as u16).to_be_bytes(), body].concat()
}

fn shorts(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// Writes what an exporter does as segments, and returns how many there are.
fn spool(steps: &[Step], folder: &Path) -> u64 {
    let (mut number, mut now_s, mut sequence, mut flow) = (1, BEGIN_S, 0u32, 0u32);
    let mut octets = Vec::new();
    let begin = |number, octets: &mut Vec<u8>| {
        octets.clear();
        write_head(number, Timestamp::from_seconds(0), octets);
    };
    begin(number, &mut octets);
    let seal = |number: &mut u64, octets: &mut Vec<u8>| {
        fs::write(folder.join(number.to_string()), &octets).unwrap();
        *number += 1;
        begin(*number, octets);
    };
    for step in steps {
        let (records, body) = match step {
            Step::Template(long) => {
                let mut body = shorts(&[256, 5, 8, 4, 12, 4, 1, 4, 2, 4, 150, 4]);
                if *long {
                    body[3] = 6;
                    body.extend(shorts(&[151, 4]));
                }
                (0, set(2, &body))
            }
            Step::Rate => {
                let template = set(3, &shorts(&[257, 2, 1, 149, 4, 34, 4]));
                (1, [template, set(257, &[0, 0, 0, 7, 0, 0, 0, 100])].concat())
            }
            Step::Flows(count) => {
                let mut body = Vec::new();
                for _ in 0..6 * count {
                    flow += 1;
                    body.extend([192, 0, 2, 10, 198, 51, 100, 7]);
                    for word in [100 + flow, 1, now_s - 5] {
                        body.extend(word.to_be_bytes());
                    }
                }
                (u32::from(*count) * 6, set(256, &body))
            }
            Step::Lost(count) => {
                sequence += u32::from(*count);
                continue;
            }
            Step::Pause(minutes) => {
                now_s += 60 * u32::from(*minutes);
                continue;
            }
            Step::Seal => {
                seal(&mut number, &mut octets);
                continue;
            }
            Step::Drained => {
                Entry::Drained.write(&mut octets);
                seal(&mut number, &mut octets);
                continue;
            }
        };
        let mut message = shorts(&[10, 16 + body.len() as u16]);
        for word in [now_s, sequence, 7] {
            message.extend(word.to_be_bytes());
        }
        message.extend(body);
        sequence += records;
        let received = Received {
            time: Timestamp::from_seconds(now_s.into()),
            peer: Address::from_v4_bits(0xc000_0201),
            port: 9,
            payload: &message,
        };
        Entry::Datagram(received).write(&mut octets);
    }
    Entry::Drained.write(&mut octets);
    seal(&mut number, &mut octets);
    number - 1
}

/// Everything that a store holds, in words.
fn all(store: &NaiveStore) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut visit = |sighting: rahdar_model::Sighting| {
        if sighting.end == End::Source {
            all.push(format!("{:?}", sighting.flow));
        }
    };
    store.sightings(&["::/0".parse().unwrap()], Window::ALL, &mut visit).unwrap();
    all.extend(store.gaps(Window::ALL).unwrap().iter().map(|gap| format!("{gap:?}")));
    all.sort();
    all
}

/// Applies all segments, in groups of so many, with these faults one after the other.
fn applied(folder: &Path, segments: u64, group: u64, faults: &[Fault]) -> (Vec<String>, Ledger) {
    let state = tempfile::tempdir().unwrap();
    let store = NaiveStore::new();
    let options = Options::default();
    let mut ledger = Ledger::default();
    let (mut decoder, _) = Decoder::open(state.path(), &options, Operator::default(), &mut ledger);
    let mut faults = faults.iter();
    while decoder.applied() < segments {
        let (first, unsaved) = (decoder.applied(), fs::read(state.path().join("state")).ok());
        let next = |last: u64| {
            let number = last + 1;
            (last < segments.min(first + group)).then(|| (number, folder.join(number.to_string())))
        };
        let done = decoder.apply(&store, next, 1, &mut ledger).unwrap();
        assert!(done.not_saved.is_none() && done.saved == decoder.applied());
        match faults.next() {
            None | Some(Fault::None) => continue,
            Some(Fault::Killed) => {}
            Some(Fault::KilledUnsaved) => {
                match unsaved {
                    Some(unsaved) => fs::write(state.path().join("state"), unsaved).unwrap(),
                    None => fs::remove_file(state.path().join("state")).unwrap(),
                };
            }
        }
        ledger = Ledger::default();
        decoder = Decoder::open(state.path(), &options, Operator::default(), &mut ledger).0;
    }
    (all(&store), ledger)
}

/// A segment that cannot be read for a while is read later, and those before it need not wait for it.
#[test]
fn a_segment_that_cannot_be_read_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let steps = [Step::Template(false), Step::Flows(1), Step::Seal, Step::Flows(2), Step::Seal];
    let segments = spool(&steps, folder.path());
    let (expected, _) = applied(folder.path(), segments, 1, &[]);

    let state = tempfile::tempdir().unwrap();
    let store = NaiveStore::new();
    let mut ledger = Ledger::default();
    let (mut decoder, _) = Decoder::open(state.path(), &Options::default(), Operator::default(), &mut ledger);
    let file = |number: u64| folder.path().join(number.to_string());
    // A folder can be opened, and not be read.
    let broken = |last| {
        let path = if last == 0 { file(1) } else { folder.path().to_owned() };
        Some((last + 1, path))
    };
    let done = decoder.apply(&store, broken, 1, &mut ledger).unwrap();
    assert_eq!((done.saved, done.notices.len()), (1, 0));
    for _ in 0..2 {
        let failed = decoder.apply(&store, broken, 1, &mut ledger).unwrap_err();
        assert!(matches!(failed, StoreError::Failed { action: "reading the spool", .. }), "{failed:?}");
        assert_eq!(decoder.applied(), 1);
    }
    let whole = |last| (last < segments).then(|| (last + 1, file(last + 1)));
    let done = decoder.apply(&store, whole, 1, &mut ledger).unwrap();
    assert_eq!((done.saved, done.notices.len()), (segments, 0));
    assert_eq!(all(&store), expected);
}

/// The gaps of segments of these entries, with a restart between any two, as `exporter cause lost`.
fn gaps_of(segments: &[&[Entry<'_>]]) -> Vec<String> {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = NaiveStore::new();
    for (number, entries) in (1..).zip(segments) {
        let mut octets = Vec::new();
        write_head(number, Timestamp::from_seconds(0), &mut octets);
        entries.iter().for_each(|entry| entry.write(&mut octets));
        fs::write(folder.path().join(number.to_string()), octets).unwrap();
        // What is known of senders survives a restart.
        let mut ledger = Ledger::default();
        let (mut decoder, _) =
            Decoder::open(state.path(), &Options::default(), Operator::default(), &mut ledger);
        let next = |last| (last < number).then(|| (number, folder.path().join(number.to_string())));
        decoder.apply(&store, next, 1, &mut ledger).unwrap();
    }
    let line = |gap: Gap| format!("{} {} {}", gap.exporter, gap.cause, gap.lost);
    store.gaps(Window::ALL).unwrap().into_iter().map(line).collect()
}

fn dropped(cause: Loss, whose: Whose, at_s: i64) -> Entry<'static> {
    let at = Timestamp::from_seconds(i64::from(BEGIN_S) + at_s);
    let window = Window::new(at, at.plus_micros(1));
    Entry::Dropped(Dropped { cause, whose, window, datagrams: 5, counter: None })
}

#[test]
fn a_segment_has_one_gap_of_an_exporter_and_a_cause() {
    let sender: Address = "192.0.2.1".parse().unwrap();
    let seconds: Vec<Entry<'_>> = (0..30)
        .flat_map(|s| {
            [
                dropped(Loss::Rejected, Whose::Strangers, s),
                dropped(Loss::KernelDrop, Whose::Socket("udp 192.0.2.9:2055".to_owned()), s),
                dropped(Loss::QueueDrop, Whose::Exporter(sender), s),
                dropped(Loss::RateLimited, Whose::Exporter(sender), s),
            ]
        })
        .collect();
    let expected = [
        "192.0.2.1 queue_drop 150",
        "192.0.2.1 rate_limited 150",
        "strangers rejected 150",
        "udp 192.0.2.9:2055 kernel_drop 150",
    ];
    let mut found = gaps_of(&[&seconds]);
    found.sort();
    assert_eq!(found, expected);
}

/// An IPFIX message of a template with exporterIPv4Address (130) and a rate, and of a flow of each of these.
fn relayed(exporters: &[[u8; 4]]) -> Vec<u8> {
    let template = set(2, &shorts(&[256, 7, 8, 4, 12, 4, 1, 4, 2, 4, 150, 4, 34, 4, 130, 4]));
    let mut flows = Vec::new();
    for exporter in exporters {
        flows.extend([192, 0, 2, 10, 198, 51, 100, 7, 0, 0, 0, 100, 0, 0, 0, 1]);
        flows.extend((BEGIN_S - 5).to_be_bytes());
        flows.extend([0, 0, 0, 1]);
        flows.extend(exporter);
    }
    let body = [template, set(256, &flows)].concat();
    let mut message = shorts(&[10, 16 + body.len() as u16]);
    for word in [BEGIN_S, 0, 7] {
        message.extend(word.to_be_bytes());
    }
    [message, body].concat()
}

#[test]
fn losses_of_a_sender_have_the_name_of_its_flows() {
    let peer: Address = "192.0.2.1".parse().unwrap();
    let time = Timestamp::from_seconds(BEGIN_S.into());
    let check = |exporters: &[[u8; 4]], expected: &str| {
        let payload = relayed(exporters);
        let came = Entry::Datagram(Received { time, peer, port: 9, payload: &payload });
        let lost = dropped(Loss::QueueDrop, Whose::Exporter(peer), 60);
        let found = gaps_of(&[&[came], &[lost]]);
        assert_eq!(found, [expected], "{exporters:?}");
    };
    check(&[[203, 0, 113, 5]], "203.0.113.5 queue_drop 5");
    check(&[[192, 0, 2, 1]], "192.0.2.1 queue_drop 5");
    check(&[[203, 0, 113, 5], [203, 0, 113, 6]], "sender 192.0.2.1 queue_drop 5");
}

/// A segment that somebody removed does not come back: that is told, and what follows is stored.
#[test]
fn a_segment_that_is_gone_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let segments = spool(&[Step::Seal, Step::Template(false), Step::Flows(1)], folder.path());
    fs::remove_file(folder.path().join("1")).unwrap();
    let state = tempfile::tempdir().unwrap();
    let store = NaiveStore::new();
    let mut ledger = Ledger::default();
    let (mut decoder, _) = Decoder::open(state.path(), &Options::default(), Operator::default(), &mut ledger);
    let next = |last: u64| (last < segments).then(|| (last + 1, folder.path().join((last + 1).to_string())));
    let done = decoder.apply(&store, next, 1, &mut ledger).unwrap();
    assert_eq!(done.saved, segments);
    assert!(matches!(done.notices[..], [Notice::SegmentDamaged { octets: 0, .. }]), "{:?}", done.notices);
    assert_eq!(all(&store).len(), 6);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is killed when, and however segments are grouped, the store holds the same.
    #[test]
    fn kills_change_nothing(
        steps in proptest::collection::vec(step(), 1..60),
        group in 1..4u64,
        faults in proptest::collection::vec(fault(), 0..12),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let segments = spool(&steps, folder.path());
        let (expected, whole) = applied(folder.path(), segments, u64::MAX >> 1, &[]);
        let (found, ledger) = applied(folder.path(), segments, group, &faults);
        prop_assert_eq!(found, expected);
        for exporter in whole.exporters.values().chain(ledger.exporters.values()) {
            prop_assert!(exporter.account.balances(), "{:?}", exporter);
        }
    }
}
