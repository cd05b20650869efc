//! What a whole collector does: with real sockets on loopback, a real spool, and the store that
//! answers with nested loops.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stderr, reason = "what is skipped is said aloud")]

mod balance;
mod exporters;
mod http;
mod inherited;
mod killed;
mod made;
mod overload;
mod pace;
mod process;
mod restart;
mod running;
mod sequence;
mod soak;
mod store;
mod strangers;
mod tcp;
mod tier;
mod udp;
