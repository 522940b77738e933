"""hud.graders: comparisons, weighing, the command grader and the model judge.

Rewards and names were observed in Python hud 0.5.41 and 0.6 and written down here; numbers such as
"$1,234.50" are read better than there, which the test of `numeric_match` shows.
"""

import asyncio
import os
import subprocess
import sys
import time
import unittest
import warnings

from hud import _sampling
from hud.graders import (
    BashGrader,
    Grade,
    Grader,
    JudgeError,
    LLMJudgeGrader,
    combine,
    combine_all,
    combine_any,
    contains,
    contains_all,
    contains_any,
    exact_match,
    f1_score,
    normalize,
    numeric_match,
)
from hud.graders.text import first_number
from hud.native import graders as v5_names
from hud.types import AgentAnswer, SubScore


def parts(*weighed):
    return [SubScore(name=name, weight=weight, value=value) for name, weight, value in weighed]


class Text(unittest.TestCase):
    def test_normalize(self):
        self.assertEqual(normalize("  The Answer is: 42! "), "answer is 42")
        self.assertEqual(normalize("An apple, a pear & the Them"), "apple pear them")
        self.assertEqual(normalize("snake_case"), "snake_case")

    def test_exact_match(self):
        self.assertEqual(exact_match("The Paris!", "paris"), 1.0)
        self.assertEqual(exact_match("The answer is 42!", "42"), 0.0)
        self.assertEqual(exact_match("  PARIS ", "paris", normalize_text=False), 1.0)
        self.assertEqual(exact_match("Paris!", "paris", normalize_text=False), 0.0)
        self.assertEqual(exact_match("42", 42), 1.0)

    def test_no_answer_is_no_text(self):
        # In v5 None is the text "None" and matches it.
        self.assertEqual(exact_match(None, "none"), 0.0)
        self.assertEqual(contains(None, "on"), 0.0)
        self.assertEqual(numeric_match(None, 0), 0.0)

    def test_contains(self):
        self.assertEqual(contains("It is PARIS.", "paris"), 1.0)
        self.assertEqual(contains("It is PARIS.", "paris", case_sensitive=True), 0.0)
        self.assertEqual(contains_any("red and blue", ["green", "Blue"]), 1.0)
        self.assertEqual(contains_any("red", []), 0.0)
        self.assertEqual(contains_all("red and blue", ["red", "blue"]), 1.0)
        self.assertEqual(contains_all("red", ["red", "blue"]), 0.0)
        self.assertEqual(contains_all("red", []), 1.0)

    def test_a_text_is_not_a_list_of_letters(self):
        for compare in (contains_any, contains_all):
            with self.assertRaisesRegex(TypeError, "list of texts"):
                compare("blue", "green")

    def test_structured_answers_are_compared_by_their_text(self):
        self.assertEqual(exact_match(AgentAnswer(content="Paris", raw="Paris"), "paris"), 1.0)
        self.assertEqual(contains(AgentAnswer(content={"city": "Paris"}, raw='{"city": "Paris"}'), "paris"), 1.0)
        self.assertEqual(numeric_match(AgentAnswer(content=42, raw="42"), 42), 1.0)

    def test_first_number(self):
        expected = {
            "42": 42,
            "It is -3.5 degrees": -3.5,
            "$1,234.50": 1234.5,
            "-$5": -5,
            "$-5": -5,
            "−7": -7,
            "1,234,567 people": 1234567,
            "1'234.5": 1234.5,
            "1\u202f234": 1234,
            "1_000": 1000,
            "1e3": 1000,
            "1.5E-4": 0.00015,
            "3 × 10^4": 30000,
            "3×10⁻²": 0.03,
            r"1.5 \times 10^{3}": 1500,
            ".5": 0.5,
            "3.14.": 3.14,
            "GPT-4 has 5": 4,
            "between 10-20": 10,
            "- 5 apples": 5,
            "1,2345": 1,
            "3,14": 3,
            "1/2": 1,
            "85%": 85,
            "2e": 2,
            "9007199254740993": 9007199254740993,
            "none at all": None,
            "": None,
        }
        self.assertEqual({text: first_number(text) for text in expected}, expected)

    def test_numeric_match(self):
        self.assertEqual(numeric_match("The answer is 42.", 42), 1.0)
        self.assertEqual(numeric_match("It costs $1,234.50.", 1234.5), 1.0)
        self.assertEqual(numeric_match("1e3", 1000), 1.0)
        self.assertEqual(numeric_match("no number", 0), 0.0)
        self.assertEqual(numeric_match("First 1, then 42", 42), 0.0)
        self.assertEqual(numeric_match("9007199254740993", 9007199254740992), 0.0)
        self.assertEqual(numeric_match(1e-7, 1e-7), 1.0)

    def test_tolerance_includes_its_end(self):
        # abs(3.1 - 3.0) is a hair above 0.1 in binary, so v5 says no here.
        self.assertEqual(numeric_match("3.1", 3.0, tolerance=0.1), 1.0)
        self.assertEqual(numeric_match("3.11", 3.0, tolerance=0.1), 0.0)
        with self.assertRaisesRegex(ValueError, "negative"):
            numeric_match("3", 3, tolerance=-1)

    def test_f1_score(self):
        self.assertEqual(f1_score("The capital is Paris, France", "Paris"), 0.4)
        self.assertEqual(f1_score("Paris", "Paris"), 1.0)
        self.assertEqual(f1_score("", "Paris"), 0.0)
        self.assertAlmostEqual(f1_score("a b b c", "b b b"), 2 / 3)


