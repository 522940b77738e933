//! What was typed: a source, a configuration file, a command.

use std::collections::BTreeMap;

use crate::cli::args::ReachArgs;
use crate::cli::failure::{Failure, OrUsage};
use crate::cli::target::{self, Target};
use crate::config::{Variables, env_vars};
use crate::task::file::configured_servers;
use crate::task::{ConnectionSpec, EnvironmentSpec, Task};
use crate::util::text;

/// One connection: a Python environment, a program or a server.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Place {
    /// What to call it.
    pub(in crate::cli) name: String,
    /// How to reach it; of servers exactly one.
    pub(in crate::cli) spec: EnvironmentSpec,
}

impl Place {
    /// A server that runs already.
    pub(in crate::cli) fn at_url(url: &str, token: Option<&str>) -> Self {
        let headers = token
            .map(|token| ("Authorization".to_owned(), format!("Bearer {token}")))
            .into_iter()
            .collect();
        let connection = ConnectionSpec::Http {
            url: url.to_owned(),
            headers,
            sampling: false,
        };
        Self {
            name: shown(&connection),
            spec: EnvironmentSpec::Servers {
                servers: vec![("environment".to_owned(), connection)],
            },
        }
    }
}

/// Everything that was named.
#[derive(Debug)]
pub(in crate::cli) struct Reached {
    /// The connections of one environment, at least one.
    pub(in crate::cli) places: Vec<Place>,
    /// The tasks of the file, when it was one.
    pub(in crate::cli) tasks: Vec<Task>,
}

/// Reads what was typed. Starts nothing.
pub(in crate::cli) fn reached(args: &ReachArgs, variables: &Variables) -> Result<Reached, Failure> {
    let lookup = |name: &str| variables.value(name);
    let named = args.config.is_some() || !args.command.is_empty();
    let (spec, tasks) = if let Some(file) = &args.config {
        let servers = configured_servers(file, &lookup).or_usage()?;
        (EnvironmentSpec::Servers { servers }, Vec::new())
    } else if !args.command.is_empty() {
        (command(args.command.clone()), Vec::new())
    } else {
        let target = target::read(args.source.as_deref(), &lookup)?;
        let spec = match target.environments()[..] {
            [spec] => spec.clone(),
            _ => {
                return Err(Failure::usage(
                    "the file names several environments\nhint: name one of them, such as env.py",
                ));
            }
        };
        let tasks = match target {
            Target::Environment(_) => Vec::new(),
            Target::Tasks(tasks) => tasks,
        };
        (spec, tasks)
    };
    let spec = if named {
        refuse_key(args.api_key.as_deref())?;
        spec
    } else {
        with_key(spec, args.api_key.as_deref(), variables)?
    };
    let places = match spec {
        EnvironmentSpec::Servers { servers } => {
            let is_only = servers.len() == 1;
            servers
                .into_iter()
                .map(|(name, connection)| Place {
                    name: if is_only && name == "environment" {
                        shown(&connection)
                    } else {
                        name.clone()
                    },
                    spec: EnvironmentSpec::Servers {
                        servers: vec![(name, connection)],
                    },
                })
                .collect()
        }
        spec => vec![Place {
            name: spec_name(&spec),
            spec,
        }],
    };
    Ok(Reached { places, tasks })
}

/// A program as an environment.
pub(in crate::cli) fn command(command: Vec<String>) -> EnvironmentSpec {
    EnvironmentSpec::Servers {
        servers: vec![(
            "environment".to_owned(),
            ConnectionSpec::Stdio {
                command,
                env: BTreeMap::new(),
                cwd: None,
            },
        )],
    }
}

fn refuse_key(key: Option<&str>) -> Result<(), Failure> {
    match key {
        None => Ok(()),
        Some(_) => Err(Failure::usage(
            "--api-key is for a URL; a program gets keys as variables, a configuration file has `headers`",
        )),
    }
}

/// `spec` with the token in its headers, when it is a server behind a URL.
pub(in crate::cli) fn with_key(
    mut spec: EnvironmentSpec,
    key: Option<&str>,
    variables: &Variables,
) -> Result<EnvironmentSpec, Failure> {
    if let EnvironmentSpec::Servers { servers } = &mut spec
        && let [(_, ConnectionSpec::Http { url, headers, .. })] = servers.as_mut_slice()
    {
        if let Some(token) = token(url, key, variables)
            && !headers
                .keys()
                .any(|name| name.eq_ignore_ascii_case("authorization"))
        {
            headers.insert("Authorization".to_owned(), format!("Bearer {token}"));
        }
        return Ok(spec);
    }
    refuse_key(key)?;
    Ok(spec)
}

/// The token for `url`: what was given; for a server on this machine also the one that `hud serve` was started with. Nobody else gets that.
pub(in crate::cli) fn token(
    url: &str,
    given: Option<&str>,
    variables: &Variables,
) -> Option<String> {
    given.map(str::to_owned).or_else(|| {
        is_local(url)
            .then(|| variables.value(env_vars::HUD_SERVE_KEY))
            .flatten()
            .filter(|token| !token.is_empty())
    })
}

fn is_local(url: &str) -> bool {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = after_scheme.split(['/', '?', '#']).next().unwrap_or("");
    let host = authority.rsplit('@').next().unwrap_or("");
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(""),
        None => host.rsplit_once(':').map_or(host, |(host, _)| host),
    };
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// A connection in a few words, without what may be secret.
fn shown(connection: &ConnectionSpec) -> String {
    match connection {
        ConnectionSpec::Stdio { command, .. } => text::one_line(&command.join(" "), 80),
        ConnectionSpec::Http { url, .. } => crate::http::public_url(url),
    }
}

fn spec_name(spec: &EnvironmentSpec) -> String {
    match spec {
        EnvironmentSpec::Python { source, attr, .. } => {
            let here = std::path::absolute(".").unwrap_or_default();
            let path = source.strip_prefix(&here).unwrap_or(source);
            let path = if path.as_os_str().is_empty() {
                source.as_path()
            } else {
                path
            };
            match attr {
                Some(attr) => format!("{}:{attr}", path.display()),
                None => path.display().to_string(),
            }
        }
        EnvironmentSpec::Servers { .. } => "environment".to_owned(),
        EnvironmentSpec::Image { image, .. } => image.clone(),
        EnvironmentSpec::Hub { name, .. } => name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_servers_of_this_machine_get_the_variables_token() {
        let check = |url: &str, expected: bool| assert_eq!(is_local(url), expected, "{url}");
        check("http://127.0.0.1:8765/mcp", true);
        check("http://localhost/mcp", true);
        check("http://LOCALHOST:1", true);
        check("http://[::1]:8765/mcp", true);
        check("http://127.0.0.1.example.com/mcp", false);
        check("https://example.com/127.0.0.1", false);
        check("http://127.0.0.1@example.com/mcp", false);
        check("http://localhost.example.com", false);
        check("", false);
    }
}
