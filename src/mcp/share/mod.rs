//! One program that several clients use at once over its stdin and stdout, each of them as if it were alone.
//!
//! Lines are passed on as they are but for the ids of requests and the tokens of progress, which are made unique. The program is initialised
//! once, and every client is told what it answered then. A client that sets up a scenario gets a program of its own, because the state of a
//! scenario is its session's. What a program asks goes to the client whose request it is busy with; MCP over a byte stream does not tell which
//! that is, so there must be only one.

mod client;
mod connection;
mod line;
mod link;
#[cfg(test)]
mod tests;

pub use connection::{Membership, OwnProgram, ProgramStreams, RunningProgram, SharedConnection};
