"""Tools over MCP: schemas, checking, conversion, results, limits, context, resources and prompts.

Schemas and messages agree with Python hud 5 (fastmcp and pydantic), whose output was written down here.
"""

from __future__ import annotations

import unittest
from typing import Any

from client import Client, RpcError, Worker

SOURCE = '''
    import asyncio
    import collections.abc
    import dataclasses
    import decimal
    import enum
    import functools
    import math
    import os
    import typing
    import uuid
    from dataclasses import dataclass, field
    from datetime import date, datetime, time, timedelta
    from decimal import Decimal
    from pathlib import Path
    from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional, TypedDict, Union

    import hud
    from hud.types import AudioContent, ContentResult, EmbeddedResource, ImageContent, MCPToolResult, ResourceLink, TextContent, ToolError

    env = hud.Environment("tools")

    class Color(enum.Enum):
        RED = "red"
        BLUE = "blue"

    class Level(enum.IntEnum):
        LOW = 1
        HIGH = 2

    @dataclass
    class Point:
        """A place."""
        x: int
        y: float = 1.0

    @dataclass
    class Node:
        name: str
        children: "list[Node]" = field(default_factory=list)

    class Row(TypedDict, total=False):
        a: int
        b: str

    class Pair(NamedTuple):
        a: int
        b: str = "q"

    UserId = NewType("UserId", int)

    @env.tool
    def scalars(a: int, b: str = "x", c: float | None = None, d: Literal["u", "v"] = "u", e: Optional[list[int]] = None, *, f: bool = False) -> str:
        """First line.

        More text.

        Args:
            a: the first
                one, continued
            b (str): the second

        Returns:
            a text
        """
        return repr((a, b, c, d, e, f))

    @env.tool
    def rich(
        p: Point, c: Color, lv: Level, td: Row, nt: Pair, node: Node, dt: datetime, d: date, t: time, delta: timedelta,
        u: uuid.UUID, path: Path, amount: Decimal, data: bytes, pair: tuple[int, str], many: tuple[int, ...], s: set[int],
        un, di: dict[str, Point], ann: Annotated[int, "how many"], uid: UserId, either: Union[int, str, None],
        seq: collections.abc.Sequence[int], anything: Any = None,
    ) -> str:
        return "|".join(repr(v) for v in (p, c, lv, td, nt, node, dt, d, t, delta, u, path, amount, data, pair, many, s, un, di, ann, uid, either, seq, anything))

    @env.tool
    def numpy_style(alpha: int, beta: str):
        """Adds.

        Parameters
        ----------
        alpha : int
            The alpha.
        beta : str
            The beta,
            continued.

        Notes
        -----
        Stays.
        """

    @env.tool
    def sphinx_style(alpha: int, beta: str):
        """Adds.

        :param alpha: The alpha.
        :param str beta: The beta,
            continued.
        :type alpha: int
        :returns: stays
        """

    @env.tool
    def no_style(alpha: int):
        """Does it.

        Note: this stays.
        """

    @env.tool(name="renamed", description="Another description.")
    def original():
        """Not this one."""
        return "original"

    @env.tool("by_position")
    async def later(x: int) -> int:
        await asyncio.sleep(0)
        return x + 1

    @env.tool()
    def positional(a: int, b: int = 2, /, c: int = 3) -> list[int]:
        return [a, b, c]

    @env.tool
    def extra(a: int, **rest: int) -> dict:
        return {"a": a, **rest}

    def adder(amount, x: int) -> int:
        return x + amount

    env.add_tool(functools.partial(adder, 5), name="partial")

    class Service:
        def __init__(self):
            self.calls = 0
        def charge(self, amount: int) -> dict:
            """Charges."""
            self.calls += 1
            return {"calls": self.calls, "amount": amount}
        def __call__(self, who: str) -> str:
            return "called by " + who

    service = Service()
    env.add_tool(service.charge)
    env.add_tool(service, name="callable")

    VALUES = {
        "none": None, "str": "text", "int": 3, "float": 2.5, "true": True, "list": [1, "a"], "dict": {"a": 1}, "nested": {"p": Point(1), "c": Color.RED},
        "tuple": (1, 2), "set": {1}, "point": Point(1, 2), "date": date(2024, 1, 1), "uuid": uuid.UUID(int=5), "path": Path("/a"), "decimal": Decimal("1.10"),
        "enum": Color.BLUE, "delta": timedelta(seconds=90), "nan": {"x": math.nan}, "infinity inside": {"losses": [0.5, Point(1, -math.inf)]}, "bare nan": math.nan, "nan among blocks": [TextContent(text="a"), {"k": math.nan}], "int keys": {1: "a"}, "surrogate": "a\\ud800b", "pair": Pair(1),
        "text": TextContent(text="block"), "image": ImageContent(data="QUJD", mimeType="image/png"), "audio": AudioContent(data="QUJD", mimeType="audio/wav"),
        "link": ResourceLink(name="n", uri="file:///x"), "dict block": {"type": "text", "text": "d"}, "blocks": [TextContent(text="a"), {"type": "image", "data": "QUJD", "mimeType": "image/png"}],
        "mixed": [TextContent(text="a"), "plain", 5, {"k": 1}], "not a block": {"type": "text", "text": "x", "more": 1},
        "result": MCPToolResult(content=[TextContent(text="bad")], isError=True), "content result": ContentResult(output="out", error="err", base64_image="QUJD"),
        "bytes": b"abc", "object": object(), "bytes inside": {"deep": [b"x"]},
    }

    @env.tool
    def give(what: str):
        return VALUES[what]

    @env.tool
    def r_int() -> int: return 3
    @env.tool
    def r_list() -> list[Point]: return [Point(1)]
    @env.tool
    def r_dict() -> dict: return {"a": 1}
    @env.tool
    def r_point() -> Point: return Point(1)
    @env.tool
    def r_row() -> Row: return {"a": 1}
    @env.tool
    def r_optional() -> Optional[str]: return None
    @env.tool
    def r_none() -> None: return None
    @env.tool
    def r_blocks() -> list[TextContent]: return [TextContent(text="x")]
    @env.tool
    def r_any() -> Any: return 1
    @env.tool
    def r_union() -> int | str: return "s"
    @env.tool
    def r_node() -> Node: return Node("a", [Node("b")])
    @env.tool
    def r_date() -> date: return date(2024, 1, 1)

    @env.tool
    def boom(): raise ValueError("kaboom")
    @env.tool
    def own_words(): raise ToolError("use the other tool")
    @env.tool
    def silent(): raise ValueError
    @env.tool
    async def key_boom():
        raise KeyError("async kaboom")

    @env.tool
    async def async_boom():
        await asyncio.sleep(0)
        raise ValueError("kaboom later")

    @env.tool
    async def cancels_itself():
        task = asyncio.ensure_future(asyncio.sleep(1000))
        task.cancel()
        await task

    @env.tool
    def size(n: int) -> str: return "x" * n

    @env.tool
    def plain_size(n: int): return "x" * n

    gate = asyncio.Event

    @env.tool
    async def slow(ctx: hud.Context) -> str:
        global opened
        opened = asyncio.Event()
        ctx.log("waiting")
        await opened.wait()
        return "opened"

    @env.tool
    def open_gate() -> str:
        opened.set()
        return "ok"

    @env.tool
    async def reports(ctx: hud.Context, steps: int) -> str:
        """Reports.

        Args:
            ctx: never shown
            steps: how many
        """
        for step in range(steps):
            await ctx.report_progress(step, steps, f"step {step}")
        await ctx.info({"at": "info"})
        await ctx.log("w", level="warning", logger="mine")
        return f"{ctx.trace_id} {ctx.request_id}"

    @env.tool
    def reports_sync(steps: int, ctx: Optional[hud.Context] = None) -> str:
        for step in range(steps):
            ctx.report_progress(step)
        return "done"

    @env.tool
    async def reports_from_thread(ctx: hud.Context) -> str:
        def work():
            for number in range(100):
                ctx.log(number)
        await asyncio.to_thread(work)
        return "done"

    @env.tool
    def bare_ctx(ctx, x: int) -> str:
        return type(ctx).__name__ + str(x)

    @env.tool
    async def asks(ctx: hud.Context) -> str:
        reply = await ctx.sample("why?", system_prompt="be brief", temperature=0.5, max_tokens=7, model="small")
        return f"{reply.text} {reply.model} {reply.role}"

    @env.tool
    async def asks_person(ctx: hud.Context) -> str:
        one = await ctx.elicit("how many?", int)
        two = await ctx.elicit("where?", Point)
        three = await ctx.elicit("sure?")
        return f"{one.action} {one.data!r} {two.data!r} {three.action} {three.data!r}"

    @env.tool
    async def thread() -> str:
        import threading
        return threading.current_thread().name

    @env.resource("data://orders")
    def orders():
        """All orders."""
        return [{"id": 1}]

    @env.resource("data://orders/{number}", mime_type="text/plain")
    async def order(number: int):
        return f"order {number}"

    @env.resource("data://logo", name="Logo", mime_type="image/png")
    def logo():
        return b"PNG"

    @env.prompt
    def review(code: str, style: str = "kind"):
        """Review code.

        Args:
            code: what to review
        """
        return [{"role": "user", "content": f"Review {code}"}, {"role": "assistant", "content": style}]

    @env.prompt("greet")
    async def greeting():
        return "hello"
'''

