//! The information elements that a flow is made of, and what each one fills.
//!
//! NetFlow v9 and IPFIX share their numbers up to 127, and exporters use the later IPFIX
//! numbers in v9 too. Everything that is not named here (VLAN, MPLS, NAT, application ids,
//! what vendors add) is stepped over by its length. Source: IANA, IP Flow Information Export
//! Entities; RFC 3954 §8; RFC 5103; RFC 5477 for sampling, RFC 7014 for that of flows; RFC 5477 and RFC
//! 7133 for sections of packets.

use crate::capture::link;

/// IANA's enterprise number for reverse elements (RFC 5103 §6.1).
pub(super) const REVERSE: u32 = 29305;

/// The element that pads a record. Stands here for every field that is not read.
pub(super) const PADDING: u16 = 210;

/// The element that names an interface; the interface scope of v9 becomes it.
pub(super) const INTERFACE: u16 = 10;

/// The element that names a template; the template scope of v9 becomes it.
pub(super) const TEMPLATE: u16 = 145;

/// What the packet begins with, as a link type, of which this element holds a section; none if it holds
/// something else. Sources: RFC 5477 §8.5 (313), RFC 7133 (315), RFC 7270 (104, which v9 has
/// for 315).
pub(super) fn section(element: u16) -> Option<u16> {
    match element {
        104 | 315 => Some(link::ETHERNET),
        313 => Some(link::RAW),
        _ => None,
    }
}

/// What a value fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    SrcV4,
    SrcV6,
    DstV4,
    DstV6,
    SrcPort,
    DstPort,
    Protocol,
    TcpFlags,
    RevTcpFlags,
    Octets,
    RevOctets,
    Packets,
    RevPackets,
    /// What left, where a record counts incoming and outgoing packets apart.
    LeftOctets,
    LeftPackets,
    Payload,
    RevPayload,
    InIf,
    OutIf,
    SrcAs,
    DstAs,
    Direction,
    Initiator,
    EndReason,
    FlowId,
    FirewallEvent,
    ExporterV4,
    ExporterV6,
    IcmpBoth,
    IcmpType,
    IcmpCode,
    Start,
    End,
    Observed,
    Duration,
    SystemInit,
    /// One packet of so many.
    Interval,
    /// So many packets taken in a row ...
    Taken,
    /// ... and then so many left out.
    LeftOut,
    /// So many packets drawn ...
    Sample,
    /// ... out of so many.
    Population,
    /// Each with this probability, a float.
    Probability,
    /// What comes in this time is taken.
    Slot,
    /// The same of whole flows: so many taken in a row ...
    FlowsTaken,
    /// ... and then so many left out.
    FlowsLeftOut,
    FlowSlot,
    SamplingMode,
    SelectorAlgorithm,
    FlowAlgorithm,
    SamplerId,
    TemplateId,
    /// Seconds after which a record ends though packets still come.
    ActiveTimeout,
    /// Octets of the frame of which a section was sent.
    FrameOctets,
    /// What the section of a frame begins with: 0 and 1 are Ethernet.
    FrameKind,
    /// Octets that a section leaves out at its beginning.
    SectionOffset,
    /// Octets of a section that are of the packet, not padding.
    SectionOctets,
    /// Both addresses, read at once.
    V4Pair,
    /// Both ports, read at once.
    PortPair,
    /// Both interfaces, read at once.
    IfPair,
    /// Both systems, read at once.
    AsPair,
}

impl Field {
    /// The field itself where several elements of one template may fill it, and the last that
    /// is not zero counts; for all others the first of the best rank counts.
    ///
    /// Dual-stack templates carry both address families and leave one zero. Templates of
    /// tunnels repeat an element for every header, outermost first (RFC 7011 §8): the innermost
    /// is who really talks.
    pub(super) fn shared(self) -> Option<Self> {
        match self {
            Self::SrcV4 | Self::SrcV6 => Some(Self::SrcV4),
            Self::DstV4 | Self::DstV6 => Some(Self::DstV4),
            Self::SrcPort | Self::DstPort | Self::Protocol | Self::SamplerId => Some(self),
            _ => None,
        }
    }

