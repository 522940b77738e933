//! One file a command: thin functions from settings to an exit code, with no logic that a server could want.

pub(super) mod analyze;
pub(super) mod build;
pub(super) mod completions;
pub(super) mod debug;
pub(super) mod dev;
pub(super) mod eval;
pub(super) mod init;
pub(super) mod man;
pub(super) mod push;
pub(super) mod scenario;
pub(super) mod serve;
pub(super) mod set;
pub(super) mod shell;