class Weighing(unittest.TestCase):
    def test_positive_weights_are_divided_and_penalties_kept(self):
        result = Grade.from_subscores(parts(("a", 2, 1), ("b", 1, 1), ("late", -0.25, 1)))
        self.assertEqual(result.reward, 0.75)
        self.assertEqual([round(part.weight, 4) for part in result.subscores], [0.6667, 0.3333, -0.25])

    def test_rewards_are_not_clamped(self):
        result = asyncio.run(combine(*parts(("a", 0.5, 1), ("b", 0.5, 0), ("wrong", -2, 1))))
        self.assertEqual(result.reward, -1.5)

    def test_names_used_twice_are_numbered(self):
        result = Grade.from_subscores(parts(("a", 1, 1), ("a", 1, 0), ("a-1", 1, 1), ("b", 1, 1)))
        self.assertEqual([part.name for part in result.subscores], ["a-2", "a-3", "a-1", "b"])

    def test_info_of_the_parts_is_found_by_name(self):
        result = Grade.from_subscores([SubScore(name="a", value=1, metadata={"x": 1}), SubScore(name="b", value=1)])
        self.assertEqual(result.info, {"a": {"x": 1}})

    def test_nothing_to_weigh(self):
        with self.assertRaisesRegex(ValueError, "no subscores"):
            Grade.from_subscores([])
        with self.assertRaisesRegex(ValueError, "positive weight"):
            Grade.from_subscores(parts(("a", -1, 1), ("b", 0, 1)))

    def test_combine_warns_about_written_weights_only(self):
        def texts(weighed):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                asyncio.run(combine(*weighed))
            return [str(item.message) for item in caught]

        self.assertEqual(
            texts(parts(("a", 0.5, 1), ("b", 0.3, 1), ("c", 0.3, 1))),
            ["the positive weights sum to 1.1000, not 1, and were divided by that"],
        )
        self.assertEqual(texts([SubScore(name="a", value=1), SubScore(name="b", value=0)]), [])

    def test_any_and_all(self):
        choices = parts(("a", 1, 0.2), ("a", 1, 0.8))
        best, worst = combine_any(0.5, choices), combine_all(0.5, choices, name="both")
        self.assertEqual((best.name, best.value, best.weight), ("any", 0.8, 0.5))
        self.assertEqual((worst.name, worst.value), ("both", 0.2))
        self.assertEqual([child.name for child in best.children], ["a-1", "a-2"])
        named = BashGrader.any(1.0, choices)
        self.assertEqual((named.name, named.info["subscores"]), ("BashGrader_any", ["a-1", "a-2"]))
        with self.assertRaisesRegex(ValueError, "no subscores"):
            BashGrader.all(1.0, [])

    def test_gather_keeps_order_and_runs_at_once(self):
        order = []

        async def later(name, turns):
            for _ in range(turns):
                await asyncio.sleep(0)
            order.append(name)
            return SubScore(name=name, value=1)

        result = asyncio.run(Grade.gather(later("slow", 5), SubScore(name="ready", value=1), later("fast", 1)))
        self.assertEqual([part.name for part in result.subscores], ["slow", "ready", "fast"])
        self.assertEqual(order, ["fast", "slow"])

    def test_one_failing_grader_stops_the_others(self):
        stopped = []

        async def hang():
            try:
                await asyncio.Event().wait()
            finally:
                stopped.append("hang")

        async def fail():
            await asyncio.sleep(0)
            raise KeyError("boom")

        with self.assertRaisesRegex(KeyError, "boom"):
            asyncio.run(Grade.gather(hang(), fail()))
        self.assertEqual(stopped, ["hang"])

    def test_what_is_not_a_subscore_is_refused(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with self.assertRaisesRegex(TypeError, "got float: 0.5"):
                asyncio.run(Grade.gather(BashGrader.grade(1.0, command="true"), 0.5))

    def test_v5_names(self):
        self.assertIs(v5_names.Grade, Grade)
        self.assertIs(v5_names.BashGrader, BashGrader)


class OwnGraders(unittest.TestCase):
    def grade(self, compute, **parameters):
        Own = type("Own", (Grader,), {"name": "own", "compute_score": classmethod(compute)})
        return asyncio.run(Own.grade(0.5, **parameters))

    def test_a_number(self):
        async def compute(cls, wanted):
            return wanted / 2

        part = self.grade(compute, wanted=1)
        self.assertEqual((part.name, part.weight, part.value), ("own", 0.5, 0.5))
        self.assertEqual(part.info, {"_parameters": {"wanted": 1}})

    def test_a_pair_a_subscore_and_a_plain_function(self):
        async def pair(cls):
            return 1.0, {"seen": True}

        async def subscore(cls):
            return SubScore(name="x", value=1, info={"seen": True})

        def plain(cls):
            return 1.0, {"seen": True}

        for compute in (pair, subscore, plain):
            part = self.grade(compute)
            self.assertEqual((part.name, part.value, part.info), ("own", 1.0, {"seen": True, "_parameters": {}}))

    def test_parameters_without_a_json_form_are_named(self):
        async def compute(cls, **_parameters):
            return 1.0

        ring = []
        ring.append(ring)
        info = self.grade(compute, when=object(), ring=ring, bad=float("nan"), pair=(1, {2})).info
        self.assertEqual(
            info["_parameters"],
            {"when": "<object: not serializable>", "ring": ["<list: contains itself>"], "bad": "nan", "pair": [1, [2]]},
        )

    def test_a_score_out_of_range_is_refused(self):
        async def compute(cls):
            return 7

        with self.assertRaisesRegex(ValueError, "between 0 and 1, got 7"):
            self.grade(compute)


linux_only = unittest.skipUnless(sys.platform == "linux", "reads /proc")


def alive(pid):
    """Whether a process runs; one that has ended but was not collected does not."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def ends(pid):
    """Wait until a process is gone; the limit is only there so that a failure does not hang."""
    limit = time.monotonic() + 10
    while alive(pid) and time.monotonic() < limit:
        time.sleep(0.005)
    return not alive(pid)


class Bash(unittest.TestCase):
    def grade(self, command, **parameters):
        part = asyncio.run(BashGrader.grade(1.0, command=command, **parameters))
        return part.value, {key: value for key, value in part.info.items() if key != "_parameters"}

    def test_exit_status_and_output(self):
        self.assertEqual(self.grade("echo out"), (1.0, {"exit_code": 0, "stdout": "out\n", "stderr": ""}))
        self.assertEqual(
            self.grade("echo out; echo err >&2; exit 3"),
            (0.0, {"exit_code": 3, "stdout": "out\n", "stderr": "err\n"}),
        )
        self.assertEqual(self.grade("pwd", cwd="/")[1]["stdout"], "/\n")

    def test_a_command_without_input_does_not_wait_for_it(self):
        self.assertEqual(self.grade("cat")[0], 1.0)

    def test_a_missing_folder_scores_nothing_and_is_named(self):
        value, info = self.grade("true", cwd="/there/is/no/such/folder")
        self.assertEqual((value, info["stderr"]), (0.0, "there is no folder /there/is/no/such/folder"))

    @linux_only
    def test_timeout_kills_the_children_and_keeps_the_output(self):
        value, info = self.grade("sleep 300 & echo $!; wait", timeout_seconds=0.5)
        child = int(info.pop("stdout"))
        self.assertEqual(
            (value, info), (0.0, {"exit_code": None, "stderr": "", "timed_out": True, "timeout": 0.5})
        )
        self.assertTrue(ends(child))

    @linux_only
    def test_a_background_process_does_not_hold_the_grade_up(self):
        value, info = self.grade("sleep 300 & echo $!")
        self.assertEqual(value, 1.0)
        self.assertTrue(ends(int(info["stdout"])))

    def test_endless_output_is_cut_in_the_middle(self):
        value, info = self.grade("echo first; yes | head -c 3000000; echo last")
        text = info["stdout"]
        self.assertEqual((value, text[:6], text[-5:]), (1.0, "first\n", "last\n"))
        self.assertIn("bytes left out", text)
        self.assertLess(len(text), 1_100_000)

    @linux_only
    def test_cancelling_kills_the_command(self):
        read, write = os.pipe()

        async def run():
            command = f"echo $$ >/proc/{os.getpid()}/fd/{write}; sleep 300"
            grading = asyncio.ensure_future(BashGrader.grade(1.0, command=command))
            pid = int(await asyncio.get_running_loop().run_in_executor(None, os.read, read, 100))
            grading.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await grading
            return pid

        self.assertTrue(ends(asyncio.run(run())))
        os.close(read)
        os.close(write)

    @linux_only
    def test_the_command_does_not_outlive_a_killed_environment(self):
        read, write = os.pipe()
        program = (
            "import asyncio, os; from hud.graders import BashGrader\n"
            f"command = f'echo $$ >/proc/{{os.getppid()}}/fd/{write}; sleep 300'\n"
            "asyncio.run(BashGrader.grade(1.0, command=command))"
        )
        with subprocess.Popen([sys.executable, "-c", program]) as environment:
            command = int(os.read(read, 100))
            self.assertTrue(alive(command))
            environment.kill()
        self.assertTrue(ends(command))
        os.close(read)
        os.close(write)


class Judge(unittest.TestCase):
    def grade(self, replies, criteria, **parameters):
        """Grade with a model that gives the first of `replies` whose key occurs in the question."""
        asked = []

        async def sampler(params):
            asked.append(params)
            question = params["messages"][0]["content"]["text"]
            found = next(value for key, value in replies.items() if key in question)
            text = found.pop(0) if isinstance(found, list) else found
            return {"role": "assistant", "content": {"type": "text", "text": text}, "model": "judge-1"}

        async def run():
            _sampling.current_sampler.set(sampler)
            return await LLMJudgeGrader.grade(1.0, answer="The answer.", criteria=criteria, **parameters)

        return asyncio.run(run()), asked

    MET = '{"explanation": "yes", "criterion_status": "MET"}'
    UNMET = '{"explanation": "no", "criterion_status": "UNMET"}'

    def value(self, replies, criteria):
        return round(self.grade(replies, criteria)[0].value, 4)

    def test_value_is_the_share_of_positive_weights(self):
        replies = {"Names it": self.MET, "Proves it": self.UNMET, "Lies": self.MET}
        self.assertEqual(self.value(replies, ["Names it"]), 1.0)
        self.assertEqual(self.value(replies, ["Names it", ("Proves it", 2.0)]), 0.3333)
        self.assertEqual(self.value(replies, ["Names it", "Proves it", ("Lies", -0.5)]), 0.25)
        self.assertEqual(self.value(replies, ["Proves it", ("Lies", -5)]), 0.0)

    def test_only_mistakes_start_from_one(self):
        replies = {"Lies": self.MET, "Boasts": self.UNMET}
        self.assertEqual(self.value(replies, [("Boasts", -1)]), 1.0)
        self.assertEqual(self.value(replies, [("Lies", -1), ("Boasts", -3)]), 0.75)

    def test_what_is_asked_and_what_is_kept(self):
        part, asked = self.grade({"Names it": self.MET}, ["Names it"], question="Why?", model="m")
        self.assertEqual(len(asked), 1)
        text = asked[0]["messages"][0]["content"]["text"]
        for piece in ("Names it", "something wanted", "Why?", "The answer."):
            self.assertIn(piece, text)
        self.assertEqual(asked[0]["modelPreferences"], {"hints": [{"name": "m"}]})
        self.assertEqual(asked[0]["metadata"], {"hud/purpose": "judge"})
        self.assertEqual(part.info["model"], "judge-1")
        self.assertEqual(part.info["criteria"], {"Names it": {"verdict": "MET", "reason": "yes", "weight": 1.0}})
        self.assertEqual([child.name for child in part.children], ["Names it"])

    def test_replies_around_the_json(self):
        fenced = f"Here:\n```json\n{self.MET}\n```"
        self.assertEqual(self.value({"A": fenced}, ["A"]), 1.0)
        self.assertEqual(self.value({"A": "I would say UNMET."}, ["A"]), 0.0)

    def test_no_verdict_is_asked_for_again_and_then_an_error(self):
        self.assertEqual(self.value({"A": ["Hm, MET or UNMET?", self.MET]}, ["A"]), 1.0)
        with self.assertRaisesRegex(JudgeError, "no verdict on 'A', twice"):
            self.grade({"A": ["I cannot say.", ""]}, ["A"])

    def test_nothing_to_judge(self):
        for criteria in (None, [], [("A", 0)]):
            with self.assertRaisesRegex(ValueError, "at least one criterion"):
                self.grade({}, criteria)
        with self.assertRaisesRegex(TypeError, "a criterion is a text or a pair"):
            self.grade({}, [("A", 1, 2)])

    def test_outside_of_a_rollout_there_is_nobody_to_ask(self):
        with self.assertRaisesRegex(RuntimeError, "only inside a rollout"):
            asyncio.run(LLMJudgeGrader.grade(1.0, answer="x", criteria=["A"]))


if __name__ == "__main__":
    unittest.main()
