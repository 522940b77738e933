"""What a worker says about its imports, and that old bytecode of the project is never used."""

from __future__ import annotations

import importlib.util
import marshal
import os
import tempfile
import unittest
from pathlib import Path
from typing import Any

from client import PACKAGE, Worker

ENV = "import hud\nenv = hud.Environment('x')\n"


class ImportsTest(unittest.TestCase):
    """Packages that are installed lie in a folder of their own on PYTHONPATH."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name).resolve()
        self.installed = self.home / "site-packages"

    def install(self, **files: str) -> None:
        for name, text in files.items():
            path = self.installed / (name.replace("__", "/", 1) + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def first(self, files: dict[str, str], *options: str, entry: str | None = None, **environ: str) -> dict[str, Any]:
        """The first line of a worker over these files."""
        environ = {"PYTHONPATH": f"{PACKAGE}:{self.installed}", **environ}
        with Worker(files, *options, entry=entry, environ=environ, folder=self.home / "project") as worker:
            return worker.first

    def modules(self, text: str, **files: str) -> list[str]:
        first = self.first({"env.py": ENV + text, **{f"{name}.py": text for name, text in files.items()}})
        self.assertEqual(first["type"], "ready", first)
        return first["modules"]


class Modules(ImportsTest):
    def test_what_comes_from_elsewhere_in_the_order_of_the_imports(self) -> None:
        self.install(
            heavy="import light, colorsys, json\nfrom deep.inner import x",
            light="",
            other="import light",
            deep____init__="",
            deep__inner="x = 1",
        )
        found = self.modules("import heavy\nimport mine\nimport other\nimport asyncio", mine="import sched, light\n")
        self.assertEqual(found, ["heavy", "light", "colorsys", "deep", "deep.inner", "sched", "other"])

    def test_what_our_package_loads_for_the_project_counts_too(self) -> None:
        found = self.modules("import hud.native.graders")
        self.assertEqual(found[:2], ["hud.native", "hud.native.graders"])

    def test_an_import_that_depends_on_what_the_project_has_set(self) -> None:
        self.install(
            flavoured="import os, below\nflavour = os.environ.get('FLAVOUR')",
            below="",
            plain="import os\nhome = os.environ.get('HOME')\ndef key(): return os.environ['FLAVOUR']",
            greedy="import os\ncopied = dict(os.environ)",
            native="",
        )
        for text, expected in (
            ("import flavoured, plain, greedy", ["flavoured", "below", "plain", "greedy"]),
            ("import os; os.environ['FLAVOUR'] = 'x'\nimport flavoured, plain", ["plain"]),
            ("import os; os.environ['FLAVOUR'] = 'x'\nimport greedy, plain", ["plain"]),
            # What the project's own code reads, also through a function of the package, is no import's business.
            ("import os; os.environ['FLAVOUR'] = 'x'\nimport plain\nplain.key()\nos.environ['FLAVOUR']", ["plain"]),
            ("import os; os.environ['OMP_NUM_THREADS'] = '1'\nimport native", []),
            ("import native, os; os.environ['OMP_NUM_THREADS'] = '1'\nimport plain", ["native"]),
        ):
            with self.subTest(text=text):
                self.assertEqual(self.modules(text), expected)

    def test_an_installed_package_that_imports_a_file_of_the_project(self) -> None:
        self.install(
            needy="try:\n    import settings\nexcept ImportError:\n    settings = None", first="", loader=LOADER
        )
        text = "import first, needy, loader\nloader.plugin('plug')"
        self.assertEqual(self.modules(text, plug=""), ["first", "needy", "loader"])
        self.assertEqual(self.modules(text, plug="", settings=""), ["first", "loader"])

    def test_what_patches_everything_after_it(self) -> None:
        self.install(before="", gevent____init__="", gevent__monkey="", after="")
        self.assertEqual(self.modules("import before\nimport gevent.monkey\nimport after"), ["before", "gevent"])

    def test_modules_that_fail_or_remove_themselves(self) -> None:
        self.install(broken="1 / 0", gone="import sys\ndel sys.modules['gone']", fine="")
        text = "try:\n    import broken\nexcept ZeroDivisionError: pass\n"
        text += "try:\n    import gone\nexcept Exception: pass\nimport fine"
        self.assertEqual(self.modules(text), ["fine"])

    def test_the_environment_is_as_usual_afterwards(self) -> None:
        source = ENV + "import os\n@env.tool\ndef kind() -> str:\n    return type(os.environ).__name__\n"
        with Worker(source) as worker:
            self.assertEqual(worker.connect().text("kind"), "_Environ")


LOADER = "import importlib\ndef plugin(name): return importlib.import_module(name)"


class Files(ImportsTest):
    def files(self, files: dict[str, str], *options: str, entry: str | None = None) -> list[str]:
        first = self.first(files, *options, entry=entry)
        self.assertEqual(first["type"], "ready", first)
        return [os.path.relpath(path, self.home / "project") for path in first["files"]]

    def test_source_files_in_the_order_of_their_import(self) -> None:
        files = {
            "env.py": ENV + "import helper\nfrom pkg import part\nimport space.inside\n",
            "helper.py": "import deeper",
            "deeper.py": "",
            "unused.py": "",
            "pkg/__init__.py": "",
            "pkg/part.py": "",
            "space/inside.py": "",
            "tasks.py": "from env import env\ntasks = []",
        }
        expected = ["env.py", "helper.py", "deeper.py", "pkg/__init__.py", "pkg/part.py", "space/inside.py"]
        self.assertEqual(self.files(files, entry="env.py"), expected)
        self.assertEqual(self.files(files, entry=""), [*expected, "tasks.py"])

    def test_files_of_the_folder_of_a_package_and_of_the_projects_root(self) -> None:
        files = {
            "pyproject.toml": "",
            "shared.py": "",
            "envs/pkg/__init__.py": ENV + "import shared, beside\nfrom . import inner",
            "envs/pkg/inner.py": "",
            "envs/beside.py": "",
        }
        expected = ["envs/pkg/__init__.py", "shared.py", "envs/beside.py", "envs/pkg/inner.py"]
        self.assertEqual(self.files(files, entry="envs/pkg"), expected)

    def test_an_environment_of_packages_inside_the_project_is_not_the_projects(self) -> None:
        (self.home / "project" / ".venv" / "lib").mkdir(parents=True)
        (self.home / "project" / ".venv" / "lib" / "thing.py").write_text("")
        text = ENV + "import sys\nsys.path.append(__file__.rpartition('/')[0] + '/.venv/lib')\nimport thing\n"
        self.assertEqual(self.files({"env.py": text}), ["env.py"])

    def test_folders_that_are_named(self) -> None:
        (self.home / "lib").mkdir()
        (self.home / "lib" / "other.py").write_text("")
        text = ENV + f"import sys\nsys.path.append({str(self.home / 'lib')!r})\nimport other\n"
        first = self.first({"env.py": text})
        self.assertEqual((first["modules"], len(first["files"])), (["other"], 1))
        first = self.first({"env.py": text}, "--project", str(self.home / "lib"))
        self.assertEqual((first["modules"], first["files"][1]), ([], str(self.home / "lib" / "other.py")))

    def test_after_a_failure_too(self) -> None:
        first = self.first({"env.py": "import helper, broken", "helper.py": "", "broken.py": "x = ("})
        self.assertEqual(first["type"], "import_error")
        self.assertEqual([os.path.basename(path) for path in first["files"]], ["env.py", "helper.py", "broken.py"])
        self.assertEqual(self.first({"env.py": "1 / 0"})["files"], [str(self.home / "project" / "env.py")])


class Bytecode(ImportsTest):
    SOURCE = ENV + "import helper\n@env.tool\ndef word() -> str:\n    import late\n    return helper.WORD + late.WORD\n"

    def word(self, *options: str, **environ: str) -> str:
        environ = {"PYTHONPATH": PACKAGE, **environ}
        with Worker({}, *options, entry="env.py", environ=environ, folder=self.home / "project") as worker:
            self.assertEqual(worker.first["type"], "ready", worker.first)
            return worker.connect().text("word")

    def write(self, name: str, text: str) -> None:
        """Save a file, always at the same moment."""
        path = self.home / "project" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        os.utime(path, (1_700_000_000, 1_700_000_000))

    def test_files_that_were_saved_twice_at_once(self) -> None:
        self.write("env.py", self.SOURCE)
        for isolation in ("fork", "spawn", "shared"):
            for word in ("aa", "bb"):
                self.write("helper.py", f"WORD = '{word}'")
                self.write("late.py", f"WORD = '{word}'")
                self.assertEqual(self.word("--isolation", isolation), word * 2)

    def test_bytecode_that_python_itself_has_left(self) -> None:
        self.write("env.py", self.SOURCE)
        self.write("late.py", "WORD = ''")
        for name in ("env", "helper"):
            self.write(f"{name}.py", self.SOURCE.replace("WORD", "OLD_") if name == "env" else "WORD = 'aa'")
        import py_compile

        for name in ("env", "helper"):
            py_compile.compile(
                str(self.home / "project" / f"{name}.py"), invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP
            )
        self.write("env.py", self.SOURCE)
        self.write("helper.py", "WORD = 'bb'")
        self.assertEqual(self.word(), "bb")

    def test_bytecode_of_the_same_content_is_used(self) -> None:
        self.write("env.py", self.SOURCE)
        self.write("helper.py", "WORD = 'aa'")
        self.write("late.py", "WORD = ''")
        self.word()
        path = self.home / "project" / "helper.py"
        cached = Path(importlib.util.cache_from_source(str(path)))
        data = cached.read_bytes()
        self.assertEqual(data[4:8], b"\3\0\0\0")  # Python itself checks the content of such a file too.
        cached.write_bytes(data[:16] + marshal.dumps(compile("WORD = 'cached'", str(path), "exec")))
        self.assertEqual(self.word(), "cached")
        for broken in (b"", data[:10], data[:16], data[:16] + b"nonsense", data[:16] + marshal.dumps(5)):
            cached.write_bytes(broken)
            self.assertEqual(self.word(), "aa")

    def test_a_folder_that_was_moved(self) -> None:
        self.write("env.py", self.SOURCE.replace("helper.WORD +", "helper.__file__ + helper.f.__code__.co_filename +"))
        self.write("helper.py", "def f(): ...")
        self.write("late.py", "WORD = ''")
        self.word()
        (self.home / "project").rename(self.home / "other")
        with Worker({}, entry="env.py", folder=self.home / "other") as worker:
            self.assertEqual(worker.connect().text("word"), str(self.home / "other" / "helper.py") * 2)

    def test_no_bytecode_when_none_is_wanted(self) -> None:
        self.write("env.py", self.SOURCE)
        self.write("helper.py", "WORD = 'aa'")
        self.write("late.py", "WORD = ''")
        self.assertEqual(self.word(PYTHONDONTWRITEBYTECODE="1"), "aa")
        self.assertFalse((self.home / "project" / "__pycache__").exists())


if __name__ == "__main__":
    unittest.main()
