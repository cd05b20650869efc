//! A sink that keeps everything, and the one way in which these tests decode.

use std::io::Read;

use rahdar_model::fact::{Answer, Fact, Gap, Handshake, Resolution};
use rahdar_model::sink::SinkError;
use rahdar_model::{FlowRecord, FlowSink, Problem, Tally, Timestamp};
use rahdar_wire::{Options, WireError, decode};

/// The first and the last time that the lake holds: 0001-01-01 and the end of 9999-12-30.
pub(crate) const CALENDAR: (Timestamp, Timestamp) =
    (Timestamp::from_seconds(-62_135_596_800), Timestamp::from_micros(253_402_214_399_999_999));

/// What is said of an input that grows beyond reason.
pub(crate) const BOMB: &str = "it grows more than 200 times when it is unpacked, and is refused as a whole; if you trust it, \
     unpack it first";

fn is_in_calendar(time: Timestamp) -> bool {
    (CALENDAR.0..=CALENDAR.1).contains(&time)
}

/// What a decoder gave.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) flows: Vec<FlowRecord>,
    pub(crate) resolutions: Vec<Resolution>,
    pub(crate) handshakes: Vec<Handshake>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) problems: Vec<Problem>,
}

impl FlowSink for Kept {
    fn flow(&mut self, record: &FlowRecord) -> Result<(), SinkError> {
        self.flows.push(record.clone());
        Ok(())
    }

    fn fact(&mut self, fact: Fact<'_>) -> Result<(), SinkError> {
        match fact {
            Fact::Resolution(resolution) => self.resolutions.push(resolution.clone()),
            Fact::Handshake(handshake) => self.handshakes.push(handshake.clone()),
            Fact::Gap(gap) => self.gaps.push(gap.clone()),
        }
        Ok(())
    }

    fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}

impl Kept {
    /// IP octets of all flows, both ways.
    pub(crate) fn octets(&self) -> u64 {
        self.flows.iter().map(FlowRecord::total_octets).sum()
    }

    /// Packets of all flows, both ways.
    pub(crate) fn packets(&self) -> u64 {
        self.flows.iter().map(FlowRecord::total_packets).sum()
    }

    /// The problems as people read them.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.problems.iter().map(ToString::to_string).collect()
    }
}

/// Decodes and checks what must hold for any input: the counts add up, and every refusal is named.
pub(crate) fn decode_all(mut input: impl Read, options: &Options) -> (Kept, Result<Tally, WireError>) {
    let mut kept = Kept::default();
    let result = decode(&mut input, "test".into(), options, &mut kept);
    let tally = match &result {
        Ok(tally) | Err(WireError::Read { tally, .. }) => *tally,
        Err(_) => Tally::default(),
    };
    assert!(tally.balances(), "{tally:?}");
    assert_eq!(tally.flows, kept.flows.len() as u64);
    assert_eq!(tally.facts, (kept.resolutions.len() + kept.handshakes.len()) as u64);
    let named: u64 = kept.problems.iter().map(|problem| problem.refused).sum();
    assert_eq!(tally.refused, named, "{:?}", kept.problems);
    for flow in &kept.flows {
        assert!(flow.start_time <= flow.end_time, "{flow:?}");
        let times = [Some(flow.start_time), Some(flow.end_time), flow.export_time, flow.received_time];
        assert!(times.into_iter().flatten().all(is_in_calendar), "{flow:?}");
    }
    let facts = kept.resolutions.iter().map(|resolution| resolution.time);
    for time in facts.chain(kept.handshakes.iter().map(|handshake| handshake.time)) {
        assert!(is_in_calendar(time), "{time:?}");
    }
    for gap in &kept.gaps {
        assert!(
            gap.lost > 0 && is_in_calendar(gap.window.from) && is_in_calendar(gap.window.until),
            "{gap:?}"
        );
    }
    (kept, result)
}

/// Decodes an input that must be readable.
pub(crate) fn decoded(input: &[u8]) -> (Kept, Tally) {
    let (kept, result) = decode_all(input, &Options::default());
    (kept, result.unwrap())
}

/// A flow in one line: who, how much each way, flags, end reason, marks.
pub(crate) fn line(flow: &FlowRecord) -> String {
    let ends = match (flow.icmp_type, flow.icmp_code) {
        (Some(kind), Some(code)) => format!("{} > {} icmp {kind}/{code}", flow.src, flow.dst),
        _ => {
            format!("{} {} > {} {} proto {}", flow.src, flow.src_port, flow.dst, flow.dst_port, flow.protocol)
        }
    };
    let mut line = format!("{ends}: {} in {}", flow.octets, flow.packets);
    if let (Some(octets), Some(packets)) = (flow.rev_octets, flow.rev_packets) {
        line += &format!(", back {octets} in {packets}");
    }
    if let (Some(flags), Some(back)) = (flow.tcp_flags, flow.rev_tcp_flags) {
        line += &format!(", flags {flags:#04x} {back:#04x}");
    }
    if let Some(reason) = flow.end_reason {
        line += &format!(", end {reason}");
    }
    for mark in flow.quality.names() {
        line += &format!(", {mark}");
    }
    line
}

/// A resolution in one line: who asked whom for what, and what came.
pub(crate) fn resolution_line(resolution: &Resolution) -> String {
    let Resolution { client, server, name, .. } = resolution;
    let code = |code: Option<u16>| code.map_or("-".to_owned(), |code| code.to_string());
    let answer = match &resolution.answer {
        Answer::None => "nothing".to_owned(),
        Answer::Address(address) => address.to_string(),
        Answer::Text(text) => format!("`{text}`"),
    };
    let mut line = format!(
        "{client} asks {server} for {name} {}: {} {answer}",
        code(resolution.question),
        code(resolution.response)
    );
    if let Some(ttl) = resolution.ttl_s {
        line += &format!(" for {ttl} s");
    }
    line
}

/// A handshake in one line: every text that it has.
pub(crate) fn handshake_line(handshake: &Handshake) -> String {
    let Handshake { client, client_port, server, server_port, .. } = handshake;
    let mut line = format!("{client} {client_port} > {server} {server_port}");
    for (name, text) in [
        ("to", &handshake.server_name),
        ("by", &handshake.version),
        ("ja3", &handshake.ja3),
        ("ja3s", &handshake.ja3s),
        ("ja4", &handshake.ja4),
        ("certificate", &handshake.certificate),
        ("subject", &handshake.subject),
        ("issuer", &handshake.issuer),
    ] {
        if !text.is_empty() {
            line += &format!(", {name} {text}");
        }
    }
    match handshake.established {
        Some(true) => line += ", established",
        Some(false) => line += ", failed",
        None => {}
    }
    line
}
