"""What tools and prompts exchange, in the shapes of the Model Context Protocol.

Content blocks, prompt messages, tool calls and tool results, with the field names of the `mcp`
package, so that code written for it runs unchanged. Fields that the protocol adds later are kept
(`_extra = "allow"`); URIs stay text and are not parsed. `to_dict()` gives the JSON that travels.
"""

from __future__ import annotations

import base64
import json
import os
import uuid
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Union

from hud._fields import between, field
from hud._model import Model

Role = Literal["user", "assistant"]


def _base64(data: bytes) -> str:
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"the content of a file is bytes, not {type(data).__name__}")
    return base64.b64encode(data).decode()


def _read(path: str | os.PathLike[str]) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _kind_of(path: str | os.PathLike[str], expected: str) -> str:
    import mimetypes

    kind = mimetypes.guess_type(os.fspath(path))[0] or ""
    # Registries disagree about the name of WAV; MCP's own examples use this one.
    kind = "audio/wav" if kind == "audio/x-wav" else kind
    if not kind.startswith(f"{expected}/"):
        raise ValueError(f"{os.fspath(path)}: cannot tell its kind of {expected} from the name; give mimeType=…")
    return kind


class _Wire(Model):
    """A protocol object: unknown fields are kept, and `meta` is spelled `_meta` in JSON."""

    _extra: ClassVar[Literal["forbid", "allow"]] = "allow"


class Annotations(_Wire):
    """Who a block is for, and how important it is (0 to 1)."""

    audience: list[Role] | None = None
    priority: Annotated[float, between(0, 1)] | None = None


class TextContent(_Wire):
    """A piece of text."""

    type: Literal["text"] = "text"
    text: str
    annotations: Annotations | None = None
    meta: dict[str, Any] | None = field(default=None, wire="_meta")


class ImageContent(_Wire):
    """A picture: base64 text in `data`, for example with `mimeType="image/png"`.

    `ImageContent.from_bytes(png)` and `ImageContent.from_file("plot.png")` do the encoding.
    """

    type: Literal["image"] = "image"
    data: str
    mimeType: str
    annotations: Annotations | None = None
    meta: dict[str, Any] | None = field(default=None, wire="_meta")

    @classmethod
    def from_bytes(cls, data: bytes, mimeType: str = "image/png") -> ImageContent:
        """A picture from the bytes of its file."""
        return cls(data=_base64(data), mimeType=mimeType)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], mimeType: str | None = None) -> ImageContent:
        """A picture from a file; its kind is that of the file's extension."""
        return cls(data=_base64(_read(path)), mimeType=mimeType or _kind_of(path, "image"))


class AudioContent(_Wire):
    """A sound: base64 text in `data`, for example with `mimeType="audio/wav"`.

    `AudioContent.from_bytes(wav)` and `AudioContent.from_file("beep.wav")` do the encoding.
    """

    type: Literal["audio"] = "audio"
    data: str
    mimeType: str
    annotations: Annotations | None = None
    meta: dict[str, Any] | None = field(default=None, wire="_meta")

    @classmethod
    def from_bytes(cls, data: bytes, mimeType: str = "audio/wav") -> AudioContent:
        """A sound from the bytes of its file."""
        return cls(data=_base64(data), mimeType=mimeType)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], mimeType: str | None = None) -> AudioContent:
        """A sound from a file; its kind is that of the file's extension."""
        return cls(data=_base64(_read(path)), mimeType=mimeType or _kind_of(path, "audio"))


class ResourceLink(_Wire):
    """A pointer to a resource that can be read with `resources/read`."""

    type: Literal["resource_link"] = "resource_link"
    name: str
    uri: str
    title: str | None = None
    description: str | None = None
    mimeType: str | None = None
    size: int | None = None
    icons: list[dict[str, Any]] | None = None
    annotations: Annotations | None = None
    meta: dict[str, Any] | None = field(default=None, wire="_meta")


