"""Grading with a command: its exit status decides, its output is kept.

The command runs in bash on the machine (or in the container) of the environment, with the rights of
the environment. It is not a sandbox. Of each output stream the first and the last half mebibyte are
kept. Whatever the command started is gone when grading ends, however it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from typing import Any, ClassVar

from hud.graders.combine import Grader

_KEEP = 512 * 1024

# How long to wait for the rest of the output once bash itself has ended. Only a process that the
# command left in the background still holds the pipe by then, and it may hold it for ever.
_DRAIN = 0.5

# The command gets a process group of its own, so that all of it can be killed. That also takes it out
# of the group of the environment's process, whose end would otherwise have ended it. Therefore a
# guard in the group waits on a pipe that only our process holds open, and ends the group when it closes.
_GUARDED = """
guard=$1
(read -r _ <&"$guard"; kill -KILL 0) </dev/null >/dev/null 2>&1 &
eval "exec $guard<&-"
exec "$0" -lc "$2"
"""


class _Tail(asyncio.Protocol):
    """One output stream: takes everything, keeps the beginning and the end."""

    def __init__(self) -> None:
        self.head = bytearray()
        self.tail = bytearray()
        self.dropped = 0
        self.closed = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        room = _KEEP - len(self.head)
        self.head += data[:room]
        self.tail += data[room:] if room < len(data) else b""
        if len(self.tail) > 2 * _KEEP:
            self._trim()

    def _trim(self) -> None:
        excess = len(self.tail) - _KEEP
        if excess > 0:
            del self.tail[:excess]
            self.dropped += excess

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    def text(self) -> str:
        self._trim()
        middle = f"\n[… {self.dropped} bytes left out …]\n".encode() if self.dropped else b""
        return (bytes(self.head) + middle + bytes(self.tail)).decode(errors="replace")


class BashGrader(Grader):
    """1.0 when a command exits with status 0.

        yield await combine(BashGrader.grade(weight=1.0, command="pytest -q", cwd="/work"))

    `info` holds `exit_code`, `stdout` and `stderr`. A command that takes longer than
    `timeout_seconds` (default 600) is killed with all its children and scores 0, with
    `timed_out: True` and the output so far. A `cwd` that does not exist scores 0 as well: the agent
    may have been the one to remove it. A machine without bash is an error.
    """

    name: ClassVar[str] = "BashGrader"
    default_timeout: ClassVar[float] = 600

    @classmethod
    async def compute_score(
        cls,
        command: str,
        cwd: str | os.PathLike[str] | None = None,
        timeout_seconds: float | None = None,
        **_kwargs: Any,
    ) -> tuple[float, dict[str, Any]]:
        """Run the command with `bash -lc` and score its exit status."""
        bash = "/bin/bash" if os.access("/bin/bash", os.X_OK) else shutil.which("bash")
        if bash is None:
            raise RuntimeError("BashGrader needs bash, which is neither at /bin/bash nor on the PATH")
        if cwd is not None and not os.path.isdir(cwd):
            return 0.0, {"exit_code": None, "stdout": "", "stderr": f"there is no folder {os.fspath(cwd)}"}
        timeout = cls.default_timeout if timeout_seconds is None else timeout_seconds
        code, out, err, timed_out = await _run(bash, command, cwd, timeout)
        info: dict[str, Any] = {"exit_code": code, "stdout": out.text(), "stderr": err.text()}
        if timed_out:
            info.update(timed_out=True, timeout=timeout)
        return (1.0 if code == 0 else 0.0), info


async def _run(
    bash: str, command: str, cwd: str | os.PathLike[str] | None, timeout: float
) -> tuple[int | None, _Tail, _Tail, bool]:
    out, err = _Tail(), _Tail()
    guard_read, guard_write = os.pipe()
    loop = asyncio.get_running_loop()
    exited = loop.create_future()

    class Process(asyncio.SubprocessProtocol):
        def pipe_data_received(self, fd: int, data: bytes) -> None:
            (out if fd == 1 else err).data_received(data)

        def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
            if fd in (1, 2):
                (out if fd == 1 else err).connection_lost(exc)

        def process_exited(self) -> None:
            if not exited.done():
                exited.set_result(None)

    try:
        transport, _ = await loop.subprocess_exec(
            Process,
            *(bash, "-c", _GUARDED, bash, str(guard_read), command),
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(guard_read,),
            start_new_session=True,
        )
    except BaseException:
        os.close(guard_write)
        raise
    finally:
        os.close(guard_read)
    try:
        finished, _ = await asyncio.wait([exited], timeout=timeout)
        if finished:
            await asyncio.wait([out.closed, err.closed], timeout=_DRAIN)
        code = transport.get_returncode() if finished else None
    finally:
        # Also reached when grading is cancelled. The group still exists, because the guard is in it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(transport.get_pid(), signal.SIGKILL)
        os.close(guard_write)
        await asyncio.wait([exited], timeout=5)
        # A process that left the group (setsid, a daemon) could hold the pipes open; we do not wait for it.
        await asyncio.wait([out.closed, err.closed], timeout=_DRAIN)
        transport.close()
    return code, out, err, not finished
