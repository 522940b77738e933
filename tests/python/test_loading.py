"""From a source to an environment: files, packages, folders, tasks, and errors a person can act on."""

from __future__ import annotations

import sys
import unittest
from typing import Any

from client import Worker

TWO = """
import hud
env = hud.Environment("{name}")
@env.scenario("s")
async def s():
    yield "this is {name}"
"""
ENV = 'import hud\nenv = hud.Environment("{name}")\n'


def load(files: dict[str, str], entry: str, *options: str) -> dict[str, Any]:
    """The first line of a worker over these files."""
    with Worker(files, *options, entry=entry) as worker:
        return worker.first


class Sources(unittest.TestCase):
    def name(self, files: dict[str, str], entry: str, *options: str) -> str:
        first = load(files, entry, *options)
        self.assertEqual(first["type"], "ready", first)
        return first["describe"]["name"]

    def test_a_file(self) -> None:
        self.assertEqual(self.name({"env.py": ENV.format(name="a")}, "env.py"), "a")
        self.assertEqual(self.name({"my-env.py": ENV.format(name="b")}, "my-env.py"), "b")

    def test_a_file_called_like_a_standard_module(self) -> None:
        self.assertEqual(self.name({"statistics.py": ENV.format(name="s")}, "statistics.py"), "s")

    def test_files_beside_it_called_like_standard_modules(self) -> None:
        files = {"env.py": ENV.format(name="a"), "argparse.py": "1 / 0", "socket.py": "1 / 0", "select.py": "1 / 0"}
        self.assertEqual(self.name(files, "env.py"), "a")

    def test_files_called_like_what_is_needed_later(self) -> None:
        names = ("ctypes", "mmap", "resource", "selectors", "struct", "subprocess", "tempfile", "threading", "gc")
        files = {"env.py": ENV.format(name="a"), **{f"{name}.py": "1 / 0" for name in names}}
        for isolation in ("fork", "spawn", "shared"):
            with Worker(files, "--isolation", isolation, entry="env.py") as worker:
                self.assertEqual(worker.connect().request("ping"), {})

    def test_a_package(self) -> None:
        files = {
            "pkg/__init__.py": "from .environment import env\nfrom pkg import scenarios\nimport beside\n",
            "pkg/environment.py": ENV.format(name="packaged"),
            "pkg/scenarios.py": "from pkg.environment import env\n@env.tool\ndef t(): ...\n",
            "pkg/beside.py": "",
        }
        self.assertEqual(self.name(files, "pkg"), "packaged")

    def test_a_file_of_a_package_that_imports_from_it(self) -> None:
        files = {
            "shop/__init__.py": "",
            "shop/desk/__init__.py": "",
            "shop/desk/env.py": "from . import tools\nfrom ..names import NAME\nimport beside\n"
            + "import hud\nenv = hud.Environment(NAME)\n",
            "shop/desk/tools.py": "",
            "shop/desk/beside.py": "",
            "shop/names.py": 'NAME = "part"\n',
        }
        self.assertEqual(self.name(files, "shop/desk/env.py"), "part")

    def test_a_folder_with_env_py(self) -> None:
        files = {"env.py": ENV.format(name="chosen"), "other.py": ENV.format(name="other")}
        self.assertEqual(self.name(files, ""), "chosen")

    def test_a_folder_with_one_module_that_makes_an_environment(self) -> None:
        files = {"server.py": ENV.format(name="found"), "helper.py": "x = 1", "test_server.py": ENV.format(name="no")}
        self.assertEqual(self.name(files, ""), "found")

    def test_a_folder_with_several(self) -> None:
        first = load({"a.py": ENV.format(name="a"), "b.py": ENV.format(name="b")}, "")
        self.assertEqual(first["type"], "import_error")
        self.assertIn("several files that make an Environment: a.py, b.py", first["message"])

    def test_a_folder_with_none(self) -> None:
        self.assertIn("no environment in", load({"a.py": "x = 1"}, "")["message"])

    def test_modules_beside_and_in_the_project_root_can_be_imported(self) -> None:
        files = {
            "pyproject.toml": "",
            "shared.py": "NAME = 'from-root'",
            "envs/beside.py": "SUFFIX = 'x'",
            "envs/deep/env.py": "import hud, shared\nenv = hud.Environment(shared.NAME)",
            "envs/flat.py": "import hud, shared, beside\nenv = hud.Environment(shared.NAME + beside.SUFFIX)",
        }
        self.assertEqual(self.name(files, "envs/deep/env.py"), "from-root")
        self.assertEqual(self.name(files, "envs/flat.py"), "from-rootx")

    def test_which_variable(self) -> None:
        two = 'import hud\none = hud.Environment("one")\ntwo = hud.Environment("two")\n'
        self.assertEqual(self.name({"env.py": two}, "env.py", "--attr", "two"), "two")
        self.assertEqual(self.name({"env.py": two + "env = two"}, "env.py"), "two")
        self.assertEqual(self.name({"env.py": two + "environment = one"}, "env.py"), "one")
        self.assertEqual(self.name({"env.py": 'import hud\nanything = also = hud.Environment("x")'}, "env.py"), "x")
        first = load({"env.py": two}, "env.py")
        self.assertIn("several environments: one (one), two (two)", first["message"])
        self.assertRegex(first["hint"], r"`hud scenario list --env /\S+/project/env\.py:one`")
        self.assertIn("it has: one, two", load({"env.py": two}, "env.py", "--attr", "three")["message"])

    def test_normalized_names(self) -> None:
        for given, expected in (
            ("My Env_name", "my-env-name"),
            ("  --A__b!! ", "a-b"),
            ("Ünïcode", "ncode"),
            ("!!!", "environment"),
            ("", "environment"),
        ):
            with self.subTest(given=given):
                self.assertEqual(
                    self.name({"env.py": f"import hud\nenv = hud.Environment({given!r})"}, "env.py"), expected
                )


