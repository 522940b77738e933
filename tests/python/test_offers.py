"""What an environment offers over MCP beside plain tools: schemas of one's own, resources, prompts, completion, changes."""

from __future__ import annotations

import base64
import tempfile
import unittest
import warnings
from pathlib import Path
from typing import Any

from client import Client, RpcError, Worker

from hud import Environment, _validate
from hud.types import AudioContent, EmbeddedResource, ImageContent

SOURCE = '''
    import asyncio
    import base64
    import threading
    from enum import Enum
    from typing import Annotated, Literal, Optional

    import hud
    from hud.types import BlobResourceContents, EmbeddedResource, ImageContent, MCPToolResult, PromptMessage, TextContent, TextResourceContents

    env = hud.Environment("offers", "Read me.", "2.1", title="Offers", icons=[{"src": "https://x/i.png"}], website_url="https://x")

    class Color(Enum):
        RED = "red"
        BLUE = "blue"

    SCHEMA = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"kind": {"enum": ["a", "b"]}, "size": {"$ref": "#/$defs/size"}},
        "$defs": {"size": {"$anchor": "s", "type": "integer", "minimum": 1}},
        "if": {"properties": {"kind": {"const": "a"}}},
        "then": {"required": ["size"]},
        "not": {"required": ["forbidden"]},
        "x-ours": {"kept": True},
    }

    @env.tool(input_schema=SCHEMA, title="Raw", annotations={"readOnlyHint": True}, icons=[{"src": "data:,"}], meta={"a": 1})
    def raw(**arguments) -> dict:
        return arguments

    @env.tool(input_schema={"type": "object", "properties": {"color": {"type": "string"}}})
    def named(color: Color, size: int = 1) -> str:
        return f"{color} {size}"

    @env.tool(output_schema={"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})
    def promises(what: str):
        return {"good": {"n": 1}, "wrong": {"n": "1"}, "none": None, "text": "n"}[what]

    @env.tool
    def noted() -> MCPToolResult:
        return MCPToolResult(content=[TextContent(text="x")], meta={"cost": 3})

    @env.tool
    def mixed() -> list:
        return ["text", ImageContent.from_bytes(b"png")]

    @env.tool
    def promised_list() -> list[str]:
        return ["a", "b"]

    @env.tool
    def change(what: str) -> str:
        if what == "tool":
            env.add_tool(lambda: 1, name="new")
        elif what == "no tool":
            env.remove_tool("new")
        elif what == "several":
            for number in range(5):
                env.add_tool(lambda: 1, name=f"new{number}")
            env.prompt(name="p1")(lambda: "x")
            env.resource("data://new")(lambda: "x")
            env.remove_prompt("p1")
            env.remove_resource("data://new")
        elif what == "scenario":
            @env.scenario("later")
            async def later():
                yield "x"
                yield 1.0
        elif what == "thread":
            thread = threading.Thread(target=lambda: env.remove_prompt("plain"))
            thread.start()
            thread.join()
        return what

    @env.tool
    async def change_later() -> str:
        async def later():
            env.add_tool(lambda: 1, name="much-later")
        asyncio.get_running_loop().call_later(0.001, lambda: asyncio.ensure_future(later()))
        return "soon"

    @env.tool
    def update(uri: str) -> str:
        env.notify_resource_updated(uri)
        return uri

    @env.resource("data://static", title="Static", annotations={"audience": ["user"]}, icons=[{"src": "data:,"}], size=3, meta={"m": 1})
    def static() -> str:
        """Three letters."""
        return "abc"

    @env.resource("data://bytes")
    def some_bytes() -> bytes:
        return b"\\x00\\x01"

    @env.resource("data://json")
    def some_json() -> list:
        return [1, {"uri": "not contents"}]

    @env.resource("data://folder")
    def folder() -> list:
        return [TextResourceContents(uri="data://folder/a", text="a"), {"uri": "data://folder/b", "blob": "Yg=="}]

    @env.resource("data://{color}/{path*}", mime_type="text/markdown", complete={"path": ["docs/a.md", "docs/b.md", "src/a.rs"]})
    def template(color: Color, path: str) -> str:
        return f"{color.name} {path}"

    @env.prompt(title="Plain", icons=[{"src": "data:,"}], meta={"m": 2})
    def plain(color: Literal["red", "green"], sure: bool = True, how: Optional[Color] = None, free: str = "") -> str:
        return "x"

    @env.prompt
    def pictures() -> list:
        return [
            PromptMessage(role="assistant", content="Look:"),
            ImageContent.from_bytes(b"png"),
            EmbeddedResource.of("data://x", b"bytes"),
        ]

    def words(request: hud.CompletionRequest):
        return [f"{request.value}-{number}" for number in range(150)]

    async def depends(request):
        return ["Paris"] if request.arguments.get("country") == "France" else None

    @env.scenario("travel", complete={"city": depends, "word": words})
    async def travel(country: Literal["France", "Spain"], city: str, word: str = "", level: int = 1):
        yield "go"
        yield 1.0

    @env.completion("travel", "level")
    def levels(request):
        return [1, 2, 3]

    @env.completion("offers:travel", "country")
    async def countries(request):
        return ["Portugal"] if request.value == "P" else None

    @env.completion("pictures")
    def fails(request):
        raise KeyError("broken")

    @env.prompt
    def breaks(word: str) -> str:
        return word

    @env.completion("breaks")
    def broken(request):
        raise KeyError("broken")
'''


