//! Docker's pattern language, as `.dockerignore` files and the builder's requests for files use it.
//!
//! Sources: `patternmatcher.go` and `ignorefile/ignorefile.go` of moby/patternmatcher, whose results are followed also where they surprise
//! (a leading `**` in front of plain text, an exception that cannot bring back what no pattern had taken).

use regex::Regex;

use crate::util::text;

/// A list of patterns. Later ones win; `!` takes a match back.
#[derive(Debug)]
pub struct Patterns {
    patterns: Vec<Pattern>,
    /// Whether an exception may match below a folder that it does not begin with, so that no folder can be skipped.
    deep_exceptions: bool,
}

#[derive(Debug)]
struct Pattern {
    text: String,
    is_exception: bool,
    how: Match,
}

#[derive(Debug)]
enum Match {
    Exact,
    /// `a/**`: everything that begins so.
    Prefix(String),
    /// `**/a` without other special characters: everything that ends so.
    Suffix(String),
    Regex(Regex),
}

/// Which patterns matched a folder, for what is in it. The default stands for the root.
#[derive(Clone, Debug, Default)]
pub struct Matched(Vec<bool>);

impl Patterns {
    /// Reads the lines of an ignore file.
    ///
    /// # Errors
    /// In words, with the line.
    pub fn parse_file(contents: &str) -> Result<Self, String> {
        let contents = contents.strip_prefix('\u{feff}').unwrap_or(contents);
        let mut patterns = Vec::new();
        for (number, line) in contents.lines().enumerate() {
            // A blank before the `#` makes it a pattern.
            if line.starts_with('#') {
                continue;
            }
            let line = line.trim();
            let (is_exception, pattern) = match line.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, line),
            };
            if line.is_empty() {
                continue;
            }
            let cleaned = if pattern.is_empty() {
                String::new()
            } else {
                clean(pattern)
            };
            let relative = match cleaned.strip_prefix('/') {
                Some(rest) if !rest.is_empty() => rest.to_owned(),
                _ => cleaned,
            };
            let pattern = if is_exception {
                format!("!{relative}")
            } else {
                relative
            };
            patterns.push(
                Pattern::parse(&pattern).map_err(|why| format!("line {}: {why}", number + 1))?,
            );
        }
        Ok(Self::from_patterns(patterns))
    }

    /// Reads patterns that stand by themselves.
    ///
    /// # Errors
    /// In words.
    pub fn parse<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let patterns = patterns
            .into_iter()
            .map(str::trim)
            .filter(|pattern| !pattern.is_empty())
            .map(Pattern::parse)
            .collect::<Result<_, _>>()?;
        Ok(Self::from_patterns(patterns))
    }

    fn from_patterns(patterns: Vec<Pattern>) -> Self {
        let deep_exceptions = patterns.iter().any(|pattern| {
            pattern.is_exception && has_special(without_trailing_glob(&pattern.text))
        });
        Self {
            patterns,
            deep_exceptions,
        }
    }

    /// Whether there is no pattern.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether `path` matches, given what its folder matched; and what it matched itself, for what is in it.
    pub fn matches(&self, path: &str, parent: &Matched) -> (bool, Matched) {
        let mut matched = false;
        let mut own = vec![false; self.patterns.len()];
        for (index, pattern) in self.patterns.iter().enumerate() {
            let mut is_match = parent.0.get(index).copied().unwrap_or(false);
            if !is_match {
                // Docker does not even look: there is nothing to take back, or nothing to add.
                if pattern.is_exception != matched {
                    continue;
                }
                is_match = pattern.matches(path);
            }
            own[index] = is_match;
            if is_match {
                matched = !pattern.is_exception;
            }
        }
        (matched, Matched(own))
    }

    /// Whether `path` or a folder above it matches.
    pub fn matches_or_parent(&self, path: &str) -> bool {
        let mut matched = false;
        for pattern in &self.patterns {
            if pattern.is_exception != matched {
                continue;
            }
            let ends = path.match_indices('/').map(|(at, _)| at);
            if ends
                .chain([path.len()])
                .any(|end| pattern.matches(&path[..end]))
            {
                matched = !pattern.is_exception;
            }
        }
        matched
    }

    /// Whether an exception may bring back something in the folder `path`, which itself matches.
    pub fn may_bring_back(&self, path: &str) -> bool {
        self.deep_exceptions
            || self.patterns.iter().any(|pattern| {
                pattern.is_exception
                    && format!("{}/", without_trailing_glob(&pattern.text))
                        .starts_with(&format!("{path}/"))
            })
    }
}

