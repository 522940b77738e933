//! What the stand-in says: rules in order, each with what it matches and what it plays.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::conversation::{Api, Conversation};
use super::trivia;

/// Rules in order; the first that matches a conversation, and has plays left, is played. A conversation that none matches is
/// answered with 500 and recorded as a violation.
#[derive(Default)]
pub struct Script {
    rules: Vec<Rule>,
    pub(super) key: Option<String>,
    pub(super) odd_chunks: bool,
    pub(super) forgets: bool,
    pub(super) at_once: Option<usize>,
}

struct Rule {
    when: When,
    left: AtomicUsize,
    reply: Reply,
}

#[derive(Clone)]
pub(super) enum Reply {
    Turn(Box<Turn>),
    Fault(Fault),
    Made(Arc<dyn Fn(&Conversation) -> Turn + Send + Sync>),
}

impl Script {
    /// A script without rules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Plays `turns` one after the other in every conversation, by how often the assistant has spoken in it.
    pub fn turns(turns: impl IntoIterator<Item = Turn>) -> Self {
        turns
            .into_iter()
            .enumerate()
            .fold(Self::new(), |script, (spoken, turn)| {
                script.on(When::any().spoken(spoken), turn)
            })
    }

    /// Solves examples/trivia: looks the CEO up with the company named in the prompt, then answers with the initials of
    /// whom the tool named.
    pub fn trivia() -> Self {
        Self::new().trivia_rules()
    }

    /// Adds the rules of [`Script::trivia`] to this script, for instance after faults.
    #[must_use]
    pub fn trivia_rules(self) -> Self {
        self.made(When::prompt("CEO of ").spoken(0), |asked| {
            let company = trivia::company(&asked.prompt)
                .unwrap_or_default()
                .to_owned();
            turn()
                .text("Let me look that up.")
                .call(trivia::TOOL, json!({"company": company}))
                .tokens(Tokens::new(120, 30))
        })
        .made(When::prompt("CEO of ").spoken(1), |asked| {
            let name = asked
                .results
                .first()
                .map_or("", |result| result.text.as_str());
            turn()
                .text(trivia::answer(name))
                .tokens(Tokens::new(170, 5))
        })
    }

    /// Plays `turn` whenever `when` matches.
    #[must_use]
    pub fn on(self, when: When, turn: Turn) -> Self {
        self.rule(when, usize::MAX, Reply::Turn(Box::new(turn)))
    }

    /// Plays `turn` the first `times` times that `when` matches.
    #[must_use]
    pub fn on_times(self, times: usize, when: When, turn: Turn) -> Self {
        self.rule(when, times, Reply::Turn(Box::new(turn)))
    }

    /// Plays what `make` makes of the conversation.
    #[must_use]
    pub fn made(
        self,
        when: When,
        make: impl Fn(&Conversation) -> Turn + Send + Sync + 'static,
    ) -> Self {
        self.rule(when, usize::MAX, Reply::Made(Arc::new(make)))
    }

    /// Fails the first `times` times that `when` matches.
    #[must_use]
    pub fn fail(self, times: usize, when: When, fault: Fault) -> Self {
        self.rule(when, times, Reply::Fault(fault))
    }

    /// Fails whenever `when` matches.
    #[must_use]
    pub fn fail_always(self, when: When, fault: Fault) -> Self {
        self.rule(when, usize::MAX, Reply::Fault(fault))
    }

    /// Refuses every key but this one with 401; any key is good otherwise.
    #[must_use]
    pub fn only_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// Sends streams in chunks of odd sizes that end inside of events, words and characters.
    #[must_use]
    pub fn odd_chunks(mut self) -> Self {
        self.odd_chunks = true;
        self
    }

    /// Keeps no answers: `previous_response_id` refers to nothing.
    #[must_use]
    pub fn forgets(mut self) -> Self {
        self.forgets = true;
        self
    }

    /// Answers 429 to what comes while this many requests are being answered.
    #[must_use]
    #[expect(
        dead_code,
        reason = "the limit of requests for each provider is tested with it"
    )]
    pub fn at_once(mut self, most: usize) -> Self {
        self.at_once = Some(most);
        self
    }

    fn rule(mut self, when: When, left: usize, reply: Reply) -> Self {
        self.rules.push(Rule {
            when,
            left: AtomicUsize::new(left),
            reply,
        });
        self
    }

    /// What to play in this conversation, if anything.
    pub(super) fn play(&self, asked: &Conversation) -> Option<Reply> {
        let spend = |left: usize| left.checked_sub(usize::from(left != usize::MAX));
        let rule = self.rules.iter().find(|rule| {
            rule.when.matches(asked)
                && rule
                    .left
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend)
                    .is_ok()
        })?;
        Some(match &rule.reply {
            Reply::Made(make) => Reply::Turn(Box::new(make(asked))),
            reply => reply.clone(),
        })
    }
}

