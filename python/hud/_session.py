"""One run of a scenario: setup, the wait for an answer, grading, and the end of the generator.

The whole life of the generator happens in one asyncio task (the driver). Setup and grading arrive as
separate requests, and a context manager that is open across the `yield` (a task group, a cancel
scope, a database transaction) insists on being left in the task that entered it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from hud import _context, _grade, _prompt
from hud._context import Call, Context
from hud._errors import STOPPED_SCENARIO, Deadline, ScenarioError
from hud._frames import ErrorReport, place_of
from hud._scenario import Scenario

# The generator must be closed within the 5 s that a copy has for its whole end, shutdown hooks included.
CLOSE_SECONDS = 4.0


class PhaseError(Exception):
    """Setup or grading failed in the scenario's own code."""

    def __init__(self, phase: str, error: BaseException) -> None:
        self.phase = phase
        self.error = error
        if isinstance(error, (Deadline, asyncio.CancelledError)):
            message = STOPPED_SCENARIO
        else:
            report = ErrorReport(error)
            message = report.message if isinstance(error, ScenarioError) else f"{report.kind}: {report.message}"
        super().__init__(message)

    def to_dict(self) -> dict[str, Any]:
        """The value of `error.data`."""
        return {"hud": {"kind": self.phase, **ErrorReport(self.error).to_dict()}}


