"""How things end: deadlines, closing, cleanup. User code logs where it is, so nothing is timed."""

from __future__ import annotations

import os
import signal
import tempfile
import unittest

from client import Client, RpcError, Worker, wait_process, wait_until

STOPPED = "stopped at the rollout's deadline"

SOURCE = """
    import asyncio
    import contextlib
    import os
    import pathlib
    import subprocess
    import time

    import hud

    env = hud.Environment("endings")
    note = pathlib.Path(os.environ["NOTES"])
    state = {"calls": 0}

    def say(text):
        with note.open("a") as file:
            file.write(text + "\\n")

    @env.tool
    def sleep(ctx: hud.Context) -> str:
        ctx.log("running")
        time.sleep(1000)
        return "woke up"

    @env.tool
    def spin(ctx: hud.Context) -> str:
        ctx.log("running")
        while True:
            state["calls"] += 1

    @env.tool
    def run(ctx: hud.Context) -> str:
        ctx.log("running")
        subprocess.run(["sleep", "1000"])
        return "done"

    @env.tool
    def stubborn(ctx: hud.Context) -> str:
        try:
            ctx.log("running")
            time.sleep(1000)
        except BaseException:
            pass
        ctx.log("swallowed")
        time.sleep(1000)
        return "never"

    @env.tool
    def careful(ctx: hud.Context) -> str:
        try:
            ctx.log("running")
            time.sleep(1000)
        except Exception:
            say("an except Exception caught it")
        finally:
            say("tool finally")
        return "never"

    @env.tool
    async def wait(ctx: hud.Context) -> str:
        try:
            ctx.log("running")
            await asyncio.sleep(1000)
        finally:
            say("async tool finally")
        return "never"

    @env.tool
    async def block_later(ctx: hud.Context) -> str:
        await asyncio.sleep(0)
        ctx.log("running")
        time.sleep(1000)
        return "never"

    @env.tool
    async def in_thread(ctx: hud.Context) -> str:
        await asyncio.to_thread(lambda: None)  # Leaves an idle thread behind.
        await asyncio.to_thread(spin_in_thread)
        return "never"

    def spin_in_thread():
        try:
            say("in thread")
            while True:
                state["calls"] += 1
        finally:
            say("thread finally")

    @env.tool
    def chatter(ctx: hud.Context) -> str:
        while True:
            ctx.log("x" * 1000)

    @env.tool
    def quick() -> str:
        return "quick"

    @contextlib.asynccontextmanager
    async def transaction():
        say("begin")
        try:
            yield
        finally:
            await asyncio.sleep(0)
            say("rollback")

    @env.scenario("plain")
    async def plain(reward: float = 0.5):
        async with transaction():
            answer = yield "prompt"
            say(f"grading {answer!r}")
            yield reward

    @env.scenario("threaded")
    async def threaded():
        yield "prompt"
        yield await asyncio.to_thread(lambda: 0.75)

    @env.scenario("group")
    async def group():
        # A cancel scope across the yield must be left in the task that entered it.
        async with asyncio.timeout(1000) if hasattr(asyncio, "timeout") else transaction():
            yield "prompt"
            yield 1.0

    @env.scenario("slow_setup")
    async def slow_setup(how: str):
        try:
            print("in setup", flush=True)
            say("setup running")
            if how == "sync":
                time.sleep(1000)
            else:
                await asyncio.sleep(1000)
            yield "prompt"
        finally:
            say("setup finally")

    @env.scenario("slow_grade")
    async def slow_grade(how: str):
        try:
            yield "prompt"
            say("grade running")
            if how == "sync":
                time.sleep(1000)
            else:
                await asyncio.sleep(1000)
            yield 1.0
        finally:
            say("grade finally")

    @env.scenario("bad_cleanup")
    async def bad_cleanup():
        try:
            yield "prompt"
            yield 0.25
        finally:
            raise RuntimeError("cleanup broke")

    @env.scenario("hung_cleanup")
    async def hung_cleanup():
        try:
            yield "prompt"
            yield 1.0
        finally:
            say("cleanup running")
            time.sleep(1000)

    @env.initialize
    async def begin():
        say("initialize")

    @env.shutdown
    def first():
        say("shutdown declared first")

    @env.shutdown
    async def last():
        await asyncio.sleep(0)
        say("shutdown declared last")
"""

SHUTDOWN = ["shutdown declared last", "shutdown declared first"]


