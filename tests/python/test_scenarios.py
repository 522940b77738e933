"""Scenarios over MCP: arguments, every form of both yields, answers, errors, exclusions, templates."""

from __future__ import annotations

import json
import unittest

from client import Client, RpcError, Worker

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

SOURCE = (
    '''
    import asyncio
    import dataclasses
    import enum
    from dataclasses import dataclass
    from datetime import date
    from decimal import Decimal
    from pathlib import Path
    from typing import Any, Literal, NamedTuple, Optional, TypedDict

    import hud
    from hud.types import EvaluationResult, ImageContent, PromptMessage, SubScore, TextContent

    env = hud.Environment("Scenario Tests", instructions="Be brief.", version="2.3.4")

    PIXEL = "%s"

    class Color(enum.Enum):
        RED = "red"
        BLUE = "blue"

    @dataclass
    class Point:
        x: int
        y: float = 1.0

    class Row(TypedDict, total=False):
        a: int

    @env.scenario("args", description="Takes everything.")
    async def args(
        s: str,
        i: int = 1,
        f: float = 0.5,
        b: bool = False,
        o: Optional[str] = None,
        l: list[int] = [],
        d: dict[str, int] = {},
        lit: Literal["u", "1"] = "u",
        color: Color = Color.RED,
        point: Point = Point(0),
        row: Row = {},
        when: date = date(2024, 1, 1),
        path: Path = Path("."),
        amount: Decimal = Decimal("1"),
        either: int | str = 0,
        anything: Any = None,
        untyped=None,
        *,
        only: bool = True,
    ):
        yield repr((s, i, f, b, o, l, d, lit, color, point, row, when, path, amount, either, anything, untyped, only))
        yield 1.0

    class Pair(NamedTuple):
        a: int
        b: int = 2

    @env.scenario("named")
    async def named(pair: Pair):
        yield repr(pair)

    @env.scenario("words")
    async def words(word: str, count: int):
        """Counts words.

        Args:
            word: the word
            count: how many
        """
        yield "x"

    @env.scenario("extra")
    async def extra(**kwargs: int):
        yield repr(kwargs)

    PROMPTS = {
        "text": "hello",
        "block": TextContent(text="a block"),
        "dict block": {"type": "text", "text": "a dict"},
        "image": [TextContent(text="look"), ImageContent(data=PIXEL, mimeType="image/png")],
        "messages": [
            PromptMessage(role="user", content="one"),
            {"role": "assistant", "content": "two"},
            {"role": "user", "content": [{"type": "text", "text": "three"}, {"type": "image", "data": PIXEL, "mimeType": "image/png"}]},
            "four",
        ],
        "system": [
            {"role": "system", "content": [TextContent(text="rules"), ImageContent(data=PIXEL, mimeType="image/png")]},
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": "yes"},
            {"role": "developer", "content": "more"},
        ],
        "openai": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64," + PIXEL}}]}],
        "anthropic": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}]}],
        "number": 42,
        "none": None,
        "empty": [],
        "empty text": "",
        "blank": [{"role": "user", "content": " \\n"}, TextContent(text=""), {"role": "user", "content": []}],
        "object": object(),
        "unknown dict": {"hello": "world"},
        "bad role": [{"role": "boss", "content": "x"}],
    }

    @env.scenario("prompt")
    async def prompt(form: str):
        yield PROMPTS[form]
        yield 1.0

    GRADES = {
        "float": 0.25,
        "int": 1,
        "true": True,
        "negative": -1.5,
        "decimal": Decimal("0.5"),
        "dict": {"reward": 0.5, "done": False, "content": "half", "info": {"why": [1, 2]}},
        "result": EvaluationResult(
            reward=0.5,
            content="good",
            subscores=[SubScore(name="a", weight=0.5, value=1.0, metadata={"secret": "graders see this"}), SubScore(name="b", weight=0.5, value=0.0)],
        ),
        "error": EvaluationResult(reward=0.0, isError=True, content="grader broke"),
        "number text": "0.5",
        "dict number text": {"reward": " 1 "},
        "text": "good",
        "bytes": b"0.5",
        "nan text": "nan",
        "none": None,
        "nan": float("nan"),
        "list": [1.0],
        "dict without": {"points": 3},
        "dict text": {"reward": "high"},
        "score": {"score": 0.5},
    }

    @env.scenario("grade")
    async def grade(form: str):
        yield "prompt"
        yield GRADES[form]

    @env.scenario("once")
    async def once():
        yield "prompt"

    @env.scenario("never")
    async def never():
        if False:
            yield "prompt"

    @env.scenario("echo")
    async def echo():
        answer = yield "say something"
        yield {"reward": 1.0, "info": {"answer": answer, "type": type(answer).__name__}}

    @env.scenario("structured", returns=Point, enable_citations=True)
    async def structured():
        answer = yield "where?"
        yield {
            "reward": 1.0 if answer.content == Point(1, 2.0) else 0.0,
            "info": {"raw": answer.raw, "citations": [c.source for c in answer.citations], "content": repr(answer.content)},
        }

    @env.scenario("broken_setup")
    async def broken_setup():
        secret_local = 1
        helper()
        yield "never"

    def helper():
        raise ValueError("setup broke")

    @env.scenario("broken_grade")
    async def broken_grade():
        yield "prompt"
        raise KeyError("missing")

    @env.scenario("leaves")
    async def leaves():
        import sys
        sys.exit(3)
        yield "never"

    @env.tool
    def allowed() -> str:
        return "ok"

    @env.tool
    def browser_click() -> str:
        return "clicked"

    @env.tool
    def browser_read() -> str:
        return "read"

    @env.tool("_secret")
    def secret() -> str:
        return "hidden"

    @env.tool
    def explode() -> str:
        raise ValueError("kaboom")

    @env.scenario(
        "rules",
        exclude_tools=["browser_*"],
        allowed_tools=["browser_read"],
        exclude_sources=["browser"],
        required_env_vars=["SOME_KEY"],
    )
    async def rules():
        result = await env.call_tool("browser_click")
        yield f"{result.content[0].text} {result.structuredContent}"
        yield 1.0

    @env.scenario("remote")
    async def remote():
        tools = [tool.name for tool in await env.list_tools()]
        result = await env.call_tool("far_away", x=1, when=date(2024, 1, 1))
        yield f"{tools[-1]} {len(env.list_tools())} {result.content[0].text} {result.structuredContent} {result.isError}"
        try:
            await env.call_tool("fails")
        except RuntimeError as error:
            yield {"reward": 0.0, "info": {"error": str(error)}}

    @env.scenario("local_error")
    async def local_error():
        found = []
        for call in (("explode",), ("browser_click", {"x": 1})):
            try:
                await env.call_tool(call)
            except hud.ToolError as error:
                found.append(str(error))
        yield "; ".join(found)

    @env.scenario("judged")
    async def judged():
        from hud.graders import LLMJudgeGrader, combine
        answer = yield "Why is the sky blue?"
        yield await combine(LLMJudgeGrader.grade(weight=1.0, answer=answer, criteria=["Names Rayleigh"]))

    @env.scenario("help", chat=True)
    async def help_chat(messages: list[dict[str, Any]] | None = None):
        messages = messages or []
        yield f"You said: {messages[-1]['content'] if messages else 'nothing yet'}"
        yield 1.0

    @env.template(description="Counts.", returns=int)
    async def count(word: str, letter: str = "r"):
        answer = yield {"prompt": f"How many {letter} in {word}?", "bindings": {"shell": {"cwd": "/"}}}
        yield {"score": 1.0 if answer.content == word.count(letter) else 0.0, "note": "kept"}

    @env.template(id="bare")
    async def bare_template(form: str):
        yield "prompt"
        if form != "nothing":
            yield {"number": 0.5, "reward": {"reward": 1.0}, "true": True, "result": EvaluationResult(reward=0.75), "text": "0.5"}[form]

    @env.template()
    async def blank_template():
        yield {"prompt": " "}

    @env.prompt("with_system")
    def with_system():
        return [{"role": "system", "content": "rules"}, "go"]

    @env.template()
    async def any_answer():
        answer = yield "prompt"
        yield {"score": 1.0, "info": {"answer": answer}}

    task = count("strawberry")
'''
    % PIXEL
)


