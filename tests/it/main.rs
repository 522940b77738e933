//! The one integration binary: a module for each thing that is tested from outside.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a test stops at what it did not expect, starts programs, writes files and says aloud what it skips; `pub` says what a module gives to the others"
)]

mod analyze;
mod cli;
mod conformance;
mod debug;
mod dev;
mod dev_reload;
mod docker;
mod docker_build;
mod docker_fake;
mod docker_ignore;
mod engine;
mod eval;
mod failures;
mod init;
mod interactive;
mod interop;
mod interop_clients;
mod kill;
mod lifecycle;
mod model_failures;
mod providers;
mod replay;
mod scenario_url;
mod seeds;
mod serve_mcp;
mod standin;
mod support;
mod task_files;
mod tidy;
