//! Datagrams in a file, one after the other, as they were on the wire.

use std::io::Read;
use std::sync::Arc;

use rahdar_model::Problem;
use rahdar_model::address::Address;
use rahdar_model::flow::FlowRecord;
use rahdar_model::sink::{FlowSink, Place, Tally};

use super::{Agents, datagram};
use crate::netflow::Arrival;
use crate::window::Window;
use crate::{Options, WireError};

/// Octets of the longest datagram: what UDP can carry.
const DATAGRAM_OCTETS_MAX: usize = 65_535;

/// Reads a file of datagrams. There is no sender, and nobody took the time of arrival.
///
/// # Errors
/// [`WireError::Empty`], [`WireError::Unknown`] if not even the first datagram is one,
/// [`WireError::Read`] and [`WireError::Sink`] as they come.
pub(crate) fn file(
    input: &mut dyn Read,
    source: Arc<str>,
    options: &Options,
    sink: &mut dyn FlowSink,
) -> Result<Tally, WireError> {
    let mut agents = Agents::new(options);
    let mut record = FlowRecord::new("".into(), source);
    let mut tally = Tally::default();
    let mut datagrams = 0;
    let mut window = Window::new(input);
    let mut failure = None;
    loop {
        // What came before a failure is read all the same.
        if failure.is_none() {
            failure = window.reach(DATAGRAM_OCTETS_MAX).err();
        }
        let octets = &window.view()[..window.view().len().min(DATAGRAM_OCTETS_MAX)];
        let Some(length) = datagram::length(octets) else {
            if failure.is_some() || octets.is_empty() {
                break;
            }
            if datagrams == 0 {
                let looks = "the input begins with no datagram of sFlow version 5".to_owned();
                return Err(WireError::Unknown { looks });
            }
            tally.received += 1;
            tally.refused += 1;
            let text = "no datagram of sFlow begins here: the file is not read from here on".to_owned();
            sink.problem(Problem { place: Place::Octet(window.offset()), text, refused: 1 });
            break;
        };
        datagrams += 1;
        let arrival = Arrival { exporter: Address::UNSPECIFIED, port: 0, received: None, packet: datagrams };
        agents.datagram(&octets[..length], &arrival, &mut record, sink, &mut tally)?;
        window.pass(length);
    }
    agents.finish(&mut record, sink, &mut tally)?;
    match failure {
        Some(source) => Err(WireError::Read { tally, source }),
        None if datagrams == 0 => Err(WireError::Empty),
        None => Ok(tally),
    }
}

/// Sees by content whether an input is a file of datagrams. `head` is its beginning; `whole` says
/// that nothing follows.
pub(crate) fn detect(head: &[u8], whole: bool) -> bool {
    let Some(length) = datagram::length(head) else { return false };
    // Where the head ends within a datagram, there may be more of it.
    (whole || length < head.len()) && datagram::is_clear(&head[..length])
}
