"""`--isolation shared`: one process for every connection, what sessions share and what they do not."""

from __future__ import annotations

import json
import os
import signal
import socket
import tempfile
import unittest
from typing import Any

from client import Client, RpcError, Worker, gone, wait_process, wait_until

STOPPED = "stopped at the rollout's deadline"

SOURCE = """
    import asyncio
    import contextlib
    import gc
    import itertools
    import os
    import pathlib
    import random
    import sys
    import tempfile
    import threading
    import time

    import hud

    env = hud.Environment("common")
    note = pathlib.Path(os.environ.get("NOTES", os.devnull))
    random.seed(7)
    counter = 0
    tries = 0

    def say(text):
        with note.open("a") as file:
            file.write(text + "\\n")

    @env.tool
    def bump() -> int:
        global counter
        counter += 1
        return counter

    @env.tool
    def count() -> int:
        return counter

    @env.tool
    def roll() -> float:
        return random.random()

    @env.tool
    def variable(name: str) -> str | None:
        return os.environ.get(name)

    @env.tool
    def folder() -> str:
        assert os.environ["TMPDIR"] == tempfile.gettempdir()
        return tempfile.gettempdir()

    @env.tool
    def noisy(text: str) -> str:
        print(text)
        os.write(1, b"on fd 1\\n")
        return "quiet"

    @env.tool
    def leave(code: int) -> str:
        os._exit(code)

    @env.tool
    def crash() -> str:
        os.kill(os.getpid(), 11)
        return "still here"

    @env.tool
    def close_all() -> str:
        os.closerange(3, 1000)
        return "never arrives"

    @env.tool
    def sleep(ctx: hud.Context, seconds: float = 1000) -> str:
        try:
            ctx.log("running")
            time.sleep(seconds)
        finally:
            say("tool finally")
        return "woke up"

    @env.tool
    def spin(ctx: hud.Context) -> str:
        ctx.log("running")
        while True:
            pass

    @env.tool
    def chatter(ctx: hud.Context) -> str:
        while True:
            ctx.log("x" * 1000)

    @env.tool
    def flood(ctx: hud.Context, count: int) -> str:
        for _ in range(count):
            ctx.log("x" * 10000)
        return "flooded"

    @env.tool
    def stubborn(ctx: hud.Context) -> str:
        while True:
            try:
                ctx.log("running")
                time.sleep(1000)
            except BaseException:
                pass

    @env.tool
    def in_c() -> int:
        return sum(itertools.repeat(1, 400_000_000))

    @env.tool
    async def block_later() -> str:
        await asyncio.sleep(0.01)
        time.sleep(1.2)
        return "done"

    @env.tool
    async def wait(ctx: hud.Context) -> str:
        try:
            ctx.log("running")
            await asyncio.sleep(1000)
        finally:
            say("async tool finally")

    @env.tool
    async def in_thread(name: str) -> str:
        await asyncio.to_thread(spin_in_thread, name)

    def spin_in_thread(name):
        try:
            say(f"thread of {name}")
            while not stop.is_set():
                pass
            say(f"thread of {name} told to stop")
        except BaseException:
            say(f"thread of {name} interrupted")
            raise

    stop = threading.Event()

    @env.tool
    def stop_threads() -> str:
        stop.set()
        return "ok"

    @env.tool
    async def background_exit() -> str:
        async def leave():
            sys.exit(5)
        asyncio.get_running_loop().create_task(leave())
        return "started"

    @env.tool
    def big(size: int) -> str:
        global counter
        counter += 1
        return "x" * size

    @env.tool
    async def ask(question: str, ctx: hud.Context) -> str:
        await asyncio.sleep(0)
        return (await ctx.sample(question)).text

    @env.tool
    async def inner_setup(reward: float) -> str:
        return await env.run_scenario_setup("plain", {"reward": reward})

    @env.tool
    async def inner_grade() -> float:
        return (await env.run_scenario_evaluate("plain")).reward

    @env.tool
    def stats() -> dict:
        gc.collect()
        from hud._mcp import Server
        return {
            "descriptors": len(os.listdir("/proc/self/fd")),
            "tasks": len(asyncio.all_tasks()),
            "servers": sum(isinstance(thing, Server) for thing in gc.get_objects()),
            "memory": int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096,
        }

    @contextlib.asynccontextmanager
    async def transaction(name):
        say(f"begin {name}")
        try:
            yield
        finally:
            await asyncio.sleep(0)
            say(f"rollback {name}")

    @env.scenario("plain")
    async def plain(reward: float = 0.5, name: str = "x"):
        async with transaction(name):
            answer = yield f"prompt of {name}"
            yield reward if answer is None else float(answer)

    @env.scenario("hung_cleanup")
    async def hung_cleanup():
        try:
            yield "prompt"
        finally:
            say("cleanup running")
            time.sleep(1000)

    if "HOOKS" in os.environ:
        @env.initialize
        async def begin():
            global tries
            tries += 1
            say(f"initialize {tries}")
            if os.environ["HOOKS"] == "fail" and tries == 1:
                raise RuntimeError("no database")
            if os.environ["HOOKS"] == "hang" and tries == 1:
                await asyncio.sleep(1000)

        @env.initialize
        def second():
            say("second hook")

        @env.shutdown
        async def end():
            await asyncio.sleep(0)
            say("shutdown")
"""


