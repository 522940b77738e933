//! One model call, with its retries.

use std::time::Duration;

use super::interrupt::{Interrupt, Interrupts};
use super::{Delta, LoopSettings, Model, ModelError, ModelErrorKind, Request, StepSink};
use crate::event::Step;
use crate::message::Turn;
use crate::util::time::human;

/// A provider that asks for more than this is out of service for the purposes of a rollout.
const LONGEST_ASKED_WAIT: Duration = Duration::from_mins(10);

/// A call that times out is made once more: a lost connection is as likely as a model that needs longer than it may have.
const RETRIES_OF_TIMEOUTS: u32 = 1;

/// Why there is no turn.
#[derive(Debug, PartialEq)]
pub(super) enum NoTurn {
    /// The model failed, for good or too often.
    Failed(ModelError),
    /// The loop must stop. `waiting_after` is the failure that the call was waiting to recover from.
    Interrupted {
        by: Interrupt,
        waiting_after: Option<ModelError>,
    },
}

/// Calls the model until it answers, fails for good, or the loop must stop.
pub(super) async fn call(
    model: &dyn Model,
    request: &Request,
    settings: &LoopSettings,
    interrupts: &Interrupts,
    sink: &mut StepSink<'_>,
) -> Result<Turn, NoTurn> {
    let mut timeouts = 0;
    let mut retry = 0;
    loop {
        let mut on_delta = |delta| match delta {
            Delta::Text(text) => sink(Step::TextDelta { text }),
            Delta::Notice(text) => sink(Step::Notice { text }),
            Delta::Reasoning(_) => {}
        };
        let attempt = attempt(model, request, settings.model_timeout, &mut on_delta);
        let error = tokio::select! {
            biased;
            by = interrupts.wait() => return Err(NoTurn::Interrupted { by, waiting_after: None }),
            ended = attempt => match ended {
                Ok(turn) => return Ok(turn),
                Err(Failed::Model(error)) => error,
                Err(Failed::TimedOut(error)) => {
                    timeouts += 1;
                    if timeouts > RETRIES_OF_TIMEOUTS {
                        return Err(NoTurn::Failed(error));
                    }
                    error
                }
            },
        };
        retry += 1;
        if !error.kind.is_retryable() {
            return Err(NoTurn::Failed(error));
        }
        if retry > settings.retry.retries {
            return Err(NoTurn::Failed(ModelError {
                message: after_attempts(&error.message, retry),
                ..error
            }));
        }
        if let Some(asked) = error
            .retry_after
            .filter(|asked| *asked > LONGEST_ASKED_WAIT)
        {
            return Err(NoTurn::Failed(ModelError {
                message: format!(
                    "{}\nthe provider asks to wait {}, which is too long for a running rollout",
                    error.message,
                    human(asked)
                ),
                ..error
            }));
        }
        let delay = settings.retry.delay(retry, error.retry_after);
        sink(Step::Retry {
            attempt: retry,
            delay,
            error: error.message.clone(),
        });
        tokio::select! {
            biased;
            by = interrupts.wait() => return Err(NoTurn::Interrupted { by, waiting_after: Some(error) }),
            () = tokio::time::sleep(delay) => {}
        }
    }
}

/// `message`, with the number of attempts in its first line: hints stay last.
fn after_attempts(message: &str, attempts: u32) -> String {
    if attempts == 1 {
        return message.to_owned();
    }
    match message.split_once('\n') {
        Some((first, rest)) => format!("{first} (after {attempts} attempts)\n{rest}"),
        None => format!("{message} (after {attempts} attempts)"),
    }
}

enum Failed {
    Model(ModelError),
    TimedOut(ModelError),
}

