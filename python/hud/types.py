"""The types that environment authors meet: grades, answers, traces, tool calls and content.

    from hud.types import EvaluationResult, SubScore, MCPToolResult, TextContent

All records take keyword arguments, check what they are given and say which field is wrong; see
`hud._model` for what they can do. The names follow Python hud 5 (`hud.types`, `hud.tools.types`) and
6 (`hud.graders`, `Answer`). Agents run outside of Python, so `AgentType` names them but has no
classes behind its values. `Task` is defined beside the environment and is loaded at first use.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Literal, TypeVar

from hud._content import (
    Annotations,
    AudioContent,
    BlobResourceContents,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    MCPToolCall,
    MCPToolResult,
    PromptMessage,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from hud._fields import between, field, finite
from hud._model import Model, ValidationError, warn

if TYPE_CHECKING:
    from hud._task import Task

T = TypeVar("T")

# Weights and rewards are typed by hand, so sums may miss by a hundredth: three times 0.33 does, and in
# binary by a hair more.
_SLACK = 0.01 + 1e-9


class SubScore(Model):
    """One part of a grade: `value` from 0 to 1, and how much it weighs (negative: a penalty).

    `info` (also spelled `metadata`) holds what the grader saw. It is for the trace, and is left out of
    dumps: a grade that travels must not carry a whole command's output. `children` are the parts that
    this one was made of.
    """

    name: str
    weight: Annotated[float, finite] = 1.0
    value: Annotated[float, between(0, 1)]
    children: list[SubScore] | None = field(default=None, dump="set")
    info: dict[str, Any] | None = field(default=None, also="metadata", dump="never")

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            name: str,
            value: float,
            weight: float = 1.0,
            children: list[SubScore] | None = None,
            info: dict[str, Any] | None = None,
            metadata: dict[str, Any] | None = None,
        ) -> None: ...

        @property
        def metadata(self) -> dict[str, Any] | None: ...

    @property
    def score(self) -> float:
        """Another name for `value`."""
        return self.value

    def to_summary(self) -> dict[str, Any]:
        """The score and its children as JSON data, without `info`."""
        return self.model_dump(mode="json")


class EvaluationResult(Model):
    """What a scenario yields last: the reward, and as much about it as is useful.

    A plain number is enough for most scenarios. With `subscores`, warnings point out positive weights
    that do not sum to 1, a sum of value × weight that is not the reward, and names used twice.
    `isError=True` says that grading itself failed: then there is no reward. Further fields are kept.
    """

    _extra: ClassVar[Literal["forbid", "allow"]] = "allow"

    reward: Annotated[float, finite] = 0.0
    done: bool = True
    content: str | None = None
    info: dict[str, Any] = field(default_factory=dict)
    isError: bool = False
    subscores: list[SubScore] | None = None

    def _after_init(self) -> None:
        if not self.subscores:
            return
        names = [part.name for part in self.subscores]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            warn(f"Duplicate subscore names: {', '.join(twice)}; only one of each can be found by name")
        positive = sum(part.weight for part in self.subscores if part.weight > 0)
        if abs(positive - 1.0) > _SLACK:
            warn(f"Positive subscore weights should sum to 1, these sum to {positive:.4f}")
        total = sum(part.value * part.weight for part in self.subscores)
        if abs(total - self.reward) > _SLACK:
            warn(f"Subscores don't match reward: value times weight sums to {total:.4f}, reward is {self.reward:.4f}")

    @classmethod
    def from_float(cls, value: float) -> EvaluationResult:
        """A result that is only a reward."""
        return cls(reward=value)


ScenarioResult = EvaluationResult


class Citation(Model):
    """A place that an answer rests on, in one shape for every provider.

    `start_index` and `end_index` are characters of the answer; `provider_data` keeps the original.
    """

    type: str = "citation"
    text: str = ""
    source: str = ""
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None
    provider_data: dict[str, Any] = field(default_factory=dict)


class AgentAnswer(Model, Generic[T]):
    """The answer that a scenario with `returns=T` receives.

    `content` is the parsed answer, or the raw text when it could not be parsed as T; `raw` is always
    the text. The parameter T is for type checkers: making an AgentAnswer does not parse anything.
    """

    content: T
    raw: str = ""
    citations: list[Citation] = field(default_factory=list)
    trace: Trace | None = None


Answer = AgentAnswer


class ToolError(Exception):
    """Raised by a tool to answer with an error of its own wording instead of a failure's."""