class SharedTest(unittest.TestCase):
    """Each test has a worker of its own, whose sessions would see each other's traces."""

    def start(self, *options: str, source: str = SOURCE, **environ: str) -> Worker:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "notes")
        worker = Worker(source, "--isolation", "shared", *options, environ={"NOTES": self.path, **environ})
        self.addCleanup(worker.__exit__)
        return worker

    def notes(self) -> list[str]:
        try:
            with open(self.path) as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def wait_note(self, text: str) -> None:
        wait_until(lambda: text in self.notes(), f"the note {text!r}")


class Sessions(SharedTest):
    def test_memory_is_common_and_scenarios_are_not(self) -> None:
        worker = self.start()
        self.assertEqual((worker.first["isolation"], worker.first["isolation_reason"]), ("shared", None))
        one, two = worker.connect(), worker.connect()
        self.assertEqual(one.pid, two.pid)
        self.assertNotEqual(one.pid, worker.process.pid)
        self.assertEqual([one.text("bump"), two.text("bump"), one.text("bump")], ["1", "2", "3"])
        self.assertEqual(one.prompt("common:plain", name="one"), "prompt of one")
        self.assertEqual(two.prompt("common:plain", name="two", reward="0.25"), "prompt of two")
        one.submit("plain", "0.75")
        self.assertEqual(two.grade("common:plain")["reward"], 0.25)
        self.assertEqual(one.grade("common:plain")["reward"], 0.75)
        self.assertEqual(self.notes(), ["begin one", "begin two", "rollback two", "rollback one"])
        for client in (one, two):
            client.close()
            self.assertEqual(
                worker.wait_exit(client),
                {"type": "exit", "trace_id": client.trace_id, "pid": client.pid, "code": 0, "signal": None},
            )
        self.assertEqual(worker.connect().text("bump"), "4")

    def test_a_scenario_that_a_tool_runs_belongs_to_the_tools_session(self) -> None:
        worker = self.start()
        one, two = worker.connect(), worker.connect()
        one.call("inner_setup", reward=0.1)
        two.call("inner_setup", reward=0.2)
        self.assertEqual((one.text("inner_grade"), two.text("inner_grade")), ("0.1", "0.2"))
        self.assertIn("No active scenario session", one.error("inner_grade"))

    def test_what_a_tool_says_and_asks_reaches_its_own_client(self) -> None:
        def answer(text: str) -> dict[str, Any]:
            return {"sampling/createMessage": {"role": "assistant", "content": {"type": "text", "text": text}}}

        worker = self.start()
        one, two = worker.connect(answers=answer("from one")), worker.connect(answers=answer("from two"))
        requests = [client.start_call("ask", question="?") for client in (one, two, one, two)]
        texts = [
            client.finish(request)["content"][0]["text"] for client, request in zip((one, two, one, two), requests)
        ]
        self.assertEqual(texts, ["from one", "from two", "from one", "from two"])
        one.call("flood", count=2)
        one.wait_for_log("x" * 10000)
        two.request("ping")
        self.assertEqual(two.notifications, [])

    def test_the_end_of_a_connection_closes_its_scenario_only(self) -> None:
        worker = self.start(HOOKS="1")
        one, two = worker.connect(), worker.connect()
        one.setup("common:plain", name="one")
        two.setup("common:plain", name="two")
        worker.end_session(one)
        self.assertEqual(self.notes(), ["initialize 1", "second hook", "begin one", "begin two", "rollback one"])
        worker.control("close", two)
        self.assertEqual(worker.wait_exit(two)["code"], 0)
        self.assertEqual(self.notes()[5:], ["rollback two"])
        worker.stop()
        self.assertEqual(self.notes()[6:], ["shutdown"])

    def test_environment_variables_log_and_folders(self) -> None:
        worker = self.start()
        one = worker.connect(env={"HUD_TEST_WORD": "one"}, cwd=str(worker.folder))
        two = worker.connect()
        self.assertEqual(two.text("variable", name="HUD_TEST_WORD"), "one")
        self.assertEqual(one.text("noisy", text="hello log"), "quiet")
        self.assertIn("hello log\non fd 1\n", worker.log.read_text())
        self.assertFalse(worker.log_path(one.trace_id).exists())
        folder = one.text("folder")
        self.assertTrue(os.path.isdir(folder))
        worker.stop()
        self.assertFalse(os.path.exists(folder))

    def test_random_numbers_go_on_where_importing_left_them(self) -> None:
        import random

        expected = random.Random(7).random()
        worker = self.start()
        self.assertEqual(worker.connect(seed=3).text("roll"), repr(expected))

    def test_what_one_process_cannot_give(self) -> None:
        worker = self.start()
        for hello in ({"workdir": "copy"}, {"cwd": "/"}):
            client = worker.connect(**hello)
            self.assertIn("one process serves every session", client.greeting["error"]["message"])
            self.assertEqual(worker.wait_exit(client)["code"], 3)
        for hello in ({"env": {"A=B": "x"}}, {"env": {"A": "\0"}}, {"env": ["x"]}):
            client = worker.connect(**hello)
            self.assertIn(client.greeting["error"]["kind"], ("ValueError", "OSError", "AttributeError"))
            self.assertEqual(worker.wait_exit(client)["code"], 1)
        self.assertEqual(worker.connect().text("bump"), "1")

    def test_a_background_task_that_exits_ends_nobody(self) -> None:
        worker = self.start()
        one, two = worker.connect(), worker.connect()
        self.assertEqual(one.text("background_exit"), "started")
        self.assertEqual([one.text("bump"), two.text("bump")], ["1", "2"])


