//! Single keys from the terminal, without Enter.

use std::io::{IsTerminal, PipeReader, PipeWriter, Stdin, pipe, stdin};
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::getpgrp;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};
use tokio::sync::mpsc;

/// How often is looked whether the shell has put us back into the foreground.
const AGAIN: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 500_000_000,
};

/// Keys as they are pressed. While this lives the terminal does not wait for Enter and shows nothing of what is typed; signals (Ctrl-C, Ctrl-Z)
/// stay what they are. Dropping it gives the terminal back as it was.
pub struct Keys {
    pressed: mpsc::UnboundedReceiver<char>,
    original: Termios,
    /// Dropped first, which ends the thread before the terminal is given back: a key of the shell's must not be taken.
    stop: Option<PipeWriter>,
    reading: Option<JoinHandle<()>>,
}

impl Keys {
    /// Listens to the terminal; `None` when standard input is none, or another program has it.
    pub fn listen() -> Option<Self> {
        let input = stdin();
        if !input.is_terminal() || !is_foreground(&input) {
            return None;
        }
        let original = tcgetattr(&input).ok()?;
        // The standard library's is closed in children, which would keep its end open otherwise.
        let (stopped, stop) = pipe().ok()?;
        single_keys(&input, &original);
        let (sender, pressed) = mpsc::unbounded_channel();
        let modes = original.clone();
        let reading = std::thread::spawn(move || read(&sender, &stopped, &modes));
        Some(Self {
            pressed,
            original,
            stop: Some(stop),
            reading: Some(reading),
        })
    }

    /// The next key; `None` when the terminal is gone.
    pub async fn next(&mut self) -> Option<char> {
        self.pressed.recv().await
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(reading) = self.reading.take() {
            let _ = reading.join();
        }
        let input = stdin();
        // In the background the terminal is another program's, and touching it would stop us.
        if is_foreground(&input) {
            let _ = tcsetattr(&input, OptionalActions::Now, &self.original);
        }
    }
}

/// Reads until `stop` is closed, the terminal is gone or nobody listens.
fn read(keys: &mpsc::UnboundedSender<char>, stop: &PipeReader, original: &Termios) {
    let input = stdin();
    loop {
        let foreground = is_foreground(&input);
        if foreground {
            // A shell that had the terminal meanwhile (Ctrl-Z, fg) has set its own modes.
            single_keys(&input, original);
        }
        let mut waiting = vec![PollFd::new(stop, PollFlags::IN)];
        if foreground {
            waiting.push(PollFd::new(&input, PollFlags::IN));
        }
        // A signal interrupts; that is only another turn.
        let _ = poll(&mut waiting, Some(&AGAIN));
        let ready = |at: usize| {
            waiting
                .get(at)
                .is_some_and(|waiting| !waiting.revents().is_empty())
        };
        if ready(0) {
            return;
        }
        if !ready(1) || !is_foreground(&input) {
            continue;
        }
        let mut bytes = [0; 64];
        let count = match rustix::io::read(&input, &mut bytes) {
            Ok(0) => return,
            Ok(count) => count,
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
        };
        // What begins with an escape is one key with a long name, such as an arrow.
        if bytes[0] == 0x1b {
            continue;
        }
        for &byte in bytes[..count].iter().filter(|byte| byte.is_ascii()) {
            if keys.send(char::from(byte)).is_err() {
                return;
            }
        }
    }
}

fn is_foreground(input: &Stdin) -> bool {
    tcgetpgrp(input).is_ok_and(|group| group == getpgrp())
}

/// Keys come one by one and unseen, and everything else stays.
fn single_keys(input: &Stdin, original: &Termios) {
    let mut modes = original.clone();
    modes
        .local_modes
        .remove(LocalModes::ICANON | LocalModes::ECHO);
    modes.special_codes[SpecialCodeIndex::VMIN] = 1;
    modes.special_codes[SpecialCodeIndex::VTIME] = 0;
    // Where it is refused the keys come after Enter; that is no reason to fail.
    let _ = tcsetattr(input, OptionalActions::Now, &modes);
}
