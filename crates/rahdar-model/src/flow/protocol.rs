//! IP protocols, by number and by name (IANA, protocol numbers).

/// ICMP.
pub const ICMP: u8 = 1;
/// TCP.
pub const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;
/// ICMPv6.
pub const ICMPV6: u8 = 58;

/// The number of a protocol by a name, in any case, that tools print or that it is registered by.
///
/// ```
/// use rahdar_model::flow::protocol::named;
///
/// assert_eq!((named(b"TCP"), named(b"ipv6-icmp"), named(b"ggp"), named(b"none")), (Some(6), Some(58), Some(3), None));
/// ```
pub fn named(text: &[u8]) -> Option<u8> {
    usual(text).or_else(|| {
        let known = REGISTERED.iter().find(|(name, _)| text.eq_ignore_ascii_case(name.as_bytes()));
        known.map(|(_, number)| *number)
    })
}

/// By a name that is common.
fn usual(text: &[u8]) -> Option<u8> {
    let mut lower = [0; 12];
    let name = lower.get_mut(..text.len())?;
    name.copy_from_slice(text);
    name.make_ascii_lowercase();
    Some(match &*name {
        b"hopopt" => 0,
        b"icmp" => ICMP,
        b"igmp" => 2,
        b"ggp" => 3,
        b"ipip" | b"ipv4" | b"ipnip" | b"ipencap" => 4,
        b"tcp" => TCP,
        b"egp" => 8,
        b"igp" | b"igrp" => 9,
        b"udp" => UDP,
        b"dccp" => 33,
        b"ipv6" => 41,
        b"ipv6-route" => 43,
        b"ipv6-frag" => 44,
        b"rsvp" => 46,
        b"gre" => 47,
        b"esp" => 50,
        b"ah" => 51,
        b"icmp6" | b"icmpv6" | b"ipv6-icmp" => ICMPV6,
        b"ipv6-no" | b"ipv6-nonxt" => 59,
        b"ipv6-opts" => 60,
        b"eigrp" => 88,
        b"ospf" | b"ospfigp" => 89,
        b"pim" => 103,
        b"ipcomp" => 108,
        b"vrrp" => 112,
        b"l2tp" => 115,
        b"isis" => 124,
        b"sctp" => 132,
        b"udplite" => 136,
        b"mpls-in-ip" => 137,
        b"ethernet" => 143,
        _ => return None,
    })
}

/// Registered names that are not common.
const REGISTERED: &[(&str, u8)] = &[
    ("st", 5),
    ("cbt", 7),
    ("bbn-rcc-mon", 10),
    ("nvp-ii", 11),
    ("pup", 12),
    ("argus", 13),
    ("emcon", 14),
    ("xnet", 15),
    ("chaos", 16),
    ("mux", 18),
    ("dcn-meas", 19),
    ("hmp", 20),
    ("prm", 21),
    ("xns-idp", 22),
    ("trunk-1", 23),
    ("trunk-2", 24),
    ("leaf-1", 25),
    ("leaf-2", 26),
    ("rdp", 27),
    ("irtp", 28),
    ("iso-tp4", 29),
    ("netblt", 30),
    ("mfe-nsp", 31),
    ("merit-inp", 32),
    ("3pc", 34),
    ("idpr", 35),
    ("xtp", 36),
    ("ddp", 37),
    ("idpr-cmtp", 38),
    ("tp++", 39),
    ("il", 40),
    ("sdrp", 42),
    ("idrp", 45),
    ("dsr", 48),
    ("bna", 49),
    ("i-nlsp", 52),
    ("swipe", 53),
    ("narp", 54),
    ("mobile", 55),
    ("tlsp", 56),
    ("skip", 57),
    ("cftp", 62),
    ("sat-expak", 64),
    ("kryptolan", 65),
    ("rvd", 66),
    ("ippc", 67),
    ("sat-mon", 69),
    ("visa", 70),
    ("ipcv", 71),
    ("cpnx", 72),
    ("cphb", 73),
    ("wsn", 74),
    ("pvp", 75),
    ("br-sat-mon", 76),
    ("sun-nd", 77),
    ("wb-mon", 78),
    ("wb-expak", 79),
    ("iso-ip", 80),
    ("vmtp", 81),
    ("secure-vmtp", 82),
    ("vines", 83),
    ("ttp", 84),
    ("iptm", 84),
    ("nsfnet-igp", 85),
    ("dgp", 86),
    ("tcf", 87),
    ("sprite-rpc", 90),
    ("larp", 91),
    ("mtp", 92),
    ("ax.25", 93),
    ("micp", 95),
    ("scc-sp", 96),
    ("etherip", 97),
    ("encap", 98),
    ("gmtp", 100),
    ("ifmp", 101),
    ("pnni", 102),
    ("aris", 104),
    ("scps", 105),
    ("qnx", 106),
    ("a/n", 107),
    ("snp", 109),
    ("compaq-peer", 110),
    ("ipx-in-ip", 111),
    ("pgm", 113),
    ("ddx", 116),
    ("iatp", 117),
    ("stp", 118),
    ("srp", 119),
    ("uti", 120),
    ("smp", 121),
    ("sm", 122),
    ("ptp", 123),
    ("fire", 125),
    ("crtp", 126),
    ("crudp", 127),
    ("sscopmce", 128),
    ("iplt", 129),
    ("sps", 130),
    ("pipe", 131),
    ("fc", 133),
    ("rsvp-e2e-ignore", 134),
    ("mobility-header", 135),
    ("manet", 138),
    ("hip", 139),
    ("shim6", 140),
    ("wesp", 141),
    ("rohc", 142),
];
