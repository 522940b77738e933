//! The run directory: what a job leaves on disk, and reading it back.
//!
//! ```text
//! .hud/runs/<job>/
//!   job.json              the plan, settings without secrets, versions, seed; written before anything starts
//!   journal.jsonl         a header, then one line for each notice, environment and finished rollout
//!   traces/<trace>.jsonl  a header, then every step of one rollout
//!   logs/<trace>.log      what the environment's copy printed (written by the workers)
//!   summary.json          the numbers; written when the job ended
//! ```
//!
//! Every line is handed to the operating system as a whole before the next event is taken, so killing the process at any moment loses
//! only rollouts in flight. Nothing is fsynced while the job runs: that protects against a power cut only, and costs more than a
//! rollout. `journal.jsonl` is fsynced once, when the job ends.
//!
//! Knows events, and nothing of who emits them: not `eval`'s engine, not `report`. Its formats ([`wire`]) are its own types, versioned and
//! separate from [`crate::event`].

mod directory;
mod lines;
mod reader;
mod traces;
pub mod wire;
mod writer;

pub use directory::{RunDirectory, new_job_id};
pub use reader::{Damage, Run, Trace, read_trace, replay};
pub use writer::Writer;

#[cfg(test)]
mod tests;
