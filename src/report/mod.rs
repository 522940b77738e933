//! Shows what happens: consumers of [`crate::event::RunEvent`], live or replayed.
//!
//! [`standard`] picks what suits the printer and the job: JSON Lines, a live view, plain lines, the steps of a single rollout, or only the
//! result. Knows neither who emits the events nor where they are kept. Text of models, tools and files passes through [`crate::util::text`]
//! before it is shown; JSON holds it as it is.

mod details;
pub mod jsonl;
mod live;
mod outcome;
mod plain;
mod quiet;
mod rows;
mod single;
mod standard;
mod summary;
mod table;
mod words;

pub use jsonl::Jsonl;
pub use live::Live;
pub use plain::Plain;
pub use quiet::Quiet;
pub use single::Single;
pub use standard::{Report, standard};
pub use table::FinalTable;

#[cfg(test)]
mod tests;
