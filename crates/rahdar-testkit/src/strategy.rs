//! Flows, facts, networks and windows for property tests.
//!
//! Addresses, ports and times come from small pools, so that flows meet networks, share hours
//! and straddle the ends of windows; counters come from where arithmetic breaks.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use rahdar_model::column::Row as _;
use rahdar_model::fact::{Answer, Gap, Handshake, Loss, Resolution, Unit};
use rahdar_model::flow::{Direction, Initiator, Sampler, SamplingSource};
use rahdar_model::time::{DAY_US, HOUR_US, SECOND_US};
use rahdar_model::{Address, FlowRecord, Prefix, Quality, Timestamp, Window};

use crate::builder::{prefix, time};

/// Up to `most` flows.
pub fn flows(most: usize) -> impl Strategy<Value = Vec<FlowRecord>> {
    vec(flow(), 0..=most)
}

/// One flow of either family, with and without everything that may be missing.
pub fn flow() -> impl Strategy<Value = FlowRecord> {
    let key = (address(), address(), port(), port(), select(vec![1_u8, 6, 6, 6, 17, 58, 255]));
    let times = (timestamp(), duration_us(), option::of(timestamp()), option::of(timestamp()));
    let counters = (
        counter(),
        counter(),
        option::of((counter(), counter())),
        option::of(counter()),
        option::of(counter()),
    );
    let observer = (
        select(vec!["r1", "it's", "", "exporter “é”"]),
        select(vec![0, 1, u32::MAX]),
        option::of(select(vec![1, 512, u32::MAX])),
        option::of(select(vec![SamplingSource::Header, SamplingSource::Operator])),
    );
    let smalls = (
        tcp_flags(),
        tcp_flags(),
        (icmp(), icmp()),
        option::of(select(vec![Direction::Ingress, Direction::Egress])),
        option::of(select(vec![Initiator::Source, Initiator::Perimeter])),
        option::of(select(vec![Sampler::Random, Sampler::Unknown])),
    );
    let rest = (option::of(any::<u32>()), text(), text(), quality(), 1_u64..1_000_000);
    (key, times, counters, observer, smalls, rest).prop_map(
        |(key, times, counters, observer, smalls, rest)| {
            let mut record = FlowRecord::new(observer.0.into(), Arc::from("conn.log"));
            (record.src, record.dst, record.src_port, record.dst_port, record.protocol) = key;
            record.start_time = times.0;
            record.end_time = times.0.plus_micros(times.1);
            (record.export_time, record.received_time) = (times.2, times.3);
            (record.packets, record.octets) = (counters.0, counters.1);
            (record.rev_packets, record.rev_octets) = counters.2.unzip();
            (record.payload_octets, record.rev_payload_octets) = (counters.3, counters.4);
            record.observation_domain = observer.1;
            (record.sampling_interval, record.sampling_source) = (observer.2, observer.3);
            (record.tcp_flags, record.rev_tcp_flags) = (smalls.0, smalls.1);
            (record.icmp_type, record.icmp_code) = smalls.2;
            record.end_reason = record.icmp_type;
            (record.direction, record.initiator, record.sampler) = (smalls.3, smalls.4, smalls.5);
            (record.in_if, record.src_as, record.dst_as) = (rest.0, rest.0, rest.0);
            (record.uid, record.service, record.quality, record.source_row) =
                (rest.1, rest.2, rest.3, rest.4);
            record
        },
    )
}

/// A resolution of one of the names of [`name`], answered or not.
pub fn resolution() -> impl Strategy<Value = Resolution> {
    let answer = prop_oneof![
        Just(Answer::None),
        address().prop_map(Answer::Address),
        name().prop_map(|name| Answer::Text(name.to_owned())),
    ];
    let numbers = (option::of(any::<u16>()), option::of(any::<u16>()), option::of(any::<u32>()));
    (timestamp(), address(), address(), name(), answer, numbers, 0_u64..9).prop_map(
        |(time, client, server, name, answer, (question, response, ttl_s), source_row)| Resolution {
            time,
            client,
            server,
            name: name.to_owned(),
            question,
            response,
            answer,
            ttl_s,
            source_row,
            ..Resolution::blank()
        },
    )
}

/// A handshake with a server of [`address`], called by one of the names of [`name`].
pub fn handshake() -> impl Strategy<Value = Handshake> {
    (timestamp(), address(), address(), port(), name(), certificate(), text(), option::of(any::<bool>()))
        .prop_map(|(time, client, server, server_port, name, certificate, subject, established)| Handshake {
            time,
            client,
            server,
            server_port,
            server_name: name.to_owned(),
            certificate: certificate.to_owned(),
            subject,
            established,
            ..Handshake::blank()
        })
}

