//! The settings of `hud dev`: flag, variable, `[dev]` of `hud.toml`, `.env`, default.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::cli::args::{Client, DevArgs, DevIsolation};
use crate::cli::failure::Failure;
use crate::config::project::Section;
use crate::config::{Origin, Setting, Variables, env_vars};
use crate::environment::Isolation;

use super::project::ProjectSettings;

/// The defaults that help texts promise.
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PORT: u16 = 8765;
pub(in crate::cli) const DRAIN: Duration = Duration::from_secs(10);
pub(in crate::cli) const IMPORT_TIMEOUT: Duration = Duration::from_mins(1);
const MAX_SESSIONS: usize = 1000;
const IDLE_TIMEOUT: Duration = Duration::from_mins(30);

/// What is served.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) enum Served {
    /// What the folder holds.
    Found,
    /// This source.
    Source(String),
    /// This program and its arguments.
    Command(Vec<String>),
}

/// Everything that was set. No `Debug`: the token is in here.
#[cfg_attr(test, derive(Clone, PartialEq))]
pub(in crate::cli) struct DevSettings {
    pub(in crate::cli) served: Served,
    /// Beside the source itself; empty means its folder.
    pub(in crate::cli) watch: Vec<PathBuf>,
    pub(in crate::cli) watching: bool,
    pub(in crate::cli) drain: Duration,
    pub(in crate::cli) import_timeout: Duration,
    pub(in crate::cli) isolation: Isolation,
    pub(in crate::cli) tool_timeout: Option<Duration>,
    pub(in crate::cli) python: Option<PathBuf>,
    pub(in crate::cli) stdio: bool,
    pub(in crate::cli) host: IpAddr,
    pub(in crate::cli) port: u16,
    pub(in crate::cli) strict_port: bool,
    pub(in crate::cli) token: Option<String>,
    pub(in crate::cli) allowed_hosts: Vec<String>,
    pub(in crate::cli) allowed_origins: Vec<String>,
    pub(in crate::cli) max_sessions: usize,
    pub(in crate::cli) idle_timeout: Duration,
    pub(in crate::cli) client: Option<Client>,
    pub(in crate::cli) inspector: bool,
    pub(in crate::cli) interactive: bool,
    pub(in crate::cli) json: bool,
}

impl DevSettings {
    /// Combines what was typed with variables and the project's files.
    pub(in crate::cli) fn resolve(
        args: &DevArgs,
        project: &ProjectSettings,
        variables: &Variables,
    ) -> Result<Self, Failure> {
        let file = project.dev();
        let no_watch = switch(args.no_watch, !args.watch.is_empty(), file, "no_watch");
        let watch = list(&args.watch, file, "watch");
        if let (true, Some(setting)) = (
            no_watch && !args.no_watch && args.watch.is_empty(),
            file.texts("watch"),
        ) {
            return Err(Failure::usage(format!(
                "{}: `watch` contradicts `no_watch = true` in [dev]; keep one",
                setting.origin
            )));
        }
        let host = number(
            args.host,
            "the address",
            env_vars::HUD_DEV_HOST,
            file,
            "host",
            variables,
        )?;
        let port = number(
            args.port,
            "the port",
            env_vars::HUD_DEV_PORT,
            file,
            "port",
            variables,
        )?;
        let strict_port = switch(args.strict_port, args.no_strict_port, file, "strict_port");
        if strict_port && port == Some(0) {
            return Err(Failure::usage(
                "`--strict-port` says nothing with port 0, which takes any free one; name a port",
            ));
        }
        let allowed_origins: Vec<String> = list(&args.allowed_origin, file, "allowed_origin");
        check_origins(&allowed_origins)?;
        Ok(Self {
            served: served(args, file)?,
            watch: if args.no_watch { Vec::new() } else { watch },
            watching: !no_watch,
            drain: seconds(args.drain.map(|t| t.0), file, "drain").unwrap_or(DRAIN),
            import_timeout: seconds(args.import_timeout.map(|t| t.0), file, "import_timeout")
                .unwrap_or(IMPORT_TIMEOUT),
            isolation: isolation(args.isolation, file),
            tool_timeout: seconds(args.tool_timeout.map(|t| t.0), file, "tool_timeout"),
            python: args
                .python
                .clone()
                .or_else(|| Some(PathBuf::from(file.text("python")?.value))),
            stdio: args.stdio,
            host: host.unwrap_or(HOST),
            port: port.unwrap_or(PORT),
            strict_port,
            token: args
                .api_key
                .clone()
                .or_else(|| Some(variables.setting(env_vars::HUD_SERVE_KEY)?.value)),
            allowed_hosts: list(&args.allowed_host, file, "allowed_host"),
            allowed_origins,
            max_sessions: args
                .max_sessions
                .map(u64::from)
                .or_else(|| Some(file.whole("max_sessions")?.value))
                .map_or(MAX_SESSIONS, |count| count as usize),
            idle_timeout: seconds(args.idle_timeout.map(|t| t.0), file, "idle_timeout")
                .unwrap_or(IDLE_TIMEOUT),
            client: args.client,
            // It needs the HTTP server, so a file that starts it does not mean runs over stdio.
            inspector: !args.stdio && switch(args.inspector, args.no_inspector, file, "inspector"),
            interactive: args.interactive,
            json: args.json,
        })
    }
}

