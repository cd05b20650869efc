//! Files of nfdump (`nfcapd.…`): flows as nfcapd, sfcapd, nfpcapd and nfdump itself store them.
//!
//! In reading order:
//!
//! * [`header`]: what the file says about itself; which files are read.
//! * [`block`], [`lzo`]: blocks of records, and their compression.
//! * [`v1`]: the records of nfdump 1.6, laid out by extension maps.
//! * [`v2`]: the records of nfdump 1.7, each a list of elements.
//! * [`exporter`]: who exported, at which sampling, with which losses.
//! * [`flow`]: what the values of a record mean, whichever layout they came in.
//! * [`reading`]: one file, from its first block to its last.
//!
//! Source: the headers of nfdump 1.6.13 to 1.7.8, and what those versions write.
//!
//! # What is counted
//! A flow record is a record, also one that nfdump aggregated from several flows. Maps,
//! exporters, samplers, statistics, names and tables are beside, and so is a flow record without
//! addresses. A block that cannot be unpacked, or what is left of one whose records cannot be
//! told apart, is refused as one record, and reading goes on with the next block: blocks do not
//! depend on each other but for maps and exporters. What is missing at the end of a file is
//! refused as one record.

mod block;
mod exporter;
mod flow;
mod header;
mod lzo;
mod reading;
mod v1;
mod v2;

use std::io::Read;
use std::sync::Arc;

use rahdar_model::sink::{FlowSink, Place, Tally};

use crate::delivery::Delivery;
use crate::window::Window;
use crate::{Detection, Options, WireError};
use header::Header;
pub(crate) use header::detect;
use reading::{Reading, Stop};

/// The exporter's name where neither the records nor the file tell one.
const EXPORTER: &str = "nfdump";

/// Reads a file to its end.
///
/// # Errors
/// [`WireError::Unsupported`] and [`WireError::Unknown`] if it is no file that is read,
/// [`WireError::Read`] and [`WireError::Sink`] as they come.
pub(crate) fn decode(
    input: &mut dyn Read,
    source: Arc<str>,
    options: &Options,
    sink: &mut dyn FlowSink,
) -> Result<Tally, WireError> {
    let mut window = Window::new(input);
    let failed = |source| WireError::Read { tally: Tally::default(), source };
    window.reach(header::OCTETS_MAX).map_err(failed)?;
    match detect(window.view()) {
        Some(Detection::Known(_)) => {}
        Some(Detection::Unsupported(kind)) => return Err(WireError::Unsupported { kind }),
        _ => return Err(WireError::Unknown { looks: crate::detect::looks(window.view()) }),
    }
    let Some(header) = Header::read(window.view()) else {
        let mut delivery = Delivery::new(EXPORTER, source, options, sink);
        delivery.refuse(Place::Octet(0), format_args!("the file is cut off in its header"));
        return Ok(delivery.close());
    };
    window.pass(header.octets);
    let mut reading = Reading::new(header, source, options, sink);
    match reading.blocks(&mut window) {
        Ok(()) => Ok(reading.finish()?),
        Err(Stop::Read(source)) => Err(WireError::Read { tally: reading.finish()?, source }),
        Err(Stop::Sink(error)) => Err(error.into()),
    }
}
