//! What a row of `conn.log` says, and the flow record it becomes.

use std::net::Ipv6Addr;

use rahdar_model::flow::{Initiator, SamplingSource, protocol, tcp};
use rahdar_model::{Address, FlowRecord, Quality, Timestamp};
use thiserror::Error;

/// The longest text of a row that is kept; the rest of a longer one is cut off. Chosen here:
/// Zeek's own texts stay below a hundred octets.
const TEXT_OCTETS_MAX: usize = 256;

/// A field of `conn.log` that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Ts,
    Uid,
    OrigH,
    OrigP,
    RespH,
    RespP,
    Proto,
    IpProto,
    Service,
    Duration,
    OrigBytes,
    RespBytes,
    ConnState,
    MissedBytes,
    History,
    OrigPkts,
    OrigIpBytes,
    RespPkts,
    RespIpBytes,
    CommunityId,
}

impl Field {
    /// The field of this name, as Zeek writes it or with `_` for `.` as shippers of its logs do.
    pub(crate) fn from_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"ts" => Self::Ts,
            b"uid" => Self::Uid,
            b"id.orig_h" | b"id_orig_h" => Self::OrigH,
            b"id.orig_p" | b"id_orig_p" => Self::OrigP,
            b"id.resp_h" | b"id_resp_h" => Self::RespH,
            b"id.resp_p" | b"id_resp_p" => Self::RespP,
            b"proto" => Self::Proto,
            b"ip_proto" => Self::IpProto,
            b"service" => Self::Service,
            b"duration" => Self::Duration,
            b"orig_bytes" => Self::OrigBytes,
            b"resp_bytes" => Self::RespBytes,
            b"conn_state" => Self::ConnState,
            b"missed_bytes" => Self::MissedBytes,
            b"history" => Self::History,
            b"orig_pkts" => Self::OrigPkts,
            b"orig_ip_bytes" => Self::OrigIpBytes,
            b"resp_pkts" => Self::RespPkts,
            b"resp_ip_bytes" => Self::RespIpBytes,
            b"community_id" => Self::CommunityId,
            _ => return None,
        })
    }

    /// The name as Zeek writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ts => "ts",
            Self::Uid => "uid",
            Self::OrigH => "id.orig_h",
            Self::OrigP => "id.orig_p",
            Self::RespH => "id.resp_h",
            Self::RespP => "id.resp_p",
            Self::Proto => "proto",
            Self::IpProto => "ip_proto",
            Self::Service => "service",
            Self::Duration => "duration",
            Self::OrigBytes => "orig_bytes",
            Self::RespBytes => "resp_bytes",
            Self::ConnState => "conn_state",
            Self::MissedBytes => "missed_bytes",
            Self::History => "history",
            Self::OrigPkts => "orig_pkts",
            Self::OrigIpBytes => "orig_ip_bytes",
            Self::RespPkts => "resp_pkts",
            Self::RespIpBytes => "resp_ip_bytes",
            Self::CommunityId => "community_id",
        }
    }

    /// The fields without which a row is no flow.
    pub(crate) const REQUIRED: [Self; 4] = [Self::Ts, Self::OrigH, Self::RespH, Self::Proto];
}

/// Why a row is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum RowError {
    /// A field that must be there is not, or is unset.
    #[error("`{}` is missing", .0.name())]
    Missing(Field),
    /// A field holds something else.
    #[error("`{}` cannot be `{}`", .0.name(), .1.escape_ascii())]
    Wrong(Field, Box<[u8]>),
}

impl RowError {
    fn wrong(field: Field, value: &[u8]) -> Self {
        /// Octets of a wrong value that are shown. Chosen here: enough to find it.
        const SHOWN_OCTETS: usize = 40;
        Self::Wrong(field, value[..value.len().min(SHOWN_OCTETS)].into())
    }
}

/// The values of one row. Texts are as in the input, escapes and all.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Row<'r> {
    ts: Option<Timestamp>,
    duration_us: i64,
    orig: Option<Address>,
    resp: Option<Address>,
    orig_port: u16,
    resp_port: u16,
    proto: Option<Proto>,
    ip_proto: Option<u8>,
    orig_bytes: Option<u64>,
    resp_bytes: Option<u64>,
    missed_bytes: u64,
    orig_pkts: Option<u64>,
    orig_ip_bytes: Option<u64>,
    resp_pkts: Option<u64>,
    resp_ip_bytes: Option<u64>,
    history: Option<&'r [u8]>,
    uid: &'r [u8],
    service: &'r [u8],
    state: &'r [u8],
    community_id: &'r [u8],
}

