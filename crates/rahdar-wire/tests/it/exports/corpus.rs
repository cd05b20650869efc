//! Real exports, read in place, against what others read out of them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use rahdar_model::{FlowRecord, Timestamp};
use rahdar_testkit::corpus;
use rahdar_wire::Options;
use serde_json::Value;

use super::messages;
use crate::kept::{Kept, decode_all};

/// The exports of the corpus.
fn exports() -> Option<PathBuf> {
    corpus().map(|corpus| corpus.join("flow-exports"))
}

/// Decodes captures as one, in this order.
fn captures(paths: &[PathBuf]) -> Kept {
    /// Octets of a pcap header: all but the first file go without.
    const PCAP_HEADER: usize = 24;
    let mut octets = Vec::new();
    for path in paths {
        let file = fs::read(path).unwrap();
        octets.extend(if octets.is_empty() { &file[..] } else { &file[PCAP_HEADER..] });
    }
    let (kept, result) = decode_all(&*octets, &Options::default());
    result.unwrap();
    kept
}

/// The files of a folder whose names end so, sorted.
fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.to_str().is_some_and(|path| path.ends_with(end)));
    found.sort();
    found
}

/// One JSON value a line.
fn json_lines(path: &Path) -> Vec<Value> {
    let file = BufReader::new(File::open(path).unwrap());
    let mut text = String::new();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => MultiGzDecoder::new(file).read_to_string(&mut text).unwrap(),
        _ => { file }.read_to_string(&mut text).unwrap(),
    };
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Packets and octets by who talked to whom and by where it came in. ICMP has no ports with us.
type Sums = BTreeMap<(String, u64, String, u64, u64), (u64, u64)>;

fn add(sums: &mut Sums, ends: (String, u64, String, u64, u64), packets: u64, octets: u64) {
    let sum = sums.entry(ends).or_default();
    sum.0 += packets;
    sum.1 += octets;
}

fn sums(flows: &[FlowRecord]) -> Sums {
    let mut sums = Sums::new();
    for flow in flows.iter().filter(|flow| &*flow.exporter != "packets") {
        let interface = u64::from(flow.in_if.unwrap_or(0));
        let ends = (
            flow.src.to_string(),
            flow.src_port.into(),
            flow.dst.to_string(),
            flow.dst_port.into(),
            interface,
        );
        add(&mut sums, ends, flow.packets, flow.octets);
    }
    sums
}

#[test]
fn flows_are_those_that_pmacct_expects() {
    let Some(exports) = exports() else { return };
    let mut checked = 0;
    for folder in fs::read_dir(exports.join("pmacct/tests")).unwrap() {
        let folder = folder.unwrap().path();
        let expected =
            [files(&folder, "output-flow-00.json"), files(&folder, "output-flow-00.json.gz")].concat();
        let mut wanted = Sums::new();
        for line in json_lines(&expected[0]) {
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            let has_ports = !text("ip_proto").contains("icmp");
            let port = |name: &str| if has_ports { line[name].as_u64().unwrap() } else { 0 };
            let ends = (
                text("ip_src"),
                port("port_src"),
                text("ip_dst"),
                port("port_dst"),
                line["iface_in"].as_u64().unwrap(),
            );
            add(&mut wanted, ends, line["packets"].as_u64().unwrap(), line["bytes"].as_u64().unwrap());
        }
        let mut read = Sums::new();
        for capture in files(&folder, ".pcap") {
            for (ends, (packets, octets)) in sums(&captures(&[capture]).flows) {
                add(&mut read, ends, packets, octets);
            }
        }
        assert_eq!(read, wanted, "{}", folder.display());
        checked += 1;
    }
    assert_eq!(checked, 8);
}

/// A record as netgauze prints it: a list of objects of one field each. Of a field that is there
/// more than once, the last that is not zero.
fn last<'a>(record: &'a Value, names: &[&str]) -> Option<&'a Value> {
    let mut all = record["fields"].as_array().unwrap().iter().filter_map(|field| {
        let (name, value) = field.as_object()?.iter().next()?;
        names.contains(&name.as_str()).then_some(value)
    });
    let is_zero = |value: &Value| *value == 0 || value == "::" || value == "0.0.0.0";
    all.rfind(|value| !is_zero(value))
}

