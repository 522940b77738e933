//! The one integration binary.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails should fail the test"
)]

mod replay;
