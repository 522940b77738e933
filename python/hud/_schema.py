"""Annotations to JSON Schema.

Named object types (dataclasses, TypedDicts, enums, models) go to `$defs` and are referred to, so
recursive types work. Whatever involves pydantic is left to pydantic, whose own rules the author
expects. A type without a JSON form is a TypeError at the line of the decorator: it would otherwise
surface as an agent that cannot call the tool.
"""

from __future__ import annotations

import collections.abc as abc
import dataclasses
import sys
import types
import typing
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal, TypeVar, Union
from uuid import UUID

Schema = dict[str, Any]

_SIMPLE: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    None: {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    time: {"type": "string", "format": "time"},
    timedelta: {"type": "string", "format": "duration"},
    UUID: {"type": "string", "format": "uuid"},
    Decimal: {"anyOf": [{"type": "number"}, {"type": "string"}]},
    bytes: {"type": "string", "format": "binary"},
}
ARRAYS = (list, abc.Sequence, abc.MutableSequence, abc.Iterable, abc.Collection, abc.Iterator)
SETS = (set, frozenset, abc.Set, abc.MutableSet)
MAPPINGS = (dict, abc.Mapping, abc.MutableMapping)
NAMED_WRAPPERS = tuple(
    getattr(typing, name)
    for name in ("Required", "NotRequired", "ReadOnly", "Final", "ClassVar")
    if hasattr(typing, name)
)


class NoJsonForm(TypeError):
    """An annotation that JSON cannot carry."""


def schema_of(annotation: Any) -> Schema:
    """The schema of one annotation, with its own `$defs` when it needs any."""
    builder = SchemaBuilder()
    return builder.finish(builder.of(annotation))


def unwrap(annotation: Any) -> tuple[Any, list[Any]]:
    """Peel off Annotated, NewType, aliases and qualifiers; return the type and the annotations."""
    extras: list[Any] = []
    while True:
        origin = typing.get_origin(annotation)
        if origin is Annotated:
            extras = [*annotation.__metadata__, *extras]
            annotation = annotation.__origin__
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif _is_qualifier(origin):
            annotation = typing.get_args(annotation)[0]
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif isinstance(annotation, TypeVar):
            annotation = annotation.__bound__ or (
                Union[annotation.__constraints__] if annotation.__constraints__ else Any
            )
        else:
            return annotation, extras


def _is_qualifier(origin: Any) -> bool:
    # typing_extensions has its own Required and NotRequired on old interpreters.
    return origin in NAMED_WRAPPERS or getattr(origin, "_name", None) in ("Required", "NotRequired", "ReadOnly")


def is_union(annotation: Any) -> bool:
    """True for Union[…], Optional[…] and X | Y."""
    origin = typing.get_origin(annotation)
    return origin is Union or isinstance(annotation, types.UnionType)


def is_typeddict(annotation: Any) -> bool:
    """True for TypedDict classes of typing and of typing_extensions."""
    return isinstance(annotation, type) and issubclass(annotation, dict) and hasattr(annotation, "__total__")


def is_namedtuple(annotation: Any) -> bool:
    """True for NamedTuple classes."""
    return isinstance(annotation, type) and issubclass(annotation, tuple) and hasattr(annotation, "_fields")


def is_model(annotation: Any) -> bool:
    """True for pydantic models and for the records of `hud.types`, which look like them."""
    return (
        isinstance(annotation, type)
        and hasattr(annotation, "model_json_schema")
        and hasattr(annotation, "model_validate")
    )


def needs_pydantic(annotation: Any) -> bool:
    """True when the annotation contains something only pydantic understands.

    Never imports pydantic: a type of pydantic's cannot be here unless the user imported it.
    """
    if "pydantic" not in sys.modules:
        return False
    if any(_is_pydantic_object(extra) for extra in getattr(annotation, "__metadata__", ())):
        return True
    if isinstance(annotation, type) and not typing.get_args(annotation):
        # The records of hud.types can describe themselves to pydantic too, but need no pydantic.
        return hasattr(annotation, "__pydantic_core_schema__") or (
            hasattr(annotation, "__get_pydantic_core_schema__") and not is_model(annotation)
        )
    return any(
        needs_pydantic(part) for part in typing.get_args(annotation) if typing.get_origin(annotation) is not Literal
    )


def _is_pydantic_object(extra: Any) -> bool:
    module = type(extra).__module__.partition(".")[0]
    return module in ("pydantic", "annotated_types", "pydantic_core")


