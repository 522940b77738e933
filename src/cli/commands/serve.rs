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
use crate::environment::{Description, Environments};
use crate::serve::access::Token;
use crate::serve::copies::Copies;
use crate::serve::mcp::{Limits, McpServer, ServeOptions};
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
    let logs = options.logs.clone();
    let serve = ServeOptions {
        hosts: hosts(args),
        token: key.as_deref().map(Token::new),
        limits: Limits {
            idle: args.idle_timeout.0,
            sessions: args.max_sessions as usize,
            ..Limits::default()
        },
        ..ServeOptions::default()
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
                started = Copies::start(Arc::clone(&environments), spec.clone(), logs) => Some(started),
            };
            let copies = match started {
                Some(Ok(copies)) => copies,
                ended => {
                    environments.close().await;
                    return match ended {
                        Some(Err(error)) => Err(error.into()),
                        _ => Ok(ExitCode::Success),
                    };
                }
            };
            let server = McpServer::new(copies.clone(), serve);
            let outcome = match listener {
                None => server
                    .serve_stream(tokio::io::stdin(), tokio::io::stdout(), stop.clone())
                    .await
                    .map_err(Failure::usage),
                Some(listener) => {
                    over_http(&server, copies.description(), listener, &stop, context).await
                }
            };
            server.close().await;
            environments.close().await;
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
    description: &Description,
    listener: TcpListener,
    stop: &CancellationToken,
    context: &Context<'_>,
) -> Result<(), Failure> {
    let bound = listener.local_addr()?;
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
