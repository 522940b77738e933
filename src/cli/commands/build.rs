//! `hud build`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::build::scrub::Scrubber;
use crate::build::{self, BuildError, BuildOptions, Built, Plan};
use crate::cli::args::{BuildArgs, Given, GlobalArgs, SecretSource, SecretSpec};
use crate::cli::build_progress::BuildProgress;
use crate::cli::context::{Context, block_on, verbosity};
use crate::cli::exit_code::ExitCode;
use crate::cli::failure::{Failure, OrUsage};
use crate::cli::interrupt::interruptible;
use crate::config::{dotenv, env_vars};
use crate::docker::{Engine, EngineSettings, ImageReference, Secret};
use crate::ui::{Printer, StdoutMode};
use crate::util::{fs, text, time};

/// Builds, or says what would be built.
pub(in crate::cli) fn run(
    args: &BuildArgs,
    global: GlobalArgs,
    context: &mut Context<'_>,
) -> Result<ExitCode, Failure> {
    if args.json {
        let verbosity = verbosity(global.quiet, global.verbosity());
        context.set_output(StdoutMode::Json, verbosity);
    }
    let options = options(args, context)?;
    let settings = EngineSettings::from_variables(&context.environment);
    let printer = &context.printer;
    block_on(async {
        if args.check || args.dry_run {
            // Both work without an engine, and know less then.
            let engine = Engine::connect(&settings).await.ok();
            let plan = Plan::inspect(&options, engine.as_ref().map(Engine::info))?;
            return inspect(args, &plan, engine.as_ref(), printer).await;
        }
        // Before the engine is looked for: a folder that cannot be built needs none.
        Plan::inspect(&options, None)?;
        let engine = Engine::connect(&settings).await.map_err(BuildError::from)?;
        let plan = Plan::new(&options, engine.info())?;
        if args.push && plan.name.registry.is_none() {
            return Err(Failure::usage(format!(
                "--push needs a --tag that names a registry, such as ghcr.io/me/{}:1.0",
                plan.name.path
            )));
        }
        for note in plan.name_note.iter().chain(&plan.warnings) {
            printer.warn(note);
        }
        let cancel = CancellationToken::new();
        let mut progress = BuildProgress::new(printer, options.scrubber.clone());
        let work = async {
            let mut emit = |event| progress.take(event);
            let built = build::build(&engine, &options, &plan, &cancel, &mut emit).await?;
            Ok(built)
        };
        let words = "stopping: the build is cancelled (Ctrl-C again to stop at once)";
        let outcome = Box::pin(interruptible(&cancel, printer, words, work)).await;
        progress.end()?;
        let built = outcome?;
        report(&built, &plan, printer)?;
        if args.push {
            super::push::push_built(&engine, &plan, &built, printer).await?;
        }
        Ok(ExitCode::Success)
    })
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Cancelled => Self::Interrupted,
            BuildError::Docker(error) if !error.is_usage() => Self::Unexpected(error.into()),
            BuildError::Unexpected(error) => Self::from(error),
            other => Self::usage(other),
        }
    }
}

fn options(args: &BuildArgs, context: &Context<'_>) -> Result<BuildOptions, Failure> {
    let environment = &context.environment;
    let given = |values: &[Given], flag: &str| -> Result<BTreeMap<String, String>, Failure> {
        values
            .iter()
            .map(|given| {
                let value = match &given.value {
                    Some(value) => value.clone(),
                    None => environment.get(&given.name).cloned().ok_or_else(|| {
                        Failure::usage(format!(
                            "{flag} {0}: the variable {0} is not set\nhint: export it, or write {flag} {0}=VALUE",
                            given.name
                        ))
                    })?,
                };
                Ok((given.name.clone(), value))
            })
            .collect()
    };
    let mut secrets = BTreeMap::new();
    let mut hidden: Vec<String> = Vec::new();
    for spec in &args.secret {
        let value = secret(spec, environment)?;
        hidden.push(String::from_utf8_lossy(&value).into_owned());
        secrets.insert(spec.id.clone(), Secret::new(value));
    }
    let mut env = variables_of(&args.dir, context)?;
    env.extend(given(&args.env, "-e")?);
    hidden.extend(env.values().cloned());
    let tag = args
        .tag
        .as_deref()
        .map(ImageReference::parse)
        .transpose()
        .map_err(|why| Failure::usage(format!("--tag: {why}")))?;
    Ok(BuildOptions {
        folder: args.dir.clone(),
        tag,
        platform: args.platform.clone(),
        build_args: given(&args.build_arg, "--build-arg")?,
        secrets,
        env,
        scrubber: Scrubber::new(hidden),
        no_cache: args.no_cache,
        pull: args.pull,
        analyze: !args.no_analyze,
        timeout: args.timeout.0,
        own_binary: context.program.clone(),
        given_binary: args.hud_binary.clone(),
    })
}

/// `DIR/.env`: what the environment is started with. Keys of model providers stay with us unless they are given with -e.
fn variables_of(folder: &Path, context: &Context<'_>) -> Result<BTreeMap<String, String>, Failure> {
    let path = folder.join(".env");
    // A folder called `.env` is a virtual environment of some people.
    if path.is_dir() {
        return Ok(BTreeMap::new());
    }
    let Some(contents) = fs::read_to_string_if_exists(&path).or_usage()? else {
        return Ok(BTreeMap::new());
    };
    let found = dotenv::parse(&path, &contents);
    for warning in &found.warnings {
        context.printer.warn(&warning.to_string());
    }
    let mut values = found.values;
    values.retain(|name, _| !env_vars::SECRET_VARS.contains(&name.as_str()));
    Ok(values)
}