/// Which conversations a rule is for: all that is set must hold.
#[derive(Clone, Default)]
pub struct When {
    prompt: Option<String>,
    last_user: Option<String>,
    spoken: Option<usize>,
    model: Option<String>,
    api: Option<Api>,
}

impl When {
    /// Every conversation.
    pub fn any() -> Self {
        Self::default()
    }

    /// Conversations whose first user message holds `text`.
    pub fn prompt(text: &str) -> Self {
        Self {
            prompt: Some(text.to_owned()),
            ..Self::default()
        }
    }

    /// Whose last user message (tool results aside) holds `text`.
    #[must_use]
    pub fn last_user(mut self, text: &str) -> Self {
        self.last_user = Some(text.to_owned());
        self
    }

    /// In which the assistant has spoken `turns` times.
    #[must_use]
    pub fn spoken(mut self, turns: usize) -> Self {
        self.spoken = Some(turns);
        self
    }

    /// With this model.
    #[must_use]
    pub fn model(mut self, model: &str) -> Self {
        self.model = Some(model.to_owned());
        self
    }

    /// Over this API.
    #[must_use]
    pub fn api(mut self, api: Api) -> Self {
        self.api = Some(api);
        self
    }

    fn matches(&self, asked: &Conversation) -> bool {
        self.prompt
            .as_ref()
            .is_none_or(|text| asked.prompt.contains(text))
            && self
                .last_user
                .as_ref()
                .is_none_or(|text| asked.last_user.contains(text))
            && self
                .spoken
                .is_none_or(|turns| asked.assistant_turns == turns)
            && self
                .model
                .as_ref()
                .is_none_or(|model| asked.model == *model)
            && self.api.is_none_or(|api| asked.api == api)
    }
}

/// One assistant turn. Made with [`turn`].
#[derive(Clone, Debug, Default)]
pub struct Turn {
    pub(super) parts: Vec<Part>,
    pub(super) tokens: Tokens,
    pub(super) stop: Option<Stop>,
    pub(super) hold: Option<Gate>,
    pub(super) breaks: Vec<(usize, Break)>,
}

#[derive(Clone, Debug)]
pub(super) enum Part {
    Reasoning(String),
    Text(String),
    /// Text that rests on a page.
    Cited {
        text: String,
        url: String,
        title: String,
    },
    /// An item, block or part in the API's own JSON.
    Item(Value),
    /// The arguments are the text of an object, or of anything when the model is to blunder.
    Call {
        name: String,
        arguments: String,
    },
}

/// An assistant turn that says nothing yet.
pub fn turn() -> Turn {
    Turn::default()
}

impl Turn {
    /// Says `text`.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Text(text.into()));
        self
    }

    /// Says `text`, which rests on the page at `url`.
    #[must_use]
    pub fn cited(mut self, text: &str, url: &str, title: &str) -> Self {
        self.parts.push(Part::Cited {
            text: text.to_owned(),
            url: url.to_owned(),
            title: title.to_owned(),
        });
        self
    }

    /// Says something in the API's own JSON: an item of Responses, a part of Gemini.
    #[must_use]
    #[expect(dead_code, reason = "for what an API says that no other part has")]
    pub fn item(mut self, item: Value) -> Self {
        self.parts.push(Part::Item(item));
        self
    }

    /// Thinks `text`: a signed thinking block in Messages, `reasoning_content` in Chat Completions.
    #[must_use]
    pub fn reasoning(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Reasoning(text.into()));
        self
    }

    /// Calls a tool.
    #[must_use]
    pub fn call(self, name: &str, arguments: impl Into<Value>) -> Self {
        self.call_raw(name, &arguments.into().to_string())
    }

    /// Calls a tool with arguments that need not be JSON. In Messages only a stream can carry such.
    #[must_use]
    pub fn call_raw(mut self, name: &str, arguments: &str) -> Self {
        self.parts.push(Part::Call {
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        });
        self
    }

    /// What the turn costs.
    #[must_use]
    pub fn tokens(mut self, tokens: Tokens) -> Self {
        self.tokens = tokens;
        self
    }

    /// Why the turn ends; otherwise because of its tool calls, or because it is done.
    #[must_use]
    pub fn stop(mut self, stop: Stop) -> Self {
        self.stop = Some(stop);
        self
    }

    /// Answers (a byte of it) only after the gate lets it.
    #[must_use]
    pub fn hold(mut self, gate: &Gate) -> Self {
        self.hold = Some(gate.clone());
        self
    }

    /// Breaks the stream after `events` events. A turn that is not streamed breaks in the middle of its body.
    #[must_use]
    pub fn break_after(mut self, events: usize, how: Break) -> Self {
        self.breaks.push((events, how));
        self
    }
}

