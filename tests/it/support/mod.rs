//! What tests of the whole program share: running the command in an empty world ([`Test`]), a model provider on
//! the loopback that checks every request as the real one would ([`provider::Provider`]), and what to do when a service that a
//! test needs is not there ([`require`]).

mod command;
pub mod provider;
mod redact;
mod require;
mod results;
mod served;
pub mod terminal;

pub use command::{Output, Running, Test};
pub use require::{node, require, venv};
pub use results::{Job, unaligned};
pub use served::{Served, conformance};

/// A port of loopback that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Waits until something listens on `port`; `sign` may say so first. Fails loudly after a minute.
pub fn wait_for_port(port: u16, sign: &std::sync::mpsc::Receiver<()>) {
    let limit = std::time::Instant::now() + std::time::Duration::from_mins(1);
    loop {
        let _ = sign.recv_timeout(std::time::Duration::from_millis(200));
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return;
        }
        assert!(
            std::time::Instant::now() < limit,
            "nothing listens on port {port}"
        );
    }
}
