"""The worker's processes: start, forks and their isolation, logs, folders, exits."""

from __future__ import annotations

import json
import os
import signal
import socket
import unittest

from client import TIMEOUT, RpcError, Worker, gone, wait_process, wait_until

TRIVIA = '''
    import hud

    CEOS = {"hud": "Jay Ram", "openai": "Sam Altman", "anthropic": "Dario Amodei"}

    env = hud.Environment("trivia")

    @env.tool()
    def lookup_ceo(company: str) -> str:
        """Look up the CEO of a company."""
        return CEOS.get(company.lower(), "Unknown")

    @env.scenario("initials")
    async def find_initials(company: str):
        answer = yield f"What are the initials of the CEO of {company}?"
        ceo = CEOS.get(company.lower())
        correct = "".join(word[0] for word in ceo.split()) if ceo else None
        yield 1.0 if answer and correct and correct in answer.upper() else 0.0

    task = env("initials", company="HUD")
'''

STATE = """
    import os
    import pathlib
    import random
    import sys
    import tempfile

    import hud

    env = hud.Environment("state")
    counter = 0

    @env.tool
    def bump() -> int:
        global counter
        counter += 1
        return counter

    @env.tool
    def variable(name: str) -> str | None:
        return os.environ.get(name)

    @env.tool
    def rolls() -> list[float]:
        return [random.random() for _ in range(3)]

    @env.tool
    def folders() -> dict:
        return {"tmp": tempfile.gettempdir(), "environ": os.environ["TMPDIR"], "cwd": os.getcwd()}

    @env.tool
    def write(path: str, text: str) -> str:
        pathlib.Path(path).write_text(text)
        return str(pathlib.Path(path).resolve())

    @env.tool
    def read(path: str) -> str:
        return pathlib.Path(path).read_text()

    @env.tool
    def noisy() -> str:
        print("from print")
        print("from stderr", file=sys.stderr)
        os.write(1, b"from fd 1\\n")
        sys.__stdout__.write("from __stdout__\\n")
        os.system("echo from a child")
        return "quiet"

    @env.tool
    def stdin() -> str:
        return sys.stdin.read()

    @env.tool
    def crash(number: int) -> str:
        os.kill(os.getpid(), number)
        return "still here"

    @env.tool
    def leave(code: int) -> str:
        os._exit(code)

    @env.tool
    def sys_exit() -> str:
        sys.exit(7)

    @env.tool
    def background() -> int:
        import subprocess
        return subprocess.Popen(["sleep", "1000"]).pid

    @env.tool
    def groups() -> list[int]:
        return [os.getpid(), os.getpgid(0), os.getppid()]

    @env.tool
    def open_files() -> list[str]:
        names = []
        for fd in os.listdir("/proc/self/fd"):
            try:
                names.append(os.readlink(f"/proc/self/fd/{fd}"))
            except OSError:
                pass
        return names
"""


class Rollout(unittest.TestCase):
    def test_a_whole_rollout(self) -> None:
        with Worker(TRIVIA) as worker:
            self.assertEqual(worker.first["isolation"], "fork")
            self.assertIsNone(worker.first["isolation_reason"])
            self.assertEqual(worker.first["pid"], worker.process.pid)
            client = worker.connect(trace_id="t")
            self.assertEqual(client.greeting, {"hud": 1, "pid": client.pid})
            self.assertEqual(
                client.prompt("trivia:initials", company="HUD"), "What are the initials of the CEO of HUD?"
            )
            self.assertEqual(client.text("lookup_ceo", company="HUD"), "Jay Ram")
            self.assertFalse(client.submit("initials", "it is JR")["isError"])
            self.assertEqual(
                client.grade("trivia:initials"), {"reward": 1.0, "done": True, "info": {}, "isError": False}
            )
            client.close()
            self.assertEqual(
                worker.wait_exit(client),
                {"type": "exit", "trace_id": "t", "pid": client.pid, "code": 0, "signal": None},
            )

    def test_a_hundred_copies_at_once(self) -> None:
        with Worker(STATE) as worker:
            clients = [worker.connect(initialize=False) for _ in range(100)]
            requests = [client.start_call("bump") for client in clients]
            answers = [client.finish(request)["structuredContent"] for client, request in zip(clients, requests)]
            self.assertEqual(answers, [{"result": 1}] * 100)
            self.assertEqual(len({client.pid for client in clients}), 100)
            for client in clients:
                client.close()
            self.assertEqual({worker.wait_exit(client)["code"] for client in clients}, {0})


