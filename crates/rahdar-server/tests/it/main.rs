//! What a whole collector does: with real sockets on loopback, a real spool, and the store that
//! answers with nested loops.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod exporters;
mod killed;
mod made;
mod overload;
mod restart;
mod running;
mod store;
mod tcp;
mod udp;