class Hooks(SharedTest):
    def test_once_for_all_sessions(self) -> None:
        worker = self.start(HOOKS="1")
        clients = [worker.connect(initialize=False) for _ in range(5)]
        requests = [client.start_call("bump") for client in clients]
        for client, request in zip(clients, requests):
            client.finish(request)
        for client in clients:
            worker.end_session(client)
        worker.connect().text("bump")
        self.assertEqual(self.notes(), ["initialize 1", "second hook"])
        worker.stop()
        self.assertEqual(self.notes(), ["initialize 1", "second hook", "shutdown"])

    def test_not_at_all_when_nothing_was_used(self) -> None:
        worker = self.start(HOOKS="1")
        worker.connect(initialize=False).request("ping")
        worker.stop()
        self.assertEqual(self.notes(), [])

    def test_a_hook_that_fails_is_run_again_for_the_next_request(self) -> None:
        worker = self.start(HOOKS="fail")
        clients = [worker.connect(initialize=False) for _ in range(2)]
        with self.assertRaises(RpcError) as caught:
            clients[0].initialize()
        self.assertEqual(caught.exception.message, "@env.initialize failed: RuntimeError: no database")
        self.assertEqual(clients[1].text("bump"), "1")
        self.assertEqual(self.notes(), ["initialize 1", "initialize 2", "second hook"])

    def test_a_hook_that_hangs_ends_with_the_last_who_waits_for_it(self) -> None:
        worker = self.start(HOOKS="hang")
        one, two = (worker.connect(initialize=False) for _ in range(2))
        requests = [client.start("initialize") for client in (one, two)]
        self.wait_note("initialize 1")
        one.close()
        self.assertEqual(worker.wait_exit(one)["code"], 0)
        self.assertEqual(self.notes(), ["initialize 1"])
        worker.control("interrupt", two)
        with self.assertRaises(RpcError) as caught:
            two.finish(requests[1])
        self.assertEqual(caught.exception.message, "stopped at the deadline")
        self.assertEqual(worker.connect().text("bump"), "1")
        self.assertEqual(self.notes(), ["initialize 1", "initialize 2", "second hook"])

    def test_the_end_operation_gives_time_and_runs_everything(self) -> None:
        worker = self.start(HOOKS="1")
        client = worker.connect()
        client.setup("common:plain")
        client.start_call("sleep", seconds=1000)
        client.wait_for_log("running")
        worker.send({"op": "end"})
        self.assertEqual(worker.process.wait(30), 0)
        self.assertEqual(self.notes()[3:], ["tool finally", "rollback x", "shutdown"])

    def test_a_killed_base(self) -> None:
        worker = self.start(HOOKS="1")
        client = worker.connect()
        client.setup("common:plain")
        descriptor = os.pidfd_open(client.pid)
        worker.process.kill()
        wait_process(descriptor)
        self.assertEqual(self.notes()[2:], ["begin x", "rollback x", "shutdown"])

    def test_a_base_that_is_told_to_end_while_a_tool_hangs(self) -> None:
        for tool in ("sleep", "wait"):
            with self.subTest(tool=tool):
                worker = self.start(HOOKS="1")
                client = worker.connect()
                client.setup("common:plain")
                client.start_call(tool)
                client.wait_for_log("running")
                worker.process.send_signal(signal.SIGTERM)
                self.assertEqual(worker.process.wait(30), 0)
                self.assertEqual(len(self.notes()), 6)
                self.assertIn("rollback x", self.notes()[3:5])
                self.assertEqual(self.notes()[-1], "shutdown")
                self.assertTrue(gone(client.pid))

    def test_sigterm_for_the_process_itself(self) -> None:
        worker = self.start(HOOKS="1")
        client = worker.connect()
        client.setup("common:plain")
        descriptor = os.pidfd_open(client.pid)
        os.kill(client.pid, signal.SIGTERM)
        self.assertEqual(worker.wait_exit(client)["code"], 0)
        wait_process(descriptor)
        self.assertEqual(self.notes()[2:], ["begin x", "rollback x", "shutdown"])
        self.assertNotEqual(worker.connect().pid, client.pid)


