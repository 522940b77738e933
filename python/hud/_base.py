"""The base process: accepts connections and hands each to a process that serves it.

One poll loop over the listening socket, the control channel, connections whose first line has not
arrived yet, and a pipe that SIGCHLD writes to. There is no event loop here, because a fork would copy
its state, and no thread, because a fork would lose it. Which processes there are is decided by a
keeper: `_fork.Copies` has one for each connection, `_supervise.Shared` one for all.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from hud._channels import Control, Greeting
from hud._interrupt import SIGNALS
from hud._jsonable import line
from hud._process import death_signal, ended, how

# After the Rust process has died nobody waits for a cleanup any more; after a `close` somebody does.
_ORPHAN_SECONDS = 1.0
CLOSE_SECONDS = 6.0


class Keeper(Protocol):
    """What the base needs to know about the processes that serve connections."""

    def start(self, connection: socket.socket, hello: dict[str, Any], raw: bytes) -> None:
        """Serve a connection whose first line has arrived; the connection is the keeper's from now on."""

    def obey(self, operation: str, trace_id: str | None) -> bool:
        """Do an operation of the control channel; False when there is no such operation."""

    def ready(self, fd: int) -> None:
        """A descriptor that the keeper has registered is ready."""

    def ended(self, pid: int, status: int) -> bool:
        """A child of the base has ended; False when it is none of the keeper's."""

    def next_time(self) -> float | None:
        """When `expire` wants to be called, on the monotonic clock."""

    def expire(self, now: float) -> None:
        """Do what is due."""

    def let_go(self) -> None:
        """Close what a child must not have."""

    def alive(self) -> bool:
        """True while a process is left."""

    def end(self, hurry: bool) -> None:
        """Ask every process to end; in a hurry there is one second for it."""

    def kill(self) -> None:
        """End every process that is left, and remove what it leaves behind."""


