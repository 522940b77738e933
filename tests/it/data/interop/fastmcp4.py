"""The client of `fastmcp` 4 in both eras.

Usage: fastmcp4.py URL, where the fixture of the conformance kit is served.
"""

import asyncio
import json
import sys
from typing import Any

from fastmcp import Client
from fastmcp.exceptions import ToolError


async def elicit(message: str, response_type: Any, params: Any, context: Any) -> Any:
    return {name: f"my {name}" for name in params.requested_schema["properties"]}


async def sample(messages: Any, params: Any, context: Any) -> str:
    return f"{messages[0].content.text}? Paris."


async def use(url: str, mode: str) -> None:
    logs: list[Any] = []
    progress: list[Any] = []

    async def log(message: Any) -> None:
        logs.append((message.level, message.data))

    async def progressed(done: float, total: float | None, message: str | None) -> None:
        progress.append(done)

    client = Client(
        url,
        mode=mode,
        elicitation_handler=elicit,
        sampling_handler=sample,
        roots=["file:///home/ada"],
        log_handler=log,
        progress_handler=progressed,
    )
    async with client:
        tools = {tool.name for tool in await client.list_tools()}
        assert {"test_simple_text", "test_sampling"} <= tools, tools
        result = await client.call_tool("test_simple_text")
        assert result.data == "This is a simple text response for testing.", result
        await client.call_tool("test_tool_with_progress")
        assert progress == [0, 50, 100], progress
        sampled = await client.call_tool("test_sampling", {"prompt": "The capital of France"})
        assert sampled.data == "LLM response: The capital of France? Paris.", sampled
        elicited = await client.call_tool("test_elicitation", {"message": "Who?"})
        assert json.loads(elicited.data.partition("content: ")[2])["username"] == "my username", elicited
        listed = await client.call_tool("test_input_required_result_list_roots")
        assert listed.data == "Roots: file:///home/ada", listed
        try:
            await client.call_tool("test_error_handling")
            raise AssertionError("an error was not reported")
        except ToolError as error:
            assert "intentionally" in str(error), error
        prompts = {prompt.name for prompt in await client.list_prompts()}
        assert "conformance:count" in prompts, prompts
        prompt = await client.get_prompt("test_prompt_with_arguments", {"arg1": "a", "arg2": "b"})
        assert "arg1='a', arg2='b'" in prompt.messages[0].content.text, prompt
        contents = await client.read_resource("test://static-text")
        assert contents[0].text.startswith("This is the content"), contents


async def main(url: str) -> None:
    await use(url, "legacy")
    await use(url, "auto")
    print("everything works")


asyncio.run(asyncio.wait_for(main(sys.argv[1]), 50))
