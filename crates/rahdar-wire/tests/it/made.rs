//! Made inputs: frames, captures and logs, with documentation addresses only.

use std::net::{IpAddr, SocketAddr};

/// An Ethernet frame of a TCP segment with this many octets of payload.
pub(crate) fn tcp(src: &str, dst: &str, flags: u8, payload_octets: usize) -> Vec<u8> {
    segment(src, dst, flags, 0, &vec![b'x'; payload_octets])
}

/// An Ethernet frame of a TCP segment: its flags, its number, what it carries.
pub(crate) fn segment(src: &str, dst: &str, flags: u8, number: u32, payload: &[u8]) -> Vec<u8> {
    let (src, dst) = endpoints(src, dst);
    let header = [&ports(src, dst)[..], &number.to_be_bytes(), &[0; 4], &[0x50, flags, 0, 0, 0, 0, 0, 0]];
    ethernet(&ip(src.ip(), dst.ip(), 6, &[&header.concat()[..], payload].concat()))
}

/// An Ethernet frame of a UDP datagram.
pub(crate) fn udp(src: &str, dst: &str, payload: &[u8]) -> Vec<u8> {
    let (src, dst) = endpoints(src, dst);
    let mut datagram = ports(src, dst);
    datagram.extend((8 + payload.len() as u16).to_be_bytes());
    datagram.extend([0; 2]);
    datagram.extend(payload);
    ethernet(&ip(src.ip(), dst.ip(), 17, &datagram))
}

/// An Ethernet frame of an ICMP message with eight octets of header and this many behind it.
pub(crate) fn icmp(src: &str, dst: &str, kind: u8, code: u8, payload_octets: usize) -> Vec<u8> {
    let (src, dst): (IpAddr, IpAddr) = (src.parse().unwrap(), dst.parse().unwrap());
    let mut message = vec![kind, code, 0, 0, 0, 0, 0, 0];
    message.resize(message.len() + payload_octets, 0);
    ethernet(&ip(src, dst, if src.is_ipv4() { 1 } else { 58 }, &message))
}

/// An IP packet of the family of its addresses.
pub(crate) fn ip(src: IpAddr, dst: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            packet.extend([0x45, 0]);
            packet.extend((20 + payload.len() as u16).to_be_bytes());
            packet.extend([0, 1, 0, 0, 64, protocol, 0, 0]);
            packet.extend(src.octets());
            packet.extend(dst.octets());
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            packet.extend([0x60, 0, 0, 0]);
            packet.extend((payload.len() as u16).to_be_bytes());
            packet.extend([protocol, 64]);
            packet.extend(src.octets());
            packet.extend(dst.octets());
        }
        _ => panic!("two families in one packet"),
    }
    packet.extend(payload);
    packet
}

/// An Ethernet frame of an IP packet.
pub(crate) fn ethernet(packet: &[u8]) -> Vec<u8> {
    let ethertype = if packet[0] >> 4 == 4 { [0x08, 0x00] } else { [0x86, 0xdd] };
    [&[2; 12], &ethertype[..], packet].concat()
}

fn endpoints(src: &str, dst: &str) -> (SocketAddr, SocketAddr) {
    (src.parse().unwrap(), dst.parse().unwrap())
}

fn ports(src: SocketAddr, dst: SocketAddr) -> Vec<u8> {
    [src.port().to_be_bytes(), dst.port().to_be_bytes()].concat()
}

/// 2021-08-15T00:00:00Z, when made captures begin, in seconds.
pub(crate) const BEGIN_S: u32 = 1_628_985_600;

/// Ethernet, as a link type.
pub(crate) const ETHERNET: u16 = 1;

/// A pcap file in little-endian microseconds. Frames come with their time in milliseconds.
pub(crate) fn pcap(link: u16, frames: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0];
    file.extend(u32::from(link).to_le_bytes());
    for (ms, frame) in frames {
        let length = frame.len() as u32;
        for word in [BEGIN_S + (ms / 1_000) as u32, (ms % 1_000) as u32 * 1_000, length, length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    file
}

/// One pcapng block, little-endian.
pub(crate) fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let length = (body.len() as u32 + 12).to_le_bytes();
    [&kind.to_le_bytes()[..], &length, &body, &length].concat()
}

