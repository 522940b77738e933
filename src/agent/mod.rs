//! The agent: a model in a tool loop. Does not know environments; it is given [`Tools`].

mod api;
pub mod provider;

pub use api::{
    CallContext, Delta, Model, ModelError, ModelErrorKind, ModelFactory, ModelResolver,
    ModelSource, Request, Sampling, StepSink, Tools,
};
