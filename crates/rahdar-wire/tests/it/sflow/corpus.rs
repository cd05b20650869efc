//! Real datagrams, read in place, against what others read out of them.

use std::fs;

use rahdar_model::FlowRecord;
use rahdar_testkit::corpus;
use rahdar_wire::Options;

use crate::kept::decode_all;

/// Every capture of the corpus that holds sFlow, and its flows as `tshark -V -O sflow` (4.0.17)
/// shows them: addresses, ports or type and code, octets of the IP header, rate, interfaces, systems
/// by the gateway record.
const CAPTURES: &[(&str, &[&str])] = &[
    (
        "data-1140.pcap",
        &[
            "2a0c:8880:2:0:185:21:130:38 46026 > 2a0c:8880:2:0:185:21:130:39 22 6 1500 /1024 27>28 AS->-",
            "104.26.8.24 443 > 45.90.161.46 56876 6 421 /1024 49001>25 AS13335>39421",
            "2a0c:8880:2:0:185:21:130:38 46026 > 2a0c:8880:2:0:185:21:130:39 22 6 1500 /1024 27>28 AS->-",
            "45.90.161.148 55658 > 191.87.91.27 5555 6 40 /1024 28>49001 AS39421>26615",
            "2a0c:8880:2:0:185:21:130:38 46026 > 2a0c:8880:2:0:185:21:130:39 22 6 1500 /1024 27>28 AS->-",
        ],
    ),
    (
        "data-discard-interface.pcap",
        &["2a0c:8880:2:0:185:21:130:38 46026 > 2a0c:8880:2:0:185:21:130:39 22 6 1500 /1024 27>- AS->-"],
    ),
    ("data-encap-vxlan.pcap", &["2001:db8:4::1 128 > 2001:db8:4::3 0 58 104 /1 ->- AS->-"]),
    ("data-icmpv4.pcap", &["203.0.113.4 8 > 203.0.113.5 0 1 84 /1 ->- AS->-"]),
    ("data-icmpv6.pcap", &["fe80::d05b:45ff:feee:5ecf 135 > 2001:db8:: 0 58 72 /1 ->- AS->-"]),
    (
        "data-local-interface.pcap",
        &["2a0c:8880:2:0:185:21:130:38 46026 > 2a0c:8880:2:0:185:21:130:39 22 6 1500 /1024 27>- AS->-"],
    ),
    (
        "data-multiple-interfaces.pcap",
        &["2a0c:8880:2:0:185:21:130:38 46026 > 2a0c:8880:2:0:185:21:130:39 22 6 1500 /1024 27>- AS->-"],
    ),
    ("data-qinq.pcap", &["49.49.49.2 32017 > 49.49.49.109 443 6 80 /4096 369098852>369098851 AS->-"]),
    (
        "data-sflow-expanded-sample.pcap",
        &["52.52.52.52 22 > 53.53.53.53 52237 6 104 /1000 29001>1285816721 AS203476>203361"],
    ),
    ("data-sflow-ipv4-data.pcap", &["50.50.50.50 46622 > 51.51.51.51 58631 17 1344 /256 ->182 AS->-"]),
    (
        "data-sflow-raw-ipv4.pcap",
        &[
            "69.58.92.107 0 > 92.222.186.1 0 1 32 /1 ->2 AS->-",
            "69.58.92.107 0 > 92.222.184.1 0 1 32 /1 ->2 AS->-",
        ],
    ),
];

fn line(flow: &FlowRecord) -> String {
    let number = |value: Option<u32>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let (src, dst) = match (flow.icmp_type, flow.icmp_code) {
        (Some(kind), Some(code)) => (kind.into(), code.into()),
        _ => (flow.src_port, flow.dst_port),
    };
    format!(
        "{} {src} > {} {dst} {} {} /{} {}>{} AS{}>{}",
        flow.src,
        flow.dst,
        flow.protocol,
        flow.octets,
        flow.sampling_interval.unwrap(),
        number(flow.in_if),
        number(flow.out_if),
        number(flow.src_as),
        number(flow.dst_as)
    )
}

#[test]
fn flows_are_those_that_tshark_shows() {
    let Some(corpus) = corpus() else { return };
    let akvorado = corpus.join("flow-exports/akvorado/outlet/flow/decoder/sflow/testdata");
    for (file, expected) in CAPTURES {
        let octets = fs::read(akvorado.join(file)).unwrap();
        let (kept, result) = decode_all(&*octets, &Options::default());
        assert_eq!(kept.flows.iter().map(line).collect::<Vec<_>>(), *expected, "{file}");
        assert_eq!((result.unwrap().refused, kept.problems(), kept.gaps.len()), (0, vec![], 0), "{file}");
    }
    assert_eq!(fs::read_dir(akvorado).unwrap().count(), CAPTURES.len());
}

#[test]
fn a_switch_that_mostly_counts_gives_one_flow() {
    let Some(corpus) = corpus() else { return };
    let octets = fs::read(corpus.join("flow-exports/ndpi/sflow.pcap")).unwrap();
    let (kept, result) = decode_all(&*octets, &Options::default());
    let tally = result.unwrap();
    assert_eq!(
        kept.flows.iter().map(line).collect::<Vec<_>>(),
        ["172.21.32.254 8 > 172.21.32.241 0 1 60 /2048 1048>1043 AS->-"]
    );
    assert_eq!((tally.refused, kept.problems()), (0, vec![]));
}
