//! What the keys of a terminal do.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use crate::util::process::{self, DeathSignal, Program};

/// For the header, and for whoever presses something else.
pub(super) const KEYS: &str =
    "r reload · R reload with dependencies · c clear · o open docs · q quit";

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Press {
    /// A new version now; `cold` imports the dependencies anew too.
    Reload { cold: bool },
    /// An empty screen.
    Clear,
    /// The page of the tools in a browser.
    Open,
    /// The end.
    Quit,
    /// An empty line, to tell what was before from what comes.
    Line,
    /// The list of keys.
    Help,
}

/// What `key` asks for. Ctrl-C is a signal and never comes here; Ctrl-D ends as it does in a shell.
pub(super) fn press(key: char) -> Option<Press> {
    match key {
        'r' => Some(Press::Reload { cold: false }),
        'R' => Some(Press::Reload { cold: true }),
        // Ctrl-L clears in shells.
        'c' | '\u{c}' => Some(Press::Clear),
        'o' => Some(Press::Open),
        'q' | '\u{4}' => Some(Press::Quit),
        '\n' | '\r' => Some(Press::Line),
        'h' | '?' => Some(Press::Help),
        _ => None,
    }
}

/// Opens `url` in the user's browser; whether there was one to ask.
pub(super) async fn open_page(url: &str, variables: &BTreeMap<String, String>) -> bool {
    let Some(opener) = opener(variables) else {
        return false;
    };
    let program = Program {
        program: opener,
        args: vec![OsString::from(url)],
        env: variables.clone(),
        cwd: std::env::temp_dir(),
        // Directly, so that the browser stays when we end.
        wrapper: None,
        death_signal: DeathSignal::Terminate,
    };
    process::spawn_piped(&program, Path::new("/dev/null"))
        .await
        .is_ok()
}

/// The program that opens pages. On Linux only in a graphical session: elsewhere it would ask a text browser, or nobody.
fn opener(variables: &BTreeMap<String, String>) -> Option<OsString> {
    let is_set = |name: &str| variables.get(name).is_some_and(|value| !value.is_empty());
    let path = variables.get("PATH").map(String::as_str);
    let name = if cfg!(target_os = "macos") {
        "open"
    } else if is_set("WSL_DISTRO_NAME") {
        "wslview"
    } else if is_set("DISPLAY") || is_set("WAYLAND_DISPLAY") {
        "xdg-open"
    } else {
        return None;
    };
    process::find(name, path).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_what_the_header_says() {
        let said: Vec<Option<Press>> = KEYS
            .split(" · ")
            .map(|item| press(item.chars().next().unwrap()))
            .collect();
        assert_eq!(
            said,
            [
                Some(Press::Reload { cold: false }),
                Some(Press::Reload { cold: true }),
                Some(Press::Clear),
                Some(Press::Open),
                Some(Press::Quit)
            ]
        );
        assert_eq!(press('x'), None);
    }

    #[test]
    fn without_a_desktop_there_is_nothing_to_open_with() {
        let path = ("PATH".to_owned(), "/usr/bin:/bin".to_owned());
        if !cfg!(target_os = "macos") {
            assert_eq!(opener(&BTreeMap::from([path])), None);
        }
    }
}
