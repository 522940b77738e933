//! What must be known of a Dockerfile before and after the engine builds it: its base images, its variables, what it needs of the builder.
//! The engine judges whether it is right; what is not understood here is skipped.
//!
//! Source: the Dockerfile reference of docs.docker.com.

use std::collections::{BTreeMap, BTreeSet};

use super::context::RUNTIME_FOLDER;

/// A Dockerfile, read for a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dockerfile {
    stages: Vec<Stage>,
    /// Why it needs BuildKit: the line, and what.
    pub needs_buildkit: Option<(usize, String)>,
    /// Whether it takes the runtime out of the context.
    pub uses_runtime: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Stage {
    name: Option<String>,
    /// The image or stage that it begins with, after substitution.
    base: String,
    /// Images and stages that it copies from or mounts.
    others: Vec<String>,
    variables: Vec<(String, Setting)>,
}

/// Where the value of a variable comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setting {
    /// Nowhere: it is empty, or an argument without a value.
    Missing,
    /// A default that may be replaced.
    Default,
    /// The Dockerfile.
    Fixed,
}

/// The variables of an environment, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// Those that must be given.
    pub required: BTreeSet<String>,
    /// Those that may be.
    pub optional: BTreeSet<String>,
}

/// A value, after substitution, or an argument.
#[derive(Clone, Debug)]
struct Value {
    text: String,
    setting: Setting,
}

/// What `$NAME` means in one place.
type Scope = BTreeMap<String, Value>;

impl Value {
    fn argument(text: Option<String>) -> Self {
        Self {
            setting: if text.is_some() {
                Setting::Default
            } else {
                Setting::Missing
            },
            text: text.unwrap_or_default(),
        }
    }
}

impl Dockerfile {
    /// Reads the text. `build_args` are those of the build, `platform` is `os/architecture[/variant]`.
    pub fn parse(text: &str, build_args: &BTreeMap<String, String>, platform: &str) -> Self {
        let mut file = Self::default();
        // Arguments before the first `FROM` hold for all `FROM`s, and in a stage only where it asks for them.
        let mut global = platform_arguments(platform);
        let mut local = Scope::new();
        for Instruction { line, word, rest } in instructions(text) {
            match word.as_str() {
                "FROM" => {
                    local.clear();
                    let (_, words) = flags(&rest);
                    let base = expand(words.first().copied().unwrap_or_default(), &global).text;
                    let name = match words.as_slice() {
                        [_, word, name, ..] if word.eq_ignore_ascii_case("as") => {
                            Some(name.to_lowercase())
                        }
                        _ => None,
                    };
                    file.stages.push(Stage {
                        name,
                        base,
                        ..Stage::default()
                    });
                }
                "ARG" => {
                    for word in words(&rest) {
                        let (name, default) = match word.split_once('=') {
                            Some((name, value)) => (name.to_owned(), Some(unquote(value))),
                            None => (word.clone(), None),
                        };
                        let scope = if file.stages.is_empty() {
                            &global
                        } else {
                            &local
                        };
                        let value = build_args
                            .get(&name)
                            .cloned()
                            .or_else(|| default.map(|value| expand(&value, scope).text))
                            .or_else(|| {
                                let outer = global.get(&name);
                                outer
                                    .filter(|outer| outer.setting != Setting::Missing)
                                    .map(|outer| outer.text.clone())
                            });
                        let value = Value::argument(value);
                        if file.stages.is_empty() {
                            global.insert(name, value);
                        } else {
                            local.insert(name, value);
                        }
                    }
                }
                "ENV" => {
                    let Some(stage) = file.stages.last_mut() else {
                        continue;
                    };
                    for (name, value) in assignments(&rest) {
                        let value = expand(&value, &local);
                        stage.variables.push((name.clone(), value.setting));
                        local.insert(name, value);
                    }
                }
                "COPY" | "ADD" | "RUN" => file.copy_or_run(line, &word, &rest, &global, &local),
                _ => {}
            }
        }
        file
    }

    fn copy_or_run(&mut self, line: usize, word: &str, rest: &str, global: &Scope, local: &Scope) {
        let (flags, words) = flags(rest);
        let mut from_elsewhere = false;
        for flag in flags {
            let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
            match name {
                "--from" => {
                    from_elsewhere = true;
                    self.add_other(&expand(value, global).text);
                }
                "--mount" => {
                    let kind = value
                        .split(',')
                        .find_map(|part| part.strip_prefix("type="))
                        .unwrap_or("bind");
                    self.need_buildkit(line, format!("{word} --mount=type={kind}"));
                    if let Some(from) = value.split(',').find_map(|part| part.strip_prefix("from="))
                    {
                        self.add_other(&expand(from, global).text);
                    }
                    if value.contains(RUNTIME_FOLDER) {
                        self.uses_runtime = true;
                    }
                }
                "--network" | "--security" | "--link" | "--parents" | "--exclude" => {
                    self.need_buildkit(line, format!("{word} {name}"));
                }
                _ => {}
            }
        }
        if word == "RUN" || from_elsewhere {
            return;
        }
        // The last word is where to.
        let sources = words.split_last().map_or(&[][..], |(_, sources)| sources);
        for source in sources {
            let source = expand(source.trim_matches(['[', ']', ',', '"']), local).text;
            let source = source.trim_start_matches("./").trim_start_matches('/');
            if source.split('/').next() == Some(RUNTIME_FOLDER) {
                self.uses_runtime = true;
            }
        }
    }