class WithCopy(unittest.TestCase):
    worker: Worker

    @classmethod
    def setUpClass(cls) -> None:
        cls.worker = Worker(SOURCE)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.worker.__exit__()

    def setUp(self) -> None:
        self.client: Client = self.worker.connect()

    def fails(self, method: str, **params: object) -> RpcError:
        with self.assertRaises(RpcError) as caught:
            self.client.request(method, **params)
        return caught.exception

    def assert_place(self, error: RpcError, code: str, exception: str) -> None:
        """The error points to this line of the environment, and says its sentence only once."""
        self.assertEqual((error.hud["file"], error.hud["exception"]), (str(self.worker.entry), exception))
        line = self.worker.entry.read_text().splitlines()[error.hud["line"] - 1]
        self.assertEqual(line.strip(), code)
        self.assertIn(code, error.hud["trace"])
        self.assertNotIn("Error", error.hud["trace"])

    def setup_fails(self, name: str, **arguments: str) -> RpcError:
        return self.fails("prompts/get", name=f"scenario-tests:{name}", arguments=arguments)


class Arguments(WithCopy):
    def prompt(self, **arguments: str) -> list[str]:
        text = self.client.prompt("scenario-tests:args", **{"s": "x", **arguments})
        return text[1:-1].split(", ")

    def one(self, position: int, **arguments: str) -> str:
        return self.prompt(**arguments)[position]

    def test_a_text_stays_a_text(self) -> None:
        for text in ("123", "[1]", '"quoted"', "null", "true", "{}", " padded "):
            self.assertEqual(self.one(0, s=text), repr(text))

    def test_values_of_other_types(self) -> None:
        cases: list[tuple[str, str, int, str]] = [
            ("i", "7", 1, "7"),
            ("i", "7.0", 1, "7"),
            ("f", "2", 2, "2.0"),
            ("b", "true", 3, "True"),
            ("b", "True", 3, "True"),
            ("o", "null", 4, "None"),
            ("o", "123", 4, "'123'"),
            ("o", "word", 4, "'word'"),
            ("lit", "1", 7, "'1'"),
            ("color", "blue", 8, "<Color.BLUE: 'blue'>"),
            ("color", '"blue"', 8, "<Color.BLUE: 'blue'>"),
            ("path", "123", -6, "PosixPath('123')"),
            ("amount", "1.10", -5, "Decimal('1.10')"),
            ("either", "5", -4, "5"),
            ("either", "five", -4, "'five'"),
            ("anything", "[true]", -3, "[True]"),
            ("anything", "plain words", -3, "'plain words'"),
            ("untyped", "5", -2, "5"),
            ("only", "false", -1, "False"),
        ]
        for name, text, position, expected in cases:
            with self.subTest(name=name, text=text):
                self.assertEqual(self.one(position, **{name: text}), expected)

    def test_containers(self) -> None:
        text = self.client.prompt(
            "scenario-tests:args", s="", l="[1, 2]", d='{"k": 3}', point='{"x": 4}', row='{"a": 5}', when="2025-06-07"
        )
        for part in ("[1, 2]", "{'k': 3}", "Point(x=4, y=1.0)", "{'a': 5}", "datetime.date(2025, 6, 7)"):
            self.assertIn(part, text)

    def test_all_mistakes_are_in_one_error(self) -> None:
        error = self.setup_fails("words", wrod="x", count="many")
        self.assertEqual(error.code, -32602)
        self.assertEqual(
            error.message,
            "scenario 'words': unknown argument 'wrod' (did you mean 'word'?); "
            "argument 'count' (int): 'many' is not an integer; missing argument 'word' (str)",
        )
        self.assertEqual((error.hud["kind"], error.hud["trace"]), ("setup", ""))

    def test_what_the_schema_refuses_the_decoder_refuses(self) -> None:
        scenario = next(s for s in self.worker.describe["scenarios"] if s["name"] == "args")
        schemas = {argument["name"]: argument["inputSchema"] for argument in scenario["arguments"]}
        for name, kind, text in (("point", "Point", '{"x": 1, "z": 1}'), ("row", "Row", '{"z": 1}')):
            self.assertIs(schemas[name]["$defs"][kind]["additionalProperties"], False)
            self.assertIn(f"unknown field 'z' of {kind}", self.setup_fails("args", s="", **{name: text}).message)
        # A named tuple is an array in both.
        self.assertIn("is not an array of a, b (Pair)", self.setup_fails("named", pair='{"a": 1}').message)
        self.assertIn("is not an array of a, b (Pair)", self.setup_fails("named", pair="[1, 2, 3]").message)
        self.assertEqual(self.client.prompt("named", pair="[1]"), "Pair(a=1, b=2)")

    def test_wrong_values(self) -> None:
        for arguments, expected in (
            ({"i": "1.5"}, "argument 'i' (int): 1.5 is not an integer"),
            ({"b": "maybe"}, "argument 'b' (bool): 'maybe' is not true or false"),
            ({"l": '["x"]'}, "argument 'l' (list[int]): [0]: 'x' is not an integer"),
            ({"color": "green"}, "is not one of 'red', 'blue'"),
            ({"point": '{"y": 1}'}, "Point needs field 'x'"),
            ({"point": '{"x": 1, "z": 1}'}, "unknown field 'z' of Point"),
            ({"when": "soon"}, "'soon' is not a date"),
        ):
            with self.subTest(arguments=arguments):
                self.assertIn(expected, self.setup_fails("args", s="", **arguments).message)

    def test_extra_arguments(self) -> None:
        self.assertEqual(self.client.prompt("scenario-tests:extra", a="1", b="2"), "{'a': 1, 'b': 2}")

    def test_an_unknown_scenario_lists_the_known_ones(self) -> None:
        error = self.setup_fails("nope")
        self.assertEqual(error.code, -32602)
        self.assertIn("scenario-tests:words", error.message)

    def test_the_name_alone_and_the_name_as_written_work_too(self) -> None:
        self.assertEqual(self.client.prompt("once"), "prompt")
        self.assertEqual(self.client.prompt("Scenario Tests:once"), "prompt")