class Isolation(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.worker = Worker(STATE)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.worker.__exit__()

    def test_memory_of_one_copy_is_never_seen_by_another(self) -> None:
        one, two = self.worker.connect(), self.worker.connect()
        self.assertEqual([one.text("bump"), one.text("bump"), two.text("bump"), one.text("bump")], ["1", "2", "1", "3"])
        self.worker.end(one)
        self.assertEqual(self.worker.connect().text("bump"), "1")

    def test_environment_variables_belong_to_one_copy(self) -> None:
        one = self.worker.connect(env={"HUD_TEST_WORD": "one", "HOME": None})
        two = self.worker.connect()
        self.assertEqual(one.call("variable", name="HUD_TEST_WORD")["structuredContent"], {"result": "one"})
        self.assertEqual(one.call("variable", name="HOME")["structuredContent"], {"result": None})
        self.assertEqual(two.call("variable", name="HUD_TEST_WORD")["structuredContent"], {"result": None})
        self.assertEqual(two.call("variable", name="HUD_TEST_WORD")["content"], [])

    def test_the_same_seed_gives_the_same_numbers(self) -> None:
        same = [self.worker.connect(seed=12).text("rolls") for _ in range(2)]
        other = self.worker.connect(seed=13).text("rolls")
        free = [self.worker.connect().text("rolls") for _ in range(2)]
        self.assertEqual(same[0], same[1])
        self.assertEqual(len({same[0], other, *free}), 4)

    def test_a_seed_of_any_size(self) -> None:
        self.assertNotEqual(
            self.worker.connect(seed=2**63 + 5).text("rolls"), self.worker.connect(seed=2**31).text("rolls")
        )

    def test_each_copy_has_its_own_temporary_folder_and_it_goes(self) -> None:
        one, two = self.worker.connect(), self.worker.connect()
        first, second = (json.loads(client.text("folders")) for client in (one, two))
        self.assertNotEqual(first["tmp"], second["tmp"])
        self.assertEqual(first["tmp"], first["environ"])
        self.assertEqual(os.stat(first["tmp"]).st_mode & 0o777, 0o700)
        one.text("write", path=first["tmp"] + "/left.txt", text="x")
        self.worker.end(one)
        self.assertFalse(os.path.exists(first["tmp"]))
        self.assertTrue(os.path.isdir(second["tmp"]))
        two.text("write", path=second["tmp"] + "/left.txt", text="x")
        self.worker.control("kill", two)
        self.worker.wait_exit(two)
        self.assertFalse(os.path.exists(second["tmp"]))

    def test_a_temporary_folder_that_stayed_unused_goes_to_the_next_copy(self) -> None:
        with Worker(STATE) as worker:

            def folder(use: str = "") -> str:
                client = worker.connect()
                path: str = json.loads(client.text("folders"))["tmp"]
                self.assertEqual((os.listdir(path), os.stat(path).st_mode & 0o777), ([], 0o700))
                if use == "write":
                    client.text("write", path=path + "/.hidden", text="x")
                elif use == "chmod":
                    os.chmod(path, 0o755)
                elif use == "remove":
                    os.rmdir(path)
                elif use == "crash":
                    client.text("write", path=path + "/x", text="x")
                    client.start_call("leave", code=0)
                worker.end_session(client)
                return path

            first = folder()
            self.assertEqual(folder(), first)
            for use in ("write", "chmod", "remove", "crash"):
                used = folder(use)
                # The next one is only asked for when this one has been looked at.
                self.assertNotEqual(folder(), used, use)
                self.assertFalse(os.path.exists(used), use)
            worker.stop()
            self.assertEqual([name for name in os.listdir(worker.temporary) if name.startswith("hud-copy-")], [])

    def test_a_copy_works_in_the_environments_folder(self) -> None:
        folder = json.loads(self.worker.connect().text("folders"))["cwd"]
        self.assertEqual(folder, str(self.worker.folder))

    def test_a_copy_works_in_the_folder_it_was_given(self) -> None:
        folder = json.loads(self.worker.connect(cwd="/").text("folders"))["cwd"]
        self.assertEqual(folder, "/")

    def test_a_private_copy_of_the_folder(self) -> None:
        project = self.worker.folder
        (project / "data").mkdir()
        (project / "data" / "a.txt").write_text("original")
        (project / ".git").mkdir()
        (project / "link").symlink_to("data/a.txt")
        os.mkfifo(project / "pipe")
        client = self.worker.connect(workdir="copy")
        folders = json.loads(client.text("folders"))
        self.assertTrue(folders["cwd"].startswith(folders["tmp"]))
        self.assertEqual(client.text("read", path="link"), "original")
        client.text("write", path="data/a.txt", text="changed")
        self.assertEqual(client.text("read", path="link"), "changed")
        self.assertEqual((project / "data" / "a.txt").read_text(), "original")
        self.assertTrue(os.path.islink(folders["cwd"] + "/link"))
        self.assertFalse(os.path.exists(folders["cwd"] + "/.git"))
        self.assertFalse(os.path.exists(folders["cwd"] + "/pipe"))
        self.worker.end(client)
        self.assertFalse(os.path.exists(folders["cwd"]))

    def test_prints_go_to_the_log_and_never_into_the_protocol(self) -> None:
        client = self.worker.connect()
        self.assertEqual(client.text("noisy"), "quiet")
        self.assertEqual(client.text("bump"), "1")
        log = self.worker.end(client)
        for source in ("print", "stderr", "fd 1", "__stdout__", "a child"):
            self.assertIn(f"from {source}\n", log)

    def test_stdin_is_empty(self) -> None:
        self.assertEqual(self.worker.connect().text("stdin"), "")

    def test_a_copy_keeps_no_descriptor_of_the_base(self) -> None:
        one = self.worker.connect()
        two = self.worker.connect()
        names = json.loads(two.text("open_files"))
        # Only the copy's own connection and the loop's pair of wakeup sockets.
        self.assertEqual(len([name for name in names if name.startswith("socket:")]), 3, names)
        self.assertEqual([name for name in names if name.startswith("pipe:")], [])
        self.assertEqual(one.text("bump"), "1")


class Exits(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.worker = Worker(STATE)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.worker.__exit__()

    def test_a_crash_is_reported_with_its_signal(self) -> None:
        for number in (signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT):
            client = self.worker.connect()
            client.start_call("crash", number=int(number))
            line = self.worker.wait_exit(client)
            self.assertEqual((line["code"], line["signal"], line["pid"]), (None, number.name, client.pid))
        self.assertEqual(self.worker.connect().text("bump"), "1")

    def test_an_exit_code_is_reported(self) -> None:
        client = self.worker.connect()
        client.start_call("leave", code=9)
        line = self.worker.wait_exit(client)
        self.assertEqual((line["code"], line["signal"]), (9, None))

    def test_sys_exit_in_a_tool_is_an_error_of_the_tool(self) -> None:
        client = self.worker.connect()
        self.assertEqual(client.error("sys_exit"), "Error calling tool 'sys_exit': called sys.exit(7)")
        self.assertEqual(client.text("bump"), "1")

    def test_the_close_operation_ends_a_copy(self) -> None:
        client = self.worker.connect()
        self.worker.control("close", client)
        line = self.worker.wait_exit(client)
        self.assertEqual((line["code"], line["signal"]), (0, None))

    def test_the_kill_operation_takes_the_whole_process_group(self) -> None:
        client = self.worker.connect()
        child = int(client.text("background"))
        self.worker.control("kill", client)
        self.assertEqual(self.worker.wait_exit(client)["signal"], "SIGKILL")
        self._wait_gone(child)

    def test_children_of_a_copy_go_with_it(self) -> None:
        client = self.worker.connect()
        child = int(client.text("background"))
        self.worker.end(client)
        self._wait_gone(child)

    def _wait_gone(self, pid: int) -> None:
        # The kill is sent before the `exit` line; init reaps the orphan a moment later.
        wait_until(lambda: gone(pid), "the end of the child")

    def test_each_copy_leads_its_own_process_group(self) -> None:
        pid, group, parent = json.loads(self.worker.connect().text("groups"))
        self.assertEqual(pid, group)
        self.assertEqual(parent, self.worker.process.pid)


class BaseProcess(unittest.TestCase):
    def test_everything_ends_when_the_control_channel_ends(self) -> None:
        worker = Worker(STATE)
        with worker:
            clients = [worker.connect() for _ in range(3)]
            folders = [json.loads(client.text("folders"))["tmp"] for client in clients]
            self.assertEqual(worker.stop(), 0)
            for client, folder in zip(clients, folders):
                self.assertTrue(gone(client.pid))
                self.assertFalse(os.path.exists(folder))
            self.assertFalse(os.path.exists(worker.socket))

    def test_copies_end_when_the_base_is_killed(self) -> None:
        with Worker(STATE) as worker:
            client = worker.connect()
            descriptor = os.pidfd_open(client.pid)
            worker.process.kill()
            wait_process(descriptor)

    def test_a_client_that_says_nothing_holds_up_nobody(self) -> None:
        with Worker(STATE) as worker:
            silent = socket.socket(socket.AF_UNIX)
            silent.connect(worker.socket)
            silent.send(b'{"hud":1,"trace_')
            self.assertEqual(worker.connect().text("bump"), "1")
            silent.settimeout(TIMEOUT)
            self.assertEqual(silent.recv(1), b"")  # Refused after its 5 seconds.
            silent.close()

    def test_a_first_line_in_pieces_followed_by_more(self) -> None:
        with Worker(STATE) as worker:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(TIMEOUT)
            connection.connect(worker.socket)
            hello = json.dumps({"hud": 1, "trace_id": "p", "env": {"BIG": "x" * 300_000}}).encode()
            ping = b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n'
            connection.send(hello[:10])
            connection.sendall(hello[10:] + b"\n" + ping + ping[:20])
            connection.sendall(ping[20:])
            reader = connection.makefile("rb")
            lines = [json.loads(reader.readline()) for _ in range(3)]
            self.assertIn("pid", lines[0])
            self.assertEqual(lines[1:], [{"jsonrpc": "2.0", "id": 1, "result": {}}] * 2)
            reader.close()
            connection.close()

    def test_a_wrong_first_line_is_refused(self) -> None:
        with Worker(STATE) as worker:
            for text in (b"not json\n", b'{"jsonrpc":"2.0"}\n', b"[]\n"):
                connection = socket.socket(socket.AF_UNIX)
                connection.settimeout(TIMEOUT)
                connection.connect(worker.socket)
                connection.send(text)
                self.assertEqual(connection.recv(1), b"")
                connection.close()
            self.assertEqual(worker.connect().text("bump"), "1")

    def test_a_log_that_cannot_be_written_is_reported(self) -> None:
        with Worker(STATE) as worker:
            client = worker.connect(log="/nonexistent/folder/x.log")
            self.assertEqual(client.greeting["error"]["kind"], "FileNotFoundError")
            self.assertIn("/nonexistent/folder/x.log", client.greeting["error"]["message"])
            self.assertEqual(worker.wait_exit(client)["code"], 3)

    def test_nonsense_on_the_control_channel_is_ignored(self) -> None:
        with Worker(STATE) as worker:
            assert worker.process.stdin is not None
            worker.process.stdin.write(b'garbage\n[1]\n{"op":"fly","trace_id":"x"}\n{"op":"close"}\n')
            worker.process.stdin.flush()
            self.assertEqual(worker.connect().text("bump"), "1")


class Spawn(unittest.TestCase):
    def test_a_thread_at_import_means_a_process_for_each_copy(self) -> None:
        source = (
            STATE
            + """
    import threading
    threading.Thread(target=threading.Event().wait, name="poller", daemon=True).start()
"""
        )
        with Worker(source) as worker:
            self.assertEqual(worker.first["isolation"], "spawn")
            self.assertIn("Python thread (poller)", worker.first["isolation_reason"])
            one = worker.connect(env={"WORD": "é" * 100_000}, seed=4)
            two = worker.connect(seed=4)
            self.assertEqual([one.text("bump"), one.text("bump"), two.text("bump")], ["1", "2", "1"])
            self.assertEqual(one.text("rolls"), two.text("rolls"))
            self.assertEqual(one.text("variable", name="WORD"), "é" * 100_000)
            self.assertEqual(one.text("noisy"), "quiet")
            pid, group, parent = json.loads(one.text("groups"))
            self.assertEqual((pid, group, parent), (one.pid, one.pid, worker.process.pid))
            names = json.loads(two.text("open_files"))
            self.assertEqual(len([name for name in names if name.startswith("socket:")]), 3, names)
            self.assertEqual([name for name in names if name.startswith("pipe:")], [])
            folder = json.loads(one.text("folders"))["tmp"]
            one.text("write", path=folder + "/left.txt", text="x")
            self.assertIn("from print\n", worker.end(one))
            self.assertFalse(os.path.exists(folder))
            two.start_call("crash", number=int(signal.SIGSEGV))
            self.assertEqual(worker.wait_exit(two)["signal"], "SIGSEGV")

    def test_spawn_can_be_asked_for(self) -> None:
        with Worker(TRIVIA, "--isolation", "spawn") as worker:
            self.assertEqual((worker.first["isolation"], worker.first["isolation_reason"]), ("spawn", "asked for"))
            client = worker.connect()
            client.setup("trivia:initials", company="HUD")
            client.submit("initials", "JR")
            self.assertEqual(client.grade("trivia:initials")["reward"], 1.0)

    def test_an_import_that_fails_in_the_copy_only(self) -> None:
        source = """
            import os
            import hud
            if os.environ.get("BREAK"):
                raise RuntimeError("broken here")
            env = hud.Environment("x")
        """
        with Worker(source, "--isolation", "spawn") as worker:
            client = worker.connect(env={"BREAK": "1"})
            error = client.greeting["error"]
            self.assertEqual((error["kind"], error["message"], error["line"]), ("RuntimeError", "broken here", 5))
            self.assertEqual(worker.wait_exit(client)["code"], 3)

    def test_fork_with_a_thread_is_an_error_that_names_it(self) -> None:
        source = (
            TRIVIA
            + """
    import threading
    threading.Thread(target=threading.Event().wait, name="poller", daemon=True).start()
"""
        )
        with Worker(source, "--isolation", "fork") as worker:
            self.assertEqual(worker.first["type"], "import_error")
            self.assertIn("poller", worker.first["message"])
            self.assertEqual(worker.process.wait(TIMEOUT), 3)


def _numpy_works() -> bool:
    try:
        import numpy  # noqa: F401
    except ImportError:
        return False
    return True


class Numpy(unittest.TestCase):
    @unittest.skipUnless(_numpy_works(), "numpy is not importable: FORKING NUMPY IS NOT TESTED")
    def test_numpy_forks_and_each_copy_has_its_own_numbers(self) -> None:
        source = """
            import numpy as np
            import hud

            env = hud.Environment("numeric")
            matrix = np.ones((400, 400)) @ np.ones((400, 400))  # Makes the pool of OpenBLAS start its threads.

            @env.tool
            def rolls() -> list[float]:
                return np.random.random(3)

            @env.tool
            def multiply() -> float:
                return (matrix @ matrix).sum()
        """
        with Worker(source) as worker:
            self.assertEqual((worker.first["isolation"], worker.first["isolation_reason"]), ("fork", None))
            free = [worker.connect().text("rolls") for _ in range(2)]
            seeded = [worker.connect(seed=5).text("rolls") for _ in range(2)]
            self.assertEqual(seeded[0], seeded[1])
            self.assertEqual(len({*free, seeded[0]}), 3)
            self.assertEqual(worker.connect().text("multiply"), str(400.0**5))


class Errors(unittest.TestCase):
    def test_request_errors(self) -> None:
        with Worker(TRIVIA) as worker:
            client = worker.connect()
            with self.assertRaises(RpcError) as caught:
                client.request("no/such/method")
            self.assertEqual(caught.exception.code, -32601)


if __name__ == "__main__":
    unittest.main()
