//! An environment at a prompt: its tools, its scenarios and its resources, tried by hand.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::ask::{self, NoArguments};
use super::command::{self, Command, Given};
use super::complete::{Context, Vocabulary};
use super::lines::{Line, Lines};
use super::session::Session;
use super::show::{self, Style};
use crate::cli::failure::Failure;
use crate::cli::reach::{Peers, PeersOptions, Place};
use crate::cli::scenario_text;
use crate::cli::schema::Parameter;
use crate::environment::{EnvironmentOptions, LogSink};
use crate::message::Role;
use crate::ui::{Printer, Tone};
use crate::util::{text, time};

/// How long connecting to a server that runs already may take.
const CONNECT: Duration = Duration::from_secs(30);

/// A command of the caller, such as `reload` of `hud dev`: it takes nothing, and says what it did.
pub(in crate::cli) struct OwnCommand {
    /// The word.
    pub(in crate::cli) name: String,
    /// What it does, for `help`.
    pub(in crate::cli) does: String,
    /// Does it.
    pub(in crate::cli) run: Box<dyn Fn() -> String + Send + Sync>,
}

/// How to converse.
pub(in crate::cli) struct Options<'a> {
    /// The way to the person.
    pub(in crate::cli) printer: &'a Printer,
    /// Where typed lines are kept; `None` forgets them.
    pub(in crate::cli) history: Option<PathBuf>,
    /// Commands of the caller.
    pub(in crate::cli) own: Vec<OwnCommand>,
    /// Ends the conversation from outside; the terminal is given back first.
    pub(in crate::cli) cancel: CancellationToken,
}

/// Opens a session at `place` and does what is typed, until `quit`, Ctrl-D, the end of the input, or the caller's word. On a terminal what fails is
/// told and the prompt comes back; from a pipe the first command that fails ends it.
pub(in crate::cli) async fn run(
    peers: &Peers,
    place: &Place,
    options: Options<'_>,
) -> Result<(), Failure> {
    let vocabulary = Arc::new(Mutex::new(Vocabulary {
        own: options.own.iter().map(|own| own.name.clone()).collect(),
        ..Vocabulary::default()
    }));
    let opening = Session::open(peers, place, Arc::clone(&vocabulary));
    let session = tokio::select! {
        () = options.cancel.cancelled() => return Err(Failure::Interrupted),
        opened = opening => opened.map_err(|trouble| {
            Failure::Environment(anyhow::anyhow!(trouble.text()))
        })?,
    };
    let printer = options.printer;
    let lines = if std::io::stdin().is_terminal() && printer.is_terminal() {
        Lines::terminal(options.history.clone(), vocabulary, printer)
    } else {
        Lines::plain(tokio::io::BufReader::new(tokio::io::stdin()))
    };
    let mut conversation = Conversation {
        session,
        lines,
        interrupts: signal(SignalKind::interrupt())?,
        options,
    };
    conversation.greet();
    let outcome = conversation.talk().await;
    let Conversation { session, lines, .. } = conversation;
    let was_terminal = lines.is_terminal();
    lines.close().await;
    if was_terminal && matches!(outcome, Err(Failure::Interrupted)) {
        // The line that was being edited stays as it is.
        printer.talk("");
    }
    for warning in session.close().await {
        printer.warn(&warning);
    }
    outcome
}

/// As [`run`], at the URL of a server that runs already, such as our own. `environment` is what the caller's environments are started with; here
/// only its folders are used.
///
/// SIGINT is this function's while it runs: it stops a call, and must not end the caller's server.
pub(in crate::cli) async fn at_url(
    url: &str,
    token: Option<&str>,
    environment: EnvironmentOptions,
    options: Options<'_>,
) -> Result<(), Failure> {
    let peers = Peers::new(PeersOptions {
        environment,
        sampler: None,
        on_log: Some(logged(options.printer)),
        timeout: CONNECT,
    })?;
    let place = Place::at_url(url, token);
    run(&peers, &place, options).await
}

/// What an environment logs, as talk.
pub(in crate::cli) fn logged(printer: &Printer) -> LogSink {
    let printer = printer.clone();
    Arc::new(move |level: &str, words: &str| {
        let line = format!("[{level}] {}", text::strip_control(words));
        printer.talk(&printer.paint().tone(Tone::Dim, &line));
    })
}

struct Conversation<'a> {
    session: Session<'a>,
    lines: Lines,
    interrupts: Signal,
    options: Options<'a>,
}

/// What a command led to.
enum Next {
    Continue,
    End,
}

