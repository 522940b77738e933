"""Everything that the MCP conformance kit asks a server for, as an author of environments would write it.

The names, texts and schemas are those of npm's `@modelcontextprotocol/conformance`, for the revisions
2025-11-25 and 2026-07-28. Where the kit wants something of the protocol (`input_required` results, a
request state that cannot be tampered with, -32021 for a missing capability, no logs without a log
level), the code here only asks or tells through its context: making it so is the server's part.
"""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from dataclasses import dataclass
from typing import Annotated, Literal

from hud import Context, Environment
from hud.types import (
    AudioContent,
    BlobResourceContents,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    PromptMessage,
    TextContent,
    TextResourceContents,
    ToolError,
)

env = Environment(
    "conformance",
    instructions="An environment for the MCP conformance kit; each tool shows one thing that a server can do.",
    version="1.0.0",
    title="Conformance fixture",
)

# One red pixel; a header of 44 bytes and eight samples of silence.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
WAV_HEADER = (b"RIFF", 44, b"WAVEfmt ", 16, 1, 1, 8000, 8000, 1, 8, b"data", 8)
WAV = base64.b64encode(struct.pack("<4sI8sIHHIIHH4sI8B", *WAV_HEADER, *[128] * 8)).decode()


# -- results ------------------------------------------------------------------------------------------


@env.tool
def test_simple_text() -> str:
    """Answers with a text."""
    return "This is a simple text response for testing."


@env.tool
def test_image_content() -> ImageContent:
    """Answers with an image."""
    return ImageContent(data=PNG, mimeType="image/png")


@env.tool
def test_audio_content() -> AudioContent:
    """Answers with a sound."""
    return AudioContent(data=WAV, mimeType="audio/wav")


@env.tool
def test_embedded_resource() -> EmbeddedResource:
    """Answers with a resource that travels in the result."""
    return EmbeddedResource.of("test://embedded-resource", "This is an embedded resource content.")


@env.tool
def test_multiple_content_types() -> list[str | ContentBlock]:
    """Answers with blocks of several kinds."""
    return [
        "Multiple content types test:",
        ImageContent(data=PNG, mimeType="image/png"),
        EmbeddedResource.of(
            "test://mixed-content-resource", json.dumps({"test": "data", "value": 123}), "application/json"
        ),
    ]


@env.tool
def test_error_handling() -> str:
    """Fails."""
    raise ToolError("This tool intentionally returns an error for testing")


@env.tool(
    input_schema={
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            }
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": False,
    }
)
def json_schema_2020_12_tool(**arguments: object) -> str:
    """Tool with JSON Schema 2020-12 features"""
    return json.dumps(arguments, sort_keys=True)


@env.tool(
    input_schema={
        "type": "object",
        "properties": {
            "region": {"type": "string", "description": "Where to look", "x-mcp-header": "Region"},
            "query": {"type": "string"},
        },
        "required": ["region", "query"],
    }
)
def test_custom_header(region: str, query: str) -> str:
    """Takes an argument that HTTP clients also send as the header Mcp-Param-Region."""
    return f"{query} in {region}"


# -- telling the client -------------------------------------------------------------------------------


@env.tool
async def test_tool_with_logging(ctx: Context) -> str:
    """Sends three log messages while it runs."""
    ctx.info("Tool execution started")
    await asyncio.sleep(0.05)
    ctx.info("Tool processing data")
    await asyncio.sleep(0.05)
    ctx.info("Tool execution completed")
    return "Three log messages were sent."


@env.tool
async def test_logging_tool(ctx: Context) -> str:
    """Logs at every level; a client that did not ask for logs must not see them."""
    for level in ("debug", "info", "warning", "error"):
        ctx.log(f"a message at level {level}", level, logger="conformance")
    return "Logged."


@env.tool
async def test_tool_with_progress(ctx: Context) -> str:
    """Reports its progress three times."""
    for step in (0, 50, 100):
        await ctx.report_progress(step, 100, f"{step} of 100")
        await asyncio.sleep(0.05)
    return "Done."


@env.tool
async def test_reconnection() -> str:
    """Takes long enough for its client to lose the connection and come back."""
    await asyncio.sleep(0.1)
    return "Reconnection test completed successfully. If you received this, the client reconnected properly."


# -- asking the client --------------------------------------------------------------------------------


