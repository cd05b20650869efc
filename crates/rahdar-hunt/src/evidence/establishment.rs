//! G1: whether anything was exchanged, and who only knocked (`methods.md` §2.2).
//!
//! | state | dB |
//! |---|---|
//! | TCP payload both ways: known as such, or both sides with ACK and at least three packets and one side's packets larger than headers; sampled: five packets each way | +12 |
//! | both ways otherwise: payload one way and acknowledged, flags unknown, three or more datagram exchanges; sampled: a packet each way in two records | +8 |
//! | the victim called in vain on three days or more, or thirty times, and scans nobody: a silent command server | +4 |
//! | datagrams both ways, fewer than three exchanges | 0 |
//! | data one way only; datagrams of the victim to which none came back | 0, and p at most 0.80 |
//! | connected, and nothing said | −3 |
//! | the victim called in vain | −8 |
//! | the other end called in vain, or only to read a banner | −15, −3 |
//! | only replies to what the victim never sent | −20 |
//!
//! Of several sessions the best speaks. Sampled sessions are pooled: one packet in a thousand says
//! little of one session and much of fifty. Payload one way, the banner, thirty calls and the sizes
//! of sampled packets are chosen here, where the table of the specification leaves a gap.
//!
//! What a firewall refused is a call in vain, whatever its size. Of calls in vain no octet counts as
//! sent ([`is_attempt`]). Datagrams need no answer: that none came back is neither a call in vain nor a
//! silent command server, unless they were refused.
//!
//! Assumes that flags are the union over the packets seen. Wrong for exporters that report none
//! (states fall to the next lower) and for connections that carry so little that it hides among
//! headers.
//!
//! ```
//! use rahdar_hunt::evidence::establishment::{Exchange, of_session};
//! use rahdar_hunt::stitch::{Habits, stitch};
//! use rahdar_hunt::sweep::Contact;
//! use rahdar_model::store::{End, Sighting};
//! use rahdar_testkit::flow;
//!
//! // Eight packets out, six back, all flags of a complete connection: payload both ways.
//! let flow = flow("203.0.113.25:50000 > 192.0.2.9:443").sent(8, 1_200).answered(6, 900);
//! let flow = flow.flags(0x1b).answer_flags(0x1b).build();
//! let contacts = [Contact::of(&Sighting { end: End::Destination, flow })];
//! let sessions = stitch(&contacts, &Habits::of(&contacts), &|_, _| false);
//! assert_eq!(of_session(&sessions[0], false), Exchange::Payload);
//! ```

use std::collections::BTreeSet;

use rahdar_model::Day;
use rahdar_model::flow::{protocol, tcp};

use super::{Group, Row, counted};
use crate::stitch::{Half, REPLY_PACKETS, Session, is_large, is_mere_reply, is_opening};
use crate::sweep::Party;

/// Packets from each side that a connection with payload has at least: two of the handshake, one
/// more.
const LEAST_PACKETS: u64 = 3;
/// Datagram exchanges that are more than a question and its repetition.
const LEAST_EXCHANGES: u64 = 3;
/// Days on which a host calls in vain before that is a habit, or calls; the number of calls is
/// chosen here, for records that do not last three days: people give up sooner.
const SILENT_DAYS: usize = 3;
const SILENT_CALLS: u64 = 30;
/// Sampled packets each way that stand for payload both ways.
const SAMPLED_PACKETS: u64 = 5;
/// Sampled records that stand for an exchange.
const SAMPLED_RECORDS: u64 = 2;
/// Octets above which what a called victim sends is no banner. A guess: the longest greeting,
/// certificate chain included, is a tenth of this.
const BANNER_OCTETS: u64 = 100_000;

/// What happened between two hosts, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exchange {
    /// Payload both ways.
    Payload,
    /// Both ways, without proof of payload from each side.
    Answered,
    /// Calls in vain, day after day.
    Silent,
    /// Datagrams both ways, few.
    Slight,
    /// Data one way; the other was not seen.
    OneWay,
    /// Datagrams of the victim; none came back, and none had to.
    Sent,
    /// Connected, nothing said.
    Handshake,
    /// The victim called in vain.
    Unanswered,
    /// The remote called in vain.
    Probe,
    /// Replies to what the victim never sent.
    Backscatter,
}

