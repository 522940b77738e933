"""Starts real nurseries, and bases of them that are used like workers."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from client import PACKAGE, TIMEOUT, Worker


class Home:
    """A project, packages that are installed for it, and the variables of both."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="hud-test-")).resolve()
        self.project = self.path / "project"
        self.installed = self.path / "site-packages"
        self.loose = self.path / "loose"
        # Where bytecode goes: making that folder would look like an installation.
        for folder in (self.project, self.installed / "__pycache__", self.loose, self.path / "tmp"):
            folder.mkdir(parents=True)
        inherited = {k: v for k, v in os.environ.items() if k not in ("PYTHONDONTWRITEBYTECODE", "LC_CTYPE")}
        self.environ = {
            **inherited,
            "PYTHONPATH": f"{PACKAGE}:{self.installed}:{self.loose}",
            "TMPDIR": str(self.path / "tmp"),
            "PYTHONSAFEPATH": "1",
            "HUD_SAFE_PATH": "1",
        }
        self.started = 0

    def write(self, name: str, text: str) -> None:
        """Save a file, always at the same moment."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (1_700_000_000, 1_700_000_000))

    def arguments(self, entry: str = "env.py") -> list[str]:
        return ["--source", str(self.project / entry), "--socket", str(self.path / "s")]

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


class Nursery:
    """A running `python -m hud.worker --nursery`."""

    def __init__(self, home: Home, **environ: str) -> None:
        self.home = home
        self.environ = {**home.environ, **environ}
        self.log = home.path / "nursery.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-m", "hud.worker", "--nursery"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=home.project,
                env=self.environ,
            )
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._seen: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put(None)

    def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def wait(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The next line of a kind with these fields."""
        while True:
            for line in self._seen:
                if line["type"] == kind and fields.items() <= line.items():
                    self._seen.remove(line)
                    return line
            line_or_end = self._lines.get(timeout=TIMEOUT)
            if line_or_end is None:
                raise AssertionError(f"the nursery ended: {self.log.read_text()}")
            self._seen.append(line_or_end)

    def preload(self, *modules: str) -> dict[str, Any]:
        self.send({"op": "preload", "modules": list(modules)})
        return self.wait("preloaded")

    def start(self, *options: str, **changes: Any) -> Base:
        return Base(self, *options, **changes)

    def stop(self) -> int:
        assert self.process.stdin is not None
        if not self.process.stdin.closed:
            self.process.stdin.close()
        return self.process.wait(TIMEOUT)

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        assert self.process.stdout is not None
        self._thread.join(TIMEOUT)
        self.process.stdout.close()


class Direct(Worker):
    """A base that was started by itself, where a nursery's base would be."""

    def __init__(self, home: Home, *options: str, log: str) -> None:
        self.home = home.path
        self.folder = home.project
        self.socket = str(home.path / "s")
        self.log = home.path / log
        with self.log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-m", "hud.worker", *home.arguments(), *options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                cwd=home.project,
                env=home.environ,
            )
        assert self.process.stdout is not None
        self._listen(self.process.stdout)

    def __exit__(self, *_: object) -> None:
        self.stop()
        assert self.process.stdout is not None
        self._thread.join(TIMEOUT)
        self.process.stdout.close()


class Base(Worker):
    """A base that a nursery started."""

    def __init__(
        self,
        nursery: Nursery,
        *options: str,
        entry: str = "env.py",
        log: str | None = None,
        wait: bool = True,
        **changes: Any,
    ) -> None:
        home = nursery.home
        home.started += 1
        self.id = home.started
        self.home = home.path
        self.folder = home.project
        self.socket = str(home.path / "s")
        self.log = home.path / (log or f"base-{self.id}.log")
        control = home.path / f"c{self.id}"
        self._nursery = nursery
        self._end: dict[str, Any] | None = None
        listener = socket.socket(socket.AF_UNIX)
        listener.settimeout(TIMEOUT)
        listener.bind(str(control))
        listener.listen(1)
        message = {
            "op": "start",
            "id": self.id,
            "control": str(control),
            "log": str(self.log),
            "args": [*home.arguments(entry), *options],
            "cwd": str(home.project),
            "env": nursery.environ,
            **changes,
        }
        nursery.send(message)
        self.connection, _ = listener.accept()
        listener.close()
        self.started = nursery.wait("started", id=self.id)
        self.pid: int = self.started["pid"]
        self._reader = self.connection.makefile("rb")
        self._listen(self._reader, wait)

    def _first(self) -> dict[str, Any]:
        line = self._lines.get(timeout=TIMEOUT)
        return {"type": "none"} if line is None else line

    def send(self, message: dict[str, Any]) -> None:
        self.connection.sendall(json.dumps(message).encode() + b"\n")

    def stop(self) -> int:
        """End the base, and give its code; a signal is negative, as for `subprocess`."""
        for client in self._clients:
            client.close()
        if self._end is None:
            self.connection.shutdown(socket.SHUT_WR)
        line = self.ended()
        code: int | None = line["code"]
        return code if code is not None else -signal.Signals[line["signal"]].value

    def ended(self) -> dict[str, Any]:
        """How it has ended, as the nursery tells."""
        if self._end is None:
            self._end = self._nursery.wait("ended", id=self.id)
            self.drop()
        return self._end

    def drop(self) -> None:
        """Close what was open to a base that has ended."""
        for client in self._clients:
            client.close()
        self._thread.join(TIMEOUT)
        self._reader.close()
        self.connection.close()

    def __enter__(self) -> Base:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