class Prompts(WithCopy):
    def messages(self, form: str) -> list[tuple[str, str]]:
        result = self.client.setup("scenario-tests:prompt", form=form)
        return [(m["role"], m["content"].get("text") or m["content"]["mimeType"]) for m in result["messages"]]

    def test_forms(self) -> None:
        image = ("user", "image/png")
        for form, expected in (
            ("text", [("user", "hello")]),
            ("block", [("user", "a block")]),
            ("dict block", [("user", "a dict")]),
            ("image", [("user", "look"), image]),
            ("messages", [("user", "one"), ("assistant", "two"), ("user", "three"), image, ("user", "four")]),
            ("system", [("user", "rules"), image, ("user", "go"), ("assistant", "yes"), ("user", "more")]),
            ("openai", [image]),
            ("anthropic", [image]),
            ("number", [("user", "42")]),
        ):
            with self.subTest(form=form):
                self.assertEqual(self.messages(form), expected)

    def test_the_image_arrives_whole(self) -> None:
        result = self.client.setup("scenario-tests:prompt", form="image")
        self.assertEqual(result["messages"][1]["content"], {"type": "image", "data": PIXEL, "mimeType": "image/png"})

    def test_true_roles_stand_beside_the_messages(self) -> None:
        meta = self.client.setup("scenario-tests:prompt", form="system")["_meta"]
        self.assertEqual(meta["hud/roles"], ["system", "system", "user", "assistant", "system"])
        self.assertNotIn("hud/roles", self.client.setup("scenario-tests:prompt", form="messages")["_meta"])
        prompt = self.client.setup("with_system")
        self.assertEqual([m["role"] for m in prompt["messages"]], ["user", "user"])
        self.assertEqual(prompt["_meta"], {"hud/roles": ["system", "user"]})

    def test_what_is_no_prompt_is_a_setup_error(self) -> None:
        for form, exception, expected in (
            ("none", "TypeError", "the prompt is None"),
            ("empty", "ValueError", "the scenario 'prompt' yielded an empty prompt"),
            ("empty text", "ValueError", "the scenario 'prompt' yielded an empty prompt"),
            ("blank", "ValueError", "the scenario 'prompt' yielded an empty prompt"),
            ("object", "TypeError", "the prompt is object"),
            ("unknown dict", "TypeError", "a dict with the keys 'hello'"),
            ("bad role", "TypeError", "role 'boss'"),
        ):
            with self.subTest(form=form):
                error = self.setup_fails("prompt", form=form)
                self.assertEqual((error.code, error.hud["kind"]), (-32000, "setup"))
                self.assertIn(expected, error.message)
                self.assert_place(error, "yield PROMPTS[form]", exception)

    def test_an_empty_prompt_of_a_template(self) -> None:
        error = self.setup_fails("blank_template")
        self.assertEqual(error.message, "the template 'blank_template' yielded an empty prompt")
        self.assert_place(error, 'yield {"prompt": " "}', "ValueError")

    def test_no_first_yield(self) -> None:
        error = self.setup_fails("never")
        self.assertIn("ended without yielding a prompt", error.message)
        self.assert_place(error, '@env.scenario("never")', "RuntimeError")


