"""Graders: from an answer, or the state of the world, to a reward.

    from hud.graders import BashGrader, combine, exact_match, SubScore

    yield exact_match(answer, "France")

    yield await combine(
        BashGrader.grade(weight=0.7, command="pytest -q"),
        SubScore(name="format", weight=0.3, value=contains(answer, "done")),
    )

`text` compares answers, `combine` weighs several grades, `bash` asks a command, `judge` asks a model.
Both spellings work: `Grade.gather` of Python hud 5 and `combine` of Python hud 6. A grader that cannot
do its work raises: a failure to grade is reported as one, and never becomes a reward of 0.
"""

from hud.graders.bash import BashGrader
from hud.graders.combine import Grade, Grader, combine, combine_all, combine_any
from hud.graders.judge import JudgeError, LLMJudgeGrader
from hud.graders.text import (
    contains,
    contains_all,
    contains_any,
    exact_match,
    f1_score,
    normalize,
    numeric_match,
)
from hud.types import EvaluationResult, SubScore

__all__ = [
    "BashGrader",
    "EvaluationResult",
    "Grade",
    "Grader",
    "JudgeError",
    "LLMJudgeGrader",
    "SubScore",
    "combine",
    "combine_all",
    "combine_any",
    "contains",
    "contains_all",
    "contains_any",
    "exact_match",
    "f1_score",
    "normalize",
    "numeric_match",
]
