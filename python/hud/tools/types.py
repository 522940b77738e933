"""The types of tools and grades under the import path of Python hud 5; they live in `hud.types`."""

from hud.types import (
    AgentAnswer,
    Citation,
    ContentBlock,
    ContentResult,
    Coordinate,
    EvaluationResult,
    ImageContent,
    ScenarioResult,
    SubScore,
    TextContent,
    ToolError,
)

__all__ = [
    "AgentAnswer",
    "Citation",
    "ContentBlock",
    "ContentResult",
    "Coordinate",
    "EvaluationResult",
    "ImageContent",
    "ScenarioResult",
    "SubScore",
    "TextContent",
    "ToolError",
]
