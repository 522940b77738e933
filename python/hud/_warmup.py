"""Runs a tiny environment of our own before the first fork, and forgets it.

Python specialises code as it runs, and fills caches (of regular expressions, enums, selectors). Without
this every copy would do so again, and each first write to a page of the base costs a page fault: a
warm copy needs about a fifth less CPU. Three rounds are enough and take a few milliseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import io
import socket
from typing import Any

from hud import _context
from hud._copy import Copy
from hud._jsonable import line
from hud.environment import Environment

_ROUNDS = 3


def warm_up() -> None:
    """Serve a few complete rollouts inside this process; nothing of them remains."""
    environment = Environment("warmup")

    @environment.tool
    def echo(text: str) -> str:
        return text

    @environment.scenario("scenario")
    async def scenario(text: str) -> Any:
        yield text
        yield 1.0

    requests: list[tuple[str, dict[str, Any]]] = [
        ("initialize", {"protocolVersion": "2025-06-18"}),
        ("tools/list", {}),
        ("prompts/get", {"name": "warmup:scenario", "arguments": {"text": "x"}}),
        ("tools/call", {"name": "echo", "arguments": {"text": "x"}}),
        ("tools/call", {"name": "_hud_submit", "arguments": {"scenario": "scenario", "answer": "x"}}),
        ("resources/read", {"uri": "warmup:scenario"}),
    ]
    # What runs here is not the user's, so nothing of it belongs into the log.
    with contextlib.redirect_stderr(io.StringIO()):
        for _ in range(_ROUNDS):
            # In a context of its own, which takes the copy's context variables away with it.
            contextvars.copy_context().run(_round, environment, requests)
    _context.set_peer(None)


def _round(environment: Environment, requests: list[tuple[str, dict[str, Any]]]) -> None:
    ours, theirs = socket.socketpair()
    loop = asyncio.SelectorEventLoop()
    try:
        ours.setblocking(False)
        copy = Copy(theirs, environment, {}, {}, loop, interrupts=False)
        reader = _Answers(ours)
        reader.next()
        for number, (method, params) in enumerate(requests):
            ours.sendall(line({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
            while not reader.ready():
                loop.call_soon(loop.stop)
                loop.run_forever()
            reader.next()
        copy.end()
        loop.run_forever()
    finally:
        loop.close()
        ours.close()
        theirs.close()


class _Answers:
    """Reads whole lines without waiting for them."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = b""

    def ready(self) -> bool:
        """True when a whole line has arrived."""
        with contextlib.suppress(BlockingIOError):
            self._received += self._connection.recv(65536)
        return b"\n" in self._received

    def next(self) -> None:
        """Take one line."""
        while not self.ready():
            pass
        self._received = self._received.partition(b"\n")[2]