/// Why a command did nothing, or not all.
enum Refusal {
    /// The line, a name or a value is wrong.
    Mistake(String),
    /// The environment failed.
    Failed(String),
    /// Ctrl-C.
    Stopped,
    /// Nothing can go on.
    Ending(Failure),
}

impl From<NoArguments> for Refusal {
    fn from(none: NoArguments) -> Self {
        match none {
            NoArguments::GivenUp => Self::Stopped,
            NoArguments::Wrong(words) => Self::Mistake(words),
            NoArguments::Failed(failure) => Self::Ending(failure),
        }
    }
}

impl<E: Into<Failure>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Ending(error.into())
    }
}

impl Conversation<'_> {
    fn greet(&self) {
        let vocabulary = self.session.vocabulary();
        let printer = self.options.printer;
        printer.talk(&format!(
            "{}: {}, {}",
            self.session.introduction(),
            text::counted(vocabulary.tools.len(), "tool"),
            text::counted(vocabulary.scenarios.len(), "scenario")
        ));
        if self.lines.is_terminal() {
            printer.talk(&printer.paint().tone(
                Tone::Dim,
                "`help` lists the commands, Tab completes, Ctrl-C stops a call, Ctrl-D ends",
            ));
        }
    }

    /// `trivia` or `trivia:initials`.
    fn words(&self) -> String {
        let words = self
            .session
            .scenario()
            .map_or_else(|| self.session.name(), str::to_owned);
        text::one_line(&words, 40)
    }

    async fn talk(&mut self) -> Result<(), Failure> {
        loop {
            let words = self.words();
            let line = tokio::select! {
                () = self.options.cancel.cancelled() => return Err(Failure::Interrupted),
                // Only from outside: on a terminal the line editor sees Ctrl-C as a key.
                _ = self.interrupts.recv() => {
                    if self.lines.is_terminal() {
                        continue;
                    }
                    return Err(Failure::Interrupted);
                }
                line = self.lines.read(&words, Context::Command) => line?,
            };
            let line = match line {
                Line::Text(line) => line,
                Line::Interrupted => continue,
                Line::End => return Ok(()),
            };
            match self.obey(&line).await {
                Ok(Next::Continue) => {}
                Ok(Next::End) => return Ok(()),
                Err(Refusal::Ending(failure)) => return Err(failure),
                Err(refusal) if self.lines.is_terminal() => self.tell(&refusal),
                Err(Refusal::Mistake(words)) => return Err(Failure::usage(words)),
                Err(Refusal::Failed(words)) => {
                    return Err(Failure::Environment(anyhow::anyhow!(words)));
                }
                Err(Refusal::Stopped) => return Err(Failure::Interrupted),
            }
        }
    }

    fn tell(&self, refusal: &Refusal) {
        let printer = self.options.printer;
        match refusal {
            Refusal::Mistake(words) | Refusal::Failed(words) => printer.error(words),
            Refusal::Stopped => printer.talk(&printer.paint().tone(Tone::Warning, "stopped")),
            Refusal::Ending(_) => {}
        }
    }

    /// Does what a line says. Ctrl-C stops it.
    async fn obey(&mut self, line: &str) -> Result<Next, Refusal> {
        let own: Vec<String> = self
            .options
            .own
            .iter()
            .map(|own| own.name.clone())
            .collect();
        let command = command::parse(line, &own).map_err(Refusal::Mistake)?;
        let command = match command {
            Command::Nothing => return Ok(Next::Continue),
            Command::Quit => return Ok(Next::End),
            command => self.complete_arguments(command).await?,
        };
        let begun = Instant::now();
        let cancel = self.options.cancel.clone();
        let done = {
            let doing = act(&mut self.session, &self.options, command);
            tokio::select! {
                done = doing => Some(done),
                _ = self.interrupts.recv() => None,
                () = cancel.cancelled() => return Err(Refusal::Ending(Failure::Interrupted)),
            }
        };
        let Some(done) = done else {
            // Dropping the call has asked the server to stop; where we can reach into the copy, it is made to.
            self.session.interrupt();
            return Err(Refusal::Stopped);
        };
        let answer = done?;
        let printer = self.options.printer;
        if !answer.data.is_empty() {
            printer.data(&answer.data)?;
        }
        if let Some(words) = answer.talk {
            printer.talk(&words);
        }
        if answer.is_timed && self.lines.is_terminal() {
            let took = format!("({})", time::brief(begun.elapsed()));
            printer.talk(&printer.paint().tone(Tone::Dim, &took));
        }
        Ok(Next::Continue)
    }

    /// Asks for the arguments that a command still needs.
    async fn complete_arguments(&mut self, command: Command) -> Result<Command, Refusal> {
        match command {
            Command::Call(name, given) => {
                // What is offered may have changed since, by a reload.
                let known = self.session.tool(&name);
                let tool = match known {
                    Ok(tool) => tool,
                    Err(_) => {
                        self.session.refresh().await.map_err(Refusal::Failed)?;
                        self.session.tool(&name).map_err(Refusal::Mistake)?
                    }
                };
                // Nothing is known of a hidden tool, so nothing is asked or refused.
                let given = match given {
                    Given::Pairs(pairs) if name.starts_with('_') => Given::Json(untyped(pairs)),
                    given if name.starts_with('_') => given,
                    given => Given::Json(self.ask(&tool.parameters, given).await?),
                };
                Ok(Command::Call(name, given))
            }
            Command::Run(name, given) => {
                let found = self.session.scenario_named(&name);
                let (wire_name, scenario) = match found {
                    Ok(found) => found,
                    Err(_) => {
                        self.session.refresh().await.map_err(Refusal::Failed)?;
                        self.session
                            .scenario_named(&name)
                            .map_err(Refusal::Mistake)?
                    }
                };
                let arguments = self.ask(&scenario.parameters, given).await?;
                Ok(Command::Run(wire_name, Given::Json(arguments)))
            }
            Command::Prompt(name, given) => {
                let prompt = self.session.prompt_named(&name).map_err(Refusal::Mistake)?;
                let arguments = self.ask(&prompt.parameters, given).await?;
                Ok(Command::Prompt(name, Given::Json(arguments)))
            }
            Command::Answer(None) if self.session.scenario().is_some() => {
                let typed = serde_json::json!({"type": "string"});
                match self.lines.read("  answer", Context::Value(typed)).await? {
                    Line::Text(answer) => Ok(Command::Answer(Some(answer))),
                    Line::End if !self.lines.is_terminal() => Err(Refusal::Mistake(
                        "the input ended where the answer should be".to_owned(),
                    )),
                    Line::Interrupted | Line::End => Err(Refusal::Stopped),
                }
            }
            command => Ok(command),
        }
    }

    async fn ask(
        &mut self,
        parameters: &[Parameter],
        given: Given,
    ) -> Result<serde_json::Map<String, serde_json::Value>, Refusal> {
        Ok(ask::arguments(parameters, given, &mut self.lines, self.options.printer).await?)
    }
}

