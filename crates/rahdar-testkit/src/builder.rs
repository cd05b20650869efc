//! Flows written in one line.

use std::net::SocketAddr;

use rahdar_model::flow::{FlowRecord, Initiator, Quality, SamplingSource, protocol};
use rahdar_model::time::{SECOND_US, Timestamp, Window};
use rahdar_model::{Address, Prefix};

/// Begins a flow from its ends: `203.0.113.25:443 > 192.0.2.9:8080`, `[2001:db8::1]:53 > …`, or
/// addresses alone.
///
/// Unless told otherwise it is an unsampled TCP uniflow of 10 packets and 1,000 octets that
/// exporter `r1` saw at noon of 2021-08-15 for one second.
///
/// # Panics
/// If the ends cannot be read.
pub fn flow(ends: &str) -> FlowBuilder {
    let (src, dst) = ends.split_once('>').unwrap_or_else(|| panic!("`{ends}` has no `>`"));
    let mut record = FlowRecord::new("r1".into(), "test".into());
    (record.src, record.src_port) = endpoint(src);
    (record.dst, record.dst_port) = endpoint(dst);
    record.protocol = protocol::TCP;
    record.packets = 10;
    record.octets = 1_000;
    record.sampling_interval = Some(1);
    record.sampling_source = Some(SamplingSource::Assumed);
    record.source_row = 1;
    FlowBuilder(record).at("2021-08-15T12:00:00Z").lasting_s(1)
}

fn endpoint(text: &str) -> (Address, u16) {
    let text = text.trim();
    match text.parse::<SocketAddr>() {
        Ok(socket) => (socket.ip().into(), socket.port()),
        Err(_) => (text.parse().unwrap_or_else(|error| panic!("{error}")), 0),
    }
}

/// A flow in the making.
#[derive(Debug, Clone)]
pub struct FlowBuilder(FlowRecord);

impl FlowBuilder {
    /// The flow.
    pub fn build(self) -> FlowRecord {
        self.0
    }

    /// First packet. The duration stays.
    ///
    /// # Panics
    /// If `start` is no time.
    pub fn at(self, start: &str) -> Self {
        self.at_time(time(start))
    }

    /// First packet. The duration stays.
    pub fn at_time(mut self, start: Timestamp) -> Self {
        let lasting_us = self.0.end_time.since(self.0.start_time);
        self.0.start_time = start;
        self.0.end_time = start.plus_micros(lasting_us);
        self
    }

    /// Seconds from the first packet to the last.
    pub fn lasting_s(mut self, seconds: i64) -> Self {
        self.0.end_time = self.0.start_time.plus_micros(seconds * SECOND_US);
        self
    }

    /// IP protocol.
    pub fn protocol(mut self, number: u8) -> Self {
        self.0.protocol = number;
        self
    }

    /// UDP, without TCP flags.
    pub fn udp(mut self) -> Self {
        self.0.tcp_flags = None;
        self.0.rev_tcp_flags = None;
        self.protocol(protocol::UDP)
    }

    /// Forward packets and octets.
    pub fn sent(mut self, packets: u64, octets: u64) -> Self {
        self.0.packets = packets;
        self.0.octets = octets;
        self
    }

    /// Reverse packets and octets: makes it a biflow.
    pub fn answered(mut self, packets: u64, octets: u64) -> Self {
        self.0.rev_packets = Some(packets);
        self.0.rev_octets = Some(octets);
        self
    }

    /// Forward TCP flags.
    pub fn flags(mut self, flags: u16) -> Self {
        self.0.tcp_flags = Some(flags);
        self
    }

    /// Reverse TCP flags.
    pub fn answer_flags(mut self, flags: u16) -> Self {
        self.0.rev_tcp_flags = Some(flags);
        self
    }

    /// Who opened it.
    pub fn opened_by(mut self, initiator: Initiator) -> Self {
        self.0.initiator = Some(initiator);
        self
    }

    /// Why its record ended (IPFIX element 136).
    pub fn ended(mut self, reason: u8) -> Self {
        self.0.end_reason = Some(reason);
        self
    }

    /// Sampled one packet in `interval`, as an options template said.
    pub fn sampled(mut self, interval: u32) -> Self {
        self.0.sampling_interval = Some(interval);
        self.0.sampling_source = Some(SamplingSource::OptionTemplate);
        self
    }

    /// Sampled, nobody knows how.
    pub fn rate_unknown(mut self) -> Self {
        self.0.sampling_interval = None;
        self.0.sampling_source = None;
        self.marked(Quality::RATE_UNKNOWN)
    }

    /// Who saw it.
    pub fn exporter(mut self, name: &str) -> Self {
        self.0.exporter = name.into();
        self
    }

    /// The exporter's subdivision that saw it.
    pub fn domain(mut self, observation_domain: u32) -> Self {
        self.0.observation_domain = observation_domain;
        self
    }

    /// Adds quality marks.
    pub fn marked(mut self, marks: Quality) -> Self {
        self.0.quality |= marks;
        self
    }

    /// Application protocol.
    pub fn service(mut self, name: &str) -> Self {
        self.0.service = name.to_owned();
        self
    }

    /// The source's own id of the flow.
    pub fn uid(mut self, uid: &str) -> Self {
        self.0.uid = uid.to_owned();
        self
    }

    /// Connection state as the source names it.
    pub fn state(mut self, state: &str) -> Self {
        self.0.state = state.to_owned();
        self
    }

    /// The file and the record in it.
    pub fn from(mut self, source: &str, row: u64) -> Self {
        self.0.source = source.into();
        self.0.source_row = row;
        self
    }
}

impl From<FlowBuilder> for FlowRecord {
    fn from(builder: FlowBuilder) -> Self {
        builder.build()
    }
}

/// A prefix or a single address.
///
/// # Panics
/// If it is none.
pub fn prefix(text: &str) -> Prefix {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// A time.
///
/// # Panics
/// If it is none.
pub fn time(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// The window `[from, until)`.
///
/// # Panics
/// If one of them is no time.
pub fn window(from: &str, until: &str) -> Window {
    Window::new(time(from), time(until))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read_with_and_without_ports() {
        let v4 = flow("203.0.113.25:443 > 192.0.2.9:8080").build();
        assert_eq!((v4.src_port, v4.dst_port), (443, 8080));
        let v6 = flow("[2001:db8::1]:53 > 2001:db8::2").build();
        assert_eq!((v6.src_port, v6.dst.to_string().as_str()), (53, "2001:db8::2"));
    }

    #[test]
    fn moving_a_flow_keeps_its_duration() {
        let record = flow("192.0.2.1 > 192.0.2.2").lasting_s(90).at("2021-01-01").build();
        assert_eq!(record.end_time, time("2021-01-01T00:01:30Z"));
    }
}
