"""`python -m hud.worker`: imports an environment once and serves isolated copies of it.

Started by the `hud` command. Standard input and output are a control channel of JSON lines, so they
are put out of the reach of user code before any of it is imported: what it prints goes to stderr.
"""

from __future__ import annotations

import os
import sys

# `python -m` puts the working directory, which is the environment's folder, in front of everything.
# A file there that is called like a module of the standard library must not be what we import; it
# comes back to the front when the environment is loaded.
if __name__ == "__main__" and sys.path and sys.path[0] in ("", os.getcwd()):
    del sys.path[0]
# Whoever starts us asks Python (3.11 and later) not to put it there at all, because by now it may have
# shadowed this very package. That is for us alone: programs that the environment starts expect the usual.
if os.environ.pop("HUD_SAFE_PATH", None):
    os.environ.pop("PYTHONSAFEPATH", None)
# What a nursery has started by itself: its number, and what it remembers of a former life.
_NURSERY = os.environ.pop("HUD_NURSERY", None)
_NURSERY_STATE = os.environ.pop("HUD_NURSERY_STATE", None)

import argparse
import functools
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import socket

    from hud._base import Keeper
    from hud._channels import Control
    from hud._imports import Imports
    from hud._nursery import Base as ForkedBase

IMPORT_FAILED = 3
# The standard library's modules that a nursery and the bases need after the environment has been imported.
# Each on its own, so that an environment which imports one sees that one.
_NURSERY_NEEDS = ("atexit", "gc", "mmap", "resource", "subprocess")