class Stopping(SharedTest):
    def test_a_synchronous_tool_of_one_session(self) -> None:
        worker = self.start()
        for tool in ("sleep", "spin", "chatter"):
            with self.subTest(tool=tool):
                one, two = worker.connect(), worker.connect()
                two.setup("common:plain", name="two")
                request = one.start_call(tool)
                one.wait_for_notification("notifications/message")
                waiting = two.start_call("bump")
                worker.control("interrupt", one)
                self.assertEqual(one.finish(request)["content"][0]["text"], STOPPED)
                self.assertFalse(two.finish(waiting)["isError"])
                self.assertFalse(one.call("bump")["isError"])
                self.assertEqual(two.grade("common:plain")["reward"], 0.5)

    def test_an_async_tool_of_one_session(self) -> None:
        worker = self.start()
        one, two = worker.connect(), worker.connect()
        requests = [client.start_call("wait") for client in (one, two)]
        for client in (one, two):
            client.wait_for_log("running")
        worker.control("interrupt", one)
        self.assertEqual(one.finish(requests[0])["content"][0]["text"], STOPPED)
        self.assertEqual(self.notes(), ["async tool finally"])
        self.assertEqual(two.text("bump"), "1")
        worker.control("interrupt", two)
        self.assertEqual(two.finish(requests[1])["content"][0]["text"], STOPPED)

    def test_an_interrupt_does_not_reach_another_sessions_tool(self) -> None:
        worker = self.start()
        one, two = worker.connect(), worker.connect()
        waiting = one.start_call("wait")
        one.wait_for_log("running")
        request = two.start_call("sleep", seconds=0.6)
        two.wait_for_log("running")
        worker.control("interrupt", one)
        self.assertEqual(two.finish(request)["content"][0]["text"], "woke up")
        self.assertEqual(one.finish(waiting)["content"][0]["text"], STOPPED)

    def test_a_deadline_is_one_sessions(self) -> None:
        worker = self.start()
        one, two = worker.connect(), worker.connect()
        one.setup("common:plain")
        request = one.start_call("sleep")
        one.wait_for_log("running")
        worker.control("deadline", one)
        self.assertEqual(one.finish(request)["content"][0]["text"], STOPPED)
        self.assertEqual(one.error("bump"), STOPPED)
        self.assertEqual(two.text("bump"), "1")
        self.assertEqual(one.grade("common:plain")["reward"], 0.5)

    def test_a_thread_of_one_session(self) -> None:
        worker = self.start()
        one, two = worker.connect(), worker.connect()
        requests = [client.start_call("in_thread", name=name) for client, name in ((one, "one"), (two, "two"))]
        self.wait_note("thread of one")
        self.wait_note("thread of two")
        worker.control("interrupt", one)
        self.assertEqual(one.finish(requests[0])["content"][0]["text"], STOPPED)
        self.wait_note("thread of one interrupted")
        self.assertEqual(one.text("stop_threads"), "ok")
        two.finish(requests[1])
        self.assertIn("thread of two told to stop", self.notes())

    def test_closing_a_session_whose_tool_hangs(self) -> None:
        worker = self.start()
        one, two = worker.connect(), worker.connect()
        one.setup("common:plain", name="one")
        one.start_call("sleep")
        one.wait_for_log("running")
        one.close()
        worker.control("close", one)
        self.assertEqual(worker.wait_exit(one)["code"], 0)
        self.assertEqual(self.notes(), ["begin one", "tool finally", "rollback one"])
        self.assertEqual(two.text("bump"), "1")

    def test_a_cleanup_that_hangs_is_interrupted(self) -> None:
        worker = self.start()
        one, two = worker.connect(), worker.connect()
        one.setup("common:hung_cleanup")
        one.close()
        self.wait_note("cleanup running")
        self.assertEqual(two.text("bump"), "1")
        self.assertEqual(worker.wait_exit(one)["code"], 0)


