"""The life of one copy of an environment, from the accepted connection to the end of the process.

After a fork everything here is paid by each rollout, so nothing is imported and nothing is computed
that the base could have done before.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import random
import shutil
import socket
import stat
import sys
import tempfile
from pathlib import Path
from typing import Any, NoReturn

from hud import _context, _sampling
from hud._interrupt import Interrupts
from hud._jsonable import line
from hud._mcp import Server
from hud._wire import Wire
from hud.environment import Environment

_SKIPPED = {".git", ".venv", "__pycache__", ".hud"}

# The process that takes care of what a copy leaves behind.
_base = 0


def prepare(hello: dict[str, Any], folder: str, tmpdir: str) -> None:
    """Make the process this rollout's own: log, variables, temporary folder, working directory, random state."""
    global _base
    _base = os.getppid()
    log = hello.get("log")
    if log:
        fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        os.close(fd)
    set_variables(hello.get("env"))
    set_temporary(tmpdir)
    target = hello.get("cwd") or folder
    if hello.get("workdir") == "copy":
        copied = os.path.join(tmpdir, "workdir")
        _copy_folder(Path(target), Path(copied))
        target = copied
    if target != folder or os.getcwd() != folder:
        os.chdir(target)
        os.environ["PWD"] = target
    seed(hello.get("seed"))


def set_variables(variables: dict[str, Any] | None) -> None:
    """Set environment variables, and remove those whose value is None."""
    for name, value in (variables or {}).items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = str(value)


def set_temporary(folder: str) -> None:
    """Make a folder the one for temporary files."""
    for name in ("TMPDIR", "TEMP", "TMP"):
        os.environ[name] = folder
    tempfile.tempdir = folder


def seed(value: int | None) -> None:
    """Give `random` and, when it is loaded, `numpy.random` a state of their own: forks would share one."""
    random.seed(value)
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed(int.from_bytes(os.urandom(4), "big") if value is None else value % 2**32)


def load_random() -> None:
    """Import `numpy.random` when numpy is loaded, which does so only when it is first used.

    A fork can only be given a state of its own in a module that is there.
    """
    if "numpy" in sys.modules and "numpy.random" not in sys.modules:
        with contextlib.suppress(ImportError):
            importlib.import_module("numpy.random")


def _copy_folder(source: Path, target: Path) -> None:
    """Copy a folder tree; symbolic links stay links, sockets and pipes are left out."""
    target.mkdir()
    for entry in os.scandir(source):
        if entry.name in _SKIPPED:
            continue
        destination = target / entry.name
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), destination)
        elif entry.is_dir():
            _copy_folder(Path(entry.path), destination)
        elif entry.is_file():
            shutil.copy2(entry.path, destination)
    shutil.copystat(source, target)


def remove_folder(path: str) -> None:
    """Remove a folder with all that is in it; most are empty, and rmdir is a fraction of rmtree's work."""
    try:
        os.rmdir(path)
    except OSError:
        shutil.rmtree(path, ignore_errors=True)


class Copy:
    """A served connection and how it ends."""

    def __init__(
        self,
        connection: socket.socket,
        environment: Environment,
        description: dict[str, Any],
        hello: dict[str, Any],
        loop: asyncio.AbstractEventLoop,
        interrupts: bool = True,
    ) -> None:
        self._loop = loop
        self.finished = False
        self._ending: asyncio.Task[None] | None = None
        self._server = Server(environment, description, hello.get("trace_id"))
        # Set before the wire exists: its callbacks, and so all tasks, inherit the context of this moment.
        _sampling.current_sampler.set(self._server.sample)
        self._wire = Wire(connection, loop, self._server.receive, self.end)
        self._server.attach(self._wire)
        self._interrupts: Interrupts | None = None
        if interrupts:
            self._interrupts = Interrupts(loop, self._server.stop_tools, self.end, self._deadline_passed)
            self._server.checkpoint = self._interrupts.checkpoint  # type: ignore[method-assign]
            self._interrupts.install()
        _context.set_peer(self._server)
        self._wire.send({"hud": 1, "pid": os.getpid()})

    def _deadline_passed(self) -> None:
        self._server.deadline_passed = True

    def end(self) -> None:
        """Begin the end; further calls change nothing."""
        if self._ending is None:
            self._ending = self._loop.create_task(self._end())

    async def _end(self) -> None:
        if self._interrupts is not None:
            self._interrupts.closing()
        try:
            if self._wire.open:
                self._wire.stop_reading()
            await self._server.close()
            await self._wire.drain()
        finally:
            self.finished = True
            self._loop.stop()


def serve(
    connection: socket.socket,
    environment: Environment,
    description: dict[str, Any],
    hello: dict[str, Any],
    tmpdir: str,
) -> NoReturn:
    """Serve the connection until it ends, and leave the process."""
    code = 1
    try:
        # Made directly: the policy behind asyncio.new_event_loop() has nothing to decide here.
        loop = asyncio.SelectorEventLoop()
        copy = Copy(connection, environment, description, hello, loop)
        while not copy.finished:
            try:
                loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as error:
                # Raised by a task that user code started on its own; asyncio lets these two through.
                print(f"hud: a background task raised {error!r}; the copy ends", file=sys.stderr)
                copy.end()
        code = 0
    finally:
        leave(code, tmpdir)


def fail(connection: socket.socket, report: dict[str, Any], tmpdir: str) -> NoReturn:
    """Tell the client why there will be no copy, and leave the process."""
    try:
        connection.setblocking(True)
        connection.sendall(line({"hud": 1, "error": report}))
    finally:
        leave(3, tmpdir)


def leave(code: int, tmpdir: str) -> NoReturn:
    """Flush and exit without the interpreter's own shutdown, which would only repeat the base's cleanup."""
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except (OSError, ValueError):
        pass  # A closed stream must not keep the process here.
    try:
        # The base removes what is left; doing it here keeps the base free for others meanwhile. What stayed
        # unused it gives to the next copy, if it lives.
        if os.getppid() != _base or not is_unused(tmpdir):
            remove_folder(tmpdir)
    finally:
        os._exit(code)


def is_unused(folder: str) -> bool:
    """True for a temporary folder that is as it was made."""
    try:
        return not os.listdir(folder) and stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    except OSError:
        return False
