"""A tool: one function that agents and scenarios can call."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from hud import _results, _validate
from hud._coerce import CoercionError
from hud._signature import EMPTY, Signature


class ToolInfo:
    """A tool as `env.list_tools()` shows it, with the field names of MCP."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data
        self.name: str = data["name"]
        self.description: str | None = data.get("description")
        self.inputSchema: dict[str, Any] = data.get("inputSchema") or {"type": "object", "properties": {}}
        self.outputSchema: dict[str, Any] | None = data.get("outputSchema")
        self.meta: dict[str, Any] | None = data.get("_meta")

    def model_dump(self, **_: Any) -> dict[str, Any]:
        """The MCP tool object."""
        return dict(self._data)

    def __repr__(self) -> str:
        return f"Tool({self.name!r})"


class ArgumentError(Exception):
    """Arguments that do not fit a tool's schema."""


class Tool:
    """A function with a name, a description and schemas."""

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None = None,
        description: str | None = None,
        *,
        title: str | None = None,
        annotations: dict[str, Any] | None = None,
        meta: dict[str, Any] | None = None,
    ) -> None:
        self.function = function
        self.name = (
            name or getattr(function, "name", None) or getattr(function, "__name__", None) or type(function).__name__
        )
        if self.name == "<lambda>":
            raise ValueError("a tool made of a lambda needs a name: env.tool(name='…')")
        self.title = title
        self.annotations = annotations
        self.meta = meta
        self._description = description
        self.signature = Signature(function, f"tool '{self.name}'")
        self._output: tuple[dict[str, Any] | None, bool] | None = None
        self._schema: dict[str, Any] | None = None

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
        returned = self.signature.call(values, context)
        if inspect.isawaitable(returned):
            returned = await returned
        schema, wrapped = self.output
        return _results.tool_result(returned, schema, wrapped)
