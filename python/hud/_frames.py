"""Whose code is this? Decides for a file name, a stack frame or a traceback entry.

Two questions are asked with different answers. "May a deadline be raised here?" counts installed
packages as user code, since environments get installed too. "Which lines should a person read?"
counts only the person's own files, because frames of libraries bury the line to fix.
"""

from __future__ import annotations

import linecache
import os
import traceback
from types import CodeType, TracebackType
from typing import Any

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
    """What a person needs to know about an exception: type, message, own file and line, own frames."""

    def __init__(self, error: BaseException) -> None:
        self.kind = type(error).__name__
        self.message = _message(error)
        self.file: str | None = None
        self.line: int | None = None
        entries = _entries(error.__traceback__)
        own = [entry for entry in entries if is_readable(entry.filename)]
        if isinstance(error, SyntaxError) and error.filename:
            self.file, self.line = os.path.abspath(error.filename), error.lineno
        elif own:
            self.file, self.line = os.path.abspath(own[-1].filename), own[-1].lineno
        self.trace = _render(error, own)

    def to_dict(self) -> dict[str, Any]:
        """The form in which errors travel in `error.data.hud`."""
        return {
            "exception": self.kind,
            "file": self.file,
            "line": self.line,
            "trace": self.trace,
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


def _render(error: BaseException, own: list[traceback.FrameSummary]) -> str:
    lines = []
    if own:
        lines.append("Traceback (most recent call last):\n")
        lines.extend(traceback.format_list(own))
    lines.extend(traceback.format_exception_only(type(error), error))
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and _entries(cause.__traceback__):
        own_cause = [e for e in _entries(cause.__traceback__) if is_readable(e.filename)]
        joint = (
            "\nThe above exception was the direct cause of the following exception:\n\n"
            if error.__cause__
            else "\nDuring handling of the above exception, another exception occurred:\n\n"
        )
        if own_cause:
            return _render(cause, own_cause) + joint + "".join(lines)
    return "".join(lines)


def location(code: CodeType) -> str:
    """`file:line` of a function, for messages about its declaration."""
    return f"{code.co_filename}:{code.co_firstlineno}"
