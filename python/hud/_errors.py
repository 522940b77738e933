"""The exceptions that cross module borders of the package.

Only names that a caller may want to catch live here; anything raised and handled inside one
module is defined in that module.
"""

from __future__ import annotations

from typing import Any

STOPPED_TOOL = "stopped at the rollout's deadline"
STOPPED_SCENARIO = "stopped at the deadline"


class Deadline(BaseException):
    """Raised inside user code when a rollout's time is over.

    It derives from BaseException, like KeyboardInterrupt, so that an `except Exception` around a
    retry loop does not swallow it. `finally` blocks run as usual.
    """


class ScenarioError(Exception):
    """A scenario could not be set up or graded because of how it was called or what it yielded.

    A person reads `kind`, the builtin exception that says the same, and `place`, the file, line and
    function where the scenario yielded.
    """

    def __init__(self, message: str, *, kind: str = "RuntimeError", place: tuple[str, int, str] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.place = place


class LoadError(Exception):
    """A source could not be turned into one environment; `hint` says what to do about it."""

    def __init__(self, message: str, *, hint: str | None = None, kind: str = "ImportError") -> None:
        super().__init__(message)
        self.hint = hint
        self.kind = kind


class RequestError(Exception):
    """A JSON-RPC error, either to be sent to the client or received from it."""

    def __init__(self, code: int, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
