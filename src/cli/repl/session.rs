//! One session with an environment: its names, the scenario that runs in it, and what can be asked of it.

use std::sync::{Arc, Mutex};

use serde_json::{Map, Value};

use super::complete::{Named, Vocabulary};
use crate::cli::reach::{Peer, Peers, Place, Trouble};
use crate::cli::schema::{self, Parameter};
use crate::environment::Prompt;
use crate::environment::by_hand::{self, Offered, Posed};
use crate::event::Evaluation;
use crate::mcp::{McpError, PromptInfo};
use crate::message::{Arguments, Content, Tool, ToolCall, ToolResult};
use crate::util::suggest;

/// An open session.
pub(super) struct Session<'a> {
    peers: &'a Peers,
    place: &'a Place,
    peer: Peer,
    active: Option<Active>,
    scenarios: Vec<Offered>,
    vocabulary: Arc<Mutex<Vocabulary>>,
}

/// The scenario that was set up and waits for its answer.
struct Active {
    wire_name: String,
    posed: Posed,
}

impl<'a> Session<'a> {
    /// Opens the session and learns its names.
    pub(super) async fn open(
        peers: &'a Peers,
        place: &'a Place,
        vocabulary: Arc<Mutex<Vocabulary>>,
    ) -> Result<Self, Trouble> {
        peers.import(place).await?;
        let peer = peers.open(place).await?;
        let mut session = Self {
            peers,
            place,
            peer,
            active: None,
            scenarios: Vec::new(),
            vocabulary,
        };
        session.refresh().await.map_err(Trouble::new)?;
        Ok(session)
    }

    /// The environment's name.
    pub(super) fn name(&self) -> String {
        let name = self.peer.client().about().name;
        if name.is_empty() {
            "environment".to_owned()
        } else {
            name
        }
    }

    /// `trivia 0.0.1, MCP 2025-11-25`.
    pub(super) fn introduction(&self) -> String {
        let about = self.peer.client().about();
        format!("{} {}, MCP {}", self.name(), about.version, about.protocol)
    }

    /// How to use it, in the server's own words.
    pub(super) fn instructions(&self) -> Option<String> {
        self.peer.client().about().instructions
    }

    /// `environment:scenario` of the scenario that runs.
    pub(super) fn scenario(&self) -> Option<&str> {
        self.active.as_ref().map(|active| active.wire_name.as_str())
    }

    /// What the scenario that runs has asked.
    pub(super) fn prompt(&self) -> Option<&Prompt> {
        self.active.as_ref().map(|active| &active.posed.prompt)
    }

    fn meta(&self) -> Option<Map<String, Value>> {
        self.active
            .as_ref()
            .and_then(|active| active.posed.meta.clone())
    }

    /// Learns the names anew: tools come and go with scenarios and with reloads.
    pub(super) async fn refresh(&mut self) -> Result<(), String> {
        let client = self.peer.client();
        let meta = self.meta();
        let tools = client
            .list_tools(meta.as_ref())
            .await
            .map_err(|error| format!("listing the tools failed: {error}"))?;
        let offer = client
            .offer()
            .await
            .map_err(|error| format!("listing what it offers failed: {error}"))?;
        let prompts: Vec<PromptInfo> = offer.prompts.iter().map(PromptInfo::from_json).collect();
        let is_graded = |name: &str| offer.resources.iter().any(|one| one["uri"] == name);
        let (scenarios, prompts): (Vec<PromptInfo>, Vec<PromptInfo>) = prompts
            .into_iter()
            .partition(|prompt| prompt.name.contains(':') && is_graded(&prompt.name));
        self.scenarios = scenarios.iter().filter_map(Offered::from_prompt).collect();
        let is_scenario = |uri: &str| self.scenarios.iter().any(|one| one.wire_name == uri);
        if let Ok(mut vocabulary) = self.vocabulary.lock() {
            vocabulary.tools = tools.iter().filter_map(named_tool).collect();
            vocabulary.scenarios = self.scenarios.iter().map(named_scenario).collect();
            vocabulary.prompts = prompts.iter().map(named_prompt).collect();
            vocabulary.resources = offer
                .resources
                .iter()
                .filter_map(|resource| resource["uri"].as_str())
                .filter(|uri| !is_scenario(uri))
                .map(str::to_owned)
                .collect();
        }
        Ok(())
    }

    /// The names, as they were learnt last.
    pub(super) fn vocabulary(&self) -> Vocabulary {
        self.vocabulary
            .lock()
            .map(|vocabulary| vocabulary.clone())
            .unwrap_or_default()
    }

    /// The tool called `name`. Hidden tools can be called by whoever knows them.
    pub(super) fn tool(&self, name: &str) -> Result<Named, String> {
        let tools = self.vocabulary().tools;
        match tools.iter().find(|tool| tool.name == name) {
            Some(tool) => Ok(tool.clone()),
            None if name.starts_with('_') => Ok(Named {
                name: name.to_owned(),
                description: String::new(),
                parameters: Vec::new(),
            }),
            None => Err(unknown("tool", name, &tools)),
        }
    }

    /// The scenario called `name`.
    pub(super) fn scenario_named(&self, name: &str) -> Result<(String, Named), String> {
        let offered = by_hand::find(&self.scenarios, name)?;
        Ok((offered.wire_name.clone(), named_scenario(offered)))
    }