class WithWorker(unittest.TestCase):
    worker: Worker

    @classmethod
    def setUpClass(cls) -> None:
        cls.worker = Worker(SOURCE, environ={"NOTES": "/dev/null"})

    @classmethod
    def tearDownClass(cls) -> None:
        cls.worker.__exit__()

    def connect(self, **options: object) -> Client:
        """A copy whose notes go to a file of its own."""
        return self.worker.connect(**options)


class Notes(unittest.TestCase):
    """Each test has its own worker, because the notes' file is chosen at import."""

    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, "notes")
        self.worker = Worker(SOURCE, environ={"NOTES": self.path})
        self.addCleanup(self.worker.__exit__)

    def notes(self) -> list[str]:
        with open(self.path) as file:
            return file.read().splitlines()

    def wait_note(self, text: str) -> None:
        """Wait until user code has noted something."""
        wait_until(lambda: os.path.exists(self.path) and text in self.notes(), f"the note {text!r}")


class Deadline(WithWorker):
    def stop(self, tool: str) -> Client:
        client = self.connect()
        client.setup("endings:plain")
        request = client.start_call(tool)
        client.wait_for_log("running")
        self.worker.control("deadline", client)
        result = client.finish(request)
        self.assertEqual((result["isError"], result["content"][0]["text"]), (True, STOPPED))
        return client

    def grade(self, client: Client) -> None:
        self.assertEqual(client.error("quick"), STOPPED)
        self.assertFalse(client.submit("plain", "late")["isError"])
        self.assertEqual(client.grade("endings:plain")["reward"], 0.5)
        self.worker.end(client)
        self.assertEqual(self.worker.wait_exit(client)["code"], 0)

    def test_a_sleeping_tool(self) -> None:
        self.grade(self.stop("sleep"))

    def test_a_busy_tool(self) -> None:
        self.grade(self.stop("spin"))

    def test_a_tool_that_waits_for_a_command(self) -> None:
        self.grade(self.stop("run"))

    def test_an_async_tool(self) -> None:
        self.grade(self.stop("wait"))

    def test_an_async_tool_that_blocks(self) -> None:
        self.grade(self.stop("block_later"))

    def test_several_tools_at_once(self) -> None:
        client = self.connect()
        client.setup("endings:plain")
        requests = [client.start_call("wait") for _ in range(3)]
        for _ in requests:
            client.wait_for_log("running")
        requests.append(client.start_call("sleep"))
        client.wait_for_log("running")
        self.worker.control("deadline", client)
        for request in requests:
            self.assertEqual(client.finish(request)["content"][0]["text"], STOPPED)
        self.grade(client)

    def test_a_tool_that_swallows_the_exception_is_told_again(self) -> None:
        client = self.connect()
        request = client.start_call("stubborn")
        client.wait_for_log("running")
        self.worker.control("deadline", client)
        client.wait_for_log("swallowed")
        self.assertEqual(client.finish(request)["content"][0]["text"], STOPPED)

    def test_a_line_of_the_protocol_is_never_torn(self) -> None:
        # The tool is nearly always inside of our sending code when the signal arrives.
        for _ in range(5):
            client = self.connect()
            request = client.start_call("chatter")
            client.wait_for_log("x" * 1000)
            self.worker.control("deadline", client)
            self.assertEqual(client.finish(request)["content"][0]["text"], STOPPED)
            self.worker.end(client)

    def test_with_nothing_running(self) -> None:
        client = self.connect()
        client.setup("endings:plain")
        self.worker.control("deadline", client)
        # The signal and the connection are not ordered; the refusal shows that it has arrived.
        while not client.call("quick").get("isError"):
            pass
        self.grade(client)

    def test_setup_that_sleeps_or_waits(self) -> None:
        for how in ("sync", "async"):
            client = self.connect()
            request = client.start("prompts/get", name="endings:slow_setup", arguments={"how": how})
            wait_until(lambda: "in setup" in self.worker.log_of(client), "the start of setup")
            self.worker.control("deadline", client)
            with self.assertRaises(RpcError) as caught:
                client.finish(request)
            self.assertEqual(caught.exception.code, -32000)
            self.assertEqual(caught.exception.message, "stopped at the deadline")
            self.assertEqual(caught.exception.hud["kind"], "setup")
            # The scenario is over, the copy is not.
            self.assertEqual(client.prompt("endings:plain"), "prompt")


