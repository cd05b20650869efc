//! The corpus, read whole; what a new user does with it; and files cut anywhere.

mod corpus;
mod cut;
mod story;
