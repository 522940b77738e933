//! Environments: what offers tools, poses tasks and grades answers. Knows no agent and no model.
//!
//! [`Environments`] starts each distinct [`EnvironmentSpec`](crate::task::EnvironmentSpec) once and hands out [`Session`]s: isolated copies that
//! speak the scenario convention (see `DESIGN` §3) whatever they are: a fork of a Python worker, a process, a server.

mod api;
pub mod by_hand;
mod connection;
mod describe;
mod environments;
mod events;
mod explain;
mod legacy;
mod log_guard;
mod offers;
mod scenario;
mod session;
mod started;
mod visibility;
mod warm;

pub use api::{
    Argument, Description, EnvironmentError, Isolation, Prompt, ResourceInfo, Sampler,
    SamplingAnswer, SamplingRequest, ScenarioInfo,
};
pub use environments::{EnvironmentOptions, Environments, missing_variables};
pub use offers::Offers;
pub use session::{LogSink, STOP, Session, SessionOptions};
pub use started::{Notice, NoticeSink, StartOptions, Started};
