"""`--isolation shared`: one process that serves every connection.

Each connection is a session with its own scenario; the tools and what the modules keep are common, as
people expect while they develop. The base (`_supervise`) accepts, and passes connections and
orders over a channel; here is the process's side of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import socket
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from hud import _context, _copy, _sampling
from hud._base import refuse
from hud._context import Call
from hud._frames import ErrorReport
from hud._mcp import Server
from hud._passing import Channel
from hud._pulse import Pulse, Selector
from hud._shared_interrupts import SharedInterrupts
from hud._wire import Wire
from hud.environment import Environment

# What a client may leave unread, results of several large calls at once, before it is given up.
_UNREAD = 64 * 1024 * 1024
# Progress and log messages are news; beyond this much unread nobody misses the newest.
_UNREAD_NEWS = 4 * 1024 * 1024
_NEWS = ("notifications/message", "notifications/progress")
# Answers that are still on their way when a connection is closed from our side.
_DRAIN_SECONDS = 1.0

_label: contextvars.ContextVar[bytes] = contextvars.ContextVar("hud_label", default=b"")


class SharedServer(Server):
    """The MCP server of one of many connections."""

    def __init__(self, process: SharedProcess, number: int, trace_id: str | None) -> None:
        super().__init__(process.environment, process.description, trace_id)
        self.number = number
        self._process = process
        self._prefix = f"{number}\0{trace_id}\0".encode("utf-8", "replace")
        self._dropped = False

    async def _serve(
        self, call: Call, handler: Callable[[dict[str, Any], Call], Awaitable[dict[str, Any]]], params: dict[str, Any]
    ) -> None:
        what = str(params.get("name") or params.get("uri") or "initialize")
        label = self._prefix + what.encode("utf-8", "replace")
        _label.set(label)
        self._process.started(label)
        try:
            await super()._serve(call, handler, params)
        finally:
            self._process.stopped(label)

    async def _ready(self) -> None:
        self._process.used = True
        if self._process.initialized:
            return
        if self._initialized is None or self._initialized.done():
            # Only the waiting is this session's: who leaves does not take it away from the others.
            self._initialized = asyncio.get_running_loop().create_task(self._process.initialize())
        await super()._ready()

    def notify(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification; news only while the client reads them."""
        if method in _NEWS and self._wire is not None and self._wire.waiting > _UNREAD_NEWS:
            if not self._dropped:
                self._dropped = True
                print(f"hud: {self.trace_id} does not read its notifications; some are dropped", file=sys.stderr)
            return
        super().notify(method, params)

    async def close(self) -> None:
        """End what the session has running; the environment lives on."""
        await super().close()
        left = [task for task in self._requests.values() if not task.done()]
        for task in left:
            task.cancel()

    async def shut_down(self) -> None:
        """The hooks run once, at the end of the process."""


class Connection:
    """One client."""

    def __init__(self, process: SharedProcess, number: int, trace_id: str | None, connection: socket.socket) -> None:
        self.number = number
        self.ending: asyncio.Task[None] | None = None
        self._process = process
        # Everything that runs for this client inherits these variables, and so finds its peer.
        self._context = contextvars.copy_context()
        self._context.run(self._open, trace_id, connection)

    def _open(self, trace_id: str | None, connection: socket.socket) -> None:
        self.server = SharedServer(self._process, self.number, trace_id)
        self.server.checkpoint = self._process.interrupts.checkpoint  # type: ignore[method-assign]
        _context.set_peer_here(self.server)
        _sampling.current_sampler.set(self.server.sample)
        self._wire = Wire(connection, self._process.loop, self.server.receive, self.end, _UNREAD)
        self.server.attach(self._wire)
        self._wire.send({"hud": 1, "pid": os.getpid()})

    def end(self) -> None:
        """Begin the end; further calls change nothing."""
        if self.ending is None:
            if self._wire.overflowed:
                text = f"{_UNREAD >> 20} MiB wait for {self.server.trace_id}, which does not read; it is disconnected"
                print(f"hud: {text}", file=sys.stderr)
            self.ending = self._context.copy().run(self._process.loop.create_task, self._end())

    async def _end(self) -> None:
        self._process.interrupts.closing(self.server)
        try:
            if self._wire.open:
                self._wire.stop_reading()
            await self.server.close()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wire.drain(), _DRAIN_SECONDS)
        except BaseException as error:
            print(ErrorReport(error).trace, file=sys.stderr, end="")
        finally:
            self._wire.close()
            self._process.closed(self)


