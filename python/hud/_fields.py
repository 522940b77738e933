"""How the fields of a record (`hud._model`) are declared, checked, and described as JSON schema.

It covers the annotations that our own records use and no more: `Any`, `None`, str, int, float, bool,
Literal, Enum, `Annotated` with a check, list, dict, unions, and other records. It is not a general
validation library. Conversion is as lenient as pydantic's default: `"0.5"` is a number and `"yes"` is
true, but no number is a text. Every refusal is a ValueError whose message reads on from the field's name.
"""

from __future__ import annotations

import enum
import math
import operator
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, Union

MISSING: Any = type("MISSING", (), {"__repr__": lambda _self: "MISSING"})()
Convert = Callable[[Any], Any]


class Field:
    """What a record knows about one of its fields; made by `field()` or from a plain default."""

    def __init__(
        self,
        default: Any = MISSING,
        default_factory: Callable[[], Any] | None = None,
        wire: str | None = None,
        also: str | None = None,
        dump: Literal["always", "set", "never"] = "always",
    ) -> None:
        self.default = default
        self.default_factory = default_factory
        self.wire = wire
        self.also = also
        self.dump = dump

    @property
    def required(self) -> bool:
        return self.default is MISSING and self.default_factory is None

    def make_default(self) -> Any:
        return self.default_factory() if self.default_factory else self.default


def field(
    *,
    default: Any = MISSING,
    default_factory: Callable[[], Any] | None = None,
    wire: str | None = None,
    also: str | None = None,
    dump: Literal["always", "set", "never"] = "always",
) -> Any:
    """Describe a field: `wire` is its name in JSON, `also` a second accepted spelling.

    `dump="set"` leaves the field out of dumps while it is None, `"never"` always.
    """
    return Field(default, default_factory, wire, also, dump)


def between(low: float, high: float) -> Callable[[float], float]:
    """A check for `Annotated[float, between(0, 1)]`."""

    def check(value: float) -> float:
        if not low <= value <= high:
            raise ValueError(f"must be between {low} and {high}, got {value!r}")
        return value

    check.schema = {"minimum": low, "maximum": high}  # type: ignore[attr-defined]
    return check


def finite(value: float) -> float:
    """A check that refuses NaN and infinities, which JSON cannot carry and no mean survives."""
    if not math.isfinite(value):
        raise ValueError(f"must be a finite number, got {value!r}")
    return value


def attempt(convert: Convert, name: str, value: Any, problems: list[str]) -> Any:
    try:
        return convert(value)
    except (ValueError, TypeError, OverflowError) as error:
        problems.append(f"'{name}' {error}")
        return None


