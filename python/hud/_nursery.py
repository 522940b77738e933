"""`python -m hud.worker --nursery`: a warm interpreter from which bases are forked.

It loads what lies outside a project, and nothing of the project itself. A base that is forked from it
imports the project's own modules only, and is otherwise what it would be if it had been started by
itself. Where that cannot be had, it *is* started by itself, and `started` says why: the client need
not know. One poll loop, no event loop and no threads, as in `_base`.

Lines that it reads: `preload` with `modules`; `start` with `id, control, log, args, cwd, env`.
Lines that it writes: `preloaded` with `failed, left_out, forkable, reason`; `started` with `id, pid,
forked, reason`; `ended` with `id, code, signal`.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.machinery
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

from hud import _loading
from hud._channels import Control
from hud._imports import Project
from hud._interrupt import SIGNALS
from hud._process import death_signal, how, signal_group
from hud._stash import Stash
from hud._warmup import warm_up
from hud._world import Legacy, World, lasting_obstacle

# The bases have a second for their copies; they get the sign when this process dies or is told to end.
_END_SECONDS = 2.0
_OWN_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)
_BLOCKED = SIGNALS | set(_OWN_SIGNALS)
# Each time it starts over it has learnt of one more import to leave out.
_MOST_LIVES = 8
STATE = "HUD_NURSERY_STATE"
PARENT = "HUD_NURSERY"

Parse = Callable[[list[str]], argparse.Namespace]


class Start:
    """What a base is to be started with."""

    def __init__(self, message: dict[str, Any]) -> None:
        self.id: int = message["id"]
        self.control: str = message["control"]
        self.log: str = message["log"]
        self.args: list[str] = message["args"]
        self.cwd: str = message["cwd"]
        self.variables: dict[str, str] = message["env"]

    def connect(self) -> tuple[socket.socket, int]:
        """The base's control channel and its log. Raises OSError."""
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        control = socket.socket(socket.AF_UNIX)
        try:
            control.connect(self.control)
        except OSError:
            control.close()
            os.close(log)
            raise
        return control, log


class Base:
    """A forked base: what it is started with, and what it inherits."""

    def __init__(self, start: Start, options: argparse.Namespace, stash: Stash) -> None:
        self.options = options
        self.stash = stash
        self._start = start

    def start_over(self, control: Control, error: Exception) -> NoReturn:
        """What was loaded beforehand does not fit: become what a plain start would have been from the beginning."""
        print(f"hud: starting anew: {error}", file=sys.stderr)
        os.dup2(control.read_fd, 0)
        os.dup2(control.write_fd, 1)
        os.execve(
            sys.executable, worker_command(self._start.args), {**self._start.variables, PARENT: str(os.getppid())}
        )


