//! `hud` evaluates AI agents in environments.

pub mod agent;
pub mod cli;
pub mod config;
pub mod environment;
pub mod eval;
pub mod event;
pub mod format;
pub mod http;
pub mod mcp;
pub mod message;
pub mod report;
pub mod store;
pub mod task;
pub mod ui;
pub mod util;
