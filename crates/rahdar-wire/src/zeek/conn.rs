//! What a row of `conn.log` says, and the flow record it becomes.

use rahdar_model::flow::size::doubt;
use rahdar_model::flow::{Initiator, SamplingSource, protocol, tcp};
use rahdar_model::sink::SinkError;
use rahdar_model::{FlowRecord, Quality};

use super::field::Field;
use super::talk::Talk;
use super::{Form, Log};
use crate::delivery::Delivery;
use crate::facts::Facts;
use crate::value::{self, ValueError, count, seconds};

/// The longest text of a row that is kept; the rest of a longer one is cut off. Chosen here:
/// Zeek's own texts stay below a hundred octets.
const TEXT_OCTETS_MAX: usize = 256;

/// The values of one row. Texts are as in the input, escapes and all.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Row<'r> {
    talk: Talk,
    duration_us: i64,
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

/// Zeek's `transport_proto`, or the name of a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proto {
    Tcp,
    Udp,
    Icmp,
    /// Zeek has no name for it, and tells its number.
    Unknown,
    Other(u8),
}

impl<'r> super::Row<'r> for Row<'r> {
    const LOG: Log = Log::Conn;

    fn set(&mut self, field: Field, value: &'r [u8]) -> Result<(), ValueError> {
        let wrong = || ValueError::wrong(field.name(), value);
        let number = || count(value).ok_or_else(wrong);
        match field {
            Field::Duration => self.duration_us = seconds(value).ok_or_else(wrong)?,
            Field::Proto => {
                self.proto = Some(match value {
                    b"tcp" => Proto::Tcp,
                    b"udp" => Proto::Udp,
                    b"icmp" => Proto::Icmp,
                    b"unknown_transport" => Proto::Unknown,
                    name => Proto::Other(value::protocol(name).ok_or_else(wrong)?),
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
            _ => self.talk.set(field, value)?,
        }
        Ok(())
    }

    fn fill(&self, form: &impl Form, delivery: &mut Delivery<'_>, _: &mut Facts) -> Result<bool, ValueError> {
        self.fill_record(&mut delivery.record, form)?;
        delivery.counted_in(self.talk.unit);
        Ok(true)
    }

    fn give(&self, _: &impl Form, delivery: &mut Delivery<'_>, _: &mut Facts) -> Result<(), SinkError> {
        delivery.flow()
    }
}

impl Row<'_> {
    /// Fills an empty record.
    ///
    /// Where the log has no `*_ip_bytes` (Zeek writes them unless told not to), octets are the
    /// payload octets: less than the truth by the headers, and marked so, as are rows without either.
    fn fill_record(&self, record: &mut FlowRecord, form: &impl Form) -> Result<(), ValueError> {
        let (start, src, dst) = self.talk.who()?;
        let proto = self.proto.ok_or(ValueError::missing(Field::Proto.name()))?;
        // Other logs of Zeek have endpoints too; only connections have one of these.
        if self.state.is_empty() && self.orig_pkts.is_none() {
            return Err(ValueError::missing(Field::ConnState.name()));
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
            Proto::Unknown => self.ip_proto.ok_or(ValueError::missing(Field::IpProto.name()))?,
            Proto::Other(number) => number,
        };
        match proto {
            Proto::Icmp => {
                record.icmp_type = Some(self.talk.orig_port as u8);
                record.icmp_code = Some(icmp_code(self.talk.orig_port, self.talk.resp_port, src.is_v4()));
            }
            _ => {
                record.src_port = self.talk.orig_port;
                record.dst_port = self.talk.resp_port;
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
        record.quality |=
            doubt(self.orig_pkts, self.orig_ip_bytes) | doubt(self.resp_pkts, self.resp_ip_bytes);
        if let Some(history) = self.history {
            self.read_history(history, proto, record);
        }
        for (text, into) in [
            (self.uid, &mut record.uid),
            (self.service, &mut record.service),
            (self.state, &mut record.state),
            (self.community_id, &mut record.community_id),
        ] {
            form.text(&text[..text.len().min(TEXT_OCTETS_MAX)], into);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_told_from_the_type_of_an_answer() {
        assert_eq!(icmp_code(8, 0, true), 0);
        assert_eq!(icmp_code(13, 14, true), 0);
        assert_eq!(icmp_code(3, 3, true), 3);
        assert_eq!(icmp_code(128, 129, false), 0);
        assert_eq!(icmp_code(1, 4, false), 4);
    }
}