impl Exchange {
    /// Decibans.
    pub const fn weight(self) -> f64 {
        match self {
            Self::Payload => 12.0,
            Self::Answered => 8.0,
            Self::Silent => 4.0,
            Self::Slight | Self::OneWay | Self::Sent => 0.0,
            Self::Handshake => -3.0,
            Self::Unanswered => -8.0,
            Self::Probe => -15.0,
            Self::Backscatter => -20.0,
        }
    }

    /// Whether something was exchanged both ways: weight +8 or more.
    pub const fn is_established(self) -> bool {
        matches!(self, Self::Payload | Self::Answered)
    }

    /// Whether data was seen, one way at least.
    pub const fn carries(self) -> bool {
        matches!(self, Self::Payload | Self::Answered | Self::Slight | Self::OneWay | Self::Sent)
    }

    /// Whether the victim took part, or may have.
    pub const fn is_contact(self) -> bool {
        !matches!(self, Self::Probe | Self::Backscatter)
    }
}

/// What several sessions between two hosts amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Establishment {
    /// The best of them, or all sampled ones together.
    pub exchange: Exchange,
    /// Whether it took several sessions together to say so.
    pub is_pooled: bool,
    /// Whether any of the sessions was sampled.
    pub is_sampled: bool,
    /// Sessions that show it; one that was cut for its age counts once.
    pub sessions: u64,
    /// Days on which they began.
    pub days: BTreeSet<Day>,
}

/// What one session shows. With `sees_one_way`, its vantage often misses one direction, so that
/// silence of the other end says nothing.
pub fn of_session(session: &Session, sees_one_way: bool) -> Exchange {
    let (out, back) = (&session.out, &session.back);
    match (session.protocol, out.seen(), back.seen()) {
        // What a firewall denied may have no packets: who opened it is known all the same.
        _ if session.is_refused => match session.opener {
            Some(Party::Victim) => Exchange::Unanswered,
            None if out.seen() => Exchange::Unanswered,
            Some(Party::Remote) | None => Exchange::Probe,
        },
        (protocol::TCP, ..) if is_sampled(session) => sampled_tcp(session),
        (protocol::TCP, true, true) => connection(session),
        (protocol::TCP, ..) => half_connection(session, sees_one_way),
        (protocol::ICMP | protocol::ICMPV6, true, true) => Exchange::Handshake,
        (protocol::ICMP | protocol::ICMPV6, true, false) if session.icmp_error => Exchange::Probe,
        (protocol::ICMP | protocol::ICMPV6, false, true) if session.icmp_error => Exchange::Backscatter,
        (_, true, true) => Exchange::Slight,
        _ if sees_one_way || is_sampled(session) => Exchange::OneWay,
        (protocol::ICMP | protocol::ICMPV6, true, false) => Exchange::Unanswered,
        (_, true, false) => Exchange::Sent,
        (_, false, _) => Exchange::Probe,
    }
}

/// Whether a session that shows `own` was a call in vain, of which nothing arrived: refused, or an
/// opening that nobody answered. A sample may have missed the answer: there it takes all the `whole`
/// that passed between the two. Datagrams need no answer to arrive.
pub fn is_attempt(session: &Session, own: Exchange, whole: Exchange) -> bool {
    let is_in_vain = |exchange| matches!(exchange, Exchange::Unanswered | Exchange::Silent);
    let is_opening = session.protocol == protocol::TCP && !session.out.is_large();
    session.is_refused || (is_opening && is_in_vain(own) && (!is_sampled(session) || is_in_vain(whole)))
}

fn is_sampled(session: &Session) -> bool {
    session.out.sampled || session.back.sampled
}

