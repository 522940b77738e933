"""MCP resources and prompts that an environment declares beside its tools and scenarios."""

from __future__ import annotations

import base64
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from hud import _prompt
from hud._completion import Completer, check_completers
from hud._jsonable import dumps, to_json
from hud._signature import Signature
from hud._tool import as_icons, as_mapping

_PART = re.compile(r"\{(\w+)(\*)?\}")


class Resource:
    """A function that returns the content of an address.

    A text, bytes, or any JSON value is one content with the resource's `mime_type`; a list of
    `hud.types.TextResourceContents` and `BlobResourceContents` (or dicts of their shape) is several, for
    instance the files of a folder.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        uri: str,
        *,
        name: str | None = None,
        title: str | None = None,
        description: str | None = None,
        mime_type: str | None = None,
        annotations: dict[str, Any] | None = None,
        meta: dict[str, Any] | None = None,
        icons: list[dict[str, Any]] | None = None,
        size: int | None = None,
        complete: Mapping[str, Completer] | None = None,
    ) -> None:
        self.uri = uri
        self.name: str = name or str(getattr(function, "__name__", uri))
        self.title = title
        self.mime_type = mime_type or "text/plain"
        self.signature = Signature(function, f"resource '{uri}'")
        self.description = description or self.signature.description
        self.annotations = as_mapping(annotations, f"resource '{uri}': annotations")
        self.meta = meta
        self.icons = as_icons(icons, f"resource '{uri}'")
        self.size = size
        self.is_template = bool(_PART.search(uri))
        self._pattern = _pattern(uri)
        self.parts = list(dict.fromkeys(match[1] for match in _PART.finditer(uri)))
        missing = [p.name for p in self.signature.parameters if p.required and p.name not in self.parts]
        if missing:
            raise ValueError(f"resource '{uri}': its function needs '{missing[0]}', which the address does not contain")
        self.complete = check_completers(complete, self.parts, f"resource '{uri}'")

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
        if self.size is not None and not self.is_template:
            entry["size"] = self.size
        if self.annotations:
            entry["annotations"] = self.annotations
        if self.icons:
            entry["icons"] = self.icons
        if self.meta:
            entry["_meta"] = self.meta
        return entry

    async def read(self, uri: str, parts: dict[str, str], context: Any = None) -> list[dict[str, Any]]:
        """The MCP contents of an address."""
        value = self.signature.call(self.signature.decode(parts), context)
        if inspect.isawaitable(value):
            value = await value
        if isinstance(value, (list, tuple)) and value:
            contents = [_contents(item) for item in value]
            if all(contents):
                return [content for content in contents if content]
        return [_contents(value) or self._content(uri, value)]

    def _content(self, uri: str, value: Any) -> dict[str, Any]:
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


def _contents(value: Any) -> dict[str, Any] | None:
    """A value in the shape of MCP's resource contents, or None when it is data."""
    if hasattr(value, "model_dump") and hasattr(value, "uri"):
        value = value.model_dump(mode="json", by_alias=True, exclude_none=True)
    if not isinstance(value, dict) or not isinstance(value.get("uri"), str):
        return None
    known = value.keys() <= {"uri", "mimeType", "text", "blob", "_meta"}
    return value if known and ("text" in value) != ("blob" in value) else None


def _pattern(uri: str) -> re.Pattern[str]:
    expression, end = "", 0
    for match in _PART.finditer(uri):
        # `{path*}` may contain slashes, `{name}` is one segment.
        expression += re.escape(uri[end : match.start()]) + f"(?P<{match[1]}>{'.+' if match[2] else '[^/]+'})"
        end = match.end()
    return re.compile(expression + re.escape(uri[end:]))


class PromptTemplate:
    """A function that returns the messages of an MCP prompt, in any form that a scenario may yield."""

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None = None,
        *,
        title: str | None = None,
        description: str | None = None,
        meta: dict[str, Any] | None = None,
        icons: list[dict[str, Any]] | None = None,
        complete: Mapping[str, Completer] | None = None,
    ) -> None:
        self.name: str = name or function.__name__
        self.title = title
        self.signature = Signature(function, f"prompt '{self.name}'")
        self.description = description or self.signature.description
        self.meta = meta
        self.icons = as_icons(icons, f"prompt '{self.name}'")
        names = list(inspect.signature(function).parameters)
        self.complete = check_completers(complete, names, f"prompt '{self.name}'")

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
        if self.icons:
            entry["icons"] = self.icons
        if self.meta:
            entry["_meta"] = self.meta
        return entry

    async def get(self, arguments: dict[str, Any], context: Any = None) -> dict[str, Any]:
        """The MCP result of getting the prompt."""
        value = self.signature.call(self.signature.decode(arguments), context)
        if inspect.isawaitable(value):
            value = await value
        messages, roles = _prompt.on_the_wire(_prompt.messages(value))
        result: dict[str, Any] = {"description": self.description, "messages": messages}
        if roles is not None:
            result["_meta"] = {"hud/roles": roles}
        return result