class ContentResult(Model):
    """A tool's result in several parts, turned into content blocks; results can be added up.

    `system` is a note for the harness and does not become a block. Joining two results joins their
    texts; two images or two URLs cannot be joined.
    """

    output: str | None = None
    error: str | None = None
    base64_image: str | None = None
    system: str | None = None
    url: str | None = None

    def __add__(self, other: ContentResult) -> ContentResult:
        if not isinstance(other, ContentResult):
            return NotImplemented
        joined: dict[str, str | None] = {}
        for name in self._declared:
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine and theirs and name in ("base64_image", "url"):
                raise ValueError(f"Cannot combine two results that both have '{name}'")
            joined[name] = mine + theirs if mine and theirs else mine or theirs
        return ContentResult(**joined)

    def to_text_blocks(self) -> list[TextContent]:
        """The output, the error and the URL (as `__URL__:…`), each a text block when not empty."""
        texts = [self.output, self.error, f"__URL__:{self.url}" if self.url else None]
        return [TextContent(text=text) for text in texts if text]

    def to_content_blocks(self) -> list[ContentBlock]:
        """The text blocks, then the image. JPEG data is recognised, all else is called PNG."""
        blocks: list[ContentBlock] = list(self.to_text_blocks())
        if self.base64_image:
            kind = "image/jpeg" if self.base64_image.startswith("/9j/") else "image/png"
            blocks.append(ImageContent(data=self.base64_image, mimeType=kind))
        return blocks


class Coordinate(Model):
    """A point on the screen, in pixels."""

    x: int
    y: int


class AgentType(str, enum.Enum):
    """The agents that a task or a command line can name."""

    CLAUDE = "claude"
    OPENAI = "openai"
    OPERATOR = "operator"
    GEMINI = "gemini"
    GEMINI_CUA = "gemini_cua"
    OPENAI_COMPATIBLE = "openai_compatible"
    INTEGRATION_TEST = "integration_test"


class BaseAgentConfig(Model):
    """The agent settings that a task may carry as its `agent_config`. Unknown names are refused.

    `append_setup_tool` is an older spelling of `append_setup_output`. `response_tool_name` and
    `initial_screenshot` belong to old tasks; one that sets them is refused with what to do instead.
    """

    system_prompt: str | None = None
    allowed_tools: list[str] | None = None
    disallowed_tools: list[str] | None = None
    response_tool_name: str | None = None
    append_setup_output: bool = True
    append_setup_tool: bool = False
    initial_screenshot: bool = True


class InferenceResult(Model):
    """One reply of a model: text, the tools it wants called, and whether it is done."""

    tool_calls: list[MCPToolCall] = field(default_factory=list)
    done: bool = False
    content: str | None = None
    reasoning: str | None = None
    info: dict[str, Any] = field(default_factory=dict)
    isError: bool = False
    raw: Any = None
    citations: list[dict[str, Any]] = field(default_factory=list)
    start_timestamp: str | None = None
    end_timestamp: str | None = None

    def __str__(self) -> str:
        calls = ", ".join(f"{call.name}: {call.arguments}" for call in self.tool_calls)
        parts = [("Reasoning", self.reasoning), ("Content", self.content), ("Tool Calls", calls), ("Raw", self.raw)]
        return "\n".join(f"{label}: {part}" for label, part in parts if part)


AgentResponse = InferenceResult


class TraceStep(Model):
    """One step of a trace: a call to a model (`agent`), to a tool (`mcp`), or anything else timed."""

    _extra: ClassVar[Literal["forbid", "allow"]] = "allow"

    task_run_id: str | None = None
    job_id: str | None = None
    category: str = "mcp"
    request: Any = None
    result: Any = None
    type: str = "CLIENT"
    start_timestamp: str | None = None
    end_timestamp: str | None = None


class Trace(Model):
    """The result of a run: its reward, its last text, and its steps; `len()` counts the steps."""

    reward: Annotated[float, finite] = 0.0
    done: bool = True
    info: dict[str, Any] = field(default_factory=dict)
    content: str | None = None
    isError: bool = False
    citations: list[dict[str, Any]] = field(default_factory=list)
    task: Any = None
    trace: list[TraceStep] = field(default_factory=list)
    messages: list[Any] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.trace)

    def __bool__(self) -> bool:
        # Without this a run that recorded no steps would be false, and `if trace:` would skip it.
        return True

    @property
    def num_messages(self) -> int:
        """How many messages the conversation had at its end."""
        return len(self.messages)

    def append(self, step: TraceStep) -> None:
        """Add a step at the end."""
        self.trace.append(TraceStep.model_validate(step))


def __getattr__(name: str) -> Any:
    # The task needs the environment, which needs this module: importing it here would be a circle.
    if name in ("Task", "LegacyTask"):
        from hud._task import Task

        return Task
    raise AttributeError(f"module 'hud.types' has no attribute '{name}'")


__all__ = [
    "AgentAnswer",
    "AgentResponse",
    "AgentType",
    "Annotations",
    "Answer",
    "AudioContent",
    "BaseAgentConfig",
    "BlobResourceContents",
    "Citation",
    "ContentBlock",
    "ContentResult",
    "Coordinate",
    "EmbeddedResource",
    "EvaluationResult",
    "ImageContent",
    "InferenceResult",
    "MCPToolCall",
    "MCPToolResult",
    "PromptMessage",
    "ResourceLink",
    "ScenarioResult",
    "SubScore",
    "Task",
    "TextContent",
    "TextResourceContents",
    "ToolError",
    "Trace",
    "TraceStep",
    "ValidationError",
]
