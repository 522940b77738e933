"""`hud.Context`: what a tool, resource, prompt or scenario can do besides returning a value.

Reporting needs no answer, so `report_progress` and `log` act at once and may be awaited or not: a
synchronous tool can use them too. `sample`, `elicit` and `list_roots` wait for the client.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextvars import Context as Variables
from contextvars import ContextVar
from typing import Any, Literal, Protocol

Level = Literal["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]

LEVELS: tuple[str, ...] = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")

# What a client of the stateless protocol says with each request instead of once in `initialize`.
_PROTOCOL = "io.modelcontextprotocol/protocolVersion"
_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
_CLIENT = "io.modelcontextprotocol/clientInfo"
_LOG_LEVEL = "io.modelcontextprotocol/logLevel"

MISSING_CAPABILITY = -32021


class MissingCapability(RuntimeError):
    """The client did not say that it can do what was asked of it, e.g. `sampling`."""

    def __init__(self, method: str, capabilities: Mapping[str, Any]) -> None:
        self.capabilities = dict(capabilities)
        names = ", ".join(f"'{name}'" for name in self.capabilities) or "a capability"
        super().__init__(f"{method}: the client does not offer {names}")


class Peer(Protocol):
    """The client at the other end of a copy's connection."""

    trace_id: str | None
    client: dict[str, Any]
    log_level: str

    @property
    def session_id(self) -> str: ...

    def notify(self, method: str, params: dict[str, Any]) -> None: ...

    def checkpoint(self) -> None: ...

    async def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]: ...


class Call:
    """A request that user code answers: its id, its method and its `_meta`."""

    __slots__ = ("id", "meta", "method")

    def __init__(self, id: Any = None, method: str = "", meta: dict[str, Any] | None = None) -> None:
        self.id = id
        self.method = method
        self.meta: dict[str, Any] = meta or {}

    @property
    def stateless(self) -> bool:
        """True when the request itself says what its client can do (MCP 2026-07-28)."""
        return _CAPABILITIES in self.meta


# Each request runs in a task of its own, so what user code awaits or starts knows which client asked,
# also when one process serves several.
_current_peer: ContextVar[Peer | None] = ContextVar("hud_current_peer", default=None)
current_call: ContextVar[Call | None] = ContextVar("hud_current_call", default=None)
_process_peer: Peer | None = None


def current_peer() -> Peer | None:
    """The client for which this code runs, when a worker serves it; else None."""
    return _current_peer.get() or _process_peer


def set_peer(peer: Peer | None) -> None:
    """Called by a process that serves one connection: threads of user code find its client too."""
    global _process_peer
    _process_peer = peer


def enter(peer: Peer, call: Call | None = None) -> None:
    """Called at the start of a task that runs user code for a client."""
    _current_peer.set(peer)
    current_call.set(call)


def for_current_call() -> Context:
    """A context for user code that runs now."""
    return Context(current_peer(), current_call.get())


def set_peer_here(peer: Peer) -> None:
    """Called for each connection of a process that serves many, in the context of its requests."""
    _current_peer.set(peer)


def peer_in(context: Variables) -> Peer | None:
    """The client of a context of variables."""
    return context.get(_current_peer)


class _Done:
    """Something already done, which may be awaited."""

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


class Sampled:
    """A model's reply to `ctx.sample`."""

    def __init__(self, data: dict[str, Any]) -> None:
        content = data.get("content")
        # Since MCP 2025-11-25 a reply may have several blocks, tool calls among them.
        self.blocks: list[dict[str, Any]] = content if isinstance(content, list) else [content] if content else []
        first = next((block for block in self.blocks if block.get("type") == "text"), None)
        self.content: dict[str, Any] = first or (self.blocks[0] if self.blocks else {})
        self.text: str = str((first or {}).get("text", ""))
        self.role: str = data.get("role", "assistant")
        self.model: str | None = data.get("model")
        self.stop_reason: str | None = data.get("stopReason")

    @property
    def tool_calls(self) -> list[dict[str, Any]]:
        """The blocks that ask for a tool: `{"type": "tool_use", "id", "name", "input"}`."""
        return [block for block in self.blocks if block.get("type") == "tool_use"]

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Sampled({self.text!r}, model={self.model!r})"


class Elicited:
    """A person's answer to `ctx.elicit`: `action` is accept, decline or cancel."""

    def __init__(self, data: dict[str, Any], value: Any = None) -> None:
        self.action: str = data.get("action", "cancel")
        self.content: dict[str, Any] | None = data.get("content")
        self._value = value

    @property
    def accepted(self) -> bool:
        """True when the person answered; False when they declined or closed the dialog."""
        return self.action == "accept"

    @property
    def data(self) -> Any:
        """The answer as the type that was asked for, or the fields as a dict; None when there is none."""
        return self.content if self._value is None else self._value

    def __repr__(self) -> str:
        return f"Elicited({self.action!r}, {self.data!r})"


