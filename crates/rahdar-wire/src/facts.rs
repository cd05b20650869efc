//! The one resolution and the one handshake of a decoder, and the texts in them.

use rahdar_model::fact::{Answer, Fact, Handshake, Resolution};
use rahdar_model::sink::SinkError;
use rahdar_model::{Address, Timestamp};

use crate::delivery::Delivery;
use crate::value::address;

/// The longest text of a fact that is kept; the rest of a longer one is cut off. Chosen here: a
/// name has 255 octets at most (RFC 1035 §2.3.4), four times as many where each is escaped, and the
/// names in certificates stay below a few hundred.
const TEXT_OCTETS_MAX: usize = 1_024;

/// The most answers of one response that are kept: no DNS message has more, of 65,535 octets with a
/// header of 12 and 11 for the shortest record (RFC 1035 §4.1).
pub(crate) const ANSWERS_MAX: usize = (65_535 - 12) / 11;

/// Appends a text of the input as plain text, its escapes resolved.
pub(crate) type Unescape<'f> = &'f dyn Fn(&[u8], &mut String);

/// Refilled for each fact.
pub(crate) struct Facts {
    pub(crate) resolution: Resolution,
    pub(crate) handshake: Handshake,
    /// The buffer of an answer while there is no text in it.
    spare: String,
}

impl Facts {
    /// Facts of the delivery's exporter and source.
    pub(crate) fn new(delivery: &Delivery<'_>) -> Self {
        let record = &delivery.record;
        Self {
            resolution: Resolution::new(record.exporter.clone(), record.source.clone()),
            handshake: Handshake::new(record.exporter.clone(), record.source.clone()),
            spare: String::new(),
        }
    }

    /// Empties the resolution and says when and where it was.
    pub(crate) fn begin_resolution(
        &mut self,
        time: Timestamp,
        row: u64,
        delivery: &Delivery<'_>,
    ) -> &mut Resolution {
        self.set_answer(Answer::None);
        let resolution = &mut self.resolution;
        resolution.time = delivery.moved(time);
        resolution.exporter.clone_from(&delivery.record.exporter);
        resolution.source_row = row;
        resolution.name.clear();
        resolution.question = None;
        resolution.response = None;
        resolution.ttl_s = None;
        resolution
    }

    /// Empties the handshake and says when and where it was.
    pub(crate) fn begin_handshake(
        &mut self,
        time: Timestamp,
        row: u64,
        delivery: &Delivery<'_>,
    ) -> &mut Handshake {
        let handshake = &mut self.handshake;
        handshake.time = delivery.moved(time);
        handshake.exporter.clone_from(&delivery.record.exporter);
        handshake.source_row = row;
        for text in [
            &mut handshake.server_name,
            &mut handshake.version,
            &mut handshake.ja3,
            &mut handshake.ja3s,
            &mut handshake.ja4,
            &mut handshake.certificate,
            &mut handshake.subject,
            &mut handshake.issuer,
        ] {
            text.clear();
        }
        handshake.established = None;
        handshake
    }

    /// Sets the answer to an address, if the text is one; to a text otherwise.
    pub(crate) fn answer(&mut self, text: &[u8], unescape: Unescape<'_>) {
        match address(text) {
            Some(address) => self.answer_address(address),
            None => self.answer_text(text, unescape),
        }
    }

    /// Sets the answer to an address.
    pub(crate) fn answer_address(&mut self, address: Address) {
        self.set_answer(Answer::Address(address));
    }

    /// Sets the answer to a text. It is a name, lower case and without final dot, if it has no
    /// blank in it: other data is kept as it is.
    pub(crate) fn answer_text(&mut self, text: &[u8], unescape: Unescape<'_>) {
        self.answer_by(|into| match text.contains(&b' ') {
            true => set_text(text, into, unescape),
            false => set_name(text, into, unescape),
        });
    }

    /// Sets the answer to the text that `write` makes.
    pub(crate) fn answer_by(&mut self, write: impl FnOnce(&mut String)) {
        self.set_answer(Answer::None);
        let mut into = std::mem::take(&mut self.spare);
        into.clear();
        write(&mut into);
        self.resolution.answer = Answer::Text(into);
    }

