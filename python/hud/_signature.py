"""The parameters of a tool or scenario: schema, defaults, descriptions, and binding of arguments.

Built once per function and shared by listing and calling, so the schema that a client sees and the
arguments that a function gets cannot disagree.
"""

from __future__ import annotations

import difflib
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from hud import _coerce, _docstring
from hud._schema import NoJsonForm, Schema, SchemaBuilder, is_union, type_name, unwrap, with_default

EMPTY: Any = inspect.Parameter.empty


class Parameter:
    """One parameter that a caller can give."""

    __slots__ = ("annotation", "default", "description", "name", "positional_only", "schema")

    def __init__(self, name: str, annotation: Any, default: Any, positional_only: bool) -> None:
        self.name = name
        self.annotation = annotation
        self.default = default
        self.positional_only = positional_only
        self.description: str | None = None
        self.schema: Schema = {}

    @property
    def required(self) -> bool:
        return self.default is EMPTY


class Signature:
    """What a function takes. `owner` names it in errors, e.g. "tool 'lookup'"."""

    def __init__(self, function: Callable[..., Any], owner: str) -> None:
        self.function = function
        self.owner = owner
        self._inspected = inspect.signature(function)
        self._parameters: list[Parameter] | None = None
        self._extra: Any = EMPTY
        self._context: str | None = None
        self._defs: dict[str, Schema] = {}
        self._description = ""
        self.returns: Any = EMPTY
        try:
            self._resolve()
        except NameError:
            # An annotation names something defined further down; the first use resolves it.
            self._parameters = None

    @property
    def parameters(self) -> list[Parameter]:
        """The parameters, without a context."""
        return self.resolve()

    def resolve(self) -> list[Parameter]:
        """Read the annotations if that was not possible before; TypeError when it still is not."""
        if self._parameters is None:
            try:
                self._resolve()
            except NameError as error:
                code = getattr(self.function, "__code__", None)
                place = f" ({code.co_filename}:{code.co_firstlineno})" if code else ""
                raise TypeError(f"{self.owner}{place} has an annotation that cannot be resolved: {error}") from None
        assert self._parameters is not None
        return self._parameters

    @property
    def description(self) -> str:
        """The docstring without the section that describes arguments."""
        self.resolve()
        return self._description

    @property
    def accepts_anything(self) -> bool:
        """True when the function has `**kwargs`."""
        self.resolve()
        return self._extra is not EMPTY

    def _resolve(self) -> None:
        hints = _hints(self.function)
        self.returns = hints.get("return", EMPTY)
        parameters: list[Parameter] = []
        for name, raw in self._inspected.parameters.items():
            annotation = hints.get(name, Any)
            if raw.kind is raw.VAR_POSITIONAL:
                raise TypeError(f"{self.owner} has *{name}; arguments have names, use a list parameter instead")
            if raw.kind is raw.VAR_KEYWORD:
                self._extra = annotation
            elif is_context(name, annotation, raw.annotation is not EMPTY):
                self._context = name
            else:
                annotation, default = _split_field_default(annotation, raw.default)
                parameters.append(Parameter(name, annotation, default, raw.kind is raw.POSITIONAL_ONLY))
        names = [parameter.name for parameter in parameters]
        self._description, described = _docstring.parse(_doc(self.function), names)
        builder = SchemaBuilder()
        for parameter in parameters:
            self._describe(parameter, builder, described)
        self._defs = builder.defs
        self._parameters = parameters

    def _describe(self, parameter: Parameter, builder: SchemaBuilder, described: dict[str, str]) -> None:
        try:
            schema = builder.of(parameter.annotation)
        except NoJsonForm as error:
            raise TypeError(
                f"{self.owner}: parameter '{parameter.name}' cannot be given as JSON: {error}. Use plain types, "
                "lists, dicts, dataclasses, TypedDicts, enums or pydantic models"
            ) from None
        if parameter.name in described and "description" not in schema:
            schema = {**schema, "description": described[parameter.name]}
        if parameter.default is not EMPTY and "default" not in schema:
            schema = with_default(schema, parameter.default)
        parameter.schema = schema
        parameter.description = schema.get("description")

    def schema(self) -> Schema:
        """The JSON schema of all arguments."""
        properties = {parameter.name: parameter.schema for parameter in self.parameters}
        schema: Schema = {"type": "object", "properties": properties}
        required = [parameter.name for parameter in self.parameters if parameter.required]
        if required:
            schema["required"] = required
        if self._extra is EMPTY:
            schema["additionalProperties"] = False
        else:
            extra = SchemaBuilder()
            inner = {} if self._extra is Any else extra.of(self._extra)
            self._defs.update(extra.defs)
            schema["additionalProperties"] = inner or True
        if self._defs:
            schema["$defs"] = self._defs
        return schema

    def standalone_schema(self, parameter: Parameter) -> Schema:
        """The schema of one parameter on its own, with the definitions that it refers to."""
        if not self._defs or "$ref" not in str(parameter.schema):
            return parameter.schema
        return {**parameter.schema, "$defs": self._defs}

    def convert(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Coerce arguments that already fit the schema."""
        known = {parameter.name: parameter for parameter in self.parameters}
        result: dict[str, Any] = {}
        for name, value in arguments.items():
            annotation = known[name].annotation if name in known else self._extra
            try:
                result[name] = _coerce.coerce(value, annotation)
            except _coerce.CoercionError as error:
                raise _coerce.CoercionError(f"'{name}': {error}") from None
        return result

    def decode(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Turn a scenario's arguments (strings from MCP, or plain values) into Python values.

        Every mistake is in one TypeError: a person fixes a task file once, not once per argument.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        wrong: list[str] = []
        result: dict[str, Any] = {}
        for name, value in arguments.items():
            if name not in known and self._extra is EMPTY:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"it takes {self._takes()}"
                wrong.append(f"unknown argument '{name}' ({hint})")
                continue
            annotation = known[name].annotation if name in known else self._extra
            try:
                decode = _coerce.decode_text if isinstance(value, str) else _coerce.coerce
                result[name] = decode(value, annotation)
            except _coerce.CoercionError as error:
                wrong.append(f"argument '{name}' ({_kind(annotation)}): {error}")
        missing = [p for p in self.parameters if p.required and p.name not in arguments]
        wrong.extend(f"missing argument '{p.name}' ({_kind(p.annotation)})" for p in missing)
        if wrong:
            raise TypeError(f"{self.owner}: {'; '.join(wrong)}")
        return result

    def _takes(self) -> str:
        return ", ".join(parameter.name for parameter in self.parameters) or "no arguments"

    def call(self, values: Mapping[str, Any], context: Any = None) -> Any:
        """Call the function; `values` are already Python values."""
        positional = []
        keywords = dict(values)
        for parameter in self.parameters:
            if not parameter.positional_only:
                break
            if parameter.name not in keywords:
                if parameter.required:
                    break
                keywords[parameter.name] = parameter.default
            positional.append(keywords.pop(parameter.name))
        for parameter in self.parameters:
            # A default made by pydantic's Field() is not what the function should receive.
            raw = self._inspected.parameters[parameter.name].default
            if parameter.name not in keywords and not parameter.positional_only and raw is not parameter.default:
                keywords[parameter.name] = parameter.default
        if self._context is not None:
            keywords[self._context] = context
        return self.function(*positional, **keywords)

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments given as in a call, by name; defaults are not filled in."""
        bound = self._inspected.bind(*args, **kwargs)
        values = dict(bound.arguments)
        for name, raw in self._inspected.parameters.items():
            if raw.kind is raw.VAR_KEYWORD and name in values:
                values.update(values.pop(name))
        return values


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    target = function
    while hasattr(target, "func") and hasattr(target, "keywords"):  # functools.partial
        target = target.func
    if not hasattr(target, "__annotations__") and not inspect.ismethod(target):
        target = type(target).__call__
    return typing.get_type_hints(inspect.unwrap(target), include_extras=True)


def _doc(function: Callable[..., Any]) -> str | None:
    return function.__doc__ if inspect.isroutine(function) else type(function).__doc__


def _kind(annotation: Any) -> str:
    kind, _ = unwrap(annotation)
    return "any" if kind is Any else type_name(kind)


def _split_field_default(annotation: Any, default: Any) -> tuple[Any, Any]:
    """Understand `x: int = Field(5, ge=1)` of pydantic as `x: Annotated[int, Field(ge=1)] = 5`."""
    if not (hasattr(default, "is_required") and hasattr(default, "get_default")):
        for extra in getattr(annotation, "__metadata__", ()):
            if default is EMPTY and hasattr(extra, "is_required") and not extra.is_required():
                return annotation, extra.get_default(call_default_factory=True)
        return annotation, default
    annotated = Annotated[annotation, default]
    return annotated, EMPTY if default.is_required() else default.get_default(call_default_factory=True)


def is_context(name: str, annotation: Any, annotated: bool) -> bool:
    """True for a parameter that receives the call's context instead of an argument."""
    from hud._context import Context

    if not annotated:
        return name in ("ctx", "_ctx")
    if is_union(annotation):
        return any(part is Context for part in typing.get_args(annotation))
    return annotation is Context