class Grades(WithCopy):
    def grade(self, form: str) -> dict[str, object]:
        self.client.setup("scenario-tests:grade", form=form)
        return self.client.grade("scenario-tests:grade")

    def test_forms(self) -> None:
        plain = {"done": True, "info": {}, "isError": False}
        for form, expected in (
            ("float", {"reward": 0.25, **plain}),
            ("int", {"reward": 1.0, **plain}),
            ("true", {"reward": 1.0, **plain}),
            ("negative", {"reward": -1.5, **plain}),
            ("decimal", {"reward": 0.5, **plain}),
            ("score", {"reward": 0.5, **plain}),
            ("number text", {"reward": 0.5, **plain}),
            ("dict number text", {"reward": 1.0, **plain}),
            ("dict", {"reward": 0.5, "done": False, "content": "half", "info": {"why": [1, 2]}, "isError": False}),
            (
                "result",
                {
                    "reward": 0.5,
                    "content": "good",
                    **plain,
                    "subscores": [
                        {"name": "a", "weight": 0.5, "value": 1.0},
                        {"name": "b", "weight": 0.5, "value": 0.0},
                    ],
                },
            ),
            ("error", {"reward": 0.0, "done": True, "content": "grader broke", "info": {}, "isError": True}),
        ):
            with self.subTest(form=form):
                self.assertEqual(self.grade(form), expected)

    def test_no_second_yield_is_success(self) -> None:
        self.client.setup("scenario-tests:once")
        self.assertEqual(self.client.grade("scenario-tests:once")["reward"], 1.0)

    def test_what_is_no_grade_is_an_error_and_never_a_reward(self) -> None:
        for form, expected in (
            ("text", "'good'"),
            ("bytes", "b'0.5'"),
            ("nan text", "nan"),
            ("none", "None"),
            ("nan", "nan"),
            ("list", "[1.0]"),
            ("dict without", "numeric 'reward'"),
            ("dict text", "numeric 'reward'"),
        ):
            with self.subTest(form=form):
                self.client.setup("scenario-tests:grade", form=form)
                error = self.fails("resources/read", uri="scenario-tests:grade")
                self.assertEqual((error.code, error.hud["kind"]), (-32000, "grade"))
                self.assertIn(expected, error.message)
                self.assert_place(error, "yield GRADES[form]", "ValueError" if "nan" in form else "TypeError")

    def test_a_template_takes_no_text_for_a_number(self) -> None:
        self.client.setup("bare", form="text")
        self.assertIn("graded with '0.5'", self.fails("resources/read", uri="bare").message)

    def test_a_grade_consumes_the_session(self) -> None:
        self.client.setup("scenario-tests:once")
        self.client.grade("scenario-tests:once")
        error = self.fails("resources/read", uri="scenario-tests:once")
        self.assertEqual((error.code, error.message), (-32002, "Resource not found: scenario-tests:once"))

    def test_another_scenarios_grade_is_not_found(self) -> None:
        self.client.setup("scenario-tests:once")
        self.fails("resources/read", uri="scenario-tests:echo")
        self.assertEqual(self.client.grade("scenario-tests:once")["reward"], 1.0)


