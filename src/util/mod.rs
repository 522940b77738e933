//! Small things without a domain: files with the path in every error, processes, backoff, time, text, suggestions.

pub mod backoff;
pub mod fs;
pub mod suggest;
pub mod text;
pub mod time;
pub mod yaml;
