//! Looking at an environment: from what was typed to open connections, one for each server, with as much said of a failure as is known.
//!
//! Rollouts have [`Environments`](crate::environment::Environments), which starts things once and hides how. Here each step stands alone, so that
//! it can be timed and its failure named. Knows no command and prints nothing.

mod peer;
mod place;
mod program;

pub(in crate::cli) use peer::{Imported, Peer, Peers, PeersOptions, Trouble};
pub(in crate::cli) use place::{Place, reached, token, with_key};
pub(in crate::cli) use program::{Ended, How, Program};
