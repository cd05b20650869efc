//! What is written is read: any flow, by each of the four protocols of datagrams.

use std::net::{Ipv4Addr, SocketAddrV4};

use proptest::prelude::*;
use rahdar_model::FlowRecord;

use super::message::{
    FLOW_FIELDS, FLOWS, Header, UPTIME_MS, ipfix, ipfix_template, record, set, v5_record, v9, v9_template,
};
use super::one;
use crate::made::tcp;
use crate::sflow;

/// Ends, flags, packets, octets.
type Flow = (SocketAddrV4, SocketAddrV4, u8, u64, u64);

fn end() -> impl Strategy<Value = SocketAddrV4> {
    (any::<u32>(), any::<u16>()).prop_map(|(bits, port)| SocketAddrV4::new(Ipv4Addr::from_bits(bits), port))
}

/// A flow of TCP whose octets fit its packets.
fn flows() -> impl Strategy<Value = Flow> {
    (end(), end(), any::<u8>(), 1u64..1_000_000, 40u64..1_500)
        .prop_map(|(src, dst, flags, packets, size)| (src, dst, flags, packets, packets * size))
}

#[track_caller]
fn check(read: &FlowRecord, (src, dst, flags, packets, octets): Flow) {
    let ends = |address: &dyn ToString, port| (address.to_string(), port);
    assert_eq!(ends(&read.src, read.src_port), ends(src.ip(), src.port()));
    assert_eq!(ends(&read.dst, read.dst_port), ends(dst.ip(), dst.port()));
    assert_eq!((read.protocol, read.tcp_flags), (6, Some(flags.into())));
    assert_eq!((read.packets, read.octets), (packets, octets));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_flow_that_is_written_is_read(flow in flows(), before_ms in 0u32..60_000, lasted_ms in 0u32..60_000) {
        let (src, dst, flags, packets, octets) = flow;
        let (last, first) = (UPTIME_MS - before_ms, UPTIME_MS - before_ms - lasted_ms);
        let bits = |end: SocketAddrV4| u128::from(end.ip().to_bits());
        let written = record(&[
            (bits(src), 4), (bits(dst), 4), (src.port().into(), 2), (dst.port().into(), 2), (6, 1),
            (flags.into(), 1), (packets.into(), 4), (octets.into(), 4), (first.into(), 4), (last.into(), 4),
        ]);
        let v9 = one(&[v9(&[v9_template(FLOWS, FLOW_FIELDS), set(FLOWS, &written)])]);
        check(&v9, flow);
        prop_assert_eq!(v9.end_time.since(v9.start_time), i64::from(lasted_ms) * 1_000);
        check(&one(&[ipfix(&[ipfix_template(FLOWS, FLOW_FIELDS), set(FLOWS, &written)])]), flow);

        let sizes = (packets as u32, octets as u32);
        let mut of_v5 = v5_record(6, dst.port(), sizes, (first, last));
        of_v5[..8].copy_from_slice(&written[..8]);
        of_v5[32..34].copy_from_slice(&src.port().to_be_bytes());
        of_v5[37] = flags;
        let v5 = one(&[Header::after(0).v5(1, &[of_v5])]);
        check(&v5, flow);
        prop_assert_eq!(v5.end_time, v9.end_time);
    }

    #[test]
    fn a_packet_that_is_written_is_read(src in end(), dst in end(), flags: u8, payload in 0usize..1_400) {
        let frame = tcp(&src.to_string(), &dst.to_string(), flags, payload);
        check(&sflow::one_frame(&frame), (src, dst, flags, 1, 40 + payload as u64));
    }
}
