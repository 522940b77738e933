//! The agent: a model in a tool loop. Does not know environments; it is given [`Tools`].
//!
//! [`run()`] is the loop; `provider` holds the models. What a provider's JSON looks like is `format`'s business.

mod api;
mod auto_respond;
pub mod filters;
mod interrupt;
mod job;
mod model_call;
pub mod models;
pub mod provider;
mod run;
#[cfg(test)]
mod testing;
mod tool_calls;

pub use api::{
    CallContext, Delta, Model, ModelError, ModelErrorKind, ModelFactory, ModelResolver,
    ModelSource, Request, StepSink, Tools,
};
pub use job::{AgentEnd, AgentFailure, AgentJob, LoopSettings};
pub use run::run;
