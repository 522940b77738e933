"""The first yield of a scenario as MCP prompt messages.

MCP knows the roles user and assistant and one content block per message. A message with several
blocks becomes several messages of its role. `system`, which MCP has not, travels as `user`; the
result's `_meta["hud/roles"]` tells clients that know it the true roles.
"""

from __future__ import annotations

import re
from typing import Any

from hud import _results

Message = dict[str, Any]

_FORMS = "yield a text, a content block, a message {'role': …, 'content': …}, or a list of these"
# Other names for the three roles; what a tool said is part of what the agent is told.
_ROLES = {"system": "system", "developer": "system", "assistant": "assistant", "model": "assistant"}
_DATA_URL = re.compile(r"^data:([\w.+/-]+);base64,(.*)$", re.DOTALL)


def messages(value: Any) -> list[Message]:
    """Convert every accepted form, with true roles; TypeError names the part that is none."""
    if isinstance(value, (list, tuple)):
        found: list[Message] = []
        for index, item in enumerate(value):
            found.extend(_item(item, f"part {index + 1} of the prompt"))
        return found
    return _item(value, "the prompt")


def is_empty(found: list[Message]) -> bool:
    """True when nothing in it could be answered: no content, or only blank text."""
    return all(m["content"].get("type") == "text" and not m["content"]["text"].strip() for m in found)


def on_the_wire(found: list[Message]) -> tuple[list[Message], list[str] | None]:
    """The messages with MCP's roles, and the true role of each when these cannot say it."""
    roles = [message["role"] for message in found]
    if "system" not in roles:
        return found, None
    return [{**m, "role": "user" if m["role"] == "system" else m["role"]} for m in found], roles


def text_of(found: list[Message]) -> str:
    """The text parts, joined by newlines."""
    return "\n".join(m["content"]["text"] for m in found if m["content"].get("type") == "text")


def _item(value: Any, where: str) -> list[Message]:
    if value is None:
        raise TypeError(f"{where} is None; {_FORMS}")
    if isinstance(value, str):
        return [{"role": "user", "content": _results.text(value)}]
    role = value.get("role") if isinstance(value, dict) else getattr(value, "role", None)
    if role is not None:
        content = value.get("content") if isinstance(value, dict) else getattr(value, "content", None)
        return [{"role": _role(role, where), "content": block} for block in _contents(content, where)]
    return [{"role": "user", "content": block} for block in _contents(value, where)]


def _role(role: Any, where: str) -> str:
    name = getattr(role, "value", role)
    if name not in ("user", "assistant", "system", "developer", "tool", "model"):
        raise TypeError(f"{where} has role {role!r}; known roles are user, assistant and system")
    return _ROLES.get(name, "user")


def _contents(content: Any, where: str) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [_results.text(content)]
    if isinstance(content, (list, tuple)):
        return [block for part in content for block in _contents(part, where)]
    block = _results.block(content) or _of_provider(content)
    if block is not None:
        return [block]
    if isinstance(content, (int, float)):
        return [_results.text(str(content))]
    shown = (
        f"a dict with the keys {', '.join(map(repr, content))}" if isinstance(content, dict) else type(content).__name__
    )
    raise TypeError(f"{where} is {shown}; {_FORMS}")


def _of_provider(part: Any) -> dict[str, Any] | None:
    """Content parts in the shapes of OpenAI and Anthropic, which stored chat histories contain."""
    if not isinstance(part, dict):
        return None
    kind = part.get("type")
    if kind in ("text", "input_text", "output_text") and isinstance(part.get("text"), str):
        return _results.text(part["text"])
    if kind in ("image_url", "input_image"):
        url = part.get("image_url")
        match = _DATA_URL.match(url.get("url", "") if isinstance(url, dict) else str(url))
        return {"type": "image", "mimeType": match[1], "data": match[2]} if match else None
    source = part.get("source")
    if kind == "image" and isinstance(source, dict) and source.get("type") == "base64":
        return {"type": "image", "mimeType": source["media_type"], "data": source["data"]}
    return None