#[test]
fn records_are_those_that_netgauze_reads() {
    let Some(exports) = exports() else { return };
    let assets = exports.join("netgauze/assets/pcaps");
    let mut folders = vec![assets.join("flow/srv6")];
    folders.extend(fs::read_dir(assets.join("pmacct-tests")).unwrap().map(|entry| entry.unwrap().path()));
    let mut checked = 0;
    for json in folders.iter().flat_map(|folder| files(folder, "-flow.json")) {
        let capture = json.to_str().unwrap().replace("-flow.json", ".pcap");
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap_or(0);
        let mut wanted = Vec::new();
        for line in json_lines(&json) {
            let message = line.as_object().unwrap().values().next().unwrap();
            let sets = message["sets"].as_array().unwrap();
            for record in sets.iter().flat_map(|set| set["Data"]["records"].as_array().into_iter().flatten())
            {
                let src = text(last(record, &["sourceIPv4Address", "sourceIPv6Address"]));
                if src.is_empty() {
                    continue;
                }
                wanted.push((
                    src,
                    text(last(record, &["destinationIPv4Address", "destinationIPv6Address"])),
                    number(last(record, &["packetDeltaCount"])),
                    number(last(record, &["octetDeltaCount"])),
                    number(last(record, &["ingressInterface"])),
                    last(record, &["flowStartMilliseconds"])
                        .map(|time| time.as_str().unwrap().parse::<Timestamp>().unwrap()),
                ));
            }
        }
        let has_dates = wanted.iter().any(|record| record.5.is_some());
        let mut read: Vec<_> = captures(&[capture.into()])
            .flows
            .iter()
            .map(|flow| {
                (
                    flow.src.to_string(),
                    flow.dst.to_string(),
                    flow.packets,
                    flow.octets,
                    u64::from(flow.in_if.unwrap_or(0)),
                    has_dates.then_some(flow.start_time),
                )
            })
            .collect();
        wanted.sort();
        read.sort();
        assert_eq!(read, wanted, "{}", json.display());
        checked += wanted.len();
    }
    assert_eq!(checked, 321);
}