    /// What this field and `next` are together, if they may stand side by side, each of so many
    /// octets.
    pub(super) fn with(self, next: Self, octets: u16) -> Option<Self> {
        match (self, next, octets) {
            (Self::SrcV4, Self::DstV4, 4) => Some(Self::V4Pair),
            (Self::SrcPort, Self::DstPort, 2) => Some(Self::PortPair),
            (Self::InIf, Self::OutIf, 2 | 4) => Some(Self::IfPair),
            (Self::SrcAs, Self::DstAs, 2 | 4) => Some(Self::AsPair),
            _ => None,
        }
    }

    /// Whether a value of `length` octets can be read (RFC 7011 §6.2: numbers may be shortened).
    pub(super) fn fits(self, length: u16) -> bool {
        match self {
            Self::SrcV4 | Self::DstV4 | Self::ExporterV4 => length == 4,
            Self::SrcV6 | Self::DstV6 | Self::ExporterV6 => length == 16,
            Self::Probability => length == 4 || length == 8,
            _ => (1..=8).contains(&length),
        }
    }
}

/// How a time or a duration is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Form {
    /// Not there, or no time.
    #[default]
    Absent,
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds, since 1970 if a time.
    Millis,
    /// Microseconds of a duration.
    Micros,
    /// NTP: seconds since 1900 and a binary fraction (RFC 7011 §6.1.9 and §6.1.10).
    Ntp,
    /// Milliseconds since the exporter started.
    Uptime,
    /// Microseconds before the export.
    BeforeExport,
}

/// One use of an element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Role {
    element: u16,
    /// Whether the element stands under [`REVERSE`].
    reverse: bool,
    /// What it fills.
    pub(super) field: Field,
    /// Of several elements for one field, the one of the lowest rank is read.
    pub(super) rank: u8,
    /// For times and durations: how it is written.
    pub(super) form: Form,
}

/// Rank of what left, where nothing is counted that came.
pub(super) const RANK_LEFT: u8 = 2;
/// Rank of octets that include layer-2 headers.
pub(super) const RANK_LAYER2: u8 = 3;
/// Rank of what is counted for initiator and responder (Cisco's firewalls). Their octets are those
/// above the transport header: fewer than the IP octets that they stand in for.
pub(super) const RANK_INITIATOR: u8 = 4;

/// The uses of an element of IANA's registry: none for most.
pub(super) fn roles(element: u16, reverse: bool) -> impl Iterator<Item = &'static Role> {
    ROLES.iter().filter(move |role| role.element == element && role.reverse == reverse)
}

