//! The types of agents, by the names that flags and files use.

use std::fmt;
use std::str::FromStr;

use crate::util::suggest::did_you_mean;

/// Which protocol an agent speaks to its model, or that it needs none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AgentType {
    /// Anthropic Messages.
    Claude,
    /// `OpenAI` Responses.
    OpenAi,
    /// `OpenAI`'s computer use; not in this version.
    Operator,
    /// Google's models.
    Gemini,
    /// Google's computer use; not in this version.
    GeminiCua,
    /// Chat Completions of any server.
    OpenAiCompatible,
    /// Plays each task's solution. Also called `integration_test`.
    Oracle,
    /// Plays written turns.
    Scripted,
}

impl AgentType {
    /// Every type, in the order in which help shows them.
    pub const ALL: [Self; 8] = [
        Self::Claude,
        Self::OpenAi,
        Self::Operator,
        Self::Gemini,
        Self::GeminiCua,
        Self::OpenAiCompatible,
        Self::Oracle,
        Self::Scripted,
    ];

    /// The name in flags, files and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::OpenAi => "openai",
            Self::Operator => "operator",
            Self::Gemini => "gemini",
            Self::GeminiCua => "gemini_cua",
            Self::OpenAiCompatible => "openai_compatible",
            Self::Oracle => "oracle",
            Self::Scripted => "scripted",
        }
    }
}

impl fmt::Display for AgentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AgentType {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let name = word.trim().to_ascii_lowercase().replace('-', "_");
        if name == "integration_test" {
            return Ok(Self::Oracle);
        }
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == name)
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::as_str);
                format!(
                    "unknown agent type '{word}'{}\nagent types: {}",
                    did_you_mean(word, names),
                    names.join(", ")
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for kind in AgentType::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert_eq!("integration-test".parse(), Ok(AgentType::Oracle));
        assert_eq!("OpenAI-compatible".parse(), Ok(AgentType::OpenAiCompatible));
        assert_eq!(
            "cluade".parse::<AgentType>().unwrap_err(),
            "unknown agent type 'cluade'; did you mean 'claude'?\n\
             agent types: claude, openai, operator, gemini, gemini_cua, openai_compatible, oracle, scripted"
        );
    }
}