class Session:
    """A scenario that was started with some arguments."""

    def __init__(self, scenario: Scenario, arguments: dict[str, Any]) -> None:
        self.scenario = scenario
        self.answer: Any = None
        self.messages: list[dict[str, Any]] = []
        self.bindings: dict[str, Any] | None = None
        self._arguments = scenario.signature.decode(arguments)
        self._driver: asyncio.Task[None] | None = None
        self._waiting: asyncio.Future[bool] | None = None
        self._outcome: asyncio.Future[Any] | None = None
        self._phase = "setup"
        self._stopped = False
        self._place: tuple[str, int, str] | None = None
        self._context: Context | None = None
        self._grading: Call | None = None

    async def setup(self) -> list[dict[str, Any]]:
        """Run up to the first yield; the prompt's messages."""
        loop = asyncio.get_running_loop()
        self._outcome = loop.create_future()
        self._driver = loop.create_task(self._drive(), name=f"scenario {self.scenario.name}")
        value = await self._result()
        try:
            if self.scenario.template and isinstance(value, dict) and "prompt" in value:
                self.bindings = value.get("bindings")
                value = value["prompt"]
            self.messages = _prompt.messages(value)
        except TypeError as error:
            await self.close()
            raise PhaseError("setup", self._error(f"{self.scenario.owner}: {error}", "TypeError")) from None
        if _prompt.is_empty(self.messages):
            await self.close()
            raise PhaseError("setup", self._error(f"the {self.scenario.owner} yielded an empty prompt", "ValueError"))
        return self.messages

    async def grade(self) -> dict[str, Any]:
        """Send the answer, run up to the second yield, close the generator; the grade."""
        if self._waiting is None or self._waiting.done():
            raise ScenarioError(f"{self.scenario.owner} is not waiting for an answer")
        self._outcome = asyncio.get_running_loop().create_future()
        self._grading = _context.current_call.get()
        self._waiting.set_result(True)
        try:
            value = await self._result()
        finally:
            await self._finish()
        if value is _ENDED:
            return _grade.grade_of(0.0 if self.scenario.template else 1.0)
        try:
            return _grade.grade_of(value, template=self.scenario.template)
        except (ScenarioError, TypeError) as error:
            kind = error.kind if isinstance(error, ScenarioError) else "TypeError"
            raise PhaseError("grade", self._error(f"{self.scenario.owner} {error}", kind)) from None

    def _error(self, message: str, kind: str) -> ScenarioError:
        """An error about what the scenario yielded, at the line of that yield."""
        return ScenarioError(message, kind=kind, place=self._place)

    def interrupt(self, interrupted: asyncio.Task[Any] | None = None) -> None:
        """Cancel setup or grading code that is running; a generator waiting for its answer is left alone.

        `interrupted` is the task that already got an exception from the deadline's signal.
        """
        if self._driver is not None and self._outcome is not None and not self._outcome.done():
            self._stopped = True
            if self._driver is not interrupted:
                self._driver.cancel()

    async def close(self) -> None:
        """End the generator wherever it is, so that its `finally` blocks run."""
        if self._driver is None:
            return
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(False)
        elif self._outcome is not None and not self._outcome.done():
            self._driver.cancel()
        await self._finish()

    async def _result(self) -> Any:
        assert self._outcome is not None and self._driver is not None
        try:
            return await asyncio.shield(self._outcome)
        except asyncio.CancelledError:
            if self._outcome.done():
                raise
            # The request itself was cancelled (by its client, or by the end of the copy).
            self._driver.cancel()
            await self._finish()
            raise

    async def _finish(self) -> None:
        """Wait for the driver; cancel it when closing takes too long, and then give up on it."""
        assert self._driver is not None
        for patience in (CLOSE_SECONDS, 0.5):
            done, _ = await asyncio.wait({self._driver}, timeout=patience)
            if done:
                return
            self._driver.cancel()
        print(f"hud: {self.scenario.owner} did not finish its cleanup in time", file=_stderr())

    async def _drive(self) -> None:
        generator: AsyncGenerator[Any, Any] | None = None
        try:
            self._context = _context.for_current_call()
            generator = self.scenario.signature.call(self._arguments, self._context)
            await self._advance(generator, None)
            self._waiting = asyncio.get_running_loop().create_future()
            if await self._waiting:
                self._phase = "grade"
                # What the code asks from here on belongs to the request that grades.
                _context.current_call.set(self._grading)
                self._context.move_to(self._grading)
                answer = _grade.answer_for(
                    self.answer, self.scenario.returns, self.scenario.owner, self.scenario.enable_citations
                )
                await self._advance(generator, answer)
        except BaseException as error:
            self._fail(error)
        finally:
            if generator is not None:
                await self._close(generator)

    async def _advance(self, generator: AsyncGenerator[Any, Any], value: Any) -> None:
        outcome = self._outcome
        assert outcome is not None
        try:
            yielded = await generator.asend(value)
        except StopAsyncIteration:
            if self._phase == "setup":
                self._place = place_of(self.scenario.function, None)
                raise self._error(f"{self.scenario.owner} ended without yielding a prompt", "RuntimeError") from None
            yielded = _ENDED
        self._place = place_of(self.scenario.function, generator)
        if self._phase == "grade":
            # Answer only after the generator's `finally` blocks have run: a client that has read the
            # grade may look at what they leave behind.
            await self._close(generator)
        if not outcome.done():
            outcome.set_result(yielded)

    def _fail(self, error: BaseException) -> None:
        outcome = self._outcome
        if outcome is None or outcome.done():
            if not isinstance(error, asyncio.CancelledError):
                print(ErrorReport(error).trace, file=_stderr(), end="")
            return
        if isinstance(error, asyncio.CancelledError) and not self._stopped:
            error = ScenarioError(f"{self.scenario.owner} was closed while it ran")
        if not isinstance(error, (ScenarioError, Deadline, asyncio.CancelledError)):
            print(ErrorReport(error).trace, file=_stderr(), end="")
        outcome.set_exception(PhaseError(self._phase, error))
        outcome.exception()  # Mark it as seen: its request may be gone.

    async def _close(self, generator: AsyncGenerator[Any, Any]) -> None:
        try:
            await generator.aclose()
        except (Exception, Deadline) as error:
            # The grade is already known; a failing cleanup belongs to the log, not to the grade.
            print(f"hud: cleanup of {self.scenario.owner} failed", file=_stderr())
            print(ErrorReport(error).trace, file=_stderr(), end="")


class _Ended:
    """Stands for a generator that ended without a second yield."""


_ENDED = _Ended()


def _stderr() -> Any:
    import sys

    return sys.stderr