    /// Gives the resolution to the sink.
    pub(crate) fn resolved(&self, delivery: &mut Delivery<'_>) -> Result<(), SinkError> {
        delivery.fact(Fact::Resolution(&self.resolution))
    }

    /// Gives the handshake to the sink.
    pub(crate) fn shaken(&self, delivery: &mut Delivery<'_>) -> Result<(), SinkError> {
        delivery.fact(Fact::Handshake(&self.handshake))
    }

    fn set_answer(&mut self, answer: Answer) {
        if let Answer::Text(text) = std::mem::replace(&mut self.resolution.answer, answer) {
            self.spare = text;
        }
    }
}

/// Sets `into` to a text of the input.
pub(crate) fn set_text(text: &[u8], into: &mut String, unescape: Unescape<'_>) {
    into.clear();
    unescape(&text[..text.len().min(TEXT_OCTETS_MAX)], into);
}

/// Sets `into` to a name of the input: lower case, no final dot.
pub(crate) fn set_name(name: &[u8], into: &mut String, unescape: Unescape<'_>) {
    set_text(name, into, unescape);
    into.make_ascii_lowercase();
    if into.ends_with('.') {
        into.pop();
    }
}

/// Sets `into` to the name by which a client calls its server. An address is none: clients send it all the same (RFC 6066
/// §3 forbids it), and it says no more than where they call.
pub(crate) fn set_server_name(name: &[u8], into: &mut String, unescape: Unescape<'_>) {
    set_name(name, into, unescape);
    if address(into.as_bytes()).is_some() {
        into.clear();
    }
}

/// Sets `into` to a hash of 40 digits (SHA-1) or 64 (SHA-256), in lower case and without colons.
/// Anything else leaves it empty.
pub(crate) fn set_hash(hash: &[u8], into: &mut String) {
    into.clear();
    for c in hash.iter().filter(|c| **c != b':') {
        if !c.is_ascii_hexdigit() || into.len() == 64 {
            into.clear();
            return;
        }
        into.push(c.to_ascii_lowercase() as char);
    }
    if !matches!(into.len(), 40 | 64) {
        into.clear();
    }
}

/// The name in a `Host` header (RFC 9110 §7.2): without the port; none if it is an address.
pub(crate) fn host_name(host: &[u8]) -> Option<&[u8]> {
    let end = host.iter().position(|octet| *octet == b':').unwrap_or(host.len());
    let name = &host[..end];
    let is_name = !name.is_empty() && !name.starts_with(b"[") && address(host).is_none();
    (is_name && address(name.strip_suffix(b".").unwrap_or(name)).is_none()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_lower_case_and_of_a_known_length() {
        let sha1 = "2D:D1:9F:80:99:86:FC:AC:5F:2A:2A:FD:A3:F3:7E:96:7C:DD:24:37";
        for (text, expected) in [
            (sha1, "2dd19f809986fcac5f2a2afda3f37e967cdd2437"),
            (&"aB".repeat(32), &"ab".repeat(32)),
            (&"ab".repeat(33), ""),
            ("FKMTO94tQEsBTFbPgc", ""),
            ("", ""),
        ] {
            let mut into = "old".to_owned();
            set_hash(text.as_bytes(), &mut into);
            assert_eq!(into, expected);
        }
    }

    #[test]
    fn a_server_is_called_by_a_name_and_not_by_an_address() {
        for (name, expected) in [
            ("C2.example.org.", "c2.example.org"),
            ("192.0.2.1", ""),
            ("2001:db8::1", ""),
            ("192.0.2.1.", ""),
        ] {
            let mut into = "old".to_owned();
            set_server_name(name.as_bytes(), &mut into, &|text, into| {
                into.push_str(std::str::from_utf8(text).unwrap());
            });
            assert_eq!(into, expected);
        }
    }

    #[test]
    fn a_host_header_is_a_name_a_port_or_an_address() {
        assert_eq!(host_name(b"www.example.org"), Some(&b"www.example.org"[..]));
        assert_eq!(host_name(b"www.example.org:8080"), Some(&b"www.example.org"[..]));
        for host in ["", ":80", "192.0.2.1", "192.0.2.1.", "192.0.2.1:80", "[2001:db8::1]:80", "2001:db8::1"]
        {
            assert_eq!(host_name(host.as_bytes()), None, "{host}");
        }
    }
}