    fn need_buildkit(&mut self, line: usize, what: String) {
        self.needs_buildkit.get_or_insert((line, what));
    }

    fn add_other(&mut self, name: &str) {
        if let Some(stage) = self.stages.last_mut() {
            stage.others.push(name.to_owned());
        }
    }

    /// The image that the last stage stands on, through the stages before it; `None` for a Dockerfile without `FROM`.
    pub fn base_image(&self) -> Option<&str> {
        let last = self.stages.len().checked_sub(1)?;
        Some(&self.stages[*self.line_of(last).last()?].base)
    }

    /// Every image that the build may need, without those that are stages.
    pub fn images(&self) -> BTreeSet<&str> {
        let mut images = BTreeSet::new();
        for (index, stage) in self.stages.iter().enumerate() {
            for name in stage.others.iter().chain([&stage.base]) {
                let is_number = name
                    .parse::<usize>()
                    .is_ok_and(|number| number < self.stages.len());
                if name != "scratch"
                    && !name.is_empty()
                    && !is_number
                    && self.stage_before(name, index).is_none()
                {
                    images.insert(name.as_str());
                }
            }
        }
        images
    }

    /// The variables of the last stage and those below it.
    pub fn variables(&self) -> Variables {
        let mut found = BTreeMap::new();
        let line = self
            .stages
            .len()
            .checked_sub(1)
            .map_or_else(Vec::new, |last| self.line_of(last));
        // The lowest first, so that what stands above wins.
        for index in line.into_iter().rev() {
            for (name, setting) in &self.stages[index].variables {
                found.insert(name.clone(), *setting);
            }
        }
        let with = |wanted: Setting| {
            found
                .iter()
                .filter(|(_, setting)| **setting == wanted)
                .map(|(name, _)| name.clone())
                .collect()
        };
        Variables {
            required: with(Setting::Missing),
            optional: with(Setting::Default),
        }
    }

    /// A stage and those that it stands on, down to the one that stands on an image.
    fn line_of(&self, stage: usize) -> Vec<usize> {
        let mut line = vec![stage];
        let mut current = stage;
        while let Some(below) = self.stage_before(&self.stages[current].base, current) {
            line.push(below);
            current = below;
        }
        line
    }

    fn stage_before(&self, name: &str, index: usize) -> Option<usize> {
        let name = name.to_lowercase();
        self.stages[..index]
            .iter()
            .rposition(|stage| stage.name.as_deref() == Some(&name))
    }
}

/// The arguments that every `FROM` may use.
fn platform_arguments(platform: &str) -> Scope {
    let mut parts = platform.split('/');
    let (os, arch) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let variant = parts.next().unwrap_or("");
    [
        ("TARGETPLATFORM", platform),
        ("TARGETOS", os),
        ("TARGETARCH", arch),
        ("TARGETVARIANT", variant),
        ("BUILDPLATFORM", platform),
        ("BUILDOS", os),
        ("BUILDARCH", arch),
        ("BUILDVARIANT", variant),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), Value::argument(Some(value.to_owned()))))
    .collect()
}

struct Instruction {
    line: usize,
    word: String,
    rest: String,
}

/// The instructions, with continued lines joined and texts behind `<<` left out.
fn instructions(text: &str) -> Vec<Instruction> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let escape = escape_character(text);
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, first)) = lines.next() {
        let mut whole = String::new();
        let mut line = first;
        loop {
            let trimmed = line.trim();
            if trimmed.starts_with('#') || trimmed.is_empty() {
                // A comment between continued lines does not end them.
            } else if let Some(before) = trimmed.strip_suffix(escape) {
                whole.push_str(before);
                whole.push(' ');
            } else {
                whole.push_str(trimmed);
                break;
            }
            if whole.is_empty() {
                break;
            }
            match lines.next() {
                Some((_, next)) => line = next,
                None => break,
            }
        }
        let whole = whole.trim();
        if whole.is_empty() {
            continue;
        }
        let (word, rest) = whole.split_once(char::is_whitespace).unwrap_or((whole, ""));
        let word = word.to_uppercase();
        if matches!(word.as_str(), "RUN" | "COPY" | "ADD") {
            for end in heredocs(rest) {
                for (_, line) in lines.by_ref() {
                    if line.trim_start_matches('\t') == end {
                        break;
                    }
                }
            }
        }
        found.push(Instruction {
            line: number + 1,
            word,
            rest: rest.trim().to_owned(),
        });
    }
    found
}

