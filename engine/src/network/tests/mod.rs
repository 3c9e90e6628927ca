//! Descriptions, good and bad.

mod arbitrary;
mod distributions;
mod docs;
mod estimates;
mod examples;
mod fakes;
mod files;
mod malformed;
mod parameters;
mod round_trips;
mod setting;