fn connection(session: &Session) -> Exchange {
    let (out, back) = (&session.out, &session.back);
    if back.flags.is_some_and(is_opening) {
        return Exchange::Probe;
    }
    if out.flags.is_some_and(is_opening) {
        return Exchange::Unanswered;
    }
    if let (Some(sent), Some(received)) = (out.payload, back.payload) {
        return match (sent > 0, received > 0) {
            (true, true) => Exchange::Payload,
            (false, false) => Exchange::Handshake,
            (true, false) if is_banner(session) => Exchange::Handshake,
            _ => Exchange::Answered,
        };
    }
    let spoken = out.packets.min(back.packets) >= LEAST_PACKETS && (out.is_large() || back.is_large());
    let acknowledged = |half: &Half| half.flags.map(|flags| flags & tcp::ACK != 0);
    match (acknowledged(out), acknowledged(back)) {
        _ if !spoken || is_banner(session) => Exchange::Handshake,
        (Some(true), Some(true)) => Exchange::Payload,
        (Some(false), _) | (_, Some(false)) => Exchange::Handshake,
        _ => Exchange::Answered,
    }
}

/// Whether the remote called, said nothing, and was greeted.
fn is_banner(session: &Session) -> bool {
    let silent = match session.back.payload {
        Some(octets) => octets == 0,
        None => !session.back.is_large(),
    };
    session.opener == Some(Party::Remote) && silent && session.out.octets < BANNER_OCTETS
}

/// A TCP session of which one direction was seen.
fn half_connection(session: &Session, sees_one_way: bool) -> Exchange {
    let (half, in_vain, replied) = match session.out.seen() {
        true => (&session.out, Exchange::Unanswered, Exchange::Probe),
        false => (&session.back, Exchange::Probe, Exchange::Backscatter),
    };
    let is_data = half.packets >= LEAST_PACKETS && half.is_large();
    match half.flags {
        Some(flags) if is_opening(flags) => in_vain,
        Some(flags) if is_mere_reply(half.packets, half.octets, flags) => replied,
        Some(flags) if is_data || (flags & tcp::ACK != 0 && half.packets > REPLY_PACKETS) => Exchange::OneWay,
        None if is_data && sees_one_way => Exchange::OneWay,
        _ => in_vain,
    }
}

/// A sampled TCP session by itself. What carries something is pooled later.
fn sampled_tcp(session: &Session) -> Exchange {
    let (out, back) = (&session.out, &session.back);
    match (out.carrying_packets > 0, back.carrying_packets > 0) {
        (true, true) if out.is_large() || back.is_large() => Exchange::Slight,
        (true, true) => Exchange::Handshake,
        (true, false) if is_large(out.carrying_packets, out.carrying_octets) => Exchange::OneWay,
        (false, true) if is_large(back.carrying_packets, back.carrying_octets) => Exchange::OneWay,
        (true, false) | (false, true) => Exchange::Handshake,
        (false, false) if out.seen() && back.seen() => {
            let probed = back.flags.is_some_and(is_opening);
            if probed { Exchange::Probe } else { Exchange::Handshake }
        }
        (false, false) => half_connection(session, false),
    }
}

/// What these sessions of one pair amount to. `victim_scans` takes the meaning from calls in vain.
pub fn of_sessions<'a>(
    sessions: impl IntoIterator<Item = &'a Session>,
    sees_one_way: bool,
    victim_scans: bool,
) -> Establishment {
    let judged: Vec<(&Session, Exchange)> =
        sessions.into_iter().map(|session| (session, of_session(session, sees_one_way))).collect();
    let best = judged.iter().map(|(_, exchange)| *exchange).min().unwrap_or(Exchange::Backscatter);
    let together = pooled(&judged);
    let mut exchange = best.min(together);
    if matches!(exchange, Exchange::Sent | Exchange::Unanswered) && !victim_scans && is_silent(&judged) {
        exchange = Exchange::Silent;
    }
    let shown = judged.iter().filter(|(session, own)| shows(session, *own, exchange));
    let mut all = Establishment {
        exchange,
        is_pooled: together < best,
        is_sampled: judged.iter().any(|(session, _)| is_sampled(session)),
        sessions: 0,
        days: BTreeSet::new(),
    };
    let mut connections = BTreeSet::new();
    for (session, _) in shown {
        all.sessions += u64::from(connections.insert(session.connection));
        all.days.extend(&session.days);
    }
    all
}

