//! `hud serve`: an environment for others to use.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cli::args::{ServeCommand, ServeMcpArgs};
use crate::cli::context::{Context, block_on};
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
                Some(listen(args).await?)
            };
            let environments = Arc::new(Environments::new(options)?);
            let started = tokio::select! {
                () = stop.cancelled() => None,
                started = McpServer::start(Arc::clone(&environments), serve) => Some(started),
            };
            let server = match started {
                Some(Ok(server)) => server,
                ended => {
                    environments.close().await;
                    return match ended {
                        Some(Err(error)) => Err(error.into()),
                        _ => Ok(ExitCode::Success),
                    };
                }
            };
            let outcome = match listener {
                None => server
                    .serve_stream(tokio::io::stdin(), tokio::io::stdout(), stop.clone())
                    .await
                    .map_err(Failure::usage),
                Some(listener) => over_http(&server, listener, &stop, context).await,
            };
            server.close().await;
            outcome.map(|()| ExitCode::Success)
        };
        let words = "stopping: sessions are closed (Ctrl-C again to stop at once)";
        Box::pin(interruptible(&stop, &context.printer, words, work)).await
    })
}

async fn listen(args: &ServeMcpArgs) -> Result<TcpListener, Failure> {
    let address = SocketAddr::new(args.host, args.port);
    TcpListener::bind(address).await.map_err(|error| {
        Failure::usage(format!(
            "cannot listen on {address}: {error}\nhint: choose another port with --port; 0 takes a free one"
        ))
    })
}

async fn over_http(
    server: &McpServer,
    listener: TcpListener,
    stop: &CancellationToken,
    context: &Context<'_>,
) -> Result<(), Failure> {
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
    let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "::1"]
        .map(str::to_owned)
        .to_vec();
    if !args.host.is_loopback() && !args.host.is_unspecified() {
        hosts.push(args.host.to_string());
    }
    hosts.extend(args.allowed_host.iter().cloned());
    hosts
}
