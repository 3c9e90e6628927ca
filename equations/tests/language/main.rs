//! Tests of the component language as a user meets it: messages, documentation, hostile texts.

mod documentation;
mod hostile;
mod malformed;
mod round_trip;