class WithWorker(unittest.TestCase):
    worker: Worker

    @classmethod
    def setUpClass(cls) -> None:
        cls.worker = Worker(SOURCE)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.worker.__exit__()

    def setUp(self) -> None:
        self.client = self.worker.connect()


class Tools(WithWorker):
    def test_a_schema_of_ones_own(self) -> None:
        tool = next(tool for tool in self.client.request("tools/list")["tools"] if tool["name"] == "raw")
        schema = tool.pop("inputSchema")
        self.assertEqual(schema["$defs"], {"size": {"$anchor": "s", "type": "integer", "minimum": 1}})
        self.assertEqual(list(schema), ["$schema", "type", "properties", "$defs", "if", "then", "not", "x-ours"])
        del tool["outputSchema"]
        self.assertEqual(
            tool,
            {
                "name": "raw",
                "title": "Raw",
                "annotations": {"readOnlyHint": True},
                "icons": [{"src": "data:,"}],
                "_meta": {"a": 1},
            },
        )
        self.assertEqual(self.client.call("raw", kind="b", more=[1])["structuredContent"], {"kind": "b", "more": [1]})
        for arguments, expected in (
            ({"kind": "a"}, "'size' is a required property"),
            ({"kind": "c"}, "'c' is not one of ['a', 'b']"),
            ({"kind": "b", "size": 0}, "0 is less than the minimum of 1"),
            ({"kind": "b", "forbidden": 1}, "should not be valid under"),
        ):
            with self.subTest(arguments=arguments):
                self.assertIn(expected, self.client.error("raw", **arguments))

    def test_parameters_under_a_schema_of_ones_own(self) -> None:
        self.assertEqual(self.client.text("named", color="blue"), "Color.BLUE 1")
        self.assertEqual(self.client.text("named", color="red", size=4), "Color.RED 4")
        for arguments, expected in (
            ({}, "Input validation error: 'color' is a required property"),
            ({"color": "red", "shape": 1}, "Input validation error: unexpected 'shape'"),
            ({"color": "pink"}, "Input validation error: 'color':"),
        ):
            self.assertIn(expected, self.client.error("named", **arguments))

    def test_a_promised_result(self) -> None:
        self.assertEqual(self.client.call("promises", what="good")["structuredContent"], {"n": 1})
        for what, expected in (
            ("wrong", "'1' is not of type 'integer'"),
            ("none", "it is no object"),
            ("text", "it is no object"),
        ):
            self.assertIn(
                f"the result does not fit the tool's output_schema: {expected}",
                self.client.error("promises", what=what),
            )

    def test_results(self) -> None:
        self.assertEqual(self.client.call("noted")["_meta"], {"cost": 3})
        tools = {tool["name"]: tool for tool in self.client.request("tools/list")["tools"]}
        self.assertNotIn("outputSchema", tools["mixed"])
        self.assertEqual(
            self.client.call("mixed"),
            {
                "content": [
                    {"type": "text", "text": "text"},
                    {"type": "image", "data": "cG5n", "mimeType": "image/png"},
                ],
                "isError": False,
            },
        )
        self.assertEqual(self.client.call("promised_list")["structuredContent"], {"result": ["a", "b"]})

    def test_declarations_that_cannot_work(self) -> None:
        env = Environment()
        for options, message in (
            ({"input_schema": {"type": "string"}}, 'input_schema must be a JSON schema with "type": "object"'),
            ({"input_schema": []}, "input_schema must be"),
            ({"output_schema": {}}, "output_schema must be"),
            (
                {"input_schema": {"type": "object", "properties": {"y": {}}}},
                "has 'y', which the function does not take",
            ),
            (
                {"input_schema": {"type": "object", "additionalProperties": False}},
                "needs 'x', which the input_schema forbids",
            ),
            ({"icons": [{"url": "x"}]}, "an icon needs a 'src'"),
            ({"annotations": "readOnly"}, "annotations must be a dict, not str"),
        ):
            with self.subTest(options=options), self.assertRaisesRegex(TypeError, message.replace("(", r"\(")):
                env.add_tool(lambda x: x, name="tool", **options)
        self.assertEqual(env.tools, {})


