"""`--nursery`: bases that a warm interpreter starts are what they would be without it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

from client import TIMEOUT, Worker, gone, wait_process, wait_until
from nursery import Base, Direct, Home, Nursery

HEAVY = {
    "site-packages/heavy/__init__.py": "import colorsys, os\nimport light\nfrom heavy.inner import WORD\n",
    "site-packages/heavy/inner.py": "WORD = 'heavy'\n",
    "site-packages/heavy/optional.py": "",
    "site-packages/light.py": "import sched\nLOADED = 0\n",
    "site-packages/other.py": "",
}

# What code can see of its process. What may differ (numbers of processes) is left out.
FINGERPRINT = """
import asyncio, gc, inspect, json, locale, logging, os, signal, sys, threading, warnings
import importlib.util
import __main__
import hud

env = hud.Environment("fingerprint")

def look():
    def kind(fd):
        name = os.readlink(f"/proc/self/fd/{fd}")
        return "channel" if name.startswith(("pipe:", "socket:")) else name
    descriptors = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            descriptors[fd] = kind(fd)
        except OSError:
            pass
    spec = importlib.util.find_spec("heavy")
    found = [spec.name, spec.origin, list(spec.submodule_search_locations), spec.has_location, spec.cached, spec.parent]
    return {
        "argv": sys.argv, "orig_argv": sys.orig_argv, "path": sys.path, "flags": repr(sys.flags),
        "modules": sorted(sys.modules), "executable": sys.executable,
        "finders": [type(f).__name__ if not isinstance(f, type) else f.__name__ for f in sys.meta_path],
        "hooks": len(sys.path_hooks), "cwd": os.getcwd(), "environ": dict(os.environ), "umask": os.umask(0o22),
        "main": [__main__.__name__, __main__.__file__, __main__.__spec__.name, sorted(vars(__main__))],
        "name": [__name__, __file__, __package__, type(__loader__).__name__],
        "signals": {n.name: repr(signal.getsignal(n)).partition(" at ")[0] for n in signal.Signals},
        "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())), "timer": signal.getitimer(signal.ITIMER_REAL),
        "wakeup": signal.set_wakeup_fd(-1), "descriptors": descriptors, "threads": [t.name for t in threading.enumerate()],
        "gc": [gc.isenabled(), gc.get_threshold(), gc.callbacks], "recursion": sys.getrecursionlimit(),
        "stack": [[f.filename, f.function] for f in inspect.stack()[1:]], "filters": repr(warnings.filters),
        "once": repr(warnings.onceregistry), "locale": locale.getlocale(), "policy": type(asyncio.get_event_loop_policy()).__name__,
        "handlers": len(logging.getLogger().handlers), "hook": repr(sys.excepthook), "found": found,
        "streams": [[s.name, s.encoding, s.errors, s.line_buffering, s.write_through] for s in (sys.stdin, sys.stdout, sys.stderr)],
        "hidden": [name in vars(sys.modules["importlib"]) for name in ("metadata", "resources")],
        "interval": sys.getswitchinterval(), "loop": asyncio._get_running_loop() is None, "dont": sys.dont_write_bytecode,
    }

before = look()
import heavy
after = look()
import other
of_heavy = [heavy.__spec__.name, heavy.__spec__.origin, type(heavy.__loader__).__name__, type(heavy.__spec__.loader).__name__,
            heavy.__file__, heavy.__path__, heavy.__package__, sorted(vars(heavy)), hasattr(heavy, "optional")]

@env.tool
def seen() -> str:
    return json.dumps([before, after, of_heavy, look()])
