//! One conversation, packet by packet: what really passed, before any sensor looked.

use rahdar_model::flow::{protocol, tcp};
use rahdar_model::{Address, Timestamp};

use crate::draw::{hash, hash_on};
use crate::path::Path;

/// Largest IP packet on any path.
pub(crate) const MTU: u32 = 1_500;

/// One conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Session {
    /// First packet.
    pub(crate) start: Timestamp,
    /// From the first packet to the last.
    pub(crate) duration_us: i64,
    /// Who opened it.
    pub(crate) client: Socket,
    /// Who was asked.
    pub(crate) server: Socket,
    /// IP protocol.
    pub(crate) protocol: u8,
    /// Packets of the client.
    pub(crate) forward: Packets,
    /// Packets of the server.
    pub(crate) reverse: Packets,
    /// How it went.
    pub(crate) outcome: Outcome,
    /// The application, as Zeek names it.
    pub(crate) service: Service,
    /// Which exporters its packets pass.
    pub(crate) path: Path,
}

/// An address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Socket {
    pub(crate) address: Address,
    pub(crate) port: u16,
}

/// How a conversation went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Opened, used, closed; or a datagram and its answer.
    Complete,
    /// No answer.
    Unanswered,
    /// Refused by a reset.
    Refused,
    /// Accepted, then broken off by the client before any data.
    HalfOpen,
    /// The server answers what the client never sent: somebody forged the client's address.
    Backscatter,
}

/// The application of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    None,
    Smtp,
    Tls,
    Http,
    Dns,
    Ntp,
}

/// Distinct bursts of one direction: opening, acknowledgements, full segments, a rest, closing.
const BURSTS: usize = 5;

/// The packets of one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Packets([Burst; BURSTS]);

/// Like packets of one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Burst {
    /// How many.
    pub(crate) packets: u32,
    /// IP octets of each.
    pub(crate) octets: u16,
    /// TCP flags of each.
    pub(crate) flags: u8,
    /// When they pass.
    pub(crate) phase: Phase,
}

/// When the packets of a burst pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// At the start.
    Opening,
    /// Evenly over the conversation.
    #[default]
    Spread,
    /// At the end.
    Closing,
}

impl Session {
    /// End of the last packet.
    pub(crate) fn end(&self) -> Timestamp {
        self.start.plus_micros(self.duration_us)
    }

    /// A hash of the 5-tuple and the start: it chooses the path.
    pub(crate) fn tuple_hash(&self) -> u64 {
        let mut state = hash(&[self.protocol]);
        for socket in [self.client, self.server] {
            state = hash_on(state, &socket.address.bits().to_le_bytes());
            state = hash_on(state, &socket.port.to_le_bytes());
        }
        hash_on(state, &self.start.micros().to_le_bytes())
    }

    /// Where a burst's `n`-th packet is in time.
    pub(crate) fn packet_time(&self, burst: &Burst, n: u64) -> Timestamp {
        let offset = match burst.phase {
            Phase::Opening => 0,
            Phase::Closing => self.duration_us,
            Phase::Spread => {
                let steps = 2 * i128::from(burst.packets);
                (i128::from(self.duration_us) * (2 * i128::from(n) + 1) / steps.max(1)) as i64
            }
        };
        self.start.plus_micros(offset)
    }
}

impl Packets {
    /// No packet at all.
    pub(crate) const NONE: Self =
        Self([Burst { packets: 0, octets: 0, flags: 0, phase: Phase::Spread }; BURSTS]);

    /// The bursts that hold packets.
    pub(crate) fn bursts(&self) -> impl Iterator<Item = &Burst> {
        self.0.iter().filter(|burst| burst.packets > 0)
    }

    /// How many.
    pub(crate) fn count(&self) -> u64 {
        self.bursts().map(|burst| u64::from(burst.packets)).sum()
    }

    /// Their IP octets.
    pub(crate) fn octets(&self) -> u64 {
        self.bursts().map(|burst| u64::from(burst.packets) * u64::from(burst.octets)).sum()
    }

    /// Octets above the transport header.
    pub(crate) fn payload(&self, headers: Headers) -> u64 {
        self.bursts()
            .map(|burst| {
                let header = if burst.flags & SYN == 0 { headers.data } else { headers.opening };
                u64::from(burst.packets) * u64::from(u32::from(burst.octets).saturating_sub(header))
            })
            .sum()
    }

    /// `count` packets of one size, without flags or with these.
    pub(crate) fn like(count: u32, octets: u32, flags: u8) -> Self {
        let mut packets = Self::NONE;
        packets.0[0] = burst(count, octets, flags, Phase::Spread);
        packets
    }

