"""Talks to the stand-in with the official `anthropic` package and prints what the package understood.

    anthropic_client.py PROMPT BASE_URL stream|whole [BASE_URL stream|whole ...]

The loop is a user's own: call the model, run its tools, send the assistant message back as the package returned it, until
no tool is called. One JSON line for each conversation: its turns, then the error, if one ended it.
"""

import json
import sys

import anthropic

PEOPLE = {"HUD": "Jay Ram", "OpenAI": "Sam Altman"}
TOOLS = [
    {
        "name": "lookup_ceo",
        "description": "Look up the CEO of a company.",
        "input_schema": {"type": "object", "properties": {"company": {"type": "string"}}, "required": ["company"]},
    }
]


def ask(client, mode, messages):
    request = {
        "model": "claude-sonnet-4-6",
        "max_tokens": 1000,
        "system": "You are terse.",
        "messages": messages,
        "tools": TOOLS,
    }
    if mode == "whole":
        return client.messages.create(**request)
    with client.messages.stream(**request) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert text == "".join(block.text for block in message.content if block.type == "text"), text
    return message


def converse(prompt, url, mode):
    client = anthropic.Anthropic(base_url=url, api_key="sk-test", max_retries=0)
    messages = [{"role": "user", "content": prompt}]
    while True:
        try:
            message = ask(client, mode, messages)
        except Exception as error:
            yield {"error": type(error).__name__, "status": getattr(error, "status_code", None), "text": str(error)}
            return
        blocks = []
        results = []
        for block in message.content:
            if block.type == "text":
                blocks.append(["text", block.text])
            elif block.type == "thinking":
                blocks.append(["thinking", block.thinking, bool(block.signature)])
            else:
                blocks.append([block.type, block.name, block.input])
                found = PEOPLE.get(block.input.get("company"), "Unknown")
                results.append({"type": "tool_result", "tool_use_id": block.id, "content": found})
        usage = message.usage
        yield {
            "blocks": blocks,
            "stop": message.stop_reason,
            "usage": [
                usage.input_tokens,
                usage.output_tokens,
                usage.cache_read_input_tokens,
                usage.cache_creation_input_tokens,
            ],
        }
        if not results:
            return
        messages += [{"role": "assistant", "content": message.content}, {"role": "user", "content": results}]


def main():
    prompt, *cases = sys.argv[1:]
    for url, mode in zip(cases[::2], cases[1::2]):
        print(json.dumps(list(converse(prompt, url, mode))))


main()
