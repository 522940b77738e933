"""A channel between the base and a process that serves many connections.

JSON lines over a stream socket, and with some lines a connection: its descriptor travels beside the
bytes. Both arrive in the order they were sent, so the n-th descriptor belongs to the n-th line that
says it has one.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections import deque
from typing import Any

from hud._jsonable import line

_CHUNK = 65536
_DESCRIPTORS = 32


class Channel:
    """One end of the channel. Nothing here ever waits."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._queue: deque[tuple[bytes, dict[str, Any], socket.socket | None]] = deque()
        self._received = b""
        self._descriptors: deque[int | None] = deque()
        self._sending = False
        self.open = True

    def fileno(self) -> int:
        """The descriptor, for polling."""
        return self._socket.fileno()

    @property
    def waiting(self) -> int:
        """How many lines are still to be sent."""
        return len(self._queue)

    def send(self, message: dict[str, Any], connection: socket.socket | None = None) -> None:
        """Send a line; a connection that goes with it is closed here as soon as it is on its way."""
        if connection is not None:
            message = {**message, "with": 1}
        self._queue.append((line(message), message, connection))
        self.flush()

    def flush(self) -> None:
        """Send what can be sent now.

        A signal handler may send while the code it interrupted is in here: its line waits in the queue
        and is sent by that code.
        """
        if self._sending or not self.open:
            return
        self._sending = True
        try:
            while self._queue:
                data, message, connection = self._queue[0]
                try:
                    if connection is None:
                        sent = self._socket.send(data)
                    else:
                        sent = socket.send_fds(self._socket, [data], [connection.fileno()])
                except BlockingIOError:
                    return
                except OSError:
                    self.open = False
                    return
                if connection is not None:
                    connection.close()
                if sent == len(data):
                    self._queue.popleft()
                else:
                    self._queue[0] = (data[sent:], message, None)
        finally:
            self._sending = False

    def unsent(self) -> list[tuple[dict[str, Any], socket.socket]]:
        """The connections that are not on their way, with their lines; they are the caller's now."""
        unsent = [(message, connection) for _, message, connection in self._queue if connection is not None]
        self._queue.clear()
        return unsent

    def receive(self) -> list[tuple[dict[str, Any], int | None]]:
        """The lines that have arrived, each with its descriptor; `open` turns False at the end of the channel.

        A line whose descriptor could not be taken, because the process has too many, comes without.
        """
        messages: list[tuple[dict[str, Any], int | None]] = []
        while self.open:
            try:
                flags_wanted = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
                data, descriptors, flags, _ = socket.recv_fds(self._socket, _CHUNK, _DESCRIPTORS, flags_wanted)
            except BlockingIOError:
                break
            except OSError:
                data, descriptors, flags = b"", [], 0
            if not data:
                self.open = False
                break
            for taken in descriptors:
                os.set_inheritable(taken, False)
                self._descriptors.append(taken)
            if flags & socket.MSG_CTRUNC:
                self._descriptors.append(None)  # The process has too many files open.
            *lines, self._received = (self._received + data).split(b"\n")
            for text in lines:
                message = json.loads(text)
                descriptor = self._descriptors.popleft() if message.pop("with", None) and self._descriptors else None
                messages.append((message, descriptor))
        return messages

    def close(self) -> None:
        """Close this end, and what was not sent."""
        self.open = False
        for _, connection in self.unsent():
            connection.close()
        with contextlib.suppress(OSError):
            self._socket.close()
