//! sFlow version 5, from captures and from files.

mod corpus;
mod hostile;
mod loss;
mod message;
mod rate;
mod sample;

use rahdar_model::{FlowRecord, Tally};
use rahdar_wire::{Format, Options};

use crate::kept::{Kept, decode_all};
pub(crate) use hostile::seed;
use message::{Flow, datagram};

/// Decodes a file of datagrams, one after the other.
fn datagrams(datagrams: &[Vec<u8>]) -> (Kept, Tally) {
    datagrams_with(datagrams, Options::default())
}

/// Decodes a file of datagrams with these options.
fn datagrams_with(datagrams: &[Vec<u8>], options: Options) -> (Kept, Tally) {
    let options = Options { format: Some(Format::Sflow), ..options };
    let (kept, result) = decode_all(&*datagrams.concat(), &options);
    (kept, result.unwrap())
}

/// Decodes one sample of these records, which must make one flow and no problem.
fn one(records: &[Vec<u8>]) -> FlowRecord {
    flow_of(&Flow::default().sample(records))
}

/// Decodes one sample, which must make one flow and no problem.
fn flow_of(sample: &[u8]) -> FlowRecord {
    let (mut kept, tally) = datagrams(&[datagram(1, &[sample.to_vec()])]);
    assert_eq!(kept.problems(), Vec::<String>::new());
    assert_eq!((tally.received, tally.decoded, tally.beside, kept.flows.len()), (1, 1, 0, 1));
    kept.flows.remove(0)
}

/// A datagram of one flow, for tests of inputs of every kind.
pub(crate) fn a_datagram() -> Vec<u8> {
    datagram(1, &[Flow::default().sample(&[message::tcp_frame()])])
}

/// The flow of a sampled Ethernet frame.
pub(crate) fn one_frame(frame: &[u8]) -> FlowRecord {
    one(&[message::frame(frame)])
}
