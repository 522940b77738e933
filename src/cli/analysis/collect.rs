//! Asks an environment for everything that it lists.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::cli::reach::{Imported, Peer, Peers, Place, Trouble};
use crate::environment::by_hand::Offered;
use crate::mcp::{About, Client, Offer, PromptInfo};
use crate::task::{ConnectionSpec, EnvironmentSpec};
use crate::util::time;

/// What the connections of one environment offer.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) struct Analysis {
    /// At least one.
    pub(in crate::cli) servers: Vec<Server>,
}

/// What one connection offers.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) struct Server {
    /// What the user calls it.
    pub(in crate::cli) place: String,
    /// What it said of itself.
    pub(in crate::cli) about: About,
    /// Everything it lists; tools without the hidden ones.
    pub(in crate::cli) offer: Offer,
    /// Tools whose names start with an underscore: callable and never shown to an agent. `None` when a server does not tell.
    pub(in crate::cli) hidden_tools: Option<usize>,
    /// Functions behind a dispatching tool, as Python hud's hubs have them.
    pub(in crate::cli) hubs: Vec<(String, Vec<String>)>,
    /// Scenarios, by environment and name.
    pub(in crate::cli) scenarios: Vec<Scenario>,
    /// How many tasks a Python source holds.
    pub(in crate::cli) tasks: usize,
    /// How long a Python environment took to import.
    pub(in crate::cli) start: Option<Duration>,
    /// How long it took to open the connection, the start of a program included.
    pub(in crate::cli) initialize: Duration,
    /// How rollouts are kept apart, in words.
    pub(in crate::cli) isolation: String,
    /// Why that is not the default, when it is not.
    pub(in crate::cli) isolation_reason: Option<String>,
}

/// A scenario: a prompt that sets up and a resource that grades.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) struct Scenario {
    /// Its names and arguments.
    pub(in crate::cli) offered: Offered,
    /// The prompt, as it is listed.
    pub(in crate::cli) prompt: Value,
    /// The resource, as it is listed; without it the scenario cannot be graded.
    pub(in crate::cli) resource: Option<Value>,
}

/// Opens a connection to each place, asks, and closes it.
///
/// # Errors
/// The first place that cannot be analyzed, in words.
pub(in crate::cli) async fn collect(peers: &Peers, places: &[Place]) -> Result<Analysis, Trouble> {
    let is_one = places.len() == 1;
    let servers = places.iter().map(|place| async move {
        let server = of_place(peers, place).await;
        server.map_err(|trouble| Trouble {
            message: if is_one {
                trouble.message
            } else {
                format!("server `{}`: {}", place.name, trouble.message)
            },
            ..trouble
        })
    });
    let servers = futures::future::join_all(servers)
        .await
        .into_iter()
        .collect::<Result<_, _>>()?;
    Ok(Analysis { servers })
}

async fn of_place(peers: &Peers, place: &Place) -> Result<Server, Trouble> {
    let imported = peers.import(place).await?;
    let peer = peers.open(place).await?;
    let asked = tokio::time::timeout(peers.timeout(), ask(peer.client())).await;
    let asked = match asked {
        Ok(Ok(asked)) => Ok(asked),
        Ok(Err(message)) => Err(message),
        Err(_) => Err(format!(
            "no answer to what it offers within {}",
            time::human(peers.timeout())
        )),
    };
    let log = peer.log_tail();
    let server = asked.map(|asked| server(place, imported.as_ref(), &peer, asked));
    peer.close().await;
    server.map_err(|message| Trouble { message, log })
}

struct Asked {
    offer: Offer,
    hubs: Vec<(String, Vec<String>)>,
}

async fn ask(client: &Client) -> Result<Asked, String> {
    let offer = client
        .offer()
        .await
        .map_err(|error| format!("listing what it offers failed: {error}"))?;
    let mut hubs = Vec::new();
    for tool in &offer.tools {
        let name = text_of(tool, "name");
        let uri = format!("file:///{name}/functions");
        let is_hub = offer
            .resources
            .iter()
            .any(|resource| text_of(resource, "uri") == uri);
        if !is_hub {
            continue;
        }
        let json = client
            .read_resource(&uri, None)
            .await
            .map_err(|error| format!("reading `{uri}` failed: {error}"))?;
        // Something else may have a resource of this name; then the tool is no hub.
        if let Ok(functions) = serde_json::from_str::<Vec<String>>(&json) {
            hubs.push((name.to_owned(), functions));
        }
    }
    Ok(Asked { offer, hubs })
}

