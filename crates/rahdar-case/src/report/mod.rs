//! A hunt, written down.
//!
//! * [`json()`]: the one JSON form, held by `docs/hunt.schema.json`.
//! * [`words`]: sentences that claim no more than was seen.
//! * [`html()`]: the report, one file that needs nothing else.
//! * [`blind`]: when no exporter was looking; [`marking`]: how far a hunt may travel.

mod account;
mod html;
mod json;
mod profile;
mod sight;

pub mod blind;
pub mod marking;
pub mod words;

pub use html::{Context, html};
pub use json::{HuntJson, json};
