//! Templates: when they come, how they look, whose they are.

use super::message::{
    FLOW_FIELDS, FLOWS, Header, REVERSE, capture, enterprise, flow, ipfix, ipfix_template, record, set,
    template, v9, v9_options_template, v9_template,
};
use super::{messages, one};
use crate::kept::{Kept, decoded};

fn octets(kept: &Kept) -> Vec<u64> {
    kept.flows.iter().map(|flow| flow.octets).collect()
}

#[test]
fn a_set_waits_for_its_template() {
    let data = set(FLOWS, &[flow(1_000), flow(2_000)].concat());
    let (kept, tally) = messages(&[v9(&[data]), v9(&[v9_template(FLOWS, FLOW_FIELDS)])]);
    assert_eq!(octets(&kept), [1_000, 2_000]);
    assert_eq!((tally.received, tally.decoded, tally.held, tally.beside), (2, 2, 0, 1));
}

#[test]
fn a_template_that_does_not_come_is_named() {
    let data = set(FLOWS, &flow(1_000));
    let (kept, tally) = decoded(&capture("192.0.2.1:9000", &vec![v9(&[data]); 2]));
    assert_eq!((tally.received, tally.decoded, tally.held), (2, 0, 2));
    assert_eq!(
        kept.problems(),
        ["packet 1, octet 20 of the datagram: template `256` of exporter `192.0.2.1` did not come: \
          2 data sets wait for it"]
    );
}

#[test]
fn the_template_in_force_is_the_last_one() {
    let other = &[(12, 4), (8, 4), (1, 8)];
    let (kept, tally) = messages(&[
        v9(&[v9_template(FLOWS, FLOW_FIELDS), set(FLOWS, &flow(1_000))]),
        v9(&[v9_template(FLOWS, other)]),
        v9(&[set(FLOWS, &record(&[(0xc633_6407, 4), (0xc000_020a, 4), (3_000, 8)]))]),
    ]);
    assert_eq!(octets(&kept), [1_000, 3_000]);
    assert_eq!(kept.flows[1].src.to_string(), "192.0.2.10");
    assert_eq!(tally.decoded, 2);
    assert_eq!(
        kept.problems(),
        ["packet 2, octet 24 of the datagram: template `256` of exporter `netflow` was redefined"]
    );
}

#[test]
fn a_template_that_comes_again_changes_nothing() {
    let message = v9(&[v9_template(FLOWS, FLOW_FIELDS), set(FLOWS, &flow(1_000))]);
    let (kept, tally) = messages(&[message.clone(), message]);
    assert_eq!((octets(&kept), tally.decoded, kept.problems().len()), (vec![1_000, 1_000], 2, 0));
}

#[test]
fn what_waits_for_a_rate_keeps_the_template_it_came_under() {
    let (kept, _) = messages(&[
        v9(&[v9_template(FLOWS, FLOW_FIELDS), set(FLOWS, &flow(1_000))]),
        v9(&[v9_template(FLOWS, &[(8, 4), (12, 4), (4, 1)])]),
    ]);
    assert_eq!(octets(&kept), [1_000]);
}

#[test]
fn templates_belong_to_one_domain() {
    let mut other = Header::after(0);
    other.domain = 8;
    let data = || set(FLOWS, &flow(1_000));
    let (_, tally) =
        messages(&[v9(&[v9_template(FLOWS, FLOW_FIELDS), data()]), other.v9(&[data()]), ipfix(&[data()])]);
    assert_eq!((tally.decoded, tally.held), (1, 2), "another domain and another protocol wait");
}

#[test]
fn templates_belong_to_one_sender() {
    let message = v9(&[v9_template(FLOWS, FLOW_FIELDS), set(FLOWS, &flow(1_000))]);
    let bare = v9(&[set(FLOWS, &flow(1_000))]);
    for (from, decoded_there) in [("192.0.2.1:9000", 2), ("192.0.2.1:9001", 1), ("192.0.2.2:9000", 1)] {
        let mut both = capture("192.0.2.1:9000", std::slice::from_ref(&message));
        both.extend(&capture(from, std::slice::from_ref(&bare))[24..]);
        let (_, tally) = decoded(&both);
        assert_eq!((tally.decoded, tally.held), (decoded_there, 2 - decoded_there), "{from}");
    }
}

