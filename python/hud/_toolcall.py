"""Tool calls in the formats of the providers, and results in the format of the call."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hud._jsonable import to_json

Result = dict[str, Any]
Arguments = dict[str, Any]


class ParsedCall:
    """A call's name and arguments, and how its caller wants the result."""

    def __init__(self, name: str, arguments: Any, answer: Callable[[Result], Any]) -> None:
        self.name = name
        self.arguments: Arguments = _object(arguments)
        self.answer = answer


def parse(call: Any, kwargs: dict[str, Any]) -> ParsedCall:
    """Understand a name with keyword arguments, a tuple, or a provider's dict or object."""
    if isinstance(call, str):
        return ParsedCall(call, kwargs, _mcp(None))
    if isinstance(call, tuple) and call and isinstance(call[0], str):
        arguments = call[1] if len(call) > 1 else {}
        return ParsedCall(call[0], arguments, _mcp(call[2] if len(call) > 2 else None))
    data = call if isinstance(call, dict) else _fields(call)
    parsed = _of_dict(data)
    if parsed is None:
        raise ValueError(f"Unrecognized tool call format: {list(data) or type(call).__name__}")
    return parsed


def _fields(call: Any) -> dict[str, Any]:
    """The fields of a provider's SDK object."""
    if hasattr(call, "model_dump"):
        dumped: dict[str, Any] = call.model_dump()
        return dumped
    names = ("type", "id", "call_id", "name", "arguments", "args", "input", "function", "function_call", "functionCall")
    found = {name: getattr(call, name) for name in names if getattr(call, name, None) is not None}
    for name in ("function", "function_call", "functionCall"):
        if name in found and not isinstance(found[name], dict):
            found[name] = _fields(found[name])
    return found


def _of_dict(data: dict[str, Any]) -> ParsedCall | None:
    function = data.get("function")
    if isinstance(function, dict) and isinstance(function.get("name"), str):
        return ParsedCall(function["name"], function.get("arguments"), _openai(data.get("id")))
    gemini = data.get("functionCall") or data.get("function_call")
    if isinstance(gemini, dict) and isinstance(gemini.get("name"), str):
        return ParsedCall(gemini["name"], gemini.get("args"), _gemini(gemini["name"]))
    name = data.get("name")
    if not isinstance(name, str):
        return None
    if data.get("type") == "tool_use":
        return ParsedCall(name, data.get("input"), _claude(data.get("id")))
    if data.get("type") == "function_call":
        return ParsedCall(name, data.get("arguments"), _responses(data.get("call_id")))
    if "args" in data and "arguments" not in data:
        return ParsedCall(name, data["args"], _gemini(name))
    arguments = data.get("arguments", data.get("input"))
    return ParsedCall(name, arguments, _mcp(data.get("id") or data.get("call_id")))


def _object(arguments: Any) -> Arguments:
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            return {}
    return arguments if isinstance(arguments, dict) else {}


def text_of(result: Result) -> str:
    """Text blocks joined by newlines; other blocks as a note of their size."""
    parts = []
    for block in result.get("content", ()):
        data = block.get("text")
        if data is None:
            data = f"[binary: {len(str(block.get('data') or block.get('resource') or ''))} bytes]"
        parts.append(data)
    return "\n".join(parts)


def _mcp(call_id: str | None) -> Callable[[Result], Any]:
    def answer(result: Result) -> Any:
        from hud.types import MCPToolResult

        fields = {"content": result.get("content", []), "isError": bool(result.get("isError"))}
        if result.get("structuredContent") is not None:
            fields["structuredContent"] = result["structuredContent"]
        if call_id is not None:
            fields["call_id"] = call_id
        return MCPToolResult(**fields)

    return answer


def _openai(call_id: Any) -> Callable[[Result], Any]:
    return lambda result: {"role": "tool", "tool_call_id": call_id, "content": text_of(result)}


def _responses(call_id: Any) -> Callable[[Result], Any]:
    return lambda result: {"type": "function_call_output", "call_id": call_id, "output": text_of(result)}


def _claude(call_id: Any) -> Callable[[Result], Any]:
    def answer(result: Result) -> Any:
        block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call_id, "content": text_of(result)}
        if result.get("isError"):
            block["is_error"] = True
        return block

    return answer


def _gemini(name: str) -> Callable[[Result], Any]:
    return lambda result: {"functionResponse": {"name": name, "response": {"result": text_of(result)}}}


def plain_arguments(arguments: Arguments) -> Arguments:
    """Arguments given by scenario code as JSON values, so that a local call checks what a remote one would."""
    plain: Arguments = to_json(arguments, "the arguments")
    return plain
