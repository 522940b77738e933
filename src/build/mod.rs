//! `hud build` without its terminal: context, image, analysis, lock file. Uses `docker` for everything that an engine does, prints nothing and
//! never evaluates.

pub mod analysis;
pub mod context;
pub mod dockerfile;
mod error;
pub mod lock;
mod pipeline;
mod plan;
pub mod push;
pub mod runtime;
pub mod scrub;
pub mod transport;
pub mod version;

pub use error::BuildError;
pub use pipeline::{Built, Event, Stage, build};
pub use plan::{BuildOptions, Plan, native};