    /// The prompt called `name`.
    pub(super) fn prompt_named(&self, name: &str) -> Result<Named, String> {
        let prompts = self.vocabulary().prompts;
        let found = prompts.iter().find(|prompt| prompt.name == name);
        found
            .cloned()
            .ok_or_else(|| unknown("prompt", name, &prompts))
    }

    /// Calls a tool.
    pub(super) async fn call(
        &self,
        name: &str,
        arguments: Map<String, Value>,
    ) -> Result<ToolResult, String> {
        let call = ToolCall {
            id: "call".to_owned(),
            name: name.to_owned(),
            arguments: Arguments::Object { value: arguments },
            opaque: None,
        };
        self.peer
            .client()
            .call_tool(&call, self.meta().as_ref())
            .await
            .map_err(|error| self.explain(&format!("calling `{name}`"), &error))
    }

    /// Sets a scenario up; the one before it is given up.
    pub(super) async fn run(
        &mut self,
        wire_name: &str,
        arguments: &Map<String, Value>,
    ) -> Result<(), String> {
        self.active = None;
        let posed = by_hand::set_up(self.peer.client(), wire_name, arguments)
            .await
            .map_err(|error| error.message)?;
        self.active = Some(Active {
            wire_name: wire_name.to_owned(),
            posed,
        });
        self.refresh().await
    }

    /// Submits the answer and grades; the scenario is over.
    pub(super) async fn answer(&mut self, answer: &str) -> Result<Evaluation, String> {
        let Some(active) = &self.active else {
            return Err("no scenario is set up\nhint: `run SCENARIO` sets one up".to_owned());
        };
        let client = self.peer.client();
        let meta = active.posed.meta.as_ref();
        by_hand::submit(client, &active.wire_name, answer, meta)
            .await
            .map_err(|error| error.message)?;
        let graded = by_hand::grade(client, &active.wire_name, meta).await;
        self.active = None;
        let graded = graded.map_err(|error| error.message)?;
        self.refresh().await?;
        Ok(graded)
    }

    /// Reads a resource.
    pub(super) async fn read(&self, uri: &str) -> Result<Vec<Content>, String> {
        self.peer
            .client()
            .read_whole_resource(uri)
            .await
            .map_err(|error| self.explain(&format!("reading `{uri}`"), &error))
    }

    /// Gets a prompt that is no scenario.
    pub(super) async fn get_prompt(
        &self,
        name: &str,
        arguments: &Map<String, Value>,
    ) -> Result<Vec<(crate::message::Role, Content)>, String> {
        let as_text = arguments
            .iter()
            .map(|(name, value)| {
                let text = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                (name.clone(), Value::String(text))
            })
            .collect();
        let prompt = self
            .peer
            .client()
            .get_prompt(name, as_text, self.meta().as_ref())
            .await
            .map_err(|error| self.explain(&format!("getting the prompt `{name}`"), &error))?;
        Ok(prompt.messages)
    }

    /// Stops what runs.
    pub(super) fn interrupt(&self) {
        self.peer.interrupt();
    }

    /// Ends this session and opens a new one in its place.
    pub(super) async fn reset(&mut self) -> Result<(), String> {
        let fresh = self
            .peers
            .open(self.place)
            .await
            .map_err(|trouble| trouble.text())?;
        let old = std::mem::replace(&mut self.peer, fresh);
        self.active = None;
        old.close().await;
        self.refresh().await
    }

    /// Ends the session. Returns what did not go as it should.
    pub(super) async fn close(self) -> Vec<String> {
        self.peer.close().await.1
    }

    fn explain(&self, doing: &str, error: &McpError) -> String {
        match error {
            McpError::Closed { .. } => {
                let log = self.peer.log_tail();
                let trouble = Trouble {
                    message: format!(
                        "{doing} failed: {}\nhint: `reset` opens a new session",
                        error.cause()
                    ),
                    log,
                };
                trouble.text()
            }
            McpError::Rpc { .. } | McpError::Timeout { .. } | McpError::Protocol { .. } => {
                format!("{doing} failed: {error}")
            }
        }
    }
}

fn unknown(what: &str, name: &str, all: &[Named]) -> String {
    let names = || all.iter().map(|one| one.name.as_str());
    let near = suggest::did_you_mean(name, names());
    let known = if all.is_empty() {
        "; there are none".to_owned()
    } else if near.is_empty() && all.len() <= 6 {
        format!("; there are {}", names().collect::<Vec<_>>().join(", "))
    } else {
        near
    };
    format!("there is no {what} `{name}`{known}")
}

fn named_tool(tool: &Tool) -> Option<Named> {
    (!tool.name.starts_with('_')).then(|| Named {
        name: tool.name.clone(),
        description: tool.description.clone(),
        parameters: schema::parameters(&tool.input_schema),
    })
}

fn named_scenario(offered: &Offered) -> Named {
    Named {
        name: offered.info.name.clone(),
        description: offered.info.description.clone(),
        parameters: schema::of_arguments(&offered.info.arguments),
    }
}

fn named_prompt(prompt: &PromptInfo) -> Named {
    Named {
        name: prompt.name.clone(),
        description: prompt.description.clone(),
        parameters: prompt
            .arguments
            .iter()
            .map(|(name, required)| Parameter {
                name: name.clone(),
                // Arguments of prompts are text.
                schema: serde_json::json!({"type": "string"}),
                required: *required,
                default: None,
            })
            .collect(),
    }
}