class SharedProcess:
    """All connections, and what they have in common."""

    def __init__(
        self, channel: socket.socket, pulse: Pulse, environment: Environment, description: dict[str, Any]
    ) -> None:
        self.environment = environment
        self.description = description
        self.used = False
        self.initialized = not environment.has_initialize
        self.finished = False
        self._hooks = environment.initialize_hooks
        self._initializing: asyncio.Task[None] | None = None
        self._waiting = 0
        self._pulse = pulse
        self._channel = Channel(channel)
        self._label = b""
        self._taking = False
        self._orders: deque[tuple[dict[str, Any], int | None]] = deque()
        self._connections: dict[int, Connection] = {}
        self._ending: asyncio.Task[None] | None = None
        self.loop = asyncio.SelectorEventLoop(
            Selector(pulse, lambda: self._tell({"awake": 1}), lambda: self._tell({"free": 1}))
        )
        self._context = contextvars.copy_context()
        self.interrupts = SharedInterrupts(self)
        self.loop.add_reader(self._channel.fileno(), self._arrived)

    def run(self) -> None:
        """Serve until told to end."""
        self.interrupts.install()
        while not self.finished:
            try:
                self.loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as error:
                # Raised by a task that user code started on its own; asyncio lets these two through.
                print(f"hud: a background task raised {error!r}; it ends, the process goes on", file=sys.stderr)

    # -- orders of the base -----------------------------------------------------------------------

    def take_orders(self) -> None:
        """Read what the base has sent; the signal handler does so too, while a tool keeps the loop from it."""
        if self._taking:
            return
        self._taking = True
        try:
            for order, descriptor in self._channel.receive():
                self._orders.append((order, descriptor))
                connection = self._connections.get(order.get("id", 0))
                if order["op"] == "end":
                    self.interrupts.end(order["seconds"], order["hurry"])
                elif connection is not None:
                    if order["op"] == "deadline":
                        connection.server.deadline_passed = True
                    self.interrupts.stop(connection.server, order["op"])
        finally:
            self._taking = False

    def order_end(self, seconds: float, hurry: bool) -> None:
        """What the base orders too; it is gone, or somebody sent a SIGTERM."""
        self._orders.append(({"op": "end"}, None))
        self.interrupts.end(seconds, hurry)
        self.wake()

    def wake(self) -> None:
        """Have the loop obey what was taken; safe in a signal handler."""
        self.loop.call_soon_threadsafe(self.obey, context=self._context)

    def _arrived(self) -> None:
        self.take_orders()
        self.obey()
        if not self._channel.open:
            self.loop.remove_reader(self._channel.fileno())
            self.interrupts.orphaned()

    def obey(self) -> None:
        """Do what was ordered. That this runs shows that no tool blocks the loop."""
        interrupted = self.interrupts.react()
        while self._orders:
            order, descriptor = self._orders.popleft()
            operation, number = order["op"], order.get("id", 0)
            connection = self._connections.get(number)
            if operation == "open":
                self._open(number, order, descriptor)
            elif operation == "end":
                self.end()
            elif connection is None:
                pass  # It has ended meanwhile.
            elif operation in ("deadline", "interrupt"):
                connection.server.stop_tools(interrupted.get(connection.server))
                self.interrupts.stop_threads(connection.server)
            elif operation in ("close", "kill"):
                connection.end()

    def _open(self, number: int, order: dict[str, Any], descriptor: int | None) -> None:
        if descriptor is None or self._ending is not None:
            if descriptor is not None:
                os.close(descriptor)
            self._tell({"closed": number, "refused": 1})
            return
        connection = socket.socket(fileno=descriptor)
        try:
            _copy.set_variables(order.get("env"))
        except (OSError, ValueError, TypeError, AttributeError) as error:
            refuse(connection, type(error).__name__, str(error))
            self._tell({"closed": number, "refused": 1})
            return
        self._connections[number] = Connection(self, number, order.get("trace_id"), connection)

    def closed(self, connection: Connection) -> None:
        """A connection has ended."""
        self._connections.pop(connection.number, None)
        self.interrupts.forget(connection.server)
        self._tell({"closed": connection.number})

    def _tell(self, message: dict[str, Any]) -> None:
        self._channel.send(message)
        if self._channel.waiting and self._channel.open:
            self.loop.add_writer(self._channel.fileno(), self._flush)

    def _flush(self) -> None:
        self._channel.flush()
        if not self._channel.waiting or not self._channel.open:
            self.loop.remove_writer(self._channel.fileno())

    # -- what runs --------------------------------------------------------------------------------

    def started(self, label: bytes) -> None:
        """A request that reaches user code begins."""
        self._label = label
        self._pulse.label(label)

    def stopped(self, label: bytes) -> None:
        """It has ended; what else runs can only be asked for."""
        if self._label is label:
            self._pulse.label(b"")

    def answer(self) -> None:
        """Tell the base what runs now; called by a signal handler, in the context of what it interrupted."""
        self._tell({"running": _label.get().decode("utf-8", "replace")})

    # -- the environment's hooks ------------------------------------------------------------------

    async def initialize(self) -> None:
        """Run the @env.initialize hooks, once for all; whoever comes later waits for the same run.

        After a failure the next request goes on at the hook that failed: what it needs may be there now.
        """
        if self._initializing is None or self._initializing.done():
            self._initializing = asyncio.get_running_loop().create_task(self._run_hooks())
        self._waiting += 1
        try:
            await asyncio.shield(self._initializing)
        except asyncio.CancelledError:
            if self._waiting == 1:
                self._initializing.cancel()  # Nobody is left who waits for it.
            raise
        finally:
            self._waiting -= 1

    async def _run_hooks(self) -> None:
        while self._hooks:
            await self._hooks[0]()
            del self._hooks[0]
        self.initialized = True

    # -- the end ----------------------------------------------------------------------------------

    def end(self) -> None:
        """Begin the end of the process; further calls change nothing."""
        if self._ending is None:
            self._tell({"ending": 1})
            self._ending = self._context.copy().run(self.loop.create_task, self._end())

    async def _end(self) -> None:
        self.interrupts.ending()
        try:
            connections = list(self._connections.values())
            for connection in connections:
                connection.end()
            endings = [connection.ending for connection in connections if connection.ending is not None]
            if endings:
                await asyncio.wait(endings)
            if self.used:
                await self.environment.run_shutdown()
        finally:
            self.finished = True
            self.loop.stop()


def prepare(tmpdir: str) -> None:
    """Give the process a temporary folder of its own. `random` goes on where importing left it."""
    _copy.set_temporary(tmpdir)


def serve(
    channel: socket.socket, pulse: Pulse, environment: Environment, description: dict[str, Any], tmpdir: str
) -> NoReturn:
    """Serve every connection that the base passes, and leave the process."""
    code = 1
    try:
        SharedProcess(channel, pulse, environment, description).run()
        code = 0
    finally:
        _copy.leave(code, tmpdir)


def fail(channel: socket.socket, report: dict[str, Any], tmpdir: str) -> NoReturn:
    """Tell the clients that wait why there will be no process, and leave."""
    try:
        for _, descriptor in Channel(channel).receive():
            if descriptor is not None:
                refuse(socket.socket(fileno=descriptor), **report)
    finally:
        _copy.leave(3, tmpdir)


__all__ = ["SharedProcess", "fail", "prepare", "serve"]
