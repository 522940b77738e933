"""What tools return and raise, under the import path of Python hud 5: `from hud.tools import ToolError`.

There are no ready-made tools in here: an environment's tools are the functions it registers.
"""

from hud.tools.types import (
    AgentAnswer,
    Citation,
    ContentResult,
    Coordinate,
    EvaluationResult,
    ScenarioResult,
    SubScore,
    ToolError,
)

__all__ = [
    "AgentAnswer",
    "Citation",
    "ContentResult",
    "Coordinate",
    "EvaluationResult",
    "ScenarioResult",
    "SubScore",
    "ToolError",
]
