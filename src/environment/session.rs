//! One isolated copy of an environment: its tools, the scenario that runs in it, and its end.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::api::{EnvironmentError, Prompt, Sampler, ScenarioInfo};
use super::connection::command::{OWN_EXIT, SharedCommand};
use super::connection::stdio::StdioServer;
use super::connection::worker::{Exit, Worker};
use super::events::Events;
use super::log_guard::WatchedLog;
use super::offers::Offers;
use super::visibility::Visibility;
use super::{legacy, scenario};
use crate::event::{Evaluation, Phase};
use crate::mcp::{self, Client, McpError, Membership, ServerIdentity};
use crate::message::{Arguments, Content, Tool, ToolCall, ToolResult};
use crate::task::Invocation;
use crate::util::{suggest, time};

/// How long a copy may take to close its scenario and run its `@env.shutdown` before it is killed.
const CLOSE: Duration = Duration::from_secs(5);

/// How long a killed copy may take to be reported as ended.
const REAP: Duration = Duration::from_secs(2);

/// How long a tool that was told to stop may take before its copy is killed.
pub const STOP: Duration = Duration::from_secs(2);

/// Takes what an environment logs through MCP: level and text.
pub type LogSink = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// What a session is opened with.
#[derive(Clone)]
pub struct SessionOptions {
    /// The trace it belongs to: names the copy, its log and its messages.
    pub trace_id: String,
    /// Seeds `random` and `numpy.random` of the copy.
    pub seed: Option<u64>,
    /// Where everything that the copy prints goes.
    pub log: PathBuf,
    /// Makes model calls that the environment asks for; `None` refuses them.
    pub sampler: Option<Arc<dyn Sampler>>,
    /// Takes what the environment logs through MCP: level and text.
    pub on_log: Option<LogSink>,
    /// Whom the copy is told it serves, when a client of ours is behind us; `None` in a rollout.
    pub client: Option<Arc<dyn mcp::ClientEvents>>,
}

/// How one of the session's connections ends.
pub(super) enum Keeper {
    /// A copy of a Python worker.
    Copy {
        worker: Arc<Worker>,
        exit: tokio::sync::Mutex<Option<oneshot::Receiver<Exit>>>,
    },
    /// A program of its own.
    Stdio(Box<StdioServer>),
    /// A program that other sessions use too.
    Shared {
        command: Arc<SharedCommand>,
        membership: tokio::sync::Mutex<Option<Membership>>,
    },
    /// A server that lives on.
    Http,
}

/// One connection of a session.
pub(super) struct Link {
    pub(super) name: String,
    pub(super) client: Client,
    pub(super) keeper: Keeper,
}

/// A copy of an environment that one rollout owns.
pub struct Session {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) links: Vec<Link>,
    /// The environment's own name, when it told.
    name: String,
    /// Scenarios that are known without asking (a worker describes itself).
    scenarios: Vec<ScenarioInfo>,
    active: Mutex<Option<Active>>,
    routes: Mutex<HashMap<String, usize>>,
    trace_id: String,
    pub(super) log: PathBuf,
    stopped: AtomicBool,
    watched_log: WatchedLog,
}

struct Active {
    link: usize,
    /// `environment:scenario`.
    wire_name: String,
    visibility: Visibility,
    /// `_meta` of later requests, for servers of the stateless era.
    meta: Option<Map<String, Value>>,
}

fn error(phase: Phase, message: impl Into<String>) -> EnvironmentError {
    EnvironmentError {
        phase,
        message: message.into(),
        timed_out: false,
    }
}

impl Session {
    pub(super) fn new(
        links: Vec<Link>,
        name: String,
        scenarios: Vec<ScenarioInfo>,
        options: &SessionOptions,
        watched_log: WatchedLog,
        events: &[Arc<Events>],
    ) -> Self {
        let inner = Arc::new(Inner {
            links,
            name,
            scenarios,
            active: Mutex::new(None),
            routes: Mutex::new(HashMap::new()),
            trace_id: options.trace_id.clone(),
            log: options.log.clone(),
            stopped: AtomicBool::new(false),
            watched_log,
        });
        for events in events {
            // Set once, here.
            let _ = events.session.set(Arc::downgrade(&inner));
        }
        Self { inner }
    }

