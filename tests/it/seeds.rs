//! The environments and types of the documentation that the product was specified by, written as they stand there, under `hud eval`
//! with written turns and with both providers.

use serde_json::{Value, json};

use crate::support::provider::{Provider, Script, Turn, When, turn};
use crate::support::{Output, Test};

/// One assistant turn, in words that every way to play it understands.
#[derive(Clone)]
struct Say {
    calls: Vec<(&'static str, Value)>,
    text: &'static str,
}

fn call(name: &'static str, arguments: Value) -> Say {
    Say {
        calls: vec![(name, arguments)],
        text: "",
    }
}

fn answer(text: &'static str) -> Say {
    Say {
        calls: Vec::new(),
        text,
    }
}

impl Say {
    fn scripted(&self) -> Value {
        let calls: Vec<Value> = self
            .calls
            .iter()
            .map(|(name, arguments)| json!({"name": name, "arguments": arguments}))
            .collect();
        if calls.is_empty() {
            json!({"text": self.text})
        } else {
            json!({"tool_calls": calls})
        }
    }

    fn streamed(&self) -> Turn {
        let said = self.calls.iter().fold(turn(), |turn, (name, arguments)| {
            turn.call(name, arguments.clone())
        });
        if self.text.is_empty() {
            said
        } else {
            said.text(self.text)
        }
    }
}

/// Files, the task file, and what is said to which prompt.
struct Seed {
    files: &'static [(&'static str, &'static str)],
    source: &'static str,
    /// A text of the prompt and a pattern of the slug, each for the turns that play there.
    plays: Vec<(&'static str, &'static str, Vec<Say>)>,
    expected: &'static [(&'static str, &'static str)],
}

impl Seed {
    fn test(&self, model: &str) -> Test {
        let test = Test::new().args(["eval", self.source, "-m", model]);
        self.files
            .iter()
            .fold(test, |test, (path, text)| test.file(path, text))
    }

