//! The pool of environments.

/// Starts each distinct environment once and hands out sessions.
pub struct Environments {}
