"""An MCP server without dependencies for images under test: on stdio, or with a port as its argument over HTTP.

`MODE` makes it misbehave: `crash` ends at once, `silent` never answers, `chatty` writes text before it speaks MCP.
"""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

MODE = os.environ.get("MODE", "")
SECRET = os.environ.get("API_TOKEN", "")

TOOLS = [
    {"name": "zoom", "description": f"Uses {SECRET or 'nothing'}.", "inputSchema": {"type": "object"}},
    {"name": "add", "description": "Adds.", "inputSchema": {"type": "object", "properties": {"a": {"type": "integer"}}}},
    {"name": "_hud_submit", "description": "Hidden.", "inputSchema": {"type": "object"}},
]
PROMPTS = [
    {
        "name": "stub:sum",
        "description": "[Setup] Ask for a sum.",
        "arguments": [{"name": "n", "required": True, "description": "how many"}],
        "_meta": {
            "code": "def grader(): return 1.0",
            "arguments": [{"name": "n", "required": True, "type": "integer"}],
            "required_env_vars": ["DATABASE_URL"],
        },
    }
]
RESOURCES = [{"uri": "stub:sum", "name": "sum", "description": "[Evaluate] Grade.", "_meta": {"code": "def grader()"}}]


def answer(method, params):
    if method == "initialize":
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}, "prompts": {}, "resources": {}},
            "serverInfo": {"name": "stub", "version": "1"},
        }
    lists = {"tools/list": ("tools", TOOLS), "prompts/list": ("prompts", PROMPTS), "resources/list": ("resources", RESOURCES)}
    if method in lists:
        name, items = lists[method]
        return {name: items}
    return {} if method == "ping" else None


def respond(message):
    result = answer(message["method"], message.get("params") or {})
    body = {"error": {"code": -32601, "message": "unknown method"}} if result is None else {"result": result}
    return json.dumps({"jsonrpc": "2.0", "id": message["id"], **body})


def over_stdio():
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            print(respond(message), flush=True)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = respond(message).encode() if "id" in message else b""
        allowed = self.headers.get("Authorization") == f"Bearer {os.environ.get('HUD_SERVE_KEY')}"
        self.send_response(200 if allowed and body else 202 if allowed else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if allowed else 0))
        self.end_headers()
        if allowed:
            self.wfile.write(body)

    def do_GET(self):
        self.send_response(405)
        self.send_header("Content-Length", "0")
        self.end_headers()


print(f"starting with {SECRET}", file=sys.stderr, flush=True)
if MODE == "crash":
    sys.exit("the fixture is gone")
if MODE == "silent":
    time.sleep(3600)
if MODE == "chatty":
    print("Welcome!", flush=True)
if len(sys.argv) > 1:
    # Not at once, as real servers do.
    time.sleep(0.3)
    HTTPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
else:
    over_stdio()
