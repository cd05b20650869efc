//! What the room does with whole inputs.

mod corpus;
mod sink;