RICH = {
    "p": {"x": 1},
    "c": "blue",
    "lv": 2,
    "td": {"a": 1},
    "nt": [7],
    "node": {"name": "a", "children": [{"name": "b"}]},
    "dt": "2024-05-01T12:00:00Z",
    "d": "2024-05-01",
    "t": "12:30:00",
    "delta": "PT1M30S",
    "u": "00000000-0000-0000-0000-000000000005",
    "path": "/a/b",
    "amount": "1.10",
    "data": "abc",
    "pair": [1, "a"],
    "many": [1, 2, 3],
    "s": [2, 1],
    "un": {"k": 1},
    "di": {"k": {"x": 2, "y": 3}},
    "ann": 4,
    "uid": 5,
    "either": None,
    "seq": [1],
}


class WithCopy(unittest.TestCase):
    worker: Worker
    client: Client

    @classmethod
    def setUpClass(cls) -> None:
        cls.worker = Worker(SOURCE)
        cls.client = cls.worker.connect()
        cls.tools = {tool["name"]: tool for tool in cls.client.request("tools/list")["tools"]}

    @classmethod
    def tearDownClass(cls) -> None:
        cls.worker.__exit__()


class Schemas(WithCopy):
    def properties(self, name: str) -> dict[str, Any]:
        return self.tools[name]["inputSchema"]["properties"]

    def test_scalars(self) -> None:
        self.assertEqual(
            self.tools["scalars"]["inputSchema"],
            {
                "type": "object",
                "properties": {
                    "a": {"type": "integer", "description": "the first one, continued"},
                    "b": {"type": "string", "description": "the second", "default": "x"},
                    "c": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": None},
                    "d": {"enum": ["u", "v"], "type": "string", "default": "u"},
                    "e": {
                        "anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}],
                        "default": None,
                    },
                    "f": {"type": "boolean", "default": False},
                },
                "required": ["a"],
                "additionalProperties": False,
            },
        )

    def test_rich_types(self) -> None:
        schema = self.tools["rich"]["inputSchema"]
        properties, definitions = schema["properties"], schema["$defs"]
        self.assertEqual(
            properties,
            {
                "p": {"$ref": "#/$defs/Point"},
                "c": {"$ref": "#/$defs/Color"},
                "lv": {"$ref": "#/$defs/Level"},
                "td": {"$ref": "#/$defs/Row"},
                "nt": {"$ref": "#/$defs/Pair"},
                "node": {"$ref": "#/$defs/Node"},
                "dt": {"type": "string", "format": "date-time"},
                "d": {"type": "string", "format": "date"},
                "t": {"type": "string", "format": "time"},
                "delta": {"type": "string", "format": "duration"},
                "u": {"type": "string", "format": "uuid"},
                "path": {"type": "string", "format": "path"},
                "amount": {"anyOf": [{"type": "number"}, {"type": "string"}]},
                "data": {"type": "string", "format": "binary"},
                "pair": {
                    "type": "array",
                    "prefixItems": [{"type": "integer"}, {"type": "string"}],
                    "minItems": 2,
                    "maxItems": 2,
                },
                "many": {"type": "array", "items": {"type": "integer"}},
                "s": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True},
                "un": {},
                "di": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Point"}},
                "ann": {"type": "integer", "description": "how many"},
                "uid": {"type": "integer"},
                "either": {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]},
                "seq": {"type": "array", "items": {"type": "integer"}},
                "anything": {"default": None},
            },
        )
        self.assertEqual(
            definitions,
            {
                "Point": {
                    "description": "A place.",
                    "type": "object",
                    "properties": {"x": {"type": "integer"}, "y": {"type": "number", "default": 1.0}},
                    "required": ["x"],
                    "additionalProperties": False,
                },
                "Color": {"enum": ["red", "blue"], "type": "string"},
                "Level": {"enum": [1, 2], "type": "integer"},
                "Row": {
                    "type": "object",
                    "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
                    "additionalProperties": False,
                },
                "Pair": {
                    "type": "array",
                    "prefixItems": [{"type": "integer"}, {"type": "string", "default": "q"}],
                    "minItems": 1,
                    "maxItems": 2,
                },
                "Node": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string"},
                        "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
                    },
                    "required": ["name"],
                    "additionalProperties": False,
                },
            },
        )

    def test_schemas_of_results_do_not_close_what_comes_out(self) -> None:
        self.assertNotIn("additionalProperties", self.tools["r_row"]["outputSchema"])

    def test_fields_that_a_type_has_not_are_refused_by_its_schema(self) -> None:
        required = {
            "p": {"x": 1}, "c": "red", "lv": 1, "td": {}, "nt": [1], "node": {"name": "n", "children": []},
            "dt": "2024-01-01T00:00:00", "d": "2024-01-01", "t": "12:00:00", "delta": "PT1S", "path": "/", "amount": 1,
            "u": "00000000-0000-0000-0000-000000000005", "data": "", "pair": [1, "a"], "many": [], "s": [], "un": 1,
            "di": {}, "ann": 1, "uid": 1, "either": 1, "seq": [],
        }  # fmt: skip
        for arguments, place in (
            ({"p": {"x": 1, "z": 2}}, "(in p)"),
            ({"td": {"z": 2}}, "(in td)"),
            ({"node": {"name": "n", "children": [{"name": "m", "z": 2}]}}, "(in node.children[0])"),
            ({"di": {"k": {"x": 1, "z": 2}}}, "(in di.k)"),
        ):
            with self.subTest(arguments=arguments):
                self.assertIn(
                    f"Additional properties are not allowed ('z' was unexpected) {place}",
                    self.client.error("rich", **{**required, **arguments}),
                )
        self.assertIn("is not of type 'array'", self.client.error("rich", **{**required, "nt": {"a": 1}}))

    def test_descriptions(self) -> None:
        self.assertEqual(self.tools["scalars"]["description"], "First line.\n\nMore text.\n\nReturns:\n    a text")
        self.assertEqual(self.tools["numpy_style"]["description"], "Adds.\n\nNotes\n-----\nStays.")
        self.assertEqual(self.tools["sphinx_style"]["description"], "Adds.\n\n:returns: stays")
        self.assertEqual(self.tools["no_style"]["description"], "Does it.\n\nNote: this stays.")
        self.assertEqual(self.tools["renamed"]["description"], "Another description.")
        self.assertEqual(self.tools["charge"]["description"], "Charges.")
        self.assertNotIn("description", self.tools["by_position"])
        for name in ("numpy_style", "sphinx_style"):
            self.assertEqual(self.properties(name)["alpha"]["description"], "The alpha.")
            self.assertEqual(self.properties(name)["beta"]["description"], "The beta, continued.")

    def test_the_context_is_not_an_argument(self) -> None:
        self.assertEqual(list(self.properties("reports")), ["steps"])
        self.assertEqual(list(self.properties("reports_sync")), ["steps"])
        self.assertEqual(list(self.properties("bare_ctx")), ["x"])
        self.assertEqual(self.tools["reports"]["description"], "Reports.")

    def test_kwargs(self) -> None:
        self.assertEqual(self.tools["extra"]["inputSchema"]["additionalProperties"], {"type": "integer"})

    def test_output_schemas(self) -> None:
        def wrapped(inner: dict[str, Any]) -> dict[str, Any]:
            return {
                "type": "object",
                "properties": {"result": inner},
                "required": ["result"],
                "x-fastmcp-wrap-result": True,
            }

        row = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}}
        for name, expected in (
            ("r_int", wrapped({"type": "integer"})),
            ("r_optional", wrapped({"anyOf": [{"type": "string"}, {"type": "null"}]})),
            ("r_union", wrapped({"anyOf": [{"type": "integer"}, {"type": "string"}]})),
            ("r_date", wrapped({"type": "string", "format": "date"})),
            ("r_dict", {"type": "object", "additionalProperties": True}),
            ("r_row", row),
            ("r_none", None),
            ("r_any", None),
            ("r_blocks", None),
            ("give", None),
        ):
            with self.subTest(name=name):
                self.assertEqual(self.tools[name].get("outputSchema"), expected)
        self.assertEqual(self.tools["r_point"]["outputSchema"]["required"], ["x"])
        self.assertEqual(
            self.tools["r_list"]["outputSchema"]["properties"],
            {"result": {"type": "array", "items": {"$ref": "#/$defs/Point"}}},
        )
        self.assertEqual(self.tools["r_node"]["outputSchema"]["required"], ["name"])
        self.assertIn("Node", self.tools["r_node"]["outputSchema"]["$defs"])


