"""`hud.Context`: what a tool can do besides returning a value.

Reporting needs no answer, so `report_progress` and `log` act at once and may be awaited or not: a
synchronous tool can use them too. `sample` and `elicit` wait for the client.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextvars import Context as Variables
from contextvars import ContextVar
from typing import Any, Literal, Protocol

Level = Literal["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]


class Peer(Protocol):
    """The client at the other end of a copy's connection."""

    trace_id: str | None

    def notify(self, method: str, params: dict[str, Any]) -> None: ...

    def checkpoint(self) -> None: ...

    async def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]: ...


_peer: Peer | None = None
_peer_here: ContextVar[Peer | None] = ContextVar("hud_peer", default=None)


def current_peer() -> Peer | None:
    """The client on whose behalf this code runs, in a process that a worker started; else None."""
    return _peer_here.get() or _peer


def set_peer(peer: Peer | None) -> None:
    """Called once by a copy that serves one connection: its threads belong to that client too."""
    global _peer
    _peer = peer


def set_peer_here(peer: Peer) -> None:
    """Called for each connection of a process that serves many, in the context of its requests."""
    _peer_here.set(peer)


def peer_in(context: Variables) -> Peer | None:
    """The client of a context of variables."""
    return context.get(_peer_here)


class _Done:
    """Something already done, which may be awaited."""

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


class Sampled:
    """A model's reply to `ctx.sample`."""

    def __init__(self, data: dict[str, Any]) -> None:
        content = data.get("content")
        if isinstance(content, list):
            content = next((part for part in content if part.get("type") == "text"), None)
        self.content: dict[str, Any] = content or {}
        self.text: str = str(self.content.get("text", ""))
        self.role: str = data.get("role", "assistant")
        self.model: str | None = data.get("model")

    def __str__(self) -> str:
        return self.text


class Elicited:
    """A person's answer to `ctx.elicit`: `action` is accept, decline or cancel."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.action: str = data.get("action", "cancel")
        self.content: dict[str, Any] | None = data.get("content")

    @property
    def data(self) -> Any:
        """The answer itself: a lone field's value, or all fields."""
        if self.content is not None and set(self.content) == {"value"}:
            return self.content["value"]
        return self.content


def _messages(given: str | Sequence[Any]) -> list[dict[str, Any]]:
    """Sampling messages from texts, content blocks, or messages with a role."""
    from hud._prompt import messages

    return messages(given if isinstance(given, str) else list(given))


class Context:
    """The context of one tool call."""

    def __init__(self, peer: Peer | None = None, request_id: Any = None, progress_token: Any = None) -> None:
        self._peer = peer
        self._progress_token = progress_token
        self.request_id = request_id

    @property
    def trace_id(self) -> str | None:
        """The trace of the rollout that this call belongs to."""
        return self._peer.trace_id if self._peer else None

    def report_progress(self, progress: float, total: float | None = None, message: str | None = None) -> _Done:
        """Say how far the tool is. Nothing happens when the client did not ask for progress."""
        if self._peer is not None and self._progress_token is not None:
            params: dict[str, Any] = {"progressToken": self._progress_token, "progress": progress}
            if total is not None:
                params["total"] = total
            if message is not None:
                params["message"] = message
            self._peer.notify("notifications/progress", params)
            self._peer.checkpoint()
        return _Done()

    def log(self, message: Any, level: Level = "info", logger: str | None = None) -> _Done:
        """Send a log message to the client; without one it goes to stderr."""
        from hud._jsonable import to_json

        if self._peer is None:
            import sys

            print(f"{level}: {message}", file=sys.stderr)
            return _Done()
        params: dict[str, Any] = {"level": level, "data": to_json(message, "the log message")}
        if logger is not None:
            params["logger"] = logger
        self._peer.notify("notifications/message", params)
        self._peer.checkpoint()
        return _Done()

    def debug(self, message: Any) -> _Done:
        """`log` at level debug."""
        return self.log(message, "debug")

    def info(self, message: Any) -> _Done:
        """`log` at level info."""
        return self.log(message, "info")

    def warning(self, message: Any) -> _Done:
        """`log` at level warning."""
        return self.log(message, "warning")

    def error(self, message: Any) -> _Done:
        """`log` at level error."""
        return self.log(message, "error")

    async def sample(
        self,
        messages: str | Sequence[Any],
        system_prompt: str | None = None,
        temperature: float | None = None,
        max_tokens: int = 512,
        model: str | None = None,
    ) -> Sampled:
        """Ask the client's model for a reply. Messages are texts, content blocks, or dicts with a role."""
        from hud._sampling import create_message

        result = await create_message(
            _messages(messages),
            max_tokens=max_tokens,
            system_prompt=system_prompt,
            temperature=temperature,
            model=model,
            purpose="tool",
        )
        return Sampled(result)

    async def elicit(self, message: str, response_type: Any = None) -> Elicited:
        """Ask the person at the client. `response_type` is a type (str, int, a dataclass, …) or a schema."""
        from hud._coerce import coerce
        from hud._schema import schema_of

        if self._peer is None:
            raise RuntimeError("asking a person works in a rollout only: no client is connected")
        if isinstance(response_type, dict):
            schema, convert = response_type, None
        else:
            schema = {"type": "object", "properties": {}} if response_type is None else schema_of(response_type)
            convert = response_type
        if schema.get("type") != "object":
            schema = {"type": "object", "properties": {"value": schema}, "required": ["value"]}
        answer = Elicited(
            await self._peer.request("elicitation/create", {"message": message, "requestedSchema": schema})
        )
        if convert is not None and answer.action == "accept" and answer.content is not None:
            content = answer.content
            answer.content = {"value": coerce(content["value"] if set(content) == {"value"} else content, convert)}
        return answer
