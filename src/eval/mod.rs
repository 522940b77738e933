//! The evaluation engine: a plan becomes rollouts, rollouts become events. Prints nothing, stores nothing.

mod plan;
pub mod statistics;

pub use plan::{Limits, Plan};