/// Templates and data of one box of `logstash-codec-netflow`, in this order, and what a second
/// reading of the octets found: flows, packets, octets.
const BOXES: &[(&[&str], u64, u64, u64)] = &[
    (&["ipfix"], 12, 54, 13_279),
    (&["ipfix_test_barracuda_tpl", "ipfix_test_barracuda_data256"], 8, 4, 388),
    (&["ipfix_test_ixia_tpldata256"], 1, 4, 360),
    (&["ipfix_test_ixia_tpldata271"], 2, 2, 132),
    (
        &["ipfix_test_mikrotik_tpl", "ipfix_test_mikrotik_data258", "ipfix_test_mikrotik_data259"],
        46,
        253,
        103_235,
    ),
    (&["ipfix_test_netscaler_tpl", "ipfix_test_netscaler_data"], 3, 5, 3_106),
    (&["ipfix_test_nokia_bras_tpl", "ipfix_test_nokia_bras_data256"], 1, 0, 0),
    (&["ipfix_test_openbsd_pflow_tpl", "ipfix_test_openbsd_pflow_data"], 26, 209, 99_323),
    (&["ipfix_test_procera_tpl52935", "ipfix_test_procera_data52935"], 8, 0, 0),
    (&["ipfix_test_viptela_tpl257", "ipfix_test_viptela_data257"], 1, 8, 775),
    (
        &[
            "ipfix_test_vmware_vds_tpl",
            "ipfix_test_vmware_vds_data264",
            "ipfix_test_vmware_vds_data266",
            "ipfix_test_vmware_vds_data266_267",
        ],
        5,
        8,
        806,
    ),
    (
        &[
            "ipfix_test_yaf_tpls_option_tpl",
            "ipfix_test_yaf_tpl45841",
            "ipfix_test_yaf_data45841",
            "ipfix_test_yaf_data45873",
        ],
        2,
        6,
        304,
    ),
    (&["netflow9_cisco_asr1001x_tpl259"], 25, 124, 38_255),
    (&["netflow9_test_cisco_1941K9"], 29, 370, 70_258),
    (&["netflow9_test_cisco_aci_tpl256-258", "netflow9_test_cisco_aci_data256"], 3, 6, 297),
    (&["netflow9_test_cisco_asa_1_tpl", "netflow9_test_cisco_asa_1_data"], 14, 0, 888),
    (&["netflow9_test_cisco_asa_2_tpl_26x", "netflow9_test_cisco_asa_2_data"], 19, 0, 1_131),
    (&["netflow9_test_cisco_asr9k_tpl260", "netflow9_test_cisco_asr9k_data260"], 21, 531, 208_031),
    (&["netflow9_test_cisco_nbar_tpl262", "netflow9_test_cisco_nbar_data262"], 5, 40, 3_064),
    (&["netflow9_test_field_layer2segmentid_tpl", "netflow9_test_field_layer2segmentid_data"], 1, 1, 52),
    (&["netflow9_test_fortigate_fortios_521_tpl", "netflow9_test_fortigate_fortios_521_data257"], 1, 3, 152),
    (
        &[
            "netflow9_test_fortigate_fortios_542_appid_tpl258-269",
            "netflow9_test_fortigate_fortios_542_appid_data258_262",
        ],
        17,
        105,
        29_492,
    ),
    (
        &["netflow9_test_h3c_netstream_varstring_tpl3281", "netflow9_test_h3c_netstream_varstring_data3281"],
        1,
        9,
        702,
    ),
    (&["netflow9_test_h3c_tpl3281", "netflow9_test_h3c_data3281"], 16, 6_113, 8_729_687),
    (&["netflow9_test_huawei_netstream_tpl", "netflow9_test_huawei_netstream_data"], 1, 4, 200),
    (&["netflow9_test_macaddr_tpl", "netflow9_test_macaddr_data"], 29, 0, 0),
    (&["netflow9_test_nprobe_tpl", "netflow9_test_nprobe_data"], 1, 2, 200),
    (
        &[
            "netflow9_test_paloalto_81_tpl256-263",
            "netflow9_test_paloalto_81_data257_1flowset_in_large_zerofilled_packet",
        ],
        1,
        3,
        363,
    ),
    (&["netflow9_test_paloalto_panos_tpl", "netflow9_test_paloalto_panos_data"], 8, 8, 617),
    (&["netflow9_test_softflowd_tpl_data"], 7, 13, 1_128),
    (&["netflow9_test_streamcore_tpl_data256"], 2, 7, 300),
    (&["netflow9_test_streamcore_tpl_data260"], 2, 21, 6_995),
    (
        &[
            "netflow9_test_ubnt_edgerouter_tpl",
            "netflow9_test_ubnt_edgerouter_data1024",
            "netflow9_test_ubnt_edgerouter_data1025",
        ],
        16,
        114,
        20_418,
    ),
];

#[test]
fn the_boxes_of_logstash_are_understood() {
    let Some(exports) = exports() else { return };
    let folder = exports.join("logstash-codec-netflow/spec/codecs");
    for (names, flows, packets, octets) in BOXES {
        let parts: Vec<_> =
            names.iter().map(|name| fs::read(folder.join(format!("{name}.dat"))).unwrap()).collect();
        let (kept, tally) = messages(&parts);
        let sum = |of: fn(&FlowRecord) -> u64| kept.flows.iter().map(of).sum::<u64>();
        let read = (tally.decoded, sum(|flow| flow.packets), sum(|flow| flow.octets));
        assert_eq!(read, (*flows, *packets, *octets), "{names:?}");
        assert_eq!(tally.refused, 0, "{names:?}");
    }
}

#[test]
fn every_datagram_of_logstash_balances() {
    let Some(exports) = exports() else { return };
    let all = files(&exports.join("logstash-codec-netflow/spec/codecs"), ".dat");
    assert_eq!(all.len(), 92);
    for path in all {
        let (kept, tally) = messages(&[fs::read(&path).unwrap()]);
        assert_eq!(tally.decoded, kept.flows.len() as u64, "{}", path.display());
        // Two have counts that nobody sent; one holds fewer octets than its template describes.
        let is_broken = ["netflow5_test_invalid01", "netflow5_test_invalid02", "netflow9_test_nprobe_dpi"]
            .iter()
            .any(|name| path.to_str().is_some_and(|path| path.contains(name)));
        assert_eq!(tally.refused > 0, is_broken, "{}: {:?}", path.display(), kept.problems());
    }
}

