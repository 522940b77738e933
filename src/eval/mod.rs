//! The evaluation engine: a plan becomes rollouts, rollouts become events. Prints nothing, stores nothing.

mod dispatcher;
mod judge;
mod plan;
mod rollout;
mod session_tools;
pub mod statistics;

pub use dispatcher::run;
pub use judge::Judge;
pub use plan::{Limits, Plan};
