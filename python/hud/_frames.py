"""Whose code is this? Decides for a file name, a stack frame or a traceback entry.

Two questions are asked with different answers. "May a deadline be raised here?" counts installed
packages as user code, since environments get installed too. "Which lines should a person read?"
counts only the person's own files, because frames of libraries bury the line to fix.
"""

from __future__ import annotations

import inspect
import linecache
import os
import traceback
from collections.abc import Callable
from types import CodeType, TracebackType
from typing import Any

from hud._errors import ScenarioError

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_STDLIB = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_INSTALLED = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)
# Modules that people call as if they had written them: graders and native tools run commands and
# wait for models, so a deadline must be able to reach into them.
_PUBLIC_CODE = ("graders" + os.sep, "native" + os.sep, "tools" + os.sep)


def is_machinery(filename: str) -> bool:
    """True for the parts of this package that call user code and must not be interrupted."""
    return filename.startswith(_PACKAGE) and not filename[len(_PACKAGE) :].startswith(_PUBLIC_CODE)


def is_stdlib(filename: str) -> bool:
    """True for the standard library, frozen modules included; false for site-packages inside it."""
    if filename.startswith("<frozen "):
        return True
    return filename.startswith(_STDLIB) and not any(part in filename for part in _INSTALLED)


def is_installed(filename: str) -> bool:
    """True for files of installed packages."""
    return any(part in filename for part in _INSTALLED)


def may_interrupt(filename: str) -> bool:
    """True when a frame of this file counts as user code for a deadline."""
    return not is_machinery(filename) and not is_stdlib(filename)


def is_readable(filename: str) -> bool:
    """True when a frame of this file belongs in an error message for the author."""
    return not (
        filename.startswith(_PACKAGE) or is_stdlib(filename) or is_installed(filename) or filename == "<string>"
    )


class ErrorReport:
    """What a person needs to know about an exception: type, message, own file and line, own frames.

    `message` is for people; `text` is what Python makes of the exception, which is what an agent gets.
    `trace` ends with the exception as Python's own does; `frames` leaves it to `kind` and `message`.
    """

    def __init__(self, error: BaseException) -> None:
        self.kind = error.kind if isinstance(error, ScenarioError) else type(error).__name__
        self.message = _message(error)
        self.text = self.message if isinstance(error, SystemExit) else str(error) or self.kind
        self.file: str | None = None
        self.line: int | None = None
        entries = _entries(error.__traceback__)
        own = [entry for entry in entries if is_readable(entry.filename)]
        if isinstance(error, ScenarioError):
            own = [traceback.FrameSummary(*error.place)] if error.place else []
        if isinstance(error, SyntaxError) and error.filename:
            self.file, self.line = os.path.abspath(error.filename), error.lineno
        elif own:
            self.file, self.line = os.path.abspath(own[-1].filename), own[-1].lineno
        chain = _chain(error)
        last = _last_lines(error)
        self.trace = chain + _stack(own) + "".join(last)
        # A syntax error's lines show the place, and notes say what the message does not.
        self.frames = chain + _stack(own) + "".join(last if isinstance(error, SyntaxError) else last[1:])

    def to_dict(self) -> dict[str, Any]:
        """The form in which errors travel in `error.data.hud`."""
        return {
            "exception": self.kind,
            "file": self.file,
            "line": self.line,
            "trace": self.frames,
        }


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"called sys.exit({'' if error.code is None else repr(error.code)})"
    if isinstance(error, SyntaxError) and error.msg:
        return error.msg
    if isinstance(error, KeyError) and len(error.args) == 1:
        # str(KeyError('x')) is only 'x' in quotes, which nobody can make sense of.
        return f"key {error.args[0]!r} not found"
    return str(error) or type(error).__name__


def _entries(tb: TracebackType | None) -> list[traceback.FrameSummary]:
    linecache.checkcache()
    return list(traceback.extract_tb(tb))


def _stack(own: list[traceback.FrameSummary]) -> str:
    return "".join(["Traceback (most recent call last):\n", *traceback.format_list(own)]) if own else ""


def _last_lines(error: BaseException) -> list[str]:
    """How Python ends a traceback, without the names of modules that are this package's own business."""
    lines = traceback.format_exception_only(type(error), error)
    private = f"{type(error).__module__}."
    if private.startswith("hud.") and lines[0].startswith(private):
        lines[0] = lines[0][len(private) :]
    return lines


def _chain(error: BaseException) -> str:
    """What the exception came from, as far as that happened in the person's own files."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is None:
        return ""
    own = [entry for entry in _entries(cause.__traceback__) if is_readable(entry.filename)]
    if not own:
        return ""
    joint = (
        "\nThe above exception was the direct cause of the following exception:\n\n"
        if error.__cause__
        else "\nDuring handling of the above exception, another exception occurred:\n\n"
    )
    return _chain(cause) + _stack(own) + "".join(_last_lines(cause)) + joint


def place_of(function: Callable[..., Any], generator: Any) -> tuple[str, int, str] | None:
    """Where a suspended generator stands, as file, line and name; of an ended one, where its function begins."""
    frame = getattr(generator, "ag_frame", None)
    if frame is not None and is_readable(frame.f_code.co_filename):
        return frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name
    code = getattr(inspect.unwrap(function), "__code__", None)
    return (code.co_filename, code.co_firstlineno, code.co_name) if code is not None else None


def location(code: CodeType) -> str:
    """`file:line` of a function, for messages about its declaration."""
    return f"{code.co_filename}:{code.co_firstlineno}"
