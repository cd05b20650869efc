//! A capture (pcap, microseconds, Ethernet) of the datagrams that reached the collector.

use std::io::{self, Write};

use rahdar_model::time::SECOND_US;
use rahdar_model::{Address, Timestamp};

use super::Put;

/// MAC addresses for documentation (RFC 7042 §2.1.1).
pub(super) const COLLECTOR_MAC: [u8; 6] = [0x00, 0x00, 0x5e, 0x00, 0x53, 0x01];
pub(super) const ROUTER_MAC: [u8; 6] = [0x00, 0x00, 0x5e, 0x00, 0x53, 0x02];

const ETHERNET_OCTETS: usize = 14;
const IP_OCTETS: usize = 20;
const UDP_OCTETS: usize = 8;

/// Whose datagrams a capture holds, and where they went.
pub(crate) struct Route {
    pub(crate) from: (Address, u16),
    pub(crate) to: (Address, u16),
}

/// Writes a capture.
pub(crate) struct Pcap<W> {
    out: W,
    route: Route,
    frames: u16,
}

impl<W: Write> Pcap<W> {
    pub(crate) fn new(mut out: W, route: Route) -> io::Result<Self> {
        let mut header = Vec::with_capacity(24);
        header.extend(0xa1b2_c3d4_u32.to_le_bytes());
        header.extend(2_u16.to_le_bytes());
        header.extend(4_u16.to_le_bytes());
        header.extend([0; 8]);
        header.extend(65_535_u32.to_le_bytes());
        header.extend(1_u32.to_le_bytes()); // Ethernet
        out.write_all(&header)?;
        Ok(Self { out, route, frames: 0 })
    }

    /// Appends the frame of a datagram that arrived at `at`.
    pub(crate) fn datagram(&mut self, at: Timestamp, payload: &[u8]) -> io::Result<()> {
        let frame = self.frame(payload);
        let mut header = Vec::with_capacity(16);
        header.extend(((at.micros() / SECOND_US) as u32).to_le_bytes());
        header.extend(((at.micros() % SECOND_US) as u32).to_le_bytes());
        header.extend((frame.len() as u32).to_le_bytes());
        header.extend((frame.len() as u32).to_le_bytes());
        self.out.write_all(&header)?;
        self.out.write_all(&frame)
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn frame(&mut self, payload: &[u8]) -> Vec<u8> {
        let udp_octets = UDP_OCTETS + payload.len();
        let mut frame = Vec::with_capacity(ETHERNET_OCTETS + IP_OCTETS + udp_octets);
        frame.extend(COLLECTOR_MAC);
        frame.extend(ROUTER_MAC);
        frame.u16(0x0800);

        let ip = frame.len();
        frame.extend([0x45, 0]);
        frame.u16((IP_OCTETS + udp_octets) as u16);
        frame.u16(self.frames);
        frame.u16(0); // no fragment
        frame.extend([64, 17]); // hops, UDP
        frame.u16(0);
        frame.address(self.route.from.0);
        frame.address(self.route.to.0);
        let sum = checksum(&frame[ip..], 0);
        frame[ip + 10..ip + 12].copy_from_slice(&sum.to_be_bytes());
        self.frames = self.frames.wrapping_add(1);

        let udp = frame.len();
        frame.u16(self.route.from.1);
        frame.u16(self.route.to.1);
        frame.u16(udp_octets as u16);
        frame.u16(0);
        frame.extend(payload);
        // The pseudo header adds both addresses, the protocol and the length (RFC 768).
        let addresses = &frame[ip + 12..ip + 20];
        let pseudo = !checksum(addresses, 17 + udp_octets as u32);
        let sum = match checksum(&frame[udp..], u32::from(pseudo)) {
            0 => 0xffff,
            sum => sum,
        };
        frame[udp + 6..udp + 8].copy_from_slice(&sum.to_be_bytes());
        frame
    }
}

/// The Internet checksum (RFC 1071) of `octets`, begun with `sum`.
pub(super) fn checksum(octets: &[u8], mut sum: u32) -> u16 {
    for pair in octets.chunks(2) {
        sum += u32::from(pair[0]) << 8 | pair.get(1).copied().map_or(0, u32::from);
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_rfc_1071() {
        // RFC 1071 §3 sums these to ddf2; the checksum is its complement.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7], 0), !0xddf2);
    }
}
