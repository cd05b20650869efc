//! What broke other collectors, each by its number in `docs/semantics.md`. None of them may panic, loop or
//! take memory, and what is sound beside them is read.

use rahdar_model::{Tally, Timestamp};
use rahdar_wire::{Arrival, Collector, Options};

use super::message::{
    EXPORT_S, FLOW_FIELDS, FLOWS, Header, UPTIME_MS, flow, ipfix, ipfix_template, record, set, template, v9,
    v9_options_template, v9_template,
};
use super::{messages, one};
use crate::kept::Kept;

/// The options template of these tests, with its number.
const OPTIONS: u16 = 300;

/// A v9 set with an options template that says it has so many octets of scopes and of options.
fn options_of_octets(scopes: u16, options: u16) -> Vec<u8> {
    let head: Vec<u8> = [OPTIONS, scopes, options].iter().flat_map(|word| word.to_be_bytes()).collect();
    set(1, &[head, vec![0, 1, 0, 4, 0, 34, 0, 4]].concat())
}

/// Options of the system: it samples one packet in 100.
fn told() -> Vec<u8> {
    set(OPTIONS, &record(&[(0, 4), (100, 4)]))
}

/// Reads a message and then a sound flow of another template, which must be read. Returns what was said of
/// the message, and the counts.
#[track_caller]
fn beside_a_sound_flow(message: Vec<u8>) -> (Vec<String>, Tally) {
    let sound = Header::after(1).v9(&[v9_template(999, FLOW_FIELDS), set(999, &flow(1_000))]);
    let (kept, tally) = messages(&[message, sound]);
    assert_eq!(kept.flows.last().map(|flow| flow.octets), Some(1_000));
    (kept.problems.iter().map(|problem| problem.text.clone()).collect(), tally)
}

#[test]
fn c1_lengths_of_an_options_template_that_wrap_are_refused() {
    for (scopes, options) in [(0xfffc, 8), (8, 0xfffc), (0xfffe, 0xfffe)] {
        let (problems, tally) = beside_a_sound_flow(v9(&[options_of_octets(scopes, options), told()]));
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert_eq!((tally.decoded, tally.held), (1, 1), "the data waits for a template that can be one");
    }
}

#[test]
fn c2_an_options_template_may_be_replaced_while_it_is_in_use() {
    // The second has the interval where the first has the scope.
    let first = v9_options_template(OPTIONS, &[(1, 4)], &[(34, 4)]);
    let second = v9_options_template(OPTIONS, &[], &[(34, 4), (1, 4)]);
    let of_second = |interval| set(OPTIONS, &record(&[(interval, 4), (7, 4)]));
    let data = |octets| set(FLOWS, &flow(octets));
    let (kept, tally) = messages(&[
        v9(&[v9_template(FLOWS, FLOW_FIELDS), data(1), first.clone(), told(), second.clone()]),
        v9(&[of_second(200), first.clone(), data(2)]),
        v9(&[told(), data(3), second, of_second(300)]),
        v9(&[first, data(4)]),
    ]);
    let intervals: Vec<_> = kept.flows.iter().map(|flow| flow.sampling_interval).collect();
    assert_eq!(intervals, [Some(100), Some(200), Some(100), Some(300)]);
    assert_eq!((tally.decoded, tally.refused, kept.problems.len()), (4, 0, 4));
}

/// An IPFIX flow with a list in the middle, a field of variable length.
fn with_list(element: u16, list: &[u8]) -> u64 {
    let body = [record(&[(0xc000_020a, 4), (list.len() as u128, 1)]), list.to_vec()].concat();
    let body = [body, record(&[(0xc633_6407, 4), (1_000, 4)])].concat();
    let fields = [(8, 4), (element, 65_535), (12, 4), (1, 4)];
    one(&[ipfix(&[ipfix_template(FLOWS, &fields), set(FLOWS, &body)])]).octets
}

#[test]
fn c3_a_list_whose_entries_have_no_length_is_stepped_over() {
    // RFC 6313: subTemplateMultiList. Entries of template 257 that say they have no octets, or four: their head.
    for octets in [0, 4] {
        assert_eq!(with_list(293, &[&[0xff][..], &[1, 1, 0, octets].repeat(9)].concat()), 1_000);
    }
}

#[test]
fn c4_records_longer_than_any_message_have_no_template() {
    let long = v9_template(FLOWS, &[(8, 40_000), (12, 40_000)]);
    let (problems, tally) = beside_a_sound_flow(v9(&[long, set(FLOWS, &[0; 64])]));
    assert!(problems[0].ends_with("describes records of at least `80000` octets, more than a message holds"));
    assert_eq!((tally.decoded, tally.held), (1, 1));
}

#[test]
fn c5_an_offset_into_an_options_template_that_wraps_is_refused() {
    for (scopes, options) in [(4, 0xfffc), (4, 0xfff8), (0x7fff, 0x7fff)] {
        let (problems, tally) = beside_a_sound_flow(v9(&[options_of_octets(scopes, options), told()]));
        assert_eq!((problems.len(), tally.decoded, tally.held), (2, 1, 1), "{problems:?}");
    }
}

#[test]
fn c6_a_list_of_a_template_that_never_came_is_stepped_over() {
    // RFC 6313: subTemplateList. Its records are of template 9999.
    assert_eq!(with_list(292, &[0xff, 0x27, 0x0f, 1, 2, 3, 4]), 1_000);
}