class Calls(WithCopy):
    def test_values_reach_the_function(self) -> None:
        self.assertEqual(self.client.text("scalars", a=1), "(1, 'x', None, 'u', None, False)")
        self.assertEqual(
            self.client.text("scalars", a=2.0, b="y", c=3, d="v", e=[1], f=True), "(2, 'y', 3.0, 'v', [1], True)"
        )

    def test_rich_values_reach_the_function(self) -> None:
        self.assertEqual(
            self.client.text("rich", **RICH).split("|"),
            [
                "Point(x=1, y=1.0)",
                "<Color.BLUE: 'blue'>",
                "<Level.HIGH: 2>",
                "{'a': 1}",
                "Pair(a=7, b='q')",
                "Node(name='a', children=[Node(name='b', children=[])])",
                "datetime.datetime(2024, 5, 1, 12, 0, tzinfo=datetime.timezone.utc)",
                "datetime.date(2024, 5, 1)",
                "datetime.time(12, 30)",
                "datetime.timedelta(seconds=90)",
                "UUID('00000000-0000-0000-0000-000000000005')",
                "PosixPath('/a/b')",
                "Decimal('1.10')",
                "b'abc'",
                "(1, 'a')",
                "(1, 2, 3)",
                "{1, 2}",
                "{'k': 1}",
                "{'k': Point(x=2, y=3.0)}",
                "4",
                "5",
                "None",
                "[1]",
                "None",
            ],
        )

    def test_wrong_arguments(self) -> None:
        prefix = "Input validation error: "
        for arguments, expected in (
            ({}, "'a' is a required property"),
            ({"a": "x"}, "'x' is not of type 'integer'"),
            ({"a": "5"}, "'5' is not of type 'integer'"),
            ({"a": 1.5}, "1.5 is not of type 'integer'"),
            ({"a": True}, "True is not of type 'integer'"),
            ({"a": 1, "d": "w"}, "'w' is not one of ['u', 'v']"),
            ({"a": 1, "zz": 2}, "Additional properties are not allowed ('zz' was unexpected)"),
            ({"a": 1, "e": ["x"]}, "'x' is not of type 'integer' (in e[0])"),
            ({"a": 1, "c": "x"}, "'x' is not valid under any of the given schemas"),
            ({"b": 1}, "'a' is a required property; 1 is not of type 'string'"),
        ):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.client.error("scalars", **arguments), prefix + expected)

    def test_wrong_rich_arguments(self) -> None:
        for name, value, expected in (
            ("p", {"y": 1}, "'x' is a required property (in p)"),
            ("c", "green", "'green' is not one of ['red', 'blue']"),
            ("d", "soon", "'d': 'soon' is not a date"),
            ("dt", "", "'dt': '' is not a date and time"),
            ("u", "xyz", "'u': 'xyz' is not a UUID"),
            ("delta", "fast", "'delta': 'fast' is not a duration"),
            ("pair", [1], "[1] is too short"),
            ("s", [1, 1], "[1, 1] has non-unique elements"),
            ("node", {"name": "a", "children": [{}]}, "'name' is a required property (in node.children[0])"),
        ):
            with self.subTest(name=name):
                self.assertIn(expected, self.client.error("rich", **{**RICH, name: value}))

    def test_kinds_of_functions(self) -> None:
        self.assertEqual(self.client.text("renamed"), "original")
        self.assertEqual(self.client.text("by_position", x=1), "2")
        self.assertEqual(self.client.text("positional", a=1, c=5), "[1,2,5]")
        self.assertEqual(self.client.text("extra", a=1, b=2), '{"a":1,"b":2}')
        self.assertEqual(self.client.text("partial", x=1), "6")
        self.assertEqual(self.client.text("callable", who="me"), "called by me")
        self.assertEqual(self.client.text("bare_ctx", x=1), "Context1")
        self.assertEqual([self.client.call("charge", amount=3)["structuredContent"]["calls"] for _ in range(2)], [1, 2])

    def test_tools_run_on_the_main_thread(self) -> None:
        self.assertEqual(self.client.text("thread"), "MainThread")

    def test_errors_of_tools(self) -> None:
        self.assertEqual(self.client.error("boom"), "Error calling tool 'boom': kaboom")
        self.assertEqual(self.client.error("async_boom"), "Error calling tool 'async_boom': kaboom later")
        self.assertEqual(self.client.error("key_boom"), "Error calling tool 'key_boom': 'async kaboom'")
        self.assertEqual(self.client.error("silent"), "Error calling tool 'silent': ValueError")
        self.assertEqual(self.client.error("cancels_itself"), "Error calling tool 'cancels_itself': it was cancelled")
        self.assertEqual(self.client.error("own_words"), "use the other tool")
        self.assertEqual(self.client.error("nope"), "Tool not found: nope")

    def test_the_traceback_of_a_tool_goes_to_the_log(self) -> None:
        client = self.worker.connect()
        client.error("boom")
        log = self.worker.end(client)
        self.assertIn('def boom(): raise ValueError("kaboom")', log)
        self.assertNotIn("_mcp.py", log)

    def test_malformed_calls(self) -> None:
        for params in ({}, {"name": 5}, {"name": "scalars", "arguments": [1]}):
            with self.assertRaises(RpcError) as caught:
                self.client.request("tools/call", **params)
            self.assertEqual(caught.exception.code, -32602)

    def test_params_that_are_no_object(self) -> None:
        client = self.worker.connect()
        client.send({"jsonrpc": "2.0", "id": 50, "method": "tools/call", "params": ["scalars"]})
        with self.assertRaises(RpcError) as caught:
            client.finish(50)
        self.assertEqual(caught.exception.code, -32602)

    def test_requests_overlap(self) -> None:
        waiting = self.client.start_call("slow")
        self.client.wait_for_log("waiting")
        self.assertEqual(self.client.text("open_gate"), "ok")
        self.assertEqual(self.client.finish(waiting)["structuredContent"], {"result": "opened"})


