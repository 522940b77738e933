//! One client of a shared program.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, DuplexStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::connection::{OwnProgram, RunningProgram};
use super::line::{Line, LineReader, Read, members, refusal};
use super::link::{Link, ToClient};

/// A client, and the program of its own that it has once it has set up a scenario.
pub(super) struct SharedClient {
    number: u64,
    shared: Arc<Link>,
    starter: Arc<dyn OwnProgram>,
    timeout: Duration,
    own: Option<Own>,
}

struct Own {
    link: Arc<Link>,
    running: Box<dyn RunningProgram>,
    /// Ending these closes the program's stdin.
    tasks: JoinSet<()>,
}

impl SharedClient {
    pub(super) fn new(
        number: u64,
        shared: Arc<Link>,
        starter: Arc<dyn OwnProgram>,
        timeout: Duration,
    ) -> Self {
        Self {
            number,
            shared,
            starter,
            timeout,
            own: None,
        }
    }

    /// Passes lines on until the client leaves, or the program that it uses is gone.
    pub(super) async fn run(mut self, stream: DuplexStream) {
        let (read, mut write) = tokio::io::split(stream);
        let (to, mut lines) = mpsc::unbounded_channel::<String>();
        if !self.shared.join(self.number, to.clone()) {
            return;
        }
        let mut read = LineReader::new(read);
        // The program's end is noticed by the end of the lines: it has the senders, but for the one that this task keeps for itself.
        let weak = to.downgrade();
        drop(to);
        loop {
            tokio::select! {
                line = lines.recv() => match line {
                    Some(line) => {
                        if write.write_all(line.as_bytes()).await.is_err() {
                            break;
                        }
                    }
                    None => break,
                },
                line = read.next() => match (line, weak.upgrade()) {
                    (Ok(Read::Line(text)), Some(to)) => self.said(&text, &to).await,
                    (Ok(Read::TooLong(_)), Some(_)) => {}
                    (Ok(Read::End) | Err(_), _) | (_, None) => break,
                },
            }
        }
        self.shared.forget(self.number);
        if let Some(mut own) = self.own.take() {
            drop(write);
            own.tasks.shutdown().await;
            drop(own.link);
            own.running.stop().await;
        }
    }

    async fn said(&mut self, text: &str, to: &ToClient) {
        let Some(line) = Line::parse(text) else {
            return;
        };
        if self.own.is_none()
            && sets_up_a_scenario(&line)
            && let Err(words) = self.start_own(to).await
        {
            let id = line.id.map_or("null", |id| id.get());
            let _ = to.send(refusal(id, &words));
            return;
        }
        let program = self.own.as_ref().map_or(&self.shared, |own| &own.link);
        program.client_said(self.number, to, &line);
    }

    async fn start_own(&mut self, to: &ToClient) -> Result<(), String> {
        let (running, streams) = self.starter.start().await?;
        let mut tasks = JoinSet::new();
        match Link::open(streams, self.timeout, &mut tasks).await {
            Ok(link) if link.join(self.number, to.clone()) => {
                // What the others' program says is of no interest any more.
                self.shared.leave(self.number);
                self.own = Some(Own {
                    link,
                    running,
                    tasks,
                });
                Ok(())
            }
            Ok(_) => {
                running.stop().await;
                Err("the program ended at once".to_owned())
            }
            Err(error) => {
                tasks.shutdown().await;
                running.stop().await;
                Err(format!("a program for the scenario did not start: {error}"))
            }
        }
    }
}

/// Scenarios are prompts called `environment:scenario`.
fn sets_up_a_scenario(line: &Line<'_>) -> bool {
    line.method.as_deref() == Some("prompts/get")
        && members(line.params).get("name").is_some_and(|name| {
            let name = name.get();
            name.contains(':') && !name.contains("://")
        })
}
