//! A model server for load tests.
fn main() {}