class Results(WithCopy):
    def give(self, what: str) -> tuple[Any, Any]:
        result = self.client.call("give", what=what)
        self.assertFalse(result["isError"], result)
        content = [block.get("text", block["type"]) for block in result["content"]]
        return content[0] if len(content) == 1 else content, result.get("structuredContent")

    def test_values(self) -> None:
        for what, text, structured in (
            ("none", [], None),
            ("str", "text", None),
            ("int", "3", None),
            ("float", "2.5", None),
            ("true", "true", None),
            ("list", '[1,"a"]', None),
            ("dict", '{"a":1}', {"a": 1}),
            ("nested", '{"p":{"x":1,"y":1.0},"c":"red"}', {"p": {"x": 1, "y": 1.0}, "c": "red"}),
            ("tuple", "[1,2]", None),
            ("set", "[1]", None),
            ("point", '{"x":1,"y":2}', {"x": 1, "y": 2}),
            ("date", "2024-01-01", None),
            ("uuid", "00000000-0000-0000-0000-000000000005", None),
            ("path", "/a", None),
            ("decimal", "1.10", None),
            ("enum", "blue", None),
            ("delta", "PT90S", None),
            ("int keys", '{"1":"a"}', {"1": "a"}),
            ("surrogate", "a?b", None),
            ("pair", '[1,"q"]', None),
            ("text", "block", None),
            ("image", "image", None),
            ("audio", "audio", None),
            ("link", "resource_link", None),
            ("dict block", "d", None),
            ("blocks", ["a", "image"], None),
            ("mixed", ["a", "plain", "5", '{"k":1}'], None),
            ("not a block", '{"type":"text","text":"x","more":1}', {"type": "text", "text": "x", "more": 1}),
        ):
            with self.subTest(what=what):
                self.assertEqual(self.give(what), (text, structured))

    def test_blocks_arrive_whole(self) -> None:
        self.assertEqual(
            self.client.call("give", what="image")["content"],
            [{"type": "image", "data": "QUJD", "mimeType": "image/png"}],
        )
        self.assertEqual(
            self.client.call("give", what="link")["content"],
            [{"type": "resource_link", "name": "n", "uri": "file:///x"}],
        )

    def test_ready_made_results(self) -> None:
        self.assertEqual(self.client.error("give", what="result"), "bad")
        result = self.client.call("give", what="content result")
        self.assertEqual([block["type"] for block in result["content"]], ["text", "text", "image"])

    def test_annotated_results(self) -> None:
        for name, text, structured in (
            ("r_int", "3", {"result": 3}),
            ("r_list", '[{"x":1,"y":1.0}]', {"result": [{"x": 1, "y": 1.0}]}),
            ("r_dict", '{"a":1}', {"a": 1}),
            ("r_point", '{"x":1,"y":1.0}', {"x": 1, "y": 1.0}),
            ("r_row", '{"a":1}', {"a": 1}),
            ("r_optional", "", {"result": None}),
            ("r_none", "", None),
            ("r_blocks", "x", None),
            ("r_any", "1", None),
            ("r_union", "s", {"result": "s"}),
            ("r_date", "2024-01-01", {"result": "2024-01-01"}),
        ):
            with self.subTest(name=name):
                result = self.client.call(name)
                self.assertEqual("".join(block["text"] for block in result["content"]), text)
                self.assertEqual(result.get("structuredContent"), structured)

    def test_what_has_no_json_form_is_an_error_that_says_what_to_do(self) -> None:
        self.assertIn("hud.types.ImageContent", self.client.error("give", what="bytes"))
        self.assertIn("type object, which has no JSON form", self.client.error("give", what="object"))
        self.assertIn("the tool's result['deep'][0] is bytes", self.client.error("give", what="bytes inside"))

    def test_numbers_that_json_has_not_are_errors_that_name_the_key(self) -> None:
        for what, expected in (
            ("nan", "the tool's result['x'] is nan"),
            ("infinity inside", "the tool's result['losses'][1].y is -inf"),
            ("bare nan", "the tool's result is nan"),
            ("nan among blocks", "the tool's result['k'] is nan"),
        ):
            with self.subTest(what=what):
                self.assertIn(f"{expected}, which JSON cannot hold", self.client.error("give", what=what))

    def test_results_over_8_mib_are_refused(self) -> None:
        self.assertEqual(len(self.client.text("size", n=4_000_000)), 4_000_000)
        text = self.client.error("size", n=9_000_000)
        self.assertIn("MiB", text)
        self.assertIn("over the limit of 8 MiB (8388608 bytes)", text)
        self.assertIn("encoded result is 17.2 MiB", text)
        self.assertIn("Text and structured content both count: 8.6 MiB and 8.6 MiB.", text)
        text = self.client.error("plain_size", n=9_000_000)
        self.assertIn("encoded result is 8.6 MiB", text)
        self.assertNotIn("structured", text)
        self.assertEqual(self.client.text("r_int"), "3")


