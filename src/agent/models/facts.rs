//! What is known of one model.

use serde::Deserialize;

use crate::message::{Effort, Thinking, Usage};

/// Dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// Input that is neither read from nor written to a cache.
    pub input: f64,
    /// Output, thinking included.
    pub output: f64,
    /// Input read from a cache; as `input` when not given.
    pub cache_read: Option<f64>,
    /// Input written to a cache; as `input` when not given.
    pub cache_write: Option<f64>,
}

/// The rates of requests with long inputs.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Over {
    /// Longer inputs than this.
    pub tokens: u64,
    /// As [`Rates::input`].
    pub input: f64,
    /// As [`Rates::output`].
    pub output: f64,
    /// As [`Rates::cache_read`].
    pub cache_read: Option<f64>,
    /// As [`Rates::cache_write`].
    pub cache_write: Option<f64>,
}

/// What a model costs.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// As [`Rates::input`].
    pub input: f64,
    /// As [`Rates::output`].
    pub output: f64,
    /// As [`Rates::cache_read`].
    pub cache_read: Option<f64>,
    /// As [`Rates::cache_write`].
    pub cache_write: Option<f64>,
    /// What applies to long inputs instead.
    pub over: Option<Over>,
}

impl Price {
    /// Dollars of one answer.
    pub fn cost(&self, usage: &Usage) -> f64 {
        let rates = self.rates(usage.input_tokens);
        let fresh = usage
            .input_tokens
            .saturating_sub(usage.cache_read_tokens + usage.cache_write_tokens);
        let parts = [
            (fresh, rates.input),
            (usage.output_tokens, rates.output),
            (
                usage.cache_read_tokens,
                rates.cache_read.unwrap_or(rates.input),
            ),
            (
                usage.cache_write_tokens,
                rates.cache_write.unwrap_or(rates.input),
            ),
        ];
        parts
            .iter()
            .map(|(tokens, rate)| *tokens as f64 * rate / 1e6)
            .sum()
    }

    /// The rates of a request with this many input tokens.
    pub fn rates(&self, input_tokens: u64) -> Rates {
        match self.over {
            Some(over) if input_tokens > over.tokens => Rates {
                input: over.input,
                output: over.output,
                cache_read: over.cache_read,
                cache_write: over.cache_write,
            },
            _ => Rates {
                input: self.input,
                output: self.output,
                cache_read: self.cache_read,
                cache_write: self.cache_write,
            },
        }
    }
}

/// When a model takes temperature, `top_p` and `top_k`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SamplingRule {
    /// Always.
    Yes,
    /// Never.
    No,
    /// As long as it does not think.
    UnlessThinking,
}

/// A way of thinking that a model can be set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThinkingMode {
    /// [`Thinking::Adaptive`].
    Adaptive,
    /// [`Thinking::Budget`].
    Budget,
    /// [`Thinking::BetweenTools`].
    BetweenTools,
    /// [`Thinking::Disabled`].
    Disabled,
}

impl ThinkingMode {
    /// The mode of a setting.
    pub fn of(thinking: Thinking) -> Self {
        match thinking {
            Thinking::Adaptive => Self::Adaptive,
            Thinking::Budget(_) => Self::Budget,
            Thinking::BetweenTools => Self::BetweenTools,
            Thinking::Disabled => Self::Disabled,
        }
    }

    /// The word in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Adaptive => "adaptive",
            Self::Budget => "budget",
            Self::BetweenTools => "between_tools",
            Self::Disabled => "disabled",
        }
    }
}

/// What is known of a model. `None` is not known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Whose it is.
    pub provider: Option<String>,
    /// Input tokens that it takes.
    pub context: Option<u64>,
    /// Output tokens of one answer.
    pub max_output: Option<u32>,
    /// Whether it thinks unless told otherwise.
    pub thinks: Option<bool>,
    /// The ways of thinking it can be set to.
    pub thinking: Option<Vec<ThinkingMode>>,
    /// The levels of effort it takes.
    pub effort: Option<Vec<Effort>>,
    /// When it takes sampling settings.
    pub sampling: Option<SamplingRule>,
    /// Whether a call of a tool may be forced.
    pub forced_tools: Option<bool>,
    /// Whether it reads pictures.
    pub images: Option<bool>,
    /// What it costs.
    pub price: Option<Price>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_token_has_its_rate() {
        let price = Price {
            input: 2.0,
            output: 10.0,
            cache_read: Some(0.2),
            cache_write: None,
            over: Some(Over {
                tokens: 1_000_000,
                input: 4.0,
                output: 20.0,
                cache_read: None,
                cache_write: None,
            }),
        };
        let check = |input, output, cache_read, cache_write, expected: f64| {
            let usage = Usage {
                input_tokens: input,
                output_tokens: output,
                cache_read_tokens: cache_read,
                cache_write_tokens: cache_write,
                reasoning_tokens: output,
            };
            let cost = price.cost(&usage);
            assert!((cost - expected).abs() < 1e-9, "{usage:?}: {cost}");
        };
        check(0, 0, 0, 0, 0.0);
        check(1_000_000, 0, 0, 0, 2.0);
        check(1_000_000, 100_000, 500_000, 100_000, 0.8 + 0.1 + 0.2 + 1.0);
        // A long request is dearer as a whole.
        check(2_000_000, 0, 1_000_000, 0, 8.0);
    }
}