    /// Runs the setup of a scenario (`name` or `environment:name`) and returns what it asks.
    pub async fn setup(
        &self,
        scenario: &str,
        args: &Map<String, Value>,
    ) -> Result<Prompt, EnvironmentError> {
        self.inner.setup(scenario, args).await
    }

    /// Who the environment is, its tools (those that are listed) and its scenarios, asked over MCP.
    pub(super) async fn describe(
        &self,
    ) -> Result<(ServerIdentity, Vec<Tool>, Vec<ScenarioInfo>), EnvironmentError> {
        let tools = self.inner.all_tools().await?;
        let mut scenarios = Vec::new();
        for link in &self.inner.links {
            match link.client.list_prompts().await {
                Ok(prompts) => scenarios.extend(
                    prompts
                        .iter()
                        .filter_map(scenario::from_prompt)
                        .map(|(_, info)| info),
                ),
                Err(failed) => {
                    let doing = "listing the scenarios";
                    return Err(self
                        .inner
                        .explain(link, Phase::Connect, doing, failed)
                        .await);
                }
            }
        }
        let identity = self.inner.links[0].client.identity();
        Ok((identity, tools, scenarios))
    }

    /// Everything that is listed, as it is on the wire. A list that cannot be had is empty: this only serves to compare versions.
    pub(super) async fn offers(&self) -> Offers {
        let mut offers = Offers::default();
        for link in &self.inner.links {
            match link.client.listings().await {
                Ok(listings) => offers.extend(Offers::from_lists(
                    &listings.tools,
                    &listings.prompts,
                    &[listings.resources, listings.templates],
                )),
                Err(error) => tracing::debug!("`{}` does not list all: {error}", link.name),
            }
        }
        offers
    }

    /// The tools that an agent may see now.
    pub async fn tools(&self) -> Result<Vec<Tool>, EnvironmentError> {
        let tools = self.inner.all_tools().await?;
        let active = self.inner.active.lock().ok();
        let default = Visibility::default();
        let visibility = active
            .as_ref()
            .and_then(|active| active.as_ref())
            .map_or(&default, |active| &active.visibility);
        Ok(tools
            .into_iter()
            .filter(|tool| visibility.shows(tool))
            .collect())
    }

    /// Calls a tool, hidden ones included. A tool that fails is a result with `is_error`; an error here means that the copy is gone.
    /// Dropping the future tells the environment to stop the call.
    pub async fn call(&self, call: &ToolCall) -> Result<ToolResult, EnvironmentError> {
        self.inner.call(call).await
    }

    /// Stops the tool call that runs, for good, so that the copy can go on: it is signalled, also inside a synchronous tool, and killed when it
    /// does not stop within two seconds.
    pub fn interrupt(&self) {
        self.inner.signal("interrupt");
    }

    /// Kills the copy at once; nothing of it can be graded any more.
    pub fn kill(&self) {
        self.inner.signal("kill");
    }

    /// Whether a running call can be stopped from outside ([`Session::interrupt`]); a server's calls can only be asked to stop.
    pub fn can_interrupt(&self) -> bool {
        self.inner
            .links
            .iter()
            .any(|link| matches!(link.keeper, Keeper::Copy { .. }))
    }

    /// The end of the rollout's time: like [`Session::interrupt`], and no further tool call is accepted. The state can still be graded.
    pub fn stop_tools(&self) {
        self.inner.stopped.store(true, Ordering::Release);
        self.inner.signal("deadline");
    }

    /// Hands the answer to the scenario.
    pub async fn submit(&self, answer: &str) -> Result<(), EnvironmentError> {
        self.inner.submit(answer).await
    }

    /// Grades; the scenario is consumed.
    pub async fn grade(&self) -> Result<Evaluation, EnvironmentError> {
        self.inner.grade().await
    }

