//! Files of nfdump, made here octet by octet, and real ones beside nfdump itself.

mod block;
mod corpus;
mod made;
mod oracle;
mod record;
mod sampling;

pub(crate) use made::seeds;
