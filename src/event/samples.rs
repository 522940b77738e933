//! Events for tests of what consumes them.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    Evaluation, JobStarted, JobSummary, Limit, NoticeLevel, Outcome, Phase, RolloutRef,
    RolloutResult, RunEvent, Step, SubScore,
};
use crate::message::{
    Arguments, Block, Content, Message, StopReason, Tool, ToolCall, ToolResult, Turn, Usage,
};

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("not an object: {other}"),
    }
}

/// The start of a job of `tasks` tasks, each played `group` times.
pub(crate) fn job_started(tasks: usize, group: u32, directory: &Path) -> RunEvent {
    RunEvent::JobStarted(JobStarted {
        job: "20261120-101502-trivia-3f2a".to_owned(),
        name: "trivia".to_owned(),
        model: "claude-sonnet-4-6".to_owned(),
        agent: "claude".to_owned(),
        tasks,
        group,
        rollouts: tasks * group as usize,
        max_concurrent: 30,
        seed: u64::MAX,
        directory: directory.to_owned(),
        plan: json!({"success_threshold": 0.7, "limits": {"phase_timeout": 0.1}}),
    })
}

/// The rollout at `index` of the plan.
pub(crate) fn rollout(index: usize, task: &str, repeat: u32) -> RolloutRef {
    RolloutRef {
        id: format!("{:016x}.{repeat}", index + 0xabc),
        trace_id: format!("{index:032x}"),
        index,
        task: task.to_owned(),
        repeat,
    }
}

/// A grade without more.
pub(crate) fn graded(reward: f64) -> Outcome {
    Outcome::Graded {
        evaluation: Evaluation {
            reward,
            done: true,
            ..Evaluation::default()
        },
        stopped_by: None,
    }
}

/// A grade with everything that a grade can have.
pub(crate) fn graded_in_full(reward: f64) -> Outcome {
    Outcome::Graded {
        evaluation: Evaluation {
            reward,
            done: false,
            content: Some("half of it".to_owned()),
            info: object(json!({"expected": "JR", "distance": 0.1})),
            subscores: vec![
                SubScore {
                    name: "exact".to_owned(),
                    weight: 0.75,
                    value: 1.0 / 3.0,
                },
                SubScore {
                    name: "format".to_owned(),
                    weight: 0.25,
                    value: 1.0,
                },
            ],
        },
        stopped_by: Some(Limit::Steps),
    }
}

/// A result with plausible numbers.
pub(crate) fn result(outcome: Outcome, answer: Option<&str>) -> RolloutResult {
    RolloutResult {
        outcome,
        answer: answer.map(str::to_owned),
        steps: 3,
        tool_calls: 2,
        usage: Usage {
            input_tokens: 1_100,
            output_tokens: 134,
            cache_read_tokens: 900,
            cache_write_tokens: 10,
            reasoning_tokens: 20,
        },
        judge_usage: Usage {
            input_tokens: 50,
            output_tokens: 5,
            ..Usage::default()
        },
        cost_usd: Some(0.0125),
        duration: Duration::from_millis(812),
        phases: vec![
            (Phase::Connect, Duration::from_micros(2_100)),
            (Phase::Loop, Duration::from_millis(790)),
        ],
        warnings: Vec::new(),
    }
}

/// The end of a rollout.
pub(crate) fn finished(rollout: RolloutRef, result: RolloutResult) -> RunEvent {
    RunEvent::RolloutFinished {
        rollout,
        result: Box::new(result),
    }
}

/// A call of a tool and what it answered.
pub(crate) fn call(id: &str, name: &str, arguments: Value) -> ToolCall {
    ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: Arguments::Object {
            value: object(arguments),
        },
        opaque: None,
    }
}

/// A turn with this text and these calls.
pub(crate) fn turn(text: &str, calls: Vec<ToolCall>) -> Turn {
    let stop = if calls.is_empty() {
        StopReason::Done
    } else {
        StopReason::ToolCalls
    };
    let mut blocks = vec![Block::text(text)];
    blocks.extend(calls.into_iter().map(Block::ToolCall));
    Turn {
        model: "claude-sonnet-4-6".to_owned(),
        blocks,
        stop,
        stop_detail: None,
        usage: Usage {
            input_tokens: 100,
            output_tokens: 10,
            ..Usage::default()
        },
        response_id: Some("msg_1".to_owned()),
    }
}

