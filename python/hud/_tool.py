"""A tool: one function that agents and scenarios can call."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from hud import _results, _validate
from hud._coerce import CoercionError
from hud._jsonable import to_json
from hud._signature import EMPTY, Signature


class ToolInfo:
    """A tool as `env.list_tools()` shows it, with the field names of MCP."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data
        self.name: str = data["name"]
        self.title: str | None = data.get("title")
        self.description: str | None = data.get("description")
        self.inputSchema: dict[str, Any] = data.get("inputSchema") or {"type": "object", "properties": {}}
        self.outputSchema: dict[str, Any] | None = data.get("outputSchema")
        self.annotations: dict[str, Any] | None = data.get("annotations")
        self.meta: dict[str, Any] | None = data.get("_meta")

    def model_dump(self, **_: Any) -> dict[str, Any]:
        """The MCP tool object."""
        return dict(self._data)

    def __repr__(self) -> str:
        return f"Tool({self.name!r})"


class ArgumentError(Exception):
    """Arguments that do not fit a tool's schema."""


class Tool:
    """A function with a name, a description and schemas.

    `input_schema` replaces the schema made from the parameters, and goes to clients word for word; the
    function receives the arguments by name, the others in its `**kwargs`. `output_schema` promises the
    shape of results, which must then be objects that fit it. `annotations` are MCP's hints for clients
    (`{"readOnlyHint": True}`), `icons` its icon objects (`{"src": …}`).
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None = None,
        description: str | None = None,
        *,
        title: str | None = None,
        annotations: dict[str, Any] | None = None,
        meta: dict[str, Any] | None = None,
        icons: list[dict[str, Any]] | None = None,
        input_schema: dict[str, Any] | None = None,
        output_schema: dict[str, Any] | None = None,
    ) -> None:
        self.function = function
        self.name = (
            name or getattr(function, "name", None) or getattr(function, "__name__", None) or type(function).__name__
        )
        if self.name == "<lambda>":
            raise ValueError("a tool made of a lambda needs a name: env.tool(name='…')")
        self.title = title
        self.annotations = as_mapping(annotations, f"tool '{self.name}': annotations")
        self.meta = meta
        self.icons = as_icons(icons, f"tool '{self.name}'")
        self._description = description
        self.signature = Signature(function, f"tool '{self.name}'")
        self._output: tuple[dict[str, Any] | None, bool] | None = None
        self._schema: dict[str, Any] | None = None
        self._own_schema = input_schema is not None
        self._promised = output_schema
        if input_schema is not None:
            self._schema = self._checked(input_schema, "input_schema")
            self._check_parameters(input_schema)
        if output_schema is not None:
            self._output = (self._checked(output_schema, "output_schema"), False)

    def _checked(self, schema: Any, which: str) -> dict[str, Any]:
        if not isinstance(schema, dict) or schema.get("type") != "object":
            raise TypeError(f'tool \'{self.name}\': {which} must be a JSON schema with "type": "object"')
        try:
            to_json(schema, f"tool '{self.name}': {which}", finite=True)
        except TypeError as error:
            raise TypeError(str(error)) from None
        return schema

    def _check_parameters(self, schema: dict[str, Any]) -> None:
        """A schema and a function that disagree would fail at the first call, in front of an agent."""
        given = schema.get("properties") or {}
        known = {parameter.name for parameter in self.signature.parameters}
        unknown = [name for name in given if name not in known]
        if unknown and not self.signature.accepts_anything:
            raise TypeError(
                f"tool '{self.name}': its input_schema has '{unknown[0]}', which the function does not take; "
                "add the parameter, or **kwargs"
            )
        # A schema that is composed of others, or is open, may let a parameter in that is not named here.
        lax = schema.get("additionalProperties", True) is not False or "$ref" in schema or "allOf" in schema
        missing = [p.name for p in self.signature.parameters if p.required and p.name not in given]
        if missing and not lax:
            raise TypeError(f"tool '{self.name}': its function needs '{missing[0]}', which the input_schema forbids")

    @property
    def hidden(self) -> bool:
        """Tools starting with an underscore are never listed to an agent."""
        return self.name.startswith("_")

    @property
    def description(self) -> str:
        return self._description if self._description is not None else self.signature.description

    @property
    def input_schema(self) -> dict[str, Any]:
        if self._schema is None:
            self._schema = self.signature.schema()
        return self._schema

    @property
    def output(self) -> tuple[dict[str, Any] | None, bool]:
        """The output schema, and whether results are wrapped in `{"result": …}`."""
        if self._output is None:
            self.signature.resolve()
            returns = self.signature.returns
            self._output = (None, False) if returns is EMPTY else _results.output_schema(returns)
        return self._output

    def to_mcp(self) -> dict[str, Any]:
        """The MCP tool object."""
        result: dict[str, Any] = {"name": self.name}
        if self.title:
            result["title"] = self.title
        if self.description:
            result["description"] = self.description
        result["inputSchema"] = self.input_schema
        if self.output[0] is not None:
            result["outputSchema"] = self.output[0]
        if self.annotations:
            result["annotations"] = self.annotations
        if self.icons:
            result["icons"] = self.icons
        if self.meta:
            result["_meta"] = self.meta
        return result

    async def call(self, arguments: dict[str, Any], context: Any = None) -> dict[str, Any]:
        """Check, convert, call; the result is an MCP tool result. Exceptions of the function pass through."""
        wrong = _validate.problems(arguments, self.input_schema)
        if wrong:
            raise ArgumentError("Input validation error: " + "; ".join(wrong))
        try:
            values = self.signature.convert(arguments)
        except CoercionError as error:
            raise ArgumentError(f"Input validation error: {error}") from None
        if self._own_schema:
            self._fits(values)
        returned = self.signature.call(values, context)
        if inspect.isawaitable(returned):
            returned = await returned
        schema, wrapped = self.output
        result = _results.tool_result(returned, schema, wrapped)
        if self._promised is not None and not result.get("isError"):
            self._check_result(result)
        return result

    def _fits(self, values: dict[str, Any]) -> None:
        """What a schema of the author's own lets through may still not be callable."""
        known = {parameter.name for parameter in self.signature.parameters}
        wrong = [f"unexpected {name!r}" for name in values if name not in known]
        if self.signature.accepts_anything:
            wrong.clear()
        needed = [parameter.name for parameter in self.signature.parameters if parameter.required]
        wrong += [f"{name!r} is a required property" for name in needed if name not in values]
        if wrong:
            raise ArgumentError("Input validation error: " + "; ".join(wrong))

    def _check_result(self, result: dict[str, Any]) -> None:
        structured = result.get("structuredContent")
        wrong = ["it is no object"] if structured is None else _validate.problems(structured, self._promised or {})
        if wrong:
            raise TypeError(f"the result does not fit the tool's output_schema: {'; '.join(wrong)}")


def as_mapping(value: Any, what: str) -> dict[str, Any] | None:
    """MCP's hints as a plain dict: from a dict, or an object of the `mcp` package."""
    if value is None or isinstance(value, dict):
        return value
    if hasattr(value, "model_dump"):
        dumped: dict[str, Any] = value.model_dump(mode="json", by_alias=True, exclude_none=True)
        return dumped
    raise TypeError(f"{what} must be a dict, not {type(value).__name__}")


def as_icons(icons: Any, owner: str) -> list[dict[str, Any]] | None:
    """MCP's icon objects; each needs a `src`, a URL or a data URI."""
    if icons is None:
        return None
    found = [as_mapping(icon, f"{owner}: an icon") or {} for icon in icons]
    if any(not isinstance(icon.get("src"), str) for icon in found):
        raise TypeError(f"{owner}: an icon needs a 'src', a URL or a data URI")
    return found
