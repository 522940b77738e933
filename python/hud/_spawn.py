"""Copies as processes of their own, for environments that cannot be forked.

Each imports the environment again, so a copy starts in the time of the import. The first line of the
connection reaches the process on its stdin; afterwards it behaves exactly like a fork.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading

from hud._interrupt import SIGNALS
from hud._pulse import Pulse


class Spawner:
    """Starts a worker process for an accepted connection."""

    def __init__(self, source: str, attr: str | None, projects: list[str], environ: dict[str, str]) -> None:
        # Absolute, because a copy may be told to work in another folder.
        self._arguments = ["--source", os.path.abspath(source), *(["--attr", attr] if attr else [])]
        for project in projects:
            self._arguments += ["--project", os.path.abspath(project)]
        self._environ = environ

    def shared(self, channel: socket.socket, pulse: Pulse, tmpdir: str) -> int:
        """Start the process that serves every connection; its number."""
        return self._start(channel, b"{}\n", tmpdir, pulse.fd)

    def __call__(self, connection: socket.socket, hello: bytes, tmpdir: str) -> int:
        """Start the process of one connection; its number."""
        return self._start(connection, hello, tmpdir, None)

    def _start(self, connection: socket.socket, hello: bytes, tmpdir: str, pulse: int | None) -> int:
        read_fd, write_fd = os.pipe()
        fd = connection.fileno()
        command = [sys.executable, "-u", "-m", "hud.worker", "--serve-fd", str(fd), *self._arguments]
        command += ["--tmpdir", tmpdir, "--parent", str(os.getpid())]
        os.set_inheritable(fd, True)
        if pulse is not None:
            command += ["--pulse-fd", str(pulse)]
            os.set_inheritable(pulse, True)
        try:
            pid = os.posix_spawn(
                sys.executable,
                command,
                {**self._environ, "PYTHONSAFEPATH": "1", "HUD_SAFE_PATH": "1"},
                file_actions=[(os.POSIX_SPAWN_DUP2, read_fd, 0), (os.POSIX_SPAWN_DUP2, 2, 1)],
                setpgroup=0,
                setsigmask=SIGNALS,
                setsigdef=[signal.SIGINT, signal.SIGPIPE],
            )
        except BaseException:
            os.close(write_fd)
            raise
        finally:
            os.set_inheritable(fd, False)
            os.close(read_fd)
        self._send(write_fd, hello)
        return pid

    def _send(self, fd: int, hello: bytes) -> None:
        """Write the line without waiting for the new process, which has to start first to read it."""
        os.set_blocking(fd, False)
        try:
            sent = os.write(fd, hello)
        except BlockingIOError:
            sent = 0
        if sent == len(hello):
            os.close(fd)
            return
        # Larger than the pipe. A base that spawns may have threads: it never forks.
        os.set_blocking(fd, True)
        threading.Thread(target=_write_all, args=(fd, hello[sent:]), daemon=True).start()


def _write_all(fd: int, data: bytes) -> None:
    try:
        with os.fdopen(fd, "wb") as stream:
            stream.write(data)
    except OSError:
        pass  # The process died before it had read its line; its `exit` line tells.
