"""What a client is told without having asked: lists that have changed, resources with new content.

One object for each connection. The environment tells it of every change, from whatever code makes it:
a request's, a background task's, a thread's.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from hud.environment import Environment, Listed


class Announcer:
    """Turns changes into notifications; several changes of a list at one moment are one."""

    def __init__(self, environment: Environment, notify: Callable[[str, dict[str, Any]], None]) -> None:
        self._environment = environment
        self._notify = notify
        self._thread = threading.get_ident()
        self._changes: set[Listed] = set()
        self._subscriptions: set[str] = set()
        self._greeted = False
        environment.listen(self)

    def greet(self) -> None:
        """From now on the client can have read a list; before, there is nothing to tell."""
        self._greeted = True
        self._changes.clear()

    def close(self) -> None:
        """Say nothing more."""
        self._greeted = False
        self._environment.unlisten(self)

    def list_changed(self, listed: Listed) -> None:
        """Called by the environment."""
        if threading.get_ident() != self._thread:
            self._send(listed)
            return
        if not self._changes:
            try:
                asyncio.get_running_loop().call_soon(self.flush)
            except RuntimeError:
                pass  # Not serving yet.
        self._changes.add(listed)

    def flush(self) -> None:
        """Tell what has changed so far; before a result goes out, so that a client that has it knows."""
        if self._changes:
            changes, self._changes = sorted(self._changes), set()
            for listed in changes:
                self._send(listed)

    def _send(self, listed: Listed) -> None:
        if self._greeted:
            self._notify(f"notifications/{listed}/list_changed", {})

    def resource_updated(self, uri: str) -> None:
        """Called by the environment."""
        if uri in self._subscriptions:
            self._notify("notifications/resources/updated", {"uri": uri})

    def subscribe(self, uri: str) -> bool:
        """Tell of new content of this address; False when no resource has it."""
        environment = self._environment
        known = uri.removeprefix(f"{environment.name}:") in environment.scenarios
        if not known and all(resource.match(uri) is None for resource in environment.resources.values()):
            return False
        self._subscriptions.add(uri)
        return True

    def unsubscribe(self, uri: str) -> None:
        """Do not tell of it any more."""
        self._subscriptions.discard(uri)
