//! What to do about a failure, from what was said of it. The rules are data: the first that fit, most specific first.

use std::path::Path;

/// What a failure is known by, and what to do then.
struct Rule {
    /// Any of these in the message or the log, in lower case.
    any: &'static [&'static str],
    /// What to do; `{}` is what stands between `between`.
    hint: &'static str,
    /// What to pick out of the text, as it is written there.
    between: Option<(&'static str, char)>,
}

const fn rule(any: &'static [&'static str], hint: &'static str) -> Rule {
    Rule {
        any,
        hint,
        between: None,
    }
}

const RULES: &[Rule] = &[
    Rule {
        any: &["no module named '"],
        hint: "`{}` is missing: install it for the Python that runs the environment (the project's .venv, or the one given with --python)",
        between: Some(("No module named '", '\'')),
    },
    Rule {
        any: &["cannot find module '"],
        hint: "`{}` is missing: run `npm install` in the server's folder",
        between: Some(("Cannot find module '", '\'')),
    },
    Rule {
        any: &["cannot find package '"],
        hint: "`{}` is missing: run `npm install` in the server's folder",
        between: Some(("Cannot find package '", '\'')),
    },
    rule(
        &["error while loading shared libraries", "importerror: lib"],
        "a library of the system is missing: install its package, or run the environment in its container",
    ),
    rule(
        &[
            "cannot open display",
            "couldn't connect to display",
            "no $display",
            "could not connect to display",
            "missing x server",
            "qt.qpa.xcb",
            "xlib.error",
            "no display name",
        ],
        "it needs a screen: start it under `xvfb-run -a`, or set DISPLAY to a running X server",
    ),
    rule(
        &["cannot connect to the docker daemon", "docker.sock"],
        "the Docker daemon is not reachable: start it, or join the group `docker`",
    ),
    rule(
        &[
            "permission denied",
            "eacces",
            "permissionerror",
            "operation not permitted",
        ],
        "a file may not be read, written or run: look at its mode with `ls -l`; `chmod +x` makes a script runnable",
    ),
    rule(
        &["address already in use", "eaddrinuse"],
        "another process listens on this port: end it, or take another port; an environment that listens needs a port for each of its copies, such as port 0",
    ),
    rule(
        &["text that is not mcp on stdout"],
        "stdout belongs to the protocol: print to stderr (Python: print(…, file=sys.stderr), Node: console.error) or log to a file",
    ),
    rule(
        &[
            "out of memory",
            "cannot allocate memory",
            "memoryerror",
            "heap limit",
            "bad_alloc",
            "(sigkill)",
            "ended by sigkill",
        ],
        "it ran out of memory, or something killed it: give it more, or load less when it starts",
    ),
    rule(
        &[
            "no such file or directory",
            "enoent",
            "filenotfounderror",
            "no such file",
        ],
        "a file is not there: relative paths start from the environment's folder, and for a command from the folder in which hud runs",
    ),
    rule(
        &[
            "wants authorization",
            "http 401",
            "http 403",
            "unauthorized",
        ],
        "the server wants a token: give it with --api-key, or as a header in a --config file",
    ),
    rule(
        &["http 404", "answered 404"],
        "there is no MCP at this path: servers of hud have it at /mcp",
    ),
    rule(
        &[
            "model calls on the environment's behalf",
            "asks for model calls",
        ],
        "the grader asks a model: set the key of a provider, such as ANTHROPIC_API_KEY",
    ),
    rule(
        &["usage:"],
        "it printed how to use it: the command needs other arguments to serve MCP on stdio",
    ),
    rule(
        &[
            "did not answer",
            "no answer",
            "took longer than",
            "timed out",
            "timeouterror",
            "no end of",
        ],
        "something blocks, or it needs more time: allow more with --timeout, and look for what it waits for (a network, a lock, its stdin)",
    ),
];

/// How many hints are useful at once.
const MOST: usize = 3;

/// Hints for a failure that is told in `text`; `own` are those that came with it, and come first. Where the user's own code failed, the place
/// comes last.
pub(super) fn find(text: &str, own: Vec<String>) -> Vec<String> {
    let lower = text.to_lowercase();
    let mut hints = own;
    for rule in RULES {
        if hints.len() >= MOST {
            break;
        }
        if !rule.any.iter().any(|sign| lower.contains(sign)) {
            continue;
        }
        let hint = match rule.between {
            None => rule.hint.to_owned(),
            Some((start, end)) => match between(text, start, end) {
                Some(found) => rule.hint.replace("{}", found),
                None => continue,
            },
        };
        // The same thing may have been said already in other words, with the same name in it.
        let is_said = hints.iter().any(|said| {
            said == &hint
                || rule
                    .between
                    .and_then(|(start, end)| between(text, start, end))
                    .is_some_and(|name| said.contains(name))
        });
        if !is_said {
            hints.push(hint);
        }
    }
    if let Some(place) = place(text) {
        hints.push(format!("the error comes from {}", from_here(&place)));
    }
    hints
}