#[test]
fn an_ipfix_file_is_read_to_its_end() {
    let Some(exports) = exports() else { return };
    let file = File::open(exports.join("ipfixcol2/doc/data/ipfix/example_flows.ipfix")).unwrap();
    let (kept, result) = decode_all(file, &Options::default());
    let tally = result.unwrap();
    assert_eq!((tally.decoded, tally.beside, kept.problems().len()), (3_979, 8, 0));
    assert_eq!((kept.packets(), kept.octets()), (56_695, 49_001_404));
}

#[test]
fn one_capture_is_the_same_by_every_protocol() {
    let Some(exports) = exports() else { return };
    let read = |name: &str| captures(&[exports.join("re-exported/dcrat").join(name)]);
    let (v5, v9, ipfix) = (read("softflowd_v5.pcap"), read("softflowd_v9.pcap"), read("softflowd_v10.pcap"));
    for kept in [&v9, &ipfix] {
        assert_eq!((kept.packets(), kept.octets()), (1_728, 788_127), "as nfpcapd counted");
    }
    let v4 = |kept: &Kept| {
        let flows: Vec<_> = kept.flows.iter().filter(|flow| flow.src.is_v4()).cloned().collect();
        sums(&flows).values().fold((0, 0), |sum, flow| (sum.0 + flow.0, sum.1 + flow.1))
    };
    assert_eq!(v4(&v5), v4(&v9), "v5 knows IPv4 only");
}

/// A sampled packet: interface, ends, protocol, octets.
type Packet = (u32, &'static str, u16, &'static str, u16, u8, u64);

/// Of akvorado's captures, what Wireshark finds in the frames that the records hold.
const PACKETS: &[(&str, &[Packet])] = &[
    ("datalink", &[(582, "51.51.51.51", 55_501, "52.52.52.52", 11_777, 17, 96)]),
    ("ipfix-srv6", &[(0, "8.8.8.8", 0, "213.36.140.100", 0, 1, 64)]),
    ("juniper-cpid", &[(737, "8.8.8.8", 0, "213.36.140.101", 0, 1, 64)]),
    (
        "ethernet-over-mpls-with-control-word",
        &[
            (1_091, "198.51.100.19", 80, "198.51.100.20", 43_908, 6, 1_440),
            (1_064, "198.51.100.7", 443, "198.51.100.8", 59_706, 6, 1_500),
            (1_022, "198.51.100.3", 443, "198.51.100.4", 28_911, 6, 1_500),
            (1_022, "198.51.100.1", 443, "198.51.100.2", 55_427, 6, 1_492),
            (1_091, "198.51.100.5", 443, "198.51.100.6", 10_000, 17, 965),
            (1_051, "198.51.100.9", 443, "198.51.100.10", 1_470, 6, 1_440),
            (1_096, "198.51.100.11", 443, "198.51.100.12", 59_522, 6, 1_500),
            (1_051, "198.51.100.13", 8_887, "198.51.100.14", 57_478, 6, 1_500),
            (1_051, "198.51.100.15", 443, "198.51.100.16", 6_921, 6, 1_500),
            (1_087, "198.51.100.17", 443, "198.51.100.18", 64_028, 6, 1_500),
        ],
    ),
];

#[test]
fn sampled_packets_are_those_in_the_frames() {
    let Some(exports) = exports() else { return };
    let folder = exports.join("akvorado/outlet/flow/decoder/netflow/testdata");
    for (name, packets) in PACKETS {
        let paths = ["template", "data"].map(|part| folder.join(format!("{name}-{part}.pcap")));
        let kept = captures(&paths);
        let read: Vec<_> = kept
            .flows
            .iter()
            .map(|flow| {
                assert_eq!(flow.packets, 1, "{name}");
                let ends = (flow.src.to_string(), flow.src_port, flow.dst.to_string(), flow.dst_port);
                (flow.in_if.unwrap_or(0), ends, flow.protocol, flow.octets)
            })
            .collect();
        let wanted: Vec<_> = packets
            .iter()
            .map(|(interface, src, src_port, dst, dst_port, protocol, octets)| {
                let ends = (src.to_string(), *src_port, dst.to_string(), *dst_port);
                (*interface, ends, *protocol, *octets)
            })
            .collect();
        assert_eq!(read, wanted, "{name}");
    }
}

