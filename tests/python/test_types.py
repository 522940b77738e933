"""hud.types: construction, refusals, dumping, and agreement with Python hud 5.

The expected dumps, texts and defaults were printed by Python hud 0.5.41 and written down here. Where
ours differs on purpose, the test's name or a comment says so.
"""

import copy
import json
import pickle
import unittest
import warnings
from decimal import Decimal

import hud.tools.types as v5_names
from hud import types
from hud.types import (
    AgentAnswer,
    AgentType,
    BaseAgentConfig,
    Citation,
    ContentResult,
    Coordinate,
    EmbeddedResource,
    EvaluationResult,
    ImageContent,
    InferenceResult,
    MCPToolCall,
    MCPToolResult,
    PromptMessage,
    ResourceLink,
    SubScore,
    TextContent,
    Trace,
    TraceStep,
    ValidationError,
)


def message_of(make):
    """The text of the ValidationError that `make` raises."""
    try:
        make()
    except ValidationError as error:
        return str(error)
    raise AssertionError("no ValidationError was raised")


def warnings_of(make):
    """The texts of the warnings that `make` gives, and the file of the first."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make()
    return [str(item.message) for item in caught], caught[0].filename if caught else None


class Defaults(unittest.TestCase):
    def check(self, record, expected):
        self.assertEqual(record.model_dump(), expected)

    def test_records_without_arguments_dump_as_in_v5(self):
        self.check(
            EvaluationResult(),
            {"reward": 0.0, "done": True, "content": None, "info": {}, "isError": False, "subscores": None},
        )
        self.check(
            Trace(),
            {
                "reward": 0.0,
                "done": True,
                "info": {},
                "content": None,
                "isError": False,
                "citations": [],
                "task": None,
                "trace": [],
                "messages": [],
            },
        )
        self.check(
            InferenceResult(),
            {
                "tool_calls": [],
                "done": False,
                "content": None,
                "reasoning": None,
                "info": {},
                "isError": False,
                "raw": None,
                "citations": [],
                "start_timestamp": None,
                "end_timestamp": None,
            },
        )
        self.check(
            Citation(),
            {
                "type": "citation",
                "text": "",
                "source": "",
                "title": None,
                "start_index": None,
                "end_index": None,
                "provider_data": {},
            },
        )
        self.check(
            TraceStep(),
            {
                "task_run_id": None,
                "job_id": None,
                "category": "mcp",
                "request": None,
                "result": None,
                "type": "CLIENT",
                "start_timestamp": None,
                "end_timestamp": None,
            },
        )
        self.check(SubScore(name="a", value=1), {"name": "a", "weight": 1.0, "value": 1.0})

    def test_agent_config_has_the_documented_defaults(self):
        # Seed 004 documents True twice; 0.5.41 had False for both.
        config = BaseAgentConfig()
        self.assertIs(config.append_setup_output, True)
        self.assertIs(config.initial_screenshot, True)
        self.assertIsNone(config.allowed_tools)
        self.assertIsNone(config.response_tool_name)

    def test_mutable_defaults_are_not_shared(self):
        EvaluationResult().info["seen"] = True
        self.assertEqual(EvaluationResult().info, {})

    def test_agent_types(self):
        self.assertEqual(
            [member.value for member in AgentType],
            ["claude", "openai", "operator", "gemini", "gemini_cua", "openai_compatible", "integration_test"],
        )
        self.assertIs(AgentType("claude"), AgentType.CLAUDE)
        self.assertEqual(AgentType.CLAUDE, "claude")

    def test_older_names_are_the_same_types(self):
        self.assertIs(types.ScenarioResult, EvaluationResult)
        self.assertIs(types.AgentResponse, InferenceResult)
        self.assertIs(types.Answer, AgentAnswer)
        self.assertIs(v5_names.SubScore, SubScore)
        self.assertIs(v5_names.ContentResult, ContentResult)


class Checks(unittest.TestCase):
    def check(self, make, expected):
        self.assertEqual(message_of(make), expected)

    def test_unknown_and_missing_fields_are_named_together(self):
        self.check(
            lambda: SubScore(nme="a", value=1),
            "SubScore: unknown field 'nme'; did you mean 'name'?; missing field 'name'",
        )
        self.check(lambda: Coordinate(x=1), "Coordinate: missing field 'y'")
        self.check(
            lambda: BaseAgentConfig(sytem_prompt="x"),
            "BaseAgentConfig: unknown field 'sytem_prompt'; did you mean 'system_prompt'?",
        )
        self.check(lambda: Coordinate(x=1, y=2, depth=3), "Coordinate: unknown field 'depth'; known fields: x, y")

    def test_wrong_values_are_named(self):
        self.check(lambda: SubScore(name=1, value=1), "SubScore: 'name' must be text, got int 1")
        self.check(lambda: SubScore(name="a", value=1.5), "SubScore: 'value' must be between 0 and 1, got 1.5")
        self.check(lambda: SubScore(name="a", value=-0.1), "SubScore: 'value' must be between 0 and 1, got -0.1")
        self.check(lambda: Coordinate(x=1, y=2.5), "Coordinate: 'y' must be a whole number, got float 2.5")
        self.check(
            lambda: EvaluationResult(reward=None), "EvaluationResult: 'reward' must be a number, got NoneType None"
        )
        self.check(
            lambda: EvaluationResult(content=5), "EvaluationResult: 'content' must be text, got int 5"
        )
        self.check(
            lambda: EvaluationResult(subscores=[{"name": "a"}]),
            "EvaluationResult: 'subscores' at [0]: SubScore: missing field 'value'",
        )
        self.check(
            lambda: PromptMessage(role="system", content="x"),
            "PromptMessage: 'role' must be 'user' or 'assistant', got str 'system'",
        )
        self.check(
            lambda: PromptMessage(role="user", content={"type": "image", "data": "x"}),
            "PromptMessage: 'content' ImageContent: missing field 'mimeType'",
        )

    def test_a_reward_that_json_cannot_carry_is_refused(self):
        # pydantic lets NaN through, and then nobody can read the grade.
        for reward in (float("nan"), float("inf")):
            self.assertIn("'reward' must be a finite number", message_of(lambda: EvaluationResult(reward=reward)))

    def test_errors_are_value_errors_and_type_errors(self):
        for kind in (ValueError, TypeError):
            with self.assertRaises(kind):
                SubScore(name="a")

    def test_positional_arguments_say_how_it_is_done(self):
        with self.assertRaisesRegex(TypeError, r"keyword arguments only, e\.g\. SubScore\(name=…, value=…\)"):
            SubScore("a", 1)

    def test_lenient_values_are_taken_as_pydantic_takes_them(self):
        self.assertEqual(EvaluationResult(reward="0.5").reward, 0.5)
        self.assertEqual(EvaluationResult(reward=True).reward, 1.0)
        self.assertIs(EvaluationResult(done="yes").done, True)
        self.assertEqual(EvaluationResult(reward=Decimal("0.25")).reward, 0.25)
        self.assertEqual(Coordinate(x="1", y=2.0), Coordinate(x=1, y=2))

    def test_assignment_is_checked_too(self):
        part = SubScore(name="a", value=1)
        with self.assertRaisesRegex(ValueError, "between 0 and 1"):
            part.value = 2
        with self.assertRaisesRegex(AttributeError, "did you mean 'value'"):
            part.vlue = 0.5
        with self.assertRaisesRegex(AttributeError, "did you mean 'weight'"):
            part.weigth
        part.value = 0.5
        self.assertEqual(part, SubScore(name="a", value=0.5))

    def test_extra_fields_where_v5_allows_them(self):
        result = EvaluationResult(reward=1.0, elapsed=3)
        self.assertEqual(result.elapsed, 3)
        self.assertEqual(result.model_extra, {"elapsed": 3})
        self.assertEqual(result.model_dump()["elapsed"], 3)
        self.assertEqual(TraceStep(tool="x").tool, "x")
        self.assertEqual(TextContent(type="text", text="a", lang="de").lang, "de")

    def test_a_misspelt_extra_field_warns(self):
        texts, _ = warnings_of(lambda: EvaluationResult(reward=1, subscore=[]))
        self.assertEqual(texts, ["EvaluationResult: 'subscore' was kept as an extra field; did you mean 'subscores'?"])


class Results(unittest.TestCase):
    def test_warnings_of_subscores(self):
        def make():
            EvaluationResult(
                reward=0.5,
                subscores=[SubScore(name="a", weight=0.5, value=1), SubScore(name="a", weight=0.2, value=1)],
            )

        texts, where = warnings_of(make)
        self.assertEqual(
            [text.split(";")[0] for text in texts],
            [
                "Duplicate subscore names: a",
                "Positive subscore weights should sum to 1, these sum to 0.7000",
                "Subscores don't match reward: value times weight sums to 0.7000, reward is 0.5000",
            ],
        )
        self.assertEqual(where, __file__, "a warning points at the line that made the result")

    def test_no_warning_within_a_hundredth(self):
        texts, _ = warnings_of(
            lambda: EvaluationResult(
                reward=0.66,
                subscores=[SubScore(name=n, weight=0.33, value=v) for n, v in (("a", 1), ("b", 1), ("c", 0))],
            )
        )
        self.assertEqual(texts, [])

    def test_penalties_do_not_count_towards_the_weights(self):
        parts = [SubScore(name="a", value=1), SubScore(name="late", weight=-0.25, value=1)]
        texts, _ = warnings_of(lambda: EvaluationResult(reward=0.75, subscores=parts))
        self.assertEqual(texts, [])

    def test_dump_is_the_wire_form_of_v5(self):
        result = EvaluationResult(reward=0.1, subscores=[SubScore(name="a", value=0.1, metadata={"x": 1})])
        self.assertEqual(
            json.dumps(result.model_dump(exclude_none=True)),
            '{"reward": 0.1, "done": true, "info": {}, "isError": false, '
            '"subscores": [{"name": "a", "weight": 1.0, "value": 0.1}]}',
        )

    def test_metadata_and_info_are_one_field(self):
        part = SubScore(name="a", value=1, metadata={"x": 1})
        self.assertEqual((part.info, part.metadata, part.score), ({"x": 1}, {"x": 1}, 1.0))
        part.metadata = {"y": 2}
        self.assertEqual(part.info, {"y": 2})
        self.assertIn("'info' was given twice", message_of(lambda: SubScore(name="a", value=1, info={}, metadata={})))

    def test_children_are_dumped_and_their_info_is_not(self):
        part = SubScore(name="any", value=1, children=[{"name": "a", "value": 1, "info": {"out": "…"}}])
        self.assertEqual(
            part.to_summary(),
            {"name": "any", "weight": 1.0, "value": 1.0, "children": [{"name": "a", "weight": 1.0, "value": 1.0}]},
        )

    def test_a_trace_without_steps_is_true(self):
        # In v5 its length of 0 makes it false.
        trace = Trace(reward=1.0)
        self.assertTrue(trace)
        trace.append(TraceStep(category="agent"))
        self.assertEqual((len(trace), trace.num_messages), (1, 0))

    def test_content_results_add_up(self):
        both = ContentResult(output="a", base64_image="x") + ContentResult(output="b", error="e")
        self.assertEqual(both, ContentResult(output="ab", error="e", base64_image="x"))
        with self.assertRaisesRegex(ValueError, "both have 'base64_image'"):
            both + ContentResult(base64_image="y")

    def test_content_results_become_blocks(self):
        blocks = ContentResult(output="a", error="e", base64_image="/9j/x", system="s", url="u").to_content_blocks()
        self.assertEqual(
            blocks,
            [
                TextContent(text="a"),
                TextContent(text="e"),
                TextContent(text="__URL__:u"),
                ImageContent(data="/9j/x", mimeType="image/jpeg"),
            ],
        )
        self.assertEqual(ContentResult(base64_image="iVBO").to_content_blocks()[0].mimeType, "image/png")
        self.assertEqual(ContentResult().to_content_blocks(), [])

    def test_answers(self):
        answer = AgentAnswer[dict](content={"a": 1}, raw='{"a": 1}', citations=[{"source": "x"}])
        self.assertEqual(answer.content, {"a": 1})
        self.assertEqual(answer.citations, [Citation(source="x")])
        self.assertEqual(answer, AgentAnswer(content={"a": 1}, raw='{"a": 1}', citations=[Citation(source="x")]))


class Wire(unittest.TestCase):
    def test_tool_calls(self):
        call = MCPToolCall(name="a", arguments={"x": 1}, annotation="why")
        self.assertEqual(str(call), '→ a({"x":1})  # why')
        self.assertEqual(len(call.id), 36)
        self.assertNotEqual(call.id, MCPToolCall(name="a").id)
        long = MCPToolCall(name="a", arguments={"x": "y" * 80})
        self.assertEqual(str(long), '→ a({"x":"' + "y" * 51 + "...)")

    def test_tool_results(self):
        hello = MCPToolResult(content=[TextContent(text="hello\nworld")])
        self.assertEqual((str(hello), hello.text), ("✓ hello", "hello\nworld"))
        self.assertEqual(str(MCPToolResult(structuredContent={"a": 1}, isError=True)), '✗ {"a":1}')
        self.assertEqual(str(MCPToolResult(content=[ImageContent(data="x", mimeType="image/png")])), "✓ 📷 Image")

    def test_meta_is_spelled_with_an_underscore_on_the_wire(self):
        call = MCPToolCall(name="a", id="1", _meta={"q": 1})
        self.assertEqual(call.meta, {"q": 1})
        self.assertEqual(call.to_dict(), {"name": "a", "id": "1", "_meta": {"q": 1}})
        self.assertEqual(MCPToolCall(name="a", id="1", meta={"q": 1}), call)

    def test_blocks_are_told_apart_by_their_type(self):
        blocks = MCPToolResult(
            content=[
                {"type": "text", "text": "a"},
                {"type": "audio", "data": "x", "mimeType": "audio/wav"},
                {"type": "resource_link", "name": "n", "uri": "file:///a"},
                {"type": "resource", "resource": {"uri": "file:///a", "blob": "AA=="}},
            ]
        ).content
        self.assertEqual(
            [type(block).__name__ for block in blocks],
            ["TextContent", "AudioContent", "ResourceLink", "EmbeddedResource"],
        )
        self.assertEqual(blocks[2], ResourceLink(name="n", uri="file:///a"))
        self.assertEqual(type(blocks[3].resource).__name__, "BlobResourceContents")
        self.assertIn("must have a 'type' of 'text', 'image'", message_of(lambda: MCPToolResult(content=["x"])))

    def test_prompt_messages_take_plain_text(self):
        self.assertEqual(
            PromptMessage(role="assistant", content="hi").to_dict(),
            {"role": "assistant", "content": {"type": "text", "text": "hi"}},
        )

    def test_round_trips(self):
        records = [
            MCPToolResult(content=[TextContent(text="a", _meta={"k": [1]})], structuredContent={"r": 1}),
            EvaluationResult(reward=0.5, extra="kept", subscores=[SubScore(name="a", value=0.5)]),
            EmbeddedResource(resource={"uri": "u", "text": "t"}, annotations={"priority": 0.5}),
        ]
        for record in records:
            self.assertEqual(type(record).model_validate(record.to_dict()), record)
            self.assertEqual(type(record).model_validate_json(record.model_dump_json()), record)
            self.assertEqual(copy.deepcopy(record), record)
            self.assertEqual(pickle.loads(pickle.dumps(record)), record)

    def test_foreign_models_are_taken_by_their_dump(self):
        class Foreign:
            type = "text"

            def model_dump(self, **_options):
                return {"type": "text", "text": "from elsewhere"}

        self.assertEqual(MCPToolResult(content=[Foreign()]).text, "from elsewhere")

    def test_schema_names_what_is_required(self):
        self.assertEqual(
            Coordinate.model_json_schema(),
            {
                "title": "Coordinate",
                "type": "object",
                "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}},
                "description": "A point on the screen, in pixels.",
                "required": ["x", "y"],
                "additionalProperties": False,
            },
        )
        value = SubScore.model_json_schema()["properties"]["value"]
        self.assertEqual(value, {"type": "number", "minimum": 0, "maximum": 1})


if __name__ == "__main__":
    unittest.main()
