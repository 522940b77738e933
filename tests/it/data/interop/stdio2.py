"""The official Python client, 2.x, with our server as its child: both eras over stdio.

Usage: stdio2.py HUD FILE, the program and the fixture of the conformance kit. What user code prints must not reach the protocol.
"""

import asyncio
import sys
from typing import Any

import mcp_types as types
from mcp import Client, StdioServerParameters


async def elicit(_: object, params: Any) -> types.ElicitResult:
    fields = params.requested_schema["properties"]
    return types.ElicitResult(action="accept", content={name: f"my {name}" for name in fields})


async def use(server: StdioServerParameters, mode: Any, revision: str) -> None:
    async with Client(server, mode=mode, elicitation_callback=elicit) as client:
        assert client.protocol_version == revision, client.protocol_version
        assert "test_simple_text" in [tool.name for tool in (await client.list_tools()).tools]
        result = await client.call_tool("test_simple_text", {})
        assert result.content[0].text.startswith("This is a simple text"), result
        steps = []

        async def progressed(done: float, total: float | None, message: str | None) -> None:
            steps.append(done)

        await client.call_tool("test_tool_with_progress", {}, progress_callback=progressed)
        assert steps == [0, 50, 100], steps
        asked = await client.call_tool("test_input_required_result_multi_round", {})
        assert asked.content[0].text == "my name likes my color", asked


async def main(program: str, file: str) -> None:
    server = StdioServerParameters(command=program, args=["dev", file, "--stdio"])
    await use(server, "legacy", "2025-11-25")
    await use(server, "auto", "2026-07-28")
    print("everything works")


asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), 50))