    /// Runs it in all three ways; what each left, for further questions.
    fn check(&self) -> Vec<Output> {
        let mut outputs = Vec::new();
        let entries: Vec<Value> = self
            .plays
            .iter()
            .map(|(_, slug, turns)| {
                let turns: Vec<Value> = turns.iter().map(Say::scripted).collect();
                json!({"match": slug, "turns": turns})
            })
            .collect();
        outputs.push(
            self.test("scripted:turns.yaml")
                .file("turns.yaml", json!({"turns": entries}).to_string())
                .run()
                .code(0),
        );
        for model in ["claude-sonnet-4-6", "gpt-4.1"] {
            let mut script = Script::new().odd_chunks();
            for (prompt, _, turns) in &self.plays {
                for (spoken, say) in turns.iter().enumerate() {
                    script = script.on(When::prompt(prompt).spoken(spoken), say.streamed());
                }
            }
            let provider = Provider::start(script);
            outputs.push(self.test(model).provider(&provider).run().code(0));
            assert_eq!(provider.violations(), Vec::<String>::new(), "{model}");
            assert!(!provider.requests().is_empty());
        }
        for output in &outputs {
            let outcomes = output.job().outcomes();
            let outcomes: Vec<(&str, &str)> = outcomes
                .iter()
                .map(|(task, outcome)| (task.as_str(), outcome.as_str()))
                .collect();
            assert_eq!(outcomes, self.expected, "{}", output.stdout);
        }
        outputs
    }
}

/// Seed 001.
const TRIVIA: &str = r#"
import hud

CEOS = {"hud": "Jay Ram", "openai": "Sam Altman", "anthropic": "Dario Amodei"}

env = hud.Environment("trivia")

@env.tool()
def lookup_ceo(company: str) -> str:
    """Look up the CEO of a company."""
    return CEOS.get(company.lower(), "Unknown")

@env.scenario("initials")
async def find_initials(company: str):
    answer = yield f"What are the initials of the CEO of {company}?"
    ceo = CEOS.get(company.lower())
    correct = "".join(word[0] for word in ceo.split()) if ceo else None
    yield 1.0 if answer and correct and correct in answer.upper() else 0.0

task = env("initials", company="HUD")
"#;

#[test]
fn trivia_runs_from_its_own_file() {
    let outputs = Seed {
        files: &[("env.py", TRIVIA)],
        source: "env.py",
        plays: vec![(
            "CEO of HUD?",
            "*",
            vec![
                call("lookup_ceo", json!({"company": "HUD"})),
                answer("The initials are JR."),
            ],
        )],
        expected: &[("initials-6e432b0d", "1")],
    }
    .check();
    for output in outputs {
        let job = output.job();
        let prompt = &job.steps("initials-6e432b0d", "prompt")[0];
        assert_eq!(
            prompt["tools"][0]["description"],
            "Look up the CEO of a company."
        );
        assert_eq!(
            job.tool_results("initials-6e432b0d"),
            [("Jay Ram".to_owned(), false)]
        );
    }
}

/// Seed 002, "In-memory SQLite", with the imports and a tool that it leaves out.
const ORDERS: &str = r#"
from pathlib import Path
from hud import Environment

env = Environment("my-env")

@env.tool()
def sql(statement: str) -> list:
    """Run a statement."""
    return db.execute(statement).fetchall()

import sqlite3
db = sqlite3.connect(":memory:") # Fresh per eval
@env.scenario("update-order")
async def update_order(order_id: str):
    db.executescript(Path("fixtures/orders.sql").read_text()) # Seed
    answer = yield f"Update order {order_id} to shipped"
    row = db.execute("SELECT status FROM orders WHERE id=?", (order_id,)).fetchone()
    yield 1.0 if row and row[0] == "shipped" else 0.0
"#;

const ORDERS_SQL: &str = "CREATE TABLE orders (id TEXT PRIMARY KEY, status TEXT);
INSERT INTO orders VALUES ('A-1', 'pending'), ('A-2', 'pending'), ('A-3', 'pending');
";

const ORDERS_TASKS: &str = "
env: shop/env.py
tasks:
- {slug: one, scenario: update-order, args: {order_id: A-1}}
- {slug: other, scenario: update-order, args: {order_id: A-2}}
- {slug: idle, scenario: update-order, args: {order_id: A-3}}
";

#[test]
fn an_in_memory_database_is_fresh_for_each_rollout() {
    let update = |statement: &'static str| {
        vec![call("sql", json!({"statement": statement})), answer("done")]
    };
    Seed {
        files: &[
            // In a folder of its own, so that the fixture is found beside the environment and not where the command runs.
            ("shop/env.py", ORDERS),
            ("shop/fixtures/orders.sql", ORDERS_SQL),
            ("tasks.yaml", ORDERS_TASKS),
        ],
        source: "tasks.yaml",
        plays: vec![
            // What ships every order in one rollout must not be seen in the others.
            (
                "order A-1 ",
                "one",
                update("UPDATE orders SET status = 'shipped'"),
            ),
            (
                "order A-2 ",
                "other",
                update("UPDATE orders SET status = 'shipped' WHERE id = 'A-2' RETURNING id"),
            ),
            ("order A-3 ", "idle", vec![answer("done")]),
        ],
        expected: &[("idle", "0"), ("one", "1"), ("other", "1")],
    }
    .check();
}

/// Seed 002, "stateful mocking", with the tool that it leaves out.
const CHECKOUT: &str = r#"
from hud import Environment

env = Environment("shop")

class MockPaymentService:
    def __init__(self):
        self.charges = []
    async def charge(self, amount: int, card_token: str) -> dict:
        self.charges.append({"amount": amount, "token": card_token})
        return {"success": True, "id": f"ch-{len(self.charges)}"}
payments = MockPaymentService()
@env.scenario("checkout")
async def checkout(cart_total: int):
    _ = yield f"Complete checkout for ${cart_total}"
    yield 1.0 if any(c["amount"] == cart_total for c in payments.charges) else 0.0

