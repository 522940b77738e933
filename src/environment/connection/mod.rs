//! The ways to reach an environment: a fork of a Python worker, a program on stdio, a server behind a URL. Each gives an MCP client; what
//! is said over it is the scenario convention of the folder above.

mod base;
pub(super) mod command;
pub(super) mod nursery;
pub(super) mod package;
pub(super) mod python;
pub(super) mod stdio;
pub(super) mod worker;
