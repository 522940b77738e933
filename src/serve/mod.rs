//! Serving an environment to others. Each server is an `app()` that can be tested without a socket; nothing here parses flags or prints.

pub mod access;
pub mod copies;
pub mod mcp;
pub mod rest;
