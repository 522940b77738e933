"""What the worker's processes do with the operating system: signals to groups, deaths, sockets."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

_BACKLOG = 1024


def ended() -> tuple[int, int] | None:
    """One child that ended, after killing what it left behind in its process group."""
    if hasattr(os, "waitid"):
        # Look first, reap later: as long as the leader is a zombie, its number cannot be reused, so the
        # signal reaches its group and no stranger.
        seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if seen is None:
            return None
        signal_group(seen.si_pid, signal.SIGKILL)
        return os.waitpid(seen.si_pid, 0)
    pid, status = os.waitpid(-1, os.WNOHANG)
    if pid == 0:
        return None
    signal_group(pid, signal.SIGKILL)
    return pid, status


def how(status: int) -> dict[str, Any]:
    """The end of a process as the control channel tells it: `code` and `signal`, one of them None."""
    if os.WIFEXITED(status):
        return {"code": os.WEXITSTATUS(status), "signal": None}
    number = os.WTERMSIG(status)
    try:
        name = signal.Signals(number).name
    except ValueError:  # Real-time signals have numbers only.
        name = f"signal {number}"
    return {"code": None, "signal": name}


def signal_group(pid: int, number: int) -> None:
    """Signal a process and those that it started."""
    # Nobody may be left in the group; macOS says "not permitted" for zombies.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def death_signal() -> Callable[[], Any]:
    """A function by which a child asks the kernel for a SIGTERM when its parent dies (Linux only).

    SIGTERM and not SIGKILL, so that a copy can still roll back what its scenario began.
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
    """Bind a unix socket and listen."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {path}: {error.strerror or error}") from None
    listener.listen(_BACKLOG)
    return listener