class Grading(Notes):
    def test_grading_that_sleeps_or_waits(self) -> None:
        for how in ("sync", "async"):
            client = self.worker.connect()
            client.setup("endings:slow_grade", how=how)
            request = client.start("resources/read", uri="endings:slow_grade")
            self.wait_note("grade running")
            self.worker.control("deadline", client)
            with self.assertRaises(RpcError) as caught:
                client.finish(request)
            self.assertEqual(caught.exception.message, "stopped at the deadline")
            self.assertEqual(caught.exception.hud["kind"], "grade")
            self.assertEqual(self.notes().count("grade finally"), 1)
            os.unlink(self.path)

    def test_a_deadline_runs_the_finally_of_a_tool_and_passes_except_exception(self) -> None:
        client = self.worker.connect()
        request = client.start_call("careful")
        client.wait_for_log("running")
        self.worker.control("deadline", client)
        self.assertEqual(client.finish(request)["content"][0]["text"], STOPPED)
        self.assertEqual(self.notes(), ["initialize", "tool finally"])

    def test_a_function_in_a_thread_stops_too_and_threads_still_work(self) -> None:
        client = self.worker.connect()
        client.setup("endings:threaded")
        request = client.start_call("in_thread")
        self.wait_note("in thread")
        self.worker.control("deadline", client)
        self.assertEqual(client.finish(request)["content"][0]["text"], STOPPED)
        self.wait_note("thread finally")
        self.assertEqual(client.grade("endings:threaded")["reward"], 0.75)

    def test_an_interrupted_call_is_not_the_end_of_the_time(self) -> None:
        client = self.worker.connect()
        client.setup("endings:plain")
        for tool in ("sleep", "wait"):
            request = client.start_call(tool)
            client.wait_for_log("running")
            self.worker.control("interrupt", client)
            self.assertTrue(client.finish(request)["isError"])
            self.assertEqual(client.text("quick"), "quick")
        self.assertEqual(client.grade("endings:plain")["reward"], 0.5)


class HungInitialize(unittest.TestCase):
    def test_a_deadline_stops_it(self) -> None:
        source = """
            import asyncio
            import hud
            env = hud.Environment("x")

            @env.initialize
            async def never():
                print("initializing", flush=True)
                await asyncio.sleep(1000)

            @env.shutdown
            def end():
                print("shutdown", flush=True)
        """
        with Worker(source) as worker:
            client = worker.connect(initialize=False)
            request = client.start("initialize")
            wait_until(lambda: "initializing" in worker.log_of(client), "the hook")
            worker.control("deadline", client)
            with self.assertRaises(RpcError) as caught:
                client.finish(request)
            self.assertEqual(
                (caught.exception.message, caught.exception.hud["kind"]), ("stopped at the deadline", "initialize")
            )
            self.assertIn("shutdown", worker.end(client))

    def test_a_failing_hook_is_an_error_with_its_line(self) -> None:
        source = "import hud\nenv = hud.Environment()\n@env.initialize\ndef f():\n    raise ValueError('no database')\n"
        with Worker(source) as worker:
            client = worker.connect(initialize=False)
            with self.assertRaises(RpcError) as caught:
                client.initialize()
            self.assertEqual(caught.exception.message, "@env.initialize failed: ValueError: no database")
            self.assertEqual((caught.exception.hud["kind"], caught.exception.hud["line"]), ("initialize", 5))


