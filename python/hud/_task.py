"""The task: one scenario with arguments, or a prompt with the calls of the older form.

Tasks only hold data; running them is the business of `hud eval`. `to_row` gives the data as it
stands in a task file.
"""

from __future__ import annotations

import copy
import difflib
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hud._jsonable import to_json
from hud._model import Model

if TYPE_CHECKING:
    from hud.environment import Environment

_MAX_SLUG = 100
# How a call may spell its arguments in rows that were written for providers' formats.
_ARGUMENT_KEYS = ("arguments", "args", "input")


class Task:
    """What to run. All fields can be assigned after construction."""

    FIELDS = (
        "env",
        "scenario",
        "id",
        "slug",
        "args",
        "prompt",
        "system_prompt",
        "mcp_config",
        "setup_tool",
        "evaluate_tool",
        "integration_test_tool",
        "solution",
        "validation",
        "agent_config",
        "columns",
        "metadata",
        "runtime_config",
        "verifier",
    )

    def __init__(
        self,
        env: Environment | str | dict[str, Any] | None = None,
        scenario: str | None = None,
        id: str | None = None,
        slug: str | None = None,
        args: dict[str, Any] | None = None,
        prompt: str | None = None,
        system_prompt: str | None = None,
        mcp_config: dict[str, Any] | str | None = None,
        setup_tool: Any = None,
        evaluate_tool: Any = None,
        integration_test_tool: Any = None,
        solution: Any = None,
        validation: list[Any] | None = None,
        agent_config: Any = None,
        columns: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
        runtime_config: Any = None,
        verifier: Any = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            name = next(iter(unknown))
            near = difflib.get_close_matches(name, self.FIELDS, n=1)
            raise TypeError(f"Task has no field '{name}'" + (f"; did you mean '{near[0]}'?" if near else ""))
        self._environment: Environment | None = None
        self.env = env
        self.scenario = scenario
        self.id = id
        self.slug = slug
        self.args = args
        self.prompt = prompt
        self.system_prompt = system_prompt
        self.mcp_config = mcp_config
        self.setup_tool = setup_tool
        self.evaluate_tool = evaluate_tool
        self.integration_test_tool = integration_test_tool
        self.solution = solution
        self.validation = validation
        self.agent_config = agent_config
        self.columns = columns
        self.metadata = metadata
        self.runtime_config = runtime_config
        self.verifier = verifier

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and name not in self.FIELDS:
            near = difflib.get_close_matches(name, self.FIELDS, n=1)
            raise AttributeError(f"Task has no field '{name}'" + (f"; did you mean '{near[0]}'?" if near else ""))
        if name == "slug" and value is not None and (not isinstance(value, str) or not 0 < len(value) <= _MAX_SLUG):
            raise ValueError(f"a task's slug is a text of 1 to {_MAX_SLUG} characters, not {value!r}")
        if name == "env" and hasattr(value, "scenarios"):
            object.__setattr__(self, "_environment", value)
        object.__setattr__(self, name, value)

    def link(self, environment: Environment) -> None:
        """Remember the environment object of a task that names its environment (generation 6)."""
        self._environment = environment

    @property
    def environment(self) -> Environment | None:
        """The environment object, when the task was made from one."""
        return self._environment

    @property
    def env_name(self) -> str | None:
        """The environment's name, when there is one."""
        if self._environment is not None:
            return self._environment.name
        if isinstance(self.env, Mapping):
            return self.env.get("name")
        return self.env if isinstance(self.env, str) else None

    def default_slug(self) -> str | None:
        """The identifier of a task without a slug: its scenario and a hash of its arguments."""
        base = self.scenario or self.id
        if base is None or not self.args:
            return base
        text = json.dumps(to_json(self.args, "args"), sort_keys=True)
        return f"{base}-{hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:8]}"

    def copy(self) -> Task:
        """A copy that shares the environment; slug and id are not copied, since they name one task."""
        twin = copy.copy(self)
        for name in ("args", "columns", "metadata", "validation", "solution"):
            setattr(twin, name, copy.deepcopy(getattr(self, name)))
        twin.slug = None
        twin.id = self.id if self.id == self.scenario else None
        return twin

    def to_row(self) -> dict[str, Any]:
        """The task as data, without fields that are unset."""
        row: dict[str, Any] = {}
        for name in self.FIELDS:
            value = getattr(self, name)
            if value is not None:
                row[name] = self._plain(name, value)
        if row.get("id") is not None and row.get("id") == row.get("scenario"):
            # A template's id names the template; as an id of the task it would not be unique.
            del row["id"]
        if "scenario" in row:
            row.setdefault("args", {})
        return row

    def _plain(self, name: str, value: Any) -> Any:
        if name == "env":
            return self.env_name if self._environment is not None else to_json(value, "the task's env")
        if name == "verifier" and isinstance(value, Task):
            return value.to_row()
        if name in ("validation", "setup_tool", "evaluate_tool", "integration_test_tool"):
            return [_call(item) for item in value] if isinstance(value, (list, tuple)) else _call(value)
        if name == "solution" and isinstance(value, Mapping) and isinstance(value.get("tool_calls"), (list, tuple)):
            return {**to_json(value), "tool_calls": [_call(item) for item in value["tool_calls"]]}
        if name == "agent_config" and isinstance(value, Model):
            # The defaults of the record are no settings of the task: written out, they would win over every flag.
            untouched = type(value)().model_dump()
            given = value.model_dump(exclude_none=True)
            return {key: item for key, item in given.items() if item != untouched[key]}
        if hasattr(value, "model_dump"):
            return to_json(value.model_dump(exclude_none=True), f"the task's {name}")
        return to_json(value, f"the task's {name}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Task):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.FIELDS)

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={self.env_name if name == 'env' else getattr(self, name)!r}"
            for name in self.FIELDS
            if getattr(self, name) is not None
        )
        return f"Task({shown})"


def _call(value: Any) -> Any:
    """A tool call given as a dict or as an object with `name` and `arguments`."""
    if isinstance(value, Mapping):
        if isinstance(value.get("name"), str):
            found: Any = next((value[key] for key in _ARGUMENT_KEYS if key in value), {})
            return {"name": value["name"], "arguments": to_json(found, f"arguments of {value['name']}")}
        return to_json(value)
    if hasattr(value, "name") and hasattr(value, "arguments"):
        return {"name": value.name, "arguments": to_json(value.arguments or {}, f"arguments of {value.name}")}
    return to_json(value, "a tool call")
