//! The table of models: the embedded file, and what the user adds.

use std::path::Path;
use std::sync::LazyLock;

use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;

use super::facts::{Facts, Price, SamplingRule, ThinkingMode};
use crate::message::Effort;

const EMBEDDED: &str = include_str!("models.toml");

/// What is known of models, by patterns of their names.
#[derive(Clone, Debug)]
pub struct ModelTable {
    /// The first that matches and has a field says it.
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    pattern: String,
    matcher: GlobMatcher,
    facts: Facts,
}

/// A file of models cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {message}")]
pub struct TableError {
    /// The file, with the place where it is known.
    pub file: String,
    /// What is wrong with it.
    pub message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    model: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    pattern: String,
    provider: Option<String>,
    context: Option<u64>,
    max_output: Option<u32>,
    thinks: Option<bool>,
    thinking: Option<Vec<ThinkingMode>>,
    effort: Option<Vec<String>>,
    sampling: Option<SamplingRule>,
    forced_tools: Option<bool>,
    images: Option<bool>,
    price: Option<Price>,
}

impl ModelTable {
    /// The embedded table.
    pub fn embedded() -> &'static Self {
        static TABLE: LazyLock<ModelTable> = LazyLock::new(|| {
            // A test reads it; an empty table refuses nothing and knows no price.
            read(Path::new("models.toml"), EMBEDDED).map_or_else(
                |_| ModelTable {
                    entries: Vec::new(),
                },
                |entries| ModelTable { entries },
            )
        });
        &TABLE
    }

    /// This table with the entries of a file's `text` above its own.
    pub fn with(&self, file: &Path, text: &str) -> Result<Self, TableError> {
        let mut entries = read(file, text)?;
        entries.extend(self.entries.iter().cloned());
        Ok(Self { entries })
    }

    /// What is known of the model called `name`. A name with a prefix (`anthropic/claude-…`) is also known by what follows its last slash.
    pub fn facts(&self, name: &str) -> Facts {
        let name = name.to_ascii_lowercase();
        let short = name.rsplit('/').next().unwrap_or(&name);
        let mut facts = Facts::default();
        for entry in &self.entries {
            if entry.matcher.is_match(&name) || entry.matcher.is_match(short) {
                facts.add_lower(&entry.facts);
            }
        }
        facts
    }

    /// The patterns that name one model each (no wildcard but a last `*`) and have a price, in the order of the table.
    pub fn priced(&self) -> impl Iterator<Item = &str> {
        self.entries
            .iter()
            .filter(|entry| entry.facts.price.is_some())
            .map(|entry| {
                entry
                    .pattern
                    .split('{')
                    .next()
                    .unwrap_or_default()
                    .trim_end_matches('*')
            })
            .filter(|pattern| !pattern.contains(['*', '?', '[']))
    }
}

impl Facts {
    fn add_lower(&mut self, lower: &Self) {
        let own = std::mem::take(self);
        *self = Self {
            provider: own.provider.or_else(|| lower.provider.clone()),
            context: own.context.or(lower.context),
            max_output: own.max_output.or(lower.max_output),
            thinks: own.thinks.or(lower.thinks),
            thinking: own.thinking.or_else(|| lower.thinking.clone()),
            effort: own.effort.or_else(|| lower.effort.clone()),
            sampling: own.sampling.or(lower.sampling),
            forced_tools: own.forced_tools.or(lower.forced_tools),
            images: own.images.or(lower.images),
            price: own.price.or(lower.price),
        };
    }
}

