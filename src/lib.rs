//! `hud` evaluates AI agents in environments, and lets people build and drive those environments.
//!
//! # The idea
//!
//! An **environment** offers **tools** (what an agent may call) and **scenarios** (what it is asked, and how it is graded). An **agent**
//! is a model in a tool loop. A **task** names an environment, a scenario and its arguments. A **rollout** is one run of one
//! task: setup, prompt, loop, answer, grade. A **job** is many rollouts. These words, and no others, are used in code, help and docs.
//!
//! # How data flows
//!
//! ```text
//! files, flags, env ─► cli ─► Plan ─► eval ─► RunEvent stream ─► report (terminal, JSON Lines)
//!                                      │                     └─► store  (run directory)
//!                       agent ◄────────┴────────► environment
//!                         │                          │
//!                    provider (HTTP)         connection (worker, stdio, HTTP)
//! ```
//!
//! Everything evaluated is an MCP peer: a fork of a Python worker, a program on stdio and a server behind a URL all speak MCP plus the
//! *scenario convention* ([`environment`]), which is wire-compatible with Python hud 5.
//!
//! # Where to start reading
//!
//! - [`eval::run`] is the engine; [`event::RunEvent`] is all that it says.
//! - [`agent::run`] is the tool loop; [`agent::Model`] and [`agent::Tools`] are what it needs.
//! - [`environment::Environments`] starts environments and hands out [`environment::Session`]s.
//! - [`task::file`] reads task files; every mistake has a file, a line and a column.
//! - [`cli`] holds the contract of stdout, stderr and exit codes.
//! - `python/hud/` is the other side of the worker: the package for environment authors, embedded in the binary.
//!
//! # The map
//!
//! A module uses only modules in rows above its own; `tests/it/tidy.rs` fails otherwise.
//!
//! | row | modules |
//! | --- | --- |
//! | 1 | [`util`] |
//! | 2 | [`message`] |
//! | 3 | [`format`](mod@format), [`task`], [`config`] |
//! | 4 | [`event`] |
//! | 5 | [`http`], [`docker`], [`ui`] |
//! | 6 | [`mcp`] |
//! | 7 | [`agent`], [`environment`] |
//! | 8 | [`eval`] |
//! | 9 | [`build`], [`report`], [`serve`], [`store`] |
//! | 10 | [`dev`] |
//! | 11 | [`cli`] |
//!
//! # Invariants
//!
//! Most of them are about what is deliberately absent:
//!
//! - `agent` and `environment` do not know each other; `eval` joins them.
//! - `eval` knows neither `report` nor `store`, and prints nothing; both consume [`event::RunEvent`]s, live or replayed from disk.
//! - [`event`] is not serializable; `store` and `report` own their wire types, and converting is explicit.
//! - A failure of infrastructure is never a reward: only [`event::Outcome::Graded`] has one.
//! - The text of a model failure is never an answer.
//! - [`format`](mod@format) does no I/O, [`task`] starts nothing, nothing below `cli` reads the process's environment.
//! - `rmcp` is named only in [`mcp`], `reqwest` only in [`http`], `bollard` only in [`docker`], `indicatif`, `console` and `comfy_table` only in [`ui`], `clap` only in
//!   [`cli`], `serde_yaml` only in `util/yaml.rs`, `saphyr` only in `task/file/`.
//! - No provider or HUD key enters an environment unless its scenario names it in `required_env_vars`; the source of a scenario never
//!   leaves its worker.
//! - Every process that is started dies with us, also when we are killed.

pub mod agent;
pub mod build;
pub mod cli;
pub mod config;
pub mod dev;
pub mod docker;
pub mod environment;
pub mod eval;
pub mod event;
pub mod format;
pub mod http;
pub mod mcp;
pub mod message;
pub mod report;
pub mod serve;
pub mod store;
pub mod task;
pub mod ui;
pub mod util;
