//! The engine through the library: real workers, real forks, events asserted.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hud::agent::ModelSource;
use hud::environment::{EnvironmentOptions, Environments};
use hud::eval::{Limits, Plan};
use hud::event::{JobSummary, RolloutResult, RunEvent};
use hud::task::{AgentConfig, EnvironmentSpec, Invocation, Location, Solution, Task, Workdir};
use hud::util::backoff::Backoff;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

/// A folder with an environment, and what ran in it.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
    pub(crate) limits: Limits,
    pub(crate) secrets: BTreeMap<String, String>,
}

impl Bench {
    pub(crate) fn new(source: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("env.py"), source).unwrap();
        std::fs::create_dir_all(folder.path().join("run/logs")).unwrap();
        Self {
            folder,
            limits: Limits::default(),
            secrets: BTreeMap::new(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn task(
        &self,
        scenario: &str,
        args: Value,
        calls: &[(&str, Value)],
        answer: &str,
    ) -> Task {
        Task {
            scenario: Some(scenario.to_owned()),
            args: object(args),
            solution: Some(Solution {
                tool_calls: calls
                    .iter()
                    .map(|(name, arguments)| Invocation {
                        name: (*name).to_owned(),
                        arguments: object(arguments.clone()),
                    })
                    .collect(),
                answer: Some(answer.to_owned()),
            }),
            ..blank(&self.folder.path().join("env.py"))
        }
    }

    pub(crate) fn environments(&self) -> Arc<Environments> {
        let variables = std::env::vars()
            .filter(|(name, _)| name == "PATH" || name == "HOME")
            .collect();
        Arc::new(
            Environments::new(EnvironmentOptions {
                variables,
                secrets: self.secrets.clone(),
                python: None,
                cache: None,
                wrapper: None,
                logs: self.folder.path().join("run/logs"),
                folder: self.folder.path().to_owned(),
                startup_timeout: Duration::from_mins(1),
            })
            .unwrap(),
        )
    }

    pub(crate) fn plan(&self, tasks: Vec<Task>) -> Plan {
        Plan {
            job: "job".into(),
            name: "test".into(),
            tasks,
            group: 1,
            model: ModelSource::PerTask(Arc::new(hud::agent::provider::Oracle)),
            model_name: "oracle".into(),
            judge: None,
            retry: Backoff {
                first: Duration::from_millis(1),
                cap: Duration::from_millis(1),
                retries: 1,
            },
            agent_type: "oracle".into(),
            agent: AgentConfig::default(),
            max_concurrent: 8,
            seed: 7,
            limits: self.limits.clone(),
            success_threshold: 0.7,
            environments: self.environments(),
            directory: self.folder.path().join("run"),
            record: Value::Null,
        }
    }
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("not an object: {other}"),
    }
}

fn blank(source: &Path) -> Task {
    Task {
        slug: "task".into(),
        slug_given: true,
        env: EnvironmentSpec::Python {
            source: source.to_owned(),
            attr: None,
            python: None,
            workdir: Workdir::Shared,
            env: BTreeMap::new(),
        },
        scenario: None,
        args: Map::new(),
        prompt: None,
        setup: Vec::new(),
        evaluate: Vec::new(),
        agent: AgentConfig::default(),
        solution: None,
        metadata: Map::new(),
        columns: Map::new(),
        runtime_config: None,
        arg_locations: BTreeMap::default(),
        location: Location {
            file: "tasks.yaml".into(),
            line: 1,
            column: 1,
        },
    }
}

/// Runs a plan and returns its events, its results by task and its summary.
pub(crate) async fn run(
    plan: Plan,
) -> (Vec<RunEvent>, BTreeMap<String, RolloutResult>, JobSummary) {
    let mut events = Vec::new();
    let summary = hud::eval::run(plan, CancellationToken::new(), &mut |event| {
        events.push(event);
        Ok(())
    })
    .await
    .unwrap();
    let results = events
        .iter()
        .filter_map(|event| match event {
            RunEvent::RolloutFinished { rollout, result } => Some((
                format!("{}#{}", rollout.task, rollout.repeat),
                (**result).clone(),
            )),
            _ => None,
        })
        .collect();
    (events, results, summary)
}

const COUNTER: &str = r#"
from hud import Environment
env = Environment("counter")
state = {"n": 0}

@env.tool
def bump(by: int = 1) -> int:
    """Adds."""
    print("bumped by", by)
    state["n"] += by
    return state["n"]

@env.scenario("count")
async def count(target: int):
    answer = yield f"Count to {target}"
    yield 1.0 if state["n"] == target and answer == str(target) else 0.0
"#;

#[tokio::test(flavor = "multi_thread")]
async fn every_rollout_has_a_fresh_copy() {
    let bench = Bench::new(COUNTER);
    let mut task = bench.task(
        "count",
        json!({"target": 2}),
        &[("bump", json!({})), ("bump", json!({"by": 1}))],
        "2",
    );
    task.slug = "count".into();
    let mut plan = bench.plan(vec![task]);
    plan.group = 20;
    let (_, results, summary) = run(plan).await;
    assert_eq!(results.len(), 20);
    for (name, result) in &results {
        assert_eq!(
            result.outcome.reward(),
            Some(1.0),
            "{name}: {:?}",
            result.outcome
        );
        assert_eq!(result.warnings, Vec::<String>::new());
    }
    assert_eq!(summary.mean_reward, Some(1.0));
}