/// The hash of a certificate that other draws will hit too; empty for none.
pub fn certificate() -> impl Strategy<Value = &'static str> {
    select(vec!["", "f04a8e5bbb6c4c5c1d9c2a5e7f1d4b3a2c1e0d9f", "0123456789abcdef0123456789abcdef01234567"])
}

/// A gap of any cause.
pub fn gap() -> impl Strategy<Value = Gap> {
    (timestamp(), duration_us(), select(Loss::ALL.to_vec()), select(Unit::ALL.to_vec()), 1_u64..1 << 40)
        .prop_map(|(from, length, cause, unit, lost)| Gap {
            window: Window::new(from, from.plus_micros(length)),
            cause,
            unit,
            lost,
            ..Gap::blank()
        })
}

/// A name that other draws will hit too.
pub fn name() -> impl Strategy<Value = &'static str> {
    select(vec!["c2.example.org", "www.example.org", "example.org", "an-example.org", "example.net"])
}

/// An address that other draws will hit too, or the end of a range.
pub fn address() -> impl Strategy<Value = Address> {
    let fixed = [
        "192.0.2.1",
        "192.0.2.1",
        "192.0.2.255",
        "198.51.100.7",
        "203.0.113.25",
        "203.0.113.25",
        "0.0.0.0",
        "255.255.255.255",
        "2001:db8::1",
        "2001:db8::1",
        "2001:db8:0:1::",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        "::",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    ];
    select(fixed.map(|text| prefix(text).first()).to_vec())
}

/// A network around one of the addresses of [`address`], of any size.
pub fn network() -> impl Strategy<Value = Prefix> {
    let bits = prop_oneof![4 => Just(128_u8), 2 => 96_u8..128, 1 => 0_u8..=128];
    (address(), bits).prop_map(|(address, bits)| Prefix::new(address, bits))
}

/// Up to `most` networks; they may overlap.
pub fn networks(most: usize) -> impl Strategy<Value = Vec<Prefix>> {
    vec(network(), 0..=most)
}

/// A time on one of four days, often the first or last moment of an hour.
pub fn timestamp() -> impl Strategy<Value = Timestamp> {
    let noon = time("2021-08-14T12:00:00Z");
    let offset_us = prop_oneof![
        3 => (0..4 * 24_i64).prop_map(|hour| hour * HOUR_US),
        3 => (0..4 * 24_i64).prop_map(|hour| hour * HOUR_US - 1),
        4 => 0..4 * DAY_US,
    ];
    offset_us.prop_map(move |us| noon.plus_micros(us))
}

/// A window that holds some, all or none of the times of [`timestamp`].
pub fn window() -> impl Strategy<Value = Window> {
    prop_oneof![
        1 => Just(Window::ALL),
        4 => (timestamp(), timestamp()).prop_map(|(a, b)| Window::new(a.min(b), a.max(b))),
        1 => (timestamp(), timestamp()).prop_map(|(a, b)| Window::new(a, b)),
    ]
}

fn duration_us() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), 0..SECOND_US, 0..2 * HOUR_US, 0..2 * DAY_US]
}

fn port() -> impl Strategy<Value = u16> {
    select(vec![0, 25, 443, 1023, 1024, 49_152, u16::MAX])
}

/// Often the flags of a call in vain or of a mere reply, with and without congestion bits.
fn tcp_flags() -> impl Strategy<Value = Option<u16>> {
    option::of(prop_oneof![select(vec![0x02, 0x42, 0x04, 0x12, 0x14, 0x16, 0x52, 0x00]), 0..=0x0fff_u16])
}

/// Often a type or code of an echo request or of an error that a host sends itself.
fn icmp() -> impl Strategy<Value = Option<u8>> {
    option::of(prop_oneof![4 => select(vec![1_u8, 2, 3, 4, 8]), 1 => any::<u8>()])
}

fn counter() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0_u64..5, 4 => 0_u64..100_000, 1 => select(vec![u64::MAX, i64::MAX as u64, 1 << 40])]
}

fn text() -> impl Strategy<Value = String> {
    select(vec!["", "dns", "ssl", "Cé”\u{0}", "a rather long text that is beyond any inlined view"])
        .prop_map(str::to_owned)
}

fn quality() -> impl Strategy<Value = Quality> {
    prop_oneof![
        3 => Just(Quality::NONE),
        1 => (0_u32..1 << 13).prop_map(Quality::from_bits),
        1 => Just(Quality::RATE_UNKNOWN),
    ]
}