/// What Wireshark counts in captures that come without expected values: flows, octets, packets, both ways. In those
/// without flows are templates only, or what nobody could read: `libnetflow9` breaks its templates on purpose.
const COUNTED: &[(&[&str], u64, u64, u64)] = &[
    (&["akvorado/outlet/flow/decoder/netflow/testdata/nfv5"], 29, 88_345, 78),
    (&["akvorado/outlet/flow/decoder/netflow/testdata/mpls"], 2, 979, 11),
    (&["akvorado/outlet/flow/decoder/netflow/testdata/nat"], 9, 0, 0),
    (&["akvorado/outlet/flow/decoder/netflow/testdata/physicalinterfaces"], 8, 31_111, 29),
    (
        &[
            "akvorado/outlet/flow/decoder/netflow/testdata/icmp-template",
            "akvorado/outlet/flow/decoder/netflow/testdata/icmp-data",
        ],
        4,
        376,
        4,
    ),
    (
        &[
            "akvorado/outlet/flow/decoder/netflow/testdata/ipfixprobe-templates",
            "akvorado/outlet/flow/decoder/netflow/testdata/ipfixprobe-data",
        ],
        4,
        25_942,
        60,
    ),
    (&["libnetflow9/testcases/1"], 2, 220, 4),
    (&["libnetflow9/testcases/malformed-OT"], 0, 0, 0),
    (&["libnetflow9/testcases/malformed_1"], 0, 0, 0),
    (&["libnetflow9/testcases/malformed_2"], 0, 0, 0),
    (&["libnetflow9/testcases/malformed_3"], 0, 0, 0),
    (&["libnetflow9/testcases/malformed_4"], 0, 0, 0),
    (&["libnetflow9/testcases/malformed_5"], 0, 0, 0),
    (&["ndpi/netflow-fritz"], 0, 0, 0),
    (&["ndpi/netflowv9"], 0, 0, 0),
];

#[test]
fn flows_are_as_many_as_wireshark_counts() {
    let Some(exports) = exports() else { return };
    for (names, flows, octets, packets) in COUNTED {
        let paths: Vec<_> = names.iter().map(|name| exports.join(format!("{name}.pcap"))).collect();
        let kept = captures(&paths);
        assert_eq!(
            (kept.flows.len() as u64, kept.octets(), kept.packets()),
            (*flows, *octets, *packets),
            "{names:?}"
        );
    }
}

#[test]
fn rates_are_those_that_akvorado_expects() {
    let Some(exports) = exports() else { return };
    let folder = exports.join("akvorado/outlet/flow/decoder/netflow/testdata");
    for (names, intervals) in [
        (
            // The options come last here.
            &[
                "multiplesamplingrates-template",
                "multiplesamplingrates-data",
                "multiplesamplingrates-options-template",
                "multiplesamplingrates-options-data",
            ][..],
            &[4_000, 2_000, 2_000][..],
        ),
        (&["options-template", "options-data", "template", "data"], &[30_000; 4]),
        (&["samplingrate-template", "samplingrate-data"], &[2_048; 6]),
        (&["physicalinterfaces"], &[1_000; 8]),
        (&["mpls"], &[10; 2]),
        (&["data+templates"], &[100; 3]),
    ] {
        let paths: Vec<_> = names.iter().map(|name| folder.join(format!("{name}.pcap"))).collect();
        let kept = captures(&paths);
        let read: Vec<_> = kept.flows.iter().filter_map(|flow| flow.sampling_interval).collect();
        assert_eq!(read.len(), kept.flows.len(), "{names:?}");
        assert_eq!(read[..intervals.len()], *intervals, "{names:?}");
    }
}