class Tasks(unittest.TestCase):
    ENVIRONMENT = """
        import hud
        env = hud.Environment("bench")
        @env.scenario("s")
        async def s(n: int, deep: dict | None = None):
            yield "x"
    """

    def rows(self, files: dict[str, str], entry: str) -> list[dict[str, Any]]:
        first = load({"env.py": self.ENVIRONMENT, **files}, entry)
        self.assertEqual(first["type"], "ready", first)
        self.assertEqual(first["describe"]["name"], "bench")
        return first["describe"]["tasks"]

    def test_a_tasks_file_that_imports_its_environment(self) -> None:
        text = "from env import env, s\ntasks = [env('s', n=1), s.task(2, deep={'a': [1]})]\nother = env('s', n=3)\n"
        self.assertEqual(
            self.rows({"tasks.py": text}, "tasks.py"),
            [
                {"env": "bench", "scenario": "s", "args": {"n": 1}, "variable": "tasks[0]"},
                {"env": "bench", "scenario": "s", "args": {"n": 2, "deep": {"a": [1]}}, "variable": "tasks[1]"},
            ],
        )

    def test_tasks_may_be_the_only_link_to_the_environment(self) -> None:
        rows = self.rows({"tasks.py": "import env as module\nfirst = module.env('s', n=1)\n"}, "tasks.py")
        self.assertEqual([row["variable"] for row in rows], ["first"])

    def test_without_tasks_every_public_attribute_counts_in_order(self) -> None:
        text = "from env import env\nzeta = env('s', n=1)\nalpha = [env('s', n=2), env('s', n=3)]\n_no = env('s', n=4)\nagain = zeta\n"
        rows = self.rows({"tasks.py": text}, "tasks.py")
        self.assertEqual([row["variable"] for row in rows], ["zeta", "alpha[0]", "alpha[1]"])

    def test_tasks_in_a_dict(self) -> None:
        rows = self.rows({"tasks.py": "from env import env\ntasks = {'easy': env('s', n=1)}\n"}, "tasks.py")
        self.assertEqual([row["variable"] for row in rows], ["tasks['easy']"])

    def test_a_folder_with_tasks_beside_its_environment(self) -> None:
        rows = self.rows({"tasks.py": "from env import env\ntasks = [env('s', n=1)]\n"}, "")
        self.assertEqual(len(rows), 1)

    def test_all_fields_of_a_task(self) -> None:
        text = """
            from env import env
            from hud.types import BaseAgentConfig, MCPToolCall
            task = env("s", n=1)
            task.slug = "first"
            task.validation = [{"name": "bash", "arguments": {"command": "ls"}}, MCPToolCall(name="t", arguments={"x": 1})]
            task.agent_config = BaseAgentConfig(system_prompt="be kind")
            task.columns = {"difficulty": "easy"}
            task.metadata = {"source": "me"}
            task.solution = {"tool_calls": [{"name": "t"}], "answer": "x"}
        """
        row = self.rows({"tasks.py": text}, "tasks.py")[0]
        self.assertEqual(row["slug"], "first")
        self.assertEqual(
            row["validation"], [{"name": "bash", "arguments": {"command": "ls"}}, {"name": "t", "arguments": {"x": 1}}]
        )
        self.assertEqual(row["agent_config"]["system_prompt"], "be kind")
        self.assertEqual((row["columns"], row["metadata"]), ({"difficulty": "easy"}, {"source": "me"}))
        self.assertEqual(row["solution"], {"tool_calls": [{"name": "t", "arguments": {}}], "answer": "x"})

    def test_the_older_form(self) -> None:
        text = """
            from env import env
            from hud.types import Task
            task = Task(
                prompt="go", mcp_config={"hud": {"url": "https://x"}}, id="a",
                setup_tool={"name": "nav", "arguments": {"url": "u"}}, evaluate_tool=[{"name": "check", "arguments": {}}],
            )
        """
        row = self.rows({"tasks.py": text}, "tasks.py")[0]
        self.assertEqual((row["prompt"], row["id"]), ("go", "a"))
        self.assertEqual(row["setup_tool"], {"name": "nav", "arguments": {"url": "u"}})
        self.assertEqual(row["evaluate_tool"], [{"name": "check", "arguments": {}}])

    def test_tasks_of_two_environments(self) -> None:
        text = "from enva import env as ea\nfrom envb import env as eb\ntasks = [eb('s'), ea('s'), Plain]\n"
        files = {
            "tasks.py": "from hud import Task\nPlain = Task(scenario='s')\n" + text,
            "enva.py": TWO.format(name="a"),
            "envb.py": TWO.format(name="b"),
        }
        with Worker(files) as worker:
            described = worker.describe
            self.assertEqual(described["name"], "b")
            self.assertEqual(described["environments"], [{"name": "b", "attr": "eb"}, {"name": "a", "attr": "ea"}])
            self.assertEqual(
                [(row["env"], row["attr"], row["variable"]) for row in described["tasks"]],
                [("b", "eb", "tasks[0]"), ("a", "ea", "tasks[1]"), ("b", "eb", "tasks[2]")],
            )
            self.assertEqual(worker.connect().prompt("b:s"), "this is b")
        with Worker(files, "--attr", "ea") as worker:
            self.assertEqual(worker.describe["name"], "a")
            self.assertNotIn("environments", worker.describe)
            self.assertEqual([row["variable"] for row in worker.describe["tasks"]], ["tasks[1]", "tasks[2]"])
            self.assertNotIn("attr", worker.describe["tasks"][0])
            self.assertEqual(worker.connect().prompt("a:s"), "this is a")

    def test_environments_that_only_the_tasks_know(self) -> None:
        files = {
            "tasks.py": "import enva\nfrom inside import more\ntasks = [enva.env('s'), more]\n",
            "inside.py": "from envb import env\nmore = env('s')\ndel env\n",
            "enva.py": TWO.format(name="a"),
            "envb.py": TWO.format(name="b"),
        }
        first = load(files, "tasks.py")
        names = [{"name": "a", "attr": "enva.env"}, {"name": "b", "attr": "b"}]
        self.assertEqual(first["describe"]["environments"], names)
        for entry in names:
            self.assertEqual(load(files, "tasks.py", "--attr", entry["attr"])["describe"]["name"], entry["name"])

    def test_two_environments_of_one_name(self) -> None:
        files = {
            "tasks.py": "from enva import env as a\nfrom envb import env as b\ntasks = [a('s'), b('s')]\n",
            "enva.py": TWO.format(name="same"),
            "envb.py": TWO.format(name="same"),
        }
        self.assertEqual([row["attr"] for row in load(files, "tasks.py")["describe"]["tasks"]], ["a", "b"])
        hidden = {**files, "tasks.py": files["tasks.py"] + "del a, b\n"}
        first = load(hidden, "tasks.py")
        self.assertEqual(first["type"], "import_error")
        self.assertIn("several environments called 'same'", first["message"])

    def test_the_tasks_choose_among_several_environments(self) -> None:
        text = "import hud\nenv = hud.Environment('a')\nother = hud.Environment('b')\n"
        for tasks, name, several in (
            ("", "a", False),
            ("tasks = [other('s')]\n", "b", False),
            ("tasks = [other('s'), env('s')]\n", "a", True),
        ):
            with self.subTest(tasks=tasks):
                first = load({"env.py": text + tasks}, "env.py")
                self.assertEqual(first["describe"]["name"], name)
                self.assertEqual("environments" in first["describe"], several)

    def test_something_else_among_the_tasks(self) -> None:
        first = load({"tasks.py": "import hud\nenv = hud.Environment()\ntasks = [env('x'), 5]\n"}, "tasks.py")
        self.assertEqual((first["kind"], first["message"]), ("TypeError", "'tasks' contains a int, not only tasks"))

    def test_arguments_that_no_task_can_hold(self) -> None:
        first = load({"env.py": self.ENVIRONMENT + "\n        task = s.task(object())\n"}, "env.py")
        self.assertEqual((first["kind"], first["line"]), ("TypeError", 8))
        self.assertIn("argument 'n' is of type object, which has no JSON form", first["message"])


