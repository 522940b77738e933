"""`hud.Context`: what code tells and asks its client, for clients of both eras of MCP.

The client here plays the server in front of a worker: what it reads in `_meta` is what that server relies on.
"""

from __future__ import annotations

import json
import unittest
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, Optional, TypedDict

from client import Client, RpcError, Worker

from hud import Context
from hud._elicit import Form

SOURCE = """
    import asyncio
    import json
    from dataclasses import dataclass

    import hud
    from hud import Context

    env = hud.Environment("context")

    @dataclass
    class Name:
        name: str

    @env.tool
    async def about(ctx: Context) -> str:
        return json.dumps([ctx.request_id, ctx.session_id, ctx.client_info, ctx.client_capabilities, ctx.protocol_version,
                           ctx.supports("sampling"), ctx.supports("sampling.tools"), ctx.meta.get("mine")])

    @env.tool
    def logs(ctx: Context) -> str:
        for level in ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"):
            ctx.log(level, level)
        return "logged"

    @env.tool
    async def log_forms(ctx: Context) -> str:
        ctx.notice("text", "mine")
        await ctx.warning("text", extra={"count": 1})
        ctx.info({"any": ["json"]})
        try:
            ctx.log("text", "loud")
        except ValueError as error:
            return str(error)

    @env.tool
    async def three(ctx: Context) -> str:
        name, reply, roots = await asyncio.gather(
            ctx.elicit("who?", Name, key="who"), ctx.sample("greet"), ctx.list_roots(key="where")
        )
        return f"{reply} {name.data.name} from {roots[0].uri} ({roots[0].name})"

    @env.tool
    async def roots(ctx: Context) -> str:
        return repr(await ctx.list_roots())

    @env.tool
    async def page(ctx: Context) -> str:
        answer = await ctx.elicit_url("pay", "https://example.com/pay", "e1")
        return f"{answer.action} {answer.accepted}"

    @env.tool
    async def chooses(ctx: Context) -> str:
        answer = await ctx.elicit("which?", ["red", "green"])
        return f"{answer.accepted} {answer.data}"

    @env.tool
    async def with_tools(ctx: Context) -> str:
        tool = {"name": "add", "inputSchema": {"type": "object"}}
        first = await ctx.sample("add 1 and 2", tools=[tool], tool_choice="required", model=["small", "large"], stop_sequences=["END"])
        call = first.tool_calls[0]
        result = {"type": "tool_result", "toolUseId": call["id"], "content": [{"type": "text", "text": "3"}]}
        second = await ctx.sample([
            "add 1 and 2",
            {"role": "assistant", "content": first.blocks},
            {"role": "user", "content": [result]},
        ])
        return f"{first.stop_reason} {second.text} {second.stop_reason}"

    @env.tool
    async def copes(ctx: Context) -> str:
        try:
            await ctx.elicit("really?", bool)
        except hud.MissingCapability as error:
            return f"{error} {error.capabilities}"

    @env.tool
    async def in_the_background(ctx: Context) -> str:
        async def ask():
            return await ctx.sample("from a task")
        return (await asyncio.create_task(ask())).text

    @env.prompt
    async def asks(ctx: Context) -> str:
        return f"about {(await ctx.elicit('what?', str)).data}"

    @env.resource("data://asked")
    async def asked(ctx: Context) -> str:
        ctx.info("read")
        return (await ctx.sample("what?")).text

    @env.resource("data://part/{part}")
    def part(part: str, ctx: Context) -> str:
        return f"{part} for {ctx.request_id}"

    @env.scenario("interview")
    async def interview(ctx: Context):
        ctx.info("setup")
        name = await ctx.elicit("who?", Name)
        await ctx.report_progress(1)
        answer = yield f"Greet {name.data.name}"
        ctx.info("grade")
        await ctx.report_progress(2)
        judged = await ctx.sample("was it kind?")
        yield 1.0 if judged.text == "yes" else 0.0
"""

META = "io.modelcontextprotocol/"


