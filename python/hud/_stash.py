"""Modules that a nursery has loaded, out of sight until somebody imports them.

After each import that a nursery does, `sys.modules` is put back as it was, and what was loaded is kept
here. In a base that it forks, the first import of such a module lets it be seen again, together with
all that importing it loads: for the environment's code it is as if it had just been imported, also in
what is *not* there before. A module is seen in the forms that code can look for: in `sys.modules`, and as
an attribute of its package.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any

from hud._frames import is_installed, is_stdlib
from hud._imports import Environ, Mismatch, Revealing, Variables, with_loader


class Group:
    """What one import has loaded, and what it did besides."""

    def __init__(self) -> None:
        # In the order of `sys.modules`, and those that were looked for in the order in which they were.
        self.names: list[str] = []
        self.found: dict[str, None] = {}
        self.needs: list[Group] = []
        self.output = b""
        # The variables that it has read; None among them stands for all.
        self.read: set[str | None] = set()

    def replay(self) -> None:
        """Write what its import has printed, once."""
        for needed in self.needs:
            needed.replay()
        self.needs = []
        output, self.output = self.output, b""
        if output:
            with contextlib.suppress(OSError):
                os.write(2, output)


class Stash:
    """The modules, and the groups in which they are seen again."""

    def __init__(self, before: Iterable[str]) -> None:
        self._before = frozenset(before)
        self._modules: dict[str, ModuleType] = {}
        self._hidden: set[str] = set()
        self._attributes: dict[str, tuple[dict[str, Any], str]] = {}
        self._groups: dict[str, Group] = {}
        self._entries: set[str] = set()
        self._variables = Variables()
        self._flush_c: Callable[[Any], Any] = lambda _: None
        self._loading: Group | None = None
        self._in_base = False
        # Files as they were before they were loaded, those that are not installed, and what was not found.
        self.loose_files: list[str] = []
        self.files: dict[str, tuple[int, ...]] = {}
        self.not_found: set[str] = set()
        # The names that a file of the project must not have, or it would be imported in place of what is here.
        self.top_level: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._modules or name in self._before

    def get(self, name: str) -> ModuleType | None:
        """A module, seen or not."""
        return self._modules.get(name)

    def complete(self) -> None:
        """Everything is loaded: note what is compared with it at each start."""
        self.top_level = {name.partition(".")[0] for name in self._modules} - self._before | self.not_found
        for folder in sys.path:
            if is_installed(os.path.join(folder, "")):
                with contextlib.suppress(OSError):
                    self.files[folder] = stamp(folder)

    def stale(self) -> str | None:
        """A file that has changed since it was loaded, or a folder in which something was installed since."""
        for path, known in self.files.items():
            try:
                if stamp(path) != known:
                    return f"{path} has changed"
            except OSError:
                return f"{path} is gone"
        return None

    def seed_numpy(self) -> None:
        """In a base: `numpy.random` has the state of the nursery, unlike one that has just been imported."""
        numpy: Any = self._modules.get("numpy.random")
        if numpy is not None:
            numpy.seed(int.from_bytes(os.urandom(4), "big"))

    # -- loading beforehand -----------------------------------------------------------------------

    def install(self) -> None:
        """Find hidden modules for the nursery's own code, and capture also what C code prints."""
        sys.meta_path.insert(0, self)
        self.load("ctypes")
        ctypes: Any = self.get("ctypes")
        with contextlib.suppress(OSError, AttributeError):
            self._flush_c = ctypes.CDLL(None).fflush

    def leave(self) -> None:
        """In a base: its own finder takes over (see `_imports`)."""
        sys.meta_path.remove(self)
        self._in_base = True

    def load(self, name: str) -> tuple[list[str], BaseException | None]:
        """Import a module and hide what that has loaded; the names of what is new, and what went wrong."""
        self.hide()
        group = self._loading = Group()
        known = set(self._modules)
        failure: BaseException | None = None
        try:
            with self._captured(group), Environ.observed(group.read.add):
                importlib.import_module(name)
        except BaseException as error:
            failure = error.with_traceback(None)
        self._loading = None
        group.names = self.hide()
        for loaded in group.names:
            other = self._groups.get(loaded)
            if other is None:
                self._groups[loaded] = group
            else:
                group.read |= other.read
                if loaded not in self._entries and len(group.names) < len(other.names):
                    # Nobody has imported it alone, so nobody knows what that would load: as little as possible.
                    self._groups[loaded] = group
        self._entries.add(name)
        self._groups[name] = group
        return [loaded for loaded in group.names if loaded not in known], failure

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Part of the import system."""
        hidden = self.find(name) if target is None else None
        if hidden is not None:
            return with_loader(hidden, Revealing(self._reveal_here, name, hidden.loader))
        if self._loading is None:
            return None
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            if finder is not self and find is not None:
                spec: importlib.machinery.ModuleSpec | None = find(name, path, target)
                if spec is not None:
                    self._loading.found[name] = None
                    self._note(spec)
                    return spec
        if path is None:
            self.not_found.add(name)
        return None

    def _reveal_here(self, name: str) -> ModuleType:
        module, found = self.reveal(name)
        if self._loading is not None:
            self._loading.found.update(dict.fromkeys(found))
        return module

    def _note(self, spec: importlib.machinery.ModuleSpec) -> None:
        if spec.has_location and spec.origin is not None:
            with contextlib.suppress(OSError):
                self.files[spec.origin] = stamp(spec.origin)
                if not is_installed(spec.origin) and not is_stdlib(spec.origin):
                    self.loose_files.append(spec.origin)

    def hide(self) -> list[str]:
        """Put everything out of sight that was not there at first; its names, in the order in which it was loaded."""
        names = [name for name, module in sys.modules.items() if name not in self._before and module is not None]
        for name in names:
            self._modules[name] = sys.modules.pop(name)
        for name in names:
            self._hidden.add(name)
            package, _, attribute = name.rpartition(".")
            parent = self._modules.get(package) or sys.modules.get(package)
            values = _values(parent)
            if values is not None and attribute and values.get(attribute) is self._modules[name]:
                self._attributes[name] = (values, attribute)
                del values[attribute]
        return names

    @contextlib.contextmanager
    def _captured(self, group: Group) -> Iterator[None]:
        """Keep what is written to stdout and stderr, for each base to write it into its own log."""
        saved = os.dup(1), os.dup(2)
        folder, tempfile.tempdir = tempfile.tempdir, None
        with tempfile.TemporaryFile() as file:
            tempfile.tempdir = folder
            for fd in (1, 2):
                os.dup2(file.fileno(), fd)
            try:
                yield
            finally:
                for stream in (sys.stdout, sys.stderr):
                    with contextlib.suppress(OSError, ValueError, AttributeError):
                        stream.flush()
                self._flush_c(None)
                for fd, original in zip((1, 2), saved):
                    os.dup2(original, fd)
                    os.close(original)
                file.seek(0)
                group.output = file.read()

    # -- letting it be seen -----------------------------------------------------------------------

    def find(self, name: str) -> importlib.machinery.ModuleSpec | None:
        """The spec of a hidden module, as it was found."""
        if name not in self._hidden:
            return None
        spec = (_values(self._modules[name]) or {}).get("__spec__")
        return spec if isinstance(spec, importlib.machinery.ModuleSpec) else importlib.machinery.ModuleSpec(name, None)

    def check(self, name: str) -> None:
        """Mismatch when a variable has changed since that was read while the module was loaded."""
        group = self._groups.get(name)
        if group is not None:
            changed = self._variables.changed_for([key for key in group.read if key], None in group.read)
            if changed:
                raise Mismatch(f"`{name}` was loaded before {', '.join(changed)} had changed")

    def reveal(self, name: str) -> tuple[ModuleType, list[str]]:
        """Let a module be seen, and with it all that importing it loads: the names that were looked for."""
        group = self._groups.get(name)
        names = [name] if group is None else group.names
        shown = {each: self._modules[each] for each in names if each in self._hidden}
        self._hidden.difference_update(shown)
        sys.modules.update(shown)
        for each in shown.keys() & self._attributes.keys():
            values, attribute = self._attributes.pop(each)
            values[attribute] = shown[each]
        if group is None:
            return self._modules[name], [name]
        if self._loading is not None:
            self._loading.needs.append(group)
        elif self._in_base:
            group.replay()
        return self._modules[name], list(group.found)


def stamp(path: str) -> tuple[int, ...]:
    """What tells whether a file or a folder has changed. Raises OSError."""
    found = os.stat(path)
    return found.st_mtime_ns, found.st_size, found.st_ino


def _values(module: Any) -> dict[str, Any] | None:
    """A module's variables; modules that load themselves at the first touch are not touched."""
    try:
        values: dict[str, Any] = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return None
    return values