fn server(place: &Place, imported: Option<&Imported>, peer: &Peer, asked: Asked) -> Server {
    let Asked { mut offer, hubs } = asked;
    let listed = offer.tools.len();
    offer
        .tools
        .retain(|tool| !text_of(tool, "name").starts_with('_'));
    let hidden = listed - offer.tools.len();
    let description = imported.map(|imported| &imported.description);
    let hidden_tools = match description {
        Some(description) => Some(
            description
                .tools
                .iter()
                .filter(|tool| tool.name.starts_with('_'))
                .count(),
        ),
        None => (hidden > 0).then_some(hidden),
    };
    Server {
        place: place.name.clone(),
        about: peer.client().about(),
        scenarios: scenarios(&offer),
        hidden_tools,
        hubs,
        offer,
        tasks: description.map_or(0, |description| description.task_rows.len()),
        start: imported.map(|imported| imported.took),
        initialize: peer.took,
        isolation: description.map_or_else(
            || isolation(&place.spec).to_owned(),
            |description| description.isolation.clone(),
        ),
        isolation_reason: description.and_then(|description| description.isolation_reason.clone()),
    }
}

/// Prompts called `environment:scenario` that grade, or say that they set up.
fn scenarios(offer: &Offer) -> Vec<Scenario> {
    let mut scenarios: Vec<Scenario> = offer
        .prompts
        .iter()
        .filter_map(|prompt| {
            let offered = Offered::from_prompt(&PromptInfo::from_json(prompt))?;
            let resource = offer
                .resources
                .iter()
                .find(|resource| text_of(resource, "uri") == offered.wire_name)
                .cloned();
            let says_so = text_of(prompt, "description").starts_with("[Setup]");
            (resource.is_some() || says_so).then(|| Scenario {
                offered,
                prompt: prompt.clone(),
                resource,
            })
        })
        .collect();
    scenarios.sort_by(|a, b| a.offered.wire_name.cmp(&b.offered.wire_name));
    scenarios
}

fn isolation(spec: &EnvironmentSpec) -> &'static str {
    match spec {
        EnvironmentSpec::Servers { servers } => match servers.first() {
            Some((_, ConnectionSpec::Stdio { .. })) => {
                "each rollout starts the command anew, in a process of its own"
            }
            Some((_, ConnectionSpec::Http { .. })) | None => {
                "each rollout has an MCP session of its own; what else the server isolates is its matter"
            }
        },
        EnvironmentSpec::Python { .. }
        | EnvironmentSpec::Image { .. }
        | EnvironmentSpec::Hub { .. } => "",
    }
}

impl Server {
    /// Prompts that are no scenario's.
    pub(in crate::cli) fn plain_prompts(&self) -> impl Iterator<Item = &Value> {
        self.offer
            .prompts
            .iter()
            .filter(|prompt| !self.is_scenario(text_of(prompt, "name")))
    }

    /// Resources that are no scenario's.
    pub(in crate::cli) fn plain_resources(&self) -> impl Iterator<Item = &Value> {
        self.offer
            .resources
            .iter()
            .filter(|resource| !self.is_scenario(text_of(resource, "uri")))
    }

    fn is_scenario(&self, wire_name: &str) -> bool {
        self.scenarios
            .iter()
            .any(|scenario| scenario.offered.wire_name == wire_name)
    }

    /// `_meta` of a scenario, as its prompt or its resource has it.
    pub(in crate::cli) fn meta_of(scenario: &Scenario) -> Map<String, Value> {
        let of = |item: Option<&Value>| item.and_then(|item| item["_meta"].as_object()).cloned();
        of(Some(&scenario.prompt))
            .or_else(|| of(scenario.resource.as_ref()))
            .unwrap_or_default()
    }

    /// The functions behind a dispatching tool.
    pub(in crate::cli) fn functions_of(&self, tool: &str) -> Option<&[String]> {
        self.hubs
            .iter()
            .find(|(name, _)| name == tool)
            .map(|(_, functions)| functions.as_slice())
    }
}

/// A field that is text; empty when it is not there.
pub(super) fn text_of<'a>(item: &'a Value, key: &str) -> &'a str {
    item[key].as_str().unwrap_or_default()
}
