"""One process for each connection: a fork of the base, or a process of its own where no fork is possible."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from typing import Any, NoReturn

from hud import _copy
from hud._base import CLOSE_SECONDS, Base, refuse
from hud._process import signal_group
from hud.environment import Environment

# More than that many copies at once are rare, and a base that is killed leaves these behind.
_SPARE = 256


class Living:
    """A running copy."""

    def __init__(self, pid: int, trace_id: str | None, tmpdir: str) -> None:
        self.pid = pid
        self.trace_id = trace_id
        self.tmpdir = tmpdir
        self.kill_at: float | None = None


class Copies:
    """The copies of an environment."""

    def __init__(
        self,
        base: Base,
        environment: Environment,
        description: dict[str, Any],
        spawn: Callable[[socket.socket, bytes, str], int] | None,
    ) -> None:
        self._base = base
        self._environment = environment
        self._description = description
        self._spawn = spawn
        self._temporary = tempfile.gettempdir()
        self._living: dict[int, Living] = {}
        self._spare: list[str] = []

    def start(self, connection: socket.socket, hello: dict[str, Any], raw: bytes) -> None:
        """Start a copy for a connection."""
        tmpdir = None
        try:
            tmpdir = self._make_folder()
            if self._spawn is not None:
                pid = self._spawn(connection, raw, tmpdir)
            else:
                pid = self._fork(connection, hello, tmpdir)
        except OSError as error:
            # Out of processes or of disk: this rollout fails with the reason, the others go on.
            refuse(connection, "OSError", f"cannot start a copy: {error}")
            if tmpdir is not None:
                _copy.remove_folder(tmpdir)
            return
        connection.close()
        self._living[pid] = Living(pid, hello.get("trace_id"), tmpdir)

    def _make_folder(self) -> str:
        if self._spare:
            return self._spare.pop()
        # mkdtemp does the same with more code, and this is on the way to every first answer.
        path = os.path.join(self._temporary, f"hud-copy-{os.urandom(8).hex()}")
        os.mkdir(path, 0o700)
        return path

    def _fork(self, connection: socket.socket, hello: dict[str, Any], tmpdir: str) -> int:
        def run() -> NoReturn:
            try:
                _copy.prepare(hello, self._base.folder, tmpdir)
            except (OSError, ValueError, TypeError) as error:
                _copy.fail(connection, {"kind": type(error).__name__, "message": str(error)}, tmpdir)
            _copy.serve(connection, self._environment, self._description, hello, tmpdir)

        return self._base.fork(run)

    def obey(self, operation: str, trace_id: str | None) -> bool:
        """`deadline`, `interrupt`, `close` and `kill`, for the copy of one trace."""
        if operation not in ("deadline", "interrupt", "close", "kill"):
            return False
        living = next((copy for copy in self._living.values() if copy.trace_id == trace_id), None)
        if living is None:
            return True  # It ended by itself; its `exit` line says so.
        if operation == "deadline":
            os.kill(living.pid, signal.SIGUSR1)
        elif operation == "interrupt":
            os.kill(living.pid, signal.SIGUSR2)
        elif operation == "close":
            os.kill(living.pid, signal.SIGTERM)
            living.kill_at = time.monotonic() + CLOSE_SECONDS
        else:
            signal_group(living.pid, signal.SIGKILL)
        return True

    def ready(self, fd: int) -> None:
        """Nothing is registered."""

    def ended(self, pid: int, status: int) -> bool:
        """Say so, and remove the copy's folder."""
        living = self._living.pop(pid, None)
        if living is None:
            return False
        self._take_back(living.tmpdir)
        self._base.tell_exit(living.trace_id, pid, status)
        return True

    def _take_back(self, folder: str) -> None:
        """Keep a folder that stayed unused for the next copy: most do, and making and removing one costs more."""
        if len(self._spare) < _SPARE and _copy.is_unused(folder):
            self._spare.append(folder)
        else:
            _copy.remove_folder(folder)

    def next_time(self) -> float | None:
        """The next kill."""
        return min((copy.kill_at for copy in self._living.values() if copy.kill_at is not None), default=None)

    def expire(self, now: float) -> None:
        """Kill the copies that did not end in the time that they had."""
        for living in self._living.values():
            if living.kill_at is not None and living.kill_at <= now:
                living.kill_at = None
                signal_group(living.pid, signal.SIGKILL)

    def let_go(self) -> None:
        """A copy has nothing of another."""

    def alive(self) -> bool:
        """True while there are copies."""
        return bool(self._living)

    def end(self, hurry: bool) -> None:
        """Ask every copy to end."""
        for living in self._living.values():
            if hurry:
                # The deadline's signal frees a copy whose tool blocks it at once; a SIGTERM alone gives
                # the tool a second, which is all the time there is.
                os.kill(living.pid, signal.SIGUSR1)
            os.kill(living.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Kill the copies that are left, and remove their folders."""
        for living in self._living.values():
            signal_group(living.pid, signal.SIGKILL)
        for living in list(self._living.values()):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(living.pid, 0)
            _copy.remove_folder(living.tmpdir)
        for folder in self._spare:
            _copy.remove_folder(folder)