#[test]
fn a_withdrawn_template_is_gone_in_a_file() {
    let data = || set(FLOWS, &flow(1_000));
    for withdrawal in [template(FLOWS, &[]), template(2, &[])] {
        let (kept, tally) = messages(&[
            ipfix(&[ipfix_template(FLOWS, FLOW_FIELDS), data()]),
            ipfix(&[set(2, &withdrawal), data()]),
        ]);
        assert_eq!((kept.flows.len(), tally.held), (1, 1));
    }
}

#[test]
fn a_withdrawal_in_a_datagram_means_nothing() {
    let data = || set(FLOWS, &flow(1_000));
    let (_, tally) = decoded(&capture(
        "192.0.2.1:9000",
        &[
            ipfix(&[ipfix_template(FLOWS, FLOW_FIELDS), data()]),
            ipfix(&[set(2, &template(FLOWS, &[])), data()]),
        ],
    ));
    assert_eq!((tally.decoded, tally.held), (2, 0));
}

#[test]
fn unknown_and_foreign_fields_are_stepped_over() {
    let flow = one(&[ipfix(&[
        ipfix_template(FLOWS, &[(8, 4), (enterprise(1), 3), (0, 9), (12, 4), (9_999, 5), (210, 2), (1, 8)]),
        set(
            FLOWS,
            &record(&[
                (0xc000_020a, 4),
                (0xff_ffff, 3),
                (0xc633_6407, 4),
                (0xff_ffff_ffff, 5),
                (0, 2),
                (1_234, 8),
            ]),
        ),
    ])]);
    assert_eq!((flow.dst.to_string(), flow.octets), ("198.51.100.7".to_owned(), 1_234));
}

#[test]
fn fields_of_variable_length_are_stepped_over() {
    let names = ["", "x", &"y".repeat(254), &"z".repeat(300)];
    let mut records = Vec::new();
    for (name, octets) in names.iter().zip(1_000..) {
        let length = name.len() as u128;
        let length = if length < 255 { record(&[(length, 1)]) } else { record(&[(255, 1), (length, 2)]) };
        records.extend([record(&[(0xc000_020a, 4)]), length, name.as_bytes().to_vec()].concat());
        records.extend(record(&[(0xc633_6407, 4), (octets, 8)]));
    }
    // The long form is allowed for short fields, too.
    records.extend([record(&[(0xc000_020a, 4), (255, 1), (2, 2)]), b"no".to_vec()].concat());
    records.extend(record(&[(0xc633_6407, 4), (1_004, 8)]));
    let (kept, tally) = messages(&[ipfix(&[
        ipfix_template(FLOWS, &[(8, 4), (82, 65_535), (12, 4), (1, 8)]),
        set(FLOWS, &[records, vec![0; 3]].concat()),
    ])]);
    assert_eq!(octets(&kept), [1_000, 1_001, 1_002, 1_003, 1_004]);
    assert!(kept.flows.iter().all(|flow| flow.dst.to_string() == "198.51.100.7"));
    assert_eq!((tally.received, tally.refused), (5, 0));
}

#[test]
fn a_variable_field_that_leaves_its_set_is_refused() {
    let records = [record(&[(0xc000_020a, 4), (0xc633_6407, 4), (200, 1)]), vec![1; 20]].concat();
    let (kept, tally) = messages(&[ipfix(&[
        ipfix_template(FLOWS, &[(8, 4), (12, 4), (82, 65_535)]),
        set(FLOWS, &records),
        set(FLOWS, &record(&[(0xc000_020a, 4), (0xc633_6407, 4), (0, 1)])),
    ])]);
    assert_eq!((tally.decoded, tally.refused, kept.flows.len()), (1, 1, 1));
    assert_eq!(
        kept.problems(),
        [
            "packet 1, octet 40 of the datagram: the set ends within a record of template `256` of exporter `ipfix`"
        ]
    );
}