def stateless(**more: Any) -> dict[str, Any]:
    """The `_meta` of a client without sessions that can do nothing but what is given."""
    return {f"{META}protocolVersion": "2026-07-28", f"{META}clientCapabilities": {}, **more}


def reply(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": {"type": "text", "text": text}, "model": "m", "stopReason": "endTurn"}


class WithWorker(unittest.TestCase):
    worker: Worker
    options: tuple[str, ...] = ()

    @classmethod
    def setUpClass(cls) -> None:
        cls.worker = Worker(SOURCE, *cls.options)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.worker.__exit__()

    def connect(self, **answers: Any) -> Client:
        return self.worker.connect(answers={name.replace("__", "/"): answer for name, answer in answers.items()})

    def call(self, client: Client, name: str, meta: dict[str, Any] | None = None) -> Any:
        result = client.request("tools/call", name=name, arguments={}, **({"_meta": meta} if meta else {}))
        return result["content"][0]["text"] if not result.get("isError") else ("error", result["content"][0]["text"])

    def logged(self, client: Client) -> list[Any]:
        return [m["params"]["data"] for m in client.notifications if m["method"] == "notifications/message"]


class Request(WithWorker):
    def test_who_asks(self) -> None:
        client = self.worker.connect(trace_id="the-trace", initialize=False)
        client.request(
            "initialize",
            protocolVersion="2025-11-25",
            capabilities={"sampling": {"tools": {}}},
            clientInfo={"name": "old", "version": "1"},
        )
        self.assertEqual(
            json.loads(self.call(client, "about")),
            [
                2,
                "the-trace",
                {"name": "old", "version": "1"},
                {"sampling": {"tools": {}}},
                "2025-11-25",
                True,
                True,
                None,
            ],
        )
        meta = stateless(mine=5, **{"hud/session": "s1", f"{META}clientInfo": {"name": "new", "version": "2"}})
        self.assertEqual(
            json.loads(self.call(client, "about", meta)),
            [3, "s1", {"name": "new", "version": "2"}, {}, "2026-07-28", False, False, 5],
        )

    def test_a_session_without_a_trace_has_a_name_too(self) -> None:
        names = set()
        for _ in range(2):
            client = self.worker.connect(trace_id="", log="/dev/null")
            first, second = (json.loads(self.call(client, "about"))[1] for _ in range(2))
            self.assertEqual(first, second)
            names.add(first)
        self.assertEqual(len(names), 2)

    def test_resources_and_prompts_have_a_context(self) -> None:
        client = self.connect(
            elicitation__create={"action": "accept", "content": {"value": "cats"}},
            sampling__createMessage=reply("an answer"),
        )
        prompt = client.request("prompts/get", name="asks")
        self.assertEqual(prompt["messages"][0]["content"]["text"], "about cats")
        self.assertEqual(client.request("resources/read", uri="data://asked")["contents"][0]["text"], "an answer")
        number = client.start("resources/read", uri="data://part/a%20b")
        self.assertEqual(client.finish(number)["contents"][0]["text"], f"a b for {number}")
        self.assertEqual([r["params"]["_meta"]["hud/request"] for r in client.requests], [2, 3])

    def test_a_scenario_asks_for_the_request_that_it_answers(self) -> None:
        client = self.connect(
            elicitation__create={"action": "accept", "content": {"name": "Ada"}}, sampling__createMessage=reply("yes")
        )
        setup = client.start("prompts/get", name="context:interview", arguments={}, _meta={"progressToken": "s"})
        self.assertEqual(client.finish(setup)["messages"][0]["content"]["text"], "Greet Ada")
        client.submit("interview", "hello")
        grade = client.start("resources/read", uri="context:interview", _meta={"progressToken": "g"})
        self.assertEqual(json.loads(client.finish(grade)["contents"][0]["text"])["reward"], 1.0)
        self.assertEqual([r["params"]["_meta"]["hud/request"] for r in client.requests], [setup, grade])
        progress = [m["params"] for m in client.notifications if m["method"] == "notifications/progress"]
        self.assertEqual([(p["progressToken"], p["progress"]) for p in progress], [("s", 1), ("g", 2)])
        logs = [m["params"] for m in client.notifications if m["method"] == "notifications/message"]
        self.assertEqual([(p["data"], p["_meta"]["hud/request"]) for p in logs], [("setup", setup), ("grade", grade)])

    def test_a_task_of_a_tool_asks_for_its_request(self) -> None:
        client = self.connect(sampling__createMessage=reply("heard"))
        self.assertEqual(self.call(client, "in_the_background"), "heard")
        self.assertEqual(client.requests[0]["params"]["_meta"], {"hud/request": 2})

    def test_without_a_client(self) -> None:
        context = Context()
        self.assertEqual((context.session_id, context.request_id, context.client_capabilities), (None, None, {}))
        self.assertFalse(context.supports("sampling"))
        for asks in (context.elicit("?"), context.list_roots(), context.elicit_url("?", "https://x")):
            with self.assertRaisesRegex(RuntimeError, "works in a rollout only: no client is connected"):
                asks.send(None)


class Logs(WithWorker):
    def test_a_level_is_kept_for_the_session(self) -> None:
        client, other = self.connect(), self.connect()
        self.call(client, "logs")
        self.assertEqual(len(self.logged(client)), 8)
        client.notifications.clear()
        self.assertEqual(client.request("logging/setLevel", level="error"), {})
        self.call(client, "logs")
        self.assertEqual(self.logged(client), ["error", "critical", "alert", "emergency"])
        self.call(other, "logs")
        self.assertEqual(len(self.logged(other)), 8)

    def test_a_level_that_is_none(self) -> None:
        with self.assertRaises(RpcError) as caught:
            self.connect().request("logging/setLevel", level="loud")
        self.assertEqual(caught.exception.code, -32602)
        self.assertIn("'loud': use one of debug, info", caught.exception.message)

    def test_a_stateless_client_hears_what_it_asked_for(self) -> None:
        client = self.connect()
        self.call(client, "logs", stateless())
        self.assertEqual(self.logged(client), [])
        self.call(client, "logs", stateless(**{f"{META}logLevel": "alert"}))
        self.assertEqual(self.logged(client), ["alert", "emergency"])

    def test_forms(self) -> None:
        client = self.connect()
        self.assertIn("log level 'loud': use one of debug", self.call(client, "log_forms"))
        meta = {"hud/request": 2}
        self.assertEqual(
            [m["params"] for m in client.notifications],
            [
                {"level": "notice", "data": "text", "logger": "mine", "_meta": meta},
                {"level": "warning", "data": {"message": "text", "count": 1}, "_meta": meta},
                {"level": "info", "data": {"any": ["json"]}, "_meta": meta},
            ],
        )


class Questions(WithWorker):
    def test_questions_that_are_awaited_together_are_sent_together(self) -> None:
        client = self.connect()
        number = client.start("tools/call", name="three", arguments={}, _meta={"progressToken": 1})
        asked = [client._line() for _ in range(3)]
        self.assertEqual(
            [(q["method"], q["params"]["_meta"]) for q in asked],
            [
                ("elicitation/create", {"hud/key": "who", "hud/request": number}),
                ("sampling/createMessage", {"hud/request": number}),
                ("roots/list", {"hud/key": "where", "hud/request": number}),
            ],
        )
        answers = {
            "elicitation/create": {"action": "accept", "content": {"name": "Ada"}},
            "sampling/createMessage": reply("hello"),
            "roots/list": {"roots": [{"uri": "file:///home", "name": "home"}]},
        }
        for question in reversed(asked):
            client.send({"jsonrpc": "2.0", "id": question["id"], "result": answers[question["method"]]})
        self.assertEqual(client.finish(number)["content"][0]["text"], "hello Ada from file:///home (home)")

    def test_a_cancelled_call_takes_its_questions_back(self) -> None:
        client = self.connect()
        number = client.start("tools/call", name="roots", arguments={})
        question = client._line()
        client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}})
        self.assertEqual(client.wait_for_notification("notifications/cancelled"), {"requestId": question["id"]})
        self.assertEqual(client.request("ping"), {})

    def test_a_web_page(self) -> None:
        client = self.connect(elicitation__create={"action": "accept"})
        self.assertEqual(self.call(client, "page"), "accept True")
        self.assertEqual(
            client.requests[0]["params"],
            {
                "mode": "url",
                "message": "pay",
                "url": "https://example.com/pay",
                "elicitationId": "e1",
                "_meta": {"hud/request": 2},
            },
        )

    def test_a_choice(self) -> None:
        client = self.connect(elicitation__create={"action": "accept", "content": {"value": "green"}})
        self.assertEqual(self.call(client, "chooses"), "True green")
        for content in ({"value": "blue"}, {}, {"value": 5}):
            client = self.connect(elicitation__create={"action": "accept", "content": content})
            kind, text = self.call(client, "chooses")
            self.assertEqual(kind, "error")
            self.assertIn("the client's answer does not fit the form: ", text)
        for action in ("decline", "cancel"):
            client = self.connect(elicitation__create={"action": action})
            self.assertEqual(self.call(client, "chooses"), "False None")

    def test_sampling_with_tools(self) -> None:
        asked: list[dict[str, Any]] = []

        def model(params: dict[str, Any]) -> dict[str, Any]:
            asked.append(params)
            if len(asked) == 2:
                return reply("3")
            call = {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1, "b": 2}}
            return {"role": "assistant", "content": [call], "model": "m", "stopReason": "toolUse"}

        self.assertEqual(self.call(self.connect(sampling__createMessage=model), "with_tools"), "toolUse 3 endTurn")
        first, second = asked
        self.assertEqual(
            {name: first[name] for name in ("tools", "toolChoice", "modelPreferences", "stopSequences")},
            {
                "tools": [{"name": "add", "inputSchema": {"type": "object"}}],
                "toolChoice": {"mode": "required"},
                "modelPreferences": {"hints": [{"name": "small"}, {"name": "large"}]},
                "stopSequences": ["END"],
            },
        )
        self.assertEqual([m["role"] for m in second["messages"]], ["user", "assistant", "user"])
        self.assertEqual(second["messages"][2]["content"][0]["toolUseId"], "t1")


