//! HTTP as a client: the only place that names `reqwest`. Knows no provider and no protocol above HTTP and server-sent events.
//!
//! One pool of connections serves the whole process. Redirects are followed within one origin only, so that no header with a key ever reaches
//! another host. The environment's proxy settings apply, except to this machine itself.

mod client;
mod error;
mod request;
mod retry_after;
mod sse;
#[cfg(test)]
pub(crate) mod testing;

pub use client::{client, client_for};
pub use error::{HttpError, HttpErrorKind, public_url, secrets_of};
pub use request::{Headers, Streamed, check_url, get, post_json, post_sse, status};
/// The error of [`client`], for those who must find it in an error of another crate.
pub use reqwest::Error as ClientError;
/// Names and values of headers, for those who implement another crate's traits over this client.
pub use reqwest::header::{HeaderName, HeaderValue};
pub use sse::{Event, Events};