class Replacing(SharedTest):
    def test_a_crash_ends_every_session_and_the_next_gets_a_fresh_process(self) -> None:
        worker = self.start()
        for tool, arguments, code, name in (
            ("leave", {"code": 9}, 9, None),
            ("crash", {}, None, "SIGSEGV"),
        ):
            with self.subTest(tool=tool):
                one, two = worker.connect(), worker.connect()
                self.assertEqual([one.text("bump"), two.text("bump")], ["1", "2"])
                one.start_call(tool, **arguments)
                for client in (one, two):
                    line = worker.wait_exit(client)
                    self.assertEqual((line["pid"], line["code"], line["signal"]), (one.pid, code, name))
                self.assertRaises(ConnectionError, two.request, "ping")

    def test_killing_a_session_whose_tool_blocks_replaces_the_process(self) -> None:
        worker = self.start()
        one, two = worker.connect(), worker.connect()
        one.start_call("stubborn")
        one.wait_for_log("running")
        worker.control("kill", one)
        self.assertEqual({worker.wait_exit(client)["signal"] for client in (one, two)}, {"SIGKILL"})
        self.assertEqual(worker.connect().text("bump"), "1")

    def test_killing_a_session_that_blocks_nobody_ends_it_alone(self) -> None:
        worker = self.start()
        one, two, three = (worker.connect() for _ in range(3))
        one.setup("common:plain", name="one")
        two.start_call("wait")
        two.wait_for_log("running")
        request = three.start_call("sleep", seconds=1.5)
        three.wait_for_log("running")
        for client in (one, two):
            worker.control("kill", client)
        for client in (one, two):
            self.assertEqual(worker.wait_exit(client)["code"], 0)
        self.assertEqual(three.finish(request)["content"][0]["text"], "woke up")
        self.assertEqual(three.text("bump"), "1")
        self.assertIn("rollback one", self.notes())

    def test_the_replace_operation(self) -> None:
        worker = self.start(HOOKS="1")
        one, two = worker.connect(), worker.connect()
        one.setup("common:plain", name="one")
        request = two.start_call("sleep")
        two.wait_for_log("running")
        worker.send({"op": "replace"})
        fresh = worker.connect()
        self.assertNotEqual(fresh.pid, one.pid)
        self.assertEqual(two.finish(request)["content"][0]["text"], STOPPED)
        self.assertEqual({worker.wait_exit(client)["code"] for client in (one, two)}, {0})
        self.wait_note("shutdown")
        self.assertIn("rollback one", self.notes())
        self.assertEqual(fresh.text("bump"), "1")

    def test_the_replace_operation_while_nothing_helps(self) -> None:
        worker = self.start()
        one = worker.connect()
        one.start_call("stubborn")
        one.wait_for_log("running")
        worker.send({"op": "replace"})
        self.assertEqual(worker.connect().text("bump"), "1")
        self.assertEqual(worker.wait_exit(one)["signal"], "SIGKILL")

    def test_user_code_that_closes_descriptors_it_did_not_open(self) -> None:
        worker = self.start()
        one = worker.connect()
        one.start_call("close_all")
        line = worker.wait_exit(one)
        self.assertNotEqual((line["code"], line["signal"]), (0, None))
        self.assertEqual(worker.connect().text("bump"), "1")

    def test_connections_that_wait_for_a_busy_process_survive_its_end(self) -> None:
        worker = self.start()
        one = worker.connect()
        one.start_call("stubborn")
        one.wait_for_log("running")
        waiting = []
        for number in range(400):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(60)
            connection.connect(worker.socket)
            connection.send(json.dumps({"hud": 1, "trace_id": f"w{number}", "env": {"X": "y" * 2000}}).encode() + b"\n")
            waiting.append(connection)
        worker.control("kill", one)
        self.assertEqual(worker.wait_exit(one)["signal"], "SIGKILL")
        answers = [connection.recv(65536) for connection in waiting]
        for connection in waiting:
            connection.close()
        # Those that had reached the process end with it, and their exit lines say so; the others are served.
        served = sum(b'"pid"' in answer for answer in answers)
        lost = sum(answer == b"" for answer in answers)
        self.assertEqual(served + lost, 400)
        self.assertGreater(served, 0)
        self.assertGreater(lost, 0)
        for number in range(400):
            worker.wait_trace(f"w{number}")