impl Pattern {
    fn parse(pattern: &str) -> Result<Self, String> {
        let cleaned = clean(pattern);
        let (is_exception, text) = match cleaned.strip_prefix('!') {
            Some("") => return Err("`!` stands alone".to_owned()),
            Some(rest) => (true, rest.to_owned()),
            None => (false, cleaned),
        };
        let shown = || text::one_line(&text, 80);
        if !is_well_formed(&text) {
            return Err(format!(
                "`{}` has a bracket or a `\\` that does not end",
                shown()
            ));
        }
        let how = compile(&text).map_err(|_| format!("`{}` is not a valid pattern", shown()))?;
        Ok(Self {
            text,
            is_exception,
            how,
        })
    }

    fn matches(&self, path: &str) -> bool {
        match &self.how {
            Match::Exact => path == self.text,
            Match::Prefix(prefix) => path.starts_with(prefix),
            Match::Suffix(suffix) => {
                path.ends_with(suffix) || suffix.strip_prefix('/') == Some(path)
            }
            Match::Regex(regex) => regex.is_match(path),
        }
    }
}

fn compile(pattern: &str) -> Result<Match, regex::Error> {
    #[derive(PartialEq)]
    enum Kind {
        Exact,
        Prefix,
        Suffix,
        Regex,
    }
    let mut kind = Kind::Exact;
    let mut regex = String::from("^");
    let mut chars = pattern.chars().peekable();
    let mut is_first = true;
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.next_if_eq(&'*').is_some() => {
                chars.next_if_eq(&'/');
                if chars.peek().is_some() {
                    regex.push_str("(.*/)?");
                    kind = Kind::Regex;
                } else if kind == Kind::Exact {
                    kind = Kind::Prefix;
                } else {
                    regex.push_str(".*");
                    kind = Kind::Regex;
                }
                if is_first {
                    kind = Kind::Suffix;
                }
            }
            '*' => {
                regex.push_str("[^/]*");
                kind = Kind::Regex;
            }
            '?' => {
                regex.push_str("[^/]");
                kind = Kind::Regex;
            }
            '.' | '+' | '(' | ')' | '|' | '{' | '}' | '$' => {
                regex.push('\\');
                regex.push(c);
            }
            '\\' => {
                if let Some(next) = chars.next() {
                    regex.push_str(&regex::escape(next.encode_utf8(&mut [0; 4])));
                    kind = Kind::Regex;
                } else {
                    regex.push('\\');
                }
            }
            '[' | ']' => {
                regex.push(c);
                kind = Kind::Regex;
            }
            c => regex.push(c),
        }
        is_first = false;
    }
    Ok(match kind {
        Kind::Exact => Match::Exact,
        Kind::Prefix => Match::Prefix(pattern.strip_suffix("**").unwrap_or(pattern).to_owned()),
        Kind::Suffix => Match::Suffix(pattern.strip_prefix("**").unwrap_or(pattern).to_owned()),
        Kind::Regex => {
            regex.push('$');
            Match::Regex(Regex::new(&regex)?)
        }
    })
}

/// Whether Go's `filepath.Match` takes it.
fn is_well_formed(pattern: &str) -> bool {
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.next().is_none() => return false,
            '[' => {
                chars.next_if_eq(&'^');
                let mut ranges = 0;
                loop {
                    if chars.peek() == Some(&']') && ranges > 0 {
                        chars.next();
                        break;
                    }
                    if !is_class_char(&mut chars) {
                        return false;
                    }
                    if chars.next_if_eq(&'-').is_some() && !is_class_char(&mut chars) {
                        return false;
                    }
                    ranges += 1;
                }
            }
            _ => {}
        }
    }
    true
}

/// Takes one character of a class, which may be escaped.
fn is_class_char(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    match chars.next() {
        None | Some('-' | ']') => false,
        Some('\\') => chars.next().is_some() && chars.peek().is_some(),
        Some(_) => chars.peek().is_some(),
    }
}

