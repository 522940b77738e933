//! Endpoint, authentication and streaming of each provider, plus the models that need none: `oracle` and `scripted`.
//!
//! What a provider's JSON looks like is `format`'s business, and bytes on the wire are `http`'s.

mod agent_type;
mod anthropic;
mod endpoint;
mod errors;
mod gemini;
mod openai_chat;
mod openai_responses;
mod oracle;
mod providers;
mod resolve;
mod resolver;
mod said;
mod scripted;
mod streaming;

pub use agent_type::AgentType;
pub use anthropic::Anthropic;
pub use endpoint::{Endpoint, Secret};
pub use gemini::Gemini;
pub use openai_chat::OpenAiChat;
pub use openai_responses::OpenAiResponses;
pub use oracle::Oracle;
pub use providers::{GATEWAY_KEY, GATEWAY_URL, VARIABLES};
pub use resolve::{ModelChoice, Resolved, resolve};
pub use resolver::{MultiResolver, Variables};
pub use scripted::Scripts;

use said::Said;

#[cfg(test)]
mod tests;
