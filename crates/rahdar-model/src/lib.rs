//! The nouns that every room of rahdar shares.
//!
//! A flow record comes in, a finding goes out; this crate says what both are and nothing
//! about how one becomes the other. In reading order:
//!
//! * [`address`] and [`time`]: where and when. 128-bit addresses and prefixes, microsecond
//!   UTC timestamps, half-open windows, the clock as a trait.
//! * [`flow`]: one flow record, its quality marks and the enumerations of its fields.
//! * [`fact`]: what telemetry says beside flows: resolutions, handshakes, gaps.
//! * [`mod@column`]: the one table that says which columns a flow has. The lake's schema, the
//!   Arrow batches, `docs/schema.md` and `docs/protocols.md` all follow from it.
//! * [`correction`]: what readers do to the times of every flow.
//! * [`sink`]: how decoders hand on what they read, what they could not read, and the counts
//!   that must add up.
//! * [`intelligence`]: indicators, dated claims about them, clusters; [`marking`]: how far an answer that rests
//!   on them may travel.
//! * [`store`]: the narrow waist. [`store::FlowStore`] is all that the rest of rahdar knows
//!   of the place where flows are kept.
//! * [`coverage`]: what exporters could see, and what is missing; [`sight`]: what that leaves unseen.
//! * [`failure`]: an error and its causes, in one line.
//! * [`estimate`], [`finding`] and [`account`]: numbers with bounds, what a hunt says about a
//!   victim, and how that stands up to a denial; [`profile`]: what is known of the victim.
//!
//! This crate knows no file, no socket, no database, no engine and no wall clock. It imports
//! nothing of ours.

pub mod account;
pub mod address;
pub mod column;
pub mod correction;
pub mod coverage;
pub mod estimate;
pub mod fact;
pub mod failure;
pub mod finding;
pub mod flow;
pub mod intelligence;
pub mod marking;
pub mod profile;
pub mod reserve;
pub mod sight;
pub mod sink;
pub mod store;
pub mod time;

pub use address::{Address, Prefix};
pub use estimate::Estimate;
pub use flow::{FlowRecord, Quality};
pub use sink::{FlowSink, Problem, Tally};
pub use store::{FlowStore, Sighting};
pub use time::{Clock, Day, Timestamp, Window};
