"""Lines of JSON over a non-blocking socket, driven by the event loop's readiness callbacks.

asyncio's streams would do, but starting them (transport, protocol, reader, writer) and a task to read
from them cost more than a copy's whole exchange of messages. A deadline never interrupts this module
(see `_interrupt`), so a line is always sent whole.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

from hud._jsonable import line

# A peer that sends more than this without a newline is not speaking our protocol.
MAX_LINE = 64 * 1024 * 1024
_CHUNK = 256 * 1024


class Wire:
    """A connection that carries one JSON value per line in each direction."""

    def __init__(
        self,
        connection: socket.socket,
        loop: asyncio.AbstractEventLoop,
        receive: Callable[[Any], None],
        closed: Callable[[], None],
    ) -> None:
        self._socket = connection
        self._fd = connection.fileno()
        self._loop = loop
        self._receive = receive
        self._closed = closed
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._drained: asyncio.Future[None] | None = None
        self.open = True
        connection.setblocking(False)
        loop.add_reader(self._fd, self._readable)

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
            self._loop.add_writer(self._fd, self._writable)
        self._outgoing += data

    async def drain(self) -> None:
        """Wait until everything has been sent or the connection is gone."""
        while self._outgoing and self.open:
            self._drained = self._loop.create_future()
            await self._drained

    def stop_reading(self) -> None:
        """Take no further messages."""
        self._loop.remove_reader(self._fd)

    def _writable(self) -> None:
        try:
            sent = self._socket.send(self._outgoing)
        except BlockingIOError:
            return
        except OSError:
            self._lost()
            return
        del self._outgoing[:sent]
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
        start, end = 0, data.find(b"\n")
        while end >= 0 and self.open:
            text = data[start:end]
            if self._incoming:
                text = bytes(self._incoming) + text
                self._incoming.clear()
            self._line(text)
            start, end = end + 1, data.find(b"\n", end + 1)
        self._incoming += data[start:]
        if len(self._incoming) > MAX_LINE:
            self.send(
                {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": f"line over {MAX_LINE} bytes"}}
            )
            self._lost()

    def _line(self, text: bytes) -> None:
        if not text.strip():
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