class Contexts(WithCopy):
    def test_progress_and_logs(self) -> None:
        client = self.worker.connect(trace_id="my-trace")
        request = client.start("tools/call", name="reports", arguments={"steps": 2}, _meta={"progressToken": "p"})
        result = client.finish(request)
        self.assertEqual(result["content"][0]["text"], f"my-trace {request}")
        asked = {"hud/request": request}
        self.assertEqual(
            [(m["method"], m["params"]) for m in client.notifications],
            [
                ("notifications/progress", {"progressToken": "p", "progress": 0, "total": 2, "message": "step 0"}),
                ("notifications/progress", {"progressToken": "p", "progress": 1, "total": 2, "message": "step 1"}),
                ("notifications/message", {"level": "info", "data": {"at": "info"}, "_meta": asked}),
                ("notifications/message", {"level": "warning", "data": "w", "logger": "mine", "_meta": asked}),
            ],
        )

    def test_no_progress_unless_asked_for(self) -> None:
        client = self.worker.connect()
        client.text("reports_sync", steps=3)
        self.assertEqual(client.notifications, [])

    def test_a_synchronous_tool_reports_while_it_runs(self) -> None:
        client = self.worker.connect()
        client.finish(
            client.start("tools/call", name="reports_sync", arguments={"steps": 5000}, _meta={"progressToken": 1})
        )
        self.assertEqual([m["params"]["progress"] for m in client.notifications], list(range(5000)))

    def test_a_thread_may_report(self) -> None:
        client = self.worker.connect()
        self.assertEqual(client.text("reports_from_thread"), "done")
        self.assertEqual([m["params"]["data"] for m in client.notifications], list(range(100)))

    def test_sampling(self) -> None:
        answer = {"role": "assistant", "content": {"type": "text", "text": "because"}, "model": "m"}
        client = self.worker.connect(answers={"sampling/createMessage": answer})
        self.assertEqual(client.text("asks"), "because m assistant")
        self.assertEqual(
            client.requests[0]["params"],
            {
                "messages": [{"role": "user", "content": {"type": "text", "text": "why?"}}],
                "maxTokens": 7,
                "metadata": {"hud/purpose": "tool"},
                "systemPrompt": "be brief",
                "temperature": 0.5,
                "modelPreferences": {"hints": [{"name": "small"}]},
                "_meta": {"hud/request": 2},
            },
        )

    def test_a_refused_sampling_is_an_error_of_the_tool(self) -> None:
        client = self.worker.connect(answers={"sampling/createMessage": RuntimeError("not granted")})
        self.assertEqual(client.error("asks"), "Error calling tool 'asks': sampling/createMessage: not granted")

    def test_elicitation(self) -> None:
        def answer(params: dict[str, Any]) -> dict[str, Any]:
            if params["message"] == "how many?":
                self.assertEqual(params["requestedSchema"]["properties"], {"value": {"type": "integer"}})
                return {"action": "accept", "content": {"value": 3}}
            if params["message"] == "where?":
                return {"action": "accept", "content": {"x": 1}}
            return {"action": "decline"}

        client = self.worker.connect(answers={"elicitation/create": answer})
        self.assertEqual(client.text("asks_person"), "accept 3 Point(x=1, y=1.0) decline None")


