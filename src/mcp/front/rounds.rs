//! Questions to a client of MCP 2026-07-28. Such a client cannot be asked: the request ends with what it is asked (`input_required`), and the
//! client sends it again with the answers. Meanwhile the call stays suspended in its copy, under an id that nobody can guess.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::call::{Call, Event, Purpose, Question};
use super::queue::Ended;
use super::server::new_id;
use super::wire::{self, Members, RpcError, code};

/// How long a suspended call waits for its client: a person may have to be found first.
const PATIENCE: Duration = Duration::from_mins(10);

/// How long is waited for questions that come together. Code that asks several things at once sends them within microseconds.
const GATHER: Duration = Duration::from_millis(5);

/// More suspended calls than this are refused: each holds a tool in its copy.
const MAX_SUSPENDED: usize = 1000;

/// What a client gets next.
#[derive(Debug)]
pub(super) enum Step {
    /// A notification, or a request of the older era.
    Message(String),
    /// The answer; the code when it is an error. Nothing comes after it.
    End { text: String, code: Option<i32> },
}

/// Calls that wait for their clients to come back.
#[derive(Default)]
pub(super) struct Suspended(Mutex<HashMap<String, Waiting>>);

struct Waiting {
    call: Arc<Call>,
    print: Print,
    until: Instant,
}

/// What a retry must have in common with the request that it repeats.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Print {
    pub(super) method: String,
    pub(super) name: String,
    pub(super) session: String,
    /// Compared as JSON: a client may order and space it differently the second time.
    pub(super) arguments: Value,
}

/// The answers that came with a request.
pub(super) type Answers = HashMap<String, Box<RawValue>>;

impl Suspended {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, call: &Arc<Call>, print: Print) -> Option<String> {
        let mut waiting = self.lock();
        if waiting.len() >= MAX_SUSPENDED {
            return None;
        }
        let state = new_id();
        let entry = Waiting {
            call: Arc::clone(call),
            print,
            until: Instant::now() + PATIENCE,
        };
        waiting.insert(state.clone(), entry);
        Some(state)
    }

    /// The call that a retry continues, once.
    ///
    /// # Errors
    /// When the state is not ours, has been used or has expired, belongs to another request, or an answer is malformed; then the call
    /// waits on for a better retry.
    pub(super) fn take(
        &self,
        state: &str,
        print: &Print,
        answers: &Answers,
    ) -> Result<Arc<Call>, RpcError> {
        let unknown = || {
            RpcError::new(
                code::INVALID_PARAMS,
                "the `requestState` is unknown: it was used already, has expired, or was changed",
            )
        };
        let mut waiting = self.lock();
        let entry = waiting.get(state).ok_or_else(unknown)?;
        if entry.until <= Instant::now() {
            return Err(unknown());
        }
        if entry.print != *print {
            return Err(RpcError::new(
                code::INVALID_PARAMS,
                "the `requestState` belongs to another request",
            ));
        }
        entry
            .call
            .with_questions(|questions| check_answers(questions, answers))?;
        waiting
            .remove(state)
            .map(|entry| entry.call)
            .ok_or_else(unknown)
    }

    /// Calls whose clients did not come back in time.
    pub(super) fn expired(&self) -> Vec<Arc<Call>> {
        let now = Instant::now();
        let mut waiting = self.lock();
        waiting
            .extract_if(|_, entry| entry.until <= now)
            .map(|(_, entry)| entry.call)
            .collect()
    }
}

/// Reads `inputResponses`.
pub(super) fn answers(params: &Members<'_>) -> Result<Answers, RpcError> {
    let Some(raw) = params.get("inputResponses") else {
        return Ok(Answers::new());
    };
    let members = Members::read(Some(raw), "`inputResponses`")?;
    let mut answers = Answers::new();
    for (key, answer) in members.iter() {
        if !answer.get().starts_with('{') {
            return Err(RpcError::new(
                code::INVALID_PARAMS,
                format!("the input response `{key}` must be an object"),
            ));
        }
        answers.insert(key.to_owned(), answer.to_owned());
    }
    Ok(answers)
}