class Capabilities(WithWorker):
    def error(self, method: str, **params: Any) -> RpcError:
        with self.assertRaises(RpcError) as caught:
            self.connect().request(method, **params, _meta=stateless())
        return caught.exception

    def test_a_stateless_request_is_refused_by_what_it_lacks(self) -> None:
        for method, params, expected in (
            ("tools/call", {"name": "roots"}, "roots"),
            ("tools/call", {"name": "three"}, "elicitation"),
            ("tools/call", {"name": "with_tools"}, "sampling"),
            ("prompts/get", {"name": "asks"}, "elicitation"),
            ("prompts/get", {"name": "context:interview", "arguments": {}}, "elicitation"),
            ("resources/read", {"uri": "data://asked"}, "sampling"),
        ):
            with self.subTest(params=params):
                error = self.error(method, **params)
                self.assertEqual((error.code, error.data), (-32021, {"requiredCapabilities": {expected: {}}}))
                self.assertIn(f"the client does not offer '{expected}'", error.message)

    def test_a_part_of_a_capability(self) -> None:
        meta = {**stateless(), f"{META}clientCapabilities": {"elicitation": {"form": {}}, "sampling": {}}}
        for name, required in (("page", {"elicitation": {"url": {}}}), ("with_tools", {"sampling": {"tools": {}}})):
            with self.assertRaises(RpcError) as caught:
                self.connect().request("tools/call", name=name, arguments={}, _meta=meta)
            self.assertEqual(caught.exception.data, {"requiredCapabilities": required})

    def test_a_client_that_can_is_asked(self) -> None:
        client = self.connect(roots__list={"roots": [{"uri": "file:///x"}]})
        meta = {**stateless(), f"{META}clientCapabilities": {"roots": {}}}
        self.assertEqual(self.call(client, "roots", meta), "[Root('file:///x')]")

    def test_code_may_do_without(self) -> None:
        text = self.call(self.connect(), "copes", stateless())
        self.assertEqual(text, "elicitation/create: the client does not offer 'elicitation' {'elicitation': {}}")

    def test_a_client_with_a_session_is_asked_in_any_case(self) -> None:
        client = self.connect()
        number = client.start("tools/call", name="roots", arguments={})
        question = client._line()
        error = {"code": -32021, "message": "no roots here", "data": {"requiredCapabilities": {"roots": {}}}}
        client.send({"jsonrpc": "2.0", "id": question["id"], "error": error})
        result = client.finish(number)
        self.assertTrue(result["isError"])
        self.assertEqual(
            result["content"][0]["text"], "Error calling tool 'roots': roots/list: the client does not offer 'roots'"
        )

    def test_the_server_in_front_may_say_so_too(self) -> None:
        client = self.connect()
        meta = {**stateless(), f"{META}clientCapabilities": {"roots": {}}}
        number = client.start("tools/call", name="roots", arguments={}, _meta=meta)
        question = client._line()
        error = {"code": -32021, "message": "no", "data": {"requiredCapabilities": {"roots": {}}}}
        client.send({"jsonrpc": "2.0", "id": question["id"], "error": error})
        with self.assertRaises(RpcError) as caught:
            client.finish(number)
        self.assertEqual(caught.exception.code, -32021)


