"""Checks arguments against a JSON schema, with the messages of the `jsonschema` package.

Covers JSON Schema 2020-12, which authors may write by hand, but for what is only an annotation there
(`format`, `contentEncoding`, …), `unevaluatedProperties`, `unevaluatedItems`, and references to other
documents. What it does not cover is not enforced: coercion and the function itself still see the value.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

_LIMIT = 5


def problems(value: Any, schema: dict[str, Any]) -> list[str]:
    """What is wrong with the value, at most a handful; empty when it is valid."""
    found: list[str] = []
    try:
        _check(value, schema, schema, "", found)
    except RecursionError:
        found.append("it is nested too deeply to be checked")
    return found[:_LIMIT]


def _add(found: list[str], message: str, where: str) -> None:
    """The place is told for nested values; a value that is an argument itself speaks for itself."""
    found.append(f"{message} (in {where})" if "." in where or "[" in where else message)


def _add_inside(found: list[str], message: str, where: str) -> None:
    """A problem of an object's fields, which needs the object's place even when it is an argument."""
    found.append(f"{message} (in {where})" if where else message)


def _check(value: Any, schema: Any, root: dict[str, Any], where: str, found: list[str]) -> None:
    if not isinstance(schema, dict):
        if schema is False:
            _add(found, f"False schema does not allow {value!r}", where)
        return
    for keyword in ("$ref", "$dynamicRef"):
        reference = schema.get(keyword)
        if reference is not None:
            _check(value, _target(reference, root), root, where, found)
    if "type" in schema and not _has_type(value, schema["type"]):
        _add(found, f"{_shown(value)} is not of type {_types(schema['type'])}", where)
        return
    if "enum" in schema and not any(_same(value, option) for option in schema["enum"]):
        _add(found, f"{_shown(value)} is not one of {schema['enum']!r}", where)
    if "const" in schema and not _same(value, schema["const"]):
        _add(found, f"{schema['const']!r} was expected", where)
    for branch in schema.get("allOf", ()):
        _check(value, branch, root, where, found)
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            _alternatives(value, schema[keyword], root, where, found)
    if "oneOf" in schema and sum(_fits(value, branch, root) for branch in schema["oneOf"]) > 1:
        _add(found, f"{_shown(value)} is valid under more than one of the given schemas", where)
    if "not" in schema and _fits(value, schema["not"], root):
        _add(found, f"{_shown(value)} should not be valid under {_shown(schema['not'])}", where)
    if "if" in schema:
        _check(value, schema.get("then" if _fits(value, schema["if"], root) else "else", {}), root, where, found)
    if isinstance(value, dict):
        _object(value, schema, root, where, found)
    elif isinstance(value, list):
        _array(value, schema, root, where, found)
    elif isinstance(value, str):
        _string(value, schema, where, found)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        _number(value, schema, where, found)


def _fits(value: Any, schema: Any, root: dict[str, Any]) -> bool:
    inner: list[str] = []
    _check(value, schema, root, "", inner)
    return not inner


def _target(reference: str, root: dict[str, Any]) -> Any:
    """What a reference inside the same document means; everything is allowed when it leads nowhere."""
    base, _, fragment = reference.partition("#")
    if base and base != root.get("$id"):
        found = next((part for part in _subschemas(root) if part.get("$id") == base), None)
        if found is None or not fragment:
            return found or {}
        root = found
    if not fragment.startswith("/"):
        if not fragment:
            return root
        names = ("$anchor", "$dynamicAnchor")
        return next((part for part in _subschemas(root) if any(part.get(name) == fragment for name in names)), {})
    target: Any = root
    for step in unquote(fragment[1:]).split("/"):
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(target, dict):
            target = target.get(step, {})
        elif isinstance(target, list) and step.isdecimal() and int(step) < len(target):
            target = target[int(step)]
        else:
            return {}
    return target


def _subschemas(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
        for inner in part.values():
            yield from _subschemas(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _subschemas(inner)


def _alternatives(value: Any, branches: list[Any], root: dict[str, Any], where: str, found: list[str]) -> None:
    closest: list[str] | None = None
    for branch in branches:
        inner: list[str] = []
        _check(value, branch, root, where, inner)
        if not inner:
            return
        # A branch of the right type that fails deeper says more than "under none of the schemas".
        if not any("is not of type" in problem and "(in" not in problem for problem in inner):
            closest = inner
    if len([b for b in branches if b != {"type": "null"}]) == 1 and closest:
        found.extend(closest)
        return
    _add(found, f"{_shown(value)} is not valid under any of the given schemas", where)


def _object(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], where: str, found: list[str]) -> None:
    known = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            _add_inside(found, f"{name!r} is a required property", where)
    extra = schema.get("additionalProperties", True)
    unexpected = [name for name in value if name not in known]
    if "patternProperties" in schema:
        unexpected = _patterns(value, schema["patternProperties"], unexpected, root, where, found)
    if extra is False and unexpected:
        names = ", ".join(repr(name) for name in unexpected)
        verb = "was" if len(unexpected) == 1 else "were"
        _add_inside(found, f"Additional properties are not allowed ({names} {verb} unexpected)", where)
    elif isinstance(extra, dict):
        for name in unexpected:
            _check(value[name], extra, root, _join(where, name), found)
    for name, inner in known.items():
        if name in value:
            _check(value[name], inner, root, _join(where, name), found)
    if not _RARE.isdisjoint(schema):
        _rare(value, schema, root, where, found)


def _patterns(
    value: dict[str, Any],
    patterns: dict[str, Any],
    unexpected: list[str],
    root: dict[str, Any],
    where: str,
    found: list[str],
) -> list[str]:
    """Check the properties that patterns describe; gives those that none does."""
    matched = set()
    for pattern, inner in patterns.items():
        for name, item in value.items():
            if _matches(pattern, name):
                matched.add(name)
                _check(item, inner, root, _join(where, name), found)
    return [name for name in unexpected if name not in matched]


_RARE = {"propertyNames", "minProperties", "maxProperties", "dependentRequired", "dependentSchemas"}


def _rare(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], where: str, found: list[str]) -> None:
    if "propertyNames" in schema:
        for name in value:
            _check(name, schema["propertyNames"], root, where, found)
    if len(value) < schema.get("minProperties", 0):
        _add_inside(found, f"{_shown(value)} does not have enough properties", where)
    if len(value) > schema.get("maxProperties", len(value)):
        _add_inside(found, f"{_shown(value)} has too many properties", where)
    for name, needed in schema.get("dependentRequired", {}).items():
        for other in needed if name in value else ():
            if other not in value:
                _add_inside(found, f"{other!r} is a dependency of {name!r}", where)
    for name, inner in schema.get("dependentSchemas", {}).items():
        if name in value:
            _check(value, inner, root, where, found)


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _array(value: list[Any], schema: dict[str, Any], root: dict[str, Any], where: str, found: list[str]) -> None:
    prefix = schema.get("prefixItems", [])
    for index, item in enumerate(value):
        inner = prefix[index] if index < len(prefix) else schema.get("items")
        if inner is not None:
            _check(item, inner, root, f"{where}[{index}]", found)
    if len(value) < schema.get("minItems", 0):
        _add(found, f"{_shown(value)} is too short", where)
    if len(value) > schema.get("maxItems", len(value)):
        _add(found, f"{_shown(value)} is too long", where)
    if schema.get("uniqueItems") and any(_same(a, b) for i, a in enumerate(value) for b in value[:i]):
        _add(found, f"{_shown(value)} has non-unique elements", where)
    if "contains" in schema:
        count = sum(_fits(item, schema["contains"], root) for item in value)
        if count < schema.get("minContains", 1):
            _add(found, f"{_shown(value)} does not contain items matching the given schema", where)
        elif count > schema.get("maxContains", count):
            _add(found, f"{_shown(value)} contains too many items matching the given schema", where)


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