/// Values of which nothing is known: JSON where they are, else text.
fn untyped(pairs: Vec<(String, String)>) -> serde_json::Map<String, serde_json::Value> {
    pairs
        .into_iter()
        .map(|(name, value)| {
            let value = serde_json::from_str(&value).unwrap_or(serde_json::Value::String(value));
            (name, value)
        })
        .collect()
}

/// What a command answers.
#[derive(Default)]
struct Answer {
    data: String,
    talk: Option<String>,
    /// Whether somebody wants to know how long it took.
    is_timed: bool,
}

impl Answer {
    fn data(data: impl Into<String>) -> Self {
        Self {
            data: data.into(),
            ..Self::default()
        }
    }

    fn talk(words: impl Into<String>) -> Self {
        Self {
            talk: Some(words.into()),
            ..Self::default()
        }
    }

    fn timed(mut self) -> Self {
        self.is_timed = true;
        self
    }
}

/// Does a command whose arguments are complete.
async fn act(
    session: &mut Session<'_>,
    options: &Options<'_>,
    command: Command,
) -> Result<Answer, Refusal> {
    let printer = options.printer;
    let style = Style {
        paint: printer.stdout_paint(),
        width: if printer.is_stdout_terminal() {
            printer.stdout_width()
        } else {
            usize::MAX
        },
    };
    match command {
        Command::Nothing | Command::Quit => Ok(Answer::default()),
        Command::Help(name) => help(name.as_deref(), options, style),
        Command::Tools(name) => {
            session.refresh().await.map_err(Refusal::Failed)?;
            let tools = session.vocabulary().tools;
            match name {
                Some(name) => {
                    let tool = session.tool(&name).map_err(Refusal::Mistake)?;
                    Ok(Answer::data(show::whole(&tool, style)))
                }
                None if tools.is_empty() => Ok(Answer::talk("there are no tools")),
                None => Ok(Answer::data(show::list("tool", &tools, style))),
            }
        }
        Command::Scenarios(name) => {
            session.refresh().await.map_err(Refusal::Failed)?;
            let scenarios = session.vocabulary().scenarios;
            match name {
                Some(name) => {
                    let (_, scenario) = session.scenario_named(&name).map_err(Refusal::Mistake)?;
                    Ok(Answer::data(show::whole(&scenario, style)))
                }
                None if scenarios.is_empty() => Ok(Answer::talk("there are no scenarios")),
                None => Ok(Answer::data(show::list("scenario", &scenarios, style))),
            }
        }
        Command::Call(name, given) => {
            let result = session
                .call(&name, json(given))
                .await
                .map_err(Refusal::Failed)?;
            Ok(Answer::data(show::result(&result, style)).timed())
        }
        Command::Run(wire_name, given) => {
            session
                .run(&wire_name, &json(given))
                .await
                .map_err(Refusal::Failed)?;
            let prompt = session
                .prompt()
                .map(|prompt| text::strip_control(&scenario_text::prompt_text(prompt)))
                .unwrap_or_default();
            let mut answer = Answer::data(prompt).timed();
            answer.talk = Some(
                printer
                    .paint()
                    .tone(Tone::Dim, "call tools, then give the `answer`"),
            );
            Ok(answer)
        }
        Command::Answer(text) => {
            let answer = text.unwrap_or_default();
            let graded = session.answer(&answer).await.map_err(Refusal::Failed)?;
            Ok(Answer::data(show::evaluation(&graded, style)).timed())
        }
        Command::Resources => {
            session.refresh().await.map_err(Refusal::Failed)?;
            let uris = session.vocabulary().resources;
            if uris.is_empty() {
                return Ok(Answer::talk("there are no resources"));
            }
            let uris: Vec<String> = uris
                .iter()
                .map(|uri| text::one_line(uri, usize::MAX))
                .collect();
            Ok(Answer::data(uris.join("\n")))
        }
        Command::Read(uri) => {
            let content = session.read(&uri).await.map_err(Refusal::Failed)?;
            Ok(Answer::data(show::content(&content).join("\n")).timed())
        }
        Command::Prompts => {
            session.refresh().await.map_err(Refusal::Failed)?;
            let prompts = session.vocabulary().prompts;
            if prompts.is_empty() {
                return Ok(Answer::talk("there are no prompts beside the scenarios"));
            }
            Ok(Answer::data(show::list("prompt", &prompts, style)))
        }
        Command::Prompt(name, given) => {
            let messages = session
                .get_prompt(&name, &json(given))
                .await
                .map_err(Refusal::Failed)?;
            let parts: Vec<String> = messages
                .into_iter()
                .map(|(role, content)| {
                    let role = match role {
                        Role::System => "system",
                        Role::User => "user",
                        Role::Assistant => "assistant",
                    };
                    format!("[{role}]\n{}", show::content(&[content]).join("\n"))
                })
                .collect();
            Ok(Answer::data(parts.join("\n")))
        }
        Command::Status => Ok(Answer::data(status(session))),
        Command::Reset => {
            session.reset().await.map_err(Refusal::Failed)?;
            Ok(Answer::talk("a new session").timed())
        }
        Command::Own(name) => {
            let own = options.own.iter().find(|own| own.name == name);
            Ok(Answer::talk(own.map(|own| (own.run)()).unwrap_or_default()))
        }
    }
}

