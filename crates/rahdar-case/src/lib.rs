//! What a hunt says, for people and for partners.
//!
//! [`report`] writes a hunt down: as JSON, as sentences, as a page that stands alone. Every form
//! says the same, and no more than was seen.
//!
//! This crate judges nothing, computes no bound and reads no clock: it is handed a
//! [`rahdar_model::finding::Hunt`] and words it. Model types are not output types; the forms of
//! output live here.

pub mod report;
