//! The tool loop.

use std::collections::HashSet;

use tokio::time::Instant;

use super::interrupt::{Interrupt, Interrupts};
use super::model_call::{self, NoTurn};
use super::tool_calls::{Caller, NOT_RUN};
use super::{
    AgentEnd, AgentFailure, AgentJob, LoopSettings, Model, Request, StepSink, Tools, auto_respond,
    filters,
};
use crate::event::{Limit, Step};
use crate::message::{
    Block, Content, Message, Settings, StopReason, ToolCall, ToolResult, Turn, Usage,
};
use crate::task::Steps;

/// A model that writes this many calls in a row that its provider cannot read will go on doing so.
const MALFORMED_CALLS: u32 = 4;

/// Runs the loop to its end: the model is called, its tool calls are run and answered, until it calls none, a limit is reached, something fails
/// or the job is cancelled. Everything that happens goes to `sink` as it happens, the prompt with the visible tools first.
///
/// Only model calls are ever repeated; a tool call may have acted.
pub async fn run(job: AgentJob<'_>, sink: &mut StepSink<'_>) -> AgentEnd {
    let mut agent = Agent {
        model: job.model,
        tools: job.tools,
        settings: job.settings,
        interrupts: Interrupts {
            cancel: job.cancel,
            deadline: job.deadline,
        },
        request: Request {
            system: job.system,
            messages: job.messages,
            tools: Vec::new(),
            settings: Settings::default(),
            trace_id: job.trace_id,
        },
        call_ids: HashSet::new(),
        steps: 0,
        tool_calls: 0,
        malformed_calls: 0,
        usage: Usage::default(),
        answer: None,
    };
    let ended = agent.drive(sink).await;
    agent.answer_open_calls();
    if let Some(limit) = ended.stopped_by {
        sink(Step::LimitReached { limit });
    }
    AgentEnd {
        answer: agent.answer,
        steps: agent.steps,
        tool_calls: agent.tool_calls,
        usage: agent.usage,
        transcript: agent.request.messages,
        stopped_by: ended.stopped_by,
        failure: ended.failure,
    }
}

struct Agent<'a> {
    model: &'a dyn Model,
    tools: &'a dyn Tools,
    settings: LoopSettings,
    interrupts: Interrupts,
    /// The next request; its messages are the transcript.
    request: Request,
    /// Every call id of the conversation so far.
    call_ids: HashSet<String>,
    steps: u32,
    tool_calls: u32,
    /// In a row.
    malformed_calls: u32,
    usage: Usage,
    answer: Option<String>,
}

/// How the loop ended. Neither set: the model was done.
#[derive(Default)]
struct Ended {
    stopped_by: Option<Limit>,
    failure: Option<AgentFailure>,
}

impl Ended {
    fn failed(failure: AgentFailure) -> Self {
        Self {
            stopped_by: None,
            failure: Some(failure),
        }
    }

    fn limit(limit: Limit) -> Self {
        Self {
            stopped_by: Some(limit),
            failure: None,
        }
    }

    fn interrupted(by: Interrupt) -> Self {
        match by {
            Interrupt::Cancelled => Self::failed(AgentFailure::Cancelled),
            Interrupt::Deadline => Self::limit(Limit::Time),
        }
    }
}