class Cleanup(Notes):
    """The `finally` of a scenario and @env.shutdown run for every ending."""

    def start(self) -> Client:
        client = self.worker.connect()
        client.setup("endings:plain")
        self.assertEqual(self.notes(), ["initialize", "begin"])
        return client

    def check(self, client: Client, *expected: str) -> None:
        self.assertEqual(self.worker.wait_exit(client)["code"], 0)
        self.assertEqual(self.notes(), ["initialize", "begin", *expected, *SHUTDOWN])

    def test_grading(self) -> None:
        client = self.start()
        client.submit("plain", "a")
        client.grade("endings:plain")
        # The rollback is over when the grade arrives.
        self.assertEqual(self.notes(), ["initialize", "begin", "grading 'a'", "rollback"])
        client.close()
        self.check(client, "grading 'a'", "rollback")

    def test_the_end_of_the_connection(self) -> None:
        client = self.start()
        client.close()
        self.check(client, "rollback")

    def test_the_close_operation(self) -> None:
        client = self.start()
        self.worker.control("close", client)
        self.check(client, "rollback")

    def test_sigterm(self) -> None:
        client = self.start()
        os.kill(client.pid, signal.SIGTERM)
        self.check(client, "rollback")

    def test_a_second_setup(self) -> None:
        client = self.start()
        self.assertEqual(client.prompt("endings:plain", reward="0.25"), "prompt")
        self.assertEqual(self.notes(), ["initialize", "begin", "rollback", "begin"])
        self.assertEqual(client.grade("endings:plain")["reward"], 0.25)
        client.close()
        self.check(client, "rollback", "begin", "grading None", "rollback")

    def test_the_end_of_the_control_channel(self) -> None:
        self.start()
        self.worker.stop()
        self.assertEqual(self.notes(), ["initialize", "begin", "rollback", *SHUTDOWN])

    def test_the_end_of_the_control_channel_while_a_tool_hangs(self) -> None:
        client = self.start()
        client.start_call("careful")
        client.wait_for_log("running")
        self.worker.stop()
        self.assertEqual(self.notes(), ["initialize", "begin", "tool finally", "rollback", *SHUTDOWN])

    def test_the_death_of_the_base(self) -> None:
        client = self.start()
        descriptor = os.pidfd_open(client.pid)
        self.worker.process.kill()
        wait_process(descriptor)
        self.assertEqual(self.notes(), ["initialize", "begin", "rollback", *SHUTDOWN])

    def test_a_deadline_while_a_tool_hangs(self) -> None:
        client = self.start()
        request = client.start_call("sleep")
        client.wait_for_log("running")
        self.worker.control("deadline", client)
        client.finish(request)
        self.assertEqual(self.notes(), ["initialize", "begin"])
        client.close()
        self.check(client, "rollback")

    def test_closing_while_a_synchronous_tool_hangs(self) -> None:
        client = self.start()
        client.start_call("sleep")
        client.wait_for_log("running")
        client.close()
        self.worker.control("close", client)
        self.check(client, "rollback")

    def test_closing_while_an_async_tool_hangs(self) -> None:
        client = self.start()
        client.start_call("wait")
        client.wait_for_log("running")
        client.close()
        self.worker.wait_exit(client)
        self.assertEqual(sorted(self.notes()[2:4]), ["async tool finally", "rollback"])
        self.assertEqual(self.notes()[4:], SHUTDOWN)

    def test_closing_while_setup_or_grading_hangs(self) -> None:
        for phase, how in (("setup", "sync"), ("setup", "async"), ("grade", "sync"), ("grade", "async")):
            client = self.worker.connect()
            if phase == "setup":
                client.start("prompts/get", name="endings:slow_setup", arguments={"how": how})
            else:
                client.setup("endings:slow_grade", how=how)
                client.start("resources/read", uri="endings:slow_grade")
            self.wait_note(f"{phase} running")
            client.close()
            self.worker.control("close", client)
            self.assertEqual(self.worker.wait_exit(client)["code"], 0)
            self.assertEqual(self.notes(), ["initialize", f"{phase} running", f"{phase} finally", *SHUTDOWN])
            os.unlink(self.path)

    def test_a_cleanup_that_hangs_is_interrupted_and_shutdown_still_runs(self) -> None:
        client = self.worker.connect()
        client.setup("endings:hung_cleanup")
        client.close()
        self.worker.wait_exit(client)
        self.assertEqual(self.notes(), ["initialize", "cleanup running", *SHUTDOWN])

    def test_a_cleanup_that_fails_is_logged_and_the_grade_stands(self) -> None:
        client = self.worker.connect()
        client.setup("endings:bad_cleanup")
        self.assertEqual(client.grade("endings:bad_cleanup")["reward"], 0.25)
        log = self.worker.end(client)
        self.assertIn("cleanup broke", log)
        self.assertIn("cleanup of scenario 'bad_cleanup' failed", log)

    def test_a_cancel_scope_across_the_yield(self) -> None:
        client = self.worker.connect()
        client.setup("endings:group")
        self.assertEqual(client.grade("endings:group")["reward"], 1.0)

    def test_no_hook_runs_in_a_copy_that_was_never_used(self) -> None:
        client = self.worker.connect(initialize=False)
        client.request("ping")
        client.close()
        self.worker.wait_exit(client)
        self.assertFalse(os.path.exists(self.path))


class Cancelling(Notes):
    def test_a_cancelled_async_tool_gets_no_answer_and_runs_its_finally(self) -> None:
        client = self.worker.connect()
        request = client.start_call("wait")
        client.wait_for_log("running")
        client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": request}})
        self.assertEqual(client.text("quick"), "quick")
        self.assertIn("async tool finally", self.notes())
        client.request("ping")
        self.assertNotIn(request, client._responses)

    def test_a_cancelled_setup_closes_the_scenario(self) -> None:
        client = self.worker.connect()
        request = client.start("prompts/get", name="endings:slow_setup", arguments={"how": "async"})
        self.wait_note("setup running")
        client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": request}})
        self.assertEqual(client.prompt("endings:plain"), "prompt")
        self.assertIn("setup finally", self.notes())


if __name__ == "__main__":
    unittest.main()