/// Whether each answer has the shape that its question needs.
fn check_answers(questions: &[Question], answers: &Answers) -> Result<(), RpcError> {
    for question in questions {
        let Some(answer) = answers.get(&question.key) else {
            continue;
        };
        let members = Members::read(Some(answer), "an input response")?;
        let needed = match question.method.as_str() {
            "elicitation/create" => "action",
            "roots/list" => "roots",
            _ => "content",
        };
        if members.get(needed).is_none() {
            return Err(RpcError::new(
                code::INVALID_PARAMS,
                format!(
                    "the input response `{}` is no answer to `{}`: it lacks `{needed}`",
                    question.key, question.method
                ),
            ));
        }
    }
    Ok(())
}

/// What the client of `call` gets next. `None` when the call has ended without an answer.
pub(super) async fn next(call: &Arc<Call>, suspended: &Suspended, print: &Print) -> Option<Step> {
    loop {
        match call.try_next() {
            Ok(Some(Event::Message(text))) => return Some(Step::Message(text)),
            Ok(Some(Event::End { text, code })) => return Some(Step::End { text, code }),
            Err(Ended) => return None,
            Ok(None) => {}
        }
        if call.open_questions() == 0 {
            call.queue.changed().await;
            continue;
        }
        // Questions that are awaited together come in one result.
        let more = tokio::time::timeout(GATHER, call.queue.changed()).await;
        if more.is_err() {
            return Some(suspend(call, suspended, print));
        }
    }
}

fn suspend(call: &Arc<Call>, suspended: &Suspended, print: &Print) -> Step {
    let mut questions = Members::default();
    call.with_questions(|open| {
        for question in open {
            let mut request = Members::default();
            request.set("method", Cow::Owned(wire::raw(&question.method)));
            request.set("params", Cow::Owned(question.params.clone()));
            questions.set(&question.key, Cow::Owned(request.raw()));
        }
    });
    let id = call.id();
    let Some(state) = suspended.add(call, print.clone()) else {
        call.cancel("too many calls wait for their clients");
        let error = RpcError::new(
            code::UNAVAILABLE,
            "too many calls wait for the answers of their clients; try again later",
        );
        return Step::End {
            text: wire::error(Some(&id), &error),
            code: Some(error.code),
        };
    };
    let mut result = Members::default();
    result.set("resultType", Cow::Owned(wire::raw(&"input_required")));
    result.set("inputRequests", Cow::Owned(questions.raw()));
    result.set("requestState", Cow::Owned(wire::raw(&state)));
    let result = result.raw();
    let dressed = call.dress().result("", &result, &Purpose::Plain);
    Step::End {
        text: wire::result(&id, dressed.as_deref().unwrap_or(result.get())),
        code: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(params: &str) -> Result<Vec<String>, i32> {
        let raw = RawValue::from_string(params.to_owned()).unwrap();
        let params = Members::read(Some(&raw), "params").unwrap();
        answers(&params)
            .map(|answers| {
                let mut keys: Vec<_> = answers.into_keys().collect();
                keys.sort();
                keys
            })
            .map_err(|error| error.code)
    }

    #[test]
    fn input_responses_are_objects_of_objects() {
        assert_eq!(read("{}"), Ok(vec![]));
        assert_eq!(
            read(r#"{"inputResponses":{"b":{},"a":{"x":1}}}"#),
            Ok(vec!["a".to_owned(), "b".to_owned()])
        );
        for wrong in ["null", "3", "[]", r#"{"a":12345}"#, r#"{"a":null}"#] {
            assert_eq!(
                read(&format!(r#"{{"inputResponses":{wrong}}}"#)),
                Err(code::INVALID_PARAMS),
                "{wrong}"
            );
        }
    }

    #[test]
    fn answers_have_the_shape_of_their_questions() {
        let question = |method: &str| Question {
            id: wire::raw(&1),
            key: "k".to_owned(),
            method: method.to_owned(),
            params: wire::empty(),
        };
        let check = |method: &str, answer: &str, good: bool| {
            let answer = RawValue::from_string(answer.to_owned()).unwrap();
            let answers = Answers::from([("k".to_owned(), answer)]);
            assert_eq!(check_answers(&[question(method)], &answers).is_ok(), good);
        };
        check("elicitation/create", r#"{"action":"decline"}"#, true);
        check("elicitation/create", r#"{"content":{}}"#, false);
        check(
            "sampling/createMessage",
            r#"{"content":{},"role":"assistant"}"#,
            true,
        );
        check("sampling/createMessage", "{}", false);
        check("roots/list", r#"{"roots":[]}"#, true);
        check("roots/list", r#"{"action":"accept"}"#, false);
    }
}
