"""Talks to the stand-in over Responses with the official `openai` package and prints what the package understood.

    responses_client.py PROMPT BASE_URL stream|whole [BASE_URL stream|whole ...]

As anthropic_client.py. `whole` sends the whole conversation each time, `stream` refers to the answer before.
"""

import json
import sys

import openai

PEOPLE = {"HUD": "Jay Ram", "OpenAI": "Sam Altman"}
TOOLS = [
    {
        "type": "function",
        "name": "lookup_ceo",
        "description": "Look up the CEO of a company.",
        "parameters": {
            "type": "object",
            "properties": {"company": {"type": "string"}},
            "required": ["company"],
            "additionalProperties": False,
        },
        "strict": True,
    }
]


def ask(client, mode, items, previous):
    request = {"model": "gpt-5.4", "instructions": "You are terse.", "tools": TOOLS, "input": items}
    if mode == "whole":
        return client.responses.create(**request, store=False, include=["reasoning.encrypted_content"])
    text, response = "", None
    with client.responses.stream(**request, **({"previous_response_id": previous} if previous else {})) as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                text += event.delta
            elif event.type in ("response.completed", "response.incomplete"):
                response = event.response
    assert response is not None and text == response.output_text, text
    return response


def shown(item):
    if item.type == "message":
        part = item.content[0]
        if part.type == "refusal":
            return ["refusal", part.refusal]
        return ["text", part.text, [[note.type, note.url] for note in part.annotations]]
    if item.type == "reasoning":
        return ["reasoning", item.summary[0].text, bool(item.encrypted_content)]
    return [item.type, item.name, item.arguments]


def converse(prompt, url, mode):
    client = openai.OpenAI(base_url=url + "/v1", api_key="sk-test", max_retries=0)
    items = [{"role": "user", "content": prompt}]
    previous = None
    while True:
        try:
            response = ask(client, mode, items, previous)
        except Exception as error:
            yield {"error": type(error).__name__, "status": getattr(error, "status_code", None), "text": str(error)}
            return
        usage = response.usage
        incomplete = response.incomplete_details
        yield {
            "items": [shown(item) for item in response.output],
            "status": incomplete.reason if incomplete else response.status,
            "usage": [
                usage.input_tokens,
                usage.output_tokens,
                usage.input_tokens_details.cached_tokens,
                usage.output_tokens_details.reasoning_tokens,
            ],
        }
        results = [
            {
                "type": "function_call_output",
                "call_id": item.call_id,
                "output": PEOPLE.get(json.loads(item.arguments).get("company"), "Unknown"),
            }
            for item in response.output
            if item.type == "function_call"
        ]
        if not results:
            return
        if mode == "whole":
            items += [item.model_dump(exclude_none=True) for item in response.output] + results
        else:
            items, previous = results, response.id


def main():
    prompt, *cases = sys.argv[1:]
    for url, mode in zip(cases[::2], cases[1::2]):
        print(json.dumps(list(converse(prompt, url, mode))))


main()
