#!/usr/bin/env python3
"""Measures developing: from saving a file to the first answer of the new code, for hud and two Python servers, in one run.

    benches/dev.py [--quick] [--no-build] [--only NAME]

Builds the release binary and writes `benches/results/<date>-<cpus>cpu-dev.json` with every raw sample. The client is the same for
all: one MCP session over HTTP that calls a tool until the answer is the saved one, and opens a new session when its own was lost.
hud-python 0.5.41, fastmcp 4.1.2, pandas and fastapi are installed into target/venvs when missing.
"""

from __future__ import annotations

import argparse
import datetime
import http.client
import json
import os
import platform
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
HUD = TARGET / "release" / "hud"
LOAD = TARGET / "release" / "examples" / "mcp-load"

OURS = """
from hud import Environment
from tools.value import VALUE
{imports}
env = Environment("bench")


@env.tool
def value() -> str:
    return str(VALUE)
"""

FASTMCP = """
from fastmcp import FastMCP
from tools.value import VALUE

mcp = FastMCP("bench")


@mcp.tool
def value() -> str:
    return str(VALUE)
"""


def venv(name: str, *requirements: str) -> Path:
    """A virtual environment under target/venvs with these packages."""
    folder = ROOT / "target" / "venvs" / name
    if not (folder / "bench-ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(folder / "bin" / "pip"), "install", "-q", *requirements], check=True)
        (folder / "bench-ready").write_text("")
    return folder


def environment(**extra: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "NO_COLOR": "1", "HUD_NO_PROGRESS": "1", **extra}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Lost(Exception):
    """The connection or the session is gone."""


class Client:
    """One MCP session of 2025-06-18 over streamable HTTP."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.session: str | None = None
        self.number = 0
        self.ask("initialize", {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"},
        })
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def send(self, message: dict[str, object]) -> bytes:
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        if self.session:
            headers |= {"mcp-session-id": self.session, "mcp-protocol-version": "2025-06-18"}
        try:
            self.connection.request("POST", "/mcp", json.dumps(message), headers)
            response = self.connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Lost(str(error)) from None
        if response.status >= 400:
            raise Lost(f"{response.status} {body[:200]!r}")
        self.session = response.headers.get("mcp-session-id", self.session)
        return body

    def ask(self, method: str, params: dict[str, object]) -> dict[str, object]:
        self.number += 1
        body = self.send({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}).decode()
        lines = [line[5:] for line in body.splitlines() if line.startswith("data:")] or [body]
        for line in lines:
            message = json.loads(line) if line.strip() else {}
            if message.get("id") == self.number:
                if "result" not in message:
                    raise Lost(str(message.get("error")))
                return message["result"]
        raise Lost("no answer")

    def value(self) -> str:
        result = self.ask("tools/call", {"name": "value", "arguments": {}})
        return result["content"][0]["text"]


def connect(port: int, process: subprocess.Popen[bytes]) -> Client:
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        if process.poll() is not None:
            sys.exit(f"the server ended with {process.returncode}")
        try:
            client = Client(port)
            client.value()
            return client
        except Lost:
            time.sleep(0.002)
    sys.exit("the server did not answer within a minute")


def project(folder: Path, files: dict[str, str]) -> None:
    (folder / "tools").mkdir()
    (folder / "tools" / "__init__.py").write_text("")
    (folder / "tools" / "value.py").write_text("VALUE = 0\n")
    for name, text in files.items():
        (folder / name).write_text(text)


def save(folder: Path, number: int) -> None:
    (folder / "tools" / "value.py").write_text(f"VALUE = {number}\n")


def moved(log: Path, port: int) -> int:
    """The port of the server now: Python hud takes another one when it restarts and finds its own still in use."""
    said = re.findall(r"using port (\d+)", log.read_text(errors="replace"))
    return int(said[-1]) if said else port


def reload_times(command: list[str], files: dict[str, str], saves: int, port: int, **env: str) -> dict[str, object]:
    """`saves` saves; for each the time until a call answers with the new value."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project(folder, files)
        begun = time.perf_counter()
        with open(folder / "server.log", "wb") as log:
            process = subprocess.Popen(command, cwd=folder, env=environment(**env), stdout=log, stderr=log,
                                       stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            client = connect(port, process)
            start = time.perf_counter() - begun
            samples, lost, failed = [], 0, 0
            for number in range(1, saves + 1):
                time.sleep(0.05)  # What a save finds is an idle server.
                begun = time.perf_counter()
                save(folder, number)
                while True:
                    try:
                        if client.value() == str(number):
                            break
                    except Lost:
                        failed += 1
                        try:
                            client = Client(moved(folder / "server.log", port))
                            lost += 1
                        except Lost:
                            pass
                    if time.perf_counter() - begun > 60:
                        sys.exit(f"save {number} was never answered: {(folder / 'server.log').read_text()[-2000:]}")
                    time.sleep(0.001)
                samples.append((time.perf_counter() - begun) * 1000)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
    return {
        "first_answer_s": start,
        "saves": saves,
        "median_ms": statistics.median(samples),
        "p95_ms": statistics.quantiles(samples, n=20)[-1],
        "max_ms": max(samples),
        "failed_calls": failed,
        "lost_sessions": lost,
        "samples_ms": samples,
    }


def reload(saves: int, peer_saves: int) -> dict[str, object]:
    """From save to the new answer: hud with a small environment, hud with heavy imports, and the peers with the small one."""
    heavy = venv("heavy", "pandas", "fastapi")
    v5 = venv("v5-bench", "hud-python==0.5.41")
    fastmcp = venv("fastmcp-bench", "fastmcp==4.1.2")
    small = {"env.py": OURS.format(imports="")}
    found: dict[str, object] = {"target": "median at most 100 ms; 250 ms with pandas and fastapi"}
    port = free_port()
    found["hud"] = reload_times([str(HUD), "dev", "env.py", "--port", str(port)], small, saves, port)
    port = free_port()
    found["hud_pandas_fastapi"] = reload_times(
        [str(HUD), "dev", "env.py", "--port", str(port), "--python", str(heavy / "bin" / "python")],
        {"env.py": OURS.format(imports="import fastapi\nimport pandas")}, saves, port,
    )
    port = free_port()
    found["hud_python_0_5_41"] = reload_times(
        [str(v5 / "bin" / "hud"), "dev", "env:env", "-w", ".", "--port", str(port)], small, peer_saves, port,
        HUD_SKIP_VERSION_CHECK="1", HUD_TELEMETRY_ENABLED="false", PATH=f"{v5}/bin:{os.environ['PATH']}",
    )
    port = free_port()
    found["fastmcp_4_1_2"] = reload_times(
        [str(fastmcp / "bin" / "fastmcp"), "run", "server.py", "--transport", "http", "--port", str(port), "--reload"],
        {"server.py": FASTMCP}, peer_saves, port, PATH=f"{fastmcp}/bin:{os.environ['PATH']}", PYTHONPATH=".",
    )
    for name in ("hud_python_0_5_41", "fastmcp_4_1_2"):
        found[f"ratio_to_{name}"] = found[name]["median_ms"] / found["hud"]["median_ms"]  # type: ignore[index]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repeats, nothing kept")
    parser.add_argument("--only", help="one of: reload")
    parser.add_argument("--no-build", action="store_true")
    options = parser.parse_args()
    if not options.no_build:
        subprocess.run(["cargo", "build", "--release", "--bin", "hud", "--example", "mcp-load"], cwd=ROOT, check=True)
    benchmarks = {
        "reload": lambda: reload(10 if options.quick else 200, 2 if options.quick else 10),
    }
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    results: dict[str, object] = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "machine": {"cpus": os.cpu_count(), "arch": platform.machine(), "kernel": platform.release(),
                    "python": platform.python_version()},
    }

    def without_samples(value: object) -> object:
        if isinstance(value, dict):
            return {key: without_samples(item) for key, item in value.items() if not isinstance(item, list)}
        return value

    for name, benchmark in benchmarks.items():
        if options.only in (None, name):
            results[name] = benchmark()
            print(name, json.dumps(without_samples(results[name]), indent=2), flush=True)
    if not options.quick:
        folder = ROOT / "benches" / "results"
        folder.mkdir(exist_ok=True)
        path = folder / f"{datetime.date.today()}-{os.cpu_count()}cpu-dev.json"
        path.write_text(json.dumps(results, indent=1) + "\n")
        print(f"kept in {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