/// Whether calls in vain are a habit. An echo that nobody answered is none.
fn is_silent(judged: &[(&Session, Exchange)]) -> bool {
    let is_call = |session: &Session, own| {
        let opens = session.protocol == protocol::TCP || session.is_refused;
        own == Exchange::Unanswered && opens
    };
    let calls = || judged.iter().filter(|(session, own)| is_call(session, *own)).map(|(session, _)| session);
    let connections: BTreeSet<_> = calls().map(|session| session.connection).collect();
    let days: BTreeSet<&Day> = calls().flat_map(|session| &session.days).collect();
    days.len() >= SILENT_DAYS || connections.len() as u64 >= SILENT_CALLS
}

/// What sampled connections and datagrams amount to together.
fn pooled(judged: &[(&Session, Exchange)]) -> Exchange {
    let (mut out, mut back) = (Half::default(), Half::default());
    let (mut asked, mut answered, mut exchanges) = (0_u64, 0_u64, 0_u64);
    let (mut records, mut only_banners) = (0_u64, true);
    for (session, exchange) in judged {
        match (session.protocol, is_sampled(session)) {
            (protocol::TCP, true) => {
                for (sum, half) in [(&mut out, &session.out), (&mut back, &session.back)] {
                    sum.packets = sum.packets.saturating_add(half.carrying_packets);
                    sum.octets = sum.octets.saturating_add(half.carrying_octets);
                    records = records.saturating_add(half.carrying_records);
                }
                only_banners &= session.opener == Some(Party::Remote);
            }
            (_, true) if matches!(exchange, Exchange::Slight | Exchange::OneWay) => {
                asked = asked.saturating_add(session.out.packets);
                answered = answered.saturating_add(session.back.packets);
            }
            _ if *exchange == Exchange::Slight => {
                exchanges = exchanges.saturating_add(session.out.packets.min(session.back.packets));
            }
            _ => {}
        }
    }
    let exchanges = exchanges.saturating_add(asked.min(answered));
    let fewest = out.packets.min(back.packets);
    let banner = only_banners && !is_large(back.packets, back.octets) && out.octets < BANNER_OCTETS;
    let spoken = (out.is_large() || back.is_large()) && !banner;
    match fewest {
        SAMPLED_PACKETS.. if spoken => Exchange::Payload,
        1.. if spoken && records >= SAMPLED_RECORDS => Exchange::Answered,
        _ if exchanges >= LEAST_EXCHANGES => Exchange::Answered,
        1.. if !spoken => Exchange::Handshake,
        _ => Exchange::Backscatter,
    }
}

/// Sessions that show `exchange`: those of that state, and for pooled states those that went into
/// the pool.
fn shows(session: &Session, own: Exchange, exchange: Exchange) -> bool {
    match exchange {
        Exchange::Payload | Exchange::Answered => {
            own.is_established()
                || own == Exchange::Slight
                || (own == Exchange::OneWay && is_sampled(session))
        }
        Exchange::Silent => own == Exchange::Unanswered,
        _ => own == exchange,
    }
}

