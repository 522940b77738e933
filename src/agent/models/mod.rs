//! What is known of models, as data: what they take, how much they hold, what they cost.
//!
//! An embedded file that the user can add to. Knows no provider's wire format; what it does not know it does not refuse.

mod check;
mod facts;
mod table;

pub use check::{Refused, check};
pub use facts::{Facts, Price, Rates, SamplingRule, ThinkingMode};
pub use table::{ModelTable, TableError};