class Blocking(SharedTest):
    def test_the_tool_that_blocks_is_named_once(self) -> None:
        worker = self.start("--blocked-after", "0.3")
        one, two = worker.connect(trace_id="one"), worker.connect(trace_id="two")
        for tool, arguments in (("sleep", {"seconds": 1}), ("block_later", {}), ("in_c", {})):
            with self.subTest(tool=tool):
                waiting = two.start_call("wait") if tool == "sleep" else None
                request = one.start_call(tool, **arguments)
                line = worker.wait_line("blocked")
                self.assertEqual((line["tool"], line["trace_id"]), (tool, "one"))
                self.assertGreaterEqual(line["seconds"], 0.3)
                self.assertFalse(one.finish(request)["isError"])
                self.assertEqual(worker.wait_line("unblocked"), {"type": "unblocked", "tool": tool, "trace_id": "one"})
                if waiting is not None:
                    worker.control("interrupt", two)
                    two.finish(waiting)
        worker.stop()
        self.assertEqual([line["type"] for line in worker.rest() if "blocked" in line["type"]], [])

    def test_a_blocked_process_that_is_replaced(self) -> None:
        worker = self.start("--blocked-after", "0.3")
        one = worker.connect()
        one.start_call("stubborn")
        self.assertEqual(worker.wait_line("blocked")["tool"], "stubborn")
        worker.control("kill", one)
        self.assertEqual(worker.wait_line("unblocked")["tool"], "stubborn")
        self.assertEqual(worker.wait_exit(one)["signal"], "SIGKILL")


