"""JSON values to the Python types that annotations name; the counterpart of `_schema`.

Strict on purpose: a number is not a text and a text is not a number, because a silent conversion
hides a mistake of the agent. The one exception are scenario arguments, which travel as strings
(`decode_text`).
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing
from collections import deque
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from pathlib import Path, PurePath
from typing import Any, Literal
from uuid import UUID

from hud._schema import (
    ARRAYS,
    MAPPINGS,
    SETS,
    enum_value,
    is_model,
    is_namedtuple,
    is_typeddict,
    is_union,
    needs_pydantic,
    required_keys,
    type_name,
    unwrap,
)


class CoercionError(ValueError):
    """A value does not fit its annotation; the message reads on from the argument's name."""


def coerce(value: Any, annotation: Any) -> Any:
    """Turn a JSON value into what the annotation names."""
    if needs_pydantic(annotation):
        return _by_pydantic(value, annotation)
    kind, _ = unwrap(annotation)
    if kind is Any or kind is object:
        return value
    if needs_pydantic(kind):
        return _by_pydantic(value, kind)
    if is_union(kind):
        return _union(value, typing.get_args(kind))
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return _literal(value, args)
    if kind is None:
        kind = type(None)
    exact = _EXACT.get(kind)
    if exact is not None:
        return exact(value)
    if isinstance(origin or kind, type):
        return _structured(value, origin or kind, args)
    return value


def decode_text(text: str, annotation: Any) -> Any:
    """Turn the string form of a scenario argument into what the annotation names.

    A `str` parameter keeps the text as it is, even "123" or "[1]". Types that are written as text
    (dates, paths, …) try the text first, all others its JSON meaning.
    """
    kind, _ = unwrap(annotation)
    if kind is str:
        return text
    try:
        decoded: Any = json.loads(text)
        is_json = True
    except ValueError:
        decoded, is_json = None, False
    if kind is Any or kind is object:
        return decoded if is_json else text
    if kind is bool and text.strip().lower() in ("true", "false"):
        return text.strip().lower() == "true"
    candidates: list[Any] = [text]
    if is_json and (_is_path(kind) or kind in (bytes, Decimal, UUID, date, datetime, time, timedelta)):
        candidates.append(decoded)
    elif is_json and isinstance(decoded, str):
        # Both spellings of a text are possible; only a type without plain text wants the inner one.
        candidates.append(decoded)
    elif is_json:
        candidates.insert(0, decoded)
    failures: list[CoercionError] = []
    for candidate in candidates:
        try:
            return coerce(candidate, annotation)
        except CoercionError as error:
            failures.append(error)
    raise failures[0]


def _is_path(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, PurePath)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _wrong(value: Any, wanted: str) -> CoercionError:
    return CoercionError(f"{_shown(value)} is not {wanted}")


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(value, "a string")
    return value


