//! The lake against the naive store, and against other processes.

mod imports;
mod oracle;
