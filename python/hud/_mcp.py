"""The MCP server inside a copy: one client, one environment, one scenario at a time.

Requests that need no user code are answered at once; the others run as asyncio tasks, so a slow async
tool holds up nobody. Synchronous tools run on the loop's own thread: objects that an environment made
at import, such as a SQLite connection, often refuse any other thread.

The connection always speaks the era of sessions (up to 2025-11-25). What a server in front of it needs to
serve the stateless era, and many clients with one copy, travels in `_meta`:

- a request may carry `io.modelcontextprotocol/clientCapabilities`, `…/clientInfo`, `…/protocolVersion` and
  `…/logLevel`: they count for this request instead of what `initialize` and `logging/setLevel` said.
  With capabilities there and no log level, the request logs nothing. `hud/session` names its session.
- what we ask on behalf of a request (`sampling/createMessage`, `elicitation/create`, `roots/list`) and log
  messages carry `hud/request`, the id of that request; questions that the author has named carry `hud/key`.
  Questions that code awaits together are sent together, before any answer is needed.
- a question answered with error -32021 (or one that needs a capability missing in the request's own
  list) ends the request with that error and its `requiredCapabilities`, unless the code handles it.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable
from fnmatch import fnmatchcase
from typing import Any

from hud import _completion, _context, _describe, _grade, _prompt, _results, _sampling
from hud._announce import Announcer
from hud._context import LEVELS, MISSING_CAPABILITY, Call, Context, MissingCapability
from hud._errors import STOPPED_SCENARIO, STOPPED_TOOL, Deadline, RequestError, ScenarioError
from hud._frames import ErrorReport
from hud._jsonable import dumps, line
from hud._session import PhaseError, Session
from hud._tool import ArgumentError
from hud._wire import Wire
from hud.environment import Environment
from hud.types import ToolError

PROTOCOLS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
# Larger results would go into a model's context or into a trace, and neither can hold them.
MAX_RESULT = 8 * 1024 * 1024

INVALID_PARAMS = -32602
METHOD_NOT_FOUND = -32601
RESOURCE_NOT_FOUND = -32002
SERVER_ERROR = -32000

Params = dict[str, Any]
SUBMIT = "_hud_submit"
# What a client may be asked, and therefore what is asked on behalf of a request.
_QUESTIONS = ("sampling/createMessage", "elicitation/create", "roots/list")


def _mib(size: int) -> str:
    return f"{size / 1048576:.1f} MiB"


def _too_large(result: dict[str, Any], size: str) -> str:
    message = f"The tool's encoded result is {size}."
    if "structuredContent" in result:
        content, structured = (_mib(len(line(result[name]))) for name in ("content", "structuredContent"))
        message += f" Text and structured content both count: {content} and {structured}."
    return message


def _missing(error: MissingCapability) -> RequestError:
    return RequestError(MISSING_CAPABILITY, str(error), {"requiredCapabilities": error.capabilities})


def _not_found(uri: str) -> RequestError:
    return RequestError(RESOURCE_NOT_FOUND, f"Resource not found: {uri}", {"uri": uri})


class Server:
    """Serves an environment over a wire, and is the `Peer` of its tools' contexts."""

    def __init__(self, environment: Environment, description: dict[str, Any], trace_id: str | None) -> None:
        self.environment = environment
        self.trace_id = trace_id
        self.deadline_passed = False
        self._thread = threading.get_ident()
        self.session: Session | None = None
        self._description = description
        self._wire: Wire | None = None
        self._requests: dict[Any, asyncio.Task[None]] = {}
        self._tools_running: set[asyncio.Task[Any]] = set()
        self._tools_stopped: set[asyncio.Task[Any]] = set()
        self._cancelled: set[Any] = set()
        self._replies: dict[Any, asyncio.Future[dict[str, Any]]] = {}
        self._next_id = 0
        self._used = False
        self._closing = False
        self._session_id = trace_id or ""
        self.client: dict[str, Any] = {}
        self.log_level = LEVELS[0]
        self._initialized: asyncio.Task[None] | None = None
        self._scenario_lock = asyncio.Lock()
        self._inline: dict[str, Callable[[Params], Any]] = {
            "ping": lambda _: {},
            "tools/list": self._tools_list,
            "prompts/list": lambda _: {"prompts": _describe.listed_prompts(environment)},
            "resources/list": lambda _: {"resources": _describe.listed_resources(environment)},
            "resources/templates/list": lambda _: {"resourceTemplates": _describe.listed_templates(environment)},
            "logging/setLevel": self._set_level,
            "resources/subscribe": self._subscribe,
            "resources/unsubscribe": self._unsubscribe,
            "hud/describe": lambda _: self._description,
        }
        self._running: dict[str, Callable[[Params, Call], Awaitable[dict[str, Any]]]] = {
            "initialize": self._initialize,
            "tools/call": self._tools_call,
            "prompts/get": self._prompts_get,
            "resources/read": self._resources_read,
            "completion/complete": self._complete,
        }
        self._announcer = Announcer(environment, self.notify)

    def attach(self, wire: Wire) -> None:
        """Start to answer on this wire."""
        self._wire = wire

    # -- messages -------------------------------------------------------------------------------

    def receive(self, message: Any) -> None:
        """Handle one message, or the several of a batch."""
        if isinstance(message, list):
            for item in message:
                self.receive(item)
        elif not isinstance(message, dict):
            self._send_error(None, RequestError(-32600, "a message must be an object"))
        elif "method" not in message:
            self._reply_arrived(message)
        elif not isinstance(message.get("params") or {}, dict):
            self._send_error(message.get("id"), RequestError(INVALID_PARAMS, "params must be an object"))
        elif "id" not in message:
            self._notified(message["method"], message.get("params") or {})
        else:
            self._requested(message["id"], message["method"], message.get("params") or {})

    def _requested(self, request: Any, method: str, params: Params) -> None:
        at_once = self._inline.get(method)
        if method == "tools/call" and params.get("name") == SUBMIT:
            at_once = self._submit
        elif method == "initialize" and not self.environment.has_initialize:
            at_once = self._greet
        if at_once is not None:
            try:
                self._send_result(request, at_once(params))
            except RequestError as error:
                self._send_error(request, error)
            return
        handler = self._running.get(method)
        if handler is None:
            self._send_error(request, RequestError(METHOD_NOT_FOUND, f"Method not found: {method}"))
            return
        meta = params.get("_meta")
        call = Call(request, method, meta if isinstance(meta, dict) else None)
        task = asyncio.get_running_loop().create_task(self._serve(call, handler, params))
        self._requests[request] = task

    async def _serve(
        self, call: Call, handler: Callable[[Params, Call], Awaitable[dict[str, Any]]], params: Params
    ) -> None:
        request = call.id
        self._enter(call)
        try:
            self._send_result(request, await handler(params, call))
        except RequestError as error:
            self._send_error(request, error)
        except MissingCapability as error:
            self._send_error(request, _missing(error))
        except PhaseError as error:
            if isinstance(error.error, MissingCapability):
                self._send_error(request, _missing(error.error))
            else:
                self._send_error(request, RequestError(SERVER_ERROR, str(error), error.to_dict()))
        except asyncio.CancelledError:
            if request not in self._cancelled:
                raise
        except (Exception, Deadline, SystemExit, KeyboardInterrupt) as error:
            report = ErrorReport(error)
            print(report.trace, file=sys.stderr, end="")
            data = {"hud": {"kind": "internal", **report.to_dict()}}
            self._send_error(request, RequestError(-32603, f"{report.kind}: {report.message}", data))
        finally:
            self._requests.pop(request, None)
            self._cancelled.discard(request)

    def _enter(self, call: Call | None = None) -> None:
        """Say to all code that this task runs which client it runs for."""
        _context.enter(self, call)
        _sampling.current_sampler.set(self.sample)

    def _notified(self, method: str, params: Params) -> None:
        if method == "notifications/cancelled":
            task = self._requests.get(params.get("requestId"))
            if task is not None:
                # MCP wants no answer to a cancelled request.
                self._cancelled.add(params.get("requestId"))
                task.cancel()

    def _send_result(self, request: Any, result: dict[str, Any]) -> None:
        self._announcer.flush()
        data = line({"jsonrpc": "2.0", "id": request, "result": result})
        if len(data) > MAX_RESULT:
            size = f"{_mib(len(data))} ({len(data)} bytes), over the limit of 8 MiB ({MAX_RESULT} bytes)"
            if "content" not in result:
                self._send_error(request, RequestError(SERVER_ERROR, f"the answer has {size}"))
                return
            data = line({"jsonrpc": "2.0", "id": request, "result": _results.error(_too_large(result, size))})
        if self._wire is not None:
            self._wire.send_line(data)

    def _send_error(self, request: Any, error: RequestError) -> None:
        body: dict[str, Any] = {"code": error.code, "message": error.message}
        if error.data is not None:
            body["data"] = error.data
        if self._wire is not None:
            self._wire.send({"jsonrpc": "2.0", "id": request, "error": body})

    # -- to the client ----------------------------------------------------------------------------

    def notify(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification; tools may do so from threads of their own."""
        if self._wire is None:
            return
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        if threading.get_ident() == self._thread:
            self._wire.send(message)
        else:
            self._wire.send_from_thread(message)

    @property
    def session_id(self) -> str:
        """A name of this connection: the trace's, or one made up at its first use."""
        if not self._session_id:
            from uuid import uuid4

            self._session_id = uuid4().hex
        return self._session_id

    def checkpoint(self) -> None:
        """Called at the end of what user code asks of this object; replaced by the copy's own."""

    async def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Ask the client, and wait for its answer."""
        if self._wire is None or not self._wire.open:
            raise ConnectionError(f"{method}: the client is gone")
        self._next_id += 1
        request = f"hud-{self._next_id}"
        call = _context.current_call.get()
        if method in _QUESTIONS and call is not None and call.id is not None:
            params = {**params, "_meta": {**params.get("_meta", {}), "hud/request": call.id}}
        reply: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._replies[request] = reply
        self._wire.send({"jsonrpc": "2.0", "id": request, "method": method, "params": params})
        try:
            return await reply
        except RequestError as error:
            if error.code == MISSING_CAPABILITY:
                required = (error.data or {}).get("requiredCapabilities")
                raise MissingCapability(method, required if isinstance(required, dict) else {}) from None
            raise RuntimeError(f"{method}: {error.message}") from None
        except asyncio.CancelledError:
            # A dialog that nobody waits for any more should close.
            self.notify("notifications/cancelled", {"requestId": request})
            raise
        finally:
            self._replies.pop(request, None)

    async def sample(self, params: dict[str, Any]) -> dict[str, Any]:
        """Ask the client's model (`hud._sampling` calls this)."""
        return await self.request("sampling/createMessage", params)

    def _reply_arrived(self, message: dict[str, Any]) -> None:
        reply = self._replies.get(message.get("id"))
        if reply is None or reply.done():
            return
        error = message.get("error")
        if error is not None:
            reply.set_exception(RequestError(error.get("code", 0), str(error.get("message")), error.get("data")))
        else:
            reply.set_result(message.get("result") or {})

    # -- lifecycle --------------------------------------------------------------------------------

    async def _initialize(self, params: Params, _: Call) -> dict[str, Any]:
        await self._ready()
        return self._greet(params)

    def _greet(self, params: Params) -> dict[str, Any]:
        self._used = True
        wanted = params.get("protocolVersion")
        version = wanted if wanted in PROTOCOLS else PROTOCOLS[-1]
        known = {name: params[name] for name in ("clientInfo", "capabilities") if isinstance(params.get(name), dict)}
        self.client = {**known, "protocolVersion": version}
        self._announcer.greet()
        environment = self.environment
        info: dict[str, Any] = {"name": environment.name, "version": environment.version}
        if environment.title:
            info["title"] = environment.title
        if environment.icons:
            info["icons"] = environment.icons
        if environment.website_url:
            info["websiteUrl"] = environment.website_url
        result: dict[str, Any] = {
            "protocolVersion": version,
            "capabilities": {
                "tools": {"listChanged": True},
                "prompts": {"listChanged": True},
                "resources": {"subscribe": True, "listChanged": True},
                "logging": {},
                "completions": {},
            },
            "serverInfo": info,
        }
        if self.environment.instructions:
            result["instructions"] = self.environment.instructions
        return result

    async def _ready(self) -> None:
        """Run the @env.initialize hooks once, whoever comes first."""
        self._used = True
        if not self.environment.has_initialize:
            return
        if self._initialized is None:
            self._initialized = asyncio.get_running_loop().create_task(self.environment.run_initialize())
        try:
            await asyncio.shield(self._initialized)
        except asyncio.CancelledError:
            if not self._initialized.cancelled():
                raise
            data = {"hud": {"kind": "initialize"}}
            raise RequestError(SERVER_ERROR, STOPPED_SCENARIO, data) from None
        except (Exception, Deadline, SystemExit) as error:
            report = ErrorReport(error)
            print(report.trace, file=sys.stderr, end="")
            data = {"hud": {"kind": "initialize", **report.to_dict()}}
            message = f"@env.initialize failed: {report.kind}: {report.message}"
            raise RequestError(SERVER_ERROR, message, data) from None

    def stop_tools(self, interrupted: asyncio.Task[Any] | None) -> None:
        """Cancel the tools that run; `interrupted` already has an exception of its own to handle."""
        for task in list(self._tools_running):
            if task is not interrupted:
                self._tools_stopped.add(task)
                task.cancel()
        if self.session is not None:
            self.session.interrupt(interrupted)
        if self._initialized is not None and self._initialized is not interrupted:
            self._initialized.cancel()

    async def close(self) -> None:
        """End everything: requests, then the scenario's generator, then the @env.shutdown hooks."""
        self._enter()
        self._closing = True
        self._announcer.close()
        if self._initialized is not None:
            self._initialized.cancel()
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(ConnectionError("the client is gone"))
        tools = [task for task in self._requests.values() if not task.done()]
        for task in self._tools_running:
            task.cancel()
        if self.session is not None:
            await self.session.close()
            self.session = None
        await self.environment.close_session()
        if tools:
            await asyncio.wait(tools, timeout=1.0)
        await self.shut_down()

    async def shut_down(self) -> None:
        """Run the @env.shutdown hooks, unless nothing of the environment was used."""
        if self._used:
            await self.environment.run_shutdown()

    # -- tools ------------------------------------------------------------------------------------

    def _available(self, name: str) -> bool:
        if self.session is None:
            return True
        scenario = self.session.scenario
        if any(fnmatchcase(name, pattern) for pattern in scenario.allowed_tools):
            return True
        return not any(fnmatchcase(name, pattern) for pattern in scenario.exclude_tools)

    def _tools_list(self, _: Params) -> dict[str, Any]:
        return {"tools": [tool for tool in _describe.listed_tools(self.environment) if self._available(tool["name"])]}

    async def _tools_call(self, params: Params, call: Call) -> dict[str, Any]:
        request = call.id
        name, arguments = params.get("name"), params.get("arguments") or {}
        if not isinstance(name, str) or not isinstance(arguments, dict):
            raise RequestError(INVALID_PARAMS, "tools/call needs a 'name', and 'arguments' that are an object")
        tool = self.environment.tools.get(name)
        if self.deadline_passed:
            return _results.error(STOPPED_TOOL)
        if tool is None:
            return _results.error(f"Tool not found: {name}")
        if not self._available(name):
            return _results.error(f"Tool '{name}' is not available in the current scenario.")
        await self._ready()
        task = asyncio.current_task()
        assert task is not None
        self._tools_running.add(task)
        try:
            if self.deadline_passed:
                return _results.error(STOPPED_TOOL)
            return await tool.call(arguments, Context(self, call))
        except MissingCapability as error:
            if call.stateless:
                raise
            return _results.error(f"Error calling tool '{name}': {error}")
        except (ArgumentError, ToolError) as error:
            return _results.error(str(error))
        except Deadline:
            return _results.error(STOPPED_TOOL)
        except asyncio.CancelledError:
            if request in self._cancelled or self._closing:
                raise
            # Nobody stopped it: the tool awaited something that it had cancelled itself.
            own = f"Error calling tool '{name}': it was cancelled"
            return _results.error(STOPPED_TOOL if task in self._tools_stopped else own)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            report = ErrorReport(error)
            print(report.trace, file=sys.stderr, end="")
            return _results.error(f"Error calling tool '{name}': {report.text}")
        finally:
            self._tools_running.discard(task)
            self._tools_stopped.discard(task)

    def _submit(self, params: Params) -> dict[str, Any]:
        arguments = params.get("arguments") or {}
        name = str(arguments.get("scenario", ""))
        short = name.rpartition(":")[2]
        if "answer" not in arguments:
            return _results.error("Input validation error: 'answer' is a required property")
        if self.session is None:
            return _results.error(f"No active scenario session for '{short}'")
        active = self.session.scenario.name
        if active != short:
            return _results.error(f"Scenario mismatch: active is '{active}', but received answer for '{short}'")
        self.session.answer = _grade.submitted(arguments["answer"])
        return {"content": [_results.text(f"Answer submitted for scenario '{short}'")], "isError": False}

    # -- scenarios --------------------------------------------------------------------------------

    async def _prompts_get(self, params: Params, call: Call) -> dict[str, Any]:
        name, arguments = str(params.get("name", "")), params.get("arguments") or {}
        own = self.environment.prompts.get(name)
        try:
            if own is not None:
                await self._ready()
                return await own.get(arguments, Context(self, call))
            scenario = self.environment.find_scenario(name)
        except (ValueError, TypeError) as error:
            raise RequestError(INVALID_PARAMS, str(error), {"hud": {"kind": "setup"}}) from None
        async with self._scenario_lock:
            await self._ready()
            try:
                session = Session(scenario, arguments)
            except TypeError as error:
                data = {"hud": {"kind": "setup", "exception": "TypeError", "file": None, "line": None, "trace": ""}}
                raise RequestError(INVALID_PARAMS, str(error), data) from None
            await self._end_session()
            self.session = session
            try:
                messages = await session.setup()
            except BaseException:
                self.session = None
                raise
        self._rules_changed(session)
        meta = scenario.rules()
        if session.bindings:
            meta["bindings"] = session.bindings
        messages, roles = _prompt.on_the_wire(messages)
        if roles is not None:
            meta["hud/roles"] = roles
        return {"description": scenario.description, "messages": messages, "_meta": meta}

    async def _resources_read(self, params: Params, call: Call) -> dict[str, Any]:
        uri = str(params.get("uri", ""))
        async with self._scenario_lock:
            if self.session is not None and uri in (
                f"{self.environment.name}:{self.session.scenario.name}",
                self.session.scenario.name,
            ):
                return await self._grade(uri)
        for resource in self.environment.resources.values():
            parts = resource.match(uri)
            if parts is not None:
                await self._ready()
                return {"contents": await resource.read(uri, parts, Context(self, call))}
        raise _not_found(uri)

    async def _grade(self, uri: str) -> dict[str, Any]:
        session = self.session
        assert session is not None
        try:
            grade = await session.grade()
        except ScenarioError as error:
            raise PhaseError("grade", error) from None
        finally:
            self.session = None
            self._rules_changed(session)
        return {"contents": [{"uri": uri, "mimeType": "application/json", "text": dumps(grade)}]}

    # -- resources and completion -------------------------------------------------------------------

    def _set_level(self, params: Params) -> dict[str, Any]:
        level = params.get("level")
        if level not in LEVELS:
            raise RequestError(INVALID_PARAMS, f"log level {level!r}: use one of {', '.join(LEVELS)}")
        self.log_level = level
        return {}

    def _subscribe(self, params: Params) -> dict[str, Any]:
        uri = str(params.get("uri", ""))
        if not self._announcer.subscribe(uri):
            raise _not_found(uri)
        return {}

    def _unsubscribe(self, params: Params) -> dict[str, Any]:
        self._announcer.unsubscribe(str(params.get("uri", "")))
        return {}

    async def _complete(self, params: Params, _: Call) -> dict[str, Any]:
        try:
            wanted = _completion.read(self.environment, params)
            await self._ready()
            return await _completion.complete(self.environment, wanted)
        except _completion.UnknownTarget as error:
            raise RequestError(INVALID_PARAMS, str(error)) from None

    async def _end_session(self) -> None:
        session, self.session = self.session, None
        if session is not None:
            await session.close()

    def _rules_changed(self, session: Session) -> None:
        if session.scenario.exclude_tools:
            self.notify("notifications/tools/list_changed", {})
