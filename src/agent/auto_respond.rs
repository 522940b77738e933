//! Whether an agent that stopped calling tools was really done: asked of the model itself, in a conversation of its own.

use super::interrupt::Interrupts;
use super::{Delta, LoopSettings, Model, Request};
use crate::message::{Message, Settings, Usage};

/// What is said to an agent that should go on.
pub(super) const CONTINUE: &str = "CONTINUE";

const INSTRUCTIONS: &str = "\
You supervise an agent that works on a task by calling tools. It has just sent a message without calling a tool. Nobody can answer it.
Reply STOP if the message is a final answer, reports that the work is done, or says that it cannot be done.
Reply CONTINUE if the message asks for permission, asks for a confirmation or announces a next step that was not taken.
Reply with that one word and nothing else.";

/// Enough for a model that thinks before it says one word.
const OUTPUT_TOKENS: u32 = 1024;

/// Whether the agent that said `text` should go on, and what asking cost. Any failure means no: the agent's own decision stands.
pub(super) async fn should_continue(
    model: &dyn Model,
    text: &str,
    trace_id: Option<&str>,
    settings: &LoopSettings,
    interrupts: &Interrupts,
) -> (bool, Usage) {
    let request = Request {
        system: Some(INSTRUCTIONS.to_owned()),
        messages: vec![Message::user(format!("The agent's message:\n\n{text}"))],
        tools: Vec::new(),
        settings: Settings {
            max_tokens: Some(OUTPUT_TOKENS),
            ..Settings::default()
        },
        trace_id: trace_id.map(str::to_owned),
    };
    let mut ignore = |_: Delta| {};
    let asked = async {
        let answer = model.respond(&request, &mut ignore);
        match settings.model_timeout {
            Some(timeout) => tokio::time::timeout(timeout, answer).await.ok(),
            None => Some(answer.await),
        }
    };
    let answer = tokio::select! {
        biased;
        _ = interrupts.wait() => None,
        answer = asked => answer,
    };
    match answer {
        Some(Ok(turn)) => {
            let word = turn.text();
            let word = word.trim().trim_matches(|c: char| !c.is_alphabetic());
            (word.eq_ignore_ascii_case(CONTINUE), turn.usage)
        }
        Some(Err(error)) => {
            tracing::debug!(%error, "auto_respond could not ask; the agent's answer stands");
            (false, Usage::default())
        }
        None => (false, Usage::default()),
    }
}