class RequestInOneProcess(Request):
    """The same where one process serves every connection."""

    options = ("--isolation", "shared")

    def test_two_clients_at_once(self) -> None:
        clients = [self.connect() for _ in range(2)]
        calls = [client.start("tools/call", name="three", arguments={}) for client in clients]
        questions = [[client._line() for _ in range(3)] for client in clients]
        for number, (client, asked) in enumerate(zip(clients, questions)):
            for question in asked:
                answer = {
                    "elicitation/create": {"action": "accept", "content": {"name": f"Ada {number}"}},
                    "sampling/createMessage": reply(f"hello {number}"),
                    "roots/list": {"roots": [{"uri": f"file:///{number}"}]},
                }[question["method"]]
                client.send({"jsonrpc": "2.0", "id": question["id"], "result": answer})
        for number, (client, call) in enumerate(zip(clients, calls)):
            text = client.finish(call)["content"][0]["text"]
            self.assertEqual(text, f"hello {number} Ada {number} from file:///{number} (None)")


class LogsInOneProcess(Logs):
    """The same where one process serves every connection."""

    options = ("--isolation", "shared")


class QuestionsInOneProcess(Questions):
    """The same where one process serves every connection."""

    options = ("--isolation", "shared")


class Color(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Profile:
    """A person."""

    name: Annotated[str, "What you are called"]
    age: int = 30
    color: Color = Color.RED
    score: float = 1.5
    member: bool = False
    plan: Literal["free", "paid"] = "free"
    tags: list[Literal["a", "b"]] | None = None
    note: Optional[str] = None


class Terse(TypedDict, total=False):
    word: str


@dataclass
class Nested:
    inner: Profile


@dataclass
class Anything:
    field: Any


class Forms(unittest.TestCase):
    def check(self, wanted: Any, expected: dict[str, Any]) -> None:
        self.assertEqual(Form(wanted).schema, expected)

    def lone(self, field: dict[str, Any]) -> dict[str, Any]:
        return {"type": "object", "properties": {"value": field}, "required": ["value"]}

    def test_single_values(self) -> None:
        for wanted, field in (
            (str, {"type": "string"}),
            (int, {"type": "integer"}),
            (float, {"type": "number"}),
            (bool, {"type": "boolean"}),
            (Color, {"type": "string", "enum": ["red", "blue"]}),
            (Literal["x", "y"], {"type": "string", "enum": ["x", "y"]}),
            (["x", "y"], {"type": "string", "enum": ["x", "y"]}),
            (list[Color], {"type": "array", "items": {"type": "string", "enum": ["red", "blue"]}}),
            (Annotated[int, "How many"], {"type": "integer", "description": "How many"}),
            ({"type": "string", "format": "email"}, {"type": "string", "format": "email"}),
        ):
            with self.subTest(wanted=wanted):
                self.check(wanted, self.lone(field))
        self.check(None, {"type": "object", "properties": {}})

    def test_fields(self) -> None:
        self.check(
            Profile,
            {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "description": "What you are called"},
                    "age": {"type": "integer", "default": 30},
                    "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
                    "score": {"type": "number", "default": 1.5},
                    "member": {"type": "boolean", "default": False},
                    "plan": {"type": "string", "enum": ["free", "paid"], "default": "free"},
                    "tags": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
                    "note": {"type": "string"},
                },
                "required": ["name"],
            },
        )
        self.check(Terse, {"type": "object", "properties": {"word": {"type": "string"}}})

    def test_a_pydantic_model(self) -> None:
        try:
            from pydantic import BaseModel, Field
        except ImportError:
            self.skipTest("pydantic is not installed")

        class Login(BaseModel):
            email: str = Field(description="Your address", pattern="@")
            age: int = Field(ge=0, le=150)
            nickname: str | None = Field(None, max_length=20)

        self.check(
            Login,
            {
                "type": "object",
                "properties": {
                    "email": {"type": "string", "description": "Your address", "pattern": "@"},
                    "age": {"type": "integer", "minimum": 0, "maximum": 150},
                    "nickname": {"type": "string", "maxLength": 20},
                },
                "required": ["email", "age"],
            },
        )
        read = Form(Login).read({"action": "accept", "content": {"email": "a@b", "age": 3, "more": 1}})
        self.assertEqual(read, Login(email="a@b", age=3))

    def test_a_schema_of_ones_own_stays_as_it_is(self) -> None:
        own = {"type": "object", "properties": {"x": {"type": "string", "enumNames": ["One"], "enum": ["1"]}}}
        self.assertIs(Form(own).schema, own)

    def test_what_no_form_can_ask(self) -> None:
        for wanted, message in (
            (Nested, "field 'inner' is of type object"),
            (Anything, "field 'field' is of any type"),
            (list[str], "the answer is a list of anything"),
            (int | str, "the answer has several types"),
            (Literal[1, 2], "the answer is a choice of values that are no texts"),
        ):
            with self.subTest(wanted=wanted), self.assertRaisesRegex(TypeError, message):
                Form(wanted)

    def test_answers(self) -> None:
        def read(wanted: Any, **content: Any) -> Any:
            return Form(wanted).read({"action": "accept", "content": content})

        self.assertEqual(read(Color, value="blue"), Color.BLUE)
        self.assertEqual(read(list[Color], value=["red"]), [Color.RED])
        self.assertEqual(read(bool, value=False), False)
        self.assertEqual(read(Profile, name="Ada", color="blue", unasked=1), Profile("Ada", color=Color.BLUE))
        self.assertEqual(read({"type": "integer"}, value=3), 3)
        self.assertEqual(read({"type": "object", "properties": {}}, x=1), {"x": 1})
        self.assertIsNone(Form(int).read({"action": "decline"}))
        refused: list[Callable[[], Any]] = [
            lambda: read(int, value="3"),
            lambda: read(Profile, age=3),
            lambda: Form(int).read({"action": "accept"}),
            lambda: Form(int).read({"action": "accept", "content": 5}),
        ]
        for wrong in refused:
            with self.assertRaisesRegex(ValueError, "the client's answer does not fit the form"):
                wrong()


if __name__ == "__main__":
    unittest.main()