/// Every element that is read. Milliseconds come before NTP times, which exporters get wrong
/// (logstash-codec-netflow #61, upg-vpp #356); counters since the last record before totals;
/// what a middlebox let through (23, 24) only where nothing else is counted.
const ROLES: &[Role] = &[
    role(8, Field::SrcV4, 0),
    role(27, Field::SrcV6, 0),
    role(12, Field::DstV4, 0),
    role(28, Field::DstV6, 0),
    role(7, Field::SrcPort, 0),
    role(180, Field::SrcPort, 1),
    role(182, Field::SrcPort, 1),
    role(11, Field::DstPort, 0),
    role(181, Field::DstPort, 1),
    role(183, Field::DstPort, 1),
    role(4, Field::Protocol, 0),
    role(6, Field::TcpFlags, 0),
    reverse(6, Field::RevTcpFlags, 0),
    role(1, Field::Octets, 0),
    role(85, Field::Octets, 1),
    role(23, Field::Octets, RANK_LEFT),
    role(23, Field::LeftOctets, 0),
    role(352, Field::Octets, RANK_LAYER2),
    role(353, Field::Octets, RANK_LAYER2),
    role(231, Field::Octets, RANK_INITIATOR),
    role(231, Field::Payload, 0),
    reverse(1, Field::RevOctets, 0),
    reverse(85, Field::RevOctets, 1),
    reverse(23, Field::RevOctets, RANK_LEFT),
    reverse(352, Field::RevOctets, RANK_LAYER2),
    reverse(353, Field::RevOctets, RANK_LAYER2),
    role(232, Field::RevOctets, RANK_INITIATOR),
    role(232, Field::RevPayload, 0),
    role(2, Field::Packets, 0),
    role(86, Field::Packets, 1),
    role(24, Field::Packets, RANK_LEFT),
    role(24, Field::LeftPackets, 0),
    role(298, Field::Packets, RANK_INITIATOR),
    reverse(2, Field::RevPackets, 0),
    reverse(86, Field::RevPackets, 1),
    reverse(24, Field::RevPackets, RANK_LEFT),
    role(299, Field::RevPackets, RANK_INITIATOR),
    role(INTERFACE, Field::InIf, 0),
    role(252, Field::InIf, 1),
    role(14, Field::OutIf, 0),
    role(253, Field::OutIf, 1),
    role(16, Field::SrcAs, 0),
    role(17, Field::DstAs, 0),
    role(61, Field::Direction, 0),
    role(239, Field::Initiator, 0),
    role(136, Field::EndReason, 0),
    role(148, Field::FlowId, 0),
    role(233, Field::FirewallEvent, 0),
    role(130, Field::ExporterV4, 0),
    role(131, Field::ExporterV6, 0),
    role(32, Field::IcmpBoth, 0),
    role(139, Field::IcmpBoth, 0),
    role(176, Field::IcmpType, 0),
    role(178, Field::IcmpType, 0),
    role(177, Field::IcmpCode, 0),
    role(179, Field::IcmpCode, 0),
    time(152, Field::Start, 0, Form::Millis),
    time(154, Field::Start, 1, Form::Ntp),
    time(156, Field::Start, 1, Form::Ntp),
    time(150, Field::Start, 2, Form::Seconds),
    time(22, Field::Start, 3, Form::Uptime),
    time(158, Field::Start, 4, Form::BeforeExport),
    time(153, Field::End, 0, Form::Millis),
    time(155, Field::End, 1, Form::Ntp),
    time(157, Field::End, 1, Form::Ntp),
    time(151, Field::End, 2, Form::Seconds),
    time(21, Field::End, 3, Form::Uptime),
    time(159, Field::End, 4, Form::BeforeExport),
    time(323, Field::Observed, 0, Form::Millis),
    time(324, Field::Observed, 1, Form::Ntp),
    time(325, Field::Observed, 1, Form::Ntp),
    time(322, Field::Observed, 2, Form::Seconds),
    time(161, Field::Duration, 0, Form::Millis),
    time(162, Field::Duration, 1, Form::Micros),
    time(160, Field::SystemInit, 0, Form::Millis),
    role(50, Field::Interval, 0),
    role(34, Field::Interval, 1),
    role(305, Field::Taken, 0),
    role(306, Field::LeftOut, 0),
    role(309, Field::Sample, 0),
    role(310, Field::Population, 0),
    role(311, Field::Probability, 0),
    role(307, Field::Slot, 0),
    role(396, Field::FlowsTaken, 0),
    role(397, Field::FlowsLeftOut, 0),
    role(398, Field::FlowSlot, 0),
    role(49, Field::SamplingMode, 0),
    role(35, Field::SamplingMode, 1),
    role(304, Field::SelectorAlgorithm, 0),
    role(390, Field::FlowAlgorithm, 0),
    role(48, Field::SamplerId, 0),
    role(302, Field::SamplerId, 0),
    role(TEMPLATE, Field::TemplateId, 0),
    role(36, Field::ActiveTimeout, 0),
    role(312, Field::FrameOctets, 0),
    role(408, Field::FrameKind, 0),
    role(409, Field::SectionOffset, 0),
    role(102, Field::SectionOffset, 1),
    role(410, Field::SectionOctets, 0),
];

const fn role(element: u16, field: Field, rank: u8) -> Role {
    Role { element, reverse: false, field, rank, form: Form::Absent }
}

const fn reverse(element: u16, field: Field, rank: u8) -> Role {
    Role { element, reverse: true, field, rank, form: Form::Absent }
}

const fn time(element: u16, field: Field, rank: u8, form: Form) -> Role {
    Role { element, reverse: false, field, rank, form }
}