/// Zeek's `transport_proto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proto {
    Tcp,
    Udp,
    Icmp,
    Unknown,
}

impl<'r> Row<'r> {
    /// Takes one value that is set.
    pub(crate) fn set(&mut self, field: Field, value: &'r [u8]) -> Result<(), RowError> {
        let wrong = || RowError::wrong(field, value);
        let number = || count(value).ok_or_else(wrong);
        match field {
            Field::Ts => self.ts = Some(time(value).ok_or_else(wrong)?),
            Field::Duration => self.duration_us = seconds(value).ok_or_else(wrong)?,
            Field::OrigH => self.orig = Some(address(value).ok_or_else(wrong)?),
            Field::RespH => self.resp = Some(address(value).ok_or_else(wrong)?),
            Field::OrigP => self.orig_port = u16::try_from(number()?).map_err(|_| wrong())?,
            Field::RespP => self.resp_port = u16::try_from(number()?).map_err(|_| wrong())?,
            Field::Proto => {
                self.proto = Some(match value {
                    b"tcp" => Proto::Tcp,
                    b"udp" => Proto::Udp,
                    b"icmp" => Proto::Icmp,
                    b"unknown_transport" => Proto::Unknown,
                    _ => return Err(wrong()),
                });
            }
            Field::IpProto => self.ip_proto = Some(u8::try_from(number()?).map_err(|_| wrong())?),
            Field::OrigBytes => self.orig_bytes = Some(number()?),
            Field::RespBytes => self.resp_bytes = Some(number()?),
            Field::MissedBytes => self.missed_bytes = number()?,
            Field::OrigPkts => self.orig_pkts = Some(number()?),
            Field::OrigIpBytes => self.orig_ip_bytes = Some(number()?),
            Field::RespPkts => self.resp_pkts = Some(number()?),
            Field::RespIpBytes => self.resp_ip_bytes = Some(number()?),
            Field::History => self.history = Some(value),
            Field::Uid => self.uid = value,
            Field::Service => self.service = value,
            Field::ConnState => self.state = value,
            Field::CommunityId => self.community_id = value,
        }
        Ok(())
    }

    /// Fills an empty record. `unescape` appends a text of the input as plain text.
    ///
    /// Where the log has no `*_ip_bytes` (Zeek writes them unless told not to), octets are the
    /// payload octets: less than the truth by the headers.
    pub(crate) fn fill(
        &self,
        record: &mut FlowRecord,
        unescape: fn(&[u8], &mut String),
    ) -> Result<(), RowError> {
        let start = self.ts.ok_or(RowError::Missing(Field::Ts))?;
        let src = self.orig.ok_or(RowError::Missing(Field::OrigH))?;
        let dst = self.resp.ok_or(RowError::Missing(Field::RespH))?;
        let proto = self.proto.ok_or(RowError::Missing(Field::Proto))?;
        // Other logs of Zeek have endpoints too; only connections have one of these.
        if self.state.is_empty() && self.orig_pkts.is_none() {
            return Err(RowError::Missing(Field::ConnState));
        }

        record.start_time = start;
        record.end_time = start.plus_micros(self.duration_us);
        record.src = src;
        record.dst = dst;
        record.protocol = match proto {
            Proto::Tcp => protocol::TCP,
            Proto::Udp => protocol::UDP,
            Proto::Icmp if src.is_v4() => protocol::ICMP,
            Proto::Icmp => protocol::ICMPV6,
            Proto::Unknown => self.ip_proto.unwrap_or(0),
        };
        match proto {
            Proto::Icmp => {
                record.icmp_type = Some(self.orig_port as u8);
                record.icmp_code = Some(icmp_code(self.orig_port, self.resp_port, src.is_v4()));
            }
            _ => {
                record.src_port = self.orig_port;
                record.dst_port = self.resp_port;
            }
        }
        record.packets = self.orig_pkts.unwrap_or(0);
        record.octets = self.orig_ip_bytes.or(self.orig_bytes).unwrap_or(0);
        record.rev_packets = Some(self.resp_pkts.unwrap_or(0));
        record.rev_octets = Some(self.resp_ip_bytes.or(self.resp_bytes).unwrap_or(0));
        record.payload_octets = self.orig_bytes;
        record.rev_payload_octets = self.resp_bytes;
        record.sampling_interval = Some(1);
        record.sampling_source = Some(SamplingSource::Assumed);
        record.initiator = Some(Initiator::Source);
        if self.missed_bytes > 0 {
            record.quality |= Quality::CONTENT_GAP;
        }
        if impossible(self.orig_pkts, self.orig_ip_bytes) || impossible(self.resp_pkts, self.resp_ip_bytes) {
            record.quality |= Quality::IMPOSSIBLE_SIZE;
        }
        if let Some(history) = self.history {
            self.read_history(history, proto, record);
        }
        for (text, into) in [
            (self.uid, &mut record.uid),
            (self.service, &mut record.service),
            (self.state, &mut record.state),
            (self.community_id, &mut record.community_id),
        ] {
            unescape(&text[..text.len().min(TEXT_OCTETS_MAX)], into);
        }
        Ok(())
    }