#[test]
fn c8_names_of_applications_and_routing_tables_are_passed_over() {
    // Cisco's tables: application id, name, description; routing table, name. Their lengths vary by version.
    for octets in [1, 24, 55, 200] {
        let options = [(95, octets), (96, octets), (94, octets), (234, octets), (236, octets)];
        let row = vec![0xff; 4 + 5 * usize::from(octets)];
        let table = v9_options_template(OPTIONS, &[(1, 4)], &options);
        let (problems, tally) = beside_a_sound_flow(v9(&[table, set(OPTIONS, &row.repeat(3))]));
        assert_eq!((problems.len(), tally.decoded, tally.refused), (0, 1, 0), "{problems:?}");
        assert_eq!(tally.beside, 1 + 3 + 1, "two templates and three rows");
    }
}

#[test]
fn c10_fifty_octets_of_a_field_of_four_are_stepped_over() {
    let (problems, _) =
        beside_a_sound_flow(v9(&[v9_template(FLOWS, &[(8, 50), (12, 50)]), set(FLOWS, &[0xff; 100])]));
    assert!(problems[0].ends_with("describes no flows: its records are set aside"), "{problems:?}");
    assert!(problems[1].ends_with("cannot have `50` octets: it is not read"), "{problems:?}");
}

/// A live collector of unsampled flows, and what it gave.
struct Live {
    collector: Collector,
    kept: Kept,
    packets: u32,
}

impl Live {
    fn new() -> Self {
        let mut collector = Collector::new(&Options { sampling: Some(1), ..Options::default() });
        collector.begin("test".into());
        Self { collector, kept: Kept::default(), packets: 0 }
    }

    /// Takes a message, and returns how many octets everything takes that is remembered.
    fn take(&mut self, message: &[u8]) -> usize {
        let exporter = "192.0.2.1".parse().unwrap();
        let received = Some(Timestamp::from_seconds((EXPORT_S + self.packets).into()));
        self.packets += 1;
        let arrival = Arrival { exporter, port: 9, received, packet: self.packets.into() };
        self.collector.datagram(message, &arrival, &mut self.kept).unwrap();
        self.collector.save().len()
    }
}

#[test]
fn c11_a_template_that_is_refreshed_for_ever_changes_nothing() {
    let mut live = Live::new();
    let refresh = v9(&[v9_template(FLOWS, FLOW_FIELDS), set(FLOWS, &flow(1_000))]);
    let first = live.take(&refresh);
    for _ in 0..2_000 {
        assert_eq!(live.take(&refresh), first, "nothing grows");
    }
    assert_eq!((live.kept.flows.len(), live.kept.problems.len()), (2_001, 0));
}

#[test]
fn c13_zero_length_fields_end_no_template_and_fill_no_memory() {
    let mut live = Live::new();
    let nothing = ipfix(&[ipfix_template(FLOWS, &[(8, 0), (12, 0)]), set(FLOWS, &[])]);
    let first = live.take(&nothing);
    for _ in 0..1_000 {
        assert_eq!(live.take(&nothing), first, "nothing grows");
    }
    assert!(live.kept.flows.is_empty());
    let (problems, tally) =
        beside_a_sound_flow(v9(&[v9_template(FLOWS, &[(8, 0), (12, 0)]), set(FLOWS, &[0; 64])]));
    assert!(problems[0].ends_with("describes records of no length"), "{problems:?}");
    assert_eq!((tally.decoded, tally.held), (1, 1));
}

#[test]
fn c14_a_template_of_65_532_fields_is_refused_before_it_takes_memory() {
    let mut live = Live::new();
    let empty = live.take(&ipfix(&[]));
    let promised = [&[1, 0, 0xff, 0xfc][..], &[0, 8, 0, 4].repeat(300)].concat();
    let small = ipfix(&[set(2, &promised)]);
    assert!(live.take(&small) <= empty, "what is promised takes nothing");
    // As many as fit into the longest datagram are there.
    let whole = ipfix(&[set(2, &template(FLOWS, &[(8, 4); 16_000]))]);
    assert!(live.take(&whole) <= empty);
    let texts: Vec<_> = live.kept.problems.iter().map(|problem| &*problem.text).collect();
    assert_eq!(
        texts,
        [
            "a template of exporter `192.0.2.1` is cut or no template",
            "template `256` of exporter `192.0.2.1` has `16000` fields, more than 1024"
        ]
    );
}

#[test]
fn c15_an_uptime_that_overflows_moves_no_flow() {
    let mut header = Header::after(0);
    header.uptime_ms = 20_000;
    let times = |ms: u32| [(22, ms.wrapping_sub(60_000)), (21, ms.wrapping_sub(50_000))];
    for uptime_ms in [20_000, 55_000, UPTIME_MS, u32::MAX] {
        let fields = [(8, 4), (12, 4), (22, 4), (21, 4)];
        let [(_, first), (_, last)] = times(uptime_ms);
        let values = [(0xc000_020a, 4), (0xc633_6407, 4), (first.into(), 4), (last.into(), 4)];
        let header = Header { uptime_ms, ..header };
        let flow = one(&[header.v9(&[v9_template(FLOWS, &fields), set(FLOWS, &record(&values))])]);
        let export = Timestamp::from_seconds(EXPORT_S.into());
        let before_s = [flow.start_time, flow.end_time].map(|time| export.since(time) / 1_000_000);
        assert_eq!(before_s, [60, 50], "{uptime_ms}");
    }
}

#[test]
fn c19_a_message_of_very_many_sets_is_not_read_to_its_end() {
    let (kept, tally) = messages(&[v9(&vec![set(FLOWS, &[1]); 2_000])]);
    assert_eq!((tally.held, tally.refused), (1_024, 1));
    assert_eq!(kept.problems[0].text, "more than `1024` sets in a message");
}
