"""Talks to the stand-in with the official `openai` package and prints what the package understood.

    openai_client.py PROMPT BASE_URL stream|whole [BASE_URL stream|whole ...]

As anthropic_client.py, but over Chat Completions.
"""

import json
import sys

import openai

PEOPLE = {"HUD": "Jay Ram", "OpenAI": "Sam Altman"}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "lookup_ceo",
            "description": "Look up the CEO of a company.",
            "parameters": {"type": "object", "properties": {"company": {"type": "string"}}, "required": ["company"]},
        },
    }
]


def ask(client, mode, messages):
    request = {"model": "gpt-4o", "messages": messages, "tools": TOOLS}
    if mode == "whole":
        return client.chat.completions.create(**request)
    with client.chat.completions.stream(**request, stream_options={"include_usage": True}) as stream:
        text = "".join(event.delta for event in stream if event.type == "content.delta")
        completion = stream.get_final_completion()
    assert text == (completion.choices[0].message.content or ""), text
    return completion


def converse(prompt, url, mode):
    client = openai.OpenAI(base_url=url + "/v1", api_key="sk-test", max_retries=0)
    messages = [{"role": "system", "content": "You are terse."}, {"role": "user", "content": prompt}]
    while True:
        try:
            completion = ask(client, mode, messages)
        except Exception as error:
            yield {"error": type(error).__name__, "status": getattr(error, "status_code", None), "text": str(error)}
            return
        choice = completion.choices[0]
        message = choice.message
        calls = message.tool_calls or []
        usage = completion.usage
        yield {
            "content": message.content,
            "reasoning": getattr(message, "reasoning_content", None),
            "refusal": message.refusal,
            "calls": [[call.type, call.function.name, call.function.arguments] for call in calls],
            "stop": choice.finish_reason,
            "usage": [
                usage.prompt_tokens,
                usage.completion_tokens,
                usage.total_tokens,
                usage.prompt_tokens_details.cached_tokens,
                usage.completion_tokens_details.reasoning_tokens,
            ],
        }
        if not calls:
            return
        if mode == "whole":
            messages.append(message)
        else:
            called = [
                {"id": call.id, "type": "function", "function": {"name": call.function.name, "arguments": call.function.arguments}}
                for call in calls
            ]
            messages.append({"role": "assistant", "content": message.content, "tool_calls": called})
        for call in calls:
            found = PEOPLE.get(json.loads(call.function.arguments).get("company"), "Unknown")
            messages.append({"role": "tool", "tool_call_id": call.id, "content": found})


def main():
    prompt, *cases = sys.argv[1:]
    for url, mode in zip(cases[::2], cases[1::2]):
        print(json.dumps(list(converse(prompt, url, mode))))


main()
