//! Types of values that several commands take.

use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::agent::provider::AgentType;

/// Reads the type of an agent; offers all of them to completions and errors.
pub(in crate::cli) fn agent_type() -> impl TypedValueParser<Value = AgentType> {
    let names = AgentType::ALL.map(|agent| {
        let name = PossibleValue::new(agent.as_str());
        match agent {
            AgentType::Oracle => name.alias("integration_test"),
            AgentType::OpenAiCompatible => name.alias("openai-compatible"),
            AgentType::Claude
            | AgentType::OpenAi
            | AgentType::Operator
            | AgentType::Gemini
            | AgentType::GeminiCua
            | AgentType::Scripted => name,
        }
    });
    PossibleValuesParser::new(names).try_map(|name| name.parse::<AgentType>())
}

/// `KEY=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct KeyValue {
    /// Before the first `=`, trimmed.
    pub(in crate::cli) key: String,
    /// After it, as typed.
    pub(in crate::cli) value: String,
}

impl FromStr for KeyValue {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => Ok(Self {
                key: key.trim().to_owned(),
                value: value.to_owned(),
            }),
            _ => Err("expected KEY=VALUE".to_owned()),
        }
    }
}

/// A span of time: `90`, `1.5`, `90s`, `5m`, `1h`. Positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::cli) struct Seconds(pub(in crate::cli) Duration);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = match text.trim().strip_suffix("ms") {
            Some(number) => (number, 0.001),
            None => match text.trim().char_indices().last() {
                Some((at, 's')) => (&text.trim()[..at], 1.0),
                Some((at, 'm')) => (&text.trim()[..at], 60.0),
                Some((at, 'h')) => (&text.trim()[..at], 3600.0),
                _ => (text.trim(), 1.0),
            },
        };
        let seconds = number
            .trim()
            .parse::<f64>()
            .map_err(|_| "expected seconds, or a time such as 90s, 5m or 1h".to_owned())?
            * unit;
        if seconds <= 0.0 {
            return Err("must be more than 0".to_owned());
        }
        Duration::try_from_secs_f64(seconds)
            .map(Self)
            .map_err(|_| "too long".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let check = |text: &str, expected: Result<u64, &str>| {
            let got = text.parse::<Seconds>().map(|s| s.0.as_millis() as u64);
            assert_eq!(got, expected.map_err(str::to_owned), "{text}");
        };
        let wrong = "expected seconds, or a time such as 90s, 5m or 1h";
        check("90", Ok(90_000));
        check("1.5", Ok(1_500));
        check("250ms", Ok(250));
        check("90s", Ok(90_000));
        check("5m", Ok(300_000));
        check("1h", Ok(3_600_000));
        check("", Err(wrong));
        check("soon", Err(wrong));
        check("s", Err(wrong));
        check("0", Err("must be more than 0"));
        check("-3", Err("must be more than 0"));
        check("nan", Err("too long"));
        check("1e300h", Err("too long"));
    }

    #[test]
    fn a_value_may_hold_an_equals_sign() {
        let pair = |key: &str, value: &str| KeyValue {
            key: key.to_owned(),
            value: value.to_owned(),
        };
        assert_eq!("a=b=c".parse(), Ok(pair("a", "b=c")));
        assert_eq!(" a =".parse(), Ok(pair("a", "")));
        assert_eq!(
            "=b".parse::<KeyValue>(),
            Err("expected KEY=VALUE".to_owned())
        );
        assert_eq!(
            "ab".parse::<KeyValue>(),
            Err("expected KEY=VALUE".to_owned())
        );
    }
}
