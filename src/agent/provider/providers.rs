//! The providers, as data.

use crate::format::openai_chat::MaxTokensField;

/// The key of HUD's gateway, which reaches the large providers' models.
pub const GATEWAY_KEY: &str = "HUD_API_KEY";

/// Where the gateway is, when not at its usual place.
pub const GATEWAY_URL: &str = "HUD_GATEWAY_URL";

/// Every variable that choosing a model reads.
pub const VARIABLES: &[&str] = &[
    GATEWAY_KEY,
    GATEWAY_URL,
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "GEMINI_API_KEY",
    "GEMINI_BASE_URL",
    "XAI_API_KEY",
    "OPENROUTER_API_KEY",
    "OLLAMA_API_KEY",
    "VLLM_API_KEY",
];

/// The gateway's usual place.
pub(super) const DEFAULT_GATEWAY: &str = "https://inference.hud.ai";

/// A protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// Anthropic Messages.
    Messages,
    /// Google's generateContent.
    Gemini,
    /// `OpenAI` Responses.
    Responses,
    /// Chat Completions.
    Chat,
}

/// A provider, or a server of a known kind.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Provider {
    /// As a prefix of model names, without the slash; several spellings.
    pub(super) prefixes: &'static [&'static str],
    /// The protocols that it speaks, the usual one first.
    pub(super) wires: &'static [Wire],
    /// As `Endpoint::base_url`, for the usual protocol.
    pub(super) base_url: &'static str,
    /// The variable that points elsewhere.
    pub(super) base_variable: Option<&'static str>,
    pub(super) key_variable: &'static str,
    /// Whether its usual place answers nothing without a key.
    pub(super) needs_key: bool,
    /// Whether the gateway has its models.
    pub(super) on_gateway: bool,
    /// How the gateway wants the bound of output tokens for its models.
    pub(super) max_tokens_on_gateway: MaxTokensField,
}

pub(super) const ANTHROPIC: Provider = Provider {
    prefixes: &["anthropic"],
    wires: &[Wire::Messages, Wire::Chat],
    base_url: "https://api.anthropic.com",
    base_variable: Some("ANTHROPIC_BASE_URL"),
    key_variable: "ANTHROPIC_API_KEY",
    needs_key: true,
    on_gateway: true,
    max_tokens_on_gateway: MaxTokensField::MaxTokens,
};

pub(super) const OPENAI: Provider = Provider {
    prefixes: &["openai"],
    wires: &[Wire::Responses, Wire::Chat],
    base_url: "https://api.openai.com/v1",
    base_variable: Some("OPENAI_BASE_URL"),
    key_variable: "OPENAI_API_KEY",
    needs_key: true,
    on_gateway: true,
    max_tokens_on_gateway: MaxTokensField::MaxCompletionTokens,
};

/// `OpenAI` by its older protocol.
pub(super) const OPENAI_CHAT: Provider = Provider {
    prefixes: &["openai-chat"],
    wires: &[Wire::Chat, Wire::Responses],
    ..OPENAI
};

pub(super) const GOOGLE: Provider = Provider {
    prefixes: &["google", "gemini"],
    wires: &[Wire::Gemini, Wire::Chat],
    base_url: "https://generativelanguage.googleapis.com",
    base_variable: Some("GEMINI_BASE_URL"),
    key_variable: "GEMINI_API_KEY",
    needs_key: true,
    on_gateway: true,
    max_tokens_on_gateway: MaxTokensField::MaxTokens,
};

pub(super) const XAI: Provider = Provider {
    prefixes: &["xai"],
    wires: &[Wire::Chat],
    base_url: "https://api.x.ai/v1",
    base_variable: None,
    key_variable: "XAI_API_KEY",
    needs_key: true,
    on_gateway: true,
    max_tokens_on_gateway: MaxTokensField::MaxTokens,
};

pub(super) const OPENROUTER: Provider = Provider {
    prefixes: &["openrouter"],
    wires: &[Wire::Chat, Wire::Messages, Wire::Responses],
    base_url: "https://openrouter.ai/api/v1",
    base_variable: None,
    key_variable: "OPENROUTER_API_KEY",
    needs_key: true,
    on_gateway: false,
    max_tokens_on_gateway: MaxTokensField::MaxTokens,
};

pub(super) const OLLAMA: Provider = Provider {
    prefixes: &["ollama"],
    wires: &[Wire::Chat, Wire::Messages, Wire::Responses],
    base_url: "http://localhost:11434/v1",
    base_variable: None,
    key_variable: "OLLAMA_API_KEY",
    needs_key: false,
    on_gateway: false,
    max_tokens_on_gateway: MaxTokensField::MaxTokens,
};

