//! Flow export: NetFlow v5, v7, v9 and IPFIX, from captures and from files.

mod cases;
mod corpus;
mod hostile;
mod live;
mod message;
mod record;
mod sampling;
mod template;
mod v7;

use rahdar_model::{FlowRecord, Tally};
use rahdar_wire::{Format, Options};

use crate::kept::{Kept, decode_all};

/// Decodes a file of messages, one after the other, as an operator would force it.
fn messages(messages: &[Vec<u8>]) -> (Kept, Tally) {
    messages_with(messages, Options::default())
}

/// Decodes a file of messages with these options.
fn messages_with(messages: &[Vec<u8>], options: Options) -> (Kept, Tally) {
    let options = Options { format: Some(Format::Datagram), ..options };
    let (kept, result) = decode_all(&*messages.concat(), &options);
    (kept, result.unwrap())
}

/// Decodes messages that hold one flow and are understood.
fn one(these: &[Vec<u8>]) -> FlowRecord {
    let (mut kept, tally) = messages(these);
    assert_eq!(kept.problems(), Vec::<String>::new());
    assert_eq!((tally.decoded, kept.flows.len()), (1, 1), "{tally:?}");
    kept.flows.remove(0)
}