#[test]
fn numbers_may_be_shortened() {
    let fields = &[(8, 4), (12, 4), (1, 3), (2, 1), (7, 1), (16, 3), (10, 1), (152, 6), (153, 6)];
    let ms = u128::from(super::message::EXPORT_S) * 1_000;
    let flow = one(&[ipfix(&[
        ipfix_template(FLOWS, fields),
        set(
            FLOWS,
            &record(&[
                (0xc000_020a, 4),
                (0xc633_6407, 4),
                (70_000, 3),
                (200, 1),
                (53, 1),
                (65_536, 3),
                (9, 1),
                (ms - 2_000, 6),
                (ms - 1_000, 6),
            ]),
        ),
    ])]);
    assert_eq!((flow.octets, flow.packets, flow.src_port), (70_000, 200, 53));
    assert_eq!((flow.src_as, flow.in_if), (Some(65_536), Some(9)));
    assert_eq!(flow.end_time.micros(), (ms as i64 - 1_000) * 1_000);
}

#[test]
fn sets_are_padded_with_up_to_three_octets_or_with_zeros() {
    for padding in [vec![], vec![0; 3], vec![0xff; 3], vec![0; 20]] {
        let flow = one(&[v9(&[
            v9_template(FLOWS, FLOW_FIELDS),
            set(FLOWS, &[flow(1_000), padding.clone()].concat()),
        ])]);
        assert_eq!(flow.octets, 1_000, "{padding:?}");
    }
}

#[test]
fn a_datagram_may_be_filled_up_with_zeros() {
    let mut datagram = v9(&[v9_template(FLOWS, FLOW_FIELDS), set(FLOWS, &flow(1_000))]);
    datagram.resize(1_400, 0);
    let (kept, tally) = decoded(&capture("192.0.2.1:9000", &[datagram]));
    assert_eq!((octets(&kept), tally.refused), (vec![1_000], 0));
}

#[test]
fn fields_of_no_length_are_nothing() {
    let flow = one(&[v9(&[
        v9_template(FLOWS, &[&[(0, 0)], FLOW_FIELDS, &[(0, 0), (1, 0)]].concat()),
        set(FLOWS, &flow(1_000)),
    ])]);
    assert_eq!(flow.octets, 1_000);
}

#[test]
fn templates_that_cannot_be_used_are_refused() {
    for (set_of, why) in [
        (v9_template(FLOWS, &[]), "has no fields"),
        (v9_template(FLOWS, &[(1, 0), (2, 0)]), "describes records of no length"),
        (v9_template(FLOWS, &[(1, 1); 1_025]), "has `1025` fields, more than 1024"),
        (
            v9_template(FLOWS, &[(1, 60_000), (2, 60_000)]),
            "describes records of at least `120000` octets, more than a message holds",
        ),
        (v9_options_template(FLOWS, &[], &[]), "has no fields"),
        (v9_options_template(FLOWS, &[(1, 0)], &[(34, 0)]), "describes records of no length"),
    ] {
        let (kept, tally) = messages(&[v9(&[set_of, set(FLOWS, &flow(1_000))])]);
        assert_eq!(kept.problems[0].text, format!("template `256` of exporter `netflow` {why}"));
        assert_eq!((tally.beside, tally.held), (1, 1), "{why}");
    }
}

#[test]
fn a_template_that_its_set_does_not_hold_is_none() {
    let whole = template(FLOWS, FLOW_FIELDS);
    for set_of in [
        set(0, &whole[..whole.len() - 2]),
        set(0, &[0, 5, 0, 1, 0, 1, 0, 4]),
        set(1, &[1, 0, 0xff, 0xfc, 0, 8, 0, 1, 0, 4, 0, 34, 0, 4]),
        set(1, &[1, 0, 0, 3, 0, 3, 0, 1, 0, 4, 0, 34, 0, 4]),
    ] {
        let (kept, tally) = messages(&[v9(&[set_of, set(FLOWS, &flow(1_000))])]);
        assert_eq!(kept.problems[0].text, "a template of exporter `netflow` is cut or no template");
        assert_eq!(tally.held, 1);
    }
}

