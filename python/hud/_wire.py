"""Lines of JSON over a non-blocking socket, driven by the event loop's readiness callbacks.

asyncio's streams would do, but starting them (transport, protocol, reader, writer) and a task to read
from them cost more than a copy's whole exchange of messages. A deadline never interrupts this module
(see `_interrupt`), so a line is always sent whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from hud._jsonable import line

# A peer that sends more than this without a newline is not speaking our protocol.
MAX_LINE = 64 * 1024 * 1024
_CHUNK = 128 * 1024
# A peer that does not read its answers gets no further ones to read: its requests wait in the socket
# while more than this waits here, until nearly all of it is gone.
_PAUSE = 1024 * 1024
_RESUME = 64 * 1024
_AT_ONCE = 16


class Wire:
    """A connection that carries one JSON value per line in each direction."""

    def __init__(
        self,
        connection: socket.socket,
        loop: asyncio.AbstractEventLoop,
        receive: Callable[[Any], None],
        closed: Callable[[], None],
        limit: int | None = None,
    ) -> None:
        self._socket = connection
        self._fd = connection.fileno()
        self._loop = loop
        self._receive = receive
        self._closed = closed
        self._limit = limit
        self._incoming = bytearray()
        self._outgoing = bytearray()
        # Lines that were read together and are not handled yet.
        self._lines: deque[bytes] = deque()
        self._reading = True
        self._paused = False
        self._held = False
        self._drained: asyncio.Future[None] | None = None
        # What is registered later, from within some request, must not run with that request's variables.
        self._context = contextvars.copy_context()
        self.open = True
        self.overflowed = False
        connection.setblocking(False)
        loop.add_reader(self._fd, self._readable)

    @property
    def waiting(self) -> int:
        """How many bytes the peer has not taken yet."""
        return len(self._outgoing)

    def send(self, value: Any) -> None:
        """Send a value; what the socket does not take now follows when it can."""
        self.send_line(line(value))

    def send_from_thread(self, value: Any) -> None:
        """Have the loop's thread send a value, after what it is sending now."""
        self._loop.call_soon_threadsafe(self.send, value)

    def send_line(self, data: bytes) -> None:
        """Send an encoded line."""
        if not self.open:
            return
        if self._outgoing:
            # A synchronous tool keeps the loop from writing, so what it reports is written here.
            self._writable()
            if not self.open:
                return
        if not self._outgoing:
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._lost()
                return
            if sent == len(data):
                return
            data = data[sent:]
            self._context.run(self._loop.add_writer, self._fd, self._writable)
        self._outgoing += data
        waiting = len(self._outgoing)
        if waiting > _PAUSE and not self._paused:
            self._pause(True)
        if self._limit is not None and waiting > self._limit:
            # It would otherwise grow into the memory of everybody else.
            self.overflowed = True
            self._outgoing.clear()
            self._lost()

    async def drain(self) -> None:
        """Wait until everything has been sent or the connection is gone."""
        while self._outgoing and self.open:
            self._drained = self._loop.create_future()
            await self._drained

    def stop_reading(self) -> None:
        """Take no further messages."""
        self._reading = False
        self._lines.clear()
        self._loop.remove_reader(self._fd)

    def close(self) -> None:
        """Let go of the socket, for a process that lives on."""
        if self.open:
            self.open = False
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
        self._outgoing.clear()
        self._wake()
        with contextlib.suppress(OSError):
            self._socket.close()

    def _writable(self) -> None:
        try:
            sent = self._socket.send(self._outgoing)
        except BlockingIOError:
            return
        except OSError:
            self._lost()
            return
        del self._outgoing[:sent]
        if self._paused and len(self._outgoing) <= _RESUME:
            self._pause(False)
        if not self._outgoing:
            self._loop.remove_writer(self._fd)
            self._wake()

    def _readable(self) -> None:
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost()
            return
        if not self._incoming and data.find(b"\n") == len(data) - 1:
            self._line(data)  # Nearly always: one line, and nothing else.
            return
        *lines, rest = data.split(b"\n")
        if lines and self._incoming:
            lines[0] = bytes(self._incoming) + lines[0]
            self._incoming.clear()
        self._incoming += rest
        if len(self._incoming) > MAX_LINE:
            message = f"line over {MAX_LINE} bytes"
            self.send({"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": message}})
            self._lost()
        elif len(lines) <= _AT_ONCE:
            for text in lines:
                self._line(text)
        else:
            # Between one handful and the next the answers to the first come, and may end the taking.
            self._lines.extend(lines)
            self._hold(True)
            self._take()

    def _take(self) -> None:
        if self._paused:
            return  # What ends the pause goes on.
        for _ in range(min(_AT_ONCE, len(self._lines))):
            self._line(self._lines.popleft())
        if not self._lines:
            self._hold(self._paused)
        elif not self._paused:
            self._loop.call_soon(self._take)

    def _pause(self, paused: bool) -> None:
        """The peer does not read its answers, or has read them."""
        self._paused = paused
        self._hold(paused or bool(self._lines))
        if not paused and self._lines:
            self._context.run(self._loop.call_soon, self._take)

    def _hold(self, held: bool) -> None:
        """Read from the socket, or leave what arrives there."""
        if held == self._held or not self.open or not self._reading:
            return
        self._held = held
        if held:
            self._loop.remove_reader(self._fd)
        else:
            self._context.run(self._loop.add_reader, self._fd, self._readable)

    def _line(self, text: bytes) -> None:
        if not self.open or not text or text.isspace():
            return
        try:
            value = json.loads(text)
        except ValueError as error:
            self.send({"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": f"not JSON: {error}"}})
            return
        self._receive(value)

    def _lost(self) -> None:
        if self.open:
            self.open = False
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            self._wake()
            self._closed()

    def _wake(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