@env.tool
async def test_sampling(prompt: str, ctx: Context) -> str:
    """Asks the client's model.

    Args:
        prompt: The prompt to send to the model
    """
    reply = await ctx.sample(prompt, max_tokens=100)
    return f"LLM response: {reply.text}"


@dataclass
class Person:
    """Who is there."""

    username: Annotated[str, "User's response"]
    email: Annotated[str, "User's email address"]


@env.tool
async def test_elicitation(message: str, ctx: Context) -> str:
    """Asks the person.

    Args:
        message: The message to show the user
    """
    answer = await ctx.elicit(message, Person)
    return f"User response: {answer.action}, content: {json.dumps(answer.content)}"


@dataclass
class Profile:
    """A form in which everything is filled in already."""

    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Literal["active", "inactive", "pending"] = "active"
    verified: bool = True


@env.tool
async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
    """Asks with a default for every kind of field."""
    answer = await ctx.elicit("Please review and update the form fields with defaults", Profile)
    return f"Elicitation completed: action={answer.action}, content={json.dumps(answer.content)}"


def _titled(*titles: str) -> list[dict[str, str]]:
    return [{"const": f"value{number}", "title": title} for number, title in enumerate(titles, 1)]


@env.tool
async def test_elicitation_sep1330_enums(ctx: Context) -> str:
    """Asks for choices in the five ways that a schema can have."""
    answer = await ctx.elicit(
        "Please select options from the enum fields",
        {
            "type": "object",
            "properties": {
                "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
                "titledSingle": {"type": "string", "oneOf": _titled("First Option", "Second Option", "Third Option")},
                "legacyEnum": {
                    "type": "string",
                    "enum": ["opt1", "opt2", "opt3"],
                    "enumNames": ["Option One", "Option Two", "Option Three"],
                },
                "untitledMulti": {
                    "type": "array",
                    "items": {"type": "string", "enum": ["option1", "option2", "option3"]},
                },
                "titledMulti": {
                    "type": "array",
                    "items": {"anyOf": _titled("First Choice", "Second Choice", "Third Choice")},
                },
            },
        },
    )
    return f"Elicitation completed: action={answer.action}, content={json.dumps(answer.content)}"


@env.tool
async def test_missing_capability(ctx: Context) -> str:
    """Needs a client with sampling."""
    return (await ctx.sample("Are you there?", max_tokens=10)).text


@env.tool
async def test_streaming_elicitation(ctx: Context) -> str:
    """Reports progress, and then asks."""
    await ctx.report_progress(1, 2, "about to ask")
    answer = await ctx.elicit("Go on?", bool)
    return f"Go on: {answer.data}"


# -- asking in rounds (the stateless protocol) --------------------------------------------------------


@dataclass
class Name:
    name: str


@dataclass
class Color:
    color: str


@dataclass
class Confirmation:
    ok: bool


@dataclass
class Situation:
    context: str


@env.tool
async def test_input_required_result_elicitation(ctx: Context) -> str:
    """Asks for a name."""
    answer = await ctx.elicit("What is your name?", Name, key="user_name")
    return f"Hello, {answer.data.name}!" if answer.accepted else "Hello, whoever you are!"


@env.tool
async def test_input_required_result_sampling(ctx: Context) -> str:
    """Asks the model for a capital."""
    reply = await ctx.sample("What is the capital of France?", max_tokens=100, key="capital_question")
    return reply.text


@env.tool
async def test_input_required_result_list_roots(ctx: Context) -> str:
    """Asks for the client's roots."""
    roots = await ctx.list_roots(key="client_roots")
    return "Roots: " + ", ".join(root.uri for root in roots)


@env.tool
async def test_input_required_result_request_state(ctx: Context) -> str:
    """Asks once, and goes on where it was."""
    state = "state-ok"
    answer = await ctx.elicit("Please confirm", Confirmation, key="confirm")
    return f"{state}: {answer.action}"


@env.tool
async def test_input_required_result_tampered_state(ctx: Context) -> str:
    """Asks once; a client that changes the request state must not get through."""
    answer = await ctx.elicit("Please confirm", Confirmation, key="confirm")
    return f"confirmed: {answer.action}"


@env.tool
async def test_input_required_result_multiple_inputs(ctx: Context) -> str:
    """Asks three things at once."""
    name, greeting, roots = await asyncio.gather(
        ctx.elicit("What is your name?", Name, key="user_name"),
        ctx.sample("Generate a greeting", max_tokens=50, key="greeting"),
        ctx.list_roots(key="client_roots"),
    )
    return f"{greeting.text} {name.data and name.data.name} ({len(roots)} roots)"


