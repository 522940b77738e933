"""What a tool returned, as an MCP result: content blocks, structured content, output schema.

A value that is already content (blocks of `hud.types`, of the `mcp` package, or dicts of their
shape) is passed through. Everything else becomes JSON text, plus structured content when it is an
object or when the tool's return annotation promises one.
"""

from __future__ import annotations

import base64
import io
import typing
from typing import Any

from hud._jsonable import dumps, to_json
from hud._schema import NoJsonForm, Schema, SchemaBuilder, is_union, unwrap

# MCP's content types: the keys that must be there, and those that may be.
_COMMON = {"type", "annotations", "_meta", "meta"}
_BLOCKS: dict[str, tuple[set[str], set[str]]] = {
    "text": ({"text"}, set()),
    "image": ({"data", "mimeType"}, set()),
    "audio": ({"data", "mimeType"}, set()),
    "resource": ({"resource"}, set()),
    "resource_link": ({"uri", "name"}, {"title", "description", "mimeType", "size", "icons"}),
}
_RESULT = "the tool's result"
_CONTENT_CLASSES = ("TextContent", "ImageContent", "AudioContent", "EmbeddedResource", "ResourceLink")


def block(value: Any) -> dict[str, Any] | None:
    """The value as an MCP content block, or None when it is not one."""
    if isinstance(value, dict):
        shape = _BLOCKS.get(value["type"]) if isinstance(value.get("type"), str) else None
        if shape is None or not shape[0] <= value.keys() <= shape[0] | shape[1] | _COMMON:
            return None
        copied: dict[str, Any] = to_json(value)
        return copied
    if isinstance(getattr(value, "type", None), str) and value.type in _BLOCKS and hasattr(value, "model_dump"):
        plain = value.model_dump(mode="json", by_alias=True, exclude_none=True)
        return plain if _BLOCKS[value.type][0] <= plain.keys() else None
    return _picture(value)


def _picture(value: Any) -> dict[str, Any] | None:
    """A PIL image as a PNG block; PIL is never imported for it."""
    if not type(value).__module__.startswith("PIL.") or not hasattr(value, "save"):
        return None
    buffer = io.BytesIO()
    value.save(buffer, format="PNG")
    return {"type": "image", "data": base64.b64encode(buffer.getvalue()).decode(), "mimeType": "image/png"}


def text(value: str) -> dict[str, Any]:
    """A text block."""
    return {"type": "text", "text": value}


def error(message: str) -> dict[str, Any]:
    """A tool result that says what went wrong."""
    return {"content": [text(message)], "isError": True}


def output_schema(annotation: Any) -> tuple[Schema | None, bool]:
    """The output schema that a return annotation promises, and whether values get wrapped in it."""
    kind, _ = unwrap(annotation)
    # A bare list or tuple promises nothing, and is what functions return that put text and images together.
    if kind in (Any, None, type(None), object, list, tuple, typing.List, typing.Tuple) or _is_content(kind):
        return None, False
    builder = SchemaBuilder(results=True)
    try:
        inner = builder.of(annotation)
    except NoJsonForm:
        return None, False
    if not inner:
        return None, False
    plain = builder.finish(inner)
    if plain.get("type") == "object":
        return plain, False
    wrapped = {
        "type": "object",
        "properties": {"result": inner},
        "required": ["result"],
        "x-fastmcp-wrap-result": True,
    }
    return builder.finish(wrapped), True


def _is_content(kind: Any) -> bool:
    if isinstance(kind, type) and not typing.get_args(kind):
        return (
            kind.__name__ in (*_CONTENT_CLASSES, "MCPToolResult", "CallToolResult", "ToolResult", "ContentResult")
            or kind.__module__.startswith("PIL.")
            or kind is bytes
        )
    if is_union(kind) or typing.get_origin(kind) in (list, tuple):
        return any(_is_content(part) for part in typing.get_args(kind))
    return False


def tool_result(value: Any, schema: Schema | None = None, wrapped: bool = False) -> dict[str, Any]:
    """The MCP result for a returned value."""
    ready = _ready_made(value)
    if ready is not None:
        return ready
    blocks = _blocks(value)
    if blocks is not None:
        result: dict[str, Any] = {"content": blocks, "isError": False}
        if wrapped:
            # What an output schema promises must be there, whatever the value looks like.
            result["structuredContent"] = {"result": to_json(value, _RESULT, finite=True)}
        return result
    plain = to_json(value, _RESULT, finite=True)
    content = [] if plain is None else [text(plain if isinstance(plain, str) else dumps(plain))]
    result = {"content": content, "isError": False}
    if wrapped:
        result["structuredContent"] = {"result": plain}
    elif isinstance(plain, dict):
        result["structuredContent"] = plain
    return result


def _ready_made(value: Any) -> dict[str, Any] | None:
    """Results in MCP's own shape, as a proxying tool returns them."""
    if hasattr(value, "to_content_blocks"):
        blocks = [block(item) for item in value.to_content_blocks()]
        return {"content": [item for item in blocks if item], "isError": bool(getattr(value, "error", None))}
    if isinstance(getattr(value, "content", None), list) and (
        hasattr(value, "isError") or hasattr(value, "structured_content")
    ):
        structured = getattr(value, "structuredContent", getattr(value, "structured_content", None))
        result: dict[str, Any] = {
            "content": [block(item) or text(_as_text(item)) for item in value.content],
            "isError": bool(getattr(value, "isError", False)),
        }
        if structured is not None:
            result["structuredContent"] = to_json(structured, _RESULT, finite=True)
        if getattr(value, "meta", None):
            result["_meta"] = to_json(value.meta, _RESULT)
        return result
    return None


def _blocks(value: Any) -> list[dict[str, Any]] | None:
    """A block or a list with at least one block in it, as blocks."""
    single = block(value)
    if single is not None:
        return [single]
    if not isinstance(value, (list, tuple)):
        return None
    found = [block(item) for item in value]
    if not any(found):
        return None
    return [made or text(_as_text(item)) for made, item in zip(found, value)]


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else dumps(to_json(value, _RESULT, finite=True))