class Nursery:
    """The poll loop, the modules and the bases."""

    def __init__(self, control: Control, parse: Parse, stash: Stash, state: str | None) -> None:
        self._control = control
        self._parse = parse
        self._pid = os.getpid()
        self._environ = dict(os.environ)
        self._folder = os.path.realpath(os.getcwd())
        self._set_death_signal = death_signal()
        self._unforkable = lasting_obstacle()
        self._stopping = False
        self._handlers: dict[int, Any] = {number: signal.getsignal(number) for number in _OWN_SIGNALS}
        self._wakeup, self._wakeup_write = os.pipe()
        for fd in (self._wakeup, self._wakeup_write):
            os.set_blocking(fd, False)
        # What bases load when they have imported their environment is warm too.
        for name in ("hud._pulse", "hud._fork", "hud._spawn", "hud._supervise"):
            stash.load(name)
        warm_up()
        self._legacy = Legacy()
        self._stash = stash
        self._stash.complete()
        self._modules: list[str] = []
        self._failed: list[str] = []
        self._bases: dict[int, int] = {}
        self._messages: list[dict[str, Any]] = []
        self._left_out: dict[str, str] = {}
        self._lives = 1
        self._state = state

    def run(self) -> Base | None:
        """Work until the control channel ends; in a base that was forked, what it is to go on with."""
        self._take_signals()
        if self._state is not None:
            self._remember(self._state)
        poll = select.poll()
        poll.register(self._control.read_fd, select.POLLIN)
        poll.register(self._wakeup, select.POLLIN)
        while not self._stopping:
            while self._messages:
                base = self._obey(self._messages.pop(0))
                if base is not None:
                    return base
            for fd, _ in poll.poll():
                if fd == self._wakeup:
                    self._drain_wakeup()
                else:
                    self._read()
            self._reap()
        self._end_all()
        return None

    def _read(self) -> None:
        try:
            messages = self._control.read()
        except OSError:
            messages = None
        if messages is None:
            self._stopping = True
        else:
            self._messages += messages

    def _obey(self, message: dict[str, Any]) -> Base | None:
        operation = message.get("op")
        if operation == "preload":
            self._preload(message["modules"], message["modules"])
        elif operation == "start":
            return self._start(Start(message))
        else:
            print(f"hud: unknown operation on the control channel: {operation!r}", file=sys.stderr)
        return None

    # -- signals ----------------------------------------------------------------------------------

    def _take_signals(self) -> None:
        signal.set_wakeup_fd(self._wakeup_write, warn_on_full_buffer=False)
        for number in _OWN_SIGNALS:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _: Any) -> None:
        if number == signal.SIGTERM:
            self._stopping = True

    def _drain_wakeup(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wakeup, 4096):
                pass

    # -- modules ----------------------------------------------------------------------------------

    def _preload(self, modules: list[str], asked: list[str] | None) -> None:
        """Import what is not there yet; `preloaded` says what could not be had of what was asked for."""
        for name in modules:
            if self._unforkable is not None or name in self._stash or name in self._left_out or name in self._failed:
                continue
            world = World()
            with self._legacy.recorded():
                new, error = self._stash.load(name)
            self._note_handlers()
            objection = world.objection()
            if objection is not None:
                self._leave_out({name, *new}, f"importing `{name}` {objection}", world, modules, asked)
            if error is None:
                self._modules.append(name)
            else:
                self._failed.append(name)
        self._stash.complete()
        self._freeze()
        if asked is not None:
            message = {
                "type": "preloaded",
                "failed": [name for name in asked if name in self._failed or name in self._left_out],
                "left_out": {name: reason for name, reason in self._left_out.items() if name in asked},
                "forkable": self._unforkable is None,
                "reason": self._unforkable,
            }
            self._control.write(message)

    def _leave_out(
        self, names: set[str], reason: str, world: World, modules: list[str], asked: list[str] | None
    ) -> None:
        """What was imported cannot be undone: start over without it."""
        if self._lives >= _MOST_LIVES:
            self._unforkable = reason
            return
        self._left_out.update(dict.fromkeys(sorted(names), reason))
        world.restore()
        self._start_over(modules, asked)

    def _note_handlers(self) -> None:
        """A module may have installed a signal handler; it is the bases' then, and not ours."""
        for number in _OWN_SIGNALS:
            handler = signal.getsignal(number)
            if handler != self._on_signal:
                self._handlers[number] = handler
                signal.signal(number, self._on_signal)

    @staticmethod
    def _freeze() -> None:
        """As for copies (`worker._freeze`): a collection in a base leaves all of this alone."""
        import gc

        gc.collect()
        gc.freeze()

    # -- starting over ----------------------------------------------------------------------------

    def _start_over(self, modules: list[str], asked: list[str] | None) -> NoReturn:
        """Become a fresh interpreter that loads these modules too. The bases stay children of this process."""
        state = {
            "bases": {str(pid): id for pid, id in self._bases.items()},
            "modules": [name for name in dict.fromkeys([*self._modules, *modules]) if name not in self._left_out],
            "asked": asked,
            "messages": self._messages,
            "received": self._control.unread.decode("latin-1"),
            "left_out": self._left_out,
            "lives": self._lives + 1,
        }
        with tempfile.TemporaryFile() as file:
            file.write(json.dumps(state).encode())
            file.flush()
            os.set_inheritable(file.fileno(), True)
            os.lseek(file.fileno(), 0, os.SEEK_SET)
            # Lets go of the signals that arrive between the two lives; a base's end is found by looking.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
            os.dup2(self._control.read_fd, 0)
            os.dup2(self._control.write_fd, 1)
            variables = {**start_variables(self._environ), STATE: str(file.fileno())}
            os.execve(sys.executable, worker_command(["--nursery"]), variables)

    def _remember(self, path: str) -> None:
        """Go on where the former life ended."""
        with os.fdopen(int(path), "rb") as file:
            state = json.loads(file.read())
        self._bases = {int(pid): id for pid, id in state["bases"].items()}
        self._messages = state["messages"]
        self._control.unread = state["received"].encode("latin-1")
        self._left_out = state["left_out"]
        self._lives = state["lives"]
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
        self._reap()
        self._preload(state["modules"], state["asked"])

    # -- bases ------------------------------------------------------------------------------------

    def _start(self, start: Start) -> Base | None:
        try:
            options = self._parse(start.args)
        except SystemExit:
            self._start_plainly(start, "its arguments are wrong")
            return None
        stale = None
        reason = self._unforkable or self._difference(start, options)
        if reason is None:
            reason = stale = self._stash.stale()
        if reason is None:
            return self._fork(start, options)
        self._start_plainly(start, reason)
        if stale is not None:
            # Files that were loaded have changed, so the next base would have to be started plainly too.
            self._start_over([], None)
        return None

    def _difference(self, start: Start, options: argparse.Namespace) -> str | None:
        """Why a fork would not be what a plain start is."""
        variables = without_safe_path(start.variables)
        # Python itself adds LC_CTYPE where the locale is plain C.
        names = {*variables, *self._environ} - ({"LC_CTYPE"} if "LC_CTYPE" not in variables else set())
        other = sorted(name for name in names if variables.get(name) != self._environ.get(name))
        if other:
            return f"other environment variables: {', '.join(other[:5])}"
        if os.path.realpath(start.cwd) != self._folder:
            return f"another working directory: {start.cwd}"
        folders = _loading.search_folders(options.source)
        if self._stash.loose_files:
            project = Project([*options.project, *folders])
            own = next((path for path in self._stash.loose_files if project.owns(path)), None)
            if own is not None:
                return f"{own} is the project's own"
        return self._namesake(folders)

    def _namesake(self, folders: list[str]) -> str | None:
        """A file of the project that would be imported in place of what is loaded."""
        names = self._stash.top_level
        suffixes = tuple(importlib.machinery.all_suffixes())
        for folder in folders:
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.partition(".")[0] not in names:
                        continue
                    if entry.name.endswith(suffixes) or os.path.exists(os.path.join(entry.path, "__init__.py")):
                        return f"{entry.path} has the name of a module that is loaded, or was looked for"
        return None

    def _fork(self, start: Start, options: argparse.Namespace) -> Base | None:
        self._stash.hide()
        signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
        try:
            with warnings.catch_warnings():
                # That there are no threads but those of known pools has been looked at.
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = os.fork()
            if pid == 0:
                return self._become_base(start, options)
        except OSError as error:
            self._control.write({"type": "ended", "id": start.id, "code": 1, "signal": None, "reason": str(error)})
            return None
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _BLOCKED)
        with contextlib.suppress(OSError):  # The child was quicker, or is already gone.
            os.setpgid(pid, pid)
        self._bases[pid] = start.id
        self._control.write({"type": "started", "id": start.id, "pid": pid, "forked": True, "reason": None})
        return None

    def _become_base(self, start: Start, options: argparse.Namespace) -> Base:
        """In the child: be what a plain start would be."""
        try:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            self._set_death_signal()
            if os.getppid() != self._pid:
                os._exit(1)
            self._control.close()
            os.close(self._wakeup)
            os.close(self._wakeup_write)
            control, log = start.connect()
            for fd in (0, 1):
                os.dup2(control.fileno(), fd)
            os.dup2(log, 2)
            control.close()
            os.close(log)
        except BaseException as error:
            print(f"hud: cannot start a base: {error}", file=sys.stderr)
            os._exit(1)
        place = sys.orig_argv.index("--nursery")
        sys.orig_argv[place:] = start.args
        sys.argv[1:] = start.args
        self._legacy.forget()
        self._stash.seed_numpy()
        return Base(start, options, self._stash)

    def _start_plainly(self, start: Start, reason: str) -> None:
        try:
            control, log = start.connect()
        except OSError as error:
            self._control.write({"type": "ended", "id": start.id, "code": 1, "signal": None, "reason": str(error)})
            return
        with control:
            process = subprocess.Popen(
                worker_command(start.args),
                stdin=control.fileno(),
                stdout=control.fileno(),
                stderr=log,
                cwd=start.cwd,
                env={**start.variables, PARENT: str(self._pid)},
            )
        os.close(log)
        process.returncode = 0  # It is waited for here, with the others.
        self._bases[process.pid] = start.id
        self._control.write({"type": "started", "id": start.id, "pid": process.pid, "forked": False, "reason": reason})

    def _reap(self) -> None:
        while self._bases:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            id = self._bases.pop(pid, None)
            if id is not None:
                self._control.write({"type": "ended", "id": id, **how(status)})

    def _end_all(self) -> None:
        for pid in self._bases:
            os.kill(pid, signal.SIGTERM)
        limit = time.monotonic() + _END_SECONDS
        wait = select.poll()
        wait.register(self._wakeup, select.POLLIN)
        while self._bases and time.monotonic() < limit:
            self._drain_wakeup()
            self._reap()
            if self._bases:
                wait.poll(max(1.0, (limit - time.monotonic()) * 1000))
        for pid in self._bases:
            signal_group(pid, signal.SIGKILL)


def worker_command(args: list[str]) -> list[str]:
    """The command of a worker like this one, with other arguments."""
    place = sys.orig_argv.index("-m")
    return [sys.executable, *sys.orig_argv[1:place], "-m", "hud.worker", *args]


def without_safe_path(variables: dict[str, str]) -> dict[str, str]:
    """Variables as a worker leaves them to the environment's code (see `worker`)."""
    ours = {"HUD_SAFE_PATH", "PYTHONSAFEPATH"} if "HUD_SAFE_PATH" in variables else set()
    return {name: value for name, value in variables.items() if name not in ours}


def start_variables(environ: dict[str, str]) -> dict[str, str]:
    """The variables to start a worker with, so that it has these."""
    safe = {} if "PYTHONSAFEPATH" in environ else {"PYTHONSAFEPATH": "1", "HUD_SAFE_PATH": "1"}
    return {**environ, **safe}
