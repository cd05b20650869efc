//! What NetFlow v9 and IPFIX share: a header, then sets of templates and of data.

use rahdar_model::time::Timestamp;

use super::template::Spec;
use super::{ipfix, v9};

/// Octets of a set's header: its kind and its length.
pub(super) const SET_HEADER: usize = 4;

/// The first number that names a template; those below name kinds of sets.
const FIRST_TEMPLATE: u16 = 256;

/// The two protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Protocol {
    V9,
    Ipfix,
}

impl Protocol {
    /// The version number in its headers.
    pub(super) fn version(self) -> u8 {
        match self {
            Self::V9 => 9,
            Self::Ipfix => 10,
        }
    }

    /// The protocol of this version number.
    pub(super) fn of_version(version: u8) -> Option<Self> {
        [Self::V9, Self::Ipfix].into_iter().find(|protocol| protocol.version() == version)
    }
}

/// The header of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) protocol: Protocol,
    pub(super) export: Timestamp,
    /// Milliseconds since the exporter started; IPFIX does not tell.
    pub(super) uptime_ms: Option<u32>,
    /// The number of the message: it counts messages in v9, data records in IPFIX.
    pub(super) sequence: u32,
    /// Observation domain; source id in v9.
    pub(super) domain: u32,
    /// Octets of the message as its header says; v9 does not tell.
    pub(super) length: Option<usize>,
}

impl Header {
    /// Reads a header; none if the message is shorter or of another version.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        match payload {
            [0, 9, ..] => v9::header(payload),
            [0, 10, ..] => ipfix::header(payload),
            _ => None,
        }
    }

    /// Where the sets begin.
    pub(super) fn octets(&self) -> usize {
        match self.protocol {
            Protocol::V9 => v9::HEADER,
            Protocol::Ipfix => ipfix::HEADER,
        }
    }
}

/// What is in a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Templates,
    OptionsTemplates,
    /// Records of this template.
    Data(u16),
    /// A number that stands for nothing.
    Reserved(u16),
}

/// Where one set is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) kind: Kind,
    /// Where it begins in the message.
    pub(super) at: usize,
    /// Where it ends, or where the message does.
    pub(super) end: usize,
    /// Octets that its header promises beyond the end of the message.
    pub(super) missing: usize,
}

/// What stands at some octet of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Set(Set),
    /// The end, or padding to it.
    End,
    /// A length that is none.
    Broken {
        /// The length.
        length: usize,
    },
}

/// Reads what stands at `at` of a message.
pub(super) fn set_at(protocol: Protocol, message: &[u8], at: usize) -> At {
    let (Some(id), Some(length)) = (u16_at(message, at), u16_at(message, at + 2)) else { return At::End };
    let length = usize::from(length);
    if length < SET_HEADER {
        let is_padding = message[at..].iter().all(|octet| *octet == 0);
        return if is_padding { At::End } else { At::Broken { length } };
    }
    let kind = match (protocol, id) {
        (_, FIRST_TEMPLATE..) => Kind::Data(id),
        (Protocol::V9, 0) | (Protocol::Ipfix, 2) => Kind::Templates,
        (Protocol::V9, 1) | (Protocol::Ipfix, 3) => Kind::OptionsTemplates,
        _ => Kind::Reserved(id),
    };
    let end = message.len().min(at + length);
    At::Set(Set { kind, at, end, missing: at + length - end })
}

/// What stands at some octet of a set of templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announcement {
    /// A template, whose fields are in the vector that was handed in.
    Template { id: u16, end: usize },
    /// An IPFIX template is no more in force.
    Withdrawal { id: u16, end: usize },
    /// The end, or padding to it.
    End,
    /// No template, or the set ends within it.
    Broken,
}

/// Reads the template at `at` of a set's body.
pub(super) fn announcement(
    protocol: Protocol,
    is_options: bool,
    body: &[u8],
    at: usize,
    specs: &mut Vec<Spec>,
) -> Announcement {
    specs.clear();
    let found = match (protocol, is_options) {
        (Protocol::V9, false) => v9::template(body, at, specs),
        (Protocol::V9, true) => v9::options_template(body, at, specs),
        (Protocol::Ipfix, _) => ipfix::template(body, at, is_options, specs),
    };
    match found {
        Some(Announcement::Template { id: ..FIRST_TEMPLATE, .. }) => Announcement::Broken,
        Some(found) => found,
        None if body.len() - at < SET_HEADER => Announcement::End,
        None => Announcement::Broken,
    }
}

/// The number at `at`, if it is there.
pub(super) fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().map(|chunk| u16::from_be_bytes(*chunk))
}

/// The number at `at`, if it is there.
pub(super) fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..)?.first_chunk().map(|chunk| u32::from_be_bytes(*chunk))
}
