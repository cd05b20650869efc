//! Times that no calendar has. Whatever a clock or an operator says, no time beyond it reaches the
//! sink, which [`decode_all`] checks.

use rahdar_model::time::Shift;
use rahdar_model::{Quality, Timestamp};
use rahdar_wire::Options;

use crate::kept::{CALENDAR, decode_all};
use crate::made::{
    CONN_HEADER, CONN_JSON, CONN_ROW, DNS_JSON, ETHERNET, SSL_JSON, enhanced, interface, pcap, section, tcp,
};

fn frame() -> Vec<u8> {
    tcp("192.0.2.1:1000", "198.51.100.7:80", 0x02, 0)
}

/// Decodes an input whose one flow must stop at an end of the calendar, and be marked.
fn check(input: &[u8], options: &Options, end: Timestamp) {
    let (kept, result) = decode_all(input, options);
    assert_eq!(result.unwrap().refused, 0);
    let flow = &kept.flows[0];
    assert_eq!((flow.start_time, flow.end_time), (end, end));
    assert!(flow.quality.contains(Quality::CLOCK_SUSPECT));
}

#[test]
fn an_offset_of_any_size_stops_at_the_calendar() {
    let v5 = [&[0, 5, 0, 1][..], &[0; 20 + 48]].concat();
    let sflow = crate::sflow::a_datagram();
    let inputs = [
        pcap(ETHERNET, &[(0, frame())]),
        format!("{CONN_HEADER}{CONN_ROW}").into_bytes(),
        CONN_JSON.as_bytes().to_vec(),
        v5,
        sflow,
        crate::nfcapd::seeds().remove(0),
    ];
    for input in inputs {
        for (time_offset_us, end) in [(i64::MIN, CALENDAR.0), (i64::MAX, CALENDAR.1)] {
            check(&input, &Options { shift: Shift::By(time_offset_us), ..Options::default() }, end);
        }
    }
}

#[test]
fn a_clock_of_any_size_stops_at_the_calendar() {
    // Seconds since 1970 in eight octets, moved by an offset of the interface.
    let of = |units: u64, offset_s: i64| {
        let options: &[(u16, &[u8])] = &[(9, &[0]), (14, &offset_s.to_le_bytes())];
        [section(), interface(ETHERNET, options), enhanced(0, units, &frame())].concat()
    };
    check(&of(u64::MAX, 0), &Options::default(), CALENDAR.1);
    check(&of(0, i64::MIN), &Options::default(), CALENDAR.0);
    check(&of(300_000_000_000, 0), &Options::default(), CALENDAR.1);
    let row = CONN_ROW.replace("1628985600.250000", "5000000000000.000000").replace("1.500000", "-");
    check(format!("{CONN_HEADER}{row}").as_bytes(), &Options::default(), CALENDAR.1);
}

#[test]
fn a_fact_of_any_time_stops_at_the_calendar() {
    let log = format!("{DNS_JSON}{SSL_JSON}");
    let absurd = log.replace("1628985600.25", "5000000000000.25");
    for (log, time_offset_us, end) in
        [(&log, i64::MIN, CALENDAR.0), (&log, i64::MAX, CALENDAR.1), (&absurd, 0, CALENDAR.1)]
    {
        let (kept, result) =
            decode_all(log.as_bytes(), &Options { shift: Shift::By(time_offset_us), ..Options::default() });
        assert_eq!(result.unwrap().facts, 3);
        assert!(kept.resolutions.iter().all(|resolution| resolution.time == end));
        assert_eq!(kept.handshakes[0].time, end);
    }
}

#[test]
fn an_end_beyond_the_calendar_is_marked_though_the_start_is_not() {
    let row = CONN_ROW.replace("1.500000", "999999999999.0");
    let input = format!("{CONN_HEADER}{row}");
    let (kept, _) = decode_all(input.as_bytes(), &Options::default());
    let flow = &kept.flows[0];
    assert_eq!(
        (flow.start_time.to_string(), flow.end_time),
        ("2021-08-15T00:00:00.25Z".to_owned(), CALENDAR.1)
    );
    assert!(flow.quality.contains(Quality::CLOCK_SUSPECT));
}