class Root:
    """A folder or file that the client lets the environment know of."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.uri: str = str(data.get("uri", ""))
        self.name: str | None = data.get("name")

    def __repr__(self) -> str:
        return f"Root({self.uri!r})"


def _messages(given: str | Sequence[Any]) -> list[dict[str, Any]]:
    """Sampling messages from texts, content blocks, or messages with a role."""
    from hud._prompt import messages

    found: list[dict[str, Any]] = []
    for item in [given] if isinstance(given, (str, Mapping)) else given:
        parts = item.get("content") if isinstance(item, Mapping) else None
        if isinstance(item, Mapping) and isinstance(parts, list) and any(_is_tool_block(part) for part in parts):
            # A turn with tool calls or their results must stay one message.
            found.append({"role": item.get("role", "user"), "content": parts})
        else:
            found.extend(messages(item))
    return found


def _is_tool_block(block: Any) -> bool:
    return isinstance(block, Mapping) and block.get("type") in ("tool_use", "tool_result")


class Context:
    """The context of one request: who asked, and what can be told to or asked of them.

        @env.tool
        async def clean_up(folder: str, ctx: hud.Context) -> str:
            await ctx.report_progress(1, 2, "counting")
            sure = await ctx.elicit(f"Delete everything in {folder}?", bool)
            ...

    A parameter annotated with `Context`, or called `ctx` without an annotation, receives it; it is not
    an argument and in no schema. In a plain script, without a client, progress goes nowhere, logs go
    to stderr, and asking is an error.

    Asking several things at once (`asyncio.gather(ctx.elicit(…), ctx.sample(…))`) sends them together,
    so that a client of the stateless protocol answers all of them in one round. `key` names a question
    for such a client (`inputRequests`, `inputResponses`); without it the server makes a name up.
    """

    def __init__(self, peer: Peer | None = None, call: Call | None = None) -> None:
        self._peer = peer
        self._call = call or Call()

    def move_to(self, call: Call | None) -> None:
        """Called when the same code goes on for another request: a scenario that is now graded."""
        self._call = call or Call()

    @property
    def request_id(self) -> Any:
        """The id of the request that is answered."""
        return self._call.id

    @property
    def session_id(self) -> str | None:
        """Names the session for as long as it lasts; None in a plain script."""
        if self._peer is None:
            return None
        return str(self._call.meta.get("hud/session") or self._peer.session_id)

    @property
    def trace_id(self) -> str | None:
        """The trace of the rollout that this call belongs to."""
        return self._peer.trace_id if self._peer else None

    @property
    def meta(self) -> dict[str, Any]:
        """The request's `_meta`: what its client sent beside the arguments."""
        return self._call.meta

    @property
    def client_info(self) -> dict[str, Any]:
        """How the client calls itself: `{"name": …, "version": …}`; empty when it did not say."""
        return self._said(_CLIENT, "clientInfo") or {}

    @property
    def client_capabilities(self) -> dict[str, Any]:
        """What the client says it can do, e.g. `{"sampling": {}, "elicitation": {"form": {}}}`."""
        return self._said(_CAPABILITIES, "capabilities") or {}

    @property
    def protocol_version(self) -> str | None:
        """The revision of MCP that the client speaks, when it is known."""
        version: str | None = self._said(_PROTOCOL, "protocolVersion")
        return version

    def _said(self, key: str, name: str) -> Any:
        if key in self._call.meta:
            return self._call.meta[key]
        return self._peer.client.get(name) if self._peer else None

    def supports(self, capability: str) -> bool:
        """Whether the client offers `sampling`, `elicitation`, `roots`, or a part: `sampling.tools`, `elicitation.url`."""
        found: Any = self.client_capabilities
        for part in capability.split("."):
            if not isinstance(found, Mapping) or part not in found:
                return False
            found = found[part]
        return found is not None and found is not False

    # -- telling --------------------------------------------------------------------------------

    def report_progress(self, progress: float, total: float | None = None, message: str | None = None) -> _Done:
        """Say how far the work is. Nothing happens when the client did not ask for progress."""
        token = self._call.meta.get("progressToken")
        if self._peer is not None and token is not None:
            params: dict[str, Any] = {"progressToken": token, "progress": progress}
            if total is not None:
                params["total"] = total
            if message is not None:
                params["message"] = message
            self._peer.notify("notifications/progress", params)
            self._peer.checkpoint()
        return _Done()

    def log(
        self,
        message: Any,
        level: Level = "info",
        logger: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> _Done:
        """Send a log message to the client; without one it goes to stderr.

        `message` is a text or any JSON value. With `extra`, the client receives
        `{"message": message, …extra}`. A client that has chosen a level hears nothing below it, and a
        client of the stateless protocol hears only what it asked for.
        """
        from hud._jsonable import to_json

        if level not in LEVELS:
            raise ValueError(f"log level {level!r}: use one of {', '.join(LEVELS)}")
        data = message if extra is None else {"message": message, **extra}
        if self._peer is None:
            import sys

            print(f"{level}: {data}", file=sys.stderr)
            return _Done()
        if self._wants(level):
            params: dict[str, Any] = {"level": level, "data": to_json(data, "the log message")}
            if logger is not None:
                params["logger"] = logger
            if self._call.id is not None:
                params["_meta"] = {"hud/request": self._call.id}
            self._peer.notify("notifications/message", params)
        self._peer.checkpoint()
        return _Done()

    def _wants(self, level: str) -> bool:
        assert self._peer is not None
        chosen = self._call.meta.get(_LOG_LEVEL)
        if chosen is None and self._call.stateless:
            return False
        if chosen not in LEVELS:
            chosen = self._peer.log_level
        return LEVELS.index(level) >= LEVELS.index(chosen)

    def debug(self, message: Any, logger: str | None = None, extra: Mapping[str, Any] | None = None) -> _Done:
        """`log` at level debug."""
        return self.log(message, "debug", logger, extra)

    def info(self, message: Any, logger: str | None = None, extra: Mapping[str, Any] | None = None) -> _Done:
        """`log` at level info."""
        return self.log(message, "info", logger, extra)

    def notice(self, message: Any, logger: str | None = None, extra: Mapping[str, Any] | None = None) -> _Done:
        """`log` at level notice."""
        return self.log(message, "notice", logger, extra)

    def warning(self, message: Any, logger: str | None = None, extra: Mapping[str, Any] | None = None) -> _Done:
        """`log` at level warning."""
        return self.log(message, "warning", logger, extra)

    def error(self, message: Any, logger: str | None = None, extra: Mapping[str, Any] | None = None) -> _Done:
        """`log` at level error."""
        return self.log(message, "error", logger, extra)

    # -- asking ---------------------------------------------------------------------------------

    async def sample(
        self,
        messages: str | Sequence[Any],
        system_prompt: str | None = None,
        temperature: float | None = None,
        max_tokens: int = 512,
        model: str | Sequence[str] | None = None,
        *,
        stop_sequences: Sequence[str] | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: Mapping[str, Any] | str | None = None,
        key: str | None = None,
    ) -> Sampled:
        """Ask the client's model for a reply. Messages are texts, content blocks, or dicts with a role.

        `model` is a wish (several in order of preference), which the client may not follow. `tools` are
        tools that the model may ask for (MCP's tool objects); running them is up to the caller, who then
        samples again with the results. `tool_choice` is auto, required or none.
        """
        from hud._sampling import create_message

        self._need("sampling/createMessage", "sampling", *(["sampling.tools"] if tools else []))
        result = await create_message(
            _messages(messages),
            max_tokens=max_tokens,
            system_prompt=system_prompt,
            temperature=temperature,
            model=model,
            purpose="tool",
            stop_sequences=stop_sequences,
            tools=tools,
            tool_choice={"mode": tool_choice} if isinstance(tool_choice, str) else tool_choice,
            key=key,
        )
        return Sampled(result)

    async def elicit(self, message: str, response_type: Any = None, *, key: str | None = None) -> Elicited:
        """Ask the person at the client, in a form made from `response_type`.

        It is a type of the answer (`str`, `int`, `bool`, an enum, a `Literal`), a list of the texts to
        choose from, a dataclass, TypedDict or pydantic model whose fields are such types, a JSON schema, or
        None for a bare confirmation. Defaults are shown to the person. The answer's `data` has that type:

            age = await ctx.elicit("How old are you?", int)
            if age.accepted and age.data >= 18: ...
        """
        from hud._elicit import Form

        form = Form(response_type)
        self._need("elicitation/create", "elicitation")
        answer = await self._ask("elicitation/create", {"message": message, "requestedSchema": form.schema}, key)
        return Elicited(answer, form.read(answer))

    async def elicit_url(
        self, message: str, url: str, elicitation_id: str | None = None, *, key: str | None = None
    ) -> Elicited:
        """Send the person to a web page, for what must not pass through the client (a password, a payment).

        `accept` means that they agreed to open it, not that they are done there.
        """
        from uuid import uuid4

        self._need("elicitation/create", "elicitation.url")
        params = {"mode": "url", "message": message, "url": url, "elicitationId": elicitation_id or str(uuid4())}
        return Elicited(await self._ask("elicitation/create", params, key))

    async def list_roots(self, *, key: str | None = None) -> list[Root]:
        """The folders and files that the client lets the environment know of."""
        self._need("roots/list", "roots")
        answer = await self._ask("roots/list", {}, key)
        return [Root(root) for root in answer.get("roots") or ()]

    def _need(self, method: str, *capabilities: str) -> None:
        """Refuse early what a client of the stateless protocol has not offered.

        Older clients are asked in any case: many offer less in `initialize` than they answer.
        """
        if self._peer is None and method != "sampling/createMessage":
            what = "asking for roots" if method == "roots/list" else "asking a person"
            raise RuntimeError(f"{what} works in a rollout only: no client is connected")
        for capability in capabilities:
            if self._call.stateless and not self.supports(capability):
                first, _, second = capability.partition(".")
                raise MissingCapability(method, {first: {second: {}} if second else {}})

    async def _ask(self, method: str, params: dict[str, Any], key: str | None) -> dict[str, Any]:
        assert self._peer is not None
        return await self._peer.request(method, {**params, "_meta": {"hud/key": key}} if key else params)
