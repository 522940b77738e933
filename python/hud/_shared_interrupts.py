"""Stops the user code of one session among many, from a signal handler.

The rules of `_interrupt` apply: `Deadline` is raised inside user code only, code of this package gets a
moment to finish, and when the loop runs it does the stopping. What differs is that the interrupted code
may be another session's. Context variables tell whose it is: the handler runs in the context of the
code that it interrupts.

The base sends an order through the channel and then SIGUSR1, so an order is read even while a
synchronous tool blocks the loop. SIGUSR2 asks what runs.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from hud import _context
from hud._errors import Deadline
from hud._frames import may_interrupt
from hud._interrupt import (
    ASK_AGAIN,
    BUSY,
    CLOSE_GRACE,
    CLOSE_INSIST,
    CLOSE_LIMIT,
    IDLE,
    INSIST,
    ORPHAN_LIMIT,
    RACE,
    SIGNALS,
    give_up,
    raise_in,
    who_runs,
)

if TYPE_CHECKING:
    from hud._mcp import Server
    from hud._shared import SharedProcess

# A session is to be stopped, but another one's code runs: look again, so that the loop's reaction is
# not waited for when the first one's code gets to run before it.
_SOMEONE_ELSE = 0.25


class _Wish:
    """Code of a session that is to be stopped."""

    def __init__(self, due: float, limit: float | None = None) -> None:
        self.due = due
        self.limit = limit
        # Who swallows the exception gets it once more.
        self.left = 2


class SharedInterrupts:
    """Owns the signal handlers of a process that serves many connections."""

    def __init__(self, process: SharedProcess) -> None:
        self._process = process
        self._parent = os.getppid()
        self._wishes: dict[Any, _Wish] = {}
        self._closing: set[Server] = set()
        self._everything: _Wish | None = None
        self._interrupted: dict[Any, asyncio.Task[Any] | None] = {}
        self._owed = False
        self._armed: float | None = None
        self._end_began = 0.0
        self._limit: float | None = None

    def install(self) -> None:
        """Take over the signals; blocked ones that arrived earlier are handled now."""
        signal.signal(signal.SIGUSR1, self._on_order)
        signal.signal(signal.SIGUSR2, self._on_question)
        signal.signal(signal.SIGTERM, self._on_terminate)
        signal.signal(signal.SIGALRM, self._on_alarm)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    # -- signals ----------------------------------------------------------------------------------

    def _on_order(self, _: int, frame: FrameType | None) -> None:
        self._process.take_orders()
        self._process.wake()
        self._look(frame)

    def _on_question(self, _: int, __: FrameType | None) -> None:
        self._process.answer()

    def _on_terminate(self, _: int, frame: FrameType | None) -> None:
        if os.getppid() != self._parent:
            self.orphaned()
        else:
            self._process.order_end(CLOSE_LIMIT, hurry=False)
        self._look(frame)

    def _on_alarm(self, _: int, frame: FrameType | None) -> None:
        self._armed = None
        if self._limit is not None and time.monotonic() >= self._limit - 0.02:
            give_up()
        self._look(frame)

    def checkpoint(self) -> None:
        """Raise what could not be raised while the caller, code of this package, was at work for user code."""
        if self._owed and threading.current_thread() is threading.main_thread():
            self._consider(time.monotonic())

    def _look(self, frame: FrameType | None) -> None:
        now = time.monotonic()
        verdict = who_runs(frame)
        if verdict is BUSY:
            self._owed = True
            if self._due(now):
                self._arm(now, now + ASK_AGAIN)
                return
        elif verdict is not IDLE:
            self._consider(now)
        if any(wish.due <= now for wish in self._pending()):
            self._arm(now, now + (RACE if verdict is IDLE else _SOMEONE_ELSE))
        self._schedule(now)

    def _wish_here(self) -> tuple[Any, _Wish | None]:
        server = _context.current_peer()
        return server, self._wishes.get(server) or self._everything

    def _due(self, now: float) -> bool:
        wish = self._wish_here()[1]
        return wish is not None and wish.due <= now

    def _consider(self, now: float) -> None:
        """Raise, if it is this session's turn."""
        server, wish = self._wish_here()
        if wish is None or wish.due > now:
            return
        if wish.limit is not None and now >= wish.limit:
            # What a closed session left behind would block everybody for good.
            give_up()
        if wish.left:
            self._raise(server, wish, now)

    def _raise(self, server: Any, wish: _Wish, now: float) -> NoReturn:
        wish.left -= 1
        wish.due = now + INSIST
        self._owed = False
        self._interrupted[server] = asyncio.current_task(self._process.loop)
        self._schedule(now)
        over = self._everything is not None or server in self._closing
        raise Deadline("the session is over" if over else "the call's time is over")

    # -- what is to be stopped --------------------------------------------------------------------

    def stop(self, server: Server, operation: str) -> None:
        """The base has ordered to stop what a session has running."""
        now = time.monotonic()
        if server in self._closing:
            if operation == "kill":
                self._wishes[server].due = now
            return  # What runs is its clean-up.
        self._wishes[server] = _Wish(now + CLOSE_GRACE if operation == "close" else now)
        self._schedule(now)

    def react(self) -> dict[Any, asyncio.Task[Any] | None]:
        """The loop runs, and does the stopping itself; the tasks that already have an exception."""
        self._owed = False
        for server in [server for server in self._wishes if server not in self._closing]:
            del self._wishes[server]
        interrupted, self._interrupted = self._interrupted, {}
        return interrupted

    def closing(self, server: Server) -> None:
        """A session's end has begun; from now on only its time is limited."""
        now = time.monotonic()
        self._closing.add(server)
        self._wishes[server] = _Wish(now + CLOSE_INSIST, now + CLOSE_LIMIT)
        self._schedule(now)

    def forget(self, server: Server) -> None:
        """A session has ended."""
        self._closing.discard(server)
        self._wishes.pop(server, None)
        self._interrupted.pop(server, None)

    def end(self, seconds: float, hurry: bool) -> None:
        """The process shall end; whatever keeps it from that is stopped, in a hurry at once."""
        now = time.monotonic()
        limit = now + seconds
        if self._limit is None:
            self._end_began = now
            self._everything = _Wish(now if hurry else now + CLOSE_GRACE)
        self._limit = limit if self._limit is None else min(self._limit, limit)
        self._schedule(now)

    def ending(self) -> None:
        """The loop has begun with it."""
        now = time.monotonic()
        if self._limit is None:
            self._limit = now + CLOSE_LIMIT
        left = self._limit - now
        self._everything = _Wish(now + min(CLOSE_INSIST, left * 0.6))
        self._schedule(now)

    def orphaned(self) -> None:
        """Nobody is left who would kill a process that does not end."""
        self._process.order_end(ORPHAN_LIMIT, hurry=True)

    def stop_threads(self, server: Server) -> None:
        """Raise in the functions that a session's tools have running in `asyncio.to_thread`."""
        executor = getattr(self._process.loop, "_default_executor", None)
        if executor is None:
            return
        from concurrent.futures.thread import _WorkItem

        frames = sys._current_frames()
        for thread in getattr(executor, "_threads", ()):
            frame = frames.get(thread.ident)
            in_user_code = False
            while frame is not None and frame.f_code is not _WorkItem.run.__code__:
                in_user_code = in_user_code or may_interrupt(frame.f_code.co_filename)
                frame = frame.f_back
            # An idle thread would take the exception for its own end.
            if frame is not None and in_user_code and _peer_of(frame.f_locals.get("self")) is server:
                raise_in(thread.ident)

    # -- the timer --------------------------------------------------------------------------------

    def _pending(self) -> list[_Wish]:
        pending = [*self._wishes.values(), *([self._everything] if self._everything is not None else [])]
        return [wish for wish in pending if wish.left or wish.limit is not None]

    def _schedule(self, now: float) -> None:
        times = [wish.due for wish in self._pending() if wish.due > now]
        if self._limit is not None:
            times.append(self._limit)
        if times:
            self._arm(now, min(times))

    def _arm(self, now: float, at: float) -> None:
        # An earlier alarm looks at everything again, so it does for a later one too.
        if self._armed is None or at < self._armed:
            self._armed = at
            signal.setitimer(signal.ITIMER_REAL, max(0.001, at - now))


def _peer_of(item: Any) -> Any:
    """The client for which a pool runs something: `asyncio.to_thread` takes the variables along."""
    run = getattr(getattr(item, "fn", None), "func", None)
    variables = getattr(run, "__self__", None)
    return _context.peer_in(variables) if isinstance(variables, contextvars.Context) else None
