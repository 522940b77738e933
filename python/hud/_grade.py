"""The answer that goes into a scenario, and the grade that comes out of its second yield."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping
from typing import Any

from hud._coerce import CoercionError, coerce
from hud._errors import ScenarioError
from hud._jsonable import to_json

Grade = dict[str, Any]

_ENVELOPE = {"content", "citations", "annotations", "grounding"}
_FIELDS = {"reward", "done", "content", "info", "isError", "subscores"}


def submitted(answer: Any) -> Any:
    """An answer as it came over MCP: unpack `{"content", "citations"}`, keep every other text.

    Only the envelope is unpacked. An agent that answers with a JSON object of its own means that text.
    """
    if isinstance(answer, str) and answer.lstrip().startswith("{"):
        try:
            decoded = json.loads(answer)
        except ValueError:
            return answer
        return decoded if is_envelope(decoded) else answer
    return answer


def is_envelope(value: Any) -> bool:
    """True for the structured form of an answer."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("content"), str)
        and "citations" in value
        and value.keys() <= _ENVELOPE
    )


def answer_for(answer: Any, returns: Any, owner: str, citations: bool = False) -> Any:
    """What `answer = yield …` receives: the text, or an AgentAnswer when the scenario declares `returns`."""
    raw, found = (answer["content"], answer["citations"]) if is_envelope(answer) else (answer, [])
    if returns is None and not citations:
        return raw
    from hud.types import AgentAnswer, Citation

    content = raw
    if returns is not None and raw is not None:
        try:
            content = _parse(raw, returns)
        except CoercionError as error:
            # The scenario decides what a malformed answer is worth, so it gets the text.
            warnings.warn(f"{owner}: the answer does not fit its return type: {error}", stacklevel=2)
    text = raw if isinstance(raw, str) else "" if raw is None else json.dumps(to_json(raw))
    return AgentAnswer(content=content, raw=text, citations=[Citation(**item) for item in found or []])


def _parse(raw: Any, returns: Any) -> Any:
    if not isinstance(raw, str):
        return coerce(raw, returns)
    try:
        decoded = json.loads(_without_fence(raw))
    except ValueError:
        return coerce(raw, returns)
    try:
        return coerce(decoded, returns)
    except CoercionError:
        if returns is str:
            return raw
        raise


def _without_fence(text: str) -> str:
    """JSON inside a Markdown fence, which models add however often they are told not to."""
    stripped = text.strip()
    if stripped.startswith("```") and stripped.endswith("```") and "\n" in stripped:
        return stripped[stripped.index("\n") : -3]
    return stripped


def grade_of(value: Any, *, template: bool = False) -> Grade:
    """The second yield as `{"reward", "done", "info", "isError", …}`; ScenarioError when it is no grade."""
    if isinstance(value, Mapping):
        data = dict(value)
        key = "score" if template or "reward" not in data else "reward"
        if not _is_number(data.get(key), template):
            wanted = "'score'" if template else "'reward'"
            raise ScenarioError(
                f"graded with a dict without a numeric {wanted} (keys: {', '.join(map(str, data)) or 'none'})",
                kind="TypeError",
            )
        reward = data.pop(key)
        return _complete(float(reward), data)
    if hasattr(value, "reward") and _is_number(value.reward):
        if hasattr(value, "model_dump"):
            data = value.model_dump()
        else:
            data = {name: getattr(value, name) for name in _FIELDS if hasattr(value, name)}
        data.pop("reward", None)
        return _complete(float(value.reward), data)
    if _is_number(value, template):
        return _complete(float(value), {})
    shown = repr(value) if len(repr(value)) <= 60 else f"{type(value).__name__}"
    raise ScenarioError(
        f"graded with {shown}; yield a number, an EvaluationResult or a dict with a 'reward'", kind="TypeError"
    )


def _is_number(value: Any, template: bool = True) -> bool:
    """True for numbers, and in a scenario for numeric text, which generation 5 takes and generation 6 does not."""
    if isinstance(value, str) and not template:
        try:
            float(value)
        except ValueError:
            return False
        return True
    if isinstance(value, (str, bytes)) or value is None:
        return False
    return isinstance(value, (int, float)) or hasattr(value, "__float__")


def _complete(reward: float, data: dict[str, Any]) -> Grade:
    if not math.isfinite(reward):
        raise ScenarioError(f"graded with {reward}, which is not a finite number", kind="ValueError")
    grade: Grade = {"reward": reward, "done": bool(data.pop("done", True))}
    content = data.pop("content", None)
    if content is not None:
        grade["content"] = content if isinstance(content, str) else json.dumps(to_json(content))
    grade["info"] = to_json(data.pop("info", None) or {}, "the grade's info")
    failed = data.pop("isError", data.pop("is_error", False))
    grade["isError"] = bool(failed)
    subscores = data.pop("subscores", None)
    if subscores:
        grade["subscores"] = [_subscore(item) for item in subscores]
    for name, extra in data.items():
        if extra is not None and isinstance(name, str):
            grade[name] = to_json(extra, f"the grade's '{name}'")
    return grade


def _subscore(item: Any) -> dict[str, Any]:
    """Name, value and weight; what the grader noted about it stays in the worker."""
    data = dict(item) if isinstance(item, Mapping) else item.model_dump(exclude_none=True)
    kept = {key: to_json(value) for key, value in data.items() if key not in ("metadata", "info") and value is not None}
    if kept.get("children"):
        kept["children"] = [_subscore(child) for child in data["children"]]
    return kept
