//! Flags that only a hosted platform could serve: recognised, and answered with what to do instead.

use crate::cli::args::PlatformArgs;
use crate::cli::failure::Failure;

/// An error for the first such flag, if any was typed.
pub(super) fn refuse(args: &PlatformArgs) -> Result<(), Failure> {
    let refusal = if args.remote {
        Some((
            "--remote",
            "rollouts run on this machine; leave --remote out",
        ))
    } else if args.byok {
        Some((
            "--byok",
            "keys of this machine are always used; leave --byok out",
        ))
    } else if args.taskset.is_some() {
        Some((
            "--taskset",
            "name a task file instead: `hud eval tasks.yaml`; the results are kept in .hud/runs",
        ))
    } else if args.from_json.is_some() {
        Some((
            "--from-json",
            "put settings into hud.toml, or give them as flags; `--show-config` prints what is in force",
        ))
    } else {
        match args.runtime.as_deref() {
            None | Some("local") => None,
            Some("hud") => Some((
                "--runtime hud",
                "rollouts run on this machine; leave --runtime out, or say --runtime local",
            )),
            Some(other) => {
                return Err(Failure::usage(format!(
                    "`--runtime {other}` is not known: the only runtime is `local`\nhint: an environment that runs elsewhere is named by its \
                     URL in the task file, as `env: http://host:port/mcp`"
                )));
            }
        }
    };
    match refusal {
        None => Ok(()),
        Some((flag, instead)) => Err(Failure::usage(format!(
            "`{flag}` needs the hosted platform, which hud does without\nhint: {instead}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::failure::words;

    #[test]
    fn each_flag_says_what_to_do_instead() {
        let check = |args: PlatformArgs, expected: Option<&str>| {
            let message = refuse(&args).err().and_then(|failure| words(&failure));
            match expected {
                None => assert_eq!(message, None),
                Some(flag) => {
                    let message = message.unwrap();
                    assert!(
                        message.contains(flag) && message.contains("\nhint: "),
                        "{message}"
                    );
                }
            }
        };
        let none = PlatformArgs::default;
        check(none(), None);
        check(
            PlatformArgs {
                remote: true,
                ..none()
            },
            Some("`--remote`"),
        );
        check(
            PlatformArgs {
                byok: true,
                ..none()
            },
            Some("`--byok`"),
        );
        check(
            PlatformArgs {
                taskset: Some("x".to_owned()),
                ..none()
            },
            Some("`--taskset`"),
        );
        check(
            PlatformArgs {
                from_json: Some("x".to_owned()),
                ..none()
            },
            Some("`--from-json`"),
        );
        let runtime = |runtime: &str| PlatformArgs {
            runtime: Some(runtime.to_owned()),
            ..none()
        };
        check(runtime("local"), None);
        check(runtime("hud"), Some("`--runtime hud`"));
        check(runtime("moon"), Some("`--runtime moon`"));
    }
}