def _int(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(value, "an integer")
    return value


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(value, "a number")
    return float(value)


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(value, "true or false")
    return value


def _none(value: Any) -> None:
    if value is not None:
        raise _wrong(value, "null")


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return _str(value).encode()


def _decimal(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise _wrong(value, "a decimal number")
    try:
        return Decimal(str(value).strip())
    except InvalidOperation:
        raise _wrong(value, "a decimal number") from None


def _uuid(value: Any) -> UUID:
    if isinstance(value, UUID):
        return value
    try:
        return UUID(_str(value))
    except ValueError:
        raise _wrong(value, "a UUID") from None


def _temporal(kind: Any, wanted: str) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        text = _str(value)
        try:
            # fromisoformat understands a trailing Z only since Python 3.11.
            return kind.fromisoformat(text[:-1] + "+00:00" if text[-1:] in "Zz" and text else text)
        except ValueError:
            raise _wrong(value, wanted) from None

    return read


_DURATION = re.compile(
    r"^(?P<sign>[+-])?P(?:(?P<weeks>\d+(?:\.\d+)?)W)?(?:(?P<days>\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(?P<hours>\d+(?:\.\d+)?)H)?(?:(?P<minutes>\d+(?:\.\d+)?)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?$"
)


def _timedelta(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return timedelta(seconds=value)
    match = _DURATION.match(_str(value))
    if not match or not any(match.groupdict().get(part) for part in ("weeks", "days", "hours", "minutes", "seconds")):
        raise _wrong(value, "a duration such as 'PT90S' or a number of seconds")
    parts = {name: float(number) for name, number in match.groupdict().items() if name != "sign" and number}
    return timedelta(**parts) * (-1 if match["sign"] == "-" else 1)


_EXACT: dict[Any, Callable[[Any], Any]] = {
    str: _str,
    int: _int,
    float: _float,
    bool: _bool,
    type(None): _none,
    bytes: _bytes,
    Decimal: _decimal,
    UUID: _uuid,
    datetime: _temporal(datetime, "a date and time such as '2024-05-01T12:00:00'"),
    date: _temporal(date, "a date such as '2024-05-01'"),
    time: _temporal(time, "a time such as '12:30:00'"),
    timedelta: _timedelta,
}


def _literal(value: Any, options: tuple[Any, ...]) -> Any:
    for option in options:
        plain = enum_value(option) if isinstance(option, Enum) else option
        # True == 1 in Python, but they are different values in JSON.
        if plain == value and isinstance(plain, bool) == isinstance(value, bool):
            return option
    raise _wrong(value, "one of " + ", ".join(repr(option) for option in options))


def _union(value: Any, members: tuple[Any, ...]) -> Any:
    # A member of exactly the value's type wins: 1 for `float | int` is an int, "x" for `Path | str` a str.
    for member in members:
        if type(value) is unwrap(member)[0] or (value is None and member in (None, type(None))):
            return coerce(value, member)
    failures = []
    for member in members:
        try:
            return coerce(value, member)
        except CoercionError as error:
            failures.append(str(error))
    if len({*members} - {type(None)}) == 1:
        raise CoercionError(failures[0])
    raise CoercionError(f"{_shown(value)} fits none of {', '.join(type_name(m) for m in members)}")


def _structured(value: Any, kind: Any, args: tuple[Any, ...]) -> Any:
    if kind is tuple:
        return _tuple(value, args)
    if kind in ARRAYS:
        return _items(value, args)
    if kind is deque:
        return deque(_items(value, args))
    if kind in SETS:
        items = _items(value, args)
        try:
            return frozenset(items) if kind is frozenset else set(items)
        except TypeError:
            raise _wrong(value, "an array of values that can be in a set") from None
    if is_typeddict(kind):
        return _typed_dict(value, kind)
    if kind in MAPPINGS or issubclass(kind, dict):
        return _mapping(value, args)
    if issubclass(kind, Enum):
        return _enum(value, kind)
    if is_namedtuple(kind):
        return _named_tuple(value, kind)
    if is_model(kind):
        return _model(value, kind)
    if dataclasses.is_dataclass(kind):
        return _dataclass(value, kind)
    if issubclass(kind, PurePath):
        return value if isinstance(value, kind) else (Path if kind is PurePath else kind)(_str(value))
    for base in (str, bool, int, float):
        if issubclass(kind, base):
            return value if isinstance(value, kind) else kind(_EXACT[base](value))
    return value


def _at(place: str, value: Any, annotation: Any) -> Any:
    try:
        return coerce(value, annotation)
    except CoercionError as error:
        raise CoercionError(f"{place}: {error}") from None


def _items(value: Any, args: tuple[Any, ...]) -> list[Any]:
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise _wrong(value, "an array")
    if not args:
        return list(value)
    return [_at(f"[{index}]", item, args[0]) for index, item in enumerate(value)]


def _tuple(value: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    if not args or (len(args) == 2 and args[1] is Ellipsis):
        return tuple(_items(value, args[:1]))
    items = _items(value, ())
    if len(items) != len(args):
        raise _wrong(value, f"an array of {len(args)} items")
    return tuple(_at(f"[{i}]", item, arg) for i, (item, arg) in enumerate(zip(items, args)))


def _mapping(value: Any, args: tuple[Any, ...]) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise _wrong(value, "an object")
    if len(args) != 2:
        return value
    result = {}
    for key, item in value.items():
        plain_key = args[0] in (str, Any)
        result[key if plain_key else decode_text(key, args[0])] = _at(f"[{key!r}]", item, args[1])
    return result


def _enum(value: Any, kind: Any) -> Any:
    if isinstance(value, kind):
        return value
    for member in kind:
        plain = enum_value(member)
        if plain == value and isinstance(plain, bool) == isinstance(value, bool):
            return member
    raise _wrong(value, "one of " + ", ".join(repr(enum_value(member)) for member in kind))


def _fields(value: Any, hints: dict[str, Any], required: set[str], name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(value, f"an object ({name})")
    unknown = [key for key in value if key not in hints]
    if unknown:
        raise CoercionError(f"unknown field '{unknown[0]}' of {name}, it has {', '.join(hints)}")
    missing = [key for key in hints if key in required and key not in value]
    if missing:
        raise CoercionError(f"{name} needs field '{missing[0]}'")
    return {key: _at(f"'{key}'", item, hints[key]) for key, item in value.items()}


def _typed_dict(value: Any, kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return _fields(value, hints, required_keys(kind, hints), kind.__name__)


def _named_tuple(value: Any, kind: Any) -> Any:
    hints = typing.get_type_hints(kind, include_extras=True)
    hints = {name: hints.get(name, Any) for name in kind._fields}
    required = set(kind._fields) - set(kind._field_defaults)
    if not isinstance(value, (list, tuple)) or len(value) > len(kind._fields):
        raise _wrong(value, f"an array of {', '.join(kind._fields)} ({kind.__name__})")
    return kind(**_fields(dict(zip(kind._fields, value)), hints, required, kind.__name__))


def _dataclass(value: Any, kind: Any) -> Any:
    if isinstance(value, kind):
        return value
    all_hints = typing.get_type_hints(kind, include_extras=True)
    fields = [field for field in dataclasses.fields(kind) if field.init]
    required = {
        field.name
        for field in fields
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    return kind(**_fields(value, {field.name: all_hints[field.name] for field in fields}, required, kind.__name__))


def _model(value: Any, kind: Any) -> Any:
    try:
        return kind.model_validate(value)
    except ValueError as error:
        raise CoercionError(str(error)) from None


def _by_pydantic(value: Any, annotation: Any) -> Any:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(annotation).validate_python(value)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}".removeprefix(": ")
            for problem in error.errors()
        ]
        raise CoercionError("; ".join(problems)) from None