class Answers(WithCopy):
    def answer(self, answer: object) -> object:
        self.client.setup("scenario-tests:echo")
        self.client.submit("echo", answer)
        return self.client.grade("scenario-tests:echo")["info"]["answer"]

    def test_a_text_stays_as_it_is(self) -> None:
        for text in ("words", "", '{"total": 5}', "[1, 2]", "123", '{"content": "x"}'):
            self.assertEqual(self.answer(text), text)

    def test_the_envelope_is_unpacked(self) -> None:
        self.assertEqual(self.answer(json.dumps({"content": "x", "citations": []})), "x")

    def test_no_answer_is_none(self) -> None:
        self.client.setup("scenario-tests:echo")
        self.assertIsNone(self.client.grade("scenario-tests:echo")["info"]["answer"])

    def test_a_structured_answer(self) -> None:
        result = self.client.setup("scenario-tests:structured")
        self.assertEqual(result["_meta"]["returns_schema"]["required"], ["x"])
        self.assertTrue(result["_meta"]["enable_citations"])
        raw = '{"x": 1, "y": 2}'
        self.client.submit("structured", json.dumps({"content": raw, "citations": [{"source": "s"}]}))
        grade = self.client.grade("scenario-tests:structured")
        self.assertEqual(grade["reward"], 1.0)
        self.assertEqual((grade["info"]["raw"], grade["info"]["citations"]), (raw, ["s"]))

    def test_a_fenced_structured_answer(self) -> None:
        self.client.setup("scenario-tests:structured")
        self.client.submit("structured", '```json\n{"x": 1, "y": 2}\n```')
        self.assertEqual(self.client.grade("scenario-tests:structured")["reward"], 1.0)

    def test_an_answer_that_does_not_parse_stays_text(self) -> None:
        self.client.setup("scenario-tests:structured")
        self.client.submit("structured", "over there")
        grade = self.client.grade("scenario-tests:structured")
        self.assertEqual((grade["reward"], grade["info"]["content"]), (0.0, "'over there'"))

    def test_errors_of_submit(self) -> None:
        self.assertEqual(self.client.submit("echo", "x")["content"][0]["text"], "No active scenario session for 'echo'")
        self.client.setup("scenario-tests:once")
        result = self.client.submit("echo", "x")
        self.assertTrue(result["isError"])
        self.assertEqual(
            result["content"][0]["text"], "Scenario mismatch: active is 'once', but received answer for 'echo'"
        )
        self.assertEqual(
            self.client.error("_hud_submit", scenario="once"), "Input validation error: 'answer' is a required property"
        )