"""


class NurseryTest(unittest.TestCase):
    def setUp(self) -> None:
        self.home = Home()
        self.addCleanup(self.home.remove)
        for name, text in HEAVY.items():
            self.home.write(name, text)

    def nursery(self, *modules: str, **environ: str) -> Nursery:
        nursery = Nursery(self.home, **environ)
        self.addCleanup(nursery.__exit__)
        if modules:
            self.assertEqual(
                nursery.preload(*modules),
                {"type": "preloaded", "failed": [], "left_out": {}, "forkable": True, "reason": None},
            )
        return nursery

    def project(self, text: str, **more: str) -> None:
        self.home.write("project/env.py", "import hud\nenv = hud.Environment('x')\n" + text)
        for name, body in more.items():
            self.home.write(f"project/{name}.py", body)

    def forked(self, base: Base) -> None:
        self.assertEqual((base.started["forked"], base.started["reason"]), (True, None))
        self.assertEqual(base.first["type"], "ready", base.first)

    def plain(self, base: Base, reason: str) -> None:
        self.assertFalse(base.started["forked"])
        self.assertIn(reason, base.started["reason"])

    def read(self, base: Base, name: str = "value") -> str:
        client = base.connect()
        value = client.text(name)
        base.end_session(client)
        return value


class Same(NurseryTest):
    """Everything is as in a base that was started by itself."""

    def seen(self, base: Worker) -> list[Any]:
        client = base.connect(trace_id="t", env={"X": "1"})
        # Names of temporary folders, and the number of a spawned copy's parent.
        text = re.sub(r'hud-copy-\w+|(?<="--parent", ")\d+', "…", client.text("seen"))
        base.end_session(client)
        seen: list[Any] = json.loads(text)
        del seen[-1]["stack"]  # Whether the first line came with its connection or after it.
        return [{key: base.first[key] for key in ("isolation", "describe", "modules", "files")}, *seen]

    def test_what_code_sees(self) -> None:
        self.home.write("project/env.py", FINGERPRINT)
        cold = self.nursery()
        warm = self.nursery("heavy", "other", "colorsys", "heavy.optional", "importlib.resources", "xml.dom")
        for isolation in ("shared", "fork", "spawn"):
            with Direct(self.home, "--isolation", isolation, log="base.log") as base:
                expected = self.seen(base)
            for nursery, change in ((warm, {}), (cold, {}), (cold, {"cwd": str(self.home.project) + "/."})):
                with nursery.start("--isolation", isolation, log="base.log", **change) as forked:
                    self.forked(forked)
                    for index, (ours, theirs) in enumerate(zip(self.seen(forked), expected)):
                        for key in theirs if isinstance(theirs, dict) else range(len(theirs)):
                            with self.subTest(isolation=isolation, warm=nursery is warm, index=index, key=key):
                                self.assertEqual(ours[key], theirs[key])


class Fresh(NurseryTest):
    """What has changed since is seen."""

    VALUE = "import helper\n@env.tool\ndef value() -> str:\n    return helper.WORD\n"

    def test_files_of_the_project_that_were_saved_twice_at_once(self) -> None:
        nursery = self.nursery("heavy")
        for word in ("aa", "bb"):
            self.project("import heavy\n" + self.VALUE, helper=f"WORD = '{word}'")
            with nursery.start() as base:
                self.forked(base)
                self.assertEqual(self.read(base), word)

    def test_lines_of_an_error(self) -> None:
        nursery = self.nursery("heavy")
        for word in ("one", "two"):
            self.project(f"import heavy\nraise ValueError('{word}')\n")
            with nursery.start() as base:
                self.assertIn(f"raise ValueError('{word}')\nValueError: {word}\n", base.first["trace"])
                self.assertEqual(base.ended()["code"], 3)

    def test_modules_of_the_project_that_are_gone_or_new(self) -> None:
        nursery = self.nursery("heavy")
        self.project(self.VALUE, helper="WORD = 'x'")
        with nursery.start() as base:
            self.forked(base)
        (self.home.project / "helper.py").unlink()
        with nursery.start() as base:
            self.assertEqual(base.first["kind"], "ModuleNotFoundError")
            base.ended()
        self.home.write("project/helper/__init__.py", "WORD = 'package'")
        with nursery.start() as base:
            self.assertEqual(self.read(base), "package")

    def test_an_import_that_the_project_no_longer_has(self) -> None:
        nursery = self.nursery("heavy", "heavy.optional", "other")
        names = ["heavy", "heavy.inner", "heavy.optional", "light", "other", "sched"]
        text = f"import sys\n@env.tool\ndef value() -> str:\n    return str([n for n in {names} if n in sys.modules])\n"
        for line, expected in (
            ("import heavy", ["heavy", "heavy.inner", "light", "sched"]),
            ("import other", ["other"]),
            ("", []),
            ("import heavy.optional", ["heavy", "heavy.inner", "heavy.optional", "light", "sched"]),
        ):
            self.project(f"{line}\n{text}")
            with nursery.start() as base:
                self.forked(base)
                self.assertEqual(self.read(base), str(expected))
                self.assertEqual(sorted(set(base.first["modules"]) - {"colorsys"}), expected)

    def test_an_attribute_of_a_package_that_nobody_has_imported(self) -> None:
        nursery = self.nursery("heavy", "heavy.optional")
        self.project("import heavy\nheavy.optional\n")
        with nursery.start() as base:
            self.forked_only(base)
            self.assertEqual(base.first["message"], "module 'heavy' has no attribute 'optional'")
            base.ended()
        self.project("import heavy\nfrom heavy import optional\nassert heavy.optional is optional\n")
        with nursery.start() as base:
            self.forked(base)

    def forked_only(self, base: Base) -> None:
        self.assertTrue(base.started["forked"])

    def test_a_package_that_imports_lazily(self) -> None:
        self.home.write("site-packages/lazy.py", "def get():\n    import heavy.optional\n    return heavy.optional\n")
        nursery = self.nursery("lazy", "heavy.optional")
        text = "import sys, lazy\nassert 'heavy' not in sys.modules\nmodule = lazy.get()\nimport heavy\n"
        text += "assert heavy.optional is module is sys.modules['heavy.optional']\nassert heavy.light.LOADED == 0\n"
        self.project(text)
        with nursery.start() as base:
            self.forked(base)

    def test_files_outside_of_the_project_that_have_changed(self) -> None:
        self.home.write("loose/library.py", "WORD = 'old'")
        self.project("import library, heavy\n@env.tool\ndef value() -> str:\n    return library.WORD\n")
        nursery = self.nursery("library", "heavy")
        with nursery.start() as base:
            self.forked(base)
            self.assertEqual(self.read(base), "old")
        path = self.home.loose / "library.py"
        path.write_text("WORD = 'new'")
        with nursery.start() as base:
            self.plain(base, f"{path} has changed")
            self.assertEqual(self.read(base), "new")
            # It has loaded everything anew meanwhile, and still knows its bases.
            with_new = nursery.preload("library", "heavy")
            self.assertTrue(with_new["forkable"])
        with nursery.start() as base:
            self.forked(base)
            self.assertEqual(self.read(base), "new")
        path.unlink()
        with nursery.start() as base:
            self.plain(base, f"{path} is gone")

    def test_something_that_was_installed_since(self) -> None:
        self.home.write(
            "site-packages/chooser.py", "try:\n    import better as best\nexcept ImportError:\n    best = None"
        )
        self.project("import chooser\n@env.tool\ndef value() -> str:\n    return str(chooser.best)\n")
        nursery = self.nursery("chooser")
        with nursery.start() as base:
            self.forked(base)
            self.assertEqual(self.read(base), "None")
        (self.home.installed / "better.py").write_text("")
        with nursery.start() as base:
            self.plain(base, "site-packages has changed")
            self.assertIn("better", self.read(base))

    def test_a_file_of_the_project_with_the_name_of_a_module(self) -> None:
        self.home.write(
            "site-packages/chooser.py", "try:\n    import settings\nexcept ImportError:\n    settings = None"
        )
        self.project("import heavy, chooser\n@env.tool\ndef value() -> str:\n    return str(chooser.settings)\n")
        nursery = self.nursery("heavy", "chooser")
        with nursery.start() as base:
            self.forked(base)
            self.assertEqual(self.read(base), "None")
        for name in ("light.py", "sched.py", "settings.py", "light/__init__.py"):
            with self.subTest(name=name):
                self.home.write(f"project/{name}", "")
                with nursery.start() as base:
                    self.plain(base, f"{self.home.project / name.partition('/')[0]} has the name of a module")
                    self.assertEqual(base.first["type"], "ready")
                (self.home.project / name).unlink()
        shutil.rmtree(self.home.project / "light")
        with nursery.start() as base:
            self.forked(base)

    def test_modules_that_turn_out_to_be_the_projects(self) -> None:
        self.home.write("loose/library.py", "")
        self.project("import library\n")
        nursery = self.nursery("library")
        with nursery.start("--project", str(self.home.loose)) as base:
            self.plain(base, "loose/library.py is the project's own")
            self.assertEqual(base.first["modules"], [])

    def test_variables_arguments_and_folders(self) -> None:
        self.project("import heavy")
        nursery = self.nursery("heavy")
        with nursery.start(env={**self.home.environ, "FLAVOUR": "x"}) as base:
            self.plain(base, "other environment variables: FLAVOUR")
        with nursery.start(env={n: v for n, v in self.home.environ.items() if n != "HOME"}) as base:
            self.plain(base, "other environment variables: HOME")
        with nursery.start(cwd=str(self.home.path)) as base:
            self.plain(base, "another working directory")
        with nursery.start("--isolation", "sideways") as base:
            self.plain(base, "its arguments are wrong")
            self.assertEqual((base.first["type"], base.ended()["code"]), ("none", 2))
            self.assertIn("invalid choice", base.log.read_text())

    def test_a_variable_that_the_project_sets_before_an_import(self) -> None:
        self.home.write("site-packages/flavoured.py", "import os\nFLAVOUR = os.environ.get('FLAVOUR', 'plain')")
        nursery = self.nursery("flavoured", "heavy")
        text = "import os\nprint('top')\nos.environ['FLAVOUR'] = 'sweet'\nimport heavy, flavoured\nprint('bottom')\n"
        self.project(text + "@env.tool\ndef value() -> str:\n    return flavoured.FLAVOUR\n")
        with nursery.start() as base:
            self.forked_only(base)
            self.assertEqual(base.first["type"], "ready")
            self.assertEqual(base.first["pid"], base.pid)
            self.assertEqual(self.read(base), "sweet")
            self.assertNotIn("flavoured", base.first["modules"])
            log = base.log.read_text()
            self.assertEqual((log.count("top"), log.count("bottom")), (2, 1))
            self.assertIn("`flavoured` was loaded before FLAVOUR had changed", log)
        # Without that module it has what the project needs.
        nursery = self.nursery("heavy")
        with nursery.start() as base:
            self.forked(base)
            self.assertEqual(self.read(base), "sweet")
            self.assertEqual(base.log.read_text().count("top"), 1)

    def test_a_variable_that_is_set_for_what_is_imported_later_or_lazily(self) -> None:
        nursery = self.nursery("heavy", "other")
        text = "import heavy, os\nos.environ['OMP_NUM_THREADS'] = '1'\n"
        self.project(text + "@env.tool\ndef value() -> str:\n    import other\n    return other.__name__\n")
        for isolation in ("shared", "fork"):
            with nursery.start("--isolation", isolation) as base:
                self.forked(base)
                self.assertEqual(self.read(base), "other")
                self.assertNotIn("starting anew", base.log.read_text())

    def test_a_namesake_of_what_the_nursery_itself_needs(self) -> None:
        self.project("import resource\n@env.tool\ndef value() -> str:\n    return str(resource.__file__)\n")
        nursery = self.nursery()
        self.home.write("project/resource.py", "")
        with nursery.start() as base:
            self.plain(base, "resource.py has the name of a module")
            self.assertEqual(self.read(base), str(self.home.project / "resource.py"))

    def test_what_an_import_prints_is_in_each_log(self) -> None:
        text = "import os, warnings\nprint('hello')\nos.system('echo shell')\nwarnings.warn('old', UserWarning)\n"
        self.home.write("site-packages/loud.py", text + "import ctypes\nctypes.CDLL(None).puts(b'from C')\n")
        self.home.write("site-packages/louder.py", "import loud\nprint('louder')\n")
        nursery = self.nursery("loud", "louder", "heavy")
        for name in ("loud", "louder", "loud, louder"):
            self.project(f"print('before')\nimport {name}\nprint('after')\nimport heavy, {name}\n")
            with nursery.start() as base:
                self.forked(base)
                lines = base.log.read_text().splitlines()
                self.assertEqual((lines[0], lines[-1]), ("before", "after"))
                for line in ("hello", "shell", "from C"):
                    self.assertEqual(lines.count(line), 1, lines)
                self.assertEqual(sum("UserWarning: old" in line for line in lines), 1)
                self.assertEqual("louder" in lines, "louder" in name)
        self.assertEqual(nursery.log.read_text(), "")

    def test_random_numbers_differ(self) -> None:
        self.project("import heavy, random\nWORD = str(random.random())\n" + self.VALUE.replace("helper.", ""))
        self.project("import random\nw = str(random.random())\n@env.tool\ndef value() -> str:\n    return w\n")
        nursery = self.nursery("random", "heavy")
        words = []
        for _ in range(2):
            with nursery.start() as base:
                self.forked(base)
                words.append(self.read(base))
        self.assertNotEqual(*words)


class Unfit(NurseryTest):
    """Modules that no process can be forked after."""

    def test_they_are_left_out_and_the_others_are_not(self) -> None:
        for number, (text, reason) in enumerate(
            (
                ("import threading\nthreading.Thread(target=threading.Event().wait, name='x', daemon=True).start()",
                 "started a Python thread (x)"),
                ("import os\nos.environ['ADDED'] = '1'", "changes environment variables: ADDED"),
                ("import socket\nkept = socket.socket()", "keeps files or connections open: socket:"),
                ("import os\nos.chdir('/')", "changes the working directory"),
                ("import sys\nsys.path.append('/nowhere')", "changes sys.path"),
                ("import os\nos.umask(0)", "changes the umask"),
                ("import subprocess\nkept = subprocess.Popen(['sleep', '100'])", "starts processes"),
            )
        ):  # fmt: skip
            with self.subTest(reason=reason):
                name = f"unfit{number}"
                self.home.write(f"site-packages/{name}.py", f"import light\n{text}\n")
                nursery = self.nursery()
                answer = nursery.preload(name, "heavy", "other")
                self.assertEqual((answer["forkable"], answer["reason"]), (True, None))
                self.assertEqual(answer["failed"], [name])
                self.assertIn(f"importing `{name}` {reason}", answer["left_out"][name])
                self.project(f"import heavy, {name}\n@env.tool\ndef value() -> str:\n    return {name}.__name__\n")
                with nursery.start() as base:
                    self.forked(base)
                    self.assertEqual(self.read(base), name)
                    self.assertEqual(base.first["isolation"], "spawn" if number == 0 else "fork")
                nursery.stop()

    def test_several_of_them_among_many(self) -> None:
        thread = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        self.home.write("site-packages/one.py", thread)
        self.home.write("site-packages/two/__init__.py", "from two import part\n" + thread)
        self.home.write("site-packages/two/part.py", "")
        nursery = self.nursery("other")
        answer = nursery.preload("one", "two", "two.part", "heavy", "missing")
        self.assertEqual(answer["failed"], ["one", "two", "two.part", "missing"])
        self.assertTrue(answer["forkable"])
        self.project("import heavy, other")
        with nursery.start() as base:
            self.forked(base)
        # Asked again, it does not try again.
        self.assertEqual(nursery.preload("one", "heavy")["failed"], ["one"])

    def test_too_many_of_them_mean_plain_starts(self) -> None:
        for number in range(9):
            self.home.write(f"site-packages/bad{number}.py", f"import os\nos.environ['BAD{number}'] = '1'\n")
        nursery = self.nursery()
        answer = nursery.preload("heavy", *(f"bad{number}" for number in range(9)))
        self.assertFalse(answer["forkable"])
        self.assertIn("changes environment variables", answer["reason"])
        self.project("import heavy")
        with nursery.start() as base:
            self.plain(base, "changes environment variables")
            self.assertEqual(base.first["type"], "ready")

    def test_modules_that_cannot_be_imported(self) -> None:
        self.home.write("site-packages/broken.py", "import light\n1 / 0\n")
        self.home.write("site-packages/leaves.py", "raise SystemExit(3)\n")
        nursery = self.nursery()
        answer = nursery.preload("broken", "nothing.at.all", "leaves", "heavy", "")
        self.assertEqual(answer["failed"], ["broken", "nothing.at.all", "leaves", ""])
        self.project("import heavy")
        with nursery.start() as base:
            self.forked(base)

    def test_what_modules_leave_for_the_end(self) -> None:
        notes = self.home.path / "notes"
        lines = [
            "import atexit, weakref, tempfile",
            f"def say(what): open({str(notes)!r}, 'a').write(what + '\\n')",
            "class Thing: pass",
            "thing = Thing()",
        ]
        body = "\n".join(lines) + "\natexit.register(say, '{0} exit')\nweakref.finalize(thing, say, '{0} finalize')\n"
        self.home.write("site-packages/leaving.py", body.format("package"))
        self.project("import leaving\n" + body.format("project"))
        nursery = self.nursery("leaving")
        with nursery.start() as base:
            self.forked(base)
        self.assertEqual(sorted(notes.read_text().splitlines()), ["project exit", "project finalize"])
        nursery.stop()
        self.assertEqual(sorted(notes.read_text().splitlines())[:2], ["package exit", "package finalize"])

    def test_a_module_with_a_signal_handler(self) -> None:
        self.home.write("site-packages/handling.py", "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n")
        text = "import signal, handling\nassert signal.getsignal(signal.SIGINT) == signal.SIG_IGN\n"
        self.project(text + "assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL\n")
        nursery = self.nursery("handling")
        nursery.process.send_signal(signal.SIGINT)
        with nursery.start() as base:
            self.forked(base)


class Ends(NurseryTest):
    SCENARIO = """
