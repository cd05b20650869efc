//! What a whole collector does: with real sockets on loopback, a real spool, and the store that
//! answers with nested loops.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stderr, reason = "what is skipped is said aloud")]

mod exporters;
mod killed;
mod made;
mod overload;
mod process;
mod restart;
mod running;
mod store;
mod tcp;
mod tier;
mod udp;