pub(super) const VLLM: Provider = Provider {
    prefixes: &["vllm"],
    wires: &[Wire::Chat, Wire::Messages, Wire::Responses],
    base_url: "http://localhost:8000/v1",
    base_variable: None,
    key_variable: "VLLM_API_KEY",
    needs_key: false,
    on_gateway: false,
    max_tokens_on_gateway: MaxTokensField::MaxTokens,
};

/// Any server that the user gives the URL of, and any model that only the gateway knows. As the official SDK does, it is sent `OpenAI`'s key.
pub(super) const ANY: Provider = Provider {
    prefixes: &[],
    wires: &[Wire::Chat, Wire::Messages, Wire::Responses],
    base_url: "",
    base_variable: None,
    key_variable: "OPENAI_API_KEY",
    needs_key: false,
    on_gateway: true,
    max_tokens_on_gateway: MaxTokensField::MaxTokens,
};

/// Every provider that a prefix names.
pub(super) const PROVIDERS: &[&Provider] = &[
    &ANTHROPIC,
    &OPENAI,
    &OPENAI_CHAT,
    &GOOGLE,
    &XAI,
    &OPENROUTER,
    &OLLAMA,
    &VLLM,
];

/// The prefix that sends any model's name to the gateway.
pub(super) const GATEWAY_PREFIX: &str = "gateway";

/// Prefixes and patterns of models that a later version will speak to.
pub(super) const NOT_YET: &[&str] = &["computer-use-*"];

/// Names without a prefix. `?` is a digit here: `o1`, `o3-mini`.
pub(super) const PATTERNS: &[(&str, &Provider)] = &[
    ("claude-*", &ANTHROPIC),
    ("gpt-*", &OPENAI),
    ("chatgpt-*", &OPENAI),
    ("codex-*", &OPENAI),
    ("o?", &OPENAI),
    ("o?-*", &OPENAI),
    ("gemini-*", &GOOGLE),
    ("grok-*", &XAI),
];

/// Hosts whose reasoning models refuse the older `max_tokens`.
const COMPLETION_TOKENS_HOSTS: &[&str] = &["api.openai.com", "openai.azure.com"];

/// How the server at `base_url` calls the bound of output tokens.
pub(super) fn max_tokens_field(base_url: &str) -> MaxTokensField {
    let host = base_url
        .split_once("://")
        .map_or(base_url, |(_, rest)| rest)
        .split(['/', ':', '?'])
        .next()
        .unwrap_or_default();
    let known = COMPLETION_TOKENS_HOSTS.iter().any(|known| {
        host.strip_suffix(known)
            .is_some_and(|before| before.is_empty() || before.ends_with('.'))
    });
    if known {
        MaxTokensField::MaxCompletionTokens
    } else {
        MaxTokensField::MaxTokens
    }
}

/// Whether `name` matches a pattern of this file: `*` at the end is anything, `?` is a digit from 1.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, open) = match pattern.strip_suffix('*') {
        Some(pattern) => (pattern, true),
        None => (pattern, false),
    };
    let long_enough = if open {
        name.len() > pattern.len()
    } else {
        name.len() == pattern.len()
    };
    long_enough
        && pattern
            .bytes()
            .zip(name.bytes())
            .all(|(pattern, own)| match pattern {
                b'?' => (b'1'..=b'9').contains(&own),
                pattern => pattern.eq_ignore_ascii_case(&own),
            })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_is_listed() {
        for provider in PROVIDERS {
            assert!(VARIABLES.contains(&provider.key_variable));
            assert!(
                provider
                    .base_variable
                    .is_none_or(|v| VARIABLES.contains(&v))
            );
        }
    }

    #[test]
    fn names_of_the_bound() {
        let check = |url: &str, expected| assert_eq!(max_tokens_field(url), expected, "{url}");
        check(
            "https://api.openai.com/v1",
            MaxTokensField::MaxCompletionTokens,
        );
        check(
            "https://eu.api.openai.com",
            MaxTokensField::MaxCompletionTokens,
        );
        check(
            "https://me.openai.azure.com:443/openai/v1?x=1",
            MaxTokensField::MaxCompletionTokens,
        );
        check(
            "https://notapi.openai.com.evil/v1",
            MaxTokensField::MaxTokens,
        );
        check("http://localhost:8000/v1", MaxTokensField::MaxTokens);
    }
}