    /// A handshake, `payload` octets in segments as full as they get, two acknowledgements and
    /// `acks` more for what the other side sends, and a close.
    fn stream(payload: u64, acks: u64, opening: u8, headers: Headers) -> Self {
        let segment = u64::from(MTU - headers.data);
        let rest = (payload % segment) as u32;
        Self([
            burst(1, headers.opening, opening, Phase::Opening),
            burst(2 + acks as u32, headers.data, ACK, Phase::Spread),
            burst((payload / segment) as u32, MTU, ACK, Phase::Spread),
            burst(u32::from(rest > 0), headers.data + rest, PSH | ACK, Phase::Spread),
            burst(1, headers.data, FIN | ACK, Phase::Closing),
        ])
    }

    /// An upload of exactly `octets` IP octets over IPv4, [`LEAST_UPLOAD`] or more: 1,380 octets
    /// a packet on the mean, for nine acknowledgements go with every 100 full segments.
    fn upload(octets: u64, opening: u8) -> Self {
        let headers = Headers::V4_TCP;
        let (segment, ack) = (u64::from(MTU), u64::from(headers.data));
        let spread = octets - u64::from(headers.opening) - ack;
        let segments = spread * 100 / (100 * segment + 9 * ack);
        let mut acks = segments * 9 / 100;
        let mut rest = spread - segments * segment - acks * ack;
        while rest > segment {
            acks += 1;
            rest -= ack;
        }
        if rest > 0 && rest < ack {
            acks -= 1;
            rest += ack;
        }
        Self([
            burst(1, headers.opening, opening, Phase::Opening),
            burst(acks as u32, headers.data, ACK, Phase::Spread),
            burst(segments as u32, MTU, ACK, Phase::Spread),
            burst(u32::from(rest > 0), rest as u32, PSH | ACK, Phase::Spread),
            burst(1, headers.data, FIN | ACK, Phase::Closing),
        ])
    }
}

/// The smallest upload that [`upload`] can make up of whole packets.
pub(crate) const LEAST_UPLOAD: u64 = 20_000;

/// A TCP conversation over IPv4 in which the client sends exactly `octets` IP octets and the
/// server acknowledges, with `answer` octets of payload of its own.
pub(crate) fn upload(octets: u64, answer: u64) -> (Packets, Packets) {
    let sent = Packets::upload(octets, SYN);
    let answers = Packets::stream(answer, sent.count() / 2, SYN | ACK, Headers::V4_TCP);
    (sent, answers)
}

/// The same with the ends exchanged: the server answers with exactly `octets` IP octets.
pub(crate) fn download(octets: u64, request: u64) -> (Packets, Packets) {
    let sent = Packets::upload(octets, SYN | ACK);
    (Packets::stream(request, sent.count() / 2, SYN, Headers::V4_TCP), sent)
}

/// A tunnel into the client's network, as an operator uses it to look around: the server sends `small` packets with
/// hardly anything in them and a full one with every [`SMALL_TO_A_FULL`] of these, the client acknowledges some.
///
/// Who takes each packet of a sampled record for their mean knows nothing of the few that carry half of the
/// octets (`methods.md` §1.5).
pub(crate) fn tunnel(small: u32) -> (Packets, Packets) {
    let Headers { opening, data } = Headers::V4_TCP;
    let side = |handshake, small, octets, full| {
        Packets([
            burst(1, opening, handshake, Phase::Opening),
            burst(small, octets, ACK, Phase::Spread),
            burst(full, MTU, PSH | ACK, Phase::Spread),
            burst(0, 0, 0, Phase::Spread),
            burst(1, data, FIN | ACK, Phase::Closing),
        ])
    };
    (
        side(SYN, small / SMALL_TO_AN_ACK, data, 0),
        side(SYN | ACK, small, data + KEY_OCTETS, small / SMALL_TO_A_FULL),
    )
}

/// A packet in 26 is full: about where a mean misleads most, for full packets then carry half of the octets.
const SMALL_TO_A_FULL: u32 = 25;
/// Receivers that merge segments acknowledge few of them.
const SMALL_TO_AN_ACK: u32 = 8;
/// A key, a probe: what a small packet carries.
const KEY_OCTETS: u32 = 8;

/// A TCP conversation with this much payload each way.
pub(crate) fn exchange(asked: u64, answered: u64, headers: Headers) -> (Packets, Packets) {
    let segment = u64::from(MTU - headers.data);
    (
        Packets::stream(asked, answered / segment / 2, SYN, headers),
        Packets::stream(answered, asked / segment / 2, SYN | ACK, headers),
    )
}

/// A client's first packets that nobody answers: TCP tries three times.
pub(crate) fn unanswered(headers: Headers) -> (Packets, Packets) {
    (Packets::like(3, headers.opening, SYN), Packets::NONE)
}

/// A first packet that is refused.
pub(crate) fn refused(headers: Headers) -> (Packets, Packets) {
    (Packets::like(1, headers.opening, SYN), Packets::like(1, RESET_OCTETS, RST | ACK))
}

