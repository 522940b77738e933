//! The ways to reach an environment.