    /// Grades a task of the older form: the mean over its evaluate calls.
    pub async fn evaluate(&self, calls: &[Invocation]) -> Result<Evaluation, EnvironmentError> {
        let mut rewards = Vec::with_capacity(calls.len());
        for invocation in calls {
            let result = self.invoke(invocation, Phase::Grade).await?;
            rewards.push(legacy::reward(&result).map_err(|words| error(Phase::Grade, words))?);
        }
        Ok(Evaluation {
            reward: rewards.iter().sum::<f64>() / rewards.len().max(1) as f64,
            done: true,
            ..Evaluation::default()
        })
    }

    /// Prepares a task of the older form; returns the text that the calls answered.
    pub async fn prepare(&self, calls: &[Invocation]) -> Result<String, EnvironmentError> {
        let mut texts = Vec::new();
        for invocation in calls {
            let result = self.invoke(invocation, Phase::Setup).await?;
            let text = Content::join_text(&result.content);
            if result.is_error {
                return Err(error(
                    Phase::Setup,
                    format!("the setup call `{}` failed: {text}", invocation.name),
                ));
            }
            if !text.is_empty() {
                texts.push(text);
            }
        }
        Ok(texts.join("\n"))
    }

    async fn invoke(
        &self,
        invocation: &Invocation,
        phase: Phase,
    ) -> Result<ToolResult, EnvironmentError> {
        let call = ToolCall {
            id: uuid::Uuid::new_v4().simple().to_string(),
            name: invocation.name.clone(),
            arguments: Arguments::Object {
                value: invocation.arguments.clone(),
            },
            opaque: None,
        };
        self.inner
            .call(&call)
            .await
            .map_err(|failed| EnvironmentError { phase, ..failed })
    }

    /// Closes the copy: its scenario's generator, its `@env.shutdown`, its process. Returns what did not go as it should.
    pub async fn close(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for link in &self.inner.links {
            // A stdio program ends when its stdin closes, a copy when its socket does.
            if let Keeper::Copy { worker, .. } = &link.keeper {
                worker.command("close", &self.inner.trace_id);
            }
            link.client.close(CLOSE).await;
            match &link.keeper {
                Keeper::Copy { worker, exit } => {
                    let Some(exit) = exit.lock().await.take() else {
                        continue;
                    };
                    warnings.extend(end_copy(worker, &self.inner.trace_id, exit).await);
                }
                Keeper::Stdio(server) => server.close().await,
                Keeper::Shared { membership, .. } => {
                    if let Some(membership) = membership.lock().await.take() {
                        membership.ended(OWN_EXIT).await;
                    }
                }
                Keeper::Http => {}
            }
        }
        warnings.extend(self.inner.watched_log.sentence());
        warnings
    }
}

#[async_trait]
impl mcp::RelayedCopy for Session {
    fn client(&self) -> &Client {
        &self.inner.links[0].client
    }

    fn interrupt(&self) {
        Session::interrupt(self);
    }

    async fn why_ended(&self) -> Option<String> {
        self.inner.why_ended().await
    }

    async fn close(&self) {
        for warning in Session::close(self).await {
            tracing::warn!("{warning}");
        }
    }
}

/// Waits for a copy to end, and kills it when it does not.
async fn end_copy(
    worker: &Worker,
    trace_id: &str,
    mut exit: oneshot::Receiver<Exit>,
) -> Option<String> {
    match tokio::time::timeout(CLOSE, &mut exit).await {
        Ok(Ok(Exit { code: Some(0), .. }) | Err(_)) => None,
        Ok(Ok(exit)) => Some(exit.sentence()),
        Err(_) => {
            worker.command("kill", trace_id);
            // Whether it is reported in time changes nothing: the base reaps it when it ends.
            let _ = tokio::time::timeout(REAP, exit).await;
            Some(format!(
                "the copy was killed: it did not close within {}",
                time::human(CLOSE)
            ))
        }
    }
}