class Base:
    """The poll loop and what every kind of keeper needs from it."""

    def __init__(self, control: Control, listener: socket.socket) -> None:
        self.folder = os.getcwd()
        self._control = control
        self._listener = listener
        self._pid = os.getpid()
        self._set_death_signal = death_signal()
        self._greeting: dict[int, Greeting] = {}
        self._stopping = False
        self._patience = _ORPHAN_SECONDS
        self._keeper: Keeper
        self.poll = select.poll()
        self._control_poll = select.poll()
        self._control_poll.register(control.read_fd, select.POLLIN)
        self._wakeup, self._wakeup_write = os.pipe()
        for fd in (self._wakeup, self._wakeup_write):
            os.set_blocking(fd, False)

    def take_signals(self) -> None:
        """From now on a request to end is obeyed in `run`."""
        # `_isolation` has already decided about the threads that Python 3.12 and later warn of.
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        signal.set_wakeup_fd(self._wakeup_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        # Ctrl-C in a terminal reaches the whole foreground group; what it means is decided in Rust.
        signal.signal(signal.SIGINT, lambda *_: None)

    def run(self, keeper: Keeper) -> None:
        """Work until the control channel ends, then end every process."""
        self._keeper = keeper
        self._listener.setblocking(False)
        for fd in (self._listener.fileno(), self._control.read_fd, self._wakeup):
            self.poll.register(fd, select.POLLIN)
        while not self._stopping:
            self._step(self._next_timeout())
        self._end_all()

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _next_timeout(self) -> float | None:
        times = [greeting.expires for greeting in self._greeting.values()]
        keepers = self._keeper.next_time()
        if keepers is not None:
            times.append(keepers)
        return max(0.0, min(times) - time.monotonic()) * 1000 if times else None

    def _step(self, timeout: float | None) -> None:
        for fd, _ in self.poll.poll(timeout):
            if fd == self._listener.fileno():
                self._obey_first()
                self._accept()
            elif fd == self._control.read_fd:
                self._obey_first()
            elif fd == self._wakeup:
                self._drain_wakeup()
            elif fd in self._greeting:
                self._greet(self._greeting[fd])
            else:
                self._keeper.ready(fd)
        self._reap()
        self._expire()

    def _drain_wakeup(self) -> None:
        try:
            while os.read(self._wakeup, 4096):
                pass
        except BlockingIOError:
            pass

    # -- connections ------------------------------------------------------------------------------

    def _obey_first(self) -> None:
        """What was ordered before a connection was made is done before it is served."""
        if self._control_poll.poll(0):
            self._obey()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            # Out of file descriptors: the connection stays in the backlog until a copy ends.
            print(f"hud: cannot accept: {error}", file=sys.stderr)
            time.sleep(0.01)
            return
        connection.setblocking(False)
        self._greet(Greeting(connection), fresh=True)

    def _greet(self, greeting: Greeting, fresh: bool = False) -> None:
        connection = greeting.connection
        try:
            hello = greeting.read()
        except (OSError, ValueError) as error:
            print(f"hud: refused a connection: {error}", file=sys.stderr)
            self._forget(greeting)
            connection.close()
            return
        if hello is None:
            if fresh:
                self._greeting[connection.fileno()] = greeting
                self.poll.register(connection.fileno(), select.POLLIN)
            return
        self._forget(greeting)
        self._keeper.start(connection, hello, bytes(greeting.received))

    def _forget(self, greeting: Greeting) -> None:
        fd = greeting.connection.fileno()
        if self._greeting.pop(fd, None) is not None:
            self.poll.unregister(fd)

    def accept(self, wanted: bool) -> None:
        """Accept connections, or leave them in the backlog."""
        if wanted:
            self.poll.register(self._listener.fileno(), select.POLLIN)
        else:
            with contextlib.suppress(KeyError):
                self.poll.unregister(self._listener.fileno())

    def _expire(self) -> None:
        now = time.monotonic()
        for greeting in [g for g in self._greeting.values() if g.expires <= now]:
            self._forget(greeting)
            greeting.connection.close()
        self._keeper.expire(now)

    # -- processes --------------------------------------------------------------------------------

    def fork(self, run: Callable[[], NoReturn]) -> int:
        """Run a function in a child, the leader of a process group of its own; its number."""
        # Signals wait until the child has its own handlers: one that arrives in between would either
        # kill the child or run a handler that is meant for the base.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                self._child(run)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        with contextlib.suppress(OSError):  # The child was quicker, or is already gone.
            os.setpgid(pid, pid)
        return pid

    def _child(self, run: Callable[[], NoReturn]) -> NoReturn:
        try:
            os.setpgid(0, 0)
            self._set_death_signal()
            if os.getppid() != self._pid:
                os._exit(1)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._control.close()
            self._listener.close()
            os.close(self._wakeup)
            os.close(self._wakeup_write)
            for greeting in self._greeting.values():
                greeting.connection.close()
            self._keeper.let_go()
            run()
        except BaseException:
            # Nothing may return from here into the base's loop.
            import traceback

            traceback.print_exc()
        finally:
            os._exit(1)

    def _reap(self) -> None:
        while self._keeper.alive():
            try:
                found = ended()
            except ChildProcessError:
                return
            if found is None:
                return
            # It may also be a process that importing the environment started.
            self._keeper.ended(*found)

    # -- the control channel ----------------------------------------------------------------------

    def tell(self, kind: str, **fields: Any) -> None:
        """Write a line to the control channel."""
        self._control.write({"type": kind, **fields})

    def tell_exit(self, trace_id: str | None, pid: int, status: int) -> None:
        """Say how the process ended that had served a connection; a status is what `waitpid` gives."""
        self.tell("exit", trace_id=trace_id, pid=pid, **how(status))

    def _obey(self) -> None:
        try:
            messages = self._control.read()
        except OSError:
            messages = None
        if messages is None:
            self._stopping = True
            return
        for message in messages:
            operation = message.get("op")
            if operation == "end":
                # Somebody waits, so the clean-up has its whole time.
                self._stopping, self._patience = True, CLOSE_SECONDS
            elif not self._keeper.obey(str(operation), message.get("trace_id")):
                print(f"hud: unknown operation on the control channel: {operation!r}", file=sys.stderr)

    # -- the end ----------------------------------------------------------------------------------

    def _end_all(self) -> None:
        path = self._listener.getsockname()
        self._listener.close()
        with contextlib.suppress(OSError):
            os.unlink(path)
        # The folder is the starter's, who removes it; when the starter was killed, the last base does.
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(path))
        self._keeper.end(hurry=self._patience <= _ORPHAN_SECONDS)
        limit = time.monotonic() + self._patience
        wait = select.poll()
        wait.register(self._wakeup, select.POLLIN)
        while self._keeper.alive() and time.monotonic() < limit:
            self._drain_wakeup()
            self._reap()
            if self._keeper.alive():
                wait.poll(max(1.0, (limit - time.monotonic()) * 1000))
        self._keeper.kill()


def refuse(connection: socket.socket, kind: str, message: str, **more: Any) -> None:
    """Tell a client why its connection will not be served, and close it."""
    with contextlib.suppress(OSError):
        connection.send(line({"hud": 1, "error": {"kind": kind, "message": message, **more}}))
    connection.close()