class Pressure(SharedTest):
    def test_a_client_that_does_not_read_holds_up_nobody(self) -> None:
        worker = self.start()
        slow, other = worker.connect(), worker.connect()
        requests = [slow.start_call("big", size=200_000) for _ in range(80)]
        for _ in range(100):
            other.request("ping")
        # A few are answered into the socket's buffer, and then no more are taken.
        done = int(other.text("count"))
        self.assertLess(done, 40)
        self.assertEqual(int(other.text("count")), done)
        for request in requests:
            self.assertEqual(len(slow.finish(request)["content"][0]["text"]), 200_000)
        self.assertEqual(other.text("count"), "80")

    def test_notifications_that_nobody_reads_are_dropped(self) -> None:
        worker = self.start()
        slow, other = worker.connect(), worker.connect()
        before = json.loads(other.text("stats"))["memory"]
        request = slow.start_call("flood", count=20_000)
        after = json.loads(other.text("stats"))["memory"]
        self.assertLess(after - before, 40_000_000)
        self.assertEqual(slow.finish(request)["content"][0]["text"], "flooded")
        self.assertLess(len(slow.notifications), 1000)
        self.assertIn("does not read its notifications", worker.log.read_text())

    def test_too_much_unread_ends_the_connection(self) -> None:
        worker = self.start()
        slow, other = worker.connect(), worker.connect()
        # Requests that have been taken are answered, and here all are taken before the first answer.
        params = {"name": "big", "arguments": {"size": 2_000_000}}
        slow.send([{"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": params} for n in range(40)])
        self.assertEqual(worker.wait_exit(slow)["code"], 0)
        self.assertIn("does not read; it is disconnected", worker.log.read_text())
        self.assertFalse(other.call("count")["isError"])

    def test_thousands_of_connections_leave_nothing_behind(self) -> None:
        worker = self.start(HOOKS="1")
        keeper = worker.connect()

        def round_of(count: int) -> None:
            clients: list[Client] = []
            for number in range(count):
                client = worker.connect()
                if number % 3 == 0:
                    client.setup("common:plain")
                if number % 3 == 1:
                    client.text("bump")
                if number % 7 == 0:
                    client.start_call("wait")
                    client.wait_for_log("running")
                clients.append(client)
                if len(clients) == 20:
                    for client in clients:
                        client.close()
                    for client in clients:
                        self.assertEqual(worker.wait_exit(client)["code"], 0)
                    clients.clear()
                    worker.forget()
            self.assertEqual(clients, [])

        round_of(200)
        before = json.loads(keeper.text("stats"))
        base = len(os.listdir(f"/proc/{worker.process.pid}/fd"))
        round_of(2000)
        after = json.loads(keeper.text("stats"))
        self.assertEqual(
            {k: v for k, v in after.items() if k != "memory"}, {k: v for k, v in before.items() if k != "memory"}
        )
        self.assertLess(after["memory"] - before["memory"], 4_000_000)
        self.assertEqual(len(os.listdir(f"/proc/{worker.process.pid}/fd")), base)

    def test_too_many_open_files(self) -> None:
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        try:
            worker = self.start()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        clients = [worker.connect(initialize=False) for _ in range(60)]
        refused = [client for client in clients if not client.pid]
        self.assertEqual(len(refused), 12)
        self.assertIn("48 sessions are open", refused[0].greeting["error"]["message"])
        self.assertEqual(clients[0].text("bump"), "1")


class Spawned(SharedTest):
    THREAD = SOURCE + "\n    threading.Thread(target=threading.Event().wait, name='poller', daemon=True).start()\n"

    def test_a_process_of_its_own_where_none_can_be_forked(self) -> None:
        worker = self.start("--blocked-after", "0.3", source=self.THREAD, HOOKS="1")
        self.assertEqual(worker.first["isolation"], "shared")
        self.assertIn("Python thread (poller)", worker.first["isolation_reason"])
        one, two = worker.connect(), worker.connect()
        self.assertEqual([one.text("bump"), two.text("bump")], ["1", "2"])
        one.setup("common:plain", name="one")
        request = two.start_call("sleep")
        self.assertEqual(worker.wait_line("blocked")["tool"], "sleep")
        worker.control("interrupt", two)
        self.assertEqual(two.finish(request)["content"][0]["text"], STOPPED)
        worker.end_session(one)
        self.assertEqual(self.notes()[2:], ["begin one", "tool finally", "rollback one"])
        two.start_call("leave", code=4)
        self.assertEqual(worker.wait_exit(two)["code"], 4)
        self.assertEqual(worker.connect().text("bump"), "1")
        worker.stop()
        self.assertEqual(self.notes()[-1], "shutdown")

    def test_an_import_that_fails_in_the_process_only(self) -> None:
        source = """
            import os, threading
            import hud
            if os.path.exists("broken"):
                raise RuntimeError("broken here")
            env = hud.Environment("x")
            threading.Thread(target=threading.Event().wait, daemon=True).start()
        """
        worker = self.start(source=source)
        (worker.folder / "broken").write_text("")
        client = worker.connect()
        self.assertEqual(client.greeting["error"]["message"], "broken here")
        self.assertEqual(worker.wait_exit(client)["code"], 3)
        (worker.folder / "broken").unlink()
        self.assertEqual(worker.connect().request("ping"), {})


if __name__ == "__main__":
    unittest.main()
