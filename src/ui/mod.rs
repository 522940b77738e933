//! What a person or a pipe sees: the only place that prints, and the only one that names `console`, `indicatif` and `comfy_table`.
//!
//! stdout is data, stderr is talk. Under `--json` stdout holds JSON Lines and nothing else. Knows no domain: it is handed text.

mod keys;
mod options;
mod paint;
mod printer;
mod progress;
mod steps;
mod table;

pub use keys::Keys;
pub use options::{ColorChoice, Options, StdoutMode, Terminal, Verbosity};
pub use paint::{Paint, Tone, fit, fit_middle, pad, width_of};
pub use printer::{Captured, Diverted, OutputError, Printer, TalkWriter};
pub use progress::Progress;
pub use steps::{StepEnd, Steps};
pub use table::{Cell, Column, Table};