@env.tool()
async def charge(amount: int, card_token: str) -> dict:
    """Charge a card."""
    return await payments.charge(amount, card_token)

tasks = [env("checkout", cart_total=49), env("checkout", cart_total=80)]
tasks[0].slug = "pays"
tasks[1].slug = "lies"
"#;

#[test]
fn a_stateful_mock_remembers_what_was_charged() {
    let outputs = Seed {
        files: &[("env.py", CHECKOUT)],
        source: "env.py",
        plays: vec![
            (
                "for $49",
                "pays",
                vec![
                    call("charge", json!({"amount": 49, "card_token": "tok"})),
                    answer("Paid."),
                ],
            ),
            (
                "for $80",
                "lies",
                vec![
                    call("charge", json!({"amount": 8, "card_token": "tok"})),
                    answer("Paid 80."),
                ],
            ),
        ],
        expected: &[("lies", "0"), ("pays", "1")],
    }
    .check();
    for output in outputs {
        let results = output.job().steps("pays", "tool_finished");
        assert_eq!(
            results[0]["result"]["structured"],
            json!({"success": true, "id": "ch-1"}),
            "a mapping is structured content too"
        );
    }
}

/// Seed 002, "Transaction rollback", with a stand-in for `asyncpg` beside it that writes down what it is told.
const REFUNDS: &str = r#"
import asyncpg
from hud import Environment

env = Environment("refunds")
DATABASE_URL = "postgres://nowhere"
reward = 0.5

@env.scenario("process-refund")
async def process_refund(order_id: str):
    conn = await asyncpg.connect(DATABASE_URL)
    tx = conn.transaction()
    await tx.start()
    try:
        answer = yield f"Process refund for order {order_id}"
        # Check result...
        yield reward
    finally:
        await tx.rollback() # Always undo
        await conn.close()

task = env("process-refund", order_id="7")
task.slug = "refund"
"#;

const ASYNCPG: &str = r#"
import asyncio, pathlib

def note(word):
    with pathlib.Path("database.log").open("a") as log:
        log.write(word + "\n")

class Transaction:
    async def start(self):
        note("start")
    async def rollback(self):
        await asyncio.sleep(0)
        note("rollback")

class Connection:
    def transaction(self):
        return Transaction()
    async def close(self):
        note("close")

async def connect(url):
    note("connect")
    return Connection()
"#;

#[test]
fn a_transaction_is_always_rolled_back() {
    let seed = Seed {
        files: &[("env.py", REFUNDS), ("asyncpg.py", ASYNCPG)],
        source: "env.py",
        plays: vec![("order 7", "*", vec![answer("refunded")])],
        expected: &[("refund", "0.5")],
    };
    let log = |output: &Output| std::fs::read_to_string(output.dir().join("database.log")).unwrap();
    for output in seed.check() {
        assert_eq!(log(&output), "connect\nstart\nrollback\nclose\n");
    }
    // Also when the model fails and nothing is graded.
    let output = seed
        .test("scripted:turns.yaml")
        .file("turns.yaml", "- error: {kind: request, message: no}\n")
        .run()
        .code(3);
    assert_eq!(log(&output), "connect\nstart\nrollback\nclose\n");
}

/// Seed 000's scenario.
const SUPPORT: &str = r#"
from typing import Any
from hud import Environment

env = Environment("support")

@env.scenario("help", chat=True)
async def help_chat(messages: list[dict[str, Any]] | None = None):
    messages = messages or []
    yield f"You said: {messages[-1]['content'] if messages else 'nothing yet'}"
    yield 1.0
"#;

