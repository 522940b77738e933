"""Forms for a person: the schema of an elicitation, and the way back from an answer to a Python value.

MCP lets a form have one level of fields only, each a text, a number, a yes or no, or a choice, so
that every client can show it. A type that does not fit is a TypeError where the tool asks, naming the
field; a schema that was written by hand goes out as it is.
"""

from __future__ import annotations

import typing
from typing import Any, Literal

from hud import _validate
from hud._coerce import coerce
from hud._schema import schema_of

Schema = dict[str, Any]

# The name of the field when a single value is asked for.
_ONLY = "value"
_FIELD = "a form's fields are texts, numbers, booleans, and choices (an enum, a Literal, or a list of either)"
_KEPT = {
    "type",
    "title",
    "description",
    "default",
    "enum",
    "enumNames",
    "oneOf",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "items",
    "minItems",
    "maxItems",
}
_FORMATS = ("email", "uri", "date", "date-time")


class Form:
    """What is asked for: `schema` is MCP's `requestedSchema`."""

    def __init__(self, wanted: Any) -> None:
        self._type: Any = None
        self._single = False
        if wanted is None:
            self.schema: Schema = {"type": "object", "properties": {}}
        elif isinstance(wanted, dict):
            self._single = wanted.get("type") != "object"
            self.schema = _lone(wanted) if self._single else wanted
        else:
            self._type = Literal[tuple(wanted)] if isinstance(wanted, (list, tuple)) else wanted
            full = schema_of(self._type)
            plain = _resolve(full, full.get("$defs", {}))
            self._single = plain.get("type") != "object"
            self.schema = _lone(_field(plain, full.get("$defs", {}), "the answer")) if self._single else _fields(full)

    def read(self, answer: dict[str, Any]) -> Any:
        """The answer as the wanted type; ValueError when the client sent something else."""
        if answer.get("action") != "accept":
            return None
        content = answer.get("content")
        if content is None:
            content = {}
        wrong = _validate.problems(content, self.schema) if isinstance(content, dict) else ["it is no object"]
        if wrong:
            raise ValueError(f"the client's answer does not fit the form: {'; '.join(wrong)}")
        value = content.get(_ONLY) if self._single else content
        if self._type is None or (self._single and _ONLY not in content):
            return value
        if not self._single:
            # Clients may send more than was asked for.
            value = {name: item for name, item in content.items() if name in self.schema["properties"]}
        return coerce(value, self._type)


def _lone(field: Schema) -> Schema:
    return {"type": "object", "properties": {_ONLY: field}, "required": [_ONLY]}


def _fields(schema: Schema) -> Schema:
    defs = schema.get("$defs", {})
    schema = _resolve(schema, defs)
    properties = schema.get("properties") or {}
    form: Schema = {
        "type": "object",
        "properties": {name: _field(inner, defs, f"field '{name}'") for name, inner in properties.items()},
    }
    required = [name for name in schema.get("required", ()) if not _nullable(properties.get(name, {}))]
    if required:
        form["required"] = required
    return form


def _field(schema: Schema, defs: Schema, where: str) -> Schema:
    schema = _resolve(schema, defs)
    branches = [_resolve(branch, defs) for branch in schema.get("anyOf", ())]
    if branches:
        real = [branch for branch in branches if branch.get("type") != "null"]
        if len(real) != 1:
            raise TypeError(f"{where} has several types; {_FIELD}")
        schema = {**real[0], **{key: value for key, value in schema.items() if key != "anyOf"}}
    if schema.get("default", 0) is None:
        schema = {key: value for key, value in schema.items() if key != "default"}
    kind = schema.get("type")
    if kind == "array":
        items = _resolve(schema.get("items") or {}, defs)
        if items.get("type") != "string" or not ("enum" in items or "anyOf" in items):
            raise TypeError(f"{where} is a list of anything; {_FIELD}")
        schema = {**schema, "items": {key: items[key] for key in ("type", "enum", "anyOf") if key in items}}
    elif kind not in ("string", "number", "integer", "boolean") or ("enum" in schema and kind != "string"):
        raise TypeError(f"{where} is {_kind(schema)}; {_FIELD}")
    field = {key: value for key, value in schema.items() if key in _KEPT}
    if field.get("format") not in _FORMATS:
        field.pop("format", None)
    return field


def _kind(schema: Schema) -> str:
    if "enum" in schema:
        return "a choice of values that are no texts"
    return f"of type {schema['type']}" if isinstance(schema.get("type"), str) else "of any type"


def _nullable(schema: Schema) -> bool:
    return any(branch.get("type") == "null" for branch in schema.get("anyOf", ()))


def _resolve(schema: Schema, defs: Schema) -> Schema:
    """The definition behind a reference, with what is written beside the reference."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    beside = {key: value for key, value in schema.items() if key != "$ref"}
    return {**defs.get(typing.cast(str, reference).rpartition("/")[2], {}), **beside}
