"""Splits a docstring into a description and descriptions of arguments.

Understands the Google, numpy and Sphinx styles. What describes arguments moves out of the
description; every other section stays in it, since a model can use what a function returns or
raises. A section that does not look like one of the styles stays where it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from inspect import cleandoc

_GOOGLE = re.compile(r"^(Args|Arguments|Parameters|Params|Keyword Args|Keyword Arguments|Other Parameters):\s*$")
_GOOGLE_ENTRY = re.compile(r"^\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")
_NUMPY = re.compile(r"^(Parameters|Other Parameters)\s*$")
_NUMPY_ENTRY = re.compile(r"^(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?$")
_SPHINX = re.compile(r"^:(?:param|parameter|arg|argument|key|keyword)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)$")
_SPHINX_TYPE = re.compile(r"^:type\s+\w+\s*:")


def parse(doc: str | None, names: Iterable[str]) -> tuple[str, dict[str, str]]:
    """Return the description and the description of each argument that is in `names`."""
    if not doc or not doc.strip():
        return "", {}
    lines = cleandoc(doc).splitlines()
    known = set(names)
    found: dict[str, str] = {}
    kept: list[str] = []
    index = 0
    while index < len(lines):
        taken = _section(lines, index, known) or _field(lines, index, known)
        if taken is None:
            kept.append(lines[index])
            index += 1
        else:
            entries, index = taken
            found.update(entries)
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()
    return text, found


def _section(lines: list[str], start: int, known: set[str]) -> tuple[dict[str, str], int] | None:
    """Read a Google or numpy section that starts at `start`, if there is one with known names."""
    head = lines[start]
    if _GOOGLE.match(head):
        body, end = _indented(lines, start + 1)
        entries = _entries(body, _google_entry)
    elif _NUMPY.match(head) and start + 1 < len(lines) and re.fullmatch(r"-{3,}\s*", lines[start + 1]):
        body, end = _until_next_numpy_section(lines, start + 2)
        entries = _entries(body, _numpy_entry)
    else:
        return None
    entries = {name: text for name, text in entries.items() if name in known}
    return (entries, end) if entries else None


def _indented(lines: list[str], start: int) -> tuple[list[str], int]:
    """The lines from `start` that are indented or blank."""
    end = start
    while end < len(lines) and (not lines[end].strip() or lines[end][0].isspace()):
        end += 1
    return lines[start:end], end


def _until_next_numpy_section(lines: list[str], start: int) -> tuple[list[str], int]:
    end = start
    while end < len(lines):
        underlined = end + 1 < len(lines) and re.fullmatch(r"-{3,}\s*", lines[end + 1])
        if underlined and lines[end].strip():
            break
        end += 1
    return lines[start:end], end


def _google_entry(line: str) -> tuple[list[str], str] | None:
    match = _GOOGLE_ENTRY.match(line)
    return ([match[1]], match[2]) if match else None


def _numpy_entry(line: str) -> tuple[list[str], str] | None:
    match = _NUMPY_ENTRY.match(line)
    if not match:
        return None
    return [name.strip().lstrip("*") for name in match[1].split(",")], ""


def _entries(body: list[str], read: object) -> dict[str, str]:
    """Entries start at the smallest indentation; deeper lines continue the entry before them."""
    filled = [line for line in body if line.strip()]
    if not filled:
        return {}
    margin = min(len(line) - len(line.lstrip()) for line in filled)
    entries: dict[str, list[str]] = {}
    current: list[str] = []
    for line in filled:
        indent = len(line) - len(line.lstrip())
        parsed = read(line.strip()) if indent == margin else None  # type: ignore[operator]
        if parsed is None:
            for name in current:
                entries[name].append(line.strip())
            continue
        current, text = parsed
        for name in current:
            entries[name] = [text] if text else []
    return {name: " ".join(parts).strip() for name, parts in entries.items() if parts}


def _field(lines: list[str], start: int, known: set[str]) -> tuple[dict[str, str], int] | None:
    """Read one Sphinx field, with its continuation lines."""
    match = _SPHINX.match(lines[start])
    if not match:
        return ({}, start + 1) if _SPHINX_TYPE.match(lines[start]) else None
    if match[1] not in known:
        return None
    body, end = _indented(lines, start + 1)
    rest = [line.strip() for line in body if line.strip()]
    return {match[1]: " ".join([match[2], *rest]).strip()}, end
