//! Flow export: NetFlow v5, v7, v9 and IPFIX, from captures and from files.

mod carried;
mod cases;
mod corpus;
mod flood;
mod hostile;
mod live;
mod message;
mod record;
mod sampling;
mod section;
mod stream;
mod template;
mod v7;
mod written;

use rahdar_model::{FlowRecord, Tally};
use rahdar_wire::{Format, Options};

use crate::kept::{Kept, decode_all};
pub(crate) use hostile::seeds;
use message::{FLOW_FIELDS, FLOWS, flow, ipfix, ipfix_template, set, v9};
pub(crate) use stream::over_tcp;

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

/// A message whose template comes, and one whose template does not, for tests of what a collector remembers.
pub(crate) fn live_pair() -> [Vec<u8>; 2] {
    let data = || set(FLOWS, &flow(1_000));
    [ipfix(&[ipfix_template(FLOWS, FLOW_FIELDS), data()]), v9(&[data()])]
}