@env.tool
async def test_input_required_result_multi_round(ctx: Context) -> str:
    """Asks twice, one after the other."""
    name = await ctx.elicit("Step 1: What is your name?", Name, key="step1")
    color = await ctx.elicit("Step 2: What is your favorite color?", Color, key="step2")
    return f"{name.data and name.data.name} likes {color.data and color.data.color}"


@env.tool
async def test_input_required_result_capabilities(ctx: Context) -> str:
    """Asks only what the client can answer."""
    asked = []
    if ctx.supports("elicitation"):
        asked.append(ctx.elicit("What is your name?", Name, key="user_name"))
    if ctx.supports("sampling"):
        asked.append(ctx.sample("Say hello", max_tokens=50, key="greeting"))
    answers = await asyncio.gather(*asked)
    return f"{len(answers)} answers"


# -- changes at run time ------------------------------------------------------------------------------


@env.tool
def test_trigger_tool_change() -> str:
    """Adds a tool, or removes it again."""
    if "test_added_tool" in env.tools:
        env.remove_tool("test_added_tool")
        return "removed"

    @env.tool
    def test_added_tool() -> str:
        """Was not there before."""
        return "I am new here."

    return "added"


@env.tool
def test_trigger_prompt_change() -> str:
    """Adds a prompt, or removes it again."""
    if "test_added_prompt" in env.prompts:
        env.remove_prompt("test_added_prompt")
        return "removed"

    @env.prompt
    def test_added_prompt() -> str:
        """Was not there before."""
        return "I am new here."

    return "added"


@env.tool
def test_trigger_resource_update() -> str:
    """Says that the watched resource has changed."""
    watched["version"] += 1
    env.notify_resource_updated("test://watched-resource")
    return f"version {watched['version']}"


# -- resources ----------------------------------------------------------------------------------------

watched = {"version": 1}


@env.resource("test://static-text")
def static_text() -> str:
    """A text that never changes."""
    return "This is the content of the static text resource."


@env.resource("test://static-binary", mime_type="image/png")
def static_binary() -> bytes:
    """A picture."""
    return base64.b64decode(PNG)


@env.resource("test://template/{id}/data", mime_type="application/json")
def template_data(id: str) -> dict:
    """Data about any id."""
    return {"id": id, "templateTest": True, "data": f"Data for ID: {id}"}


@env.resource("test://watched-resource")
def watched_resource() -> str:
    """A text that changes."""
    return f"Watched resource content, version {watched['version']}"


@env.resource("test://example-resource")
def example_resource() -> list:
    """Several contents under one address."""
    return [
        TextResourceContents(uri="test://example-resource", mimeType="text/plain", text="An example."),
        BlobResourceContents(uri="test://example-resource/picture", mimeType="image/png", blob=PNG),
    ]


# -- prompts ------------------------------------------------------------------------------------------


@env.prompt
def test_simple_prompt() -> str:
    """A text."""
    return "This is a simple prompt for testing."


@env.prompt(complete={"arg1": ["testValue1", "paris", "park", "party"]})
def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    """A text with two arguments in it.

    Args:
        arg1: First test argument
        arg2: Second test argument
    """
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@env.prompt
def test_prompt_with_embedded_resource(resourceUri: str) -> list:
    """A text about a resource.

    Args:
        resourceUri: URI of the resource to embed
    """
    embedded = EmbeddedResource.of(resourceUri, "Embedded resource content for testing.")
    return [embedded, TextContent(text="Please process the embedded resource above.")]


@env.prompt
def test_prompt_with_image() -> list:
    """A text about a picture."""
    return [
        PromptMessage(role="user", content=ImageContent(data=PNG, mimeType="image/png")),
        PromptMessage(role="user", content="Please analyze the image above."),
    ]


@env.prompt
async def test_input_required_result_prompt(ctx: Context) -> str:
    """Asks before it can be a prompt."""
    answer = await ctx.elicit("What context should the prompt use?", Situation, key="user_context")
    return f"Use this context: {answer.data and answer.data.context}"


@env.scenario("count", complete={"word": ["banana", "strawberry"]})
async def count(word: str, letter: Literal["a", "b", "r"] = "r"):
    """Counts letters."""
    answer = yield f"How many '{letter}' are in '{word}'?"
    yield 1.0 if str(answer) == str(word.count(letter)) else 0.0
