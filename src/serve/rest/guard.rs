//! What every route checks itself.

use crate::serve::access::Token;

/// The checks of the routes. `Host` and `Origin` are those of the whole app ([`crate::serve::access::check_caller`]).
#[derive(Clone, Debug)]
pub struct Guard {
    /// The token that requests must carry, when there is one.
    pub token: Option<Token>,
    /// A larger body is refused.
    pub body_bytes: usize,
}
