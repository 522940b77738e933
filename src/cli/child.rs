//! `hud __child --parent PID --signal term|kill -- PROGRAM ARGS…`: becomes PROGRAM after making sure that it dies with its parent.
//!
//! Every worker and stdio server is started through this, because the alternatives need `unsafe` (a `pre_exec` hook). It runs before
//! anything else in `main`, so that it costs one `exec` and nothing more. The signal is sent when the *thread* that started the child
//! ends; starters must use a thread that lives as long as the process.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use crate::util::process::DeathSignal;

/// The first argument that selects this path.
pub const CHILD_COMMAND: &str = "__child";

/// Runs `hud __child` with the arguments after that word. Returns only when it fails: 125 for wrong arguments or a parent that is gone,
/// 126 when the program cannot be run, 127 when there is none (as `env` and `nohup` do).
pub(super) fn run(arguments: &[OsString]) -> (ExitCode, String) {
    let (parent, signal, command) = match parse(arguments) {
        Ok(parsed) => parsed,
        Err(message) => return (ExitCode::from(125), message),
    };
    if let Err(message) = die_with(parent, signal) {
        return (ExitCode::from(125), message);
    }
    let Some((program, arguments)) = command.split_first() else {
        return (ExitCode::from(125), "no program given".to_owned());
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "nothing is started: this process becomes the program"
    )]
    let error = std::process::Command::new(program).args(arguments).exec();
    let code = if error.kind() == std::io::ErrorKind::NotFound {
        127
    } else {
        126
    };
    (
        ExitCode::from(code),
        format!("cannot run `{}`: {error}", program.display()),
    )
}

fn parse(arguments: &[OsString]) -> Result<(u32, DeathSignal, &[OsString]), String> {
    let usage = || {
        "this command is hud's own; expected `__child --parent PID --signal term|kill -- PROGRAM ARGS…`"
            .to_owned()
    };
    match arguments {
        [
            parent_flag,
            parent,
            signal_flag,
            signal,
            separator,
            command @ ..,
        ] if parent_flag == "--parent"
            && signal_flag == "--signal"
            && separator == "--"
            && !command.is_empty() =>
        {
            let signal = [DeathSignal::Terminate, DeathSignal::Kill]
                .into_iter()
                .find(|known| signal == known.as_str())
                .ok_or_else(usage)?;
            let parent = parent
                .to_str()
                .and_then(|text| text.parse().ok())
                .ok_or_else(usage)?;
            Ok((parent, signal, command))
        }
        _ => Err(usage()),
    }
}

#[cfg(target_os = "linux")]
fn die_with(parent: u32, signal: DeathSignal) -> Result<(), String> {
    let signal = match signal {
        DeathSignal::Terminate => rustix::process::Signal::TERM,
        DeathSignal::Kill => rustix::process::Signal::KILL,
    };
    rustix::process::set_parent_process_death_signal(Some(signal))
        .map_err(|error| format!("cannot ask to die with the parent: {error}"))?;
    // A parent that died before the line above sends no signal; we then belong to another process.
    same_parent(parent, std::os::unix::process::parent_id())
}

#[cfg(target_os = "linux")]
fn same_parent(wanted: u32, actual: u32) -> Result<(), String> {
    if wanted == actual {
        Ok(())
    } else {
        Err(format!("the parent {wanted} is gone"))
    }
}

#[cfg(not(target_os = "linux"))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature is the one of Linux, where this can fail"
)]
fn die_with(_parent: u32, _signal: DeathSignal) -> Result<(), String> {
    // Elsewhere the child notices that its pipe to the parent has closed.
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_exact() {
        let check = |arguments: &[&str], expected: Option<(u32, DeathSignal, &[&str])>| {
            let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            let got = parse(&arguments).ok();
            let expected = expected.map(|(pid, signal, command)| {
                (pid, signal, command.iter().map(OsString::from).collect())
            });
            assert_eq!(
                got.map(|(pid, signal, command)| (pid, signal, command.to_vec())),
                expected,
                "{arguments:?}"
            );
        };
        check(
            &["--parent", "12", "--signal", "term", "--", "python3", "-u"],
            Some((12, DeathSignal::Terminate, &["python3", "-u"])),
        );
        check(&["--parent", "12", "--signal", "kill", "--"], None);
        check(
            &["--parent", "x", "--signal", "kill", "--", "python3"],
            None,
        );
        check(
            &["--parent", "12", "--signal", "hup", "--", "python3"],
            None,
        );
        check(&["--parent", "12", "--", "python3"], None);
        check(&[], None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_orphan_does_not_start() {
        assert_eq!(same_parent(12, 12), Ok(()));
        assert_eq!(same_parent(12, 1), Err("the parent 12 is gone".to_owned()));
    }
}