/// A pcapng section header, little-endian.
pub(crate) fn section() -> Vec<u8> {
    block(0x0a0d_0d0a, &[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255])
}

/// A pcapng interface description with these options, each a code and a value.
pub(crate) fn interface(link: u16, options: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = [&link.to_le_bytes()[..], &[0; 2], &65_535u32.to_le_bytes()].concat();
    for (code, value) in options {
        body.extend(code.to_le_bytes());
        body.extend((value.len() as u16).to_le_bytes());
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    block(1, &body)
}

/// A pcapng enhanced packet block, its time in the units of the interface.
pub(crate) fn enhanced(interface: u32, units: u64, frame: &[u8]) -> Vec<u8> {
    let length = frame.len() as u32;
    let mut body = Vec::new();
    for word in [interface, (units >> 32) as u32, units as u32, length, length] {
        body.extend(word.to_le_bytes());
    }
    body.extend(frame);
    block(6, &body)
}

/// Options of a pcapng interface statistics block.
pub(crate) const ISB_START: u16 = 2;
pub(crate) const ISB_END: u16 = 3;
pub(crate) const ISB_IFDROP: u16 = 5;
pub(crate) const ISB_OSDROP: u16 = 7;

/// A pcapng interface statistics block, its times in the units of the interface. Options are numbers.
pub(crate) fn statistics(interface: u32, units: u64, options: &[(u16, u64)]) -> Vec<u8> {
    let halves = |units: u64| [((units >> 32) as u32).to_le_bytes(), (units as u32).to_le_bytes()].concat();
    let mut body = [&interface.to_le_bytes()[..], &halves(units)].concat();
    for (code, value) in options {
        body.extend(code.to_le_bytes());
        body.extend(8u16.to_le_bytes());
        body.extend(match *code {
            ISB_START | ISB_END => halves(*value),
            _ => value.to_le_bytes().to_vec(),
        });
    }
    block(5, &body)
}

/// The header lines of a `conn.log`.
pub(crate) const CONN_HEADER: &str = "\
#separator \\x09
#set_separator\t,
#empty_field\t(empty)
#unset_field\t-
#path\tconn
#open\t2021-08-15-00-00-00
#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\
\tconn_state\tlocal_orig\tlocal_resp\tmissed_bytes\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\
\ttunnel_parents
#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tstring\tbool\tbool\tcount\
\tstring\tcount\tcount\tcount\tcount\tset[string]
";

/// A row of a `conn.log`.
pub(crate) const CONN_ROW: &str = "1628985600.250000\tCAbc1\t192.0.2.10\t50000\t198.51.100.7\t443\ttcp\tssl\t1.500000\
\t1000\t2000\tSF\tT\tF\t0\tShADadFf\t10\t1520\t12\t2640\t-\n";

/// The same row as JSON.
pub(crate) const CONN_JSON: &str = concat!(
    r#"{"ts":1628985600.25,"uid":"CAbc1","id.orig_h":"192.0.2.10","id.orig_p":50000,"id.resp_h":"198.51.100.7","#,
    r#""id.resp_p":443,"proto":"tcp","service":"ssl","duration":1.5,"orig_bytes":1000,"resp_bytes":2000,"#,
    r#""conn_state":"SF","local_orig":true,"local_resp":false,"missed_bytes":0,"history":"ShADadFf","orig_pkts":10,"#,
    r#""orig_ip_bytes":1520,"resp_pkts":12,"resp_ip_bytes":2640}"#,
    "\n"
);

/// The header lines of a `dns.log`.
pub(crate) const DNS_HEADER: &str = "\
#separator \\x09
#set_separator\t,
#empty_field\t(empty)
#unset_field\t-
#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\ttrans_id\tquery\tqtype\tqtype_name\trcode\
\trcode_name\tanswers\tTTLs\trejected
";

/// A row of a `dns.log`.
pub(crate) const DNS_ROW: &str = "1628985600.250000\tCAbc1\t192.0.2.10\t50000\t192.0.2.53\t53\tudp\t7\tWWW.example.ORG.\
\t1\tA\t0\tNOERROR\tweb.example.org,198.51.100.7\t300.000000,60.000000\tF\n";

/// The same row as JSON.
pub(crate) const DNS_JSON: &str = concat!(
    r#"{"ts":1628985600.25,"uid":"CAbc1","id.orig_h":"192.0.2.10","id.orig_p":50000,"id.resp_h":"192.0.2.53","#,
    r#""id.resp_p":53,"proto":"udp","trans_id":7,"query":"WWW.example.ORG.","qtype":1,"qtype_name":"A","rcode":0,"#,
    r#""rcode_name":"NOERROR","answers":["web.example.org","198.51.100.7"],"TTLs":[300.0,60.0],"rejected":false}"#,
    "\n"
);

/// The header lines of an `ssl.log`.
pub(crate) const SSL_HEADER: &str = "\
#separator \\x09
#set_separator\t,
#empty_field\t(empty)
#unset_field\t-
#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tversion\tcipher\tserver_name\testablished\
\tcert_chain_fps\tsubject\tissuer\tja3\tja3s
";

/// A row of an `ssl.log`.
pub(crate) const SSL_ROW: &str = "1628985600.250000\tCAbc1\t192.0.2.10\t50000\t198.51.100.7\t443\tTLSv12\tTLS_X\
\twww.example.org\tT\tee18ffe1230ec2dc9ca4d310b37bd5030de5594ba45581e8495e503858e38c28,67add1166b020ae61b8f5fc96813c04c\
2aa589960796865572a3c7e737613dfd\tCN=www.example.org\tCN=Example CA,O=Example\te0ff89ed9185dfb09184797a4c3f2e1c\
\t15af977ce25de452b96affa2addb1036\n";

/// The same row as JSON.
pub(crate) const SSL_JSON: &str = concat!(
    r#"{"ts":1628985600.25,"uid":"CAbc1","id.orig_h":"192.0.2.10","id.orig_p":50000,"id.resp_h":"198.51.100.7","#,
    r#""id.resp_p":443,"version":"TLSv12","cipher":"TLS_X","server_name":"www.example.org","established":true,"#,
    r#""cert_chain_fps":["ee18ffe1230ec2dc9ca4d310b37bd5030de5594ba45581e8495e503858e38c28","#,
    r#""67add1166b020ae61b8f5fc96813c04c2aa589960796865572a3c7e737613dfd"],"subject":"CN=www.example.org","#,
    r#""issuer":"CN=Example CA,O=Example","ja3":"e0ff89ed9185dfb09184797a4c3f2e1c","#,
    r#""ja3s":"15af977ce25de452b96affa2addb1036"}"#,
    "\n"
);

/// The header lines of a `files.log`.
pub(crate) const FILES_HEADER: &str = "\
#separator \\x09
#set_separator\t,
#empty_field\t(empty)
#unset_field\t-
#fields\tts\tfuid\ttx_hosts\trx_hosts\tconn_uids\tsource\tdepth\tanalyzers\tmime_type\tis_orig\tseen_bytes\tsha1\tsha256
";

/// A row of a `files.log`: the certificate of a server.
pub(crate) const FILES_ROW: &str = "1628985600.250000\tFAbc1\t198.51.100.7\t192.0.2.10\tCAbc1\tSSL\t0\tX509,SHA1\
\tapplication/x-x509-user-cert\tF\t1638\t2dd19f809986fcac5f2a2afda3f37e967cdd2437\
\tee18ffe1230ec2dc9ca4d310b37bd5030de5594ba45581e8495e503858e38c28\n";

/// The same row as JSON.
pub(crate) const FILES_JSON: &str = concat!(
    r#"{"ts":1628985600.25,"fuid":"FAbc1","tx_hosts":["198.51.100.7"],"rx_hosts":["192.0.2.10"],"#,
    r#""conn_uids":["CAbc1"],"source":"SSL","depth":0,"analyzers":["X509","SHA1"],"#,
    r#""mime_type":"application/x-x509-user-cert","is_orig":false,"seen_bytes":1638,"#,
    r#""sha1":"2dd19f809986fcac5f2a2afda3f37e967cdd2437","#,
    r#""sha256":"ee18ffe1230ec2dc9ca4d310b37bd5030de5594ba45581e8495e503858e38c28"}"#,
    "\n"
);