fn secret(spec: &SecretSpec, environment: &BTreeMap<String, String>) -> Result<Vec<u8>, Failure> {
    let id = text::one_line(&spec.id, 60);
    let file = |path: &Path| {
        fs::read(path).map_err(|error| Failure::usage(format!("the secret `{id}`: {error:#}")))
    };
    match &spec.source {
        SecretSource::Env(name) => environment
            .get(name)
            .map(|value| value.clone().into_bytes())
            .ok_or_else(|| {
                Failure::usage(format!(
                    "the secret `{id}` is the value of {name}, which is not set\nhint: export {name}"
                ))
            }),
        SecretSource::File(path) => file(path),
        SecretSource::SameName => match environment.get(&spec.id) {
            Some(value) => Ok(value.clone().into_bytes()),
            None if Path::new(&spec.id).is_file() => file(Path::new(&spec.id)),
            None => Err(Failure::usage(format!(
                "the secret `{id}` is not set: there is neither a variable nor a file of this name\nhint: name its source, as in --secret id={id},env=NAME or --secret id={id},src=PATH"
            ))),
        },
    }
}

/// `--check` and `--dry-run`.
async fn inspect(
    args: &BuildArgs,
    plan: &Plan,
    engine: Option<&Engine>,
    printer: &Printer,
) -> Result<ExitCode, Failure> {
    let digests = plan.digests(engine).await?;
    let hash = plan.source_hash(&digests).await?;
    let reasons = plan.stale(&hash);
    let is_fresh = reasons.is_empty();
    let lock = plan.lock_path.display();
    if engine.is_none() {
        printer.talk(
            "no container engine answers: base images are compared with what the lock remembers",
        );
    }
    if args.check {
        if args.json {
            let line = json!({"event": "check", "fresh": is_fresh, "reasons": reasons, "source_hash": hash});
            printer.data(&line.to_string())?;
        } else if is_fresh {
            printer.data(&format!("`{lock}` is up to date"))?;
        } else {
            printer.data(&format!("`{lock}` is stale: {}", reasons.join("; ")))?;
        }
        return Ok(if is_fresh {
            ExitCode::Success
        } else {
            ExitCode::CheckFailed
        });
    }
    let version = match plan.version() {
        Some(version) if is_fresh => version,
        _ => plan.next_version(),
    };
    let files = crate::build::context::source_files(&plan.context);
    let images: Vec<&str> = plan.images.iter().map(String::as_str).collect();
    if args.json {
        let line = json!({
            "event": "plan",
            "image": plan.name.with_tag(&version.to_string()).to_string(),
            "version": version.to_string(),
            "dockerfile": plan.dockerfile_name,
            "platform": plan.platform,
            "base_images": images,
            "files": files,
            "context_bytes": plan.context.size(),
            "source_hash": hash,
            "changes": reasons,
        });
        printer.data(&line.to_string())?;
        return Ok(ExitCode::Success);
    }
    let mut lines = vec![
        format!("image       {}", plan.name.with_tag(&version.to_string())),
        format!("dockerfile  {}", plan.dockerfile_name),
        format!("platform    {}", plan.platform),
        format!(
            "base        {}",
            if images.is_empty() {
                "scratch".to_owned()
            } else {
                images.join(", ")
            }
        ),
        format!(
            "context     {} files, {}",
            files.len(),
            text::bytes(plan.context.size())
        ),
        format!(
            "lock        {}",
            if is_fresh {
                "up to date".to_owned()
            } else {
                format!("would change: {}", reasons.join("; "))
            }
        ),
    ];
    lines.extend(files.iter().map(|file| format!("  {file}")));
    printer.data(&lines.join("\n"))?;
    Ok(ExitCode::Success)
}

/// What was built, on stdout.
fn report(built: &Built, plan: &Plan, printer: &Printer) -> Result<(), Failure> {
    let lock = &built.lock;
    let names = |values: &[serde_json::Value]| -> Vec<String> {
        values
            .iter()
            .filter_map(|value| value["name"].as_str().map(str::to_owned))
            .collect()
    };
    let (tools, scenarios) = (names(&lock.tools), names(&lock.scenarios));
    if printer.is_json() {
        let line = json!({
            "event": "built",
            "image": built.tags.first(),
            "id": built.id,
            "tags": built.tags,
            "version": lock.build.version,
            "previous_version": built.previous.map(|version| version.to_string()),
            "changed": built.changed,
            "lock": built.lock_path,
            "source_hash": lock.build.source_hash,
            "base_image": lock.build.base_image,
            "platform": plan.platform,
            "tools": tools,
            "scenarios": scenarios,
            "build_s": built.build_time.as_secs_f64(),
            "duration_s": built.took.as_secs_f64(),
        });
        printer.data(&line.to_string())?;
        return Ok(());
    }
    let image = built.tags.first().cloned().unwrap_or_default();
    let change = match (built.changed, built.previous) {
        (false, _) => " (nothing changed)".to_owned(),
        (true, Some(previous)) => format!(" (was {previous})"),
        (true, None) => String::new(),
    };
    let mut lines = vec![format!("{image}{change}")];
    let others: Vec<&str> = built.tags.iter().skip(1).map(String::as_str).collect();
    if !others.is_empty() {
        lines.push(format!("also       {}", others.join(", ")));
    }
    lines.push(format!("lock       {}", built.lock_path.display()));
    if lock.environment.is_some() {
        lines.push(format!("tools      {}", counted(&tools)));
        lines.push(format!("scenarios  {}", counted(&scenarios)));
    }
    printer.data(&lines.join("\n"))?;
    printer.talk(&format!("built in {}", time::human(built.took)));
    Ok(())
}

/// `2: a, b`, with at most a line of names.
fn counted(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let all = text::one_line(&names.join(", "), 100);
    format!("{}: {all}", names.len())
}
