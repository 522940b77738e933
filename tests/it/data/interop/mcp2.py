"""The official Python client, 2.x, in both eras: with a session, and stateless with questions as `input_required` results.

Usage: mcp2.py URL, where the fixture of the conformance kit is served.
"""

import asyncio
import json
import sys
from typing import Any

import mcp_types as types
from mcp import Client, MCPError
from mcp.client.subscriptions import ResourceUpdated, ToolsListChanged

PATIENCE = 10


async def sample(_: object, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
    asked = params.messages[0].content
    reply = types.TextContent(type="text", text=f"{asked.text}? Paris.")
    return types.CreateMessageResult(role="assistant", content=reply, model="a-model", stop_reason="endTurn")


async def elicit(_: object, params: Any) -> types.ElicitResult:
    fields = params.requested_schema["properties"]
    return types.ElicitResult(action="accept", content={name: f"my {name}" for name in fields})


async def roots(_: object) -> types.ListRootsResult:
    return types.ListRootsResult(roots=[types.Root(uri="file:///home/ada", name="home")])


async def text(client: Client, name: str, **arguments: Any) -> str:
    result = await client.call_tool(name, arguments)
    assert not result.is_error, result
    return result.content[0].text


async def common(client: Client) -> None:
    """What both eras do alike."""
    assert client.server_info.name == "conformance", client.server_info
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert tools["json_schema_2020_12_tool"].input_schema["$defs"]["address"]["$anchor"] == "addressDef", tools
    assert (await text(client, "test_simple_text")).startswith("This is a simple text")
    assert (await client.call_tool("test_error_handling", {})).is_error
    kinds = [block.type for block in (await client.call_tool("test_multiple_content_types", {})).content]
    assert kinds == ["text", "image", "resource"], kinds

    progress = []

    async def progressed(done: float, total: float | None, message: str | None) -> None:
        progress.append((done, total, message))

    await client.call_tool("test_tool_with_progress", {}, progress_callback=progressed)
    assert progress == [(n, 100, f"{n} of 100") for n in (0, 50, 100)], progress

    sampled = await text(client, "test_sampling", prompt="The capital of France")
    assert sampled == "LLM response: The capital of France? Paris.", sampled
    elicited = await text(client, "test_elicitation", message="Who?")
    content = json.loads(elicited.partition("content: ")[2])
    assert content == {"username": "my username", "email": "my email"}, elicited
    listed = await text(client, "test_input_required_result_list_roots")
    assert listed == "Roots: file:///home/ada", listed
    together = await text(client, "test_input_required_result_multiple_inputs")
    assert together == "Generate a greeting? Paris. my name (1 roots)", together
    rounds = await text(client, "test_input_required_result_multi_round")
    assert rounds == "my name likes my color", rounds
    prompt = await client.get_prompt("test_input_required_result_prompt")
    assert prompt.messages[0].content.text == "Use this context: my context", prompt

    reference = types.PromptReference(type="ref/prompt", name="conformance:count")
    completed = await client.complete(reference, {"name": "word", "value": "straw"})
    assert completed.completion.values == ["strawberry"], completed
    read = await client.read_resource("test://template/7/data")
    assert json.loads(read.contents[0].text)["id"] == "7", read


async def with_session(url: str) -> None:
    logs: list[Any] = []
    told: list[str] = []
    arrived = asyncio.Condition()

    async def log(params: types.LoggingMessageNotificationParams) -> None:
        logs.append((params.level, params.logger))

    async def message(message: Any) -> None:
        async with arrived:
            told.append(getattr(message, "method", ""))
            arrived.notify_all()

    callbacks: dict[str, Any] = {"sampling_callback": sample, "elicitation_callback": elicit, "list_roots_callback": roots}
    async with Client(url, mode="legacy", logging_callback=log, message_handler=message, **callbacks) as client:
        assert client.protocol_version == "2025-11-25", client.protocol_version
        await common(client)
        await client.set_logging_level("error")
        await text(client, "test_logging_tool")
        assert logs[-1] == ("error", "conformance") and ("warning", "conformance") not in logs, logs
        await client.subscribe_resource("test://watched-resource")
        await text(client, "test_trigger_resource_update")
        async with arrived:
            await asyncio.wait_for(arrived.wait_for(lambda: "notifications/resources/updated" in told), PATIENCE)


async def arrive(events: Any, missing: set[type]) -> None:
    async for event in events:
        missing.discard(type(event))
        if not missing:
            return


async def stateless(url: str) -> None:
    logs: list[Any] = []

    async def log(params: types.LoggingMessageNotificationParams) -> None:
        logs.append((params.level, params.logger))

    callbacks: dict[str, Any] = {"sampling_callback": sample, "elicitation_callback": elicit, "list_roots_callback": roots}
    async with Client(url, logging_callback=log, log_level="error", **callbacks) as client:
        assert client.protocol_version == "2026-07-28", client.protocol_version
        await common(client)
        await text(client, "test_logging_tool")
        assert logs == [("error", "conformance")], logs
        async with client.listen(tools_list_changed=True, resource_subscriptions=["test://watched-resource"]) as events:
            await text(client, "test_trigger_resource_update")
            await text(client, "test_trigger_tool_change")
            await asyncio.wait_for(arrive(events, {ResourceUpdated, ToolsListChanged}), PATIENCE)
    # A client that offers nothing is not asked, and is told what it would need.
    async with Client(url) as client:
        try:
            await client.call_tool("test_missing_capability", {})
            raise AssertionError("a client without sampling was asked to sample")
        except MCPError as error:
            assert error.error.code == -32021, error.error
            assert error.error.data == {"requiredCapabilities": {"sampling": {}}}, error.error


async def main(url: str) -> None:
    await with_session(url)
    await stateless(url)
    print("everything works")


asyncio.run(asyncio.wait_for(main(sys.argv[1]), 50))
