"""A streamable HTTP server of MCP 2025-11-25 without dependencies: one scenario, whose state belongs to the session.

Prints its URL when it listens, then a line for each request: the method of HTTP or MCP, and the session's number. With `--no-sessions` it gives
no session ids.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HAS_SESSIONS = "--no-sessions" not in sys.argv
sessions = {}
numbers = {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def say(self, what, session):
        print(what, numbers.get(session, "-"), flush=True)

    def send(self, status, body=None, session=None):
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        if session:
            self.send_header("mcp-session-id", session)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.send(405)

    def do_DELETE(self):
        session = self.headers.get("mcp-session-id")
        self.say("DELETE", session)
        self.send(200 if sessions.pop(session, None) is not None else 404)

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        session = self.headers.get("mcp-session-id")
        method = message.get("method", "answer")
        if method == "initialize":
            session = None
            if HAS_SESSIONS:
                session = f"session-{len(numbers) + 1}"
                numbers[session] = len(numbers) + 1
                sessions[session] = {}
            self.say(method, session)
            result = {
                "protocolVersion": "2025-11-25",
                "capabilities": {"prompts": {}, "resources": {}, "tools": {}},
                "serverInfo": {"name": "stateful", "version": "1"},
            }
            return self.send(200, {"jsonrpc": "2.0", "id": message["id"], "result": result}, session)
        self.say(method, session)
        if HAS_SESSIONS and session not in sessions:
            error = {"code": -32600, "message": "Session not found"}
            return self.send(404 if session else 400, {"jsonrpc": "2.0", "id": "server-error", "error": error})
        if "id" not in message:
            return self.send(202)
        state = sessions.get(session, {})
        answer = self.answer(method, message.get("params") or {}, state)
        self.send(200, {"jsonrpc": "2.0", "id": message["id"], **answer})

    def answer(self, method, params, state):
        if method == "prompts/list":
            described = [{"name": "a", "required": True, "type": "integer"}]
            prompt = {
                "name": "math:double",
                "description": "[Setup] Doubles.",
                "arguments": [{"name": "a", "required": True}],
                "_meta": {"arguments": described},
            }
            return {"result": {"prompts": [prompt]}}
        if method == "prompts/get":
            state["a"] = int(params["arguments"]["a"])
            text = {"type": "text", "text": f"What is 2 * {state['a']}?"}
            return {"result": {"messages": [{"role": "user", "content": text}]}}
        if method == "tools/call":
            if "a" not in state:
                text = {"type": "text", "text": "No active scenario session for 'double'"}
                return {"result": {"content": [text], "isError": True}}
            state["answer"] = params["arguments"]["answer"]
            return {"result": {"content": [{"type": "text", "text": "Answer submitted"}]}}
        if method == "resources/read":
            reward = 1.0 if state.pop("answer", None) == str(2 * state.pop("a")) else 0.0
            grade = json.dumps({"reward": reward, "done": True, "info": {}, "isError": False})
            return {"result": {"contents": [{"uri": params["uri"], "text": grade}]}}
        return {"error": {"code": -32601, "message": "unknown method"}}


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}/mcp", flush=True)
server.serve_forever()