/// A handshake that the client breaks off, as a scanner does.
pub(crate) fn half_open() -> (Packets, Packets) {
    let mut probe = Packets::like(1, PROBE_OCTETS, SYN);
    probe.0[1] = burst(1, RESET_OCTETS, RST, Phase::Closing);
    (probe, Packets::like(1, PROBE_OCTETS, SYN | ACK))
}

/// A scanner's probe that nobody answers.
pub(crate) fn probe() -> (Packets, Packets) {
    (Packets::like(1, PROBE_OCTETS, SYN), Packets::NONE)
}

/// `count` answers to packets that the client never sent.
pub(crate) fn backscatter(count: u32) -> (Packets, Packets) {
    (Packets::NONE, Packets::like(count, PROBE_OCTETS, SYN | ACK))
}

/// A SYN with the one option that scanners send, MSS.
const PROBE_OCTETS: u32 = 44;
/// A reset has no options.
const RESET_OCTETS: u32 = 40;

const FIN: u8 = tcp::FIN as u8;
const SYN: u8 = tcp::SYN as u8;
const RST: u8 = tcp::RST as u8;
const PSH: u8 = tcp::PSH as u8;
const ACK: u8 = tcp::ACK as u8;

/// Octets of network and transport header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Headers {
    /// Of a packet that opens a TCP connection: 20 octets of options.
    pub(crate) opening: u32,
    /// Of any other: TCP with timestamps.
    pub(crate) data: u32,
}

impl Headers {
    /// TCP over IPv4.
    pub(crate) const V4_TCP: Self = Self { opening: 60, data: 52 };
    /// TCP over IPv6.
    pub(crate) const V6_TCP: Self = Self { opening: 80, data: 72 };
    /// UDP over IPv4.
    pub(crate) const V4_UDP: Self = Self { opening: 28, data: 28 };
    /// UDP over IPv6.
    pub(crate) const V6_UDP: Self = Self { opening: 48, data: 48 };

    /// Those of this conversation.
    pub(crate) const fn of(protocol: u8, address: Address) -> Self {
        match (protocol == protocol::UDP, address.is_v4()) {
            (false, true) => Self::V4_TCP,
            (false, false) => Self::V6_TCP,
            (true, true) => Self::V4_UDP,
            (true, false) => Self::V6_UDP,
        }
    }
}

fn burst(packets: u32, octets: u32, flags: u8, phase: Phase) -> Burst {
    debug_assert!(octets <= MTU);
    Burst { packets, octets: octets as u16, flags, phase }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_has_exactly_its_octets_in_possible_packets() {
        for octets in (LEAST_UPLOAD..LEAST_UPLOAD + 5_000).chain([100_000, 9_999_999, 80_000_001]) {
            let (sent, answers) = upload(octets, 700);
            assert_eq!(sent.octets(), octets);
            assert!(sent.bursts().all(|burst| (52..=1_500).contains(&burst.octets)), "{octets}: {sent:?}");
            assert!(answers.count() >= sent.count() / 2);
        }
    }

    #[test]
    fn a_large_upload_has_1380_octets_a_packet() {
        let (sent, _) = upload(50_000_000, 0);
        let mean = sent.octets() / sent.count();
        assert!((1_375..=1_385).contains(&mean), "{mean}");
    }

    #[test]
    fn payload_is_what_headers_leave() {
        let (asked, answered) = exchange(5_000, 100, Headers::V6_TCP);
        assert_eq!(asked.payload(Headers::V6_TCP), 5_000);
        assert_eq!(answered.payload(Headers::V6_TCP), 100);
        assert_eq!(asked.count(), 1 + 2 + 3 + 1 + 1);
    }

    #[test]
    fn half_of_what_comes_through_a_tunnel_is_in_few_packets() {
        let (out, back) = tunnel(50_000);
        assert_eq!((out.count(), back.count()), (6_252, 52_002));
        let full: u32 = back.bursts().filter(|b| u32::from(b.octets) == MTU).map(|b| b.packets).sum();
        assert_eq!((full, back.octets()), (2_000, 60 + 50_000 * 60 + 2_000 * 1_500 + 52));
    }

    #[test]
    fn packets_lie_between_start_and_end() {
        let (forward, reverse) = upload(100_000, 0);
        let session = Session {
            start: Timestamp::from_seconds(1_000),
            duration_us: 9_999_999,
            client: Socket { address: Address::UNSPECIFIED, port: 1 },
            server: Socket { address: Address::UNSPECIFIED, port: 2 },
            protocol: protocol::TCP,
            forward,
            reverse,
            outcome: Outcome::Complete,
            service: Service::None,
            path: Path::ALL,
        };
        for burst in forward.bursts() {
            let times: Vec<_> =
                (0..u64::from(burst.packets)).map(|n| session.packet_time(burst, n)).collect();
            assert!(times.is_sorted());
            assert!(times.iter().all(|&time| session.start <= time && time <= session.end()));
        }
    }
}
