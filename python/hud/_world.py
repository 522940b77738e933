"""What an import must leave as it was, for a process that shall be forked after it."""

from __future__ import annotations

import atexit
import contextlib
import linecache
import os
import signal
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from hud import _isolation
from hud._imports import Variables


class World:
    """The state of the process outside of its modules."""

    def __init__(self) -> None:
        self._variables = Variables()
        self._descriptors = _descriptors()
        self._folder = os.getcwd()
        self._path = list(sys.path)
        self._umask = _umask()
        self._children = _children()
        self._ignored = _ignored()

    def objection(self) -> str | None:
        """What has changed since, as the end of a sentence."""
        changed = self._variables.changed()
        if changed:
            return f"changes environment variables: {', '.join(changed)}"
        opened = {fd: name for fd, name in _descriptors().items() if self._descriptors.get(fd) != name}
        if opened:
            return f"keeps files or connections open: {', '.join(sorted(opened.values()))}"
        if os.getcwd() != self._folder:
            return "changes the working directory"
        if sys.path != self._path:
            return "changes sys.path"
        if _umask() != self._umask:
            return "changes the umask"
        if _children() - self._children:
            return "starts processes"
        return _isolation.obstacle("")

    def restore(self) -> None:
        """Put back what a program hands on to the one that it becomes."""
        os.chdir(self._folder)
        os.umask(self._umask)
        for number in _ignored() - self._ignored:
            signal.signal(number, signal.SIG_DFL)
        for pid in _children() - self._children:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def lasting_obstacle() -> str | None:
    """Why this process cannot be forked at all."""
    return _isolation.obstacle("starting Python")


class Legacy:
    """What modules have left to be done at the end of the process that loaded them.

    A folder that a package has made at import is to be removed when the nursery ends, which has loaded it
    once for all bases, and not when the first of these does.
    """

    def __init__(self) -> None:
        self._registered: list[Callable[..., Any]] = []

    @contextlib.contextmanager
    def recorded(self) -> Iterator[None]:
        """Note what is registered with `atexit` meanwhile."""
        register = atexit.register

        def noted(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            module = str(getattr(function, "__module__", "")).partition(".")[0]
            if module not in sys.stdlib_module_names:
                self._registered.append(function)
            return register(function, *args, **kwargs)

        atexit.register = noted  # type: ignore[assignment]
        try:
            yield
        finally:
            atexit.register = register

    def forget(self) -> None:
        """In a base: leave it to the nursery."""
        for function in self._registered:
            atexit.unregister(function)
        for info in getattr(weakref.finalize, "_registry", {}).values():
            info.atexit = False
        linecache.clearcache()


def _descriptors() -> dict[str, str]:
    found = {}
    folder = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
    for fd in os.listdir(folder):
        try:
            found[fd] = os.readlink(f"{folder}/{fd}") if sys.platform == "linux" else f"descriptor {fd}"
        except OSError:
            continue  # The one that lists the others.
    return found


def _umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _ignored() -> set[signal.Signals]:
    return {number for number in signal.Signals if signal.getsignal(number) == signal.SIG_IGN}


def _children() -> set[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return set(map(int, file.read().split()))
    except OSError:
        return set()