class SchemaBuilder:
    """Builds the schemas of several annotations that share one set of `$defs`."""

    def __init__(self, *, results: bool = False) -> None:
        """`results`: values that go out, which may have fields more than could be given."""
        self._closed = not results
        self.defs: dict[str, Schema] = {}
        self._names: dict[Any, str] = {}

    def finish(self, schema: Schema) -> Schema:
        """The finished schema: `$defs` added, a lone reference to an object resolved."""
        if not self.defs:
            return schema
        if set(schema) == {"$ref"}:
            name = schema["$ref"].rpartition("/")[2]
            # A recursive type keeps its definition beside the resolved one.
            recursive = _mentions(self.defs, schema["$ref"])
            others = {key: value for key, value in self.defs.items() if key != name or recursive}
            return {**self.defs[name], **({"$defs": others} if others else {})}
        return {**schema, "$defs": self.defs}

    def of(self, annotation: Any) -> Schema:
        """The schema of an annotation; may refer to `$defs`."""
        if needs_pydantic(annotation):
            return self._by_pydantic(annotation)
        plain, extras = unwrap(annotation)
        if plain is not annotation and needs_pydantic(plain):
            schema = self._by_pydantic(plain)
        else:
            schema = self._plain(plain)
        for extra in extras:
            if isinstance(extra, str):
                schema = {**schema, "description": extra}
            elif isinstance(getattr(extra, "description", None), str):
                schema = {**schema, "description": extra.description}
        return schema

    def _plain(self, kind: Any) -> Schema:
        if kind is Any or kind is object:
            return {}
        if isinstance(kind, abc.Hashable) and kind in _SIMPLE:
            return dict(_SIMPLE[kind])
        if is_union(kind):
            return self._union(typing.get_args(kind))
        origin, args = typing.get_origin(kind), typing.get_args(kind)
        if origin is Literal:
            return _enumeration(list(args))
        if isinstance(origin or kind, type):
            found = self._container(origin or kind, args)
            if found is None:
                found = self._class(kind, origin)
            if found is not None:
                return found
        raise NoJsonForm(f"{type_name(kind)} has no JSON form")

    def _union(self, members: tuple[Any, ...]) -> Schema:
        options: list[Schema] = []
        for member in members:
            schema = self.of(member)
            if not schema:
                return {}  # One of the options accepts everything.
            if schema not in options:
                options.append(schema)
        return options[0] if len(options) == 1 else {"anyOf": options}

    def _container(self, kind: Any, args: tuple[Any, ...]) -> Schema | None:
        if kind is tuple:
            return self._tuple(args)
        if kind in ARRAYS or kind is collections_deque():
            return {"type": "array", "items": self.of(args[0]) if args else {}}
        if kind in SETS:
            return {"type": "array", "items": self.of(args[0]) if args else {}, "uniqueItems": True}
        if kind in MAPPINGS or (issubclass(kind, dict) and not is_typeddict(kind)):
            values = self.of(args[1]) if len(args) == 2 else {}
            return {"type": "object", "additionalProperties": values or True}
        return None

    def _tuple(self, args: tuple[Any, ...]) -> Schema:
        if not args:
            return {"type": "array", "items": {}}
        if len(args) == 2 and args[1] is Ellipsis:
            return {"type": "array", "items": self.of(args[0])}
        if args == ((),):
            args = ()
        count = len(args)
        return {"type": "array", "prefixItems": [self.of(arg) for arg in args], "minItems": count, "maxItems": count}

    def _class(self, kind: Any, origin: Any) -> Schema | None:
        target = origin or kind
        if issubclass(target, Enum):
            return self._named(kind, lambda: _enumeration([enum_value(member) for member in target]))
        if is_typeddict(target):
            return self._named(kind, lambda: self._typed_dict(target))
        if is_namedtuple(target):
            return self._named(kind, lambda: self._named_tuple(target))
        if is_model(target):
            return self._named(kind, lambda: self._model(target))
        if dataclasses.is_dataclass(target):
            return self._named(kind, lambda: self._dataclass(target))
        if issubclass(target, PurePath):
            return {"type": "string", "format": "path"}
        if issubclass(target, (str, bool, int, float)):
            base = next(base for base in (str, bool, int, float) if issubclass(target, base))
            return dict(_SIMPLE[base])
        return None

    def _named(self, kind: Any, build: abc.Callable[[], Schema]) -> Schema:
        if kind not in self._names:
            name = type_name(kind).rpartition(".")[2]
            name = self._free(name, ())
            self._names[kind] = name
            self.defs[name] = {}  # Reserved first, so that a recursive type finds itself.
            built = build()
            doc = kind.__dict__.get("__doc__") if isinstance(kind, type) else None
            # dataclass() and NamedTuple write a signature as the docstring when there is none.
            if doc and not doc.startswith(f"{name}(") and not issubclass(kind, Enum):
                built = {"description": " ".join(doc.split()), **built}
            self.defs[name] = built
        return {"$ref": f"#/$defs/{self._names[kind]}"}

    def _object(self, properties: dict[str, Schema], required: list[str]) -> Schema:
        schema: Schema = {"type": "object", "properties": properties}
        if required:
            schema["required"] = required
        if self._closed:
            schema["additionalProperties"] = False
        return schema

    def _typed_dict(self, kind: Any) -> Schema:
        hints = typing.get_type_hints(kind, include_extras=True)
        required = required_keys(kind, hints)
        return self._object(
            {key: self.of(hint) for key, hint in hints.items()}, [key for key in hints if key in required]
        )

    def _named_tuple(self, kind: Any) -> Schema:
        hints = typing.get_type_hints(kind, include_extras=True)
        items = []
        for name in kind._fields:
            item = self.of(hints.get(name, Any))
            if name in kind._field_defaults:
                item = with_default(item, kind._field_defaults[name])
            items.append(item)
        return {
            "type": "array",
            "prefixItems": items,
            "minItems": len(items) - len(kind._field_defaults),
            "maxItems": len(items),
        }

    def _dataclass(self, kind: Any) -> Schema:
        hints = typing.get_type_hints(kind, include_extras=True)
        properties: dict[str, Schema] = {}
        required: list[str] = []
        for field in dataclasses.fields(kind):
            if not field.init:
                continue
            schema = self.of(hints[field.name])
            if field.default is not dataclasses.MISSING:
                schema = with_default(schema, field.default)
            elif field.default_factory is dataclasses.MISSING:
                required.append(field.name)
            if isinstance(field.metadata.get("description"), str):
                schema = {**schema, "description": field.metadata["description"]}
            properties[field.name] = schema
        return self._object(properties, required)

    def _model(self, kind: Any) -> Schema:
        return self._adopt(kind.model_json_schema())

    def _by_pydantic(self, annotation: Any) -> Schema:
        from pydantic import TypeAdapter

        try:
            return self._adopt(TypeAdapter(annotation).json_schema())
        except Exception as error:
            raise NoJsonForm(f"{type_name(annotation)} has no JSON form: {error}") from None

    def _adopt(self, schema: Schema) -> Schema:
        """Take over a foreign schema: its `$defs` join ours, generated titles go."""
        schema = _without_titles(schema)
        definitions = schema.pop("$defs", {})
        renamed: dict[str, str] = {}
        for name, definition in definitions.items():
            if self.defs.get(name, definition) != definition:
                # Another type of the same name is here already.
                renamed[f"#/$defs/{name}"] = f"#/$defs/{self._free(name, definitions)}"
        for name, definition in definitions.items():
            target = renamed.get(f"#/$defs/{name}", f"#/$defs/{name}").rpartition("/")[2]
            self.defs[target] = _with_references(definition, renamed)
        adopted: Schema = _with_references(schema, renamed)
        return adopted

    def _free(self, name: str, others: abc.Container[str]) -> str:
        while name in self.defs or name in others:
            name += "_"
        return name


