"""What an environment is, as data: the `describe` object of the worker and its MCP listings."""

from __future__ import annotations

import warnings
from typing import Any

from hud import _completion
from hud._scenario import Scenario
from hud._task import Task
from hud.environment import Environment


def describe(
    environment: Environment, tasks: list[tuple[str, Task]], served: list[tuple[Environment, str | None]]
) -> dict[str, Any]:
    """The object that `hud/describe` answers; the source of nothing is in it.

    When the tasks span several environments, it is about the first, names all, and says of each task
    which one it needs. A worker serves one environment: the others need a worker each, with `--attr`.
    """
    for sentence in _completion.unused(environment):
        warnings.warn(sentence, stacklevel=2)
    several = served if len(served) > 1 else []
    description: dict[str, Any] = {
        "name": environment.name,
        "version": environment.version,
        "instructions": environment.instructions,
        "tools": [tool.to_mcp() for tool in environment.tools.values()],
        "scenarios": [scenario.describe() for scenario in environment.scenarios.values()],
        "resources": [resource.to_mcp() for resource in environment.resources.values()],
        "prompts": [prompt.to_mcp() for prompt in environment.prompts.values()],
        "connections": [],
        "mocks": {},
        "tasks": [_task(variable, task, environment, several) for variable, task in tasks],
    }
    if several:
        description["environments"] = [{"name": other.name, "attr": attr} for other, attr in several]
    return description


def _task(
    variable: str, task: Task, environment: Environment, several: list[tuple[Environment, str | None]]
) -> dict[str, Any]:
    row = {**task.to_row(), "variable": variable}
    row.setdefault("env", environment.name)
    if several:
        # A task that names no environment gets the first one, as it would if there were no other.
        chosen = environment if task.environment is None and task.env is None else task.environment
        row["attr"] = next((attr for other, attr in several if other is chosen), None)
    return row


def listed_tools(environment: Environment) -> list[dict[str, Any]]:
    """The tools that an agent may see, before a scenario's exclusions."""
    return [tool.to_mcp() for tool in environment.tools.values() if not tool.hidden]


def _meta(scenario: Scenario) -> dict[str, Any]:
    meta: dict[str, Any] = {"arguments": scenario.prompt_arguments()}
    if scenario.required_env_vars:
        meta["required_env_vars"] = scenario.required_env_vars
    return {**meta, **scenario.rules()}


def listed_prompts(environment: Environment) -> list[dict[str, Any]]:
    """Every scenario as a prompt, then the environment's own prompts."""
    prompts = [
        {
            "name": f"{environment.name}:{scenario.name}",
            "description": f"[Setup] {scenario.description}",
            "arguments": [
                {"name": entry["name"], "required": entry["required"]} for entry in scenario.prompt_arguments()
            ],
            "_meta": _meta(scenario),
        }
        for scenario in environment.scenarios.values()
    ]
    return prompts + [prompt.to_mcp() for prompt in environment.prompts.values()]


def listed_resources(environment: Environment) -> list[dict[str, Any]]:
    """The environment's own resources, then every scenario's grade as a resource."""
    own = [item.to_mcp() for item in environment.resources.values() if not item.is_template]
    return own + [
        {
            "uri": f"{environment.name}:{scenario.name}",
            "name": scenario.name,
            "description": f"[Evaluate] {scenario.description}",
            "mimeType": "application/json",
            "_meta": _meta(scenario),
        }
        for scenario in environment.scenarios.values()
    ]


def listed_templates(environment: Environment) -> list[dict[str, Any]]:
    """The environment's resources whose address has parts to fill in."""
    return [item.to_mcp() for item in environment.resources.values() if item.is_template]
