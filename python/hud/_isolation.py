"""May this process fork? Decided once, after the environment has been imported.

A fork copies only the thread that forks. Locks that other threads hold stay locked in the child for
ever, so threads mean a fresh process for each copy instead. Exceptions are thread pools that are made
for being forked: they are listed with the reason, because numpy starts one at import.
"""

from __future__ import annotations

import os
import sys
import threading

# Library file names (as they appear in /proc/self/maps) whose idle threads are harmless to a fork.
FORK_SAFE_POOLS = {
    "libopenblas": "registers pthread_atfork handlers that end its pool before a fork and restart it in the child",
    "libscipy_openblas": "numpy's and scipy's own build of OpenBLAS, with the same handlers",
    "libmkl": "MKL's threads come from the OpenMP runtime, which starts a new pool in the child",
    "libgomp": "an idle GNU OpenMP pool holds no lock; OpenBLAS built on it starts over in the child",
    "libomp": "LLVM's OpenMP registers pthread_atfork handlers that reset its pool",
    "libiomp": "Intel's OpenMP, the same runtime as LLVM's",
}


class IsolationError(Exception):
    """`--isolation fork` was demanded and is not possible."""


def choose(wanted: str) -> tuple[str, str | None]:
    """The isolation to use (`fork`, `spawn` or `shared`) and why copies, or the shared process, are no forks."""
    if wanted == "spawn":
        return "spawn", "asked for"
    found = obstacle("importing the environment")
    if wanted == "shared":
        return "shared", found
    if found is None:
        return "fork", None
    if wanted == "fork":
        raise IsolationError(f"cannot fork: {found}")
    return "spawn", found


def obstacle(what: str) -> str | None:
    """Why this process cannot be forked; `what` may have caused it."""
    if sys.platform != "linux" and not hasattr(os, "fork"):
        return "this system has no fork"
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others:
        names = ", ".join(thread.name for thread in others)
        return f"{what} started a Python thread ({names})".lstrip()
    if sys.platform == "darwin":
        # Apple's frameworks start threads behind everyone's back and abort in a forked child.
        return "macOS does not support a fork without exec"
    return _native_threads(what)


def _native_threads(what: str) -> str | None:
    try:
        threads = os.listdir("/proc/self/task")
        if len(threads) <= 1:
            return None
        own_name = _comm(str(os.getpid()))
        names = [_comm(thread) for thread in threads if thread != str(os.getpid())]
        pools = _mapped_pools()
    except OSError:
        return None
    # The pools do not name their threads, so these carry the name of the process. A thread with a
    # name of its own (grpc, tokio, jemalloc) belongs to another library even when a pool is loaded.
    foreign = [name for name in names if name != own_name]
    if foreign:
        return f"{what} started native threads ({', '.join(sorted(set(foreign)))})".lstrip()
    if not pools:
        return f"{what} started {len(names)} native threads of an unknown library".lstrip()
    return None


def _comm(thread: str) -> str:
    with open(f"/proc/self/task/{thread}/comm") as file:
        return file.read().strip()


def _mapped_pools() -> list[str]:
    found: set[str] = set()
    with open("/proc/self/maps") as file:
        for row in file:
            name = row.rpartition("/")[2]
            found.update(pool for pool in FORK_SAFE_POOLS if name.startswith(pool))
    return sorted(found)
