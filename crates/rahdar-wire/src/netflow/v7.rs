//! NetFlow version 7, of Cisco's Catalyst 5000 switches: the header of version 5 without engine and
//! sampling, and records of 52 octets.
//!
//! Source: Cisco, "NetFlow Export Datagram Format", version 7. What it adds is not read: flags that
//! say which fields the flow mask left empty, which are zero then, and the router that the switch
//! took a short cut around.

use super::element::PADDING;
use super::template::{Plan, Spec};
use super::v5;

/// Octets of a record.
pub(super) const RECORD: usize = 52;

/// The record, as a template would describe it: that of version 5, then the router.
pub(super) fn plan() -> Plan {
    v5::plan_of(&[v5::FIELDS, &[Spec::new(PADDING, 4)]].concat())
}
