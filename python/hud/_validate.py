"""Checks arguments against a JSON schema, with the messages of the `jsonschema` package.

Covers the keywords that `_schema` and pydantic emit. A keyword it does not know is not enforced:
coercion and the function itself still see the value.
"""

from __future__ import annotations

import operator
import re
from typing import Any

_LIMIT = 5


def problems(value: Any, schema: dict[str, Any]) -> list[str]:
    """What is wrong with the value, at most a handful; empty when it is valid."""
    found: list[str] = []
    _check(value, schema, schema.get("$defs", {}), "", found)
    return found[:_LIMIT]


def _add(found: list[str], message: str, where: str) -> None:
    """The place is told for nested values; a value that is an argument itself speaks for itself."""
    found.append(f"{message} (in {where})" if "." in where or "[" in where else message)


def _add_inside(found: list[str], message: str, where: str) -> None:
    """A problem of an object's fields, which needs the object's place even when it is an argument."""
    found.append(f"{message} (in {where})" if where else message)


def _check(value: Any, schema: Any, defs: dict[str, Any], where: str, found: list[str]) -> None:
    if not isinstance(schema, dict):
        if schema is False:
            _add(found, f"False schema does not allow {value!r}", where)
        return
    reference = schema.get("$ref")
    if reference is not None:
        _check(value, defs.get(reference.rpartition("/")[2], {}), defs, where, found)
    if "type" in schema and not _has_type(value, schema["type"]):
        _add(found, f"{_shown(value)} is not of type {_types(schema['type'])}", where)
        return
    if "enum" in schema and not any(_same(value, option) for option in schema["enum"]):
        _add(found, f"{_shown(value)} is not one of {schema['enum']!r}", where)
    if "const" in schema and not _same(value, schema["const"]):
        _add(found, f"{schema['const']!r} was expected", where)
    for branch in schema.get("allOf", ()):
        _check(value, branch, defs, where, found)
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            _alternatives(value, schema[keyword], defs, where, found)
    if isinstance(value, dict):
        _object(value, schema, defs, where, found)
    elif isinstance(value, list):
        _array(value, schema, defs, where, found)
    elif isinstance(value, str):
        _string(value, schema, where, found)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        _number(value, schema, where, found)


def _alternatives(value: Any, branches: list[Any], defs: dict[str, Any], where: str, found: list[str]) -> None:
    closest: list[str] | None = None
    for branch in branches:
        inner: list[str] = []
        _check(value, branch, defs, where, inner)
        if not inner:
            return
        # A branch of the right type that fails deeper says more than "under none of the schemas".
        if not any("is not of type" in problem and "(in" not in problem for problem in inner):
            closest = inner
    if len([b for b in branches if b != {"type": "null"}]) == 1 and closest:
        found.extend(closest)
        return
    _add(found, f"{_shown(value)} is not valid under any of the given schemas", where)


def _object(value: dict[str, Any], schema: dict[str, Any], defs: dict[str, Any], where: str, found: list[str]) -> None:
    known = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            _add_inside(found, f"{name!r} is a required property", where)
    extra = schema.get("additionalProperties", True)
    unexpected = [name for name in value if name not in known]
    if extra is False and unexpected:
        names = ", ".join(repr(name) for name in unexpected)
        verb = "was" if len(unexpected) == 1 else "were"
        _add_inside(found, f"Additional properties are not allowed ({names} {verb} unexpected)", where)
    elif isinstance(extra, dict):
        for name in unexpected:
            _check(value[name], extra, defs, _join(where, name), found)
    for name, inner in known.items():
        if name in value:
            _check(value[name], inner, defs, _join(where, name), found)


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _array(value: list[Any], schema: dict[str, Any], defs: dict[str, Any], where: str, found: list[str]) -> None:
    prefix = schema.get("prefixItems", [])
    for index, item in enumerate(value):
        inner = prefix[index] if index < len(prefix) else schema.get("items")
        if inner is not None:
            _check(item, inner, defs, f"{where}[{index}]", found)
    if len(value) < schema.get("minItems", 0):
        _add(found, f"{_shown(value)} is too short", where)
    if len(value) > schema.get("maxItems", len(value)):
        _add(found, f"{_shown(value)} is too long", where)
    if schema.get("uniqueItems") and any(_same(a, b) for i, a in enumerate(value) for b in value[:i]):
        _add(found, f"{_shown(value)} has non-unique elements", where)


def _string(value: str, schema: dict[str, Any], where: str, found: list[str]) -> None:
    if len(value) < schema.get("minLength", 0):
        _add(found, f"{value!r} is too short", where)
    if len(value) > schema.get("maxLength", len(value)):
        _add(found, f"{_shown(value)} is too long", where)
    pattern = schema.get("pattern")
    if pattern is not None and not _matches(pattern, value):
        _add(found, f"{_shown(value)} does not match {pattern!r}", where)


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:
        return True  # ECMAScript patterns that Python cannot read are the model's own concern.


_BOUNDS = (
    ("minimum", operator.lt, "is less than the minimum of"),
    ("maximum", operator.gt, "is greater than the maximum of"),
    ("exclusiveMinimum", operator.le, "is less than or equal to the minimum of"),
    ("exclusiveMaximum", operator.ge, "is greater than or equal to the maximum of"),
)


def _number(value: float, schema: dict[str, Any], where: str, found: list[str]) -> None:
    for keyword, exceeds, text in _BOUNDS:
        bound = schema.get(keyword)
        if bound is not None and exceeds(value, bound):
            _add(found, f"{value!r} {text} {bound!r}", where)
    step = schema.get("multipleOf")
    if step and abs(value / step - round(value / step)) > 1e-9:
        _add(found, f"{value!r} is not a multiple of {step!r}", where)


def _has_type(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return any(_has_type(value, one) for one in wanted)
    if wanted == "integer":
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return whole and not isinstance(value, bool)
    if wanted == "number":
        return not isinstance(value, bool) and isinstance(value, (int, float))
    kinds = {"string": str, "boolean": bool, "object": dict, "array": list, "null": type(None)}
    return isinstance(value, kinds.get(wanted, object))


def _types(wanted: Any) -> str:
    return ", ".join(repr(one) for one in wanted) if isinstance(wanted, list) else repr(wanted)


def _same(a: Any, b: Any) -> bool:
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:197] + "..."
