//! The interactive prompts: lines read with editing, completion and history on a terminal, plainly from a pipe; and what a person does with an
//! environment through them.
//!
//! The only place that names `reedline`. A prompt is talk (stderr), what a command answers is data (stdout), so a script of commands can be piped
//! in and its answers piped on. Knows no flags.

mod ask;
mod command;
mod complete;
mod editor;
pub(super) mod environment;
mod lines;
mod session;
mod show;
