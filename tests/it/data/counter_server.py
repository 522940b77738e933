"""A stdio MCP server without dependencies: a counter, with tools that set it up, count, and evaluate.

It leaves its process id in `server.pid` of its working directory, so that a test can look for it.
"""

import json
import os
import sys
import time

state = {"n": 0}


def text(value, **more):
    return {"content": [{"type": "text", "text": value}], **more}


def setup(arguments):
    if arguments.get("fail"):
        return text("the fixture is gone", isError=True)
    state["n"] = arguments.get("start", 0)
    return text(f"The counter stands at {state['n']}.")


def bump(arguments):
    state["n"] += arguments.get("by", 1)
    return text(str(state["n"]))


def evaluate(arguments):
    if "target" not in arguments:
        return text("evaluate needs a target", isError=True)
    reward = 1.0 if state["n"] == arguments["target"] else 0.0
    if arguments.get("structured"):
        return text("graded", structuredContent={"grade": reward})
    return text(json.dumps({"reward": reward}))


def environment(arguments):
    return text(json.dumps(dict(os.environ)))


def hang(arguments):
    open("hanging", "w").close()
    time.sleep(3600)


def quit_(arguments):
    print("the counter broke", file=sys.stderr, flush=True)
    os._exit(9)


TOOLS = {
    "setup": setup,
    "bump": bump,
    "evaluate": evaluate,
    "environment": environment,
    "hang": hang,
    "quit": quit_,
}


def answer(method, params):
    if method == "initialize":
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "counter", "version": "1"},
        }
    if method == "tools/list":
        schema = {"type": "object", "additionalProperties": True}
        return {"tools": [{"name": name, "description": name, "inputSchema": schema} for name in TOOLS]}
    if method == "tools/call":
        tool = TOOLS.get(params["name"])
        return tool(params.get("arguments") or {}) if tool else text("no such tool", isError=True)
    return {} if method == "ping" else None


with open("server.pid", "w") as file:
    file.write(str(os.getpid()))

for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    result = answer(message["method"], message.get("params") or {})
    body = {"error": {"code": -32601, "message": "unknown method"}} if result is None else {"result": result}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **body}), flush=True)
