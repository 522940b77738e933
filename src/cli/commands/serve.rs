//! `hud serve`: an environment for other people's clients.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cli::args::{ServeCommand, ServeMcpArgs};
use crate::cli::context::{Context, block_on};
use crate::cli::exit_code::ExitCode;
use crate::cli::failure::{Failure, OrUsage};
use crate::cli::interrupt::interruptible;
use crate::cli::target::{self, Target};
use crate::environment::Environments;
use crate::mcp::SessionLimits;
use crate::serve::access::Token;
use crate::serve::mcp::{McpServer, ServeOptions};
use crate::task::EnvironmentSpec;
use crate::util::fs;

/// As for `hud eval`.
const STARTUP_TIMEOUT: Duration = Duration::from_mins(2);

/// How long requests that run may go on once the server was told to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves until a signal, or until the client of `--stdio` leaves.
pub(in crate::cli) fn run(
    command: &ServeCommand,
    context: &Context<'_>,
) -> Result<ExitCode, Failure> {
    match command {
        ServeCommand::Mcp(args) => serve_mcp(args, context),
    }
}

fn serve_mcp(args: &ServeMcpArgs, context: &Context<'_>) -> Result<ExitCode, Failure> {
    let variables = context.variables()?;
    let target = target::read(args.source.as_deref(), &|name| variables.value(name))?;
    let env = only_environment(&target)?;
    let scratch = tempfile::TempDir::with_prefix("hud-logs-")?;
    let logs = match &args.logs {
        Some(folder) => {
            fs::create_dir_all(folder).or_usage()?;
            std::path::absolute(folder)?
        }
        None => scratch.path().to_owned(),
    };
    let options = context.environment_options(
        &variables,
        args.python.clone(),
        logs.clone(),
        STARTUP_TIMEOUT,
    )?;
    let serving = ServeOptions {
        env,
        logs,
        hosts: hosts(args.host, &args.allow_host),
        token: args.api_key.as_deref().map(Token::new),
        limits: SessionLimits {
            idle: args.idle_timeout.0,
            count: args.max_sessions as usize,
        },
    };
    block_on(async {
        let stop = CancellationToken::new();
        let work = async {
            // Bound first: a port that is taken should not cost the start of an environment.
            let listener = if args.stdio {
                None
            } else {
                Some(listen(args, context).await?)
            };
            let environments = Arc::new(Environments::new(options)?);
            let started = tokio::select! {
                () = stop.cancelled() => None,
                started = McpServer::start(Arc::clone(&environments), serving) => Some(started),
            };
            let server = match started {
                Some(Ok(server)) => server,
                Some(Err(failure)) => {
                    environments.close().await;
                    return Err(failure.into());
                }
                None => {
                    environments.close().await;
                    return Ok(ExitCode::Success);
                }
            };
            let outcome = match listener {
                Some(listener) => over_http(&server, listener, &stop, context).await,
                None => over_stdio(&server, &stop).await,
            };
            server.close().await;
            outcome.map(|()| ExitCode::Success)
        };
        let words = "stopping: sessions are closed (Ctrl-C again to stop at once)";
        Box::pin(interruptible(&stop, &context.printer, words, work)).await
    })
}

fn only_environment(target: &Target) -> Result<EnvironmentSpec, Failure> {
    match target.environments().as_slice() {
        [env] => Ok((*env).clone()),
        several => Err(Failure::usage(format!(
            "the tasks use {} environments, and one can be served\nhint: name its file, as in `hud serve mcp env.py`",
            several.len()
        ))),
    }
}

async fn listen(args: &ServeMcpArgs, context: &Context<'_>) -> Result<TcpListener, Failure> {
    let address = SocketAddr::new(args.host, args.port);
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| {
            format!("cannot listen on {address}\nhint: choose another port with --port, or a free one with --port 0")
        })
        .or_usage()?;
    if !args.host.is_loopback() && args.api_key.is_none() {
        context.printer.warn(&format!(
            "anyone who can reach {} can use this environment\nhint: require a token with --api-key",
            args.host
        ));
    }
    Ok(listener)
}

/// Names that requests may carry in `Host`: others are a web page's attempt to reach this machine under its own name (DNS rebinding).
fn hosts(host: IpAddr, allowed: &[String]) -> Vec<String> {
    let mut hosts: Vec<String> = ["127.0.0.1", "localhost", "[::1]", "::1"]
        .map(str::to_owned)
        .to_vec();
    if !host.is_unspecified() {
        hosts.push(host.to_string());
    }
    hosts.extend(allowed.iter().cloned());
    hosts
}

async fn over_http(
    server: &McpServer,
    listener: TcpListener,
    stop: &CancellationToken,
    context: &Context<'_>,
) -> Result<(), Failure> {
    let address = listener.local_addr()?;
    let description = server.description();
    context.printer.talk(&format!(
        "serving {}: {} tools, {} scenarios; {}",
        description.name,
        description
            .tools
            .iter()
            .filter(|tool| !tool.name.starts_with('_'))
            .count(),
        description.scenarios.len(),
        description.isolation,
    ));
    context.printer.data(&format!("http://{address}/mcp"))?;
    let serving =
        axum::serve(listener, server.app()).with_graceful_shutdown(stop.clone().cancelled_owned());
    tokio::select! {
        outcome = async { serving.await } => Ok(outcome?),
        // Streams of clients stay open for as long as their clients like; they are not waited for.
        () = async { stop.cancelled().await; tokio::time::sleep(DRAIN).await } => Ok(()),
    }
}

async fn over_stdio(server: &McpServer, stop: &CancellationToken) -> Result<(), Failure> {
    server
        .serve_stream(tokio::io::stdin(), tokio::io::stdout(), stop.clone())
        .await
        .map_err(Failure::usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_server_are_answered() {
        let check = |host: &str, allowed: &[&str], expected: &[&str]| {
            let allowed: Vec<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
            let hosts = hosts(host.parse().unwrap(), &allowed);
            assert_eq!(hosts[4..], *expected);
        };
        check("0.0.0.0", &[], &[]);
        check("10.0.0.1", &["example.org"], &["10.0.0.1", "example.org"]);
    }
}
