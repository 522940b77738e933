"""Try the running environment from outside, as a client would.

    hud dev -w scenarios -w tools --port 8765     # in one terminal
    python local_test.py                          # in another; needs `pip install mcp`
"""

import asyncio
import json
import sys

from mcp import Client


async def test(url: str = "http://localhost:8765/mcp") -> None:
    async with Client(url) as client:
        tools = await client.list_tools()
        print("tools:", ", ".join(tool.name for tool in tools.tools))

        orders = await client.call_tool("find_orders", {"customer": "Robin"})
        print("orders:", orders.structured_content)

        # A scenario is a prompt: getting it sets the task up. Its session has a world of its own.
        prompt = await client.get_prompt("{{ name }}:refund", {"customer": "Robin", "item": "kettle"})
        print("asked:", prompt.messages[0].content.text)
        session = {"hud/session": (prompt.meta or {}).get("hud/session")}

        await client.call_tool("refund_order", {"order_id": 101}, meta=session)
        await client.call_tool("_hud_submit", {"scenario": "refund", "answer": "Done."}, meta=session)

        # Reading the resource of the same name grades it.
        grade = await client.read_resource("{{ name }}:refund", meta=session)
        reward = json.loads(grade.contents[0].text)["reward"]
        print("reward:", reward)
        assert reward == 1.0


asyncio.run(test(*sys.argv[1:]))
