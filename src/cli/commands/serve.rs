//! `hud serve`: an environment for others to use.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::cli::args::{ServeCommand, ServeMcpArgs};
use crate::cli::context::{Context, runtime};
use crate::cli::exit_code::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::interrupt::interruptible;
use crate::cli::target;
use crate::config::env_vars;
use crate::environment::Environments;
use crate::mcp::SessionLimits;
use crate::serve::access::Token;
use crate::serve::mcp::{McpServer, ServeOptions};
use crate::util::fs;

/// As for `hud eval`: a large project takes its time on a cold disk.
const STARTUP_TIMEOUT: Duration = Duration::from_mins(2);

/// Does what `command` says.
pub(in crate::cli) fn run(
    command: &ServeCommand,
    context: &Context<'_>,
) -> Result<ExitCode, Failure> {
    match command {
        ServeCommand::Mcp(args) => mcp(args, context),
    }
}

fn mcp(args: &ServeMcpArgs, context: &Context<'_>) -> Result<ExitCode, Failure> {
    let variables = context.variables()?;
    let lookup = |name: &str| variables.value(name);
    let target = target::read(args.source.as_deref(), &lookup)?;
    let [spec] = target.environments()[..] else {
        return Err(Failure::usage(
            "the file names several environments, and a server serves one\nhint: name the environment itself, such as env.py",
        ));
    };
    let scratch = tempfile::TempDir::with_prefix("hud-serve-")?;
    let logs = args
        .logs
        .clone()
        .unwrap_or_else(|| scratch.path().to_owned());
    fs::create_dir_all(&logs)?;
    let options =
        context.environment_options(&variables, args.python.clone(), logs, STARTUP_TIMEOUT)?;
    let key = args
        .api_key
        .clone()
        .or_else(|| variables.value(env_vars::HUD_SERVE_KEY));
    if key.is_none() && !args.stdio && !args.host.is_loopback() {
        context.printer.warn(&format!(
            "anyone who reaches {} can use this environment\nhint: set {} to a token that clients must send",
            args.host,
            env_vars::HUD_SERVE_KEY
        ));
    }
    let serve = ServeOptions {
        env: spec.clone(),
        logs: options.logs.clone(),
        hosts: hosts(args),
        token: key.as_deref().map(Token::new),
        limits: SessionLimits::default(),
    };
    runtime()?.block_on(async {
        let stop = CancellationToken::new();
        let work = async {
            let environments = Arc::new(Environments::new(options)?);
            let server = match McpServer::start(Arc::clone(&environments), serve).await {
                Ok(server) => server,
                Err(error) => {
                    environments.close().await;
                    return Err(error.into());
                }
            };
            let outcome = if args.stdio {
                server
                    .serve_stream(tokio::io::stdin(), tokio::io::stdout(), stop.clone())
                    .await
                    .map_err(Failure::usage)
            } else {
                over_http(&server, args, &stop, context).await
            };
            server.close().await;
            outcome.map(|()| ExitCode::Success)
        };
        interruptible(&stop, &context.printer, work).await
    })
}

async fn over_http(
    server: &McpServer,
    args: &ServeMcpArgs,
    stop: &CancellationToken,
    context: &Context<'_>,
) -> Result<(), Failure> {
    let address = SocketAddr::new(args.host, args.port);
    let listener = tokio::net::TcpListener::bind(address).await.map_err(|error| {
        Failure::usage(format!(
            "cannot listen on {address}: {error}\nhint: choose another port with --port; 0 takes a free one"
        ))
    })?;
    let bound = listener.local_addr()?;
    let description = server.description();
    context.printer.talk(&format!(
        "{} is served: {}",
        description.name, description.isolation
    ));
    context.printer.data(&format!("http://{bound}/mcp"))?;
    server.serve_http(listener, stop.clone()).await?;
    Ok(())
}

/// The names of this machine that the address answers to, and those that the user allows.
fn hosts(args: &ServeMcpArgs) -> Vec<String> {
    let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    if !args.host.is_loopback() && !args.host.is_unspecified() {
        hosts.push(args.host.to_string());
    }
    hosts.extend(args.allowed_host.iter().cloned());
    hosts
}
