"""Comparing an answer with what was expected. Every comparison returns 1.0, 0.0, or a share between.

The answer may be text, a number, None (no answer, which matches nothing but an empty text), or the
`AgentAnswer` of a scenario with `returns=`, whose text is used. Nothing here understands meaning or
languages: `normalize` knows English articles, `numeric_match` the English way of writing numbers.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from hud.types import AgentAnswer

_ARTICLES = frozenset(("a", "an", "the"))
_PUNCTUATION = re.compile(r"[^\w\s]")

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_NUMBER = re.compile(
    r"""
    (?P<sign> (?<![\w.)]) [-+\u2212] )?   # none in GPT-4 and 3-5, where it joins or spans
    (?P<currency> [$€£¥₹] \s? (?P<inner> [-\u2212] )? )?  # -$5 and $-5
    (?P<digits>
        \d{1,3} (?P<mark> [,'\u2019_\u00a0\u2009\u202f]) \d{3} (?: (?P=mark) \d{3} )* (?! \d ) (?: \. \d+ )?
      | \d+ (?: \. \d+ )?
      | (?<! [\w.] ) \. \d+
    )
    (?:
        [eE] (?P<exponent> [-+]? \d+ ) (?! \w )
      | \s* (?: [×·*xX] | \\times | \\cdot ) \s* 10
        (?: (?: \^ | \*\* ) [{(]? (?P<power> [-+\u2212]? \d+ ) [)}]? | (?P<super> [⁺⁻]? [⁰¹²³⁴⁵⁶⁷⁸⁹]+ ) )
    )?
    """,
    re.VERBOSE,
)


def _text(answer: Any) -> str:
    if isinstance(answer, AgentAnswer):
        answer = answer.content if isinstance(answer.content, (str, int, float)) else answer.raw
    return "" if answer is None else str(answer)


def _texts(substrings: Iterable[Any], name: str) -> list[str]:
    if isinstance(substrings, str):
        # A text is iterable too, and looking for its single letters would match almost anything.
        raise TypeError(f"{name} takes a list of texts; use contains() for a single one")
    return [_text(item) for item in substrings]


def normalize(text: Any) -> str:
    """Lower case, punctuation to spaces, the words a, an and the removed, white space squeezed.

    `normalize("  The Answer is: 42! ")` is `"answer is 42"`.
    """
    words = _PUNCTUATION.sub(" ", _text(text).lower()).split()
    return " ".join(word for word in words if word not in _ARTICLES)


def exact_match(answer: Any, expected: Any, *, normalize_text: bool = True) -> float:
    """1.0 when the whole answer is what was expected.

    Both sides are normalized first, so "The Paris!" matches "paris"; but a sentence around the answer
    does not match: that is what `contains` is for. With `normalize_text=False` only case and the white
    space at both ends are ignored.
    """
    if normalize_text:
        return 1.0 if normalize(answer) == normalize(expected) else 0.0
    return 1.0 if _text(answer).strip().lower() == _text(expected).strip().lower() else 0.0


def contains(answer: Any, substring: Any, *, case_sensitive: bool = False) -> float:
    """1.0 when the substring occurs in the answer, also inside of a word."""
    return _share([_text(substring)], answer, case_sensitive, all)


def contains_any(answer: Any, substrings: Iterable[Any], *, case_sensitive: bool = False) -> float:
    """1.0 when at least one of the substrings occurs in the answer; 0.0 for an empty list."""
    return _share(_texts(substrings, "contains_any"), answer, case_sensitive, any)


def contains_all(answer: Any, substrings: Iterable[Any], *, case_sensitive: bool = False) -> float:
    """1.0 when all of the substrings occur in the answer; 1.0 for an empty list."""
    return _share(_texts(substrings, "contains_all"), answer, case_sensitive, all)


def _share(substrings: list[str], answer: Any, case_sensitive: bool, how: Any) -> float:
    text = _text(answer)
    if not case_sensitive:
        text, substrings = text.lower(), [item.lower() for item in substrings]
    return 1.0 if how(item in text for item in substrings) else 0.0


def first_number(text: Any) -> int | float | None:
    """The first number of a text, or None. Whole numbers stay exact, whatever their size.

    Understood are signs (also "−" and "-$5"), thousands separators ("1,234.50", "1 234" with a
    no-break space, "1'234", "1_234"), decimals (".5" too), and exponents ("1e3", "1.2E-4",
    "3 × 10^4", "3×10⁴"). A hyphen between a word or a number and the next number is no sign: "GPT-4"
    holds 4. Not understood: decimal commas ("3,14" is 3), fractions ("1/2" is 1), percent ("85%" is
    85), and numbers in words.
    """
    if isinstance(text, AgentAnswer):
        text = text.content if text.content is not None else text.raw
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return text
    match = _NUMBER.search(_text(text))
    if match is None:
        return None
    digits = re.sub(r"[,'\u2019_\u00a0\u2009\u202f]", "", match["digits"])
    power = match["exponent"] or match["power"] or (match["super"] or "").translate(_SUPERSCRIPTS)
    power = power.replace("\u2212", "-")
    negative = "-" in (match["sign"] or "").replace("\u2212", "-") or bool(match["inner"])
    # 300 digits is more than a float holds, and Python refuses to parse whole numbers of 4,300.
    exact = not power and "." not in digits and len(digits) <= 300
    number: int | float = int(digits) if exact else float(f"{digits}e{power or 0}")
    return -number if negative else number


def numeric_match(answer: Any, expected: float, *, tolerance: float = 0.0) -> float:
    """1.0 when the first number in the answer is the expected one, give or take the tolerance.

    `numeric_match("It costs $1,234.50.", 1234.5)` is 1.0; see `first_number` for what counts as a
    number. The tolerance is absolute and includes its end: 3.1 is within 0.1 of 3.
    """
    if tolerance < 0:
        raise ValueError(f"tolerance must not be negative, got {tolerance!r}")
    found = first_number(answer)
    if found is None:
        return 0.0
    difference = abs(found - expected)
    # 3.1 - 3.0 is 0.10000000000000009 in binary; nobody who wrote 0.1 meant to leave 3.1 out.
    edge = tolerance > 0 and math.isclose(difference, tolerance, rel_tol=1e-9)
    return 1.0 if difference <= tolerance or edge else 0.0


def f1_score(answer: Any, reference: Any) -> float:
    """How well the words of the answer and of the reference overlap, from 0 to 1.

    The harmonic mean of precision and recall over normalized words, counting repeated words as often
    as both have them: `f1_score("The capital is Paris, France", "Paris")` is 0.4. Empty texts give 0.
    """
    mine, theirs = normalize(answer).split(), normalize(reference).split()
    common = sum((Counter(mine) & Counter(theirs)).values())
    if not common:
        return 0.0
    precision, recall = common / len(mine), common / len(theirs)
    return 2 * precision * recall / (precision + recall)
