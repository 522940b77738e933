//! Files of tasks: YAML, JSON, JSONL, and the rows that a Python file holds. Every mistake of a file is found before anything starts, and has
//! its place. Knows nothing of how environments run; reads no variable but through the function it is given.

mod json;
mod sink;
mod tree;
mod yaml;