#[test]
fn a_field_of_an_impossible_length_is_not_read() {
    let (kept, _) = messages(&[v9(&[
        v9_template(FLOWS, &[(8, 4), (12, 4), (1, 50), (2, 4)]),
        set(FLOWS, &record(&[(0xc000_020a, 4), (0xc633_6407, 4), (0, 16), (0, 16), (0, 16), (0, 2), (9, 4)])),
    ])]);
    assert_eq!((kept.flows[0].packets, kept.flows[0].octets), (9, 0));
    assert_eq!(
        kept.problems[0].text,
        "element `1` of template `256` of exporter `netflow` cannot have `50` octets: it is not read"
    );
}

#[test]
fn what_has_not_both_addresses_is_no_flow() {
    let (kept, tally) = messages(&[v9(&[
        v9_template(FLOWS, &[(8, 4), (1, 4)]),
        set(FLOWS, &record(&[(0xc000_020a, 4), (100, 4), (0xc000_020b, 4), (100, 4)])),
    ])]);
    assert_eq!((kept.flows.len(), tally.received, tally.beside), (0, 0, 3));
    assert_eq!(
        kept.problems(),
        ["packet 1, octet 24 of the datagram: template `256` of exporter `netflow` describes no flows: \
          its records are set aside"]
    );
}

#[test]
fn both_directions_may_be_in_one_record() {
    let flow = one(&[ipfix(&[
        ipfix_template(
            FLOWS,
            &[
                (8, 4),
                (12, 4),
                (4, 1),
                (1, 4),
                (enterprise(1), 4),
                REVERSE,
                (2, 4),
                (enterprise(2), 4),
                REVERSE,
                (6, 1),
                (enterprise(6), 1),
                REVERSE,
                (239, 1),
            ],
        ),
        set(
            FLOWS,
            &record(&[
                (0xc000_020a, 4),
                (0xc633_6407, 4),
                (6, 1),
                (1_000, 4),
                (2_000, 4),
                (10, 4),
                (20, 4),
                (0x02, 1),
                (0x12, 1),
                (2, 1),
            ]),
        ),
    ])]);
    assert_eq!((flow.octets, flow.rev_octets), (1_000, Some(2_000)));
    assert_eq!((flow.packets, flow.rev_packets), (10, Some(20)));
    assert_eq!((flow.tcp_flags, flow.rev_tcp_flags), (Some(0x02), Some(0x12)));
    assert_eq!(flow.initiator, Some(rahdar_model::flow::Initiator::Destination));
}

#[test]
fn a_flood_of_templates_leaves_the_one_in_use() {
    let mut all = vec![v9(&[v9_template(FLOWS, FLOW_FIELDS), set(FLOWS, &flow(1_000))])];
    for first in (257..20_000u16).step_by(100) {
        let many: Vec<u8> = (first..first + 100).flat_map(|id| template(id, &[(8, 4), (12, 4)])).collect();
        all.push(v9(&[set(0, &many), set(FLOWS, &flow(1_000))]));
    }
    let (_, tally) = messages(&all);
    assert_eq!((tally.decoded, tally.held), (all.len() as u64, 0));
}

#[test]
fn what_waits_too_long_is_refused_and_named() {
    let big = v9(&[set(FLOWS, &vec![1; 60_000])]);
    let all = vec![big; 300];
    let (kept, tally) = messages(&all);
    assert_eq!((tally.received, tally.decoded), (300, 0));
    assert!(tally.held * 60_000 <= 16 << 20 && tally.held * 60_000 > 15 << 20, "{tally:?}");
    assert_eq!(
        kept.problems[0].to_string(),
        "packet 1, octet 20 of the datagram: a set of template `256` of exporter `netflow` waited too long \
         for it: too many octets wait"
    );
}

#[test]
fn what_all_domains_keep_is_bounded() {
    let all: Vec<Vec<u8>> = (0..9 * 280)
        .map(|n| {
            let mut header = Header::after(0);
            header.domain = n % 9;
            header.v9(&[set(FLOWS, &vec![1; 60_000])])
        })
        .collect();
    let (_, tally) = messages(&all);
    assert_eq!(tally.received, 9 * 280);
    assert!(tally.held * 60_000 < 128 << 20 && tally.held * 60_000 > 100 << 20, "{tally:?}");
}