class ImportErrors(unittest.TestCase):
    def error(self, text: str, **more: str) -> dict[str, Any]:
        with Worker({"env.py": text, **{name.replace("_py", ".py"): body for name, body in more.items()}}) as worker:
            self.assertEqual(worker.first["type"], "import_error", worker.first)
            self.assertEqual(worker.process.wait(60), 3)
            self.project = str(worker.folder)
            return worker.first

    def test_an_exception(self) -> None:
        error = self.error("import hud\n\ndef helper():\n    raise ValueError('nope')\n\nhelper()\n")
        self.assertEqual((error["kind"], error["message"], error["line"]), ("ValueError", "nope", 4))
        self.assertEqual(error["file"], self.project + "/env.py")
        # Newer interpreters underline the part of a line that failed.
        trace = "".join(line for line in error["trace"].splitlines(True) if line.strip(" ~^\n"))
        self.assertEqual(
            trace,
            "Traceback (most recent call last):\n"
            f'  File "{self.project}/env.py", line 6, in <module>\n'
            "    helper()\n"
            f'  File "{self.project}/env.py", line 4, in helper\n'
            "    raise ValueError('nope')\n"
            "ValueError: nope\n",
        )

    def test_a_syntax_error_in_an_imported_file(self) -> None:
        error = self.error("import broken\n", broken_py="x = (\n")
        self.assertEqual((error["kind"], error["line"]), ("SyntaxError", 1))
        self.assertEqual(error["file"], self.project + "/broken.py")
        self.assertIn("x = (", error["trace"])
        self.assertNotIn("importlib", error["trace"])

    def test_a_missing_module(self) -> None:
        error = self.error("import hud\nimport surely_not_installed.deep\n")
        self.assertEqual((error["kind"], error["line"]), ("ModuleNotFoundError", 2))
        self.assertEqual(error["hint"], f"'surely_not_installed' is not installed for {sys.executable}")

    def test_a_module_that_this_package_does_not_have(self) -> None:
        error = self.error("import hud.agents\n")
        self.assertEqual((error["kind"], error["message"]), ("ModuleNotFoundError", "No module named 'hud.agents'"))
        self.assertIn("hud is installed, but this package has no module 'hud.agents'", error["hint"])
        error = self.error("from hud import agents\n")
        self.assertIn("hud is installed, but this package has no such name", error["hint"])

    def test_no_names_of_our_own_classes(self) -> None:
        error = self.error("import hud\nraise hud.ToolError('x')\n")
        self.assertEqual(error["trace"].splitlines()[-1], "ToolError: x")
        self.assertEqual(self.error("x = 1\n")["kind"], "ImportError")

    def test_sys_exit_and_interrupts(self) -> None:
        error = self.error("import sys\nsys.exit('usage: env.py')\n")
        self.assertEqual((error["kind"], error["message"]), ("SystemExit", "called sys.exit('usage: env.py')"))
        self.assertIn("__main__", error["hint"])
        self.assertEqual(self.error("raise KeyboardInterrupt\n")["kind"], "KeyboardInterrupt")

    def test_frames_of_libraries_are_left_out(self) -> None:
        error = self.error("import json\njson.loads('{')\n")
        self.assertEqual((error["kind"], error["line"]), ("JSONDecodeError", 2))
        self.assertNotIn("decoder.py", error["trace"])

    def test_a_cause_is_shown(self) -> None:
        text = "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise RuntimeError('outer') from e\n"
        error = self.error(text)
        self.assertIn("ZeroDivisionError", error["trace"])
        self.assertIn("direct cause", error["trace"])
        self.assertEqual((error["kind"], error["line"]), ("RuntimeError", 4))

    def test_a_source_that_does_not_exist(self) -> None:
        first = load({"env.py": "x = 1"}, "nothing.py")
        self.assertEqual(first["kind"], "FileNotFoundError")
        self.assertIn("nothing.py does not exist", first["message"])

    def test_a_file_that_is_not_python(self) -> None:
        self.assertIn("is not a Python file", load({"tasks.yaml": "tasks: []"}, "tasks.yaml")["message"])

    def test_no_environment(self) -> None:
        self.assertIn("makes no Environment", self.error("x = 1\n")["message"])

    def test_mistakes_in_declarations_point_to_their_line(self) -> None:
        head = "import hud\nenv = hud.Environment()\n"
        for body, kind, message in (
            ("@env.scenario('a:b')\nasync def s():\n    yield 'x'\n", "ValueError", "cannot contain ':'"),
            ("@env.scenario()\nasync def s():\n    return 'x'\n", "TypeError", "must be an async generator"),
            ("@env.scenario('c', chat=True)\nasync def s():\n    yield 'x'\n", "TypeError", "parameter 'messages'"),
            ("class C: pass\n@env.scenario()\nasync def s(c: C):\n    yield 'x'\n", "TypeError", "parameter 'c'"),
            (
                "class C: pass\n@env.tool\ndef t(c: C): ...\n",
                "TypeError",
                "tool 't': parameter 'c' cannot be given as JSON",
            ),
            ("@env.tool\ndef t(*args): ...\n", "TypeError", "has *args"),
            ("env.tool(lambda: 1)\n", "ValueError", "a lambda needs a name"),
            ("@env.tool('not a name!')\ndef t(): ...\n", "ValueError", "tool name 'not a name!'"),
            (
                "@env.template()\nasync def a():\n    yield 1\n@env.template('a')\nasync def b():\n    yield 1\n",
                "ValueError",
                "already has",
            ),
            ("@env.resource('data://x')\ndef r(number: int): ...\n", "ValueError", "needs 'number'"),
            ("import hud.types\nhud.types.Task(promt='x')\n", "TypeError", "did you mean 'prompt'?"),
        ):
            with self.subTest(body=body):
                error = self.error(head + body)
                self.assertEqual(error["kind"], kind)
                self.assertIn(message, error["message"])
                self.assertEqual(error["file"], self.project + "/env.py")
                self.assertGreater(error["line"], 2)

    def test_an_annotation_that_is_defined_further_down(self) -> None:
        head = "from __future__ import annotations\nimport hud\nfrom dataclasses import dataclass\nenv = hud.Environment()\n"
        tool = "@env.tool\ndef t(p: Point) -> Point: ...\n"
        first = load({"env.py": head + tool + "@dataclass\nclass Point:\n    x: int\n"}, "env.py")
        self.assertEqual(first["describe"]["tools"][0]["outputSchema"]["required"], ["x"])
        self.assertIn("name 'Point' is not defined", self.error(head + tool)["message"])


if __name__ == "__main__":
    unittest.main()
