"""Asking the client's model for a message, from inside an environment (MCP sampling).

An environment has no provider key of its own. What it wants a model to say it asks of whoever runs
the rollout, who also pays for it and counts it. The worker puts the way to ask into
`current_sampler` for the length of a rollout; without one there is nobody to ask.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Optional, Union

Sampler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]

# Takes the params of `sampling/createMessage`, gives its result.
current_sampler: ContextVar[Optional[Sampler]] = ContextVar("hud_current_sampler", default=None)


def _as_message(message: Union[str, Mapping[str, Any]]) -> dict[str, Any]:
    if isinstance(message, str):
        message = {"role": "user", "content": message}
    content = message["content"]
    if isinstance(content, str):
        content = {"type": "text", "text": content}
    elif hasattr(content, "to_dict"):
        content = content.to_dict()
    return {"role": message["role"], "content": content}


async def create_message(
    messages: Union[str, Sequence[Union[str, Mapping[str, Any]]]],
    *,
    max_tokens: int,
    system_prompt: Optional[str] = None,
    model: Union[str, Sequence[str], None] = None,
    temperature: Optional[float] = None,
    purpose: str = "judge",
    stop_sequences: Optional[Sequence[str]] = None,
    tools: Optional[Sequence[Mapping[str, Any]]] = None,
    tool_choice: Optional[Mapping[str, Any]] = None,
    key: Optional[str] = None,
) -> dict[str, Any]:
    """Have the client's model answer `messages`; gives the result's `{role, content, model, …}`.

    `model` is a wish, or several in order of preference, that the client may decline. `purpose` says
    what the tokens are for, and shows up in the client's accounts. `key` names the request where several
    are answered together (see `hud.Context`). Raises RuntimeError outside of a rollout.
    """
    sampler = current_sampler.get()
    if sampler is None:
        raise RuntimeError(
            "there is no model to ask: an LLM judge or ctx.sample works only inside a rollout, "
            "where the client answers for the environment (run the task with `hud eval`)"
        )
    if isinstance(messages, str):
        messages = [messages]
    params: dict[str, Any] = {
        "messages": [_as_message(message) for message in messages],
        "maxTokens": max_tokens,
        "metadata": {"hud/purpose": purpose},
    }
    if system_prompt is not None:
        params["systemPrompt"] = system_prompt
    if temperature is not None:
        params["temperature"] = temperature
    if model is not None:
        names = [model] if isinstance(model, str) else model
        params["modelPreferences"] = {"hints": [{"name": name} for name in names]}
    if stop_sequences is not None:
        params["stopSequences"] = list(stop_sequences)
    if tools is not None:
        params["tools"] = [dict(tool) for tool in tools]
    if tool_choice is not None:
        params["toolChoice"] = dict(tool_choice)
    if key is not None:
        params["_meta"] = {"hud/key": key}
    return await sampler(params)


def text_of(result: Mapping[str, Any]) -> str:
    """The text of a result, whose content is one block or a list of them."""
    content = result.get("content")
    blocks = content if isinstance(content, list) else [content]
    return "".join(block.get("text", "") for block in blocks if isinstance(block, Mapping))