import os, time, heavy
@env.scenario("s")
async def s():
    try:
        yield "prompt"
    finally:
        print("cleaned up", flush=True)
@env.tool
def leave(code: int) -> str:
    os._exit(code)
"""

    def test_a_base_that_ends_or_dies_is_told(self) -> None:
        self.project(self.SCENARIO)
        nursery = self.nursery("heavy")
        with nursery.start() as base:
            self.forked(base)
            self.assertEqual(base.stop(), 0)
        with nursery.start() as base:
            os.kill(base.pid, signal.SIGKILL)
            self.assertEqual(base.ended(), {"type": "ended", "id": base.id, "code": None, "signal": "SIGKILL"})

    def test_a_base_that_hangs_while_it_imports_can_be_killed(self) -> None:
        self.project("import heavy\nopen('hangs', 'w')\nwhile True: pass\n")
        nursery = self.nursery("heavy")
        base = Base(nursery, wait=False)
        wait_until((self.home.project / "hangs").exists, "the import")
        os.killpg(base.pid, signal.SIGKILL)
        self.assertEqual(base.ended()["signal"], "SIGKILL")
        self.project("import heavy")
        with nursery.start() as base:
            self.forked(base)

    def test_bases_and_their_copies_end_with_a_nursery_that_is_killed(self) -> None:
        self.project(self.SCENARIO)
        for isolation in ("shared", "fork"):
            for change in ({}, {"cwd": str(self.home.path)}):
                nursery = self.nursery("heavy")
                base = nursery.start("--isolation", isolation, **change)
                client = base.connect(log=str(base.log))
                client.setup("x:s")
                descriptors = [os.pidfd_open(base.pid), os.pidfd_open(client.pid)]
                nursery.process.kill()
                for descriptor in descriptors:
                    wait_process(descriptor)
                self.assertIn("cleaned up", base.log.read_text())
                nursery.process.wait(TIMEOUT)
                base.drop()

    def test_bases_end_when_the_nursery_is_told_to(self) -> None:
        self.project(self.SCENARIO)
        for how in ("close", "terminate"):
            nursery = self.nursery("heavy")
            bases = [nursery.start("--socket", str(self.home.path / f"s{n}")) for n in range(2)]
            for base in bases:
                self.forked(base)
            if how == "terminate":
                nursery.process.terminate()
                nursery.process.wait(TIMEOUT)
            self.assertEqual(nursery.stop(), 0)
            for base in bases:
                self.assertTrue(gone(base.pid))
                self.assertEqual(base.ended()["code"], 0)

    def test_a_client_that_does_not_listen(self) -> None:
        self.project("import heavy")
        nursery = self.nursery("heavy")
        message = {
            "control": str(self.home.path / "nobody"),
            "log": str(self.home.path / "log"),
            "args": ["--source", "x"],
        }
        nursery.send({"op": "start", "id": 7, **message, "cwd": str(self.home.project), "env": self.home.environ})
        self.assertEqual(nursery.wait("ended", id=7)["code"], 1)
        nursery.send({"op": "nonsense"})
        with nursery.start() as base:
            self.forked(base)

    def test_many_bases_leave_nothing_behind(self) -> None:
        self.project("import heavy")
        nursery = self.nursery("heavy")

        def measure() -> tuple[int, int]:
            status = Path(f"/proc/{nursery.process.pid}/statm").read_text().split()
            return len(os.listdir(f"/proc/{nursery.process.pid}/fd")), int(status[1]) * 4096

        for _ in range(10):
            with nursery.start() as base:
                self.forked(base)
        before = measure()
        for _ in range(100):
            with nursery.start() as base:
                self.forked(base)
        after = measure()
        self.assertEqual(after[0], before[0])
        self.assertLess(after[1] - before[1], 1_000_000)


if __name__ == "__main__":
    unittest.main()