#[test]
fn a_chat_scenario_is_evaluated_like_any_other() {
    Seed {
        files: &[
            ("env.py", SUPPORT),
            (
                "tasks.yaml",
                "env: env.py\ntasks:\n- {slug: none, scenario: help}\n- slug: some\n  scenario: help\n  args: {messages: [{role: user, content: ABC-123}]}\n",
            ),
        ],
        source: "tasks.yaml",
        plays: vec![
            ("You said: nothing yet", "none", vec![answer("hello")]),
            ("You said: ABC-123", "some", vec![answer("hello")]),
        ],
        expected: &[("none", "1"), ("some", "1")],
    }
    .check();
}

/// Seed 004: the older form of a task, with the config classes around it.
const LEGACY_TASKS: &str = r#"
from hud.types import AgentType, BaseAgentConfig, MCPToolCall, Task

task = Task(
    prompt="Navigate to example.com and click login",
    mcp_config={
        "local": {"command": "python3", "args": ["server.py"]}
    },
    setup_tool={"name": "playwright", "arguments": {"action": "navigate", "url": "https://example.com"}},
    evaluate_tool={"name": "evaluate", "arguments": {"name": "url_contains", "substring": "/login"}}
)
task.id = "login"

lost = Task(
    prompt="Stay where you are",
    id="lost",
    mcp_config={"local": {"command": "python3", "args": ["server.py"]}},
    system_prompt="Be careful.",
    setup_tool=[MCPToolCall(name="playwright", arguments={"action": "navigate", "url": "https://example.com"})],
    evaluate_tool=[
        {"name": "evaluate", "arguments": {"name": "url_contains", "substring": "/login"}},
        {"name": "evaluate", "arguments": {"name": "url_contains", "substring": "example.com"}},
    ],
    agent_config=BaseAgentConfig(disallowed_tools=["evaluate"], append_setup_output=False),
    metadata={"source": "seed 004"},
)

assert AgentType.CLAUDE.value == "claude"
"#;

/// A browser that only remembers where it is, as a stdio MCP server in plain Python.
const BROWSER: &str = r##"
import json, sys

url = "about:blank"

def text(value, **more):
    return {"content": [{"type": "text", "text": value}], **more}

def call(name, arguments):
    global url
    if name == "playwright" and arguments["action"] == "navigate":
        url = arguments["url"]
        return text(f"at {url}")
    if name == "playwright" and arguments["action"] == "click":
        url += "/login" if arguments["selector"] == "#submit" else "#"
        return text(f"at {url}")
    if name == "evaluate" and arguments["name"] == "url_contains":
        return text(json.dumps({"reward": 1.0 if arguments["substring"] in url else 0.0}))
    return text("what?", isError=True)

schema = {"type": "object", "properties": {}, "additionalProperties": True}
tools = [{"name": name, "description": name, "inputSchema": schema} for name in ("playwright", "evaluate")]

for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    method, params = message["method"], message.get("params") or {}
    if method == "initialize":
        info = {"name": "browser", "version": "1"}
        answer = {"result": {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": info}}
    elif method == "tools/list":
        answer = {"result": {"tools": tools}}
    elif method == "tools/call":
        answer = {"result": call(params["name"], params.get("arguments") or {})}
    elif method == "ping":
        answer = {"result": {}}
    else:
        answer = {"error": {"code": -32601, "message": f"no {method}"}}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer}), flush=True)
"##;

