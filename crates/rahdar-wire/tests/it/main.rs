//! What the room does with whole inputs.

mod capture;
mod corpus;
mod hostile;
mod input;
mod kept;
mod made;
mod zeek;