/// A place in a file below the current folder, from there.
fn from_here(place: &str) -> String {
    std::path::absolute(".")
        .ok()
        .and_then(|here| Path::new(place).strip_prefix(here).ok().map(Path::to_owned))
        .map_or_else(|| place.to_owned(), |near| near.display().to_string())
}

fn between<'a>(text: &'a str, start: &str, end: char) -> Option<&'a str> {
    let rest = &text[text.find(start)? + start.len()..];
    Some(&rest[..rest.find(end)?]).filter(|found| !found.is_empty())
}

/// Where other people's code lives.
const FOREIGN: &[&str] = &[
    "site-packages",
    "dist-packages",
    "/lib/python",
    "<frozen",
    "<string>",
    "node_modules",
    "node:",
    "/rustc/",
    "/.cargo/",
];

/// `env.py:12`, the innermost place of the user's own code in a traceback of Python, Node or Rust.
fn place(text: &str) -> Option<String> {
    text.lines()
        .filter_map(|line| python(line).or_else(|| node(line)).or_else(|| rust(line)))
        .rfind(|place| !FOREIGN.iter().any(|foreign| place.contains(foreign)))
}

/// `File "env.py", line 12, in f`.
fn python(line: &str) -> Option<String> {
    let rest = line.trim_start().strip_prefix("File \"")?;
    let (file, rest) = rest.split_once("\", line ")?;
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (!number.is_empty()).then(|| format!("{file}:{number}"))
}

/// `at f (file:///app/server.js:3:9)`, `at /app/server.js:3:9`.
fn node(line: &str) -> Option<String> {
    let rest = line.trim_start().strip_prefix("at ")?;
    let place = match rest.rsplit_once('(') {
        Some((_, place)) => place.strip_suffix(')')?,
        None => rest,
    };
    let place = place.trim_start_matches("file://");
    let (file_and_line, column) = place.rsplit_once(':')?;
    let (file, number) = file_and_line.rsplit_once(':')?;
    let are_numbers = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (are_numbers(column) && are_numbers(number) && file.contains('.'))
        .then(|| file_and_line.to_owned())
}

/// `thread 'main' panicked at src/main.rs:3:5:`.
fn rust(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("panicked at ")?;
    let mut parts = rest.trim_end_matches(':').splitn(3, ':');
    let (file, number) = (parts.next()?, parts.next()?);
    let is_rust = Path::new(file)
        .extension()
        .is_some_and(|suffix| suffix == "rs");
    is_rust.then(|| format!("{file}:{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found = find(text, Vec::new());
        let starts: Vec<String> = found
            .iter()
            .zip(expected)
            .map(|(hint, expected)| hint.chars().take(expected.chars().count()).collect())
            .collect();
        assert_eq!(starts, expected, "{found:?}");
        assert_eq!(found.len(), expected.len(), "{found:?}");
    }

    #[test]
    fn each_kind_of_failure_has_its_hint() {
        check(
            "ModuleNotFoundError: No module named 'numpy'",
            &["`numpy` is missing: install it for the Python"],
        );
        check(
            "Error: Cannot find module 'express'",
            &["`express` is missing: run `npm install`"],
        );
        check(
            "_tkinter.TclError: couldn't connect to display \":0\"",
            &["it needs a screen"],
        );
        check("bash: ./x: Permission denied", &["a file may not be read"]);
        check(
            "OSError: [Errno 98] Address already in use",
            &["another process listens"],
        );
        check(
            "it wrote text that is not MCP on stdout, for example `hi`",
            &["stdout belongs to the protocol"],
        );
        check("MemoryError", &["it ran out of memory"]);
        check(
            "`x` ended with signal: 9 (SIGKILL)",
            &["it ran out of memory"],
        );
        check(
            "cat: data.json: No such file or directory",
            &["a file is not there"],
        );
        check(
            "`x` runs, and did not answer `initialize` within 30s",
            &["something blocks"],
        );
        check(
            "the server answered HTTP 404",
            &["there is no MCP at this path"],
        );
        check("something else", &[]);
    }

    #[test]
    fn hints_of_the_message_come_first_and_nothing_is_said_twice() {
        let own = vec!["'numpy' is not installed for /usr/bin/python3".to_owned()];
        assert_eq!(
            find("ModuleNotFoundError: No module named 'numpy'", own.clone()),
            own
        );
    }

    #[test]
    fn the_users_own_place_is_named() {
        let python = "\
Traceback (most recent call last):
  File \"/work/env.py\", line 3, in <module>
    import helper
  File \"/work/helper.py\", line 12, in load
    json.loads(\"\")
  File \"/usr/lib/python3.12/json/__init__.py\", line 346, in loads
";
        check(python, &["the error comes from /work/helper.py:12"]);
        let node = "\
TypeError: x is not a function
    at handler (file:///work/server.js:7:3)
    at run (/work/node_modules/sdk/index.js:1:1)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
";
        check(node, &["the error comes from /work/server.js:7"]);
        check(
            "thread 'main' panicked at src/main.rs:3:5:\nboom",
            &["the error comes from src/main.rs:3"],
        );
    }
}
