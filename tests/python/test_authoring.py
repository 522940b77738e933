"""The package without a worker: decorators, tasks, calling tools and scenarios in a plain script."""

from __future__ import annotations

import asyncio
import contextlib
import io
import subprocess
import sys
import unittest
import warnings
from dataclasses import dataclass
from typing import Any

import hud
from client import PACKAGE
from hud import Environment, Task
from hud.types import MCPToolCall, MCPToolResult, TextContent


class Decorators(unittest.TestCase):
    def test_three_spellings_return_the_function_itself(self) -> None:
        env = Environment()

        def one() -> None: ...
        def two() -> None: ...
        def three() -> None: ...

        self.assertIs(env.tool(one), one)
        self.assertIs(env.tool()(two), two)
        self.assertIs(env.tool("renamed")(three), three)
        self.assertEqual([tool.name for tool in env.list_tools()], ["one", "two", "renamed"])

    def test_a_replaced_tool_warns(self) -> None:
        env = Environment()
        env.tool("t")(lambda: 1)
        with self.assertWarnsRegex(UserWarning, "tool 't' of environment 'environment' is replaced"):
            env.tool("t")(lambda: 2)

    def test_scenario_spellings(self) -> None:
        env = Environment()

        @env.scenario
        async def bare() -> Any:
            yield "x"

        @env.scenario()
        async def called() -> Any:
            yield "x"

        @env.template
        async def template() -> Any:
            yield "x"

        self.assertEqual(list(env.scenarios), ["bare", "called", "template"])
        self.assertEqual(bare.__name__, "bare")
        self.assertTrue(hasattr(bare(), "asend"))

    def test_everything_exported_exists(self) -> None:
        for name in hud.__all__:
            self.assertIsNotNone(getattr(hud, name))
            self.assertIn(name, dir(hud))


