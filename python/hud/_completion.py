"""Completion: what a client may offer while a person types an argument (MCP's `completion/complete`).

Arguments of prompts and scenarios, and the parts of a resource's address, complete by themselves when
their type has few values: an enum, a `Literal`, a bool. For everything else the author names the
values, in the declaration or with `@env.completion`:

    @env.scenario("initials", complete={"company": ["HUD", "Acme"]})
    @env.completion("initials", "company")
    def companies(request: CompletionRequest) -> list[str]: ...
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from hud._schema import enum_value, is_union, unwrap

if TYPE_CHECKING:
    from hud.environment import Environment

# MCP's limit for one answer.
MOST = 100


@dataclass(frozen=True)
class CompletionRequest:
    """What is being typed: an `argument` of a prompt or scenario, or a part of a resource's address."""

    kind: Literal["prompt", "resource"]
    name: str
    """The prompt's or scenario's name (without its environment), or the resource's address template."""
    argument: str
    value: str
    """What has been typed so far."""
    arguments: Mapping[str, str] = field(default_factory=dict)
    """The other arguments that are already there."""


class UnknownTarget(Exception):
    """There is no such prompt, resource or argument to complete."""


_KINDS: dict[Any, tuple[Literal["prompt", "resource"], str]] = {
    "ref/prompt": ("prompt", "name"),
    "ref/resource": ("resource", "uri"),
}


def read(environment: Environment, params: dict[str, Any]) -> CompletionRequest:
    """The parameters of `completion/complete`; UnknownTarget says what is wrong with them."""
    reference, argument = params.get("ref"), params.get("argument")
    if not isinstance(reference, dict) or not isinstance(argument, dict):
        raise UnknownTarget("completion/complete needs 'ref' and 'argument', both objects")
    if reference.get("type") not in _KINDS:
        raise UnknownTarget("the 'type' of 'ref' must be ref/prompt or ref/resource")
    kind, member = _KINDS[reference["type"]]
    name = str(reference.get(member, ""))
    if kind == "prompt" and name not in environment.prompts:
        name = name.removeprefix(f"{environment.name}:")
    given = (params.get("context") or {}).get("arguments") or {}
    return CompletionRequest(kind, name, str(argument.get("name", "")), str(argument.get("value", "")), given)


Values = Iterable[Any] | None
Completer = Iterable[Any] | Callable[[CompletionRequest], Values | Awaitable[Values]]
Key = tuple[str, str | None]


def check_completers(given: Mapping[str, Completer] | None, names: list[str], owner: str) -> dict[str, Completer]:
    """The `complete=` of a declaration; an entry for no parameter is a mistake."""
    for name, completer in (given or {}).items():
        if name not in names:
            raise TypeError(
                f"{owner}: complete has '{name}', which is none of its arguments ({', '.join(names) or 'none'})"
            )
        if isinstance(completer, str) or not (callable(completer) or isinstance(completer, Iterable)):
            raise TypeError(f"{owner}: complete['{name}'] must be a list of values or a function")
    return dict(given or {})


def unused(environment: Environment) -> list[str]:
    """A sentence for each completer of `@env.completion` that nothing will ever ask."""
    said = []
    for name, argument in environment.completers:
        if not name:
            continue
        owner: Any = environment.prompts.get(name) or environment.scenarios.get(name) or environment.resources.get(name)
        if owner is None:
            near = get_close_matches(name, [*environment.prompts, *environment.scenarios, *environment.resources], n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            said.append(f"@env.completion('{name}'): there is no such prompt, scenario or resource template{hint}")
        elif argument is not None and argument not in _names(owner):
            said.append(f"@env.completion('{name}', '{argument}'): it has no such argument")
    return said


def _names(owner: Any) -> list[str]:
    """The arguments of a prompt or scenario, or the parts of a resource's address."""
    return getattr(owner, "parts", None) or [parameter.name for parameter in owner.signature.parameters]


async def complete(environment: Environment, request: CompletionRequest) -> dict[str, Any]:
    """The MCP result. UnknownTarget when there is no such prompt, resource or argument."""
    declared, annotation = _target(environment, request)
    for key in ((request.name, request.argument), (request.name, None), ("", None)):
        completer = environment.completers.get(key)
        if completer is not None:
            found = await _ask(completer, request)
            if found is not None:
                return _result(found)
    if request.argument in declared:
        completer = declared[request.argument]
        found = await _ask(completer, request)
        if found is not None:
            return _result(found)
    return _result(_matching(_values_of(annotation), request.value))


def _target(environment: Environment, request: CompletionRequest) -> tuple[Mapping[str, Completer], Any]:
    """The declaration's own completers and the argument's type."""
    owner: Any
    if request.kind == "resource":
        owner = environment.resources.get(request.name)
        if owner is None:
            raise UnknownTarget(f"Resource template not found: '{request.name}'")
    else:
        owner = environment.prompts.get(request.name) or environment.scenarios.get(request.name)
        if owner is None:
            raise UnknownTarget(f"Prompt not found: '{request.name}'")
    names = _names(owner)
    if request.argument not in names:
        raise UnknownTarget(
            f"'{request.name}' has no argument '{request.argument}'; it has {', '.join(names) or 'none'}"
        )
    types = {parameter.name: parameter.annotation for parameter in owner.signature.parameters}
    return owner.complete, types.get(request.argument, str)


async def _ask(completer: Completer, request: CompletionRequest) -> list[str] | None:
    if not callable(completer):
        return _matching([_text(value) for value in completer], request.value)
    values = completer(request)
    if inspect.isawaitable(values):
        values = await values
    return None if values is None else [_text(value) for value in values]


def _text(value: Any) -> str:
    if isinstance(value, Enum):
        value = enum_value(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _values_of(annotation: Any) -> list[str]:
    """All values of a type that has few, as they are written in an argument."""
    kind, _ = unwrap(annotation)
    if is_union(kind):
        return list(dict.fromkeys(text for part in typing.get_args(kind) for text in _values_of(part)))
    if typing.get_origin(kind) is Literal:
        return [_text(value) for value in typing.get_args(kind) if value is not None]
    if kind is bool:
        return ["true", "false"]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [_text(member) for member in kind]
    return []


def _matching(values: Iterable[str], typed: str) -> list[str]:
    """Those that begin with what was typed, then those that contain it, whatever the case."""
    typed = typed.casefold()
    found = [value for value in values if typed in value.casefold()]
    return sorted(found, key=lambda value: not value.casefold().startswith(typed))


def _result(values: list[str]) -> dict[str, Any]:
    return {"completion": {"values": values[:MOST], "total": len(values), "hasMore": len(values) > MOST}}