impl Establishment {
    /// The reason.
    pub fn row(&self) -> Row {
        let sessions = counted(self.sessions, "session");
        let days = counted(self.days.len() as u64, "day");
        let (kind, text) = match self.exchange {
            Exchange::Payload | Exchange::Answered if self.is_pooled => {
                let packets = if self.is_sampled { "sampled packets" } else { "packets" };
                ("establishment", format!("{packets} went both ways, over {sessions} on {days}"))
            }
            Exchange::Payload => ("establishment", format!("payload went both ways: {sessions} on {days}")),
            Exchange::Answered => ("establishment", format!("packets went both ways: {sessions} on {days}")),
            Exchange::Silent => (
                "c2_silent",
                format!("no call of the victim was accepted: {sessions} on {days}, infection suspected"),
            ),
            Exchange::Slight => ("establishment", "a few datagrams went both ways".to_owned()),
            Exchange::OneWay => ("one_way", "one direction was seen, the other was not".to_owned()),
            Exchange::Sent => {
                ("one_way", format!("datagrams went out, and none came back: {sessions} on {days}"))
            }
            Exchange::Handshake => {
                ("no_payload", format!("the two reached each other and said nothing: {sessions}"))
            }
            Exchange::Unanswered => ("no_answer", format!("no call of the victim was accepted: {sessions}")),
            Exchange::Probe => {
                ("scanner", format!("the address called and got nowhere: {sessions} on {days}"))
            }
            Exchange::Backscatter => {
                ("backscatter", format!("only replies to what the victim never sent: {sessions}"))
            }
        };
        Row::new(Group::Establishment, kind, self.exchange.weight(), text)
    }
}

#[cfg(test)]
mod tests {
    use rahdar_model::store::{End, Sighting};
    use rahdar_testkit::builder::FlowBuilder;
    use rahdar_testkit::flow;

    use super::*;
    use crate::stitch::{Habits, stitch};
    use crate::sweep::Contact;

    const SYN: u16 = tcp::SYN;
    const ACK: u16 = tcp::ACK;
    const PSH: u16 = tcp::PSH;
    const RST: u16 = tcp::RST;

    fn sessions(flows: impl IntoIterator<Item = FlowBuilder>) -> Vec<Session> {
        let remote = "192.0.2.9".parse().unwrap();
        let contact = |flow: FlowBuilder| {
            let flow = flow.build();
            let end = if flow.src == remote { End::Source } else { End::Destination };
            Contact::of(&Sighting { end, flow })
        };
        let mut contacts: Vec<Contact> = flows.into_iter().map(contact).collect();
        contacts.sort();
        stitch(&contacts, &Habits::of(&contacts), &|_, _| false)
    }

    /// The victim calls.
    fn call() -> FlowBuilder {
        flow("203.0.113.25:50000 > 192.0.2.9:443")
    }

    /// The remote calls.
    fn called() -> FlowBuilder {
        flow("192.0.2.9:50000 > 203.0.113.25:25")
    }

    fn check(flow: FlowBuilder, expected: Exchange) {
        let session = &sessions([flow])[0];
        assert_eq!(of_session(session, false), expected, "{session:#?}");
    }

    #[test]
    fn a_connection_is_told_by_its_payload() {
        let talk =
            |out, back| call().sent(8, out).answered(6, back).flags(SYN | ACK | PSH).answer_flags(SYN | ACK);
        check(talk(1_200, 400), Exchange::Payload);
        check(talk(320, 900), Exchange::Payload);
        check(talk(420, 320), Exchange::Handshake);
        check(call().sent(8, 1_200).answered(6, 900), Exchange::Answered);
        check(call().sent(2, 200).answered(2, 100), Exchange::Handshake);
    }

    #[test]
    fn known_payload_goes_before_sizes() {
        let zeek = |sent: u64, received: u64| {
            let mut record = call().sent(8, 9_000).answered(6, 360).build();
            (record.payload_octets, record.rev_payload_octets) = (Some(sent), Some(received));
            let contact = Contact::of(&Sighting { end: End::Destination, flow: record });
            let contacts = [contact];
            of_session(&stitch(&contacts, &Habits::of(&contacts), &|_, _| false)[0], false)
        };
        assert_eq!(zeek(8_000, 20), Exchange::Payload);
        assert_eq!(zeek(8_000, 0), Exchange::Answered);
        assert_eq!(zeek(0, 0), Exchange::Handshake);
    }