    /// Takes TCP flags and doubts about the direction from the history of the connection.
    ///
    /// Capital letters are the originator's packets. Without an opening SYN of either side the
    /// connection began before Zeek saw it; `^` says that Zeek turned the two sides round.
    fn read_history(&self, history: &[u8], proto: Proto, record: &mut FlowRecord) {
        if history.contains(&b'^') {
            record.quality |= Quality::DIRECTION_GUESSED;
        }
        if proto != Proto::Tcp {
            return;
        }
        let (mut orig, mut resp) = (0, 0);
        for letter in history {
            let side = if letter.is_ascii_uppercase() { &mut orig } else { &mut resp };
            *side |= match letter.to_ascii_uppercase() {
                b'S' => tcp::SYN,
                b'H' => tcp::SYN | tcp::ACK,
                // Data after the handshake carries ACK; whether PSH was set, Zeek does not tell.
                b'A' | b'D' => tcp::ACK,
                b'F' => tcp::FIN,
                b'R' => tcp::RST,
                // Q: SYN with FIN or RST. I: FIN with RST.
                b'Q' => tcp::SYN,
                b'I' => tcp::FIN | tcp::RST,
                _ => 0,
            };
        }
        record.tcp_flags = Some(orig);
        record.rev_tcp_flags = Some(resp);
        if !history.iter().any(|letter| matches!(letter, b'S' | b's' | b'Q' | b'q')) {
            record.quality |= Quality::MIDSTREAM;
            if resp & tcp::SYN == 0 {
                record.quality |= Quality::DIRECTION_GUESSED;
            }
        }
    }
}

/// Whether no packets of IP could have this size.
fn impossible(packets: Option<u64>, octets: Option<u64>) -> bool {
    const HEADER_OCTETS: u64 = 20;
    const PACKET_OCTETS_MAX: u64 = 65_535;
    match (packets, octets) {
        (Some(packets), Some(octets)) => {
            octets < packets.saturating_mul(HEADER_OCTETS)
                || octets > packets.saturating_mul(PACKET_OCTETS_MAX)
        }
        _ => false,
    }
}

/// The ICMP code of a row.
///
/// Zeek keeps the type in `id.orig_p`. For messages that are answered it keeps the *type of the
/// answer* in `id.resp_p`, and their code is 0 (RFC 792, RFC 4443); for all others, the code.
fn icmp_code(kind: u16, resp_port: u16, v4: bool) -> u8 {
    let answered = match v4 {
        true => matches!(
            (kind, resp_port),
            (8, 0)
                | (0, 8)
                | (13, 14)
                | (14, 13)
                | (15, 16)
                | (16, 15)
                | (17, 18)
                | (18, 17)
                | (10, 9)
                | (9, 10)
        ),
        false => matches!(
            (kind, resp_port),
            (128, 129)
                | (129, 128)
                | (130, 131)
                | (131, 130)
                | (133, 134)
                | (134, 133)
                | (135, 136)
                | (136, 135)
                | (139, 140)
                | (140, 139)
                | (144, 145)
                | (145, 144)
        ),
    };
    if answered { 0 } else { resp_port as u8 }
}

/// A non-negative whole number. JSON writers may give `12.0` or `1e3`; fractions are cut off.
fn count(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let mut number: u64 = 0;
    for digit in text {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return count_from_float(text);
        }
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(number)
}

fn count_from_float(text: &[u8]) -> Option<u64> {
    let number = float(text)?;
    (0.0..=u64::MAX as f64).contains(&number).then_some(number as u64)
}