class Failures(WithCopy):
    def test_setup(self) -> None:
        error = self.setup_fails("broken_setup")
        self.assertEqual((error.code, error.message), (-32000, "ValueError: setup broke"))
        self.assertEqual((error.hud["kind"], error.hud["exception"]), ("setup", "ValueError"))
        self.assertEqual(error.hud["file"], str(self.worker.entry))
        line = self.worker.entry.read_text().splitlines()[error.hud["line"] - 1]
        self.assertEqual(line.strip(), 'raise ValueError("setup broke")')
        self.assertIn("in broken_setup", error.hud["trace"])
        self.assertNotIn("_session.py", error.hud["trace"])
        # The message has said this; only the frames are missing.
        self.assertNotIn("ValueError: setup broke", error.hud["trace"])
        self.assertIn("ValueError: setup broke", self.worker.end(self.client))

    def test_grading(self) -> None:
        self.client.setup("scenario-tests:broken_grade")
        error = self.fails("resources/read", uri="scenario-tests:broken_grade")
        self.assertEqual((error.code, error.message), (-32000, "KeyError: key 'missing' not found"))
        self.assertEqual((error.hud["kind"], error.hud["exception"]), ("grade", "KeyError"))
        self.assertEqual(error.hud["file"], str(self.worker.entry))

    def test_sys_exit(self) -> None:
        self.assertEqual(self.setup_fails("leaves").message, "SystemExit: called sys.exit(3)")
        self.assertEqual(self.client.prompt("once"), "prompt")


