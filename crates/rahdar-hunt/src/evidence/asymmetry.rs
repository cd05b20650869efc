//! G7: which way the octets went (`methods.md` §2.2).
//!
//! | state | dB |
//! |---|---|
//! | at least 1 MB left the victim (the lower bound), three times what came or more | +4 |
//! | both ways under 1 MB, neither three times the other | +1 |
//! | at least 10 MB came, ten times what left or more | −3 |
//!
//! The ratio is that of payload, estimated as octets without 52 a packet (IPv4 and TCP with
//! timestamps), because acknowledgements alone would tip it; a ratio of 3 is a producer/consumer
//! ratio of 0.5 (Bullard and Gerth, FloCon 2014). Wrong for traffic of another header size, by
//! little.
//!
//! ```
//! use rahdar_hunt::evidence::asymmetry::{Flow, weight};
//!
//! let upload = Flow { octets: 5e6, low: 4e6, packets: 4_000.0 };
//! let acknowledgements = Flow { octets: 1e5, low: 1e5, packets: 2_000.0 };
//! assert_eq!(weight(upload, acknowledgements), 4.0);
//! ```

use super::{Group, Row};

const HEADER_OCTETS: f64 = 52.0;
const MUCH_OUT_OCTETS: f64 = 1e6;
const MUCH_IN_OCTETS: f64 = 10e6;
const OUT_RATIO: f64 = 3.0;
const IN_RATIO: f64 = 10.0;

/// What went one way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flow {
    /// IP octets, estimated.
    pub octets: f64,
    /// IP octets, at least.
    pub low: f64,
    /// Packets, estimated.
    pub packets: f64,
}

impl Flow {
    fn payload(self) -> f64 {
        (self.octets - HEADER_OCTETS * self.packets).max(0.0)
    }
}

/// Decibans.
pub fn weight(out: Flow, back: Flow) -> f64 {
    let (sent, received) = (out.payload(), back.payload());
    if out.low >= MUCH_OUT_OCTETS && sent >= OUT_RATIO * received {
        4.0
    } else if back.low >= MUCH_IN_OCTETS && received >= IN_RATIO * sent {
        -3.0
    } else if sent > 0.0
        && received > 0.0
        && sent.max(received) < MUCH_OUT_OCTETS
        && sent < OUT_RATIO * received
        && received < OUT_RATIO * sent
    {
        1.0
    } else {
        0.0
    }
}

/// The reason, if it weighs.
pub fn row(out: Flow, back: Flow) -> Option<Row> {
    let weight = weight(out, back);
    let (kind, text) = match weight {
        4.0.. => ("asymmetry", "at least 1 MB left the victim, three times what came or more"),
        0.5.. => ("asymmetry", "little went either way, and about as much each way"),
        ..0.0 => ("download", "far more came than left: delivery, or an ordinary download"),
        _ => return None,
    };
    Some(Row::new(Group::Asymmetry, kind, weight, text.to_owned()))
}