impl Inner {
    fn signal(&self, operation: &str) {
        for link in &self.links {
            if let Keeper::Copy { worker, .. } = &link.keeper {
                worker.command(operation, &self.trace_id);
            }
        }
    }

    fn active_meta(&self) -> Option<Map<String, Value>> {
        self.active
            .lock()
            .ok()
            .and_then(|active| active.as_ref().and_then(|active| active.meta.clone()))
    }

    pub(super) async fn all_tools(&self) -> Result<Vec<Tool>, EnvironmentError> {
        let meta = self.active_meta();
        let mut tools: Vec<Tool> = Vec::new();
        let mut routes = HashMap::new();
        for (index, link) in self.links.iter().enumerate() {
            let listed = match link.client.list_tools(meta.as_ref()).await {
                Ok(listed) => listed,
                Err(failed) => {
                    return Err(self
                        .explain(link, Phase::Loop, "listing the tools", failed)
                        .await);
                }
            };
            for mut tool in listed {
                if routes.contains_key(&tool.name) {
                    tracing::debug!(
                        "the tool `{}` of `{}` is hidden by an earlier one",
                        tool.name,
                        link.name
                    );
                    continue;
                }
                routes.insert(tool.name.clone(), index);
                if self.links.len() > 1 {
                    tool.source = Some(link.name.clone());
                }
                tools.push(tool);
            }
        }
        if let Ok(mut known) = self.routes.lock() {
            *known = routes;
        }
        Ok(tools)
    }

    async fn route(&self, tool: &str) -> Result<usize, EnvironmentError> {
        if self.links.len() == 1 {
            return Ok(0);
        }
        let known = |inner: &Self| {
            inner
                .routes
                .lock()
                .ok()
                .and_then(|routes| routes.get(tool).copied())
        };
        if let Some(index) = known(self) {
            return Ok(index);
        }
        self.all_tools().await?;
        // Hidden tools are not listed; the first server gets them.
        Ok(known(self).unwrap_or(0))
    }

    pub(super) async fn call(&self, call: &ToolCall) -> Result<ToolResult, EnvironmentError> {
        if self.stopped.load(Ordering::Acquire) {
            return Ok(ToolResult::error(call, "stopped at the rollout's deadline"));
        }
        let link = &self.links[self.route(&call.name).await?];
        let meta = self.active_meta();
        match link.client.call_tool(call, meta.as_ref()).await {
            Ok(result) => Ok(result),
            // An error of the protocol about this call (unknown tool, bad arguments, an answer that was too long) is the model's to know.
            Err(McpError::Rpc { message, .. } | McpError::Protocol { detail: message }) => {
                Ok(ToolResult::error(call, message))
            }
            Err(failed) => {
                let doing = format!("calling the tool `{}`", call.name);
                Err(self.explain(link, Phase::Loop, &doing, failed).await)
            }
        }
    }

    /// The connection that offers `scenario`, and its name on the wire.
    async fn find(&self, scenario: &str) -> Result<(usize, String), EnvironmentError> {
        if !self.scenarios.is_empty() || matches!(self.links[0].keeper, Keeper::Copy { .. }) {
            let short = scenario
                .strip_prefix(&format!("{}:", self.name))
                .unwrap_or(scenario);
            let names = || self.scenarios.iter().map(|info| info.name.as_str());
            return if names().any(|name| name == short) {
                Ok((0, format!("{}:{short}", self.name)))
            } else {
                Err(unknown_scenario(scenario, names()))
            };
        }
        let mut available = Vec::new();
        for (index, link) in self.links.iter().enumerate() {
            let prompts = match link.client.list_prompts().await {
                Ok(prompts) => prompts,
                Err(failed) => {
                    let doing = "listing the scenarios";
                    return Err(self.explain(link, Phase::Setup, doing, failed).await);
                }
            };
            for prompt in prompts {
                let short = prompt.name.split_once(':').map(|(_, short)| short);
                if prompt.name == scenario || short == Some(scenario) {
                    return Ok((index, prompt.name));
                }
                available.extend(short.map(str::to_owned));
            }
        }
        Err(unknown_scenario(
            scenario,
            available.iter().map(String::as_str),
        ))
    }

