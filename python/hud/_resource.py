"""MCP resources and prompts that an environment declares beside its tools and scenarios."""

from __future__ import annotations

import base64
import inspect
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from hud import _prompt
from hud._jsonable import dumps, to_json
from hud._signature import Signature

_PART = re.compile(r"\{(\w+)(\*)?\}")


class Resource:
    """A function that returns the content of an address."""

    def __init__(
        self,
        function: Callable[..., Any],
        uri: str,
        *,
        name: str | None = None,
        title: str | None = None,
        description: str | None = None,
        mime_type: str | None = None,
    ) -> None:
        self.uri = uri
        self.name: str = name or str(getattr(function, "__name__", uri))
        self.title = title
        self.mime_type = mime_type or "text/plain"
        self.signature = Signature(function, f"resource '{uri}'")
        self.description = description or self.signature.description
        self.is_template = bool(_PART.search(uri))
        self._pattern = _pattern(uri)
        declared = {match[1] for match in _PART.finditer(uri)}
        missing = [p.name for p in self.signature.parameters if p.required and p.name not in declared]
        if missing:
            raise ValueError(f"resource '{uri}': its function needs '{missing[0]}', which the address does not contain")

    def match(self, uri: str) -> dict[str, str] | None:
        """The parts of an address of this resource, or None for another resource's."""
        found = self._pattern.fullmatch(uri)
        return {name: unquote(value) for name, value in found.groupdict().items()} if found else None

    def to_mcp(self) -> dict[str, Any]:
        """The MCP resource, or resource template."""
        entry: dict[str, Any] = {"uriTemplate" if self.is_template else "uri": self.uri, "name": self.name}
        if self.title:
            entry["title"] = self.title
        if self.description:
            entry["description"] = self.description
        entry["mimeType"] = self.mime_type
        return entry

    async def read(self, uri: str, parts: dict[str, str]) -> dict[str, Any]:
        """The MCP contents for an address."""
        value = self.signature.call(self.signature.decode(parts))
        if inspect.isawaitable(value):
            value = await value
        content: dict[str, Any] = {"uri": uri, "mimeType": self.mime_type}
        if isinstance(value, (bytes, bytearray)):
            if self.mime_type == "text/plain":
                content["mimeType"] = "application/octet-stream"
            content["blob"] = base64.b64encode(value).decode()
        elif isinstance(value, str):
            content["text"] = value
        else:
            if self.mime_type == "text/plain":
                content["mimeType"] = "application/json"
            content["text"] = dumps(to_json(value, f"resource '{uri}'"))
        return content


def _pattern(uri: str) -> re.Pattern[str]:
    expression, end = "", 0
    for match in _PART.finditer(uri):
        # `{path*}` may contain slashes, `{name}` is one segment.
        expression += re.escape(uri[end : match.start()]) + f"(?P<{match[1]}>{'.+' if match[2] else '[^/]+'})"
        end = match.end()
    return re.compile(expression + re.escape(uri[end:]))


class PromptTemplate:
    """A function that returns the messages of an MCP prompt."""

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None = None,
        *,
        title: str | None = None,
        description: str | None = None,
    ) -> None:
        self.name: str = name or function.__name__
        self.title = title
        self.signature = Signature(function, f"prompt '{self.name}'")
        self.description = description or self.signature.description

    def to_mcp(self) -> dict[str, Any]:
        """The MCP prompt."""
        entry: dict[str, Any] = {"name": self.name}
        if self.title:
            entry["title"] = self.title
        if self.description:
            entry["description"] = self.description
        arguments = []
        for parameter in self.signature.parameters:
            argument: dict[str, Any] = {"name": parameter.name, "required": parameter.required}
            if parameter.description:
                argument["description"] = parameter.description
            arguments.append(argument)
        entry["arguments"] = arguments
        return entry

    async def get(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The MCP result of getting the prompt."""
        value = self.signature.call(self.signature.decode(arguments))
        if inspect.isawaitable(value):
            value = await value
        messages, roles = _prompt.on_the_wire(_prompt.messages(value))
        result: dict[str, Any] = {"description": self.description, "messages": messages}
        if roles is not None:
            result["_meta"] = {"hud/roles": roles}
        return result