fn json(given: Given) -> serde_json::Map<String, serde_json::Value> {
    match given {
        Given::Json(arguments) => arguments,
        Given::Pairs(pairs) => untyped(pairs),
        Given::Nothing => serde_json::Map::new(),
    }
}

fn help(name: Option<&str>, options: &Options<'_>, style: Style) -> Result<Answer, Refusal> {
    let own: Vec<(String, String)> = options
        .own
        .iter()
        .map(|own| (own.name.clone(), own.does.clone()))
        .collect();
    show::help(name, &own, style)
        .map(Answer::data)
        .ok_or_else(|| {
            Refusal::Mistake(format!(
                "there is no command `{}`\nhint: `help` lists them",
                name.unwrap_or_default()
            ))
        })
}

fn status(session: &Session<'_>) -> String {
    let mut lines = vec![session.introduction()];
    if let Some(instructions) = session.instructions() {
        lines.push(text::strip_control(instructions.trim_end()));
    }
    match (session.scenario(), session.prompt()) {
        (Some(name), Some(prompt)) => {
            lines.push(format!("the scenario `{name}` waits for its answer:"));
            lines.push(text::strip_control(&scenario_text::prompt_text(prompt)));
        }
        _ => lines.push("no scenario is set up".to_owned()),
    }
    lines.join("\n")
}