class ResourcesAndPrompts(WithCopy):
    def test_resources(self) -> None:
        listed = {resource["uri"]: resource for resource in self.client.request("resources/list")["resources"]}
        self.assertEqual(
            listed["data://orders"],
            {"uri": "data://orders", "name": "orders", "description": "All orders.", "mimeType": "text/plain"},
        )
        self.assertEqual(
            self.client.request("resources/templates/list")["resourceTemplates"],
            [{"uriTemplate": "data://orders/{number}", "name": "order", "mimeType": "text/plain"}],
        )
        for uri, expected in (
            ("data://orders", {"mimeType": "application/json", "text": '[{"id":1}]'}),
            ("data://orders/7", {"mimeType": "text/plain", "text": "order 7"}),
            ("data://logo", {"mimeType": "image/png", "blob": "UE5H"}),
        ):
            self.assertEqual(self.client.request("resources/read", uri=uri)["contents"], [{"uri": uri, **expected}])

    def test_an_unknown_resource(self) -> None:
        with self.assertRaises(RpcError) as caught:
            self.client.request("resources/read", uri="data://nothing")
        self.assertEqual(
            (caught.exception.code, caught.exception.message), (-32002, "Resource not found: data://nothing")
        )

    def test_prompts(self) -> None:
        listed = {prompt["name"]: prompt for prompt in self.client.request("prompts/list")["prompts"]}
        self.assertEqual(
            listed["review"],
            {
                "name": "review",
                "description": "Review code.",
                "arguments": [
                    {"name": "code", "required": True, "description": "what to review"},
                    {"name": "style", "required": False},
                ],
            },
        )
        self.assertEqual(
            self.client.setup("review", code="x")["messages"],
            [
                {"role": "user", "content": {"type": "text", "text": "Review x"}},
                {"role": "assistant", "content": {"type": "text", "text": "kind"}},
            ],
        )
        self.assertEqual(self.client.prompt("greet"), "hello")

    def test_a_prompt_without_its_argument(self) -> None:
        with self.assertRaises(RpcError) as caught:
            self.client.setup("review")
        self.assertEqual(caught.exception.code, -32602)
        self.assertIn("missing argument 'code'", caught.exception.message)


