//! Small things without a domain: files with the path in every error, processes, backoff, time, text, suggestions, messages with a
//! position, `${VAR}` substitution, YAML.

pub mod backoff;
pub mod diagnostic;
pub mod fs;
pub mod interpolate;
pub mod process;
pub mod suggest;
pub mod text;
pub mod time;
pub mod yaml;
