//! The process that runs all day: it takes what exporters send and never loses count.
//!
//! In reading order:
//!
//! * [`Server`]: opens the sockets and the spool, and runs until it is told to [`Stop`].
//! * [`gate`](Exporters): who may send, and how much.
//! * `udp`, `tcp`: sockets; [`Inherited`]: those that were handed over; `kernel`: what the kernel dropped of them, and
//!   `marks`: how far that is counted.
//! * `inbox`: through the gate, into the spool, onto the books. Nothing is parsed here.
//! * [`Told`]: what the operator knows of an exporter, and it does not say.
//! * `spool`, `segment`, `state`: what is on disk, and what of it survives what; `disk`: how much of it may be taken.
//! * `decoder`: segments into the store, each exactly once; `voices`: under whose name losses stand.
//! * [`Ledger`]: what became of everything that was sent. [`Notice`]: what people should know.
//! * [`feeds`]: what others publish, fetched into the book. `outbound`: the one client that reaches out.
//! * `health`, `http`: whether it keeps up, for machines that ask.
//!
//! # What is promised
//! UDP is taken at most once, and all losses are counted by cause and exporter. A datagram whose
//! spool was synced, which is done every second, is not lost by a kill or a power cut: its flows are
//! stored once. `docs/collecting.md` says it for operators.
//!
//! This room is handed a [`FlowStore`]; it knows neither the lake nor any database. Threads block
//! (`docs/decisions/0003-blocking-store.md`). Time comes from a [`Clock`], and from the kernel
//! with each datagram.

mod decoder;
mod disk;
pub mod feeds;
mod gate;
mod health;
mod http;
mod inbox;
mod inherited;
mod kernel;
mod ledger;
mod marks;
mod notice;
mod operator;
mod outbound;
mod segment;
mod server;
mod signals;
mod spool;
mod state;
mod tcp;
mod udp;
mod voices;

pub use gate::{Exporters, Rate};
pub use inherited::Inherited;
pub use ledger::{Exporter, Ledger};
pub use notice::{Notice, Origin};
pub use operator::Told;
pub use outbound::Refused;
pub use server::{Books, Server, ServerError, Settings, Stop};
pub use signals::stop_on_signals;

// Named in the documentation above.
#[cfg(doc)]
use rahdar_model::{Clock, FlowStore};