/// What a turn costs, in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Input that was neither read from nor written to the cache.
    pub input: u64,
    /// Output, reasoning included.
    pub output: u64,
    /// Input read from the cache.
    pub cache_read: u64,
    /// Input written to the cache.
    pub cache_write: u64,
    /// Reasoning.
    pub reasoning: u64,
}

impl Tokens {
    /// Nothing cached, no reasoning.
    pub fn new(input: u64, output: u64) -> Self {
        Self {
            input,
            output,
            cache_read: 0,
            cache_write: 0,
            reasoning: 0,
        }
    }
}

impl Default for Tokens {
    fn default() -> Self {
        Self::new(10, 5)
    }
}

/// Why a turn ends, where it is not plain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The output limit.
    MaxTokens,
    /// The model will not.
    Refusal,
    /// The context is full (Messages only; Chat Completions says length).
    ContextWindow,
    /// A long turn paused, to be sent back as it is (Messages only).
    Pause,
}

/// A way for a stream to go wrong.
#[derive(Clone, Debug)]
pub enum Break {
    /// The connection closes in the middle.
    Drop,
    /// The response ends in order, but before its last events.
    Truncate,
    /// The provider says in the stream that it is overloaded, and ends it.
    Error,
    /// Nothing more comes.
    Hang,
    /// Nothing more comes until the gate lets it.
    Hold(Gate),
    /// These bytes come in between.
    Noise(String),
}

/// A way for a whole request to go wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status with the provider's usual error.
    Status(u16),
    /// 429, with `retry-after` as given (`"2"`, `"0.5"`, an HTTP date).
    RateLimit {
        /// The header.
        retry_after: Option<String>,
    },
    /// The conversation does not fit.
    ContextLength,
    /// The account is empty.
    Credits,
    /// A page from something in between (a proxy, a load balancer).
    Page {
        /// The status.
        status: u16,
        /// The body, as `text/html`.
        body: String,
    },
    /// The connection closes without an answer.
    Drop,
    /// No answer comes.
    Hang,
    /// No answer comes until the gate lets it, then the connection closes.
    HoldThenDrop(Gate),
}

/// Holds answers back until the test lets them go, and tells the test when they wait.
#[derive(Clone)]
pub struct Gate(Arc<GateState>);

struct GateState {
    permits: Semaphore,
    arrived: Mutex<usize>,
    changed: Condvar,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gate")
    }
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self(Arc::new(GateState {
            permits: Semaphore::new(0),
            arrived: Mutex::new(0),
            changed: Condvar::new(),
        }))
    }

    /// Lets `count` answers go.
    pub fn release(&self, count: usize) {
        self.0.permits.add_permits(count);
    }

    /// Lets every answer go from now on.
    pub fn open(&self) {
        self.0.permits.close();
    }

    /// Blocks until `count` answers in all have come to the gate. Fails the test after a minute.
    pub fn wait_for_arrivals(&self, count: usize) {
        let arrived = self.0.arrived.lock().unwrap();
        let limit = Duration::from_mins(1);
        let (arrived, _) = self
            .0
            .changed
            .wait_timeout_while(arrived, limit, |arrived| *arrived < count)
            .unwrap();
        assert!(
            *arrived >= count,
            "only {} of {count} requests came to the gate",
            *arrived
        );
    }

    pub(super) async fn pass(&self) {
        *self.0.arrived.lock().unwrap() += 1;
        self.0.changed.notify_all();
        if let Ok(permit) = self.0.permits.acquire().await {
            permit.forget();
        }
    }
}