class Content(unittest.TestCase):
    def test_files(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for name, kind in (("a.png", "image/png"), ("a.jpg", "image/jpeg")):
                path = Path(folder, name)
                path.write_bytes(b"data")
                self.assertEqual(ImageContent.from_file(path), ImageContent(data="ZGF0YQ==", mimeType=kind))
            sound = Path(folder, "a.wav")
            sound.write_bytes(b"data")
            self.assertEqual(AudioContent.from_file(str(sound)), AudioContent(data="ZGF0YQ==", mimeType="audio/wav"))
            with self.assertRaisesRegex(ValueError, "cannot tell its kind of image from the name"):
                ImageContent.from_file(sound)
            self.assertEqual(ImageContent.from_file(sound, "image/x").mimeType, "image/x")

    def test_bytes(self) -> None:
        self.assertEqual(ImageContent.from_bytes(b"x", "image/gif").to_dict()["mimeType"], "image/gif")
        self.assertEqual(AudioContent.from_bytes(b"x").data, base64.b64encode(b"x").decode())
        with self.assertRaisesRegex(TypeError, "the content of a file is bytes, not str"):
            ImageContent.from_bytes("x")  # type: ignore[arg-type]

    def test_embedded(self) -> None:
        self.assertEqual(
            EmbeddedResource.of("u:x", "t").to_dict(),
            {"type": "resource", "resource": {"uri": "u:x", "mimeType": "text/plain", "text": "t"}},
        )
        self.assertEqual(
            EmbeddedResource.of("u:x", b"t", "image/png").to_dict()["resource"],
            {"uri": "u:x", "mimeType": "image/png", "blob": "dA=="},
        )


class Server(WithWorker):
    def test_what_it_says_of_itself(self) -> None:
        result = self.client.request("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={})
        self.assertEqual(
            result,
            {
                "protocolVersion": "2025-11-25",
                "capabilities": {
                    "tools": {"listChanged": True},
                    "prompts": {"listChanged": True},
                    "resources": {"subscribe": True, "listChanged": True},
                    "logging": {},
                    "completions": {},
                },
                "serverInfo": {
                    "name": "offers",
                    "version": "2.1",
                    "title": "Offers",
                    "icons": [{"src": "https://x/i.png"}],
                    "websiteUrl": "https://x",
                },
                "instructions": "Read me.",
            },
        )


class Resources(WithWorker):
    def read(self, uri: str) -> list[dict[str, Any]]:
        return self.client.request("resources/read", uri=uri)["contents"]

    def test_listing(self) -> None:
        listed = self.client.request("resources/list")["resources"]
        self.assertEqual(
            listed[0],
            {
                "uri": "data://static",
                "name": "static",
                "title": "Static",
                "description": "Three letters.",
                "mimeType": "text/plain",
                "size": 3,
                "annotations": {"audience": ["user"]},
                "icons": [{"src": "data:,"}],
                "_meta": {"m": 1},
            },
        )
        self.assertEqual(listed[-1]["uri"], "offers:travel")

    def test_contents(self) -> None:
        self.assertEqual(
            self.read("data://bytes"), [{"uri": "data://bytes", "mimeType": "application/octet-stream", "blob": "AAE="}]
        )
        self.assertEqual(
            self.read("data://json"),
            [{"uri": "data://json", "mimeType": "application/json", "text": '[1,{"uri":"not contents"}]'}],
        )
        self.assertEqual(
            self.read("data://folder"),
            [{"uri": "data://folder/a", "text": "a"}, {"uri": "data://folder/b", "blob": "Yg=="}],
        )
        self.assertEqual(
            self.read("data://blue/docs/a%20b.md"),
            [{"uri": "data://blue/docs/a%20b.md", "mimeType": "text/markdown", "text": "BLUE docs/a b.md"}],
        )

    def test_subscriptions(self) -> None:
        other = self.worker.connect()
        self.assertEqual(self.client.request("resources/subscribe", uri="data://static"), {})
        self.assertEqual(self.client.request("resources/subscribe", uri="data://red/docs/a.md"), {})
        self.assertEqual(self.client.request("resources/subscribe", uri="offers:travel"), {})
        for uri in ("data://static", "data://json", "data://red/docs/a.md", "data://red/docs/b.md"):
            self.client.text("update", uri=uri)
            other.text("update", uri=uri)
        updates = [
            {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}}
            for uri in ("data://static", "data://red/docs/a.md")
        ]
        self.assertEqual((self.client.notifications, other.notifications), (updates, []))
        self.assertEqual(self.client.request("resources/unsubscribe", uri="data://static"), {})
        self.client.text("update", uri="data://static")
        self.assertEqual(self.client.notifications, updates)
        with self.assertRaises(RpcError) as caught:
            self.client.request("resources/subscribe", uri="data://nothing")
        self.assertEqual((caught.exception.code, caught.exception.data), (-32002, {"uri": "data://nothing"}))


class Prompts(WithWorker):
    def test_listing(self) -> None:
        listed = {prompt["name"]: prompt for prompt in self.client.request("prompts/list")["prompts"]}
        self.assertEqual((listed["plain"]["title"], listed["plain"]["icons"]), ("Plain", [{"src": "data:,"}]))
        self.assertEqual(listed["plain"]["_meta"], {"m": 2})

    def test_messages(self) -> None:
        self.assertEqual(
            self.client.request("prompts/get", name="pictures")["messages"],
            [
                {"role": "assistant", "content": {"type": "text", "text": "Look:"}},
                {"role": "user", "content": {"type": "image", "data": "cG5n", "mimeType": "image/png"}},
                {
                    "role": "user",
                    "content": {
                        "type": "resource",
                        "resource": {
                            "uri": "data://x",
                            "mimeType": "application/octet-stream",
                            "blob": "Ynl0ZXM=",
                        },
                    },
                },
            ],
        )


class Completions(WithWorker):
    def complete(self, name: str, argument: str, value: str = "", **arguments: str) -> list[str]:
        return self.whole(name, argument, value, **arguments)["values"]

    def whole(self, name: str, argument: str, value: str = "", **arguments: str) -> dict[str, Any]:
        kind = {"type": "ref/resource", "uri": name} if "://" in name else {"type": "ref/prompt", "name": name}
        context = {"context": {"arguments": arguments}} if arguments else {}
        return self.client.request(
            "completion/complete", ref=kind, argument={"name": argument, "value": value}, **context
        )["completion"]

    def test_types_with_few_values(self) -> None:
        for name, argument, value, expected in (
            ("plain", "color", "", ["red", "green"]),
            ("plain", "color", "R", ["red", "green"]),
            ("plain", "color", "gr", ["green"]),
            ("plain", "sure", "", ["true", "false"]),
            ("plain", "how", "b", ["blue"]),
            ("plain", "free", "x", []),
            ("data://{color}/{path*}", "color", "", ["red", "blue"]),
            ("offers:travel", "country", "", ["France", "Spain"]),
            ("travel", "country", "sp", ["Spain"]),
        ):
            with self.subTest(name=name, argument=argument, value=value):
                self.assertEqual(self.complete(name, argument, value), expected)

    def test_declared_values_and_functions(self) -> None:
        self.assertEqual(self.complete("data://{color}/{path*}", "path", "a"), ["docs/a.md", "src/a.rs"])
        self.assertEqual(self.complete("data://{color}/{path*}", "path", "src"), ["src/a.rs"])
        self.assertEqual(self.complete("travel", "city", "", country="France"), ["Paris"])
        self.assertEqual(self.complete("travel", "city", "", country="Spain"), [])
        self.assertEqual(self.complete("offers:travel", "level", "x"), ["1", "2", "3"])
        self.assertEqual(self.complete("travel", "country", "P"), ["Portugal"])

    def test_at_most_a_hundred(self) -> None:
        found = self.whole("travel", "word", "w")
        self.assertEqual((found["values"][99], len(found["values"])), ("w-99", 100))
        self.assertEqual((found["total"], found["hasMore"]), (150, True))

    def test_what_does_not_exist(self) -> None:
        for ref, argument, message in (
            ({"type": "ref/prompt", "name": "nothing"}, "x", "Prompt not found: 'nothing'"),
            ({"type": "ref/resource", "uri": "data://x/{y}"}, "y", "Resource template not found: 'data://x/{y}'"),
            (
                {"type": "ref/prompt", "name": "plain"},
                "x",
                "'plain' has no argument 'x'; it has color, sure, how, free",
            ),
            ({"type": "ref/tool", "name": "raw"}, "x", "must be ref/prompt or ref/resource"),
            ("plain", "x", "needs 'ref' and 'argument'"),
        ):
            with self.subTest(ref=ref), self.assertRaises(RpcError) as caught:
                self.client.request("completion/complete", ref=ref, argument={"name": argument, "value": ""})
            self.assertEqual(caught.exception.code, -32602)
            self.assertIn(message, caught.exception.message)

    def test_a_function_that_fails(self) -> None:
        with self.assertRaises(RpcError) as caught:
            self.complete("breaks", "word")
        self.assertEqual(
            (caught.exception.code, caught.exception.message), (-32603, "KeyError: key 'broken' not found")
        )
        self.assertIn("in broken\n", self.worker.log_of(self.client))

    def test_declarations_that_cannot_work(self) -> None:
        env = Environment()
        for complete, message in (
            ({"wrod": ["x"]}, "complete has 'wrod', which is none of its arguments \\(word\\)"),
            ({"word": "x"}, "complete\\['word'\\] must be a list of values or a function"),
            ({"word": 5}, "must be a list of values or a function"),
        ):
            with self.assertRaisesRegex(TypeError, message):
                env.prompt(name="p", complete=complete)(lambda word: word)
        with self.assertRaisesRegex(TypeError, "needs the scenario, prompt or resource"):
            env.completion(None, "word")

    def test_a_completer_that_nothing_asks_is_said(self) -> None:
        from hud import _describe

        env = Environment("e")
        env.prompt(name="greet")(lambda word: word)
        env.completion("gret", "word")(lambda request: [])
        env.completion("greet", "wrod")(lambda request: [])
        env.completion(lambda request: None)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            _describe.describe(env, [], [])
        self.assertEqual(
            [str(warning.message) for warning in caught],
            [
                "@env.completion('gret'): there is no such prompt, scenario or resource template; did you mean 'greet'?",
                "@env.completion('greet', 'wrod'): it has no such argument",
            ],
        )


class Changes(WithWorker):
    def changes(self, client: Client) -> list[str]:
        found = [message["method"] for message in client.notifications]
        client.notifications.clear()
        return found

    def test_each_list_once(self) -> None:
        tools, prompts, resources = (f"notifications/{name}/list_changed" for name in ("tools", "prompts", "resources"))
        for what, expected in (
            ("nothing", []),
            ("tool", [tools]),
            ("no tool", [tools]),
            ("several", [prompts, resources, tools]),
            ("scenario", [prompts, resources]),
            ("thread", [prompts]),
        ):
            with self.subTest(what=what):
                self.client.text("change", what=what)
                self.client.request("ping")
                self.assertEqual(self.changes(self.client), expected)

    def test_a_new_tool_can_be_called(self) -> None:
        self.client.text("change", what="tool")
        self.assertIn("new", [tool["name"] for tool in self.client.request("tools/list")["tools"]])
        self.assertEqual(self.client.text("new"), "1")

    def test_code_that_runs_beside_requests(self) -> None:
        self.client.text("change_later")
        self.assertEqual(self.client.wait_for_notification("notifications/tools/list_changed"), {})

    def test_nothing_is_announced_before_the_client_can_know_a_list(self) -> None:
        source = """
            from hud import Environment
            env = Environment("e")
            @env.initialize
            def start():
                env.add_tool(lambda: 1, name="early")
        """
        with Worker(source) as worker:
            client = worker.connect()
            self.assertEqual([tool["name"] for tool in client.request("tools/list")["tools"]], ["early"])
            self.assertEqual(client.notifications, [])

    def test_what_is_not_there_cannot_be_removed(self) -> None:
        env = Environment("e")
        for remove, what in (
            (env.remove_tool, "tool"),
            (env.remove_prompt, "prompt"),
            (env.remove_resource, "resource"),
        ):
            with self.assertRaisesRegex(KeyError, f"environment 'e' has no {what} 'x'"):
                remove("x")


class InOneProcess(unittest.TestCase):
    """Where one process serves every connection, a change is everybody's, and a subscription one client's."""

    def test_everybody_hears_of_a_change(self) -> None:
        with Worker(SOURCE, "--isolation", "shared") as worker:
            clients = [worker.connect() for _ in range(3)]
            gone = worker.connect()
            gone.close()
            clients[0].text("change", what="several")
            for client in clients:
                for listed in ("prompts", "resources", "tools"):
                    client.wait_for_notification(f"notifications/{listed}/list_changed")
                self.assertIn("new4", [tool["name"] for tool in client.request("tools/list")["tools"]])
                self.assertEqual(client.notifications, [])

    def test_updates_reach_who_has_subscribed(self) -> None:
        with Worker(SOURCE, "--isolation", "shared") as worker:
            first, second, third = (worker.connect() for _ in range(3))
            first.request("resources/subscribe", uri="data://static")
            second.request("resources/subscribe", uri="data://json")
            third.text("update", uri="data://static")
            third.text("update", uri="data://json")
            for client, uri in ((first, "data://static"), (second, "data://json")):
                self.assertEqual(client.wait_for_notification("notifications/resources/updated"), {"uri": uri})
                client.request("ping")
                self.assertEqual(client.notifications, [])
            third.request("ping")
            self.assertEqual(third.notifications, [])


class Validation(unittest.TestCase):
    """JSON Schema 2020-12; the whole was compared with the `jsonschema` package on random schemas."""

    def check(self, schema: dict[str, Any], value: Any, *expected: str) -> None:
        with self.subTest(schema=schema, value=value):
            self.assertEqual(_validate.problems(value, schema), list(expected))

    def test_references(self) -> None:
        schema: dict[str, Any] = {
            "$id": "https://x/root",
            "$defs": {"a/b": {"$anchor": "here", "type": "integer"}, "list": {"prefixItems": [{"type": "string"}]}},
        }
        for reference in ("#/$defs/a~1b", "#/%24defs/a~1b", "#here", "https://x/root#here"):
            self.check({**schema, "$ref": reference}, 1)
            self.check({**schema, "$ref": reference}, "1", "'1' is not of type 'integer'")
        self.check({**schema, "$ref": "#/$defs/list/prefixItems/0"}, 1, "1 is not of type 'string'")
        self.check({**schema, "$ref": "#/$defs/nowhere"}, 1)
        self.check({**schema, "$ref": "https://elsewhere/"}, 1)

    def test_recursion(self) -> None:
        tree = {"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": False}
        self.check(tree, {"next": {"next": {}}})
        self.check(
            tree,
            {"next": {"nxet": 1}},
            "Additional properties are not allowed ('nxet' was unexpected) (in next)",
        )
        self.check({"$ref": "#"}, 1, "it is nested too deeply to be checked")

    def test_conditions(self) -> None:
        schema = {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}}
        self.check(schema, {"a": 1, "b": 1})
        self.check(schema, {"a": 1}, "'b' is a required property")
        self.check(schema, {}, "'c' is a required property")
        self.check({"not": {"type": "string"}}, "x", "'x' should not be valid under {'type': 'string'}")
        one = {"oneOf": [{"type": "integer"}, {"minimum": 2}]}
        self.check(one, 1)
        self.check(one, 2, "2 is valid under more than one of the given schemas")

    def test_objects(self) -> None:
        self.check({"patternProperties": {"^a": {"type": "string"}}, "additionalProperties": False}, {"ab": "x"})
        self.check({"patternProperties": {"^a": {"type": "string"}}}, {"ab": 1}, "1 is not of type 'string'")
        self.check({"propertyNames": {"pattern": "^a"}}, {"b": 1}, "'b' does not match '^a'")
        self.check({"minProperties": 1}, {}, "{} does not have enough properties")
        self.check({"maxProperties": 0}, {"a": 1}, "{'a': 1} has too many properties")
        self.check({"dependentRequired": {"a": ["b"]}}, {"a": 1}, "'b' is a dependency of 'a'")
        self.check({"dependentSchemas": {"a": {"required": ["b"]}}}, {"a": 1}, "'b' is a required property")

    def test_arrays(self) -> None:
        self.check({"contains": {"type": "string"}}, [1, "a"])
        self.check({"contains": {"type": "string"}}, [1], "[1] does not contain items matching the given schema")
        self.check({"contains": {}, "minContains": 0}, [])
        self.check(
            {"contains": {}, "maxContains": 1}, [1, 2], "[1, 2] contains too many items matching the given schema"
        )


if __name__ == "__main__":
    unittest.main()