class Calling(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        self.env = Environment("calls")
        self.events: list[str] = []

        @self.env.tool
        def add(a: int, b: int = 2) -> int:
            return a + b

        @self.env.tool
        async def boom() -> None:
            raise ValueError("kaboom")

        @self.env.tool
        def picture() -> Any:
            return [TextContent(text="see"), {"type": "image", "data": "QUJD", "mimeType": "image/png"}]

        @self.env.initialize
        async def begin() -> None:
            self.events.append("begin")

        @self.env.shutdown
        def end() -> None:
            self.events.append("end")

        @self.env.scenario("greet")
        async def greet(name: str = "you"):
            try:
                answer = yield f"Greet {name}"
                yield {"reward": 1.0 if answer == f"hello {name}" else 0.0, "info": {"answer": answer}}
            finally:
                self.events.append("closed")

    async def test_by_name(self) -> None:
        result = await self.env.call_tool("add", a=1)
        self.assertIsInstance(result, MCPToolResult)
        self.assertEqual(
            (result.content[0].text, result.structuredContent, result.isError), ("3", {"result": 3}, False)
        )

    async def test_every_shape_of_a_call_and_its_result(self) -> None:
        mcp = {"content": "3"}
        for call, expected in (
            (("add", {"a": 1}), mcp),
            (("add", {"a": 1}, "id-1"), {**mcp, "call_id": "id-1"}),
            (MCPToolCall(name="add", arguments={"a": 1}), mcp),
            ({"name": "add", "arguments": {"a": 1}}, mcp),
            ({"name": "add", "input": {"a": 1}}, mcp),
            (
                {"id": "c1", "function": {"name": "add", "arguments": '{"a": 1}'}},
                {"role": "tool", "tool_call_id": "c1", "content": "3"},
            ),
            (
                {"type": "tool_use", "id": "c2", "name": "add", "input": {"a": 1}},
                {"type": "tool_result", "tool_use_id": "c2", "content": "3"},
            ),
            (
                {"type": "function_call", "call_id": "c3", "name": "add", "arguments": '{"a": 1}'},
                {"type": "function_call_output", "call_id": "c3", "output": "3"},
            ),
            (
                {"functionCall": {"name": "add", "args": {"a": 1}}},
                {"functionResponse": {"name": "add", "response": {"result": "3"}}},
            ),
            ({"name": "add", "args": {"a": 1}}, {"functionResponse": {"name": "add", "response": {"result": "3"}}}),
        ):
            with self.subTest(call=call):
                result = await self.env.call_tool(call)
                if isinstance(result, MCPToolResult):
                    shown: dict[str, Any] = {"content": result.content[0].text}
                    if result.call_id is not None and "call_id" in expected:
                        shown["call_id"] = result.call_id
                    result = shown
                self.assertEqual(result, expected)

    async def test_objects_of_a_providers_sdk(self) -> None:
        @dataclass
        class Function:
            name: str
            arguments: str

        @dataclass
        class ToolCall:
            id: str
            function: Function

        result = await self.env.call_tool(ToolCall("c", Function("add", '{"a": 5}')))
        self.assertEqual(result, {"role": "tool", "tool_call_id": "c", "content": "7"})

    async def test_other_blocks_are_mentioned_in_texts(self) -> None:
        result = await self.env.call_tool({"type": "tool_use", "id": "c", "name": "picture", "input": {}})
        self.assertEqual(result["content"], "see\n[binary: 4 bytes]")

    async def test_errors(self) -> None:
        with self.assertRaisesRegex(hud.ToolError, "Error calling tool 'boom': kaboom"):
            await self.env.call_tool("boom")
        with self.assertRaisesRegex(hud.ToolError, "'x' is not of type 'integer'"):
            await self.env.call_tool("add", a="x")
        with self.assertRaisesRegex(ValueError, "Tool not found: nope"):
            await self.env.call_tool("nope")
        with self.assertRaisesRegex(ValueError, r"Unrecognized tool call format: \['foo'\]"):
            await self.env.call_tool({"foo": 1})

    async def test_several_at_once(self) -> None:
        results = await self.env.call_tools(
            [{"type": "text", "text": "thinking"}, {"name": "add", "arguments": {"a": 1}}, ("add", {"a": 2})]
        )
        self.assertEqual([result.content[0].text for result in results], ["3", "4"])

    async def test_listing(self) -> None:
        names = ["add", "boom", "picture"]
        self.assertEqual([tool.name for tool in self.env.list_tools()], names)
        tools = await self.env.list_tools()
        self.assertEqual([tool.name for tool in tools], names)
        self.assertEqual(tools[0].inputSchema["required"], ["a"])

    async def test_hooks_run_around_the_block(self) -> None:
        async with self.env as entered:
            self.assertIs(entered, self.env)
            self.assertEqual(self.events, ["begin"])
        self.assertEqual(self.events, ["begin", "end"])

    async def test_a_scenario_by_hand(self) -> None:
        self.assertEqual(await self.env.run_scenario_setup("greet", {"name": "Ada"}), "Greet Ada")
        await self.env.submit("greet", "hello Ada")
        result = await self.env.run_scenario_evaluate("greet")
        self.assertEqual((result.reward, result.info), (1.0, {"answer": "hello Ada"}))
        self.assertEqual(self.events, ["closed"])
        with self.assertRaisesRegex(ValueError, "No active scenario session"):
            await self.env.run_scenario_evaluate("greet")

    async def test_leaving_the_block_closes_the_scenario(self) -> None:
        async with self.env:
            await self.env.run_scenario_setup("calls:greet")
            with self.assertRaisesRegex(ValueError, "Scenario mismatch: active is 'greet'"):
                await self.env.submit("other", "x")
        self.assertEqual(self.events, ["begin", "closed", "end"])

    async def test_an_unknown_scenario(self) -> None:
        with self.assertRaisesRegex(ValueError, "Available scenarios: calls:greet"):
            await self.env.run_scenario_setup("nope")

    async def test_nobody_to_ask(self) -> None:
        @self.env.tool
        async def ask(ctx: hud.Context) -> str:
            ctx.log("to stderr")
            return (await ctx.sample("?")).text

        wrong = self.assertRaisesRegex(hud.ToolError, "only inside a rollout")
        with contextlib.redirect_stderr(io.StringIO()) as stderr, wrong:
            await self.env.call_tool("ask")
        self.assertEqual(stderr.getvalue(), "info: to stderr\n")


class Tasks(unittest.TestCase):
    def setUp(self) -> None:
        self.env = Environment("bench")

        @self.env.scenario("count")
        async def count(word: str, letter: str = "r"):
            yield "x"

        @self.env.template()
        async def tally(word: str, n: int = 1):
            yield "x"

        self.count, self.tally = count, tally

    def test_made_by_the_environment(self) -> None:
        task = self.env("count", word="x")
        self.assertIs(task.env, self.env)
        self.assertEqual((task.scenario, task.args, task.slug), ("count", {"word": "x"}, None))
        self.assertEqual(task.to_row(), {"env": "bench", "scenario": "count", "args": {"word": "x"}})
        self.assertIsNone(self.env().scenario)

    def test_arguments_named_like_fields(self) -> None:
        self.assertEqual(self.env("count", scenario="a", self="b").args, {"scenario": "a", "self": "b"})

    def test_made_by_the_handle(self) -> None:
        self.assertEqual(self.count.task("x", letter="y").args, {"word": "x", "letter": "y"})
        self.assertEqual(self.count.task("x").args, {"word": "x"})
        with self.assertRaises(TypeError):
            self.count.task(nope=1)

    def test_made_by_a_template(self) -> None:
        task = self.tally("x", n=2)
        self.assertEqual((task.env, task.id, task.args), ("bench", "tally", {"word": "x", "n": 2}))
        self.assertIs(task.environment, self.env)
        self.assertEqual(task.to_row(), {"env": "bench", "scenario": "tally", "args": {"word": "x", "n": 2}})

    def test_default_slugs_are_those_of_generation_6(self) -> None:
        # Printed by Python hud 6 for the same tasks.
        for args, slug in (
            ({}, "count"),
            ({"word": "rr"}, "count-e9e46c06"),
            ({"word": "é", "n": 2}, "count-3e3163b5"),
            ({"n": 1, "tags": ["b", "a"]}, "count-ed03ecae"),
        ):
            self.assertEqual(self.env("count", **args).default_slug(), slug)

    def test_fields_are_checked(self) -> None:
        with self.assertRaisesRegex(TypeError, "no field 'promt'; did you mean 'prompt'"):
            Task(promt="x")
        task = self.env("count")
        with self.assertRaisesRegex(AttributeError, "did you mean 'validation'"):
            task.validations = []
        for slug in ("", "x" * 101, 5):
            with self.assertRaises(ValueError):
                task.slug = slug
        task.slug = "x" * 100

    def test_validation_after_construction(self) -> None:
        task = self.env("count", word="x")
        task.validation = [{"name": "bash", "arguments": {"command": "ls"}}, {"name": "t", "input": {"a": 1}}]
        self.assertEqual(
            task.to_row()["validation"],
            [{"name": "bash", "arguments": {"command": "ls"}}, {"name": "t", "arguments": {"a": 1}}],
        )

    def test_copies(self) -> None:
        task = Task(env=self.env, scenario="count", args={"deep": [1]}, slug="a", id="b")
        twin = task.copy()
        twin.args["deep"].append(2)
        self.assertIs(twin.env, self.env)
        self.assertEqual((twin.slug, twin.id, task.args), (None, None, {"deep": [1]}))

    def test_equality(self) -> None:
        self.assertEqual(self.env("count", word="x"), self.env("count", word="x"))
        self.assertNotEqual(self.env("count", word="x"), self.env("count", word="y"))
        self.assertEqual(len({self.env("count", word="x")}), 1)

    def test_an_environment_described_by_a_mapping(self) -> None:
        task = Task(env={"name": "remote", "include": ["a"]}, scenario="s")
        self.assertEqual(task.env_name, "remote")
        self.assertEqual(task.to_row()["env"], {"name": "remote", "include": ["a"]})

    def test_types_has_the_same_class(self) -> None:
        import hud.types

        self.assertIs(hud.types.Task, Task)


class Importing(unittest.TestCase):
    def run_python(self, code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONPATH": PACKAGE}, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def test_importing_the_package_imports_nothing_heavy(self) -> None:
        code = "import sys; before = set(sys.modules); import hud; print(sorted(m for m in set(sys.modules) - before))"
        loaded = self.run_python(code)
        for name in ("asyncio", "inspect", "json", "typing", "hud.environment"):
            self.assertNotIn(f"'{name}'", loaded)

    def test_the_worker_imports_no_package_that_is_not_ours(self) -> None:
        code = (
            "import sys\n"
            "before = set(sys.modules)\n"
            "import hud.worker, hud._fork, hud._loading, hud._isolation, hud._spawn, hud._warmup\n"
            "names = {m.partition('.')[0] for m in set(sys.modules) - before}\n"
            "print(sorted(n for n in names if n not in sys.stdlib_module_names and n != 'hud'))\n"
        )
        self.assertEqual(self.run_python(code), "[]")

    def test_a_warning_about_a_wrong_answer_type_names_the_scenario(self) -> None:
        env = Environment()

        @env.scenario("typed", returns=int)
        async def typed():
            answer = yield "x"
            yield 1.0 if answer.content == "many" else 0.0

        async def run() -> float:
            await env.run_scenario_setup("typed")
            await env.submit("typed", "many")
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                result = await env.run_scenario_evaluate("typed")
            self.assertIn("scenario 'typed': the answer does not fit", str(caught[0].message))
            return result.reward

        self.assertEqual(asyncio.run(run()), 1.0)


if __name__ == "__main__":
    unittest.main()
