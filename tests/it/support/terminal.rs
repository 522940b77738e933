//! A real terminal: a program in a `tmux` of its own, keys sent to it and its screen read back.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A terminal of 100 by 30 in which a shell runs a command. Dropping it ends everything in it.
pub struct Screen {
    socket: PathBuf,
    _folder: tempfile::TempDir,
}

impl Screen {
    /// Whether there is a `tmux`.
    pub fn is_available() -> bool {
        Command::new("tmux")
            .arg("-V")
            .output()
            .is_ok_and(|output| output.status.success())
    }

    /// Runs `command` through the shell in `folder`, with `home` as the home; the screen stays when it has ended.
    pub fn start(command: &str, folder: &Path, home: &Path) -> Self {
        let socket_folder = tempfile::tempdir().unwrap();
        let screen = Self {
            socket: socket_folder.path().join("tmux"),
            _folder: socket_folder,
        };
        // With job control each command has a group of its own, so that Ctrl-C reaches it alone. The pane ends with the script; a `cat`
        // keeps what was printed on the screen.
        let script = format!("set -m; {command}; cat");
        screen.tmux(
            &[
                "-f",
                "/dev/null",
                "new-session",
                "-d",
                "-x",
                "100",
                "-y",
                "30",
                "-c",
            ],
            &[
                folder.to_str().unwrap(),
                "env",
                "-i",
                &format!("PATH={}", std::env::var("PATH").unwrap()),
                &format!("HOME={}", home.display()),
                &format!("TMPDIR={}", std::env::temp_dir().display()),
                "TERM=screen-256color",
                "LANG=C.UTF-8",
                "NO_COLOR=1",
                &format!("HUD={}", env!("CARGO_BIN_EXE_hud")),
                "/bin/sh",
                "-c",
                &script,
            ],
        );
        screen
    }

    fn tmux(&self, before: &[&str], after: &[&str]) -> String {
        let output = Command::new("tmux")
            .arg("-u")
            .arg("-S")
            .arg(&self.socket)
            .args(before)
            .args(after)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "tmux {before:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Types text.
    pub fn text(&self, text: &str) {
        self.tmux(&["send-keys", "-l", "--"], &[text]);
    }

    /// Presses a key, in tmux's words: `Enter`, `Tab`, `C-c`, `Up`.
    pub fn key(&self, key: &str) {
        self.tmux(&["send-keys"], &[key]);
    }

    /// Types a line.
    pub fn line(&self, text: &str) {
        self.text(text);
        self.key("Enter");
    }

    /// What is on the screen, without the blank lines at its end.
    pub fn shown(&self) -> String {
        let shown = self.tmux(&["capture-pane", "-p"], &[]);
        let lines: Vec<&str> = shown.trim_end().lines().map(str::trim_end).collect();
        lines.join("\n")
    }

    /// Waits until the screen's last line is `text`, so that whatever was printed before is there too.
    #[track_caller]
    pub fn wait_for_last_line(&self, text: &str) {
        self.wait(|shown| shown.lines().last() == Some(text), text);
    }

    /// Waits until `text` is anywhere on the screen.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        self.wait(|shown| shown.contains(text), text);
    }

    #[track_caller]
    fn wait(&self, is_there: impl Fn(&str) -> bool, text: &str) {
        let begun = Instant::now();
        loop {
            let shown = self.shown();
            if is_there(&shown) {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_mins(1),
                "{text:?} never came; the screen shows\n{shown}"
            );
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Its own server, which holds nothing else.
        let _ = Command::new("tmux")
            .arg("-S")
            .arg(&self.socket)
            .arg("kill-server")
            .output();
    }
}