def collections_deque() -> Any:
    """The deque class, when anyone has imported it (asyncio has)."""
    from collections import deque

    return deque


def required_keys(kind: Any, hints: dict[str, Any]) -> set[str]:
    """The keys a TypedDict must have; asks the hints too, because string annotations hide markers."""
    required = set(getattr(kind, "__required_keys__", hints))
    raw = typing.get_type_hints(kind, include_extras=True)
    for key, hint in raw.items():
        marker = getattr(typing.get_origin(hint), "_name", None)
        if marker == "NotRequired":
            required.discard(key)
        elif marker == "Required":
            required.add(key)
    return required


def with_default(schema: Schema, value: Any) -> Schema:
    """Add a default, when it has a JSON form; defaults without one are simply not advertised."""
    from hud._jsonable import to_json

    try:
        return {**schema, "default": to_json(value)}
    except TypeError:
        return schema


def enum_value(member: Enum) -> Any:
    """What stands for an enum member in JSON: its value when that is plain, else its name."""
    return member.value if isinstance(member.value, (str, int, float, bool, type(None))) else member.name


def _enumeration(values: list[Any]) -> Schema:
    values = [enum_value(value) if isinstance(value, Enum) else value for value in values]
    kinds = {_SIMPLE[type(value)]["type"] for value in values if type(value) in _SIMPLE}
    schema: Schema = {"enum": values}
    if len(kinds) == 1:
        schema["type"] = kinds.pop()
    return schema


def _without_titles(schema: Any) -> Any:
    """Drop pydantic's generated titles; a property that is itself called `title` stays."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {}
    for key, value in schema.items():
        if key == "title" and isinstance(value, str):
            continue
        if key in ("properties", "$defs", "patternProperties") and isinstance(value, dict):
            result[key] = {name: _without_titles(item) for name, item in value.items()}
        elif key in ("default", "const", "enum", "examples"):
            result[key] = value
        else:
            result[key] = _without_titles(value)
    return result


def _with_references(schema: Any, renamed: dict[str, str]) -> Any:
    if not renamed:
        return schema
    if isinstance(schema, dict):
        return {
            key: renamed.get(value, value) if key == "$ref" else _with_references(value, renamed)
            for key, value in schema.items()
        }
    return [_with_references(item, renamed) for item in schema] if isinstance(schema, list) else schema


def _mentions(schema: Any, reference: str) -> bool:
    if isinstance(schema, dict):
        return schema.get("$ref") == reference or any(_mentions(item, reference) for item in schema.values())
    return isinstance(schema, list) and any(_mentions(item, reference) for item in schema)


def type_name(kind: Any) -> str:
    """A readable name of a type."""
    if isinstance(kind, type) and not typing.get_args(kind):
        return kind.__qualname__ if kind.__module__ == "builtins" else kind.__name__
    return str(kind).replace("typing.", "")


__all__ = ["NoJsonForm", "Path", "Schema", "SchemaBuilder", "schema_of", "unwrap"]