    #[test]
    fn knocking_is_told_by_who_knocks() {
        check(call().sent(3, 180).flags(SYN), Exchange::Unanswered);
        check(call().sent(1, 60).answered(1, 40).flags(SYN).answer_flags(RST | ACK), Exchange::Unanswered);
        check(called().sent(1, 44).flags(SYN), Exchange::Probe);
        check(called().sent(2, 84).answered(1, 44).flags(SYN | RST).answer_flags(SYN | ACK), Exchange::Probe);
        check(call().sent(2, 84).flags(RST | ACK), Exchange::Probe);
        check(called().sent(5, 220).flags(SYN | ACK), Exchange::Backscatter);
        check(called().sent(1, 40).flags(RST), Exchange::Backscatter);
    }

    #[test]
    fn one_direction_is_data_if_it_is_large_or_goes_on() {
        check(call().sent(900, 1_200_000).flags(ACK | PSH), Exchange::OneWay);
        check(called().sent(900, 46_800).flags(ACK), Exchange::OneWay);
        check(called().sent(2, 80).flags(ACK), Exchange::Probe);
        check(call().sent(900, 1_200_000), Exchange::Unanswered);
        let session = &sessions([call().sent(900, 1_200_000)])[0];
        assert_eq!(of_session(session, true), Exchange::OneWay);
    }

    #[test]
    fn datagrams_need_three_exchanges_in_all() {
        let ask = |n: i64| {
            let at = rahdar_model::Timestamp::from_seconds(1_600_000_000 + n * 4_000);
            call().udp().at_time(at).sent(1, 80).answered(1, 120)
        };
        let amount = |n| of_sessions(&sessions((0..n).map(ask)), false, false).exchange;
        assert_eq!([1, 2, 3].map(amount), [Exchange::Slight, Exchange::Slight, Exchange::Answered]);
        check(call().udp().sent(5, 400), Exchange::Sent);
        check(call().udp().sent(5, 400).state("REJECT"), Exchange::Unanswered);
        check(called().udp().sent(5, 400), Exchange::Probe);
    }

    #[test]
    fn sampled_handshakes_are_no_exchange_however_many() {
        let day = |n: i64| rahdar_model::Timestamp::from_seconds(1_600_000_000 + n * 86_400);
        let probe = |n| called().at_time(day(n)).sent(1, 40).flags(ACK).sampled(1_000);
        let reply = |n| {
            flow("203.0.113.25:25 > 192.0.2.9:50000").at_time(day(n)).sent(1, 52).flags(ACK).sampled(1_000)
        };
        let all = of_sessions(&sessions((0..40).flat_map(|n| [probe(n), reply(n)])), false, false);
        assert_eq!(all.exchange, Exchange::Handshake);
    }

    #[test]
    fn silence_is_of_calls_that_need_an_answer() {
        let day = |n: i64| rahdar_model::Timestamp::from_seconds(1_600_000_000 + n * 86_400);
        let datagrams = |n| call().udp().at_time(day(n)).sent(100, 500_000);
        let echo = |n| call().protocol(protocol::ICMP).at_time(day(n)).sent(1, 64);
        let syn = |n| call().at_time(day(n)).sent(1, 60).flags(SYN);
        let of = |flows: Vec<FlowBuilder>| of_sessions(&sessions(flows), false, false);
        let sent = of((0..6).map(datagrams).collect());
        assert_eq!((sent.exchange, sent.exchange.weight()), (Exchange::Sent, 0.0));
        assert_eq!(sent.row().reason.text, "datagrams went out, and none came back: 6 sessions on 6 days");
        assert_eq!(of((0..6).map(echo).collect()).exchange, Exchange::Unanswered);
        let both = of((0..6).flat_map(|n| [datagrams(n), syn(n)]).collect());
        assert_eq!((both.exchange, both.sessions), (Exchange::Silent, 6));
    }

    #[test]
    fn a_scanner_has_no_silent_command_server() {
        let calls = || {
            sessions((0..40).map(|n| {
                let at = rahdar_model::Timestamp::from_seconds(1_600_000_000 + n * 86_400);
                call().at_time(at).sent(1, 60).flags(SYN)
            }))
        };
        assert_eq!(of_sessions(&calls(), false, false).exchange, Exchange::Silent);
        assert_eq!(of_sessions(&calls(), false, true).exchange, Exchange::Unanswered);
    }
}