async fn attempt(
    model: &dyn Model,
    request: &Request,
    timeout: Option<Duration>,
    on_delta: &mut (dyn FnMut(Delta) + Send),
) -> Result<Turn, Failed> {
    let Some(timeout) = timeout else {
        return model
            .respond(request, on_delta)
            .await
            .map_err(Failed::Model);
    };
    match tokio::time::timeout(timeout, model.respond(request, on_delta)).await {
        Ok(answered) => answered.map_err(Failed::Model),
        Err(_) => Err(Failed::TimedOut(ModelError {
            kind: ModelErrorKind::Network,
            message: format!(
                "model `{}` did not finish its answer within {}\nhint: raise `model_timeout_seconds`",
                model.name(),
                human(timeout)
            ),
            retry_after: None,
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::testing::{FakeModel, Reply, error, request, text_turn};
    use tokio::time::Instant;
    use tokio_util::sync::CancellationToken;

    async fn check(
        replies: Vec<Reply>,
        deadline: Option<u64>,
        expected: Result<&str, &str>,
        waits: &[u64],
    ) {
        let model = FakeModel::new(replies);
        let interrupts = Interrupts {
            cancel: CancellationToken::new(),
            deadline: deadline.map(|seconds| Instant::now() + Duration::from_secs(seconds)),
        };
        let settings = LoopSettings {
            model_timeout: Some(Duration::from_mins(1)),
            ..LoopSettings::default()
        };
        let mut delays = Vec::new();
        let mut sink = |step: Step| {
            if let Step::Retry { delay, .. } = step {
                delays.push(delay.as_secs_f64());
            }
        };
        let ended = call(&model, &request(), &settings, &interrupts, &mut sink).await;
        let shown = match ended {
            Ok(turn) => Ok(turn.text()),
            Err(NoTurn::Failed(error)) => Err(error.message),
            Err(NoTurn::Interrupted { by, waiting_after }) => Err(format!(
                "{by:?} after {:?}",
                waiting_after.map(|error| error.message)
            )),
        };
        assert_eq!(shown.as_deref().map_err(String::as_str), expected);
        assert_eq!(delays.len(), waits.len(), "{delays:?}");
        for (delay, full) in delays.iter().zip(waits.iter().map(|wait| *wait as f64)) {
            // The jitter takes off at most a quarter.
            assert!((full * 0.75..=full).contains(delay), "{delays:?}");
        }
    }

    fn rate_limit(seconds: u64) -> Reply {
        Reply::Error(ModelError {
            retry_after: Some(Duration::from_secs(seconds)),
            ..error(ModelErrorKind::RateLimit, "slow down")
        })
    }

    fn server() -> Reply {
        Reply::Error(error(ModelErrorKind::Server, "oops"))
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_succeed_later_is_tried_again() {
        let ok = || Reply::Turn(text_turn("hi"));
        check(vec![ok()], None, Ok("hi"), &[]).await;
        check(vec![server(), server(), ok()], None, Ok("hi"), &[1, 2]).await;
        check(vec![rate_limit(17), ok()], None, Ok("hi"), &[17]).await;
        check(
            vec![server(); 7],
            None,
            Err("oops (after 7 attempts)"),
            &[1, 2, 4, 8, 16, 30],
        )
        .await;
        check(
            vec![Reply::Error(error(ModelErrorKind::Credits, "no money"))],
            None,
            Err("no money"),
            &[],
        )
        .await;
        check(
            vec![rate_limit(3600)],
            None,
            Err(
                "slow down\nthe provider asks to wait 1h 00m, which is too long for a running rollout",
            ),
            &[],
        )
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_is_retried_once() {
        let ok = || Reply::Turn(text_turn("hi"));
        check(vec![Reply::Never, ok()], None, Ok("hi"), &[1]).await;
        check(
            vec![Reply::Never, Reply::Never],
            None,
            Err("model `fake` did not finish its answer within 1m 00s\nhint: raise `model_timeout_seconds`"),
            &[1],
        )
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_at_the_deadline_and_says_what_it_waited_for() {
        check(
            vec![rate_limit(100)],
            Some(20),
            Err("Deadline after Some(\"slow down\")"),
            &[100],
        )
        .await;
        check(
            vec![Reply::Never],
            Some(20),
            Err("Deadline after None"),
            &[],
        )
        .await;
    }
}
