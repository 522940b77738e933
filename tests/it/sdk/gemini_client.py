"""Talks to the stand-in with the official `google-genai` package and prints what the package understood.

    gemini_client.py PROMPT BASE_URL stream|whole [BASE_URL stream|whole ...]

As anthropic_client.py.
"""

import json
import sys

from google import genai
from google.genai import types

PEOPLE = {"HUD": "Jay Ram", "OpenAI": "Sam Altman"}
CONFIG = types.GenerateContentConfig(
    system_instruction="You are terse.",
    automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    tools=[
        types.Tool(
            function_declarations=[
                types.FunctionDeclaration(
                    name="lookup_ceo",
                    description="Look up the CEO of a company.",
                    parameters_json_schema={
                        "type": "object",
                        "properties": {"company": {"type": "string"}},
                        "required": ["company"],
                    },
                )
            ]
        )
    ],
)


def ask(client, mode, contents):
    """The parts as they came, the finish reason, the usage, and what the answer is grounded on."""
    request = {"model": "gemini-3.8-flash", "contents": contents, "config": CONFIG}
    if mode == "whole":
        answers = [client.models.generate_content(**request)]
    else:
        answers = list(client.models.generate_content_stream(**request))
    parts = []
    for answer in answers:
        content = answer.candidates[0].content if answer.candidates else None
        parts += (content.parts if content else None) or []
    last = answers[-1]
    candidate = last.candidates[0] if last.candidates else None
    grounding = candidate.grounding_metadata if candidate else None
    chunks = (grounding.grounding_chunks if grounding else None) or []
    return parts, candidate, last.usage_metadata, [chunk.web.uri for chunk in chunks]


def shown(parts):
    out = []
    for part in parts:
        signed = bool(part.thought_signature)
        if part.function_call:
            out.append(["call", part.function_call.name, part.function_call.args, signed])
        elif part.text is not None:
            kind = "thought" if part.thought else "text"
            if out and out[-1][0] == kind and not signed:
                out[-1][1] += part.text
            elif part.text or signed:
                out.append([kind, part.text, signed])
    return out


def converse(prompt, url, mode):
    options = types.HttpOptions(base_url=url, retry_options=types.HttpRetryOptions(attempts=1))
    client = genai.Client(api_key="sk-test", http_options=options)
    contents = [types.Content(role="user", parts=[types.Part(text=prompt)])]
    while True:
        try:
            parts, candidate, usage, sources = ask(client, mode, contents)
        except Exception as error:
            yield {"error": type(error).__name__, "status": getattr(error, "code", None), "text": str(error)}
            return
        yield {
            "parts": shown(parts),
            "stop": candidate.finish_reason.name if candidate and candidate.finish_reason else None,
            "sources": sources,
            "usage": [
                usage.prompt_token_count,
                usage.candidates_token_count,
                usage.cached_content_token_count or 0,
                usage.thoughts_token_count or 0,
            ],
        }
        calls = [part.function_call for part in parts if part.function_call]
        if not calls:
            return
        contents.append(types.Content(role="model", parts=parts))
        results = [
            types.Part(
                function_response=types.FunctionResponse(
                    id=call.id,
                    name=call.name,
                    response={"output": PEOPLE.get((call.args or {}).get("company"), "Unknown")},
                )
            )
            for call in calls
        ]
        contents.append(types.Content(role="user", parts=results))


def main():
    prompt, *cases = sys.argv[1:]
    for url, mode in zip(cases[::2], cases[1::2]):
        print(json.dumps(list(converse(prompt, url, mode))))


main()
