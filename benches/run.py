#!/usr/bin/env python3
"""Measures hud and the Python tool it is compared with, in one run, and keeps the raw numbers.

    benches/run.py [--quick] [--only NAME] [--no-build]

Builds the release binary, starts the local model server (`benches/stand_in.rs`), and writes
`benches/results/<date>-<cpus>cpu[-NAME].json`: for each benchmark the command, every raw sample, and what the
design asks for. Nothing here is asserted; a number is read together with the machine it was measured on.
Linux only (memory is read from /proc). Python hud 0.6.16 is installed into target/venvs/v6 when missing.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
HUD = TARGET / "release" / "hud"
STAND_IN = TARGET / "release" / "examples" / "stand-in"
TRIVIA = ROOT / "examples" / "trivia"


def environment(**extra: str) -> dict[str, str]:
    """A clean environment: no key of the developer's, no colours, no progress."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "NO_COLOR": "1", "HUD_NO_PROGRESS": "1", **extra}


def measure(command: list[str], cwd: Path, env: dict[str, str]) -> dict[str, float]:
    """Runs a command once: wall time, CPU time of it and its children, its own peak memory."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, stderr = process.communicate()
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode not in (0, 3):
        sys.exit(f"{command} ended with {process.returncode}:\n{stderr.decode()[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": wall, "cpu_s": cpu}


class StandIn:
    """The local model server, for as long as the block runs."""

    def __init__(self, delay_ms: int = 0) -> None:
        self.delay_ms = delay_ms

    def __enter__(self) -> StandIn:
        command = [str(STAND_IN), "--delay-ms", str(self.delay_ms)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()

    def cpu_s(self) -> float:
        ticks = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")


def help_start() -> dict[str, object]:
    """`hud --help`, cold process, warm disk."""
    samples = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(30):
            samples.append(measure([str(HUD), "--help"], Path(folder), environment())["wall_s"] * 1000)
        peak = subprocess.run(
            [sys.executable, "-c", (
                "import resource,subprocess,sys;"
                "subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL);"
                "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
            ), str(HUD), "--help"],
            capture_output=True, text=True, env=environment(), check=True,
        )
    return {
        "target": "at most 10 ms and 20 MB",
        "median_ms": statistics.median(samples),
        "peak_mb": int(peak.stdout) / 1024,
        "samples_ms": samples,
    }


def tasks_of(folder: Path, count: int) -> Path:
    """A folder with the trivia environment and `count` distinct tasks."""
    shutil.copy(TRIVIA / "env.py", folder / "env.py")
    rows = [
        {"slug": f"t{number}", "scenario": "initials", "args": {"company": company}}
        for number, company in zip(range(count), ["HUD", "OpenAI", "Anthropic"] * count)
    ]
    path = folder / "tasks.json"
    path.write_text(json.dumps({"name": "bench", "env": "env.py", "tasks": rows}))
    return path


def rollouts(count: int, runs: int) -> dict[str, object]:
    """`count` rollouts of trivia, two model calls each, against a model that answers at once."""
    samples = []
    for format_ in ("openai-chat", "anthropic"):
        for _ in range(runs):
            with StandIn() as server, tempfile.TemporaryDirectory() as folder:
                path = tasks_of(Path(folder), count)
                base = server.url + ("/v1" if format_ == "openai-chat" else "")
                command = [
                    str(HUD), "eval", str(path), "--model", f"{format_}/stand-in", "--base-url", base,
                    "--max-concurrent", "100", "--quiet",
                ]
                env = environment(ANTHROPIC_API_KEY="none", OPENAI_API_KEY="none")
                load = os.getloadavg()[0]
                sample = measure(command, Path(folder), env)
                summary = json.loads(next(Path(folder).glob(".hud/runs/*/summary.json")).read_text())
                assert summary["graded"] == count and summary["mean_reward"] == 1.0, summary
                samples.append({
                    "format": format_, "load_before": load, **sample, "rollouts_per_s": count / sample["wall_s"],
                    "cpu_ms_per_rollout": sample["cpu_s"] * 1000 / count, "stand_in_cpu_s": server.cpu_s(),
                })
    return {
        "target": "at least 150 rollouts/s on 2 cores",
        "rollouts": count,
        "median_rollouts_per_s": statistics.median(sample["rollouts_per_s"] for sample in samples),
        "samples": samples,
    }


def private_kb(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return None
    return sum(int(size) for size in re.findall(r"^Private_(?:Clean|Dirty):\s+(\d+) kB", text, re.M))


def descendants(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        found.append((int(entry.parent.name), parent))
    tree, grew = {pid}, True
    while grew:
        grew = False
        for child, parent in found:
            if parent in tree and child not in tree:
                tree.add(child)
                grew = True
    return sorted(tree - {pid})


def memory(count: int) -> dict[str, object]:
    """Private memory while `count` rollouts all wait for their model: each copy, and hud's own share."""
    with StandIn(delay_ms=25_000) as server, tempfile.TemporaryDirectory() as folder:
        path = tasks_of(Path(folder), count)
        command = [
            str(HUD), "eval", str(path), "--model", "openai-chat/stand-in", "--base-url", server.url + "/v1",
            "--max-concurrent", str(count), "--quiet",
        ]
        process = subprocess.Popen(command, cwd=folder, env=environment(OPENAI_API_KEY="none"),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # Settled: the number of processes has not changed for three looks.
        looks: list[int] = []
        while len(looks) < 3 or len(set(looks[-3:])) > 1 or looks[-1] < count:
            if process.poll() is not None:
                sys.exit("the run ended before all rollouts were waiting")
            time.sleep(0.5)
            looks.append(len(descendants(process.pid)))
            if len(looks) > 40:
                break
        children = descendants(process.pid)
        sizes = sorted(size for size in map(private_kb, children) if size is not None)
        own = private_kb(process.pid) or 0
        process.send_signal(signal.SIGINT)
        process.wait()
    copies = sizes[:-1]  # The largest is the base process.
    share = own / count
    per_rollout = [size / 1024 + share / 1024 for size in copies]
    deciles = statistics.quantiles(per_rollout, n=10)
    return {
        "target": "at most 6 MB private for each waiting rollout, its worker copy included",
        "rollouts": count,
        "copies_seen": len(copies),
        "hud_private_mb": own / 1024,
        "base_private_mb": sizes[-1] / 1024,
        "median_mb": statistics.median(per_rollout),
        "p10_mb": deciles[0],
        "p90_mb": deciles[-1],
        "max_mb": max(per_rollout),
        "copies_private_kb": copies,
    }


V6_ENVIRONMENT = '''
from hud import Environment

CEOS = {"hud": "Jay Ram", "openai": "Sam Altman", "anthropic": "Dario Amodei"}
env = Environment("trivia")


@env.template()
async def initials(company: str):
    answer = yield f"What are the initials of the CEO of {company}?"
    initials = "".join(word[0] for word in CEOS[company.lower()].split())
    yield 1.0 if answer and initials in str(answer).upper() else 0.0


tasks = []
for number in range(COUNT):
    task = initials(company=["HUD", "OpenAI", "Anthropic"][number % 3])
    task.slug = f"t{number}"
    tasks.append(task)
del task
'''


def peer(count: int, runs: int) -> dict[str, object]:
    """The same tasks with Python hud 0.6.16 and with hud, against the same server, one after the other."""
    venv = ROOT / "target" / "venvs" / "v6"
    if not (venv / "bin" / "hud").exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        subprocess.run([str(venv / "bin" / "pip"), "install", "-q", "hud==0.6.16", "typer==0.24.1"], check=True)
    theirs, ours = [], []
    for _ in range(runs):
        with StandIn() as server, tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "env.py"
            path.write_text(V6_ENVIRONMENT.replace("COUNT", str(count)))
            command = [
                str(venv / "bin" / "hud"), "eval", str(path), "openai_compatible", "--model", "stand-in", "--all", "-y",
                "--max-concurrent", "30", "-c", f"openai_compatible.base_url={server.url}/v1",
                "-c", "openai_compatible.api_key=none",
            ]
            env = environment(HUD_SKIP_VERSION_CHECK="1", HUD_CLI_ANALYTICS_ENABLED="0",
                              HUD_TELEMETRY_ENABLED="false", OPENAI_API_KEY="none", HOME=folder)
            theirs.append(measure(command, Path(folder), env))
        with StandIn() as server, tempfile.TemporaryDirectory() as folder:
            path = tasks_of(Path(folder), count)
            command = [
                str(HUD), "eval", str(path), "--model", "openai-chat/stand-in", "--base-url", server.url + "/v1",
                "--max-concurrent", "30", "--quiet",
            ]
            ours.append(measure(command, Path(folder), environment(OPENAI_API_KEY="none")))
    their_median = statistics.median(sample["wall_s"] for sample in theirs)
    our_median = statistics.median(sample["wall_s"] for sample in ours)
    return {
        "tasks": count,
        "note": "Python hud 6 has no tools of its own in an environment, so its rollouts make one model call, ours two",
        "python_hud_median_s": their_median,
        "hud_median_s": our_median,
        "ratio": their_median / our_median,
        "python_hud": theirs,
        "hud": ours,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    parser.add_argument("--only", help="one of: help, rollouts, memory, peer")
    parser.add_argument("--no-build", action="store_true")
    options = parser.parse_args()
    if not options.no_build:
        subprocess.run(["cargo", "build", "--release", "--bin", "hud", "--example", "stand-in"], cwd=ROOT, check=True)
    runs = 1 if options.quick else 3
    benchmarks = {
        "help": help_start,
        "rollouts": lambda: rollouts(1000, runs),
        "memory": lambda: memory(500),
        "peer": lambda: peer(50, runs),
    }
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    results: dict[str, object] = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "machine": {"cpus": os.cpu_count(), "arch": platform.machine(), "kernel": platform.release(),
                    "python": platform.python_version()},
    }
    for name, benchmark in benchmarks.items():
        if options.only in (None, name):
            results[name] = benchmark()
            shown = {key: value for key, value in results[name].items() if not isinstance(value, list)}
            print(name, json.dumps(shown, indent=2), flush=True)
    if not options.quick:
        folder = ROOT / "benches" / "results"
        folder.mkdir(exist_ok=True)
        part = f"-{options.only}" if options.only else ""
        path = folder / f"{datetime.date.today()}-{os.cpu_count()}cpu{part}.json"
        path.write_text(json.dumps(results, indent=1) + "\n")
        print(f"kept in {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