fn served(args: &DevArgs, file: &Section) -> Result<Served, Failure> {
    if let Some(source) = &args.source {
        return Ok(Served::Source(source.clone()));
    }
    if !args.command.is_empty() {
        return Ok(Served::Command(args.command.clone()));
    }
    match (file.text("source"), file.texts("command")) {
        (Some(_), Some(command)) => Err(Failure::usage(format!(
            "{}: `command` contradicts `source` in [dev]; keep one",
            command.origin
        ))),
        (Some(source), None) => Ok(Served::Source(source.value)),
        (None, Some(command)) => Ok(Served::Command(command.value)),
        (None, None) => Ok(Served::Found),
    }
}

fn isolation(typed: Option<DevIsolation>, file: &Section) -> Isolation {
    let name = file.text("isolation").map(|setting| setting.value);
    match (typed, name.as_deref()) {
        (Some(DevIsolation::Fork), _) | (None, Some("fork")) => Isolation::Fork,
        (Some(DevIsolation::Spawn), _) | (None, Some("spawn")) => Isolation::Spawn,
        _ => Isolation::Shared,
    }
}

/// A flag and its opposite, over the file.
fn switch(on: bool, off: bool, file: &Section, key: &str) -> bool {
    on || (!off && file.switch(key).is_some_and(|setting| setting.value))
}

/// What was typed replaces what the file lists.
fn list<T: Clone + From<String>>(typed: &[T], file: &Section, key: &str) -> Vec<T> {
    if !typed.is_empty() {
        return typed.to_vec();
    }
    file.texts(key)
        .map(|texts| texts.value.into_iter().map(T::from).collect())
        .unwrap_or_default()
}

fn seconds(typed: Option<Duration>, file: &Section, key: &str) -> Option<Duration> {
    typed.or_else(|| Duration::try_from_secs_f64(file.number(key)?.value).ok())
}

/// A value that a variable may set too. The variable of the process stands above the file, that of a `.env` below it.
fn number<T: FromStr>(
    typed: Option<T>,
    what: &str,
    variable: &str,
    file: &Section,
    key: &str,
    variables: &Variables,
) -> Result<Option<T>, Failure> {
    if typed.is_some() {
        return Ok(typed);
    }
    let variable = variables.setting(variable);
    let of_file = file.value(key).map(|setting| {
        setting.map(|value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        })
    });
    let is_above = |setting: &Setting<String>| matches!(setting.origin, Origin::Variable(_));
    let (above, below): (Option<_>, Option<_>) = match variable {
        Some(setting) if is_above(&setting) => (Some(setting), None),
        other => (None, other),
    };
    let Some(setting) = above.or(of_file).or(below) else {
        return Ok(None);
    };
    setting.value.trim().parse().map(Some).map_err(|_| {
        Failure::usage(format!(
            "'{}' is not {what} to listen on ({})",
            setting.value, setting.origin
        ))
    })
}

