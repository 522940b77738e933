//! Keeps keys out of our own `/proc/<pid>/environ`, which a worker of the same user can read.
//!
//! A process cannot take back the environment that it was started with, so when there is a key in it we start ourselves again without, and
//! hand the keys over through a pipe, which is empty once it has been read. Linux only: elsewhere there is no such file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use crate::config::env_vars::SECRET_VARS;

/// Names the pipe to the process that we become.
const PIPE_VARIABLE: &str = "HUD_SECRETS_FD";

/// A pipe takes this much without a reader; more keys than fit stay where they are.
const PIPE_CAPACITY: usize = 60_000;

/// The environment of this process, keys included. Starts the process again when there are keys in its environment; returns only in the
/// process that has none.
pub(super) fn environment() -> BTreeMap<String, String> {
    let mut environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| {
            // A variable that is not UTF-8 is none of ours.
            Some((name.into_string().ok()?, value.into_string().ok()?))
        })
        .collect();
    if let Some(pipe) = environment.remove(PIPE_VARIABLE) {
        environment.extend(receive(&pipe));
    } else if cfg!(target_os = "linux") {
        let secrets: BTreeMap<&str, &str> = SECRET_VARS
            .iter()
            .filter_map(|name| Some((*name, environment.get(*name)?.as_str())))
            .collect();
        if !secrets.is_empty() {
            start_again_without(&secrets);
        }
    }
    environment
}

/// Reads what was handed over. Anything else in the variable (somebody set it) hands over nothing.
fn receive(pipe: &str) -> BTreeMap<String, String> {
    let Ok(number) = pipe.parse::<u32>() else {
        return BTreeMap::new();
    };
    let mut json = Vec::new();
    let read = crate::util::fs::open(Path::new(&format!("/proc/self/fd/{number}")))
        .map(|file| file.take(PIPE_CAPACITY as u64).read_to_end(&mut json));
    match read {
        Ok(Ok(_)) => serde_json::from_slice(&json).unwrap_or_default(),
        Ok(Err(_)) | Err(_) => BTreeMap::new(),
    }
}

/// Becomes this program anew, without `secrets` in its environment. Returns when that cannot be done; the keys then stay where they are.
fn start_again_without(secrets: &BTreeMap<&str, &str>) {
    let Ok(json) = serde_json::to_vec(secrets) else {
        return;
    };
    if json.len() > PIPE_CAPACITY {
        return;
    }
    let Ok((reader, writer)) = rustix::pipe::pipe() else {
        return;
    };
    {
        // Closed before we start again, so that the reader comes to an end.
        let mut writer = std::fs::File::from(writer);
        if writer.write_all(&json).is_err() {
            return;
        }
    }
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| OsString::from("hud"));
    #[expect(
        clippy::disallowed_methods,
        reason = "nothing is started: this process becomes itself again"
    )]
    let mut command = std::process::Command::new("/proc/self/exe");
    command
        .arg0(name)
        .args(arguments)
        .env(PIPE_VARIABLE, reader.as_raw_fd().to_string());
    for name in secrets.keys() {
        command.env_remove(name);
    }
    let error = command.exec();
    tracing::debug!("could not start again without keys: {error}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_in_the_pipe_is_received_once() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let mut writer = std::fs::File::from(writer);
        writer.write_all(br#"{"HUD_API_KEY": "k"}"#).unwrap();
        drop(writer);
        let pipe = reader.as_raw_fd().to_string();
        let expected = BTreeMap::from([("HUD_API_KEY".to_owned(), "k".to_owned())]);
        assert_eq!(receive(&pipe), expected);
        assert_eq!(receive(&pipe), BTreeMap::new());
    }

    #[test]
    fn nonsense_hands_over_nothing() {
        for pipe in ["", "x", "-1", "../../etc/passwd", "9999999"] {
            assert_eq!(receive(pipe), BTreeMap::new(), "{pipe}");
        }
    }
}