class TextResourceContents(_Wire):
    """The text of a resource."""

    uri: str
    mimeType: str | None = None
    meta: dict[str, Any] | None = field(default=None, wire="_meta")
    text: str


class BlobResourceContents(_Wire):
    """The bytes of a resource, as base64 text in `blob`."""

    uri: str
    mimeType: str | None = None
    meta: dict[str, Any] | None = field(default=None, wire="_meta")
    blob: str


class EmbeddedResource(_Wire):
    """A resource that travels inside the message; `EmbeddedResource.of(uri, text_or_bytes)` makes one."""

    type: Literal["resource"] = "resource"
    resource: TextResourceContents | BlobResourceContents
    annotations: Annotations | None = None
    meta: dict[str, Any] | None = field(default=None, wire="_meta")

    @classmethod
    def of(cls, uri: str, content: str | bytes, mimeType: str | None = None) -> EmbeddedResource:
        """A text or bytes under an address."""
        if isinstance(content, str):
            return cls(resource=TextResourceContents(uri=uri, mimeType=mimeType or "text/plain", text=content))
        kind = mimeType or "application/octet-stream"
        return cls(resource=BlobResourceContents(uri=uri, mimeType=kind, blob=_base64(content)))


ContentBlock = Union[TextContent, ImageContent, AudioContent, ResourceLink, EmbeddedResource]


class PromptMessage(_Wire):
    """One message of a prompt. A scenario may yield several, as text or as content blocks."""

    role: Role
    content: ContentBlock

    if TYPE_CHECKING:

        def __init__(self, *, role: Role, content: ContentBlock | str) -> None: ...

    else:

        def __init__(self, *args: Any, **data: Any) -> None:
            # A bare text is what authors write first, and it can only mean a text block.
            if isinstance(data.get("content"), str):
                data["content"] = TextContent(text=data["content"])
            super().__init__(*args, **data)


def _new_id() -> str:
    return str(uuid.uuid4())


def _compact(value: Any) -> str:
    try:
        return json.dumps(value, separators=(",", ":"))
    except (TypeError, ValueError):
        return str(value)


class MCPToolCall(_Wire):
    """A tool to call. `id` is made up when not given; `annotation` may say why the call is made."""

    name: str
    arguments: dict[str, Any] | None = None
    id: str = field(default_factory=_new_id)
    annotation: str | None = None
    task: dict[str, Any] | None = field(default=None, dump="set")
    meta: dict[str, Any] | None = field(default=None, wire="_meta", dump="set")

    def __str__(self) -> str:
        shown = _compact(self.arguments) if self.arguments else ""
        if len(shown) > 60:
            shown = shown[:57] + "..."
        why = f"  # {self.annotation}" if self.annotation else ""
        return f"→ {self.name}({shown}){why}"


class MCPToolResult(_Wire):
    """What a tool gave back. `call_id` ties it to a provider's call."""

    content: list[ContentBlock] = field(default_factory=list)
    structuredContent: dict[str, Any] | None = None
    isError: bool = False
    call_id: str | None = None
    meta: dict[str, Any] | None = field(default=None, wire="_meta", dump="set")

    @property
    def text(self) -> str:
        """The text blocks, joined by newlines."""
        return "\n".join(block.text for block in self.content if isinstance(block, TextContent))

    def __str__(self) -> str:
        summary = ""
        for block in self.content:
            if isinstance(block, TextContent):
                summary = block.text.strip().split("\n")[0]
                break
            if isinstance(block, ImageContent):
                summary = "📷 Image"
                break
        if not summary and self.structuredContent:
            summary = _compact(self.structuredContent)
        return f"{'✗' if self.isError else '✓'} {summary}"


__all__ = [
    "Annotations",
    "AudioContent",
    "BlobResourceContents",
    "ContentBlock",
    "EmbeddedResource",
    "ImageContent",
    "MCPToolCall",
    "MCPToolResult",
    "PromptMessage",
    "ResourceLink",
    "Role",
    "TextContent",
    "TextResourceContents",
]