#[test]
fn a_task_of_the_older_form_sets_up_and_evaluates_with_tools() {
    let outputs = Seed {
        files: &[("tasks.py", LEGACY_TASKS), ("server.py", BROWSER)],
        source: "tasks.py",
        plays: vec![
            (
                "click login",
                "login",
                vec![
                    call(
                        "playwright",
                        json!({"action": "click", "selector": "#submit"}),
                    ),
                    answer("clicked"),
                ],
            ),
            ("Stay", "lost", vec![answer("here")]),
        ],
        expected: &[("login", "1"), ("lost", "0.5")],
    }
    .check();
    for output in outputs {
        let job = output.job();
        let prompt = |task: &str| job.steps(task, "prompt")[0].clone();
        let text = |task: &str| prompt(task)["messages"][0]["content"][0]["text"].clone();
        // What setup said follows the prompt, unless the config says otherwise.
        assert_eq!(
            text("login"),
            "Navigate to example.com and click login\n\nat https://example.com"
        );
        assert_eq!(text("lost"), "Stay where you are");
        assert_eq!(prompt("lost")["system"], "Be careful.");
        let names = |task: &str| -> Vec<String> {
            prompt(task)["tools"]
                .as_array()
                .unwrap()
                .iter()
                .map(|tool| tool["name"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(names("login"), ["playwright", "evaluate"]);
        assert_eq!(names("lost"), ["playwright"]);
    }
}

/// Seed 004's records, made and read inside an environment.
const TYPES: &str = r##"
from hud import Environment
from hud.types import AgentResponse, AgentType, BaseAgentConfig, EvaluationResult, MCPToolCall, MCPToolResult, SubScore, Task, TextContent, Trace

env = Environment("types")

tool_call = MCPToolCall(
    name="playwright",
    arguments={"action": "click", "selector": "#submit"}
)
assert tool_call.id and tool_call.id != MCPToolCall(name="x").id

trace = Trace()
assert (trace.reward, trace.done, trace.content, trace.isError, trace.info, trace.task, trace.trace, trace.messages) == (
    0.0, True, None, False, {}, None, [], [])

response = AgentResponse(tool_calls=[tool_call], content="clicking", reasoning="it is the only button")
assert (response.done, response.info, response.isError) == (False, {}, False)

config = BaseAgentConfig()
assert (config.allowed_tools, config.disallowed_tools, config.system_prompt, config.append_setup_output, config.response_tool_name) == (
    None, None, None, True, None)

assert {kind.name: kind.value for kind in AgentType if kind.name in ("CLAUDE", "OPENAI", "OPERATOR", "GEMINI", "OPENAI_COMPATIBLE")} == {
    "CLAUDE": "claude", "OPENAI": "openai", "OPERATOR": "operator", "GEMINI": "gemini", "OPENAI_COMPATIBLE": "openai_compatible"}

@env.tool()
def click(selector: str) -> MCPToolResult:
    """Click."""
    if selector != tool_call.arguments["selector"]:
        return MCPToolResult(content=[TextContent(text="nothing there", type="text")], isError=True)
    return MCPToolResult(content=[TextContent(text="clicked", type="text")], structuredContent={"selector": selector})

@env.scenario("click")
async def scenario():
    answer = yield response.content
    right = 1.0 if answer == "clicked" else 0.0
    yield EvaluationResult(
        reward=0.25 + 0.75 * right,
        done=True,
        content=f"the answer was {answer}",
        info={"answer": answer},
        subscores=[
            SubScore(name="showed up", weight=0.25, value=1.0),
            SubScore(name="right", weight=0.75, value=right),
        ],
    )

tasks = {"good": env("click"), "bad": Task(env=env, scenario="click", slug="bad")}
tasks["good"].slug = "good"
"##;

#[test]
fn the_types_are_what_they_were() {
    let outputs = Seed {
        files: &[("env.py", TYPES)],
        source: "env.py",
        plays: vec![(
            "clicking",
            "*",
            vec![
                call("click", json!({"selector": "#nowhere"})),
                call("click", json!({"selector": "#submit"})),
                answer("clicked"),
            ],
        )],
        expected: &[("bad", "1"), ("good", "1")],
    }
    .check();
    for output in outputs {
        let job = output.job();
        assert_eq!(
            job.tool_results("good"),
            [
                ("nothing there".to_owned(), true),
                ("clicked".to_owned(), false)
            ]
        );
        let outcome = &job.rollout("good")["outcome"];
        assert_eq!(outcome["content"], "the answer was clicked");
        assert_eq!(outcome["info"], json!({"answer": "clicked"}));
        assert_eq!(outcome["subscores"][1]["name"], "right");
        assert_eq!(outcome["subscores"][1]["weight"], 0.75);
    }
}
