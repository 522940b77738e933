"""Scenarios: what `@env.scenario` (generation 5) and `@env.template` (generation 6) make of a function."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, ParamSpec

from hud._completion import Completer, check_completers
from hud._jsonable import to_json
from hud._schema import NoJsonForm, schema_of
from hud._signature import EMPTY, Signature

if TYPE_CHECKING:
    from hud._task import Task
    from hud.environment import Environment

P = ParamSpec("P")


class Scenario:
    """One scenario of an environment: its function and everything declared about it."""

    template = False

    def __init__(
        self,
        function: Callable[..., Any],
        environment: Environment,
        name: str | None = None,
        description: str | None = None,
        *,
        chat: bool = False,
        required_env_vars: list[str] | None = None,
        exclude_tools: list[str] | None = None,
        exclude_sources: list[str] | None = None,
        allowed_tools: list[str] | None = None,
        returns: Any = None,
        enable_citations: bool = False,
        complete: Mapping[str, Completer] | None = None,
    ) -> None:
        self.name: str = name or function.__name__
        owner = f"{'template' if self.template else 'scenario'} '{self.name}'"
        if ":" in self.name:
            raise ValueError(f"{owner}: a name cannot contain ':', which separates environment and scenario")
        if not inspect.isasyncgenfunction(inspect.unwrap(function)):
            raise TypeError(
                f"{owner} must be an async generator: `async def {self.name}(…)` with `yield prompt` and `yield reward`"
            )
        self.function = function
        self.environment = environment
        self.owner = owner
        self.signature = Signature(function, owner)
        if chat and "messages" not in inspect.signature(function).parameters:
            raise TypeError(f"chat {owner} must have a parameter 'messages', which receives the conversation so far")
        self._description = description
        self.chat = chat
        self.required_env_vars = list(required_env_vars or [])
        self.exclude_tools = list(exclude_tools or [])
        self.exclude_sources = list(exclude_sources or [])
        self.allowed_tools = list(allowed_tools or [])
        self.returns = returns
        self.enable_citations = enable_citations
        self.complete = check_completers(complete, list(inspect.signature(function).parameters), owner)
        self.input_schema: dict[str, Any] | None = None
        try:
            self.returns_schema = None if returns is None else schema_of(returns)
        except NoJsonForm as error:
            raise TypeError(f"{owner}: returns={returns!r}: {error}") from None

    @property
    def description(self) -> str:
        return self._description or self.signature.description or f"Scenario: {self.name}"

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments of a call by name, checked to be ones that a task can hold."""
        values = self.signature.bind(args, kwargs)
        for name, value in values.items():
            try:
                to_json(value, f"argument '{name}'")
            except TypeError as error:
                raise TypeError(f"{self.owner}: {error}") from None
        return values

    def arguments(self) -> list[dict[str, Any]]:
        """The arguments as `hud/describe` lists them."""
        listed = []
        for parameter in self.signature.parameters:
            entry: dict[str, Any] = {"name": parameter.name, "required": parameter.required}
            if parameter.default is not EMPTY and "default" in parameter.schema:
                entry["default"] = parameter.schema["default"]
            entry["inputSchema"] = self.signature.standalone_schema(parameter)
            listed.append(entry)
        return listed

    def prompt_arguments(self) -> list[dict[str, Any]]:
        """The arguments as a listed prompt's `_meta.arguments` has them: `type` for plain ones."""
        listed = []
        for entry in self.arguments():
            schema = entry.pop("inputSchema")
            if isinstance(schema.get("type"), str):
                entry["type"] = schema["type"]
            elif not schema or set(schema) == {"default"}:
                entry["type"] = "string"
            if set(schema) - {"type", "default"}:
                entry["inputSchema"] = schema
            listed.append(entry)
        return listed

    def rules(self) -> dict[str, Any]:
        """What a client must honour while the scenario runs; only what was declared."""
        declared = {
            "exclude_tools": self.exclude_tools,
            "exclude_sources": self.exclude_sources,
            "allowed_tools": self.allowed_tools,
            "returns_schema": self.returns_schema,
            "enable_citations": self.enable_citations,
            "chat": self.chat,
        }
        return {name: value for name, value in declared.items() if value}

    def describe(self) -> dict[str, Any]:
        """The entry in `hud/describe`."""
        entry: dict[str, Any] = {
            "name": self.name,
            "description": self.description,
            "chat": self.chat,
            "arguments": self.arguments(),
            "additional_arguments": self.signature.accepts_anything,
            "required_env_vars": self.required_env_vars,
            "exclude_tools": self.exclude_tools,
            "exclude_sources": self.exclude_sources,
            "allowed_tools": self.allowed_tools,
            "returns_schema": self.returns_schema,
            "enable_citations": self.enable_citations,
        }
        if self.input_schema is not None:
            entry["input_schema"] = self.input_schema
        return entry


class Template(Scenario):
    """A scenario of generation 6: `score` instead of `reward`, and no second yield is 0."""

    template = True


class ScenarioHandle(Generic[P]):
    """What `@env.scenario` leaves in place of the function: the function itself, plus `.task()`."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        functools.update_wrapper(self, scenario.function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[Any, Any]:
        generator: AsyncGenerator[Any, Any] = self.scenario.function(*args, **kwargs)
        return generator

    def task(self, *args: P.args, **kwargs: P.kwargs) -> Task:
        """A task of this scenario; arguments as in a call, defaults not filled in."""
        from hud._task import Task

        scenario = self.scenario
        return Task(env=scenario.environment, scenario=scenario.name, args=scenario.bind(args, dict(kwargs)))

    def __repr__(self) -> str:
        return f"<{self.scenario.owner} of {self.scenario.environment.name!r}>"


class TemplateHandle(Generic[P]):
    """What `@env.template` leaves in place of the function: calling it makes a task."""

    def __init__(self, scenario: Template) -> None:
        self.scenario = scenario
        self.id = scenario.name
        functools.update_wrapper(self, scenario.function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Task:
        from hud._task import Task

        scenario = self.scenario
        values = scenario.bind(args, dict(kwargs))
        task = Task(env=scenario.environment.name, id=scenario.name, scenario=scenario.name, args=values)
        task.link(scenario.environment)
        return task

    task = __call__

    def __repr__(self) -> str:
        return f"<{self.scenario.owner} of {self.scenario.environment.name!r}>"