def _has_pydantic() -> bool:
    try:
        import pydantic  # noqa: F401
    except ImportError:
        return False
    return True


@unittest.skipUnless(_has_pydantic(), "pydantic is not importable: PYDANTIC TYPES ARE NOT TESTED")
class Pydantic(unittest.TestCase):
    SOURCE = '''
        from dataclasses import dataclass
        from typing import Annotated, Optional
        from pydantic import BaseModel, Field
        import hud

        env = hud.Environment("models")

        @dataclass
        class Point:
            x: int

        class Order(BaseModel):
            """An order."""
            id: int = Field(description="its number", ge=1)
            lines: list[Point] = []

        @env.tool
        def place(order: Order, several: Optional[list[Order]] = None) -> Order:
            assert isinstance(order, Order) and all(isinstance(line, Point) for line in order.lines)
            return order

        @env.tool
        def limited(n: Annotated[int, Field(ge=1, le=5, description="how many")], m: int = Field(7, description="more")) -> list[int]:
            return [n, m]

        class Strict(BaseModel, extra="forbid"):
            inner: Point

        @env.tool
        def strict(value: Strict): return value.inner.x

        @env.scenario("strict_order")
        async def strict_order(value: Strict):
            yield f"{value.inner.x}"

        @env.scenario("order", returns=Order)
        async def order(order: Order):
            answer = yield f"order {order.id}"
            yield {"reward": 1.0 if isinstance(answer.content, Order) and answer.content.id == order.id else 0.0}
    '''

    def test_models(self) -> None:
        with Worker(self.SOURCE) as worker:
            client = worker.connect()
            tools = {tool["name"]: tool for tool in client.request("tools/list")["tools"]}
            order = tools["place"]["inputSchema"]["properties"]["order"]
            self.assertEqual(order["properties"]["id"], {"description": "its number", "minimum": 1, "type": "integer"})
            self.assertIn("Point", tools["place"]["inputSchema"]["$defs"])
            self.assertEqual(
                tools["limited"]["inputSchema"]["properties"],
                {
                    "n": {"description": "how many", "maximum": 5, "minimum": 1, "type": "integer"},
                    "m": {"default": 7, "description": "more", "type": "integer"},
                },
            )
            result = client.call("place", order={"id": 3, "lines": [{"x": 1}]})
            self.assertEqual(result["structuredContent"], {"id": 3, "lines": [{"x": 1}]})
            self.assertEqual(client.text("limited", n=2), "[2,7]")
            self.assertEqual(client.error("limited", n=9), "Input validation error: 9 is greater than the maximum of 5")
            self.assertIn("0 is less than the minimum of 1", client.error("place", order={"id": 0}))
            self.assertEqual(client.prompt("models:order", order='{"id": 4}'), "order 4")
            schema = tools["strict"]["inputSchema"]["properties"]["value"]
            self.assertIs(schema["additionalProperties"], False)
            self.assertIn("('more' was unexpected)", client.error("strict", value={"inner": {"x": 1}, "more": 1}))
            scenario = next(s for s in worker.describe["scenarios"] if s["name"] == "strict_order")
            self.assertIs(scenario["arguments"][0]["inputSchema"]["additionalProperties"], False)
            with self.assertRaises(RpcError):
                client.setup("models:strict_order", value='{"inner": {"x": 1}, "more": 1}')
            # pydantic ignores fields that a plain dataclass inside its models does not have.
            result = client.call("place", order={"id": 3, "lines": [{"x": 1, "more": 1}]})
            self.assertEqual(result["structuredContent"], {"id": 3, "lines": [{"x": 1}]})
            client.setup("models:order", order='{"id": 4}')
            client.submit("order", '{"id": 4}')
            self.assertEqual(client.grade("models:order")["reward"], 1.0)
            with self.assertRaises(RpcError) as caught:
                client.setup("models:order", order='{"id": 0}')
            self.assertIn("greater than or equal to 1", caught.exception.message)


if __name__ == "__main__":
    unittest.main()
