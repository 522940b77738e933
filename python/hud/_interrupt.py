"""Stops user code from a signal handler.

The signals are SIGUSR1 at the deadline, SIGUSR2 when one call is overdue, and SIGTERM at the end.
A synchronous tool blocks the event loop, so only a signal handler can reach it: it raises `Deadline`
in the interrupted frame. That is safe only inside user code. The handler walks the stack from the
innermost frame outwards; code of this package or of asyncio that user code has called gets a moment
to finish (SIGALRM asks again), and when no user code runs at all the event loop does the stopping.

Code that hangs inside one C call without ever returning to the interpreter cannot be stopped this
way; whoever asked kills the process then.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from asyncio import events
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from hud._errors import Deadline
from hud._frames import is_machinery, may_interrupt

_LOOP_STEP = events.Handle._run.__code__
_ASYNCIO = os.path.dirname(os.path.abspath(asyncio.__file__)) + os.sep

# Machinery between user code and the interrupt returns within microseconds; a few milliseconds are
# certain to be enough and still go unnoticed.
ASK_AGAIN = 0.005
# The signal may arrive after a tool's last check but before its first line. The loop disarms this
# when it gets to run, so it fires only when it is blocked.
RACE = 0.05
# User code that swallowed the exception gets it once more before whoever waits gives up (2 s).
INSIST = 1.0
CLOSE_GRACE = 1.0
CLOSE_INSIST = 4.0
CLOSE_LIMIT = 5.0
# When the base is gone too, nobody is left who would kill a copy that does not end.
ORPHAN_LIMIT = 1.5

IDLE, USER, BUSY = range(3)


class Interrupts:
    """Owns the signal handlers of a copy."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        deadline: Callable[[asyncio.Task[Any] | None], None],
        close: Callable[[], None],
        passed: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._deadline = deadline
        self._close = close
        self._passed = passed
        self._interrupted: asyncio.Task[Any] | None = None
        self._owed = False
        self._insisted = False
        self._parent = os.getppid()
        self._closing_since: float | None = None
        self._limit = 0.0
        self._closing_reacted = False

    def install(self) -> None:
        """Take over the signals; blocked ones that arrived earlier are handled now."""
        signal.signal(signal.SIGUSR1, self._on_deadline)
        signal.signal(signal.SIGUSR2, self._on_overdue)
        signal.signal(signal.SIGTERM, self._on_terminate)
        signal.signal(signal.SIGALRM, self._on_alarm)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _on_deadline(self, _: int, frame: FrameType | None) -> None:
        self._passed()
        self._stop_now(frame)

    def _on_overdue(self, _: int, frame: FrameType | None) -> None:
        self._stop_now(frame)

    def _stop_now(self, frame: FrameType | None) -> None:
        if self._closing_reacted:
            # What user code is running now is its clean-up; the base of a dead program asks every copy to stop,
            # also those that saw by themselves that it is gone.
            return
        self._insisted = False
        self._loop.call_soon_threadsafe(self._deadline_in_loop)
        self._stop_user_code(frame)

    def checkpoint(self) -> None:
        """Raise what could not be raised while the caller, code of this package, was at work for user code.

        A tool that reports in a tight loop is nearly always inside of our code when it gets asked.
        """
        if self._owed and threading.current_thread() is threading.main_thread():
            self._raise()

    def _deadline_in_loop(self) -> None:
        interrupted, self._interrupted = self._interrupted, None
        self._owed = False
        if self._closing_since is None:
            signal.setitimer(signal.ITIMER_REAL, 0)
        self._stop_threads()
        self._deadline(interrupted)

    def _stop_threads(self) -> None:
        """Raise in the functions that tools have running in `asyncio.to_thread`.

        Cancelling such a tool only stops the waiting. Threads that user code started by itself are left
        alone: they may be services that grading needs.
        """
        executor = getattr(self._loop, "_default_executor", None)
        frames = sys._current_frames()
        for thread in getattr(executor, "_threads", ()):
            frame = frames.get(thread.ident)
            while frame is not None and not may_interrupt(frame.f_code.co_filename):
                frame = frame.f_back
            if frame is not None:  # An idle thread would take the exception for its own end.
                raise_in(thread.ident)

    def _on_terminate(self, _: int, __: FrameType | None) -> None:
        if self._closing_since is None:
            self._begin_closing()
            signal.setitimer(signal.ITIMER_REAL, CLOSE_GRACE)
            self._loop.call_soon_threadsafe(self._close)
        if os.getppid() != self._parent:
            self._limit = min(self._limit, time.monotonic() + ORPHAN_LIMIT)
            self._arm(CLOSE_GRACE)

    def _begin_closing(self) -> float:
        self._closing_since = began = time.monotonic()
        self._limit = began + CLOSE_LIMIT
        return began

    def closing(self) -> None:
        """The end has begun, in the loop: from now on only the total time is limited."""
        began = self._closing_since or self._begin_closing()
        self._closing_reacted = True
        self._insisted = self._owed = False
        self._arm(began + CLOSE_INSIST - time.monotonic())

    def _on_alarm(self, _: int, frame: FrameType | None) -> None:
        if self._closing_since is not None:
            left = self._limit - time.monotonic()
            if left <= 0.02:
                give_up()
            if self._closing_reacted and self._insisted:
                signal.setitimer(signal.ITIMER_REAL, left)
                return
        self._stop_user_code(frame)

    def _stop_user_code(self, frame: FrameType | None) -> None:
        verdict = who_runs(frame)
        if verdict is BUSY:
            self._owed = True
            signal.setitimer(signal.ITIMER_REAL, ASK_AGAIN)
            return
        if verdict is IDLE:
            self._arm(RACE if self._closing_since is None else CLOSE_GRACE)
            return
        self._raise()

    def _raise(self) -> NoReturn:
        self._owed = False
        self._interrupted = asyncio.current_task(self._loop)
        again = not self._insisted
        self._insisted = True
        if self._closing_since is not None:
            self._arm(CLOSE_LIMIT)
        elif again:
            self._arm(INSIST)
        raise Deadline("the rollout's time is over" if self._closing_since is None else "the rollout is over")

    def _arm(self, seconds: float) -> None:
        if self._closing_since is not None:
            seconds = max(0.01, min(seconds, self._limit - time.monotonic()))
        signal.setitimer(signal.ITIMER_REAL, seconds)


SIGNALS = {signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGALRM}


def who_runs(frame: FrameType | None) -> int:
    """Is user code on the stack, and is it what was interrupted?"""
    called_by_user = False
    while frame is not None:
        code = frame.f_code
        if code is _LOOP_STEP:
            return IDLE
        filename = code.co_filename
        if may_interrupt(filename):
            return BUSY if called_by_user else USER
        if is_machinery(filename) or filename.startswith(_ASYNCIO):
            called_by_user = True
        frame = frame.f_back
    return IDLE


def raise_in(thread: int) -> None:
    """Raise Deadline in another thread as soon as it executes Python code again."""
    try:
        import ctypes

        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Deadline))
    except (ImportError, AttributeError):
        pass  # An interpreter without ctypes or without the C API; the thread runs on.


def give_up() -> None:
    """Leave at once: cleanup has had its time."""
    try:
        print("hud: cleanup did not finish in time; leaving without it", file=sys.stderr, flush=True)
    finally:
        os._exit(1)
