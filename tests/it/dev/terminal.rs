//! Keys, in a real terminal: Python's `pty` gives the program one, presses keys and looks at the terminal afterwards.

use crate::support::Test;

/// Runs `hud dev` in a terminal and follows a script of `wait for this`, `then press that`; prints what the terminal showed and whether it was given
/// back as it was.
const DRIVER: &str = r#"
import os, pty, select, signal, sys, termios, time

steps = [step.split("=>") for step in sys.argv[1].split("|")]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(os.environ["HUD"], ["hud", *sys.argv[2:]])
usual = termios.ICANON | termios.ECHO
seen, at, limit = b"", 0, time.monotonic() + 50
while time.monotonic() < limit:
    if steps:
        wanted, press = steps[0]
        found = seen.find(wanted.encode(), at)
        if found >= 0:
            at = found + len(wanted)
            if press:
                os.write(terminal, press.encode())
            steps.pop(0)
            continue
    ready, _, _ = select.select([terminal], [], [], 0.2)
    if not ready:
        continue
    try:
        data = os.read(terminal, 65536)
    except OSError:
        break
    if not data:
        break
    seen += data
after = termios.tcgetattr(terminal)[3] & usual
if steps:
    os.kill(pid, signal.SIGKILL)
_, status = os.waitpid(pid, 0)
sys.stdout.write(seen.decode(errors="replace"))
print("\nSTEPS LEFT", steps)
print("TERMINAL", "as it was" if after == usual else "changed")
print("EXIT", os.waitstatus_to_exitcode(status))
"#;

fn in_terminal(steps: &str, args: &[&str]) -> String {
    let output = Test::program("python3")
        .args(["-c", DRIVER, steps])
        .args(args)
        .file("env.py", super::ENVIRONMENT)
        .env("HUD", env!("CARGO_BIN_EXE_hud"))
        .env("TERM", "xterm")
        .run()
        .code(0);
    output.stdout
}

#[test]
fn keys_reload_clear_open_and_quit() {
    let shown = in_terminal(
        "ready =>r|version 2=>o|/docs=>c|\u{1b}[2J=>?|q quit=>\n|=>q",
        &["dev", "--port", "0"],
    );
    assert!(shown.contains("STEPS LEFT []"), "{shown}");
    // Without a desktop the address of the page is printed: once in the header, once for the key.
    assert_eq!(shown.matches("/docs").count(), 2, "{shown}");
    assert!(shown.contains("stopping: sessions are closed"), "{shown}");
    assert!(shown.ends_with("TERMINAL as it was\nEXIT 0\n"), "{shown}");
}

#[test]
fn ctrl_c_gives_the_terminal_back() {
    let shown = in_terminal("ready =>\u{3}", &["dev", "--port", "0"]);
    assert!(
        shown.contains("stopping: sessions are closed (Ctrl-C again"),
        "{shown}"
    );
    assert!(shown.ends_with("TERMINAL as it was\nEXIT 0\n"), "{shown}");
}

#[test]
fn two_ctrl_c_end_at_once_and_give_the_terminal_back() {
    let shown = in_terminal("ready =>\u{3}|stopping=>\u{3}", &["dev", "--port", "0"]);
    assert!(shown.contains("TERMINAL as it was\nEXIT "), "{shown}");
}