fn without_trailing_glob(pattern: &str) -> &str {
    let pattern = pattern.strip_suffix("/**").unwrap_or(pattern);
    pattern.strip_suffix("/*").unwrap_or(pattern)
}

fn has_special(pattern: &str) -> bool {
    pattern.contains(['*', '[', ']', '?', '^', '\\'])
}

/// The shortest path that means the same, as Go's `path.Clean` has it.
pub(super) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, path: &str, expected: bool) {
        let patterns = Patterns::parse([pattern]).unwrap();
        let (own, _) = patterns.matches(path, &Matched::default());
        assert_eq!(own, expected, "{pattern} {path}");
    }

    #[test]
    fn one_pattern() {
        for (pattern, path, expected) in [
            ("a", "a", true),
            ("a", "b/a", false),
            ("a/", "a", true),
            ("./a//b/../c", "a/c", true),
            ("*", "a", true),
            ("*", "a/b", false),
            ("*.py", "a.py", true),
            ("*.py", "a/b.py", false),
            ("*.py", "apy", false),
            ("?.py", "é.py", true),
            ("?.py", "/.py", false),
            ("a/*/c", "a/b/c", true),
            ("a/*/c", "a/b/b/c", false),
            ("**", "a", true),
            ("**", "a/b/c", true),
            ("**/a", "a", true),
            ("**/a", "x/y/a", true),
            // Docker ends the fast comparison at the text, not at a slash.
            ("**a", "xa", true),
            ("**/a", "xa", false),
            ("**/*.py", "a.py", true),
            ("**/*.py", "x/y/a.py", true),
            ("a/**", "a/b/c", true),
            ("a/**", "a", false),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "axb", false),
            ("**/a/**", "x/a/y", true),
            ("[abc]", "b", true),
            ("[^abc]", "b", false),
            ("[a-c]x", "bx", true),
            ("a.b", "axb", false),
            ("a+(b)|{c}$", "a+(b)|{c}$", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("../a", "a", false),
        ] {
            check(pattern, path, expected);
        }
    }

    #[test]
    fn later_patterns_win_and_folders_pass_on_what_matched_them() {
        let patterns = Patterns::parse_file(
            "\u{feff}# a comment\n  # not one\n\n*\n!src\n/src/*.log\r\n! src/keep.log \n",
        )
        .unwrap();
        let check = |path: &str, expected: bool| {
            let mut parent = Matched::default();
            let mut own = false;
            for end in path
                .match_indices('/')
                .map(|(at, _)| at)
                .chain([path.len()])
            {
                (own, parent) = patterns.matches(&path[..end], &parent);
            }
            assert_eq!(own, expected, "{path}");
            assert_eq!(patterns.matches_or_parent(path), expected, "{path}");
        };
        check("a", true);
        check("src", false);
        check("src/a", false);
        check("src/a.log", true);
        check("src/keep.log", false);
        check("src/deep/b.log", false);
        check("# not one", true);
        assert!(patterns.may_bring_back("src") && !patterns.may_bring_back("other"));
        let deep = Patterns::parse_file("*\n!**/x").unwrap();
        assert!(deep.may_bring_back("anything"));
    }

    #[test]
    fn mistakes_name_their_line() {
        let check = |contents: &str, expected: &str| {
            assert_eq!(Patterns::parse_file(contents).unwrap_err(), expected);
        };
        check("a\n!", "line 2: `!` stands alone");
        check(
            "a\n[",
            "line 2: `[` has a bracket or a `\\` that does not end",
        );
        check(
            "[]a]",
            "line 1: `[]a]` has a bracket or a `\\` that does not end",
        );
        check(
            "[a-]",
            "line 1: `[a-]` has a bracket or a `\\` that does not end",
        );
        check(
            "a\\",
            "line 1: `a\\` has a bracket or a `\\` that does not end",
        );
    }

    #[test]
    fn paths_are_cleaned_as_go_does() {
        for (path, expected) in [
            ("", "."),
            ("a/./b//c/..", "a/b"),
            ("/../a", "/a"),
            ("../../a", "../../a"),
            ("a/..", "."),
            ("/", "/"),
        ] {
            assert_eq!(clean(path), expected, "{path}");
        }
    }
}
