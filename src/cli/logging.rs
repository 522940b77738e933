//! Logs of the program itself: on stderr, only with `-v` or `-vv`.

use tracing_subscriber::EnvFilter;

use crate::ui::{Printer, Verbosity};

/// Sends logs to `printer`. The first call of a process wins: subscribers are global, and a second run in the same process (a test) logs to
/// the first one's printer.
pub(super) fn start(printer: &Printer) {
    let filter = match printer.verbosity() {
        Verbosity::Quiet | Verbosity::Normal => return,
        Verbosity::Verbose => "warn,rmcp=off,hud=info",
        Verbosity::VeryVerbose => "warn,hud=debug",
    };
    let printer = printer.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(move || printer.talk_writer())
        .with_ansi(false)
        .finish();
    let _ = tracing::subscriber::set_global_default(subscriber);
}
