"""What the base process reads and writes: first lines of connections, and the control channel."""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import time
from typing import Any

from hud._jsonable import line

_HELLO_SECONDS = 5.0
# Room for the environment variables of a rollout, and an end for whoever talks something else.
_HELLO_BYTES = 4 * 1024 * 1024


class Greeting:
    """A connection whose first line is still arriving."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.received = bytearray()
        self.expires = time.monotonic() + _HELLO_SECONDS

    def read(self) -> dict[str, Any] | None:
        """The first line, once it is complete; takes not one byte more. Raises ValueError, OSError."""
        while True:
            try:
                seen = self.connection.recv(65536, socket.MSG_PEEK)
            except BlockingIOError:
                return None
            if not seen:
                raise OSError(errno.ECONNRESET, "closed before its first line")
            end = seen.find(b"\n")
            self.received += self.connection.recv(len(seen) if end < 0 else end + 1)
            if end >= 0:
                hello = json.loads(self.received)
                if not isinstance(hello, dict) or hello.get("hud") != 1:
                    raise ValueError('the first line must be {"hud":1, …}')
                return hello
            if len(self.received) > _HELLO_BYTES:
                raise ValueError("the first line is too long")


class Control:
    """The control channel to the Rust process: JSON lines over the original stdin and stdout."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self.read_fd = read_fd
        self.write_fd = write_fd
        # The beginning of a line whose end has not arrived.
        self.unread = b""

    def write(self, message: dict[str, Any]) -> None:
        """Write one line; a reader that is gone is noticed when reading."""
        data = memoryview(line(message))
        try:
            while data:
                data = data[os.write(self.write_fd, data) :]
        except OSError:
            pass

    def read(self) -> list[dict[str, Any]] | None:
        """The complete lines that have arrived, or None at the end of the channel."""
        data = os.read(self.read_fd, 65536)
        if not data:
            return None
        *lines, self.unread = (self.unread + data).split(b"\n")
        messages = []
        for text in lines:
            try:
                message = json.loads(text)
            except ValueError:
                print(f"hud: not a line of the control channel: {text[:200]!r}", file=sys.stderr)
                continue
            if isinstance(message, dict):
                messages.append(message)
        return messages

    def close(self) -> None:
        """Let go of the channel, in a child."""
        os.close(self.read_fd)
        os.close(self.write_fd)
