"""A page of memory through which the base sees whether a process is stuck in one step of its loop.

The process that serves connections writes, the base reads. Nobody sends anything while all is well: the
process marks when its loop begins to work and when it rests again, and wakes the base only for the
first work after a while in which nobody looked.
"""

from __future__ import annotations

import mmap
import os
import selectors
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

_SIZE = 4096
_TIME = struct.Struct("=d")
# Where things are: the time, two flags, and what runs, as `number\0trace\0what`.
_WATCHED, _TELL, _LABEL = 8, 9, 16


class Pulse:
    """The page."""

    def __init__(self, fd: int = -1) -> None:
        """Over a descriptor, or over memory that only forks share."""
        self.fd = fd
        self._memory = mmap.mmap(fd, _SIZE)

    @classmethod
    def to_pass(cls) -> Pulse:
        """A page for a process that is not a fork: the descriptor is passed to it, and then closed here."""
        if sys.platform == "linux":
            fd = os.memfd_create("hud-pulse")
        else:
            fd, path = tempfile.mkstemp(prefix="hud-pulse-")
            os.unlink(path)
        os.truncate(fd, _SIZE)
        return cls(fd)

    def close_descriptor(self) -> None:
        """Keep the memory only."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    # -- the process's side -----------------------------------------------------------------------

    def begin(self) -> bool:
        """The loop begins to work; True when the base wants to know."""
        _TIME.pack_into(self._memory, 0, time.monotonic())
        if self._memory[_WATCHED]:
            return False
        self._memory[_WATCHED] = 1
        return True

    def rest(self) -> bool:
        """The loop has nothing to do; True when the base waits for that."""
        _TIME.pack_into(self._memory, 0, 0.0)
        if not self._memory[_TELL]:
            return False
        self._memory[_TELL] = 0
        return True

    def label(self, label: bytes) -> None:
        """What was started last, in case that the process cannot be asked."""
        label = label[: _SIZE - _LABEL - 1] + b"\n"
        self._memory[_LABEL : _LABEL + len(label)] = label

    # -- the base's side --------------------------------------------------------------------------

    def since(self) -> float:
        """Since when the loop has been in one step, on the monotonic clock; 0 while it rests."""
        since: float = _TIME.unpack_from(self._memory, 0)[0]
        return since

    def watch(self, wanted: bool) -> None:
        """Whether the base looks by itself for now, and need not be woken."""
        self._memory[_WATCHED] = int(wanted)

    def tell(self, wanted: bool) -> None:
        """Whether the process shall say when its loop rests."""
        self._memory[_TELL] = int(wanted)

    def started_last(self) -> bytes:
        """The label."""
        end = self._memory.find(b"\n", _LABEL)
        return self._memory[_LABEL:end] if end >= 0 else b""


class Selector(selectors.DefaultSelector):
    """The loop's selector, which marks work and rest."""

    def __init__(self, pulse: Pulse, awake: Callable[[], None], free: Callable[[], None]) -> None:
        super().__init__()
        self._pulse = pulse
        self._awake = awake
        self._free = free

    def select(self, timeout: float | None = None) -> list[Any]:
        if self._pulse.rest():
            self._free()
        events: list[Any] = super().select(timeout)
        if self._pulse.begin():
            self._awake()
        return events
