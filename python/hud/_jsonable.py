"""Python values to JSON values, and JSON values to bytes.

Knows the types that annotations may name (see `_schema`), so what a tool returns and what a task
holds travel the same way. It never guesses: a value without a JSON form is a TypeError that
names its type and where it sits.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

_PLAIN = (str, bool, int, type(None))
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def to_json(value: Any, where: str = "value", *, finite: bool = False) -> Any:
    """Convert to dicts, lists, strings, numbers, booleans and None.

    JSON has no NaN and no infinity, and a peer rejects the whole line that contains one: they become
    None, or with `finite` a TypeError, for values whose reader would take None for an answer.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is float:
        if math.isfinite(value):
            return value
        if finite:
            raise TypeError(f"{where} is {value}, which JSON cannot hold; return None or a text instead")
        return None
    if isinstance(value, Enum):
        return to_json(value.value, where, finite=finite)
    if isinstance(value, Mapping):
        return {_key(key, where): to_json(item, f"{where}[{key!r}]", finite=finite) for key, item in value.items()}
    if isinstance(value, (list, tuple, Set)):
        return [to_json(item, f"{where}[{index}]", finite=finite) for index, item in enumerate(value)]
    return _object(value, where, finite)


def _key(key: Any, where: str) -> str:
    if isinstance(key, str):
        return key
    plain = to_json(key, f"a key of {where}")
    if isinstance(plain, str):
        return plain
    if isinstance(plain, (int, float, bool)) or plain is None:
        return json.dumps(plain)
    raise TypeError(f"{where} has a key of type {type(key).__name__}, JSON objects have string keys")


def _object(value: Any, where: str, finite: bool) -> Any:
    dump = getattr(value, "model_dump", None)
    if callable(dump) and not isinstance(value, type):
        try:
            return to_json(dump(mode="json", by_alias=True), where, finite=finite)
        except TypeError:
            return to_json(dump(), where, finite=finite)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: to_json(getattr(value, field.name), f"{where}.{field.name}", finite=finite)
            for field in dataclasses.fields(value)
        }
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return duration(value)
    if isinstance(value, (UUID, PurePath, Decimal)):
        return str(value)
    if isinstance(value, (str, int)):
        # A subclass such as a NewType of str with behaviour; its plain value is meant.
        return str(value) if isinstance(value, str) else int(value)
    if isinstance(value, float):
        return to_json(float(value), where, finite=finite)
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(
            f"{where} is bytes, which JSON cannot hold; return text with .decode(), or "
            "hud.types.ImageContent(data=base64…, mimeType='image/png') for an image"
        )
    to_list = getattr(value, "tolist", None)
    if callable(to_list):  # numpy and torch scalars and arrays
        return to_json(to_list(), where, finite=finite)
    raise TypeError(f"{where} is of type {type(value).__name__}, which has no JSON form")


def duration(value: timedelta) -> str:
    """ISO 8601 duration, the form JSON Schema calls `duration`."""
    seconds = value.total_seconds()
    sign = "-" if seconds < 0 else ""
    days, rest = divmod(abs(seconds), 86400)
    text = f"{rest:.6f}".rstrip("0").rstrip(".")
    return f"{sign}P{f'{int(days)}D' if days else ''}T{text}S"


def dumps(value: Any) -> str:
    """Compact JSON text of an already plain value; non-finite numbers become null."""
    try:
        return _encode(value)
    except ValueError:
        return _encode(to_json(value))


def line(value: Any) -> bytes:
    """One line of JSON, newline included, always valid UTF-8.

    A lone surrogate, which a file name read from disk may contain, has no UTF-8 form and becomes `?`.
    """
    return dumps(value).encode("utf-8", "replace") + b"\n"