class Tools(WithCopy):
    def names(self) -> list[str]:
        return [tool["name"] for tool in self.client.request("tools/list")["tools"]]

    def test_exclusions_hold_while_the_scenario_runs(self) -> None:
        everything = ["allowed", "browser_click", "browser_read", "explode"]
        self.assertEqual(self.names(), everything)
        result = self.client.setup("scenario-tests:rules")
        self.assertEqual(result["messages"][0]["content"]["text"], "clicked {'result': 'clicked'}")
        self.assertEqual(
            result["_meta"],
            {"exclude_tools": ["browser_*"], "exclude_sources": ["browser"], "allowed_tools": ["browser_read"]},
        )
        self.assertEqual(self.names(), ["allowed", "browser_read", "explode"])
        self.assertEqual(
            self.client.error("browser_click"), "Tool 'browser_click' is not available in the current scenario."
        )
        self.assertEqual(self.client.text("browser_read"), "read")
        self.assertEqual(self.client.text("_secret"), "hidden")
        self.client.grade("scenario-tests:rules")
        self.assertEqual(self.names(), everything)
        self.assertEqual(self.client.text("browser_click"), "clicked")

    def test_the_scenarios_own_calls_of_other_tools_go_to_the_client(self) -> None:
        calls = []

        def call(params: dict[str, object]) -> object:
            calls.append(params)
            if params["name"] == "fails":
                return RuntimeError("no such tool")
            return {"content": [{"type": "text", "text": "from afar"}], "structuredContent": {"k": 1}, "isError": False}

        client = self.worker.connect(
            answers={"hud/callTool": call, "hud/listTools": {"tools": [{"name": "far_away"}, {"name": "allowed"}]}}
        )
        self.assertEqual(client.prompt("scenario-tests:remote"), "far_away 4 from afar {'k': 1} False")
        self.assertEqual(calls, [{"name": "far_away", "arguments": {"x": 1, "when": "2024-01-01"}}])
        self.assertEqual(client.grade("scenario-tests:remote")["info"]["error"], "hud/callTool: no such tool")

    def test_errors_of_local_tools_are_raised(self) -> None:
        self.assertEqual(
            self.client.prompt("scenario-tests:local_error"),
            "Error calling tool 'explode': kaboom; "
            "Input validation error: Additional properties are not allowed ('x' was unexpected)",
        )


class Judging(WithCopy):
    def test_a_judge_asks_the_client(self) -> None:
        verdict = json.dumps({"explanation": "it does", "criterion_status": "MET"})
        answer = {"role": "assistant", "content": {"type": "text", "text": verdict}, "model": "m"}
        client = self.worker.connect(answers={"sampling/createMessage": answer})
        client.setup("scenario-tests:judged")
        client.submit("judged", "Rayleigh scattering")
        self.assertEqual(client.grade("scenario-tests:judged")["reward"], 1.0)
        self.assertEqual(client.requests[0]["params"]["metadata"], {"hud/purpose": "judge"})

    def test_without_a_judge_there_is_no_grade(self) -> None:
        client = self.worker.connect(answers={"sampling/createMessage": RuntimeError("not granted")})
        client.setup("scenario-tests:judged")
        with self.assertRaises(RpcError) as caught:
            client.grade("scenario-tests:judged")
        self.assertEqual(caught.exception.hud["kind"], "grade")
        self.assertIn("not granted", caught.exception.message)


class Chat(WithCopy):
    def test_messages_are_passed(self) -> None:
        result = self.client.setup("scenario-tests:help", messages=json.dumps([{"role": "user", "content": "hi"}]))
        self.assertEqual(result["messages"][0]["content"]["text"], "You said: hi")
        self.assertEqual(result["_meta"], {"chat": True})
        self.assertEqual(self.client.prompt("scenario-tests:help"), "You said: nothing yet")


class Templates(WithCopy):
    def test_a_template(self) -> None:
        result = self.client.setup("scenario-tests:count", word="strawberry")
        self.assertEqual(result["messages"][0]["content"]["text"], "How many r in strawberry?")
        self.assertEqual(result["_meta"]["bindings"], {"shell": {"cwd": "/"}})
        self.client.submit("count", "3")
        self.assertEqual(
            self.client.grade("scenario-tests:count"),
            {"reward": 1.0, "done": True, "info": {}, "isError": False, "note": "kept"},
        )

    def test_its_grades(self) -> None:
        for form, reward in (("number", 0.5), ("true", 1.0), ("result", 0.75), ("nothing", 0.0)):
            with self.subTest(form=form):
                self.client.setup("scenario-tests:bare", form=form)
                self.assertEqual(self.client.grade("scenario-tests:bare")["reward"], reward)

    def test_a_dict_needs_a_score(self) -> None:
        self.client.setup("scenario-tests:bare", form="reward")
        self.assertIn("numeric 'score'", self.fails("resources/read", uri="scenario-tests:bare").message)

    def test_its_answer_may_be_any_json(self) -> None:
        self.client.setup("scenario-tests:any_answer")
        self.client.submit("any_answer", {"total": [1, 2]})
        self.assertEqual(self.client.grade("scenario-tests:any_answer")["info"]["answer"], {"total": [1, 2]})


