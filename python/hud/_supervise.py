"""The base's side of `--isolation shared`: starts the process that serves everybody, and watches it.

There is one process for new connections. One that shall be replaced may live on for a while beside its
successor, until its sessions are closed. When a process dies, every session that it had gets its `exit`
line, and the next connection gets a fresh process, as importing left the environment.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from typing import Any, NoReturn

from hud import _copy, _shared
from hud._base import CLOSE_SECONDS, Base, refuse
from hud._passing import Channel
from hud._process import signal_group
from hud._pulse import Pulse
from hud.environment import Environment

BLOCKED_SECONDS = 5.0
# A process that is asked what runs answers at once, unless it is inside of one long call of C code.
_ANSWER_SECONDS = 0.2
# `kill` comes after gentler ways, so what still runs then is stuck. It is looked at until it is not.
_STUCK_SECONDS = 0.5
_LAST_CHANCE = 1.0
# Connections on their way to a process that is too busy to take them; more stay in the backlog.
_ON_THE_WAY = 64
_REFUSED = 1 << 8
_IMPOSSIBLE = 3 << 8


class Session:
    """A connection that a process serves."""

    def __init__(self, number: int, trace_id: str | None) -> None:
        self.number = number
        self.trace_id = trace_id
        self.look_at: float | None = None
        self.close_by: float | None = None


class Process:
    """A process that serves connections."""

    def __init__(self, pid: int, channel: Channel, pulse: Pulse, tmpdir: str) -> None:
        self.pid = pid
        self.channel = channel
        self.pulse = pulse
        self.tmpdir = tmpdir
        self.sessions: dict[int, Session] = {}
        # Those that were told to end.
        self.closing: set[Session] = set()
        self.watch_at: float | None = None
        self.asked = False
        self.answer: str | None = None
        self.blocked: dict[str, Any] | None = None
        self.look_at: float | None = None
        self.kill_at: float | None = None

    def stuck(self, now: float, seconds: float) -> bool:
        """True when the loop has been in one step for this long."""
        since = self.pulse.since()
        return since > 0 and now - since >= seconds

    def runs(self) -> list[str]:
        """What runs, as number, trace and name: as the process says, else what it has started last."""
        label = self.answer if self.answer is not None else self.pulse.started_last().decode("utf-8", "replace")
        parts = label.split("\0")
        return parts if len(parts) == 3 else ["", "", ""]


class Shared:
    """The keeper of the one process for all."""

    def __init__(
        self,
        base: Base,
        environment: Environment,
        description: dict[str, Any],
        spawn: Callable[[socket.socket, Pulse, str], int] | None,
        blocked_seconds: float = BLOCKED_SECONDS,
    ) -> None:
        self._base = base
        self._environment = environment
        self._description = description
        self._spawn = spawn
        self._blocked_seconds = blocked_seconds
        self._temporary = tempfile.gettempdir()
        self._processes: dict[int, Process] = {}
        self._current: Process | None = None
        self._channels: dict[int, Process] = {}
        self._number = 0
        self._accepting = True
        self._ending = False

    # -- connections ------------------------------------------------------------------------------

    def start(self, connection: socket.socket, hello: dict[str, Any], raw: bytes) -> None:
        """Pass a connection to the process, which is started for the first one."""
        trace = hello.get("trace_id")
        objection = self._objection(hello)
        if objection is not None:
            refuse(connection, "ValueError", objection)
            self._base.tell_exit(trace, os.getpid(), _IMPOSSIBLE)
            return
        try:
            process = self._current or self._launch()
        except OSError as error:
            refuse(connection, "OSError", f"cannot start the environment's process: {error}")
            self._base.tell_exit(trace, os.getpid(), _IMPOSSIBLE)
            return
        self._number += 1
        process.sessions[self._number] = Session(self._number, trace)
        order = {"op": "open", "id": self._number, "trace_id": trace, "env": hello.get("env")}
        self._order(process, order, connection)

    def _objection(self, hello: dict[str, Any]) -> str | None:
        if self._ending:
            return "the worker is ending"
        if hello.get("workdir") == "copy":
            return "one process serves every session, so none can work in a copy of the folder; use fork or spawn"
        if hello.get("cwd") and os.path.realpath(hello["cwd"]) != os.path.realpath(self._base.folder):
            return f"one process serves every session, and works in {self._base.folder}"
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if self._current is not None and len(self._current.sessions) >= most * 3 // 4:
            # The rest is for the environment's own files.
            return f"{len(self._current.sessions)} sessions are open, and a process may open {most} files (ulimit -n)"
        return None

    def _launch(self) -> Process:
        ours, theirs = socket.socketpair()
        tmpdir = tempfile.mkdtemp(prefix="hud-copy-", dir=self._temporary)
        try:
            if self._spawn is not None:
                pulse = Pulse.to_pass()
                try:
                    pid = self._spawn(theirs, pulse, tmpdir)
                finally:
                    pulse.close_descriptor()
            else:
                pulse = Pulse()
                pid = self._fork(ours, theirs, pulse, tmpdir)
        except BaseException:
            ours.close()
            _copy.remove_folder(tmpdir)
            raise
        finally:
            theirs.close()
        process = Process(pid, Channel(ours), pulse, tmpdir)
        self._processes[pid] = self._current = process
        self._channels[process.channel.fileno()] = process
        self._base.poll.register(process.channel.fileno(), select.POLLIN)
        return process

    def _fork(self, ours: socket.socket, theirs: socket.socket, pulse: Pulse, tmpdir: str) -> int:
        import random

        # A fork gives `random` a state of its own; here the process goes on where importing left it.
        state = random.getstate()

        def run() -> NoReturn:
            ours.close()
            random.setstate(state)
            _shared.prepare(tmpdir)
            _shared.serve(theirs, pulse, self._environment, self._description, tmpdir)

        return self._base.fork(run)

    def let_go(self) -> None:
        """A process must not hold the channel of another one, or its end would not be seen."""
        for process in self._processes.values():
            process.channel.close()

    def _order(self, process: Process, order: dict[str, Any], connection: socket.socket | None = None) -> None:
        process.channel.send(order, connection)
        self._watch_channel(process)

    def _watch_channel(self, process: Process) -> None:
        fd = process.channel.fileno()
        if fd in self._channels:
            self._base.poll.modify(fd, select.POLLIN | (select.POLLOUT if process.channel.waiting else 0))
        busy = any(process.channel.waiting > _ON_THE_WAY for process in self._processes.values())
        if busy == self._accepting:
            self._accepting = not busy
            self._base.accept(self._accepting)

    # -- what the process says --------------------------------------------------------------------

    def ready(self, fd: int) -> None:
        """A channel has news, or room."""
        process = self._channels.get(fd)
        if process is not None:
            self._hear(process)
            process.channel.flush()
            self._watch_channel(process)

    def _hear(self, process: Process) -> None:
        for message, _ in process.channel.receive():
            if "closed" in message:
                session = process.sessions.pop(message["closed"], None)
                if session is not None:
                    process.closing.discard(session)
                    self._base.tell_exit(session.trace_id, process.pid, _REFUSED if "refused" in message else 0)
            elif "awake" in message:
                process.watch_at = time.monotonic() + self._blocked_seconds
            elif "free" in message:
                self._unblocked(process)
                process.watch_at = time.monotonic() + self._blocked_seconds
            elif "ending" in message and self._current is process:
                self._current = None
            elif "running" in message:
                process.answer = message["running"]
        if not process.channel.open and process.channel.fileno() in self._channels:
            # It ends, or user code has closed what was not its own; then nothing can be asked of it.
            self._close_channel(process)
            if self._current is process:
                self._current = None
            process.kill_at = min(process.kill_at or float("inf"), time.monotonic() + CLOSE_SECONDS)

    def _close_channel(self, process: Process) -> None:
        fd = process.channel.fileno()
        if self._channels.pop(fd, None) is not None:
            self._base.poll.unregister(fd)

    def ended(self, pid: int, status: int) -> bool:
        """Tell of every session that has ended with its process; what was still on its way gets a fresh one."""
        process = self._processes.pop(pid, None)
        if process is None:
            return False
        if self._current is process:
            self._current = None
        self._hear(process)
        self._unblocked(process)
        unsent = process.channel.unsent()
        self._close_channel(process)
        process.channel.close()
        _copy.remove_folder(process.tmpdir)
        for order, _ in unsent:
            process.sessions.pop(order["id"], None)
        for session in process.sessions.values():
            self._base.tell_exit(session.trace_id, pid, status)
        for order, connection in unsent:
            self.start(connection, order, b"")
        return True

    # -- orders -----------------------------------------------------------------------------------

    def obey(self, operation: str, trace_id: str | None) -> bool:
        """`deadline`, `interrupt`, `close` and `kill` for a session, `replace` for the process."""
        if operation == "replace":
            if self._current is not None:
                self._replace(self._current)
            return True
        if operation not in ("deadline", "interrupt", "close", "kill"):
            return False
        found = self._find(trace_id)
        if found is None:
            return True  # It ended by itself; its `exit` line says so.
        process, session = found
        now = time.monotonic()
        if operation in ("close", "kill"):
            process.closing.add(session)
            session.close_by = now + CLOSE_SECONDS
            session.look_at = session.close_by if operation == "close" else now + _STUCK_SECONDS
        self._order(process, {"op": operation, "id": session.number})
        # In case that a tool keeps the loop from reading it.
        os.kill(process.pid, signal.SIGUSR1)
        if operation == "kill":
            self._ask(process)
        return True

    def _ask(self, process: Process) -> None:
        process.answer = None
        os.kill(process.pid, signal.SIGUSR2)

    def _find(self, trace_id: str | None) -> tuple[Process, Session] | None:
        for process in self._processes.values():
            for session in process.sessions.values():
                if session.trace_id == trace_id:
                    return process, session
        return None

    def _replace(self, process: Process) -> None:
        """Serve new connections with a fresh process. The old one closes its sessions, if it still can."""
        self._current = None
        now = time.monotonic()
        self._order(process, {"op": "end", "seconds": CLOSE_SECONDS - 1, "hurry": True})
        os.kill(process.pid, signal.SIGUSR1)
        process.look_at = now + _LAST_CHANCE
        process.kill_at = now + CLOSE_SECONDS

    # -- time -------------------------------------------------------------------------------------

    def next_time(self) -> float | None:
        """The next look at something."""
        times = [
            at
            for process in self._processes.values()
            for at in (
                process.watch_at,
                process.look_at,
                process.kill_at,
                *(session.look_at for session in process.closing),
            )
            if at is not None
        ]
        return min(times, default=None)

    def expire(self, now: float) -> None:
        """Look at the processes that shall have done something by now."""
        for process in list(self._processes.values()):
            if process.watch_at is not None and process.watch_at <= now:
                self._watch(process, now)
            for session in process.closing:
                if session.look_at is not None and session.look_at <= now:
                    self._look_at_session(process, session, now)
            if process.look_at is not None and process.look_at <= now:
                process.look_at = None
                if process.stuck(now, _LAST_CHANCE * 0.9):
                    process.kill_at = now
            if process.kill_at is not None and process.kill_at <= now:
                process.kill_at = None
                signal_group(process.pid, signal.SIGKILL)

    def _watch(self, process: Process, now: float) -> None:
        """See whether the loop still moves; as long as it rests, nobody needs to look."""
        since = process.pulse.since()
        if not since:
            process.pulse.watch(False)
            process.watch_at = None
            if process.pulse.since():
                # It began to work just before it could see that nobody looks.
                process.pulse.watch(True)
                process.watch_at = now + self._blocked_seconds
        elif now - since < self._blocked_seconds:
            process.watch_at = since + self._blocked_seconds
            process.asked = False
        elif not process.asked:
            process.asked = True
            self._ask(process)
            process.watch_at = now + _ANSWER_SECONDS
        else:
            process.watch_at, process.asked = None, False
            process.pulse.tell(True)
            if process.pulse.since() != since:
                process.pulse.tell(False)
                process.watch_at = now + self._blocked_seconds
                return
            _, trace, tool = process.runs()
            process.blocked = {"tool": tool or None, "trace_id": trace or None}
            self._base.tell("blocked", **process.blocked, seconds=round(now - since, 1))

    def _unblocked(self, process: Process) -> None:
        if process.blocked is not None:
            self._base.tell("unblocked", **process.blocked)
            process.blocked = None

    def _look_at_session(self, process: Process, session: Session, now: float) -> None:
        """A session that was to be closed is still there: is it its own code that blocks the process?"""
        if process.stuck(now, _STUCK_SECONDS * 0.8):
            if process.runs()[0] in ("", str(session.number)):
                process.kill_at = now
                return
            # Another session's code does; that is for those to judge who wait for it.
            self._ask(process)
            session.look_at = now + _STUCK_SECONDS
        elif session.close_by is not None and now < session.close_by:
            session.look_at = session.close_by
        else:
            session.look_at = None

    # -- the end ----------------------------------------------------------------------------------

    def alive(self) -> bool:
        """True while there is a process."""
        return bool(self._processes)

    def end(self, hurry: bool) -> None:
        """Ask every process to end."""
        self._ending = True
        for process in self._processes.values():
            seconds = 1.0 if hurry else CLOSE_SECONDS - 1
            process.channel.send({"op": "end", "seconds": seconds, "hurry": hurry})
            os.kill(process.pid, signal.SIGUSR1)

    def kill(self) -> None:
        """Kill the processes that are left, and tell of their sessions."""
        for process in self._processes.values():
            signal_group(process.pid, signal.SIGKILL)
        for pid in list(self._processes):
            with contextlib.suppress(ChildProcessError):
                self.ended(*os.waitpid(pid, 0))