/// `# escape=` among the comments at the very top.
fn escape_character(text: &str) -> char {
    for line in text.lines() {
        let Some(comment) = line.trim().strip_prefix('#') else {
            break;
        };
        let Some((name, value)) = comment.split_once('=') else {
            break;
        };
        if name.trim().eq_ignore_ascii_case("escape") {
            return value.trim().chars().next().unwrap_or('\\');
        }
    }
    '\\'
}

/// The words that end the texts which an instruction begins with `<<WORD`.
fn heredocs(rest: &str) -> Vec<String> {
    rest.split_whitespace()
        .filter_map(|word| {
            let word = word.trim_start_matches(|c: char| c.is_ascii_digit());
            let word = word.strip_prefix("<<")?;
            let word = word.strip_prefix('-').unwrap_or(word);
            let word = word.trim_matches(['"', '\'']);
            let plain =
                !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            plain.then(|| word.to_owned())
        })
        .collect()
}

/// The flags in front, and the words behind them.
fn flags(rest: &str) -> (Vec<&str>, Vec<&str>) {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let end = words
        .iter()
        .position(|word| !word.starts_with("--"))
        .unwrap_or(words.len());
    (words[..end].to_vec(), words[end..].to_vec())
}

/// Words as a shell splits them: quotes hold together and stay.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => {
                word.push(c);
                word.extend(chars.next());
            }
            ('"' | '\'', None) => {
                quote = Some(c);
                word.push(c);
            }
            (c, Some(open)) if c == open => {
                quote = None;
                word.push(c);
            }
            (c, None) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            (c, _) => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// `A=1 B="2 3"`, or the older `A rest of the line`.
fn assignments(rest: &str) -> Vec<(String, String)> {
    let words = words(rest);
    let Some(first) = words.first() else {
        return Vec::new();
    };
    if !first.contains('=') {
        let value = rest.trim().strip_prefix(first.as_str()).unwrap_or("");
        return vec![(first.clone(), unquote(value.trim()))];
    }
    words
        .iter()
        .filter_map(|word| word.split_once('='))
        .map(|(name, value)| (name.to_owned(), unquote(value)))
        .collect()
}