class Listings(WithCopy):
    def test_initialize(self) -> None:
        for version in ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"):
            result = self.worker.connect(initialize=False).initialize(version)
            self.assertEqual(result["protocolVersion"], version)
        self.assertEqual(
            self.worker.connect(initialize=False).initialize("1999-01-01")["protocolVersion"], "2025-11-25"
        )
        self.assertEqual(result["serverInfo"], {"name": "scenario-tests", "version": "2.3.4"})
        self.assertEqual(result["instructions"], "Be brief.")
        for capability in ("tools", "prompts", "resources"):
            self.assertTrue(result["capabilities"][capability]["listChanged"])
        self.assertEqual(result["capabilities"]["logging"], {})

    def test_prompts(self) -> None:
        listed = {prompt["name"]: prompt for prompt in self.client.request("prompts/list")["prompts"]}
        words = listed["scenario-tests:words"]
        self.assertEqual(words["description"], "[Setup] Counts words.")
        self.assertEqual(words["arguments"], [{"name": "word", "required": True}, {"name": "count", "required": True}])
        self.assertEqual(words["_meta"]["arguments"][0]["type"], "string")
        self.assertEqual(words["_meta"]["arguments"][1]["inputSchema"]["description"], "how many")
        args = {entry["name"]: entry for entry in listed["scenario-tests:args"]["_meta"]["arguments"]}
        self.assertEqual(args["i"], {"name": "i", "required": False, "default": 1, "type": "integer"})
        self.assertEqual(args["color"]["default"], "red")
        self.assertIn("$defs", args["point"]["inputSchema"])
        rules = listed["scenario-tests:rules"]["_meta"]
        self.assertEqual((rules["required_env_vars"], rules["exclude_tools"]), (["SOME_KEY"], ["browser_*"]))

    def test_resources(self) -> None:
        listed = {resource["uri"]: resource for resource in self.client.request("resources/list")["resources"]}
        words = listed["scenario-tests:words"]
        self.assertEqual(
            (words["name"], words["description"], words["mimeType"]),
            ("words", "[Evaluate] Counts words.", "application/json"),
        )
        self.assertEqual(self.client.request("resources/templates/list"), {"resourceTemplates": []})

    def test_no_listing_contains_the_source_of_a_scenario(self) -> None:
        for method in ("prompts/list", "resources/list", "tools/list", "hud/describe"):
            text = json.dumps(self.client.request(method))
            self.assertNotIn("yield", text)
            self.assertNotIn('"code"', text)

    def test_describe(self) -> None:
        described = self.client.request("hud/describe")
        self.assertEqual(described, self.worker.describe)
        self.assertEqual((described["name"], described["version"]), ("scenario-tests", "2.3.4"))
        self.assertIn("_secret", [tool["name"] for tool in described["tools"]])
        scenarios = {scenario["name"]: scenario for scenario in described["scenarios"]}
        self.assertTrue(scenarios["help"]["chat"])
        self.assertEqual(scenarios["rules"]["exclude_sources"], ["browser"])
        self.assertEqual(
            scenarios["words"]["arguments"][1]["inputSchema"], {"type": "integer", "description": "how many"}
        )
        self.assertEqual(scenarios["structured"]["returns_schema"]["type"], "object")
        self.assertEqual(
            described["tasks"],
            [{"env": "scenario-tests", "scenario": "count", "args": {"word": "strawberry"}, "variable": "task"}],
        )

    def test_ping_levels_and_batches(self) -> None:
        self.assertEqual(self.client.request("ping"), {})
        self.assertEqual(self.client.request("logging/setLevel", level="debug"), {})
        self.client.send(
            [{"jsonrpc": "2.0", "id": "a", "method": "ping"}, {"jsonrpc": "2.0", "id": "b", "method": "ping"}]
        )
        self.assertEqual(self.client.finish("a"), {})  # type: ignore[arg-type]
        self.assertEqual(self.client.finish("b"), {})  # type: ignore[arg-type]

    def test_unknown_messages(self) -> None:
        for method in ("resources/teleport", "nonsense"):
            self.assertEqual(self.fails(method).code, -32601)
        self.client.send({"jsonrpc": "2.0", "method": "notifications/unheard_of"})
        self.client.socket.sendall(b"this is not json\n\n")
        with self.assertRaises(RpcError) as caught:
            self.client.finish(None)  # type: ignore[arg-type]
        self.assertEqual(caught.exception.code, -32700)
        self.assertEqual(self.client.request("ping"), {})


if __name__ == "__main__":
    unittest.main()
