"""Several grades into one: the weighing of subscores, and the base class of reusable graders.

Positive weights are divided by their sum, so the reward of an answer that is right in every part is
1. Negative weights are penalties and stay as they are, so a reward can fall below 0; it is not
clamped. At least one weight must be positive.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import Any, ClassVar, Union

from hud._model import json_safe, warn
from hud.types import EvaluationResult, SubScore

Part = Union[SubScore, Awaitable[SubScore]]


def _unique_names(parts: Sequence[SubScore]) -> list[str]:
    """Number the names that occur more than once: two parts `a` become `a-1` and `a-2`."""
    counts = Counter(part.name for part in parts)
    taken = set(counts)
    used: Counter[str] = Counter()
    names = []
    for part in parts:
        name = part.name
        if counts[name] > 1:
            while name in taken:
                used[part.name] += 1
                name = f"{part.name}-{used[part.name]}"
            taken.add(name)
        names.append(name)
    return names


def _weigh(parts: Sequence[SubScore], *, say: bool) -> EvaluationResult:
    if not parts:
        raise ValueError("there are no subscores to combine")
    total = sum(part.weight for part in parts if part.weight > 0)
    if total <= 0:
        raise ValueError("subscores need at least one positive weight; all of these are penalties or weigh nothing")
    # Weights left at their default of 1 each plainly mean "equal", which dividing gives; only weights
    # that somebody wrote down can be a slip.
    written = any(part.weight != 1.0 for part in parts if part.weight > 0)
    if say and written and abs(total - 1.0) > 0.01:
        warn(f"the positive weights sum to {total:.4f}, not 1, and were divided by that")
    named = [
        part.model_copy(update={"name": name, "weight": part.weight / total if part.weight > 0 else part.weight})
        for part, name in zip(parts, _unique_names(parts))
    ]
    return EvaluationResult(
        reward=sum(part.value * part.weight for part in named),
        subscores=named,
        info={part.name: part.info for part in named if part.info is not None},
    )


async def _resolve(items: Sequence[Any]) -> list[SubScore]:
    """Run what is awaitable, all at once. When one fails, the others are stopped before it is raised."""
    wrong = next((item for item in items if not isinstance(item, (SubScore, Awaitable))), None)
    if wrong is not None:
        for item in items:
            if inspect.iscoroutine(item):
                # A coroutine that is dropped warns "never awaited", which would bury the real error.
                item.close()
        raise TypeError(f"expected a SubScore or an awaitable of one, got {type(wrong).__name__}: {wrong!r}")
    tasks = {i: asyncio.ensure_future(item) for i, item in enumerate(items) if not isinstance(item, SubScore)}
    try:
        if tasks:
            done, _ = await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
    parts = [tasks[i].result() if i in tasks else item for i, item in enumerate(items)]
    for part in parts:
        if not isinstance(part, SubScore):
            raise TypeError(f"expected an awaitable of a SubScore, it gave {type(part).__name__}: {part!r}")
    return parts


async def combine(*items: Part) -> EvaluationResult:
    """Weigh subscores and graders, run concurrently, into a result that a scenario can yield.

    Warns when weights that were written down do not sum to 1, because then each counts for another
    share than it says.
    """
    return _weigh(await _resolve(items), say=True)


def combine_any(weight: float, subscores: Sequence[SubScore], *, name: str = "any") -> SubScore:
    """A subscore that is as good as the best of these, which become its children."""
    return _pick(max, weight, subscores, name)


def combine_all(weight: float, subscores: Sequence[SubScore], *, name: str = "all") -> SubScore:
    """A subscore that is as good as the worst of these, which become its children."""
    return _pick(min, weight, subscores, name)


def _pick(choose: Any, weight: float, subscores: Sequence[SubScore], name: str) -> SubScore:
    if not subscores:
        raise ValueError("there are no subscores to combine")
    names = _unique_names(subscores)
    children = [part.model_copy(update={"name": unique}) for part, unique in zip(subscores, names)]
    info = {
        "subscores": names,
        "subscore_metadata": {part.name: part.info for part in children if part.info is not None},
    }
    value = choose(part.value for part in subscores)
    return SubScore(name=name, weight=weight, value=value, children=children, info=info)


class Grade:
    """The same weighing under the names of Python hud 5, which divides weights without a warning."""

    @staticmethod
    def from_subscores(subscores: Sequence[SubScore]) -> EvaluationResult:
        """Weigh subscores that are already there."""
        return _weigh([SubScore.model_validate(part) for part in subscores], say=False)

    @staticmethod
    async def gather(*items: Part) -> EvaluationResult:
        """Weigh subscores and graders, run concurrently."""
        return _weigh(await _resolve(items), say=False)


class Grader:
    """The base of reusable graders: implement `compute_score`, use `grade`.

        class FileExists(Grader):
            name = "file_exists"

            @classmethod
            async def compute_score(cls, path: str) -> float:
                return 1.0 if Path(path).exists() else 0.0

        yield await combine(FileExists.grade(weight=1.0, path="out.txt"))

    `compute_score` returns a number from 0 to 1, a pair of that and a dictionary of what it saw, or a
    SubScore; it may also be a plain function. The parameters are kept in the subscore's
    `info["_parameters"]`, so that a trace shows what was graded.
    """

    name: ClassVar[str] = "BaseGrader"

    @classmethod
    async def grade(cls, weight: float, name: str | None = None, **kwargs: Any) -> SubScore:
        """Run the grader and make a subscore of what it says."""
        result: Any = cls.compute_score(**kwargs)
        if inspect.isawaitable(result):
            result = await result
        if isinstance(result, tuple):
            result, info = result
            part = SubScore(name=cls.name, value=result, info=dict(info or {}))
        elif isinstance(result, SubScore):
            part = result
        else:
            part = SubScore(name=cls.name, value=result)
        info = {**(part.info or {}), "_parameters": json_safe(kwargs)}
        return part.model_copy(update={"name": name or cls.name, "weight": weight, "info": info})

    @classmethod
    async def compute_score(cls, *args: Any, **kwargs: Any) -> float | tuple[float, dict[str, Any]] | SubScore:
        """The score of one grading; every grader has its own."""
        raise NotImplementedError(f"{cls.__name__} has to implement compute_score")

    @classmethod
    def any(cls, weight: float, subscores: Sequence[SubScore]) -> SubScore:
        """A subscore that is as good as the best of these, named after this grader."""
        return combine_any(weight, subscores, name=f"{cls.name}_any")

    @classmethod
    def all(cls, weight: float, subscores: Sequence[SubScore]) -> SubScore:
        """A subscore that is as good as the worst of these, named after this grader."""
        return combine_all(weight, subscores, name=f"{cls.name}_all")