def main(arguments: list[str] | None = None) -> int:
    """Run the base process, with --serve-fd a single copy, with --nursery an interpreter that starts bases."""
    options = _parse(arguments)
    if options.serve_fd is not None:
        return _one_copy(options)
    forked = None
    if options.nursery:
        # A base that it forks returns here, and goes on as one that was started by itself.
        forked = _nursery()
        if forked is None:
            return 0
        options = forked.options
    elif _NURSERY is not None:
        from hud._process import death_signal

        os.setpgid(0, 0)
        death_signal()()
        if os.getppid() != int(_NURSERY):
            return 1
    return _base(options, forked)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m hud.worker", description="Serve copies of a Python environment.")
    parser.add_argument("--source", help="a .py file, a package, or a folder")
    parser.add_argument("--attr", help="the variable that holds the environment")
    parser.add_argument("--socket", help="the path of the unix socket to listen on")
    parser.add_argument("--isolation", choices=("auto", "fork", "spawn", "shared"), default="auto")
    parser.add_argument("--project", action="append", default=[], help="a folder whose modules are the project's own")
    parser.add_argument("--blocked-after", type=float, default=5.0, help="seconds until a tool counts as blocking")
    parser.add_argument("--nursery", action="store_true", help="load modules, and start bases that need them")
    parser.add_argument("--serve-fd", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--pulse-fd", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--tmpdir", help=argparse.SUPPRESS)
    parser.add_argument("--parent", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if not options.nursery and not options.source:
        parser.error("--source is required")
    if not options.nursery and options.serve_fd is None and not options.socket:
        parser.error("--socket is required")
    return options


def _nursery() -> ForkedBase | None:
    _import_ours(None)
    before = set(sys.modules)
    from hud._channels import Control
    from hud._stash import Stash

    control = Control(*_take_stdio())
    stash = Stash(before)
    stash.install()
    for name in (*_NURSERY_NEEDS, "hud._warmup", "hud._nursery"):
        stash.load(name)
    nursery: Any = stash.get("hud._nursery")
    base: ForkedBase | None = nursery.Nursery(control, _parse, stash, _NURSERY_STATE).run()
    return base


def _take_stdio() -> tuple[int, int]:
    """Move stdin and stdout away; user code reads nothing and prints to stderr."""
    read_fd, write_fd = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return read_fd, write_fd


def _import_ours(isolation: str | None) -> None:
    """Everything that a base needs of this package and of the standard library, before an environment is loaded.

    A file beside the environment may be called like a module, and is in front of it on `sys.path` then.
    """
    import contextlib

    from hud import _base, _channels, _copy, _describe, _imports, _isolation, _loading, _process  # noqa: F401

    if isolation is None:
        return
    with contextlib.suppress(ImportError):
        import ctypes  # noqa: F401
    if isolation == "shared":
        from hud import _supervise  # noqa: F401
    else:
        from hud import _fork, _warmup  # noqa: F401
    if isolation != "fork":
        from hud import _spawn  # noqa: F401


def _base(options: argparse.Namespace, forked: ForkedBase | None) -> int:
    _import_ours(options.isolation)
    if forked is not None:
        forked.stash.leave()
    from hud import _channels, _isolation
    from hud._base import Base
    from hud._process import listen

    control = _channels.Control(*_take_stdio())
    # Spawned copies get the environment of the start: importing may change os.environ.
    environ = dict(os.environ)
    imports = _imports(options, forked, control)
    try:
        loaded, description = _load(options, imports)
        isolation, reason = _isolation.choose(options.isolation)
        listener = listen(options.socket)
    except BaseException as error:
        control.write({"type": "import_error", **_import_error(error), "files": imports.files})
        return IMPORT_FAILED
    modules, files = imports.modules, imports.files
    base = Base(control, listener)
    keeper: Keeper
    spawner = None
    if reason is not None:
        from hud._spawn import Spawner

        spawner = Spawner(options.source, options.attr, options.project, environ)
    if isolation == "shared":
        from hud._supervise import Shared

        spawn = spawner.shared if spawner is not None else None
        keeper = Shared(base, loaded.environment, description, spawn, options.blocked_after)
    else:
        from hud._fork import Copies

        keeper = Copies(base, loaded.environment, description, spawner)
    if isolation == "fork":
        from hud._warmup import warm_up

        if forked is None:  # A nursery has done it for all.
            warm_up()
    _freeze()
    base.take_signals()
    control.write(
        {
            "type": "ready",
            "pid": os.getpid(),
            "isolation": isolation,
            "isolation_reason": reason,
            "describe": description,
            "modules": modules,
            "files": files,
        }
    )
    base.run(keeper)
    try:
        os.unlink(options.socket)
    except OSError:
        pass
    return 0


def _one_copy(options: argparse.Namespace) -> int:
    import json
    import signal
    import socket

    from hud import _copy
    from hud._interrupt import SIGNALS
    from hud._process import death_signal

    if options.parent is not None:
        death_signal()()
        if os.getppid() != options.parent:
            return 1
    # The base blocked these for the time of the start. No generator is open while the environment is
    # being imported, so a request to end may end the process; a deadline waits for the handlers.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS - {signal.SIGUSR1, signal.SIGUSR2})
    with os.fdopen(os.dup(0), "rb") as stream:
        hello: dict[str, Any] = json.loads(stream.read())
    for fd in _take_stdio():
        os.close(fd)
    connection = socket.socket(fileno=options.serve_fd)
    os.set_inheritable(options.serve_fd, False)
    if options.pulse_fd is not None:
        return _shared_copy(options, connection)
    try:
        _copy.prepare(hello, os.getcwd(), options.tmpdir)
        loaded, description = _load(options, _imports(options))
        _copy.seed(hello.get("seed"))
    except BaseException as error:
        _copy.fail(connection, _import_error(error), options.tmpdir)
    _copy.serve(connection, loaded.environment, description, hello, options.tmpdir)


def _shared_copy(options: argparse.Namespace, channel: socket.socket) -> NoReturn:
    from hud import _shared
    from hud._pulse import Pulse

    pulse = Pulse(options.pulse_fd)
    pulse.close_descriptor()
    try:
        _shared.prepare(options.tmpdir)
        loaded, description = _load(options, _imports(options))
    except BaseException as error:
        _shared.fail(channel, _import_error(error), options.tmpdir)
    _shared.serve(channel, pulse, loaded.environment, description, options.tmpdir)


def _imports(options: argparse.Namespace, forked: ForkedBase | None = None, control: Control | None = None) -> Imports:
    from hud import _loading
    from hud._imports import Imports, Project

    project = Project(_loading.roots(options.source, options.project))
    if forked is None or control is None:
        return Imports(project)
    return Imports(project, forked.stash, functools.partial(forked.start_over, control))


def _load(options: argparse.Namespace, imports: Imports) -> tuple[Any, dict[str, Any]]:
    from hud import _copy, _describe, _loading

    loaded = _loading.load(options.source, options.attr, imports)
    _copy.load_random()
    return loaded, _describe.describe(loaded.environment, loaded.tasks, loaded.served)


def _import_error(error: BaseException) -> dict[str, Any]:
    """What a person needs to fix the source; frames of this package never help with that."""
    from hud._errors import LoadError
    from hud._frames import ErrorReport

    report = ErrorReport(error)
    hint: str | None = None
    if isinstance(error, LoadError):
        hint = error.hint
        report.kind = error.kind
        report.trace = ""
    elif isinstance(error, ImportError) and (error.name or "").partition(".")[0] == "hud":
        import hud

        what = f"module '{error.name}'" if isinstance(error, ModuleNotFoundError) else "such name"
        hint = f"hud is installed, but this package has no {what} ({os.path.dirname(hud.__file__)})"
    elif isinstance(error, ModuleNotFoundError) and error.name:
        hint = f"'{error.name.partition('.')[0]}' is not installed for {sys.executable}"
    elif isinstance(error, SystemExit):
        hint = "put code that runs the module as a program under `if __name__ == '__main__':`"
    return {
        "kind": report.kind,
        "message": report.message,
        "file": report.file,
        "line": report.line,
        "trace": report.trace,
        "hint": hint,
    }


def _freeze() -> None:
    """Collect garbage now and exempt what is left from collection.

    A collection in a child would write to every object's header, and so copy every page of the base.
    """
    import gc

    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    sys.exit(main())