fn read(file: &Path, text: &str) -> Result<Vec<Entry>, TableError> {
    let wrong = |place: Option<usize>, message: String| TableError {
        file: match place {
            Some(offset) => {
                let line = text.get(..offset).unwrap_or_default().matches('\n').count() + 1;
                format!("{}:{line}", file.display())
            }
            None => file.display().to_string(),
        },
        message,
    };
    let parsed: File = toml::from_str(text).map_err(|error| {
        let place = error.span().map(|span| span.start);
        wrong(place, error.message().to_owned())
    })?;
    parsed
        .model
        .into_iter()
        .map(|row| {
            let matcher = GlobBuilder::new(&row.pattern.to_ascii_lowercase())
                .literal_separator(false)
                .empty_alternates(true)
                .build()
                .map(|glob| glob.compile_matcher())
                .map_err(|error| {
                    wrong(
                        None,
                        format!("cannot use the pattern `{}`: {error}", row.pattern),
                    )
                })?;
            let effort = row
                .effort
                .map(|words| {
                    words
                        .iter()
                        .map(|word| {
                            Effort::of(word).ok_or_else(|| {
                                wrong(
                                    None,
                                    format!("`{}`: unknown level of effort `{word}`", row.pattern),
                                )
                            })
                        })
                        .collect::<Result<Vec<_>, _>>()
                })
                .transpose()?;
            Ok(Entry {
                matcher,
                facts: Facts {
                    provider: row.provider,
                    context: row.context,
                    max_output: row.max_output,
                    thinks: row.thinks,
                    thinking: row.thinking,
                    effort,
                    sampling: row.sampling,
                    forced_tools: row.forced_tools,
                    images: row.images,
                    price: row.price,
                },
                pattern: row.pattern,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_table_is_good() {
        read(Path::new("models.toml"), EMBEDDED).unwrap();
        let sonnet = ModelTable::embedded().facts("anthropic/Claude-Sonnet-5-5");
        assert_eq!(sonnet.provider.as_deref(), Some("anthropic"));
        assert_eq!(sonnet.context, Some(1_000_000));
        assert_eq!(sonnet.sampling, Some(SamplingRule::No));
        assert_eq!(
            sonnet.thinking,
            Some(vec![ThinkingMode::Adaptive, ThinkingMode::BetweenTools])
        );
        assert_eq!(ModelTable::embedded().facts("llama"), Facts::default());
    }

    #[test]
    fn families_are_told_apart() {
        let check = |name: &str, context: u64, thinks: bool, price: f64| {
            let facts = ModelTable::embedded().facts(name);
            let input = facts.price.map(|price| price.input);
            assert_eq!(
                (facts.context, facts.thinks, input),
                (Some(context), Some(thinks), Some(price)),
                "{name}"
            );
        };
        check("claude-opus-5-5", 1_000_000, true, 4.0);
        check("claude-opus-5", 1_000_000, true, 5.0);
        check("claude-opus-4-8", 1_000_000, false, 5.0);
        check("claude-sonnet-4-5-20250929", 200_000, false, 3.0);
        check("claude-opus-4-5", 200_000, false, 5.0);
        check("claude-sonnet-4-6", 1_000_000, false, 3.0);
        check("gpt-5", 400_000, true, 1.25);
        check("gpt-5-mini", 400_000, true, 0.25);
        check("gpt-5.4", 1_050_000, true, 2.5);
        check("gpt-6-astra", 1_050_000, true, 10.0);
        check("gpt-4.1", 1_047_576, false, 2.0);
        check("o3", 200_000, true, 2.0);
        check("gemini-2.5-flash", 1_048_576, true, 0.3);
        check("gemini-3.1-pro-preview", 1_048_576, true, 2.0);
    }

    #[test]
    fn entries_of_the_user_stand_above_and_leave_the_rest() {
        let text = "[[model]]\npattern = 'gpt-5.4'\nprice = {input = 1, output = 2}\n";
        let table = ModelTable::embedded()
            .with(Path::new("m.toml"), text)
            .unwrap();
        let facts = table.facts("gpt-5.4");
        assert_eq!(facts.price.map(|price| price.output), Some(2.0));
        assert_eq!(facts.context, Some(1_050_000));
        assert_eq!(table.priced().next(), Some("gpt-5.4"));
    }

    #[test]
    fn mistakes_have_a_place() {
        let check = |text: &str, expected: &str| {
            let error = ModelTable::embedded()
                .with(Path::new("m.toml"), text)
                .unwrap_err();
            let shown = error.to_string();
            assert!(shown.contains(expected), "{shown}");
        };
        check(
            "[[model]]\npattern = 'a'\nprices = 1\n",
            "m.toml:3: unknown field `prices`",
        );
        check(
            "[[model]]\npattern = 'a'\neffort = ['lots']\n",
            "m.toml: `a`: unknown level of effort `lots`",
        );
        check("[[model]]\npattern = 'a[\n", "m.toml:2: ");
    }
}