fn check_origins(origins: &[String]) -> Result<(), Failure> {
    let is_origin = |text: &&String| {
        text.split_once("://").is_some_and(|(scheme, authority)| {
            matches!(scheme, "http" | "https") && !authority.trim_end_matches('/').contains('/')
        })
    };
    match origins.iter().find(|text| !is_origin(text)) {
        None => Ok(()),
        Some(wrong) => Err(Failure::usage(format!(
            "'{wrong}' is no origin of a page\nhint: an origin is a scheme, a name and a port, such as http://localhost:6274 or https://app.example.com"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::Parser;

    use super::*;
    use crate::cli::args::{Cli, Command};
    use crate::cli::failure::words;
    use crate::util::fs;

    fn resolve(
        arguments: &[&str],
        variables: &[(&str, &str)],
        dotenv: &str,
        toml: &str,
    ) -> Result<DevSettings, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(&folder.path().join("hud.toml"), toml).unwrap();
        fs::write(&folder.path().join(".env"), dotenv).unwrap();
        let process: BTreeMap<String, String> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let variables = Variables::new(process, folder.path()).unwrap();
        let line = ["hud", "dev"].iter().chain(arguments);
        let cli = Cli::try_parse_from(line).map_err(|error| error.to_string())?;
        let Command::Dev(args) = cli.command else {
            panic!("hud dev");
        };
        let lookup = |name: &str| variables.value(name);
        ProjectSettings::read(folder.path(), &lookup)
            .and_then(|project| DevSettings::resolve(&args, &project, &variables))
            .map_err(|failure| {
                let prefix = format!("{}/", folder.path().display());
                words(&failure).unwrap().replace(&prefix, "")
            })
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "values read better in tables of cases"
    )]
    fn check<T: PartialEq + std::fmt::Debug>(
        arguments: &[&str],
        toml: &str,
        read: impl Fn(&DevSettings) -> T,
        expected: T,
    ) {
        let settings = resolve(arguments, &[], "", &format!("[dev]\n{toml}\n"))
            .unwrap_or_else(|error| panic!("{arguments:?} {toml}: {error}"));
        assert_eq!(read(&settings), expected, "{arguments:?} {toml}");
    }

    #[test]
    fn a_flag_stands_above_the_file_and_the_file_above_the_default() {
        let port = |settings: &DevSettings| settings.port;
        check(&["-p", "1"], "port = 2", port, 1);
        check(&[], "port = 2", port, 2);
        check(&[], "", port, 8765);
        let watch = |settings: &DevSettings| {
            let paths: Vec<String> = settings
                .watch
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            (settings.watching, paths.join(" "))
        };
        let is = |watching: bool, paths: &str| (watching, paths.to_owned());
        check(
            &["-w", "a", "--watch", "b"],
            "watch = ['c']",
            watch,
            is(true, "a b"),
        );
        check(&[], "watch = ['c', 'd']", watch, is(true, "c d"));
        check(&[], "", watch, is(true, ""));
        check(&["--no-watch"], "watch = ['c']", watch, is(false, ""));
        check(&[], "no_watch = true", watch, is(false, ""));
        check(&["-w", "a"], "no_watch = true", watch, is(true, "a"));
        let strict = |settings: &DevSettings| settings.strict_port;
        check(&["--strict-port"], "", strict, true);
        check(&["--no-strict-port"], "strict_port = true", strict, false);
        check(&[], "strict_port = true", strict, true);
        let inspector = |settings: &DevSettings| settings.inspector;
        check(&["--no-inspector"], "inspector = true", inspector, false);
        check(&["--stdio"], "inspector = true", inspector, false);
        check(&[], "inspector = true", inspector, true);
        let isolation = |settings: &DevSettings| settings.isolation;
        check(&[], "", isolation, Isolation::Shared);
        check(&[], "isolation = 'fork'", isolation, Isolation::Fork);
        check(
            &["--isolation", "spawn"],
            "isolation = 'fork'",
            isolation,
            Isolation::Spawn,
        );
        let times = |settings: &DevSettings| (settings.drain, settings.tool_timeout);
        let s = Duration::from_secs;
        check(&[], "", times, (s(10), None));
        check(
            &[],
            "drain = 2\ntool_timeout = 3",
            times,
            (s(2), Some(s(3))),
        );
        check(&["--drain", "1m"], "drain = 2", times, (s(60), None));
        let served = |settings: &DevSettings| settings.served.clone();
        check(&[], "", served, Served::Found);
        check(
            &["env:env"],
            "source = 'b.py'",
            served,
            Served::Source("env:env".to_owned()),
        );
        check(
            &[],
            "source = 'b.py'",
            served,
            Served::Source("b.py".to_owned()),
        );
        let command =
            |words: &[&str]| Served::Command(words.iter().map(|&w| w.to_owned()).collect());
        check(
            &["--", "node", "-x"],
            "source = 'b.py'",
            served,
            command(&["node", "-x"]),
        );
        check(
            &[],
            "command = ['node', 'a,b.js']",
            served,
            command(&["node", "a,b.js"]),
        );
    }

    #[test]
    fn variables_stand_between_flags_and_the_file_and_those_of_env_files_below_it() {
        let check =
            |arguments: &[&str], variable: &str, dotenv: &str, toml: &str, expected: u16| {
                let variables: &[(&str, &str)] = &[("HUD_DEV_PORT", variable)];
                let settings = resolve(arguments, variables, dotenv, toml).unwrap();
                assert_eq!(settings.port, expected);
            };
        check(&["-p", "1"], "2", "HUD_DEV_PORT=4", "[dev]\nport = 3", 1);
        check(&[], "2", "HUD_DEV_PORT=4", "[dev]\nport = 3", 2);
        check(&[], "", "HUD_DEV_PORT=4", "[dev]\nport = 3", 3);
        check(&[], "", "HUD_DEV_PORT=4", "", 4);
        check(&[], "", "", "", 8765);
        let settings = resolve(&[], &[("HUD_DEV_HOST", "::1")], "HUD_SERVE_KEY=s", "").unwrap();
        assert_eq!(settings.host.to_string(), "::1");
        assert_eq!(settings.token.as_deref(), Some("s"));
    }

    #[test]
    fn contradictions_are_errors() {
        let check = |arguments: &[&str], variables: &[(&str, &str)], toml: &str, expected: &str| {
            match resolve(arguments, variables, "", toml) {
                Ok(_) => panic!("{arguments:?} {toml} is accepted"),
                Err(error) => assert!(error.contains(expected), "{error}"),
            }
        };
        check(&["--no-watch", "-w", "a"], &[], "", "cannot be used with");
        for flag in [
            "--port=1",
            "--host=::1",
            "--strict-port",
            "--api-key=x",
            "--json",
            "--interactive",
            "--inspector",
        ] {
            check(&["--stdio", flag], &[], "", "cannot be used with");
        }
        check(&["env.py", "--", "node"], &[], "", "cannot be used with");
        check(
            &["--json", "--client", "cursor"],
            &[],
            "",
            "cannot be used with",
        );
        check(
            &["--isolation", "shared", "--", "node"],
            &[],
            "",
            "cannot be used with",
        );
        check(
            &["--port", "0", "--strict-port"],
            &[],
            "",
            "says nothing with port 0",
        );
        check(
            &[],
            &[],
            "[dev]\nsource = 'a'\ncommand = ['b']",
            "hud.toml:3:1: `command` contradicts `source`",
        );
        check(
            &[],
            &[],
            "[dev]\nwatch = 'a'\nno_watch = true",
            "hud.toml:2:1: `watch` contradicts `no_watch = true`",
        );
        check(
            &[],
            &[("HUD_DEV_PORT", "x")],
            "",
            "'x' is not the port to listen on ($HUD_DEV_PORT)",
        );
        check(
            &[],
            &[],
            "[dev]\nhost = 'x'",
            "'x' is not the address to listen on (hud.toml:2:1)",
        );
        check(
            &["--allowed-origin", "example.com"],
            &[],
            "",
            "'example.com' is no origin",
        );
        check(&["--allowed-origin", "*"], &[], "", "'*' is no origin");
    }
}
