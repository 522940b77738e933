//! What `hud dev` adds to the supervisor and the server: which environment, which port, what is printed, what keys do.

mod client;
mod development;
mod failure;
mod health;
mod json;
mod keyboard;
mod lines;
mod listen;
mod output;
mod report;
mod spec;

pub(super) use client::over_stdio;
pub(super) use development::Development;
pub(super) use spec::{arguments, environment, name_of};
