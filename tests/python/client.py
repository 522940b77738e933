"""Starts real workers and talks to their copies over the real socket and control channel.

Waiting is always for an event (a line, an exit); TIMEOUT only turns a hang into a failure.
"""

from __future__ import annotations

import json
import os
import queue
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

TIMEOUT = 60.0
PACKAGE = str(Path(__file__).resolve().parents[2] / "python")


class RpcError(Exception):
    """A JSON-RPC error from the copy."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code = error["code"]
        self.message = error["message"]
        self.data = error.get("data")
        self.hud = (self.data or {}).get("hud", {})


class Client:
    """One connection to a worker: the client of one copy."""

    def __init__(self, path: str, hello: dict[str, Any], answers: dict[str, Any] | None = None) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(path)
        self._reader = self.socket.makefile("rb")
        self._next = 0
        self._responses: dict[Any, dict[str, Any]] = {}
        self.notifications: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self._answers = answers or {}
        self.trace_id = hello.get("trace_id")
        self.send(hello)
        self.greeting = self._line()
        self.pid: int = self.greeting.get("pid", 0)

    def send(self, message: Any) -> None:
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def _line(self) -> dict[str, Any]:
        text = self._reader.readline()
        if not text:
            raise ConnectionError("the copy closed the connection")
        return json.loads(text)

    def start(self, method: str, **params: Any) -> int:
        """Send a request; `finish` waits for its response."""
        self._next += 1
        self.send({"jsonrpc": "2.0", "id": self._next, "method": method, "params": params})
        return self._next

    def finish(self, request: int) -> dict[str, Any]:
        """The result of a request; RpcError when it failed."""
        while request not in self._responses:
            self._receive()
        response = self._responses.pop(request)
        if "error" in response:
            raise RpcError(response["error"])
        return response["result"]

    def _receive(self) -> None:
        message = self._line()
        if "method" not in message:
            self._responses[message.get("id")] = message
        elif "id" not in message:
            self.notifications.append(message)
        else:
            self.requests.append(message)
            answer = self._answers[message["method"]]
            reply = answer(message["params"]) if callable(answer) else answer
            if isinstance(reply, Exception):
                self.send({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32000, "message": str(reply)}})
            else:
                self.send({"jsonrpc": "2.0", "id": message["id"], "result": reply})

    def wait_for_notification(self, method: str) -> dict[str, Any]:
        """The first notification of a method, read until it arrives."""
        while True:
            for message in self.notifications:
                if message["method"] == method:
                    self.notifications.remove(message)
                    return message["params"]
            self._receive()

    def wait_for_log(self, data: Any) -> None:
        """Wait until a tool has logged this value: the way tests see that user code got somewhere."""
        while self.wait_for_notification("notifications/message")["data"] != data:
            pass

    def request(self, method: str, **params: Any) -> dict[str, Any]:
        return self.finish(self.start(method, **params))

    def initialize(self, version: str = "2025-06-18") -> dict[str, Any]:
        result = self.request(
            "initialize", protocolVersion=version, capabilities={}, clientInfo={"name": "test", "version": "1"}
        )
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return result

    def start_call(self, name: str, /, **arguments: Any) -> int:
        return self.start("tools/call", name=name, arguments=arguments)

    def call(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        return self.finish(self.start_call(name, **arguments))

    def text(self, name: str, /, **arguments: Any) -> str:
        """The text of a call that must succeed."""
        result = self.call(name, **arguments)
        assert not result.get("isError"), result
        return "".join(block["text"] for block in result["content"])

    def error(self, name: str, /, **arguments: Any) -> str:
        """The text of a call that must fail."""
        result = self.call(name, **arguments)
        assert result.get("isError"), result
        return result["content"][0]["text"]

    def setup(self, scenario: str, /, **arguments: str) -> dict[str, Any]:
        return self.request("prompts/get", name=scenario, arguments=arguments)

    def prompt(self, scenario: str, /, **arguments: str) -> str:
        return "\n".join(m["content"]["text"] for m in self.setup(scenario, **arguments)["messages"])

    def submit(self, scenario: str, answer: Any) -> dict[str, Any]:
        return self.call("_hud_submit", scenario=scenario.rpartition(":")[2], answer=answer)

    def grade(self, uri: str) -> dict[str, Any]:
        content = self.request("resources/read", uri=uri)["contents"][0]
        assert content["uri"] == uri and content["mimeType"] == "application/json", content
        return json.loads(content["text"])

    def close(self) -> None:
        self._reader.close()
        self.socket.close()


class Worker:
    """A running `python -m hud.worker` over files that the test wrote."""

    def __init__(
        self,
        source: str | dict[str, str],
        *options: str,
        entry: str | None = None,
        python: str = sys.executable,
        folder: Path | None = None,
        environ: dict[str, str] | None = None,
    ) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="hud-test-")).resolve()
        self.temporary = self.home / "tmp"
        self.temporary.mkdir()
        self.folder = folder or self.home / "project"
        files = {"env.py": source} if isinstance(source, str) else source
        for name, text in files.items():
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(textwrap.dedent(text))
        self.entry = self.folder / (entry if entry is not None else next(iter(files), "env.py"))
        self.socket = str(self.home / "s")
        self.log = self.home / "base.log"
        command = [python, "-u", "-m", "hud.worker", "--source", str(self.entry), "--socket", self.socket, *options]
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.entry if self.entry.is_dir() else self.entry.parent,
                env={**inherited, "PYTHONPATH": PACKAGE, "TMPDIR": str(self.temporary), **(environ or {})},
            )
        assert self.process.stdout is not None
        self._listen(self.process.stdout)

    def _listen(self, channel: IO[bytes], wait: bool = True) -> None:
        """Read the control channel from now on; `first` is its first line."""
        self._number = 0
        self._clients: list[Client] = []
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._seen: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._read, args=(channel,), daemon=True)
        self._thread.start()
        self.first: dict[str, Any] = self._first() if wait else {"type": "none"}

    def _first(self) -> dict[str, Any]:
        return self._next_line()

    def _read(self, channel: IO[bytes]) -> None:
        for line in channel:
            self._lines.put(json.loads(line))
        self._lines.put(None)

    def _next_line(self) -> dict[str, Any]:
        line = self._lines.get(timeout=TIMEOUT)
        if line is None:
            raise AssertionError(f"the worker ended: {self.log.read_text()}")
        return line

    @property
    def describe(self) -> dict[str, Any]:
        assert self.first["type"] == "ready", self.first
        return self.first["describe"]

    def connect(self, *, answers: dict[str, Any] | None = None, initialize: bool = True, **hello: Any) -> Client:
        """A new copy. Its prints go to `copy.log_path(trace)` unless `log` says otherwise."""
        assert self.first["type"] == "ready", self.first
        self._number += 1
        trace = hello.setdefault("trace_id", f"trace-{self._number}")
        hello.setdefault("log", str(self.log_path(trace)))
        client = Client(
            self.socket, {"hud": 1, "seed": None, "env": {}, "workdir": None, "cwd": None, **hello}, answers
        )
        self._clients.append(client)
        if initialize and client.pid:
            client.initialize()
        return client

    def log_path(self, trace: str) -> Path:
        return self.home / f"{trace}.log"

    def log_of(self, client: Client) -> str:
        """What a copy printed, as far as it has been written."""
        return self.log_path(client.trace_id).read_text()

    def control(self, operation: str, client: Client) -> None:
        self.send({"op": operation, "trace_id": client.trace_id})

    def send(self, message: dict[str, Any]) -> None:
        """Write a line to the control channel."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def wait_exit(self, client: Client) -> dict[str, Any]:
        """The `exit` line of a copy."""
        return self.wait_trace(client.trace_id)

    def wait_trace(self, trace: str | None) -> dict[str, Any]:
        """The `exit` line of a trace."""
        return self._wait(lambda line: line["type"] == "exit" and line["trace_id"] == trace)

    def wait_line(self, kind: str) -> dict[str, Any]:
        """The next line of a kind; each is given once."""
        line = self._wait(lambda line: line["type"] == kind)
        self._seen.remove(line)
        return line

    def _wait(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while True:
            for line in self._seen:
                if wanted(line):
                    return line
            self._seen.append(self._next_line())

    def rest(self) -> list[dict[str, Any]]:
        """After the end of the worker: the lines that nobody has waited for."""
        while (line := self._lines.get(timeout=TIMEOUT)) is not None:
            self._seen.append(line)
        return self._seen

    def forget(self) -> None:
        """Keep nothing of clients that have ended."""
        self._clients = [client for client in self._clients if client.socket.fileno() >= 0]
        self._seen.clear()

    def end(self, client: Client) -> str:
        """Close a connection, wait for the copy's end, and give its log."""
        self.end_session(client)
        return self.log_of(client)

    def end_session(self, client: Client) -> None:
        """Close a connection and wait for its `exit` line."""
        client.close()
        self.wait_exit(client)

    def stop(self) -> int:
        """End the worker as the death of the Rust process would, and wait for it."""
        assert self.process.stdin is not None
        if not self.process.stdin.closed:
            self.process.stdin.close()
        return self.process.wait(TIMEOUT)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            assert self.process.stdout is not None
            self._thread.join(TIMEOUT)
            self.process.stdout.close()
            shutil.rmtree(self.home, ignore_errors=True)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something in the file system, which has no event that the standard library offers."""
    limit = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > limit:
            raise AssertionError(f"waited in vain: {what}")
        time.sleep(0.005)


def wait_process(descriptor: int) -> None:
    """Wait until the process of a pidfd has ended, and close the pidfd."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    ended = poll.poll(TIMEOUT * 1000)
    os.close(descriptor)
    if not ended:
        raise AssertionError("the process did not end")


def gone(pid: int) -> bool:
    """True when no such process is left (a zombie counts as left)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


__all__ = ["TIMEOUT", "Client", "RpcError", "Worker", "gone", "wait_process", "wait_until"]