impl Agent<'_> {
    async fn drive(&mut self, sink: &mut StepSink<'_>) -> Ended {
        if let Err(ended) = self.start(sink).await {
            return ended;
        }
        loop {
            if let Some(by) = self.interrupts.now() {
                return Ended::interrupted(by);
            }
            if self.out_of_steps() {
                return Ended::limit(Limit::Steps);
            }
            if self.out_of_tokens() {
                return Ended::limit(Limit::Tokens);
            }
            let turn = match self.ask(sink).await {
                Ok(turn) => turn,
                Err(ended) => return ended,
            };
            let turn = self.merged(turn);
            let text = turn.text();
            let stop = turn.stop.clone();
            let detail = turn.stop_detail.clone();
            let calls: Vec<ToolCall> = turn.tool_calls().cloned().collect();
            self.request.messages.push(Message::Assistant { turn });

            if stop == StopReason::MalformedCall {
                self.keep(text);
                if let Some(ended) = self.tell_of_malformed_call(detail, sink) {
                    return ended;
                }
                continue;
            }
            self.malformed_calls = 0;
            if stop == StopReason::Paused {
                // The conversation as it stands is what continues the turn; its calls are for then.
                self.keep(text);
            } else if !calls.is_empty() && stop != StopReason::Refusal {
                self.keep(text);
                if let Some(ended) = self.call_tools(&calls, sink).await {
                    return ended;
                }
            } else {
                let goes_on = self.should_go_on(&text).await;
                self.answer = Some(text);
                if !goes_on {
                    return Ended::default();
                }
                let content = vec![Content::text(auto_respond::CONTINUE)];
                sink(Step::User {
                    content: content.clone(),
                });
                self.request.messages.push(Message::User { content });
            }
        }
    }

    /// The provider could not read a call that the model wrote, so there is no call to answer: the model is told in words. `Some` when it does not
    /// learn.
    fn tell_of_malformed_call(
        &mut self,
        detail: Option<String>,
        sink: &mut StepSink<'_>,
    ) -> Option<Ended> {
        self.malformed_calls += 1;
        let detail = detail.unwrap_or_else(|| "the call is malformed".to_owned());
        if self.malformed_calls >= MALFORMED_CALLS {
            return Some(Ended::failed(AgentFailure::Model(super::ModelError {
                kind: super::ModelErrorKind::Server,
                message: format!(
                    "model `{}` wrote {MALFORMED_CALLS} calls in a row that its provider could not read ({detail})",
                    self.model.name()
                ),
                retry_after: None,
            })));
        }
        let content = vec![Content::text(format!(
            "Your last tool call could not be read ({detail}), so nothing was run. Call the tool again, with one JSON object as its arguments."
        ))];
        sink(Step::User {
            content: content.clone(),
        });
        self.request.messages.push(Message::User { content });
        None
    }

    /// `turn`, with the paused one that it continues in front: together they are one turn of the conversation.
    fn merged(&mut self, turn: Turn) -> Turn {
        match self.request.messages.pop() {
            Some(Message::Assistant { turn: mut begun }) if begun.stop == StopReason::Paused => {
                begun.blocks.extend(turn.blocks);
                Turn {
                    blocks: begun.blocks,
                    ..turn
                }
            }
            other => {
                self.request.messages.extend(other);
                turn
            }
        }
    }

    /// Calls that the end of the loop left open (a refused turn's, a paused one's) are answered: they were not run.
    fn answer_open_calls(&mut self) {
        let Some(Message::Assistant { turn }) = self.request.messages.last() else {
            return;
        };
        let results: Vec<ToolResult> = turn
            .tool_calls()
            .map(|call| ToolResult::error(call, NOT_RUN))
            .collect();
        if !results.is_empty() {
            self.request.messages.push(Message::Tools { results });
        }
    }

    /// Finds out which tools there are and shows the prompt.
    async fn start(&mut self, sink: &mut StepSink<'_>) -> Result<(), Ended> {
        let filter = filters::Filter::new(
            self.settings.allowed_tools.as_deref(),
            self.settings.disallowed_tools.as_deref(),
        )
        .map_err(|message| {
            Ended::failed(AgentFailure::Model(super::ModelError {
                kind: super::ModelErrorKind::Request,
                message,
                retry_after: None,
            }))
        })?;
        let tools = tokio::select! {
            biased;
            by = self.interrupts.wait() => return Err(Ended::interrupted(by)),
            tools = self.tools.list() => tools,
        };
        let tools = tools.map_err(|error| {
            Ended::failed(AgentFailure::Environment(format!(
                "cannot list the environment's tools: {error:#}"
            )))
        })?;
        self.request.tools = filter.apply(tools);
        self.request.settings = self.settings.request.clone();
        self.call_ids = call_ids(&self.request.messages);
        sink(Step::Prompt {
            system: self.request.system.clone(),
            messages: self.request.messages.clone(),
            tools: self.request.tools.clone(),
        });
        Ok(())
    }

    async fn ask(&mut self, sink: &mut StepSink<'_>) -> Result<Turn, Ended> {
        let step = self.steps + 1;
        sink(Step::ModelStarted { step });
        let started = Instant::now();
        let called = model_call::call(
            self.model,
            &self.request,
            &self.settings,
            &self.interrupts,
            sink,
        );
        let mut turn = called.await.map_err(|no_turn| match no_turn {
            NoTurn::Failed(error) => Ended::failed(AgentFailure::Model(error)),
            NoTurn::Interrupted { by, waiting_after } => {
                let ended = Ended::interrupted(by);
                Ended {
                    failure: ended.failure.or(waiting_after.map(AgentFailure::Model)),
                    ..ended
                }
            }
        })?;
        self.steps = step;
        self.usage += turn.usage;
        self.make_call_ids_unique(&mut turn);
        sink(Step::Turn {
            step,
            turn: turn.clone(),
            duration: started.elapsed(),
        });
        Ok(turn)
    }

    /// Runs and answers `calls`. `Some` when the loop is over.
    async fn call_tools(&mut self, calls: &[ToolCall], sink: &mut StepSink<'_>) -> Option<Ended> {
        let caller = Caller {
            tools: self.tools,
            visible: &self.request.tools,
            timeout: self.settings.tool_timeout,
            interrupts: &self.interrupts,
        };
        let round = caller.run(calls, sink).await;
        self.tool_calls += round.started;
        self.request.messages.push(Message::Tools {
            results: round.results,
        });
        let interrupted = round.interrupted.map(Ended::interrupted);
        let Some(message) = round.environment else {
            return interrupted;
        };
        let ended = interrupted.unwrap_or_default();
        Some(Ended {
            // A copy that was killed because the job is over is no news.
            failure: ended.failure.or(Some(AgentFailure::Environment(message))),
            ..ended
        })
    }

    async fn should_go_on(&mut self, text: &str) -> bool {
        let asks = self.settings.auto_respond
            && !text.trim().is_empty()
            && !self.out_of_steps()
            && !self.out_of_tokens();
        if !asks {
            return false;
        }
        let (goes_on, usage) = auto_respond::should_continue(
            self.model,
            text,
            self.request.trace_id.as_deref(),
            &self.settings,
            &self.interrupts,
        )
        .await;
        self.usage += usage;
        goes_on
    }

    /// Remembers a text that was not the model's last word, in case it becomes that.
    fn keep(&mut self, text: String) {
        if !text.is_empty() {
            self.answer = Some(text);
        }
    }

    fn out_of_steps(&self) -> bool {
        match self.settings.max_steps {
            Steps::AtMost(steps) => self.steps >= steps,
            Steps::Unlimited => false,
        }
    }

    fn out_of_tokens(&self) -> bool {
        self.settings
            .max_total_tokens
            .is_some_and(|limit| self.usage.total() >= limit)
    }

    /// Some servers number the calls of each turn from 0, or send no id at all. Results are matched to calls by id, so a second one of the
    /// same name gets a new one.
    fn make_call_ids_unique(&mut self, turn: &mut Turn) {
        for block in &mut turn.blocks {
            let Block::ToolCall(call) = block else {
                continue;
            };
            if call.id.is_empty() || self.call_ids.contains(&call.id) {
                call.id = format!("call_{}", uuid::Uuid::new_v4().simple());
            }
            self.call_ids.insert(call.id.clone());
        }
    }
}

fn call_ids(messages: &[Message]) -> HashSet<String> {
    messages
        .iter()
        .filter_map(|message| match message {
            Message::Assistant { turn } => Some(turn.tool_calls().map(|call| call.id.clone())),
            Message::System { .. } | Message::User { .. } | Message::Tools { .. } => None,
        })
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests;
