//! Plain HTTP beside MCP: tools as `POST /api/tools/{name}`, their description as OpenAPI, a page to try them, health and logs.
//!
//! | route | what |
//! | --- | --- |
//! | `GET /health` | [`Status::health`]; 503 when nothing is served; needs no token |
//! | `GET /openapi.json` | OpenAPI 3.1, one `POST` for each tool |
//! | `GET /docs` | a page without anything from elsewhere; knows nothing of the environment itself, so it needs no token |
//! | `POST /api/tools/{name}` | a JSON object of arguments in, the result (200) or `{"error": …}` (400, 404, 413, 503, 504) out |
//! | `GET /logs?tail=N` | the last lines of what the environment printed, as text |
//!
//! The shapes are those of Python hud 5. The token and the size of bodies are checked here ([`Guard`]), `Host` and `Origin` by the app as for
//! `/mcp`. Knows tools only through [`Backend`], so neither MCP nor what is behind it.

mod api;
mod docs;
mod guard;
mod openapi;
mod relayed;
mod result;
mod routes;
#[cfg(test)]
mod tests;

pub use api::{Backend, CallError, Status};
pub use guard::Guard;
pub use relayed::SharedCopy;
pub use routes::routes;