fn unquote(value: &str) -> String {
    let mut out = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\'' => {}
            // A dollar that means itself stays marked until substitution has seen it.
            '\\' => match chars.next() {
                Some('$') => out.push_str("\\$"),
                Some(next) => out.push(next),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

/// Substitutes `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:+other}`. A name that nothing here has set is the base image's.
fn expand(text: &str, scope: &Scope) -> Value {
    let mut out = String::new();
    let mut settings = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['$', '\\']) {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if rest.as_bytes()[at] == b'\\' {
            let next = after.chars().next();
            out.extend(next);
            rest = &after[next.map_or(0, char::len_utf8)..];
            continue;
        }
        let (expression, remaining) = match after.strip_prefix('{') {
            Some(inside) => inside.split_once('}').unwrap_or((inside, "")),
            None => after.split_at(end_of_name(after)),
        };
        rest = remaining;
        let (name, operation) = expression.split_at(end_of_name(expression));
        let operation = operation.strip_prefix(':').unwrap_or(operation);
        let found = scope.get(name);
        let is_empty = found.is_none_or(|value| value.text.is_empty());
        if let Some(default) = operation.strip_prefix('-')
            && is_empty
        {
            out.push_str(&expand(default, scope).text);
            settings.push(Setting::Default);
        } else if let Some(other) = operation.strip_prefix('+') {
            if !is_empty {
                out.push_str(&expand(other, scope).text);
            }
        } else if let Some(value) = found {
            out.push_str(&value.text);
            settings.push(value.setting);
        } else {
            settings.push(Setting::Fixed);
        }
    }
    out.push_str(rest);
    let setting = if out.is_empty() && !settings.contains(&Setting::Fixed) {
        Setting::Missing
    } else if settings.contains(&Setting::Default) {
        Setting::Default
    } else {
        Setting::Fixed
    };
    Value { text: out, setting }
}

fn end_of_name(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Dockerfile {
        let args = BTreeMap::from([("GIVEN".to_owned(), "given".to_owned())]);
        Dockerfile::parse(text, &args, "linux/amd64")
    }

    #[test]
    fn images_are_found_through_stages_and_arguments() {
        let check = |text: &str, base: Option<&str>, images: &[&str]| {
            let file = parse(text);
            assert_eq!(file.base_image(), base, "{text}");
            assert_eq!(file.images(), images.iter().copied().collect(), "{text}");
        };
        check("", None, &[]);
        check("FROM scratch", Some("scratch"), &[]);
        check(
            "# escape=`\n# a comment\nfrom --platform=$BUILDPLATFORM python:3 as B\nRUN x\nFROM b\nCOPY --from=B /a /a",
            Some("python:3"),
            &["python:3"],
        );
        check(
            "ARG V=3.11\nARG GIVEN\nARG I=python:$V-${GIVEN}\nFROM $I\n",
            Some("python:3.11-given"),
            &["python:3.11-given"],
        );
        check(
            "FROM a AS x\nFROM b\nCOPY --from=x / /\nCOPY --from=0 / /\nCOPY --from=c:1 / /\nRUN --mount=type=bind,from=d,target=/x true",
            Some("b"),
            &["a", "b", "c:1", "d"],
        );
        check(
            "FROM ${NONE:-python}:${TARGETARCH}",
            Some("python:amd64"),
            &["python:amd64"],
        );
    }

    #[test]
    fn continued_lines_comments_and_texts_are_one_instruction() {
        let file = parse(
            "FROM a\nRUN one \\\n# a comment\n\n  --two\nCOPY <<EOF /x\nFROM not\nEOF\nRUN <<-A cat && <<\"B\" cat\nFROM no\n\tA\nFROM no\nB\nENV LAST=\n",
        );
        assert_eq!(file.base_image(), Some("a"));
        assert_eq!(file.stages.len(), 1);
        assert_eq!(file.variables().required, ["LAST".to_owned()].into());
        let file =
            parse("# syntax=docker/dockerfile:1\n# escape=`\nFROM a\nRUN one `\n two\\\nENV A=");
        assert!(file.variables().required.contains("A"));
    }

    #[test]
    fn variables_are_required_optional_or_fixed() {
        let check = |text: &str, required: &[&str], optional: &[&str]| {
            let variables = parse(text).variables();
            let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
            let expected = Variables {
                required: names(required),
                optional: names(optional),
            };
            assert_eq!(variables, expected, "{text}");
        };
        check(
            "FROM a\nENV PYTHONUNBUFFERED=1 B=\"two words\" C=x",
            &[],
            &[],
        );
        check(
            "FROM a\nENV KEY=\nENV OTHER \"\"\nENV THIRD",
            &["KEY", "OTHER", "THIRD"],
            &[],
        );
        check(
            "FROM a\nARG A\nENV KEY=$A OTHER=${A}",
            &["KEY", "OTHER"],
            &[],
        );
        check(
            "FROM a\nARG A=1\nENV KEY=$A B=${C:-x} D=${KEY}",
            &[],
            &["B", "D", "KEY"],
        );
        check("FROM a\nARG GIVEN\nENV KEY=$GIVEN", &[], &["KEY"]);
        check("FROM a\nENV KEY=\nENV KEY=1", &[], &[]);
        check("FROM a\nENV PATH=/x:$PATH ALL=$HOME B=2 C=$B", &[], &[]);
        check(
            "FROM a AS b\nENV LOW=\nFROM b\nENV HIGH=\n",
            &["HIGH", "LOW"],
            &[],
        );
        check("FROM a AS b\nENV LOW=\nFROM c\nENV PRICE='5\\$'", &[], &[]);
    }

    #[test]
    fn what_it_needs_of_the_builder_is_said_with_its_line() {
        let check = |text: &str, expected: Option<(usize, &str)>| {
            let found = parse(text).needs_buildkit;
            assert_eq!(found, expected.map(|(line, what)| (line, what.to_owned())));
        };
        check("FROM a\nRUN --flag x\nCOPY --chown=1 a b", None);
        check(
            "FROM a\nRUN x\nRUN --mount=type=cache,target=/c x",
            Some((3, "RUN --mount=type=cache")),
        );
        check(
            "FROM a\nRUN --mount=target=/c x",
            Some((2, "RUN --mount=type=bind")),
        );
        check("FROM a\nCOPY --link a b", Some((2, "COPY --link")));
    }

    #[test]
    fn the_runtime_is_used_where_it_is_copied_from_the_context() {
        let check = |text: &str, expected: bool| {
            assert_eq!(parse(text).uses_runtime, expected, "{text}");
        };
        check("FROM a\nCOPY .hud-runtime/hud /usr/local/bin/hud", true);
        check("FROM a\nCOPY [\"./.hud-runtime/hud\", \"/hud\"]", true);
        check(
            "FROM a\nRUN --mount=source=.hud-runtime,target=/r cp /r/hud /",
            true,
        );
        check("FROM a\nCOPY --from=b .hud-runtime/hud /", false);
        check("FROM a\nCOPY . .\n# COPY .hud-runtime/hud /", false);
        check("FROM a\nCOPY x /.hud-runtime/", false);
    }
}
