//! Which tools an agent may see, by patterns: `*` is any text, `?` any one character, everything else itself.

use globset::{GlobBuilder, GlobMatcher};

use crate::message::Tool;

/// `allowed_tools` and `disallowed_tools`, ready to use.
#[derive(Clone, Debug)]
pub struct Filter {
    allowed: Option<Vec<GlobMatcher>>,
    disallowed: Vec<GlobMatcher>,
}

impl Filter {
    /// Compiles the patterns. An error names the pattern that is no pattern (it is longer than the matcher takes).
    pub fn new(allowed: Option<&[String]>, disallowed: Option<&[String]>) -> Result<Self, String> {
        let compile = |patterns: &[String]| patterns.iter().map(|p| matcher(p)).collect();
        Ok(Self {
            allowed: allowed.map(compile).transpose()?,
            disallowed: disallowed.map(compile).transpose()?.unwrap_or_default(),
        })
    }

    /// Whether the tool called `name` is shown.
    pub fn shows(&self, name: &str) -> bool {
        let any = |patterns: &[GlobMatcher]| patterns.iter().any(|p| p.is_match(name));
        self.allowed.as_deref().is_none_or(any) && !any(&self.disallowed)
    }

    /// The tools of `tools` that are shown.
    pub fn apply(&self, tools: Vec<Tool>) -> Vec<Tool> {
        let mut tools = tools;
        tools.retain(|tool| self.shows(&tool.name));
        tools
    }
}

/// The patterns that name one tool exactly (no wildcard) where no such tool exists: likely a slip, for the caller to report once.
pub fn unmatched<'a>(patterns: impl IntoIterator<Item = &'a str>, tools: &[Tool]) -> Vec<String> {
    patterns
        .into_iter()
        .filter(|pattern| !pattern.contains(['*', '?']))
        .filter(|pattern| !tools.iter().any(|tool| tool.name == *pattern))
        .map(str::to_owned)
        .collect()
}

/// A matcher of one pattern, with which slugs of tasks are matched too.
pub(super) fn matcher(pattern: &str) -> Result<GlobMatcher, String> {
    let mut glob = String::with_capacity(pattern.len());
    for c in pattern.chars() {
        match c {
            // Two stars mean the same as one here; to the glob crate they mean folders.
            '*' if glob.ends_with('*') => {}
            '[' | ']' | '{' | '}' | '!' => glob.extend(['[', c, ']']),
            c => glob.push(c),
        }
    }
    GlobBuilder::new(&glob)
        .backslash_escape(false)
        .literal_separator(false)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| format!("cannot use the pattern `{pattern}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::testing::tool;

    fn check(allowed: Option<&[&str]>, disallowed: Option<&[&str]>, expected: &[&str]) {
        let own = |patterns: Option<&[&str]>| {
            patterns.map(|p| p.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>())
        };
        let filter = Filter::new(own(allowed).as_deref(), own(disallowed).as_deref()).unwrap();
        let tools = ["db_read", "db_write", "fs/read", "a[1]", "x{y}", "w\\z"].map(tool);
        let shown = filter.apply(tools.to_vec());
        let names: Vec<_> = shown.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(names, expected, "{allowed:?} {disallowed:?}");
    }

    #[test]
    fn patterns_show_and_hide() {
        check(
            None,
            None,
            &["db_read", "db_write", "fs/read", "a[1]", "x{y}", "w\\z"],
        );
        check(Some(&["db_*"]), None, &["db_read", "db_write"]);
        check(Some(&["db_*"]), Some(&["*_write"]), &["db_read"]);
        check(Some(&[]), None, &[]);
        check(Some(&["*read"]), None, &["db_read", "fs/read"]);
        check(Some(&["db_rea?"]), None, &["db_read"]);
        check(
            Some(&["**"]),
            Some(&["db*", "fs*", "?{?}", "w\\?"]),
            &["a[1]"],
        );
        check(
            Some(&["a[1]", "x{y}", "w\\z"]),
            None,
            &["a[1]", "x{y}", "w\\z"],
        );
        check(Some(&["DB_READ"]), None, &[]);
    }

    #[test]
    fn a_name_that_no_tool_has_is_reported_and_a_pattern_is_not() {
        let tools = [tool("lookup")];
        assert_eq!(
            unmatched(["lookup", "lokup", "x*"], &tools),
            vec!["lokup".to_owned()]
        );
    }
}