    async fn setup(
        &self,
        scenario: &str,
        args: &Map<String, Value>,
    ) -> Result<Prompt, EnvironmentError> {
        let (index, wire_name) = self.find(scenario).await?;
        let link = &self.links[index];
        let arguments = scenario::encode_arguments(args);
        let result = match link.client.get_prompt(&wire_name, arguments, None).await {
            Ok(result) => result,
            Err(failed) => {
                let doing = format!("setting up the scenario `{wire_name}`");
                return Err(self.explain(link, Phase::Setup, &doing, failed).await);
            }
        };
        let meta = result
            .meta
            .get(mcp::SESSION_META)
            .map(|session| Map::from_iter([(mcp::SESSION_META.to_owned(), session.clone())]));
        let visibility = Visibility::from_meta(&result.meta);
        let prompt = scenario::prompt(result);
        if prompt.is_empty() {
            return Err(error(
                Phase::Setup,
                format!("the scenario `{wire_name}` returned an empty prompt"),
            ));
        }
        if let Ok(mut active) = self.active.lock() {
            *active = Some(Active {
                link: index,
                wire_name,
                visibility,
                meta,
            });
        }
        Ok(prompt)
    }

    fn active_link(&self, phase: Phase) -> Result<(usize, String), EnvironmentError> {
        self.active
            .lock()
            .ok()
            .and_then(|active| {
                active
                    .as_ref()
                    .map(|active| (active.link, active.wire_name.clone()))
            })
            .ok_or_else(|| error(phase, "no scenario was set up"))
    }

    async fn submit(&self, answer: &str) -> Result<(), EnvironmentError> {
        let (index, wire_name) = self.active_link(Phase::Submit)?;
        let link = &self.links[index];
        let short = wire_name
            .split_once(':')
            .map_or(wire_name.as_str(), |(_, short)| short);
        let call = ToolCall {
            id: "submit".to_owned(),
            name: scenario::SUBMIT_TOOL.to_owned(),
            arguments: Arguments::Object {
                value: Map::from_iter([
                    ("scenario".to_owned(), json!(short)),
                    ("answer".to_owned(), json!(answer)),
                ]),
            },
            opaque: None,
        };
        let meta = self.active_meta();
        match link.client.call_tool(&call, meta.as_ref()).await {
            Ok(result) if !result.is_error => Ok(()),
            Ok(result) => Err(error(
                Phase::Submit,
                format!(
                    "the environment refused the answer: {}",
                    Content::join_text(&result.content)
                ),
            )),
            Err(failed) => {
                let doing = format!("submitting the answer of `{wire_name}`");
                Err(self.explain(link, Phase::Submit, &doing, failed).await)
            }
        }
    }

    async fn grade(&self) -> Result<Evaluation, EnvironmentError> {
        let (index, wire_name) = self.active_link(Phase::Grade)?;
        let link = &self.links[index];
        let meta = self.active_meta();
        if let Ok(mut active) = self.active.lock() {
            *active = None;
        }
        match link.client.read_resource(&wire_name, meta.as_ref()).await {
            Ok(json) => scenario::evaluation(&json).map_err(|words| error(Phase::Grade, words)),
            Err(failed) => {
                let doing = format!("grading the scenario `{wire_name}`");
                Err(self.explain(link, Phase::Grade, &doing, failed).await)
            }
        }
    }
}

fn unknown_scenario<'a>(
    scenario: &str,
    available: impl Iterator<Item = &'a str> + Clone,
) -> EnvironmentError {
    let list: Vec<&str> = available.clone().collect();
    let list = if list.is_empty() {
        "it has none".to_owned()
    } else {
        format!("it has: {}", list.join(", "))
    };
    error(
        Phase::Setup,
        format!(
            "the environment has no scenario '{scenario}'{}; {list}",
            suggest::did_you_mean(scenario, available)
        ),
    )
}
