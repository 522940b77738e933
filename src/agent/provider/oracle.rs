//! `oracle`: plays each task's own solution through the real environment. Is the task solvable, and is its grader right?

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use crate::agent::{Delta, Model, ModelError, ModelErrorKind, ModelFactory, Request};
use crate::message::{Arguments, Block, StopReason, ToolCall, Turn, Usage};
use crate::task::{Solution, Task};

/// The name that `--model` knows it by, and that its turns carry.
pub(super) const NAME: &str = "oracle";

/// Makes a model for each task that has a solution.
#[derive(Clone, Copy, Debug, Default)]
pub struct Oracle;

impl ModelFactory for Oracle {
    fn open(&self, task: &Task, _repeat: u32) -> Result<Arc<dyn Model>, ModelError> {
        let Some(solution) = task.solution.clone() else {
            let file = task.location.file.display();
            let place = match task.location.line {
                0 => file.to_string(),
                line => format!("{file}:{line}"),
            };
            return Err(ModelError {
                kind: ModelErrorKind::Request,
                message: format!(
                    "{place}: task '{}' has no solution for the oracle to play\n\
                     hint: add `solution: {{tool_calls: [{{name: …, arguments: {{…}}}}], answer: …}}` to the task",
                    task.slug
                ),
                retry_after: None,
            });
        };
        Ok(Arc::new(Player {
            solution,
            played: AtomicU64::new(0),
        }))
    }
}

/// Plays one tool call a turn, then the answer.
#[derive(Debug)]
struct Player {
    solution: Solution,
    played: AtomicU64,
}

#[async_trait]
impl Model for Player {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn respond(
        &self,
        _request: &Request,
        on_delta: &mut (dyn FnMut(Delta) + Send),
    ) -> Result<Turn, ModelError> {
        let index = self.played.fetch_add(1, Ordering::Relaxed);
        let call = usize::try_from(index)
            .ok()
            .and_then(|index| self.solution.tool_calls.get(index));
        let (block, stop) = if let Some(call) = call {
            let call = ToolCall {
                id: format!("call_{}", index + 1),
                name: call.name.clone(),
                arguments: Arguments::Object {
                    value: call.arguments.clone(),
                },
                opaque: None,
            };
            (Block::ToolCall(call), StopReason::ToolCalls)
        } else {
            let text = self.solution.answer.clone().unwrap_or_default();
            on_delta(Delta::Text(text.clone()));
            (Block::text(text), StopReason::Done)
        };
        Ok(Turn {
            model: NAME.to_owned(),
            blocks: vec![block],
            stop,
            usage: Usage::default(),
            stop_detail: None,
            response_id: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::testing::{FakeTools, request, task};
    use crate::agent::{AgentJob, LoopSettings};
    use crate::task::Invocation;
    use serde_json::Map;
    use tokio_util::sync::CancellationToken;

    async fn check(calls: &[&str], answer: Option<&str>, expected: (Option<&str>, u32, u32)) {
        let mut task = task("t");
        let invocation = |name: &&str| Invocation {
            name: (*name).to_owned(),
            arguments: Map::new(),
        };
        task.solution = Some(Solution {
            tool_calls: calls.iter().map(invocation).collect(),
            answer: answer.map(str::to_owned),
        });
        let model = Oracle.open(&task, 0).unwrap();
        let tools = FakeTools::default();
        let job = AgentJob {
            model: &*model,
            tools: &tools,
            system: None,
            messages: request().messages,
            settings: LoopSettings::default(),
            trace_id: None,
            cancel: CancellationToken::new(),
            deadline: None,
        };
        let end = crate::agent::run(job, &mut |_| {}).await;
        assert_eq!(*tools.ran.lock().unwrap(), calls);
        assert_eq!(end.failure, None);
        assert_eq!((end.answer.as_deref(), end.steps, end.tool_calls), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_solution_is_played_call_by_call() {
        check(&[], Some("JR"), (Some("JR"), 1, 0)).await;
        check(&["ok", "fail", "ok"], Some("JR"), (Some("JR"), 4, 3)).await;
        check(&["ok"], None, (Some(""), 2, 1)).await;
    }

    #[test]
    fn a_task_without_solution_is_named_with_its_place() {
        let check = |line: usize, place: &str| {
            let mut task = task("ceo");
            task.location.line = line;
            let error = Oracle.open(&task, 0).err().unwrap();
            assert_eq!(error.kind, ModelErrorKind::Request);
            assert_eq!(
                error.message,
                format!(
                    "{place}: task 'ceo' has no solution for the oracle to play\n\
                     hint: add `solution: {{tool_calls: [{{name: …, arguments: {{…}}}}], answer: …}}` to the task"
                )
            );
        };
        check(14, "tasks.yaml:14");
        check(0, "tasks.yaml");
    }
}
