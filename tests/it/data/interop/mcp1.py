"""The official Python client, 1.x, which has sessions: everything that a server of 2025-11-25 offers.

Usage: mcp1.py URL, where the fixture of the conformance kit is served.
"""

import asyncio
import json
import sys

from mcp import ClientSession, McpError, types
from mcp.client.streamable_http import streamablehttp_client
from pydantic import AnyUrl

PATIENCE = 10


class Seen:
    """What the server told us by itself, and a way to wait for it."""

    def __init__(self) -> None:
        self.logs: list[types.LoggingMessageNotificationParams] = []
        self.methods: list[str] = []
        self._arrived = asyncio.Condition()

    async def log(self, params: types.LoggingMessageNotificationParams) -> None:
        self.logs.append(params)

    async def message(self, message: object) -> None:
        if isinstance(message, types.ServerNotification):
            async with self._arrived:
                self.methods.append(message.root.method)
                self._arrived.notify_all()

    async def wait_for(self, method: str) -> None:
        async with self._arrived:
            await asyncio.wait_for(self._arrived.wait_for(lambda: method in self.methods), PATIENCE)


async def sample(_: object, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
    asked = params.messages[0].content
    reply = types.TextContent(type="text", text=f"{asked.text}? Paris. ({params.maxTokens})")
    return types.CreateMessageResult(role="assistant", content=reply, model="a-model", stopReason="endTurn")


async def elicit(_: object, params: types.ElicitRequestParams) -> types.ElicitResult:
    fields = params.requestedSchema["properties"]
    return types.ElicitResult(action="accept", content={name: f"my {name}" for name in fields})


async def roots(_: object) -> types.ListRootsResult:
    return types.ListRootsResult(roots=[types.Root(uri="file:///home/ada", name="home")])


async def use(session: ClientSession, seen: Seen) -> None:
    started = await session.initialize()
    assert started.serverInfo.name == "conformance", started
    assert started.protocolVersion == "2025-11-25", started
    assert started.capabilities.resources.subscribe and started.capabilities.completions is not None, started

    tools = {tool.name: tool for tool in (await session.list_tools()).tools}
    assert tools["json_schema_2020_12_tool"].inputSchema["allOf"], tools
    simple = await session.call_tool("test_simple_text")
    assert simple.content[0].text.startswith("This is a simple text"), simple
    assert (await session.call_tool("test_error_handling")).isError
    kinds = [block.type for block in (await session.call_tool("test_multiple_content_types")).content]
    assert kinds == ["text", "image", "resource"], kinds
    wrong = await session.call_tool("json_schema_2020_12_tool", {"contactMethod": "phone"})
    assert wrong.isError and "required property" in wrong.content[0].text, wrong

    progress = []

    async def progressed(done: float, total: float | None, message: str | None) -> None:
        progress.append((done, total, message))

    await session.call_tool("test_tool_with_progress", progress_callback=progressed)
    assert progress == [(n, 100, f"{n} of 100") for n in (0, 50, 100)], progress
    await session.set_logging_level("warning")
    await session.call_tool("test_logging_tool")
    assert [(log.level, log.logger) for log in seen.logs] == [("warning", "conformance"), ("error", "conformance")], seen.logs

    sampled = await session.call_tool("test_sampling", {"prompt": "The capital of France"})
    assert sampled.content[0].text == "LLM response: The capital of France? Paris. (100)", sampled
    elicited = await session.call_tool("test_elicitation", {"message": "Who?"})
    content = json.loads(elicited.content[0].text.partition("content: ")[2])
    assert content == {"username": "my username", "email": "my email"}, elicited
    listed = await session.call_tool("test_input_required_result_list_roots")
    assert listed.content[0].text == "Roots: file:///home/ada", listed
    together = await session.call_tool("test_input_required_result_multiple_inputs")
    assert together.content[0].text.endswith("my name (1 roots)"), together

    reference = types.PromptReference(type="ref/prompt", name="conformance:count")
    completed = await session.complete(reference, {"name": "letter", "value": ""})
    assert completed.completion.values == ["a", "b", "r"], completed
    templates = (await session.list_resource_templates()).resourceTemplates
    assert [template.uriTemplate for template in templates] == ["test://template/{id}/data"], templates
    text = await session.read_resource(AnyUrl("test://static-text"))
    assert text.contents[0].text.startswith("This is the content"), text
    try:
        await session.read_resource(AnyUrl("test://nothing"))
        raise AssertionError("a resource that is not there was read")
    except McpError as error:
        assert error.error.code == -32002 and error.error.data == {"uri": "test://nothing"}, error.error
    await session.subscribe_resource(AnyUrl("test://watched-resource"))
    await session.call_tool("test_trigger_resource_update")
    await seen.wait_for("notifications/resources/updated")
    # It takes the tool away again where somebody else has added it before.
    changed = (await session.call_tool("test_trigger_tool_change")).content[0].text
    await seen.wait_for("notifications/tools/list_changed")
    there = "test_added_tool" in [tool.name for tool in (await session.list_tools()).tools]
    assert there == (changed == "added"), changed

    prompt = await session.get_prompt("conformance:count", {"word": "strawberry"})
    assert prompt.messages[0].content.text == "How many 'r' are in 'strawberry'?", prompt
    await session.call_tool("_hud_submit", {"scenario": "count", "answer": "3"})
    grade = await session.read_resource(AnyUrl("conformance:count"))
    assert json.loads(grade.contents[0].text)["reward"] == 1.0, grade


async def main(url: str) -> None:
    seen = Seen()
    async with streamablehttp_client(url) as (read, write, _):
        async with ClientSession(
            read,
            write,
            sampling_callback=sample,
            elicitation_callback=elicit,
            list_roots_callback=roots,
            logging_callback=seen.log,
            message_handler=seen.message,
        ) as session:
            await use(session, seen)
    print("everything works")


asyncio.run(asyncio.wait_for(main(sys.argv[1]), 50))
