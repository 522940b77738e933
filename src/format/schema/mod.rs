//! JSON Schemas of tools, brought down to what an API takes. Nothing is dropped unsaid: each conversion lists what it could not keep.

mod nulls;
mod strict;
mod subset;
mod walk;

pub(super) use nulls::without_filler;
pub(super) use strict::strict;
pub(super) use subset::subset;
pub(super) use walk::object;