/// One of each kind of step.
pub(crate) fn steps() -> Vec<Step> {
    let lookup = call("call_1", "lookup_ceo", json!({"company": "HUD"}));
    let malformed = ToolCall {
        id: "call_2".to_owned(),
        name: "screenshot".to_owned(),
        arguments: Arguments::Malformed {
            raw: "{".to_owned(),
            error: "not valid JSON".to_owned(),
        },
        opaque: None,
    };
    let mut first = turn(
        "I will look it up.",
        vec![lookup.clone(), malformed.clone()],
    );
    first.blocks.insert(
        0,
        Block::Reasoning {
            text: "Who is it?".to_owned(),
            opaque: Some(json!({"signature": "abc"})),
        },
    );
    first.blocks.push(Block::Opaque {
        value: json!({"type": "citation", "score": 0.1}),
    });
    let image = Content::Image {
        data: "aGVsbG8=".to_owned(),
        mime_type: "image/png".to_owned(),
    };
    vec![
        Step::Prompt {
            system: Some("Be brief.".to_owned()),
            messages: vec![
                Message::user("What are the initials of HUD's CEO?"),
                Message::Assistant {
                    turn: turn("Let me see.", Vec::new()),
                },
            ],
            tools: vec![Tool {
                name: "lookup_ceo".to_owned(),
                description: "Who leads a company.".to_owned(),
                input_schema: json!({"type": "object", "properties": {"company": {"type": "string"}}}),
                output_schema: None,
                source: None,
                meta: Map::new(),
            }],
        },
        Step::ModelStarted { step: 1 },
        Step::Retry {
            attempt: 1,
            delay: Duration::from_millis(1_500),
            error: "429: slow down".to_owned(),
        },
        Step::Turn {
            step: 1,
            turn: first,
            duration: Duration::from_millis(420),
        },
        Step::ToolStarted {
            call: lookup.clone(),
        },
        Step::ToolFinished {
            call: lookup.clone(),
            result: ToolResult {
                call_id: lookup.id.clone(),
                name: lookup.name.clone(),
                content: vec![Content::text("Jay Ram\nsince 2024"), image],
                structured: Some(json!({"ceo": "Jay Ram", "confidence": 0.3})),
                is_error: false,
            },
            duration: Duration::from_millis(12),
        },
        Step::ToolFinished {
            call: malformed.clone(),
            result: ToolResult::error(&malformed, "the arguments are not valid JSON"),
            duration: Duration::ZERO,
        },
        Step::User {
            content: vec![Content::text("Please go on.")],
        },
        Step::ModelStarted { step: 2 },
        Step::Turn {
            step: 2,
            turn: Turn {
                stop: StopReason::Other("odd".to_owned()),
                ..turn("JR", Vec::new())
            },
            duration: Duration::from_millis(300),
        },
        Step::LimitReached {
            limit: Limit::Steps,
        },
        Step::Submitted {
            answer: "JR".to_owned(),
        },
        Step::Judge {
            model: "judge-1".to_owned(),
            usage: Usage {
                input_tokens: 50,
                output_tokens: 5,
                ..Usage::default()
            },
            duration: Duration::from_millis(77),
        },
        Step::Log {
            level: "info".to_owned(),
            text: "graded".to_owned(),
        },
    ]
}

/// How the rollouts of [`story`] ended: one of each kind.
pub(crate) fn endings() -> Vec<(RolloutRef, RolloutResult)> {
    let unreached = |outcome| RolloutResult {
        steps: 0,
        tool_calls: 0,
        usage: Usage::default(),
        judge_usage: Usage::default(),
        cost_usd: None,
        ..result(outcome, None)
    };
    let mut warned = result(
        graded_in_full(1.0 / 3.0),
        Some("Jay \u{1b}[31mRam\u{1b}[0m"),
    );
    warned.warnings = vec!["`@env.shutdown` raised: boom".to_owned()];
    vec![
        (rollout(0, "ceo-hud", 0), result(graded(1.0), Some("JR"))),
        (rollout(1, "ceo-acme", 0), warned),
        (
            rollout(2, "ceo-void", 0),
            unreached(Outcome::EnvironmentError {
                phase: Phase::Setup,
                message: "the scenario `initials` raised ValueError: no such company\n  File \"env.py\", line 12, in initials".to_owned(),
            }),
        ),
        (
            rollout(3, "ceo-slow", 0),
            unreached(Outcome::Timeout {
                phase: Phase::Connect,
                message: "no answer within 300 s".to_owned(),
            }),
        ),
        (
            rollout(4, "ceo-key", 0),
            unreached(Outcome::AgentError {
                message: "the provider refused the key (401)\nhint: check `ANTHROPIC_API_KEY`".to_owned(),
            }),
        ),
        (
            rollout(5, "ceo-long", 0),
            result(
                Outcome::LimitReached {
                    limit: Limit::Time,
                    message: "a tool did not stop and was killed".to_owned(),
                },
                Some("partial"),
            ),
        ),
        (rollout(6, "ceo-late", 0), unreached(Outcome::Cancelled)),
    ]
}

/// A job in which everything happens that can happen, with `summary` as its last event.
pub(crate) fn story(directory: &Path, summary: JobSummary) -> Vec<RunEvent> {
    let endings = endings();
    let mut events = vec![
        job_started(endings.len() + 1, 1, directory),
        RunEvent::Notice {
            level: NoticeLevel::Warning,
            text: "--max-steps 30 does not apply to 3 tasks that set it".to_owned(),
        },
        RunEvent::EnvironmentReady {
            environment: "trivia".to_owned(),
            isolation: "each rollout in its own fork".to_owned(),
            reason: None,
            startup: Duration::from_millis(41),
        },
    ];
    for (rollout, result) in endings {
        events.push(RunEvent::RolloutStarted {
            rollout: rollout.clone(),
        });
        for phase in [Phase::Connect, Phase::Setup, Phase::Loop] {
            events.push(RunEvent::PhaseStarted {
                rollout: rollout.clone(),
                phase,
            });
        }
        if result.steps > 0 {
            events.extend(steps().into_iter().map(|step| RunEvent::Step {
                rollout: rollout.clone(),
                step: Box::new(step),
            }));
        }
        events.push(finished(rollout, result));
    }
    events.push(RunEvent::JobFinished(summary));
    events
}