/// Seconds with a fraction, as microseconds. Digits beyond the sixth are cut off.
fn seconds(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let mut whole: i64 = 0;
    let mut at = 0;
    while let Some(digit) = digits.get(at).map(|d| d.wrapping_sub(b'0')).filter(|d| *d <= 9) {
        whole = whole.checked_mul(10)?.checked_add(i64::from(digit))?;
        at += 1;
    }
    if at == 0 {
        return None;
    }
    let mut us = whole.checked_mul(1_000_000)?;
    match digits.get(at) {
        None => {}
        Some(b'.') => {
            let mut scale = 100_000;
            for digit in &digits[at + 1..] {
                let digit = digit.wrapping_sub(b'0');
                if digit > 9 {
                    return seconds_from_float(text);
                }
                us = us.checked_add(i64::from(digit) * scale)?;
                scale /= 10;
            }
        }
        Some(_) => return seconds_from_float(text),
    }
    Some(if negative { -us } else { us })
}

fn seconds_from_float(text: &[u8]) -> Option<i64> {
    let us = float(text)? * 1e6;
    (i64::MIN as f64..i64::MAX as f64).contains(&us).then_some(us as i64)
}

/// A number in the forms of JSON. Rust alone would take `inf` and `nan` too.
fn float(text: &[u8]) -> Option<f64> {
    let plain = text.iter().all(|c| matches!(c, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    if plain { std::str::from_utf8(text).ok()?.parse().ok() } else { None }
}

/// A time: seconds since the epoch, or ISO 8601.
fn time(text: &[u8]) -> Option<Timestamp> {
    match seconds(text) {
        Some(us) => Some(Timestamp::from_micros(us)),
        None => std::str::from_utf8(text).ok()?.parse().ok(),
    }
}

fn address(text: &[u8]) -> Option<Address> {
    let (mut bits, mut part, mut digits, mut dots) = (0u32, 0u32, 0, 0);
    for c in text {
        match c {
            b'0'..=b'9' if digits < 3 => {
                part = part * 10 + u32::from(c - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && dots < 3 && part < 256 => {
                bits = bits << 8 | part;
                (part, digits) = (0, 0);
                dots += 1;
            }
            _ => return std::str::from_utf8(text).ok()?.parse::<Ipv6Addr>().ok().map(Address::from),
        }
    }
    (dots == 3 && digits > 0 && part < 256).then(|| Address::from_v4_bits(bits << 8 | part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_microseconds() {
        for (text, us) in [
            ("1588205199.82437", Some(1_588_205_199_824_370)),
            ("0.0015280246734", Some(1_528)),
            ("19", Some(19_000_000)),
            ("-1.5", Some(-1_500_000)),
            ("1.588e9", Some(1_588_000_000_000_000)),
            ("2.5e-1", Some(250_000)),
            ("", None),
            ("-", None),
            ("1.2.3", None),
            ("99999999999999999999", None),
            ("nan", None),
        ] {
            assert_eq!(seconds(text.as_bytes()), us, "{text}");
        }
    }

    #[test]
    fn counts_are_whole_and_not_negative() {
        for (text, number) in [
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("12.0", Some(12)),
            ("1e3", Some(1_000)),
            ("-1", None),
            ("inf", None),
            ("", None),
        ] {
            assert_eq!(count(text.as_bytes()), number, "{text}");
        }
    }

    #[test]
    fn addresses_are_read_as_the_standard_library_reads_them() {
        for text in [
            "192.0.2.1",
            "255.255.255.255",
            "0.0.0.0",
            "2001:db8::1",
            "::ffff:192.0.2.1",
            "192.0.2",
            "192.0.2.256",
            "192.0.2.1.",
            "192..2.1",
            "192.0.2.1.5",
            "1920.0.2.1",
            "fe80::1%eth0",
            "",
        ] {
            let expected = text.parse::<std::net::IpAddr>().ok().map(Address::from);
            assert_eq!(address(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn a_code_is_told_from_the_type_of_an_answer() {
        assert_eq!(icmp_code(8, 0, true), 0);
        assert_eq!(icmp_code(13, 14, true), 0);
        assert_eq!(icmp_code(3, 3, true), 3);
        assert_eq!(icmp_code(128, 129, false), 0);
        assert_eq!(icmp_code(1, 4, false), 4);
    }
}
