//! `hud build` without its terminal: context, image, lock file. Uses `docker` for everything that an engine does, prints nothing and never
//! evaluates.

pub mod context;
pub mod dockerfile;
pub mod runtime;