def shown(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


_TRUTH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def _plain(value: Any) -> Any:
    """numpy's scalars as Python's: its truth value, which comparisons give, is no bool and no number."""
    return value.item() if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0 else value


def _to_bool(value: Any) -> bool:
    value = _plain(value)
    if isinstance(value, bool):
        return value
    known = _TRUTH.get(str(value).lower()) if isinstance(value, (str, int)) else None
    if known is None:
        raise ValueError(f"must be true or false, got {shown(value)}")
    return known


def _to_number(kind: type) -> Convert:
    what = "a number" if kind is float else "a whole number"

    def convert(value: Any) -> Any:
        value = _plain(value)
        try:
            if hasattr(value, "__index__"):
                return kind(operator.index(value))
            if isinstance(value, str) and kind is int:
                return int(value)
            # `__float__` lets Decimal and Fraction in; None, lists and other text stay out.
            if isinstance(value, str) or hasattr(value, "__float__"):
                number = float(value)
                if kind is float or number == math.floor(number):
                    return kind(number)
        except (ValueError, TypeError, OverflowError):
            pass
        raise ValueError(f"must be {what}, got {shown(value)}")

    return convert


def _to_str(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be text, got {shown(value)}")
    return value


def _to_literal(options: tuple[Any, ...]) -> Convert:
    def convert(value: Any) -> Any:
        if value not in options:
            raise ValueError(f"must be {' or '.join(map(repr, options))}, got {shown(value)}")
        return value

    return convert


def _to_list(item: Convert) -> Convert:
    def convert(value: Any) -> list[Any]:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"must be a list, got {shown(value)}")
        return [_inside(item, index, entry) for index, entry in enumerate(value)]

    return convert


def _to_dict(item: Convert) -> Convert:
    def convert(value: Any) -> dict[Any, Any]:
        if not isinstance(value, Mapping):
            raise ValueError(f"must be a mapping, got {shown(value)}")
        return {key: _inside(item, key, entry) for key, entry in value.items()}

    return convert


def _inside(convert: Convert, where: Any, value: Any) -> Any:
    try:
        return convert(value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"at [{where!r}]: {error}") from None


def _tag_of(option: Any) -> Any:
    known = getattr(option, "_declared", {}).get("type")
    return known.default if known else None


def _to_union(options: tuple[Any, ...]) -> Convert:
    concrete = [option for option in options if option is not type(None)]
    converters = [converter(option) for option in concrete]
    tagged = {_tag_of(option): attempt for option, attempt in zip(concrete, converters)}
    tagged.pop(None, None)

    def convert(value: Any) -> Any:
        if value is None and len(concrete) < len(options):
            return None
        if type(value) in concrete:
            return value
        if tagged:
            # Records that name their own type are told apart by it; guessing from the other fields
            # would take a sound for a picture.
            tag = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
            if tag not in tagged:
                raise ValueError(f"must have a 'type' of {', '.join(map(repr, tagged))}; got {shown(value)}")
            return tagged[tag](value)
        problems: list[str] = []
        for attempt in converters:
            try:
                return attempt(value)
            except (ValueError, TypeError) as error:
                problems.append(str(error))
        raise ValueError(" or ".join(dict.fromkeys(problems)))

    return convert


def is_record(hint: Any) -> bool:
    """Whether the annotation is one of our records; asked this way because records import this module."""
    return isinstance(hint, type) and hasattr(hint, "_declared") and hasattr(hint, "model_validate")


def converter(hint: Any) -> Convert:
    """How a value becomes one of the annotated type; raises a ValueError that says what it must be."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or isinstance(hint, TypeVar):
        return lambda value: value
    if hint is type(None):
        return _to_literal((None,))
    if origin is typing.Annotated:
        inner, checks = converter(args[0]), args[1:]

        def checked(value: Any) -> Any:
            value = inner(value)
            for check in checks:
                value = check(value)
            return value

        return checked
    if origin is Literal:
        return _to_literal(args)
    if origin is Union or origin is types.UnionType:
        return _to_union(args)
    if hint is list or origin is list:
        return _to_list(converter(args[0]) if args else lambda value: value)
    if hint is dict or origin is dict:
        return _to_dict(converter(args[1]) if args else lambda value: value)
    simple: dict[Any, Convert] = {str: _to_str, bool: _to_bool, int: _to_number(int), float: _to_number(float)}
    if hint in simple:
        return simple[hint]
    if is_record(hint):
        return hint.model_validate
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint
    raise TypeError(f"hud's records cannot check the annotation {hint!r}")


def schema_of(record: Any, _outer: tuple[Any, ...] = ()) -> dict[str, Any]:
    """The JSON schema of a record. A record inside itself is only called an object."""
    properties: dict[str, Any] = {}
    hints = record._hints()
    for name, known in record._declared.items():
        schema = _hint_schema(hints[name], (*_outer, record))
        if not known.required and known.default is not None and known.default_factory is None:
            schema = {**schema, "default": known.default}
        properties[known.wire or name] = schema
    required = [known.wire or name for name, known in record._declared.items() if known.required]
    out: dict[str, Any] = {"title": record.__name__, "type": "object", "properties": properties}
    if record.__doc__:
        out["description"] = record.__doc__.strip().split("\n\n")[0].replace("\n    ", " ")
    if required:
        out["required"] = required
    if record._extra == "forbid":
        out["additionalProperties"] = False
    return out


_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


def _hint_schema(hint: Any, outer: tuple[Any, ...]) -> dict[str, Any]:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint in _JSON_TYPES:
        return {"type": _JSON_TYPES[hint]}
    if origin is typing.Annotated:
        schema = _hint_schema(args[0], outer)
        for check in args[1:]:
            schema.update(getattr(check, "schema", {}))
        return schema
    if origin is Literal:
        return {"enum": list(args)}
    if origin is Union or origin is types.UnionType:
        return {"anyOf": [_hint_schema(option, outer) for option in args]}
    if hint is list or origin is list:
        return {"type": "array", "items": _hint_schema(args[0], outer) if args else {}}
    if hint is dict or origin is dict:
        return {"type": "object"}
    if is_record(hint):
        return {"type": "object"} if hint in outer else schema_of(hint, outer)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [member.value for member in hint]}
    return {}
