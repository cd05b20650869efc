//! What the room does with whole inputs.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod calendar;
mod capture;
mod clear;
mod cloud;
mod corpus;
mod eve;
mod exports;
mod facts;
mod hostile;
mod input;
mod kept;
mod made;
mod nfcapd;
mod nfdump;
mod replay;
mod rib;
mod sflow;
mod silk;
mod tables;
mod tunnel;
mod zeek;
