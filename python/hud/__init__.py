"""hud: environments in which AI agents are evaluated.

    from hud import Environment

    env = Environment("trivia")

    @env.tool
    def lookup_ceo(company: str) -> str: ...

    @env.scenario("initials")
    async def initials(company: str):
        answer = yield f"What are the initials of the CEO of {company}?"
        yield 1.0 if answer == "JR" else 0.0

    task = env("initials", company="HUD")

Everything else is imported at first use: importing this package costs next to nothing.
"""

from __future__ import annotations

# Type checkers know the name. The module `typing` would cost more than everything else here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hud._completion import CompletionRequest
    from hud._context import Context, MissingCapability
    from hud._errors import Deadline
    from hud._task import Task
    from hud.environment import Environment
    from hud.types import (
        AgentAnswer,
        Answer,
        Citation,
        ContentResult,
        EvaluationResult,
        MCPToolCall,
        MCPToolResult,
        ScenarioResult,
        SubScore,
        ToolError,
        Trace,
    )

_HOME = {
    "CompletionRequest": "hud._completion",
    "Context": "hud._context",
    "MissingCapability": "hud._context",
    "Deadline": "hud._errors",
    "Task": "hud._task",
    "Environment": "hud.environment",
    **dict.fromkeys(
        (
            "AgentAnswer",
            "Answer",
            "Citation",
            "ContentResult",
            "EvaluationResult",
            "MCPToolCall",
            "MCPToolResult",
            "ScenarioResult",
            "SubScore",
            "ToolError",
            "Trace",
        ),
        "hud.types",
    ),
}

__all__ = [
    "AgentAnswer",
    "Answer",
    "Citation",
    "CompletionRequest",
    "ContentResult",
    "Context",
    "Deadline",
    "Environment",
    "EvaluationResult",
    "MCPToolCall",
    "MCPToolResult",
    "MissingCapability",
    "ScenarioResult",
    "SubScore",
    "Task",
    "ToolError",
    "Trace",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'hud' has no attribute '{name}'")
    from importlib import import_module

    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
