"""The base process: accepts connections and makes a copy of the environment for each.

One poll loop over the listening socket, the control channel, connections whose first line has not
arrived yet, and a pipe that SIGCHLD writes to. There is no event loop here, because a fork would copy
its state, and no thread, because a fork would lose it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

from hud import _copy
from hud._channels import Control, Greeting
from hud._interrupt import SIGNALS
from hud._jsonable import line
from hud.environment import Environment

_BACKLOG = 1024
# After the Rust process has died nobody waits for a cleanup any more; after a `close` somebody does.
_ORPHAN_SECONDS = 1.0
_CLOSE_SECONDS = 6.0


class Living:
    """A running copy."""

    def __init__(self, pid: int, trace_id: str | None, tmpdir: str) -> None:
        self.pid = pid
        self.trace_id = trace_id
        self.tmpdir = tmpdir
        self.kill_at: float | None = None


class Base:
    """Everything that the base process keeps."""

    def __init__(
        self,
        control: Control,
        listener: socket.socket,
        environment: Environment,
        description: dict[str, Any],
        spawn: Callable[[socket.socket, bytes, str], int] | None,
    ) -> None:
        self._control = control
        self._listener = listener
        self._environment = environment
        self._description = description
        self._spawn = spawn
        self._folder = os.getcwd()
        self._temporary = tempfile.gettempdir()
        self._pid = os.getpid()
        self._set_death_signal = death_signal()
        self._living: dict[int, Living] = {}
        self._greeting: dict[int, Greeting] = {}
        self._stopping = False
        self._poll = select.poll()
        self._wakeup, self._wakeup_write = os.pipe()
        for fd in (self._wakeup, self._wakeup_write):
            os.set_blocking(fd, False)

    def run(self) -> None:
        """Work until the control channel ends, then end every copy."""
        # `_isolation` has already decided about the threads that Python 3.12 and later warn of.
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        signal.set_wakeup_fd(self._wakeup_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        # Ctrl-C in a terminal reaches the whole foreground group; what it means is decided in Rust.
        signal.signal(signal.SIGINT, lambda *_: None)
        self._listener.setblocking(False)
        for fd in (self._listener.fileno(), self._control.read_fd, self._wakeup):
            self._poll.register(fd, select.POLLIN)
        while not self._stopping:
            self._step(self._next_timeout())
        self._end_all()

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _next_timeout(self) -> float | None:
        times = [greeting.expires for greeting in self._greeting.values()]
        times += [living.kill_at for living in self._living.values() if living.kill_at is not None]
        return max(0.0, min(times) - time.monotonic()) * 1000 if times else None

    def _step(self, timeout: float | None) -> None:
        for fd, _ in self._poll.poll(timeout):
            if fd == self._listener.fileno():
                self._accept()
            elif fd == self._control.read_fd:
                self._obey()
            elif fd == self._wakeup:
                self._drain_wakeup()
            elif fd in self._greeting:
                self._greet(self._greeting[fd])
        self._reap()
        self._expire()

    def _drain_wakeup(self) -> None:
        try:
            while os.read(self._wakeup, 4096):
                pass
        except BlockingIOError:
            pass

    # -- connections ------------------------------------------------------------------------------

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
                self._poll.register(connection.fileno(), select.POLLIN)
            return
        self._forget(greeting)
        self._start(connection, hello, bytes(greeting.received))

    def _forget(self, greeting: Greeting) -> None:
        fd = greeting.connection.fileno()
        if self._greeting.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def _expire(self) -> None:
        now = time.monotonic()
        for greeting in [g for g in self._greeting.values() if g.expires <= now]:
            self._forget(greeting)
            greeting.connection.close()
        for living in self._living.values():
            if living.kill_at is not None and living.kill_at <= now:
                living.kill_at = None
                _signal_group(living.pid, signal.SIGKILL)

    def _start(self, connection: socket.socket, hello: dict[str, Any], raw: bytes) -> None:
        tmpdir = None
        try:
            tmpdir = self._make_folder()
            if self._spawn is not None:
                pid = self._spawn(connection, raw, tmpdir)
            else:
                pid = self._fork(connection, hello, tmpdir)
        except OSError as error:
            # Out of processes or of disk: this rollout fails with the reason, the others go on.
            report = {"kind": "OSError", "message": f"cannot start a copy: {error}"}
            with contextlib.suppress(OSError):
                connection.send(line({"hud": 1, "error": report}))
            if tmpdir is not None:
                _copy.remove_folder(tmpdir)
            return
        finally:
            connection.close()
        self._living[pid] = Living(pid, hello.get("trace_id"), tmpdir)

    def _make_folder(self) -> str:
        # mkdtemp does the same with more code, and this is on the way to every first answer.
        path = os.path.join(self._temporary, f"hud-copy-{os.urandom(8).hex()}")
        os.mkdir(path, 0o700)
        return path

    def _fork(self, connection: socket.socket, hello: dict[str, Any], tmpdir: str) -> int:
        # Signals wait until the child has its own handlers: one that arrives in between would either
        # kill the child or run a handler that is meant for the base.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                self._child(connection, hello, tmpdir)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        with contextlib.suppress(OSError):  # The child was quicker, or is already gone.
            os.setpgid(pid, pid)
        return pid

    def _child(self, connection: socket.socket, hello: dict[str, Any], tmpdir: str) -> NoReturn:
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
            try:
                _copy.prepare(hello, self._folder, tmpdir)
            except (OSError, ValueError, TypeError) as error:
                _copy.fail(connection, {"kind": type(error).__name__, "message": str(error)}, tmpdir)
            _copy.serve(connection, self._environment, self._description, hello, tmpdir)
        except BaseException:
            # Nothing may return from here into the base's loop.
            import traceback

            traceback.print_exc()
        finally:
            os._exit(1)

    # -- the control channel ----------------------------------------------------------------------

    def _obey(self) -> None:
        try:
            messages = self._control.read()
        except OSError:
            messages = None
        if messages is None:
            self._stopping = True
            return
        for message in messages:
            operation, trace = message.get("op"), message.get("trace_id")
            living = next((copy for copy in self._living.values() if copy.trace_id == trace), None)
            if living is None:
                continue  # It ended by itself; its `exit` line says so.
            if operation == "deadline":
                os.kill(living.pid, signal.SIGUSR1)
            elif operation == "interrupt":
                os.kill(living.pid, signal.SIGUSR2)
            elif operation == "close":
                os.kill(living.pid, signal.SIGTERM)
                living.kill_at = time.monotonic() + _CLOSE_SECONDS
            elif operation == "kill":
                _signal_group(living.pid, signal.SIGKILL)
            else:
                print(f"hud: unknown operation on the control channel: {operation!r}", file=sys.stderr)

    # -- ended copies -----------------------------------------------------------------------------

    def _reap(self) -> None:
        while self._living:
            try:
                found = _ended()
            except ChildProcessError:
                return
            if found is None:
                return
            pid, status = found
            living = self._living.pop(pid, None)
            if living is None:
                continue  # A process that importing the environment started.
            _copy.remove_folder(living.tmpdir)
            self._control.write(
                {
                    "type": "exit",
                    "trace_id": living.trace_id,
                    "pid": pid,
                    "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
                    "signal": signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else None,
                }
            )

    def _end_all(self) -> None:
        path = self._listener.getsockname()
        self._listener.close()
        with contextlib.suppress(OSError):
            os.unlink(path)
        # The folder is the starter's, who removes it; when the starter was killed, the last base does.
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(path))
        for living in self._living.values():
            # The deadline's signal frees a copy whose tool blocks it at once; a SIGTERM alone gives the
            # tool a second, which is all the time there is.
            os.kill(living.pid, signal.SIGUSR1)
            os.kill(living.pid, signal.SIGTERM)
        limit = time.monotonic() + _ORPHAN_SECONDS
        wait = select.poll()
        wait.register(self._wakeup, select.POLLIN)
        while self._living and time.monotonic() < limit:
            self._drain_wakeup()
            self._reap()
            if self._living:
                wait.poll(max(1.0, (limit - time.monotonic()) * 1000))
        for living in self._living.values():
            _signal_group(living.pid, signal.SIGKILL)
        for living in list(self._living.values()):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(living.pid, 0)
            _copy.remove_folder(living.tmpdir)


def _ended() -> tuple[int, int] | None:
    """One child that ended, after killing what it left behind in its process group."""
    if hasattr(os, "waitid"):
        # Look first, reap later: as long as the leader is a zombie, its number cannot be reused, so the
        # signal reaches its group and no stranger.
        seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if seen is None:
            return None
        _signal_group(seen.si_pid, signal.SIGKILL)
        return os.waitpid(seen.si_pid, 0)
    pid, status = os.waitpid(-1, os.WNOHANG)
    if pid == 0:
        return None
    _signal_group(pid, signal.SIGKILL)
    return pid, status


def _signal_group(pid: int, number: int) -> None:
    # Nobody may be left in the group; macOS says "not permitted" for zombies.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def death_signal() -> Callable[[], Any]:
    """A function by which a copy asks the kernel for a SIGTERM when the base dies (Linux only).

    SIGTERM and not SIGKILL, so that the copy can still roll back what its scenario began.
    """
    if sys.platform != "linux":
        return lambda: None
    try:
        import ctypes

        prctl = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return lambda: None
    set_pdeathsig, number = 1, int(signal.SIGTERM)
    return lambda: prctl(set_pdeathsig, number, 0, 0, 0)


def listen(path: str) -> socket.socket:
    """Bind the socket and listen."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {path}: {error.strerror or error}") from None
    listener.listen(_BACKLOG)
    return listener
