"""What importing an environment loads: which modules are the project's own, which come from elsewhere.

The project's modules change while their author works, so they are loaded with a check of their
content. What comes from elsewhere does not, so a nursery (`_nursery`) may load it beforehand, and here
it is found out which of it may be: nothing whose import depends on what the project does before.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import marshal
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from types import CodeType, FrameType, ModuleType
from typing import Any, NoReturn, Protocol

from hud._frames import is_installed, is_stdlib

_PACKAGE = os.path.dirname(os.path.realpath(__file__)) + os.sep
_LOADING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_loading.py")
_FROZEN_IMPORTLIB = "<frozen importlib"
_ENVIRON: Any = type(os.environ)
# Native libraries read these without os.environ, when they are loaded or first used.
_READ_BY_LIBRARIES = (
    *("OMP_", "MKL_", "OPENBLAS_", "GOTO_", "BLIS_", "KMP_", "NUMEXPR_", "VECLIB_", "ARROW_", "POLARS_", "RAYON_"),
    *("CUDA_", "NVIDIA_", "HIP_", "TORCH_", "PYTORCH_", "TF_", "XLA_", "JAX_", "GRPC_", "MALLOC_", "RUST_"),
    *("LD_", "DYLD_", "PYTHON", "LC_", "LANG", "TZ", "OPENSSL_", "SSL_"),
)
# They change what is loaded after them, in place, and nothing of that shows here.
_PATCHERS = ("gevent.monkey", "eventlet")


class Project:
    """The folders whose modules are the project's."""

    def __init__(self, roots: Sequence[str]) -> None:
        self._roots = tuple(os.path.join(os.path.realpath(root), "") for root in roots)
        self._known: dict[str, bool] = {}

    def owns(self, path: str) -> bool:
        """True for a file of the project: under a root, and neither installed nor of the standard library."""
        known = self._known.get(path)
        if known is None:
            known = self._known[path] = self._decide(path)
        return known

    def _decide(self, path: str) -> bool:
        if is_stdlib(path) or is_installed(path) or not os.path.isabs(path):
            return False
        real = os.path.realpath(path)
        if real.startswith(_PACKAGE) or is_installed(real) or is_stdlib(real):
            return False
        root = next((root for root in self._roots if real.startswith(root)), None)
        return root is not None and ".venv" not in real[len(root) :].split(os.sep)


class ProjectLoader(importlib.machinery.SourceFileLoader):
    """Loads a source file, and bytecode only if it was made of exactly this content.

    Python's own check compares the time of the last change in whole seconds and the size, so it takes
    the bytecode of a file that was saved twice within a second for that of the second save.
    """

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        source = self.get_data(path)
        # The header of a bytecode file that Python itself checks by the content too (PEP 552).
        header = importlib.util.MAGIC_NUMBER + b"\3\0\0\0" + importlib.util.source_hash(source)
        try:
            cached = importlib.util.cache_from_source(path)
        except NotImplementedError:
            return self.source_to_code(source, path)
        with contextlib.suppress(OSError, EOFError, ValueError, TypeError):
            data = self.get_data(cached)
            if data.startswith(header):
                code = marshal.loads(memoryview(data)[len(header) :])
                if isinstance(code, CodeType) and code.co_filename == path:
                    return code
        code = self.source_to_code(source, path)
        if not sys.dont_write_bytecode:
            self.set_data(cached, header + marshal.dumps(code))
        return code


class Mismatch(Exception):
    """A module was loaded beforehand under other circumstances than the project imports it."""


class Stash(Protocol):
    """Modules that were loaded beforehand, and that nobody sees until they are imported."""

    def find(self, name: str) -> importlib.machinery.ModuleSpec | None:
        """The spec of such a module, as it was found."""

    def reveal(self, name: str) -> tuple[ModuleType, list[str]]:
        """Let a module be seen, and with it all that importing it loads: the names that were looked for."""

    def check(self, name: str) -> None:
        """Mismatch when it was loaded under other circumstances than those of now."""


class Environ(_ENVIRON):  # type: ignore[misc]
    """`os.environ` while somebody wants to know which variables are read."""

    observer: Callable[[str | None], None] | None = None

    def __getitem__(self, key: str) -> str:
        if Environ.observer is not None:
            Environ.observer(key)
        value: str = super().__getitem__(key)
        return value

    def __iter__(self) -> Iterator[str]:
        if Environ.observer is not None:
            Environ.observer(None)
        yield from super().__iter__()

    @staticmethod
    @contextlib.contextmanager
    def observed(observer: Callable[[str | None], None]) -> Iterator[None]:
        """Tell a function the name of each variable that is read, and None when all are."""
        if type(os.environ) is not _ENVIRON:
            yield  # Somebody has put something of his own there.
            return
        Environ.observer = observer
        _set_class(os.environ, Environ)
        try:
            yield
        finally:
            Environ.observer = None
            if type(os.environ) is Environ:
                _set_class(os.environ, _ENVIRON)


def _set_class(value: Any, kind: type) -> None:
    value.__class__ = kind


def _raw_environ() -> dict[bytes, bytes]:
    data: dict[bytes, bytes] = getattr(os.environ, "_data", {})
    return dict(data)


class Variables:
    """The environment variables as they are now, to be compared with later."""

    def __init__(self) -> None:
        self._data = _raw_environ()

    def changed(self) -> list[str]:
        """The names of those that have another value by now."""
        now, then = _raw_environ(), self._data
        if now == then:
            return []
        return [os.fsdecode(key) for key in {**then, **now} if now.get(key) != then.get(key)]

    def changed_for(self, read: Collection[str], all_read: bool) -> list[str]:
        """Those among them that matter to code which has read these variables."""
        return [name for name in self.changed() if all_read or name in read or name.startswith(_READ_BY_LIBRARIES)]


class Segment:
    """What one import statement of the project has loaded from elsewhere."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.depends = False


class Imports:
    """Stands first on `sys.meta_path`."""

    def __init__(
        self, project: Project, stash: Stash | None = None, start_over: Callable[[Exception], NoReturn] | None = None
    ) -> None:
        self.project = project
        self._stash = stash
        self._start_over = start_over
        self._before = set(sys.modules)
        self._variables = Variables()
        self._files: dict[str, None] = {}
        self._segments: list[Segment] = []
        self._recording = False

    @contextlib.contextmanager
    def recorded(self) -> Iterator[None]:
        """For the time of loading the environment; the project's modules are checked for good."""
        sys.meta_path.insert(0, self)
        self._recording = True
        try:
            with Environ.observed(self._variable_read):
                yield
        finally:
            self._recording = False

    def note_file(self, path: str) -> None:
        """A source file of the project is about to be loaded without being looked for."""
        self._files[path] = None

    @property
    def files(self) -> list[str]:
        """The source files of the project, in the order of their import, those that failed included."""
        files = dict(self._files)
        for name, module in list(sys.modules.items()):
            origin = None if name in self._before else _origin(module)
            if origin is not None and self.project.owns(origin):
                files[origin] = None
        return list(files)

    @property
    def modules(self) -> list[str]:
        """What was loaded from elsewhere, in the order of the imports, as far as it may be loaded beforehand."""
        names: dict[str, None] = {}
        for segment in self._segments:
            if any(name in segment.names for name in _PATCHERS):
                break
            if not segment.depends:
                names.update(dict.fromkeys(segment.names))
        return [name for name in names if name in sys.modules and name not in self._before]

    # -- the finder -------------------------------------------------------------------------------

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Part of the import system."""
        stashed = self._stash.find(name) if self._stash is not None and target is None else None
        if stashed is not None:
            return with_loader(stashed, Revealing(self.reveal, name, stashed.loader))
        spec = self._find(name, path, target)
        if spec is None:
            return None
        if not self._is_projects(spec):
            self._note_foreign([name])
            return spec
        if spec.has_location and spec.origin is not None:
            if type(spec.loader) is importlib.machinery.SourceFileLoader:
                spec.loader = ProjectLoader(spec.loader.name, spec.loader.path)
            if self._recording:
                self._files[spec.origin] = None
        if self._recording and self._segments and self._inside_of_foreign_import(_importer()):
            # An installed package has imported a file of the project, a plugin or its namesake.
            self._segments[-1].depends = True
        return spec

    def _find(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> importlib.machinery.ModuleSpec | None:
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            if finder is not self and find is not None:
                spec: importlib.machinery.ModuleSpec | None = find(name, path, target)
                if spec is not None:
                    return spec
        return None

    def _is_projects(self, spec: importlib.machinery.ModuleSpec) -> bool:
        if spec.has_location and spec.origin is not None:
            return self.project.owns(spec.origin)
        # A folder without an __init__.py has only places.
        return any(self.project.owns(os.path.join(place, "")) for place in spec.submodule_search_locations or ())

    def reveal(self, name: str) -> ModuleType:
        """A stashed module is being imported."""
        assert self._stash is not None
        if self._recording and self._start_over is not None:
            # Later there is no way back: then a copy imports it, or we do.
            try:
                self._stash.check(name)
            except Mismatch as error:
                self._start_over(error)
        module, names = self._stash.reveal(name)
        self._note_foreign(names)
        return module

    # -- what depends on what the project does ----------------------------------------------------

    def _note_foreign(self, names: list[str]) -> None:
        if not self._recording:
            return
        if not self._segments or not self._inside_of_foreign_import(_importer()):
            segment = Segment()
            segment.depends = bool(self._variables.changed_for((), False))
            self._segments.append(segment)
        self._segments[-1].names += names

    def _variable_read(self, name: str | None) -> None:
        changed = self._variables.changed()
        if (changed if name is None else name in changed) and self._segments:
            if self._inside_of_foreign_import(sys._getframe(2)):
                self._segments[-1].depends = True

    def _inside_of_foreign_import(self, frame: FrameType | None) -> bool:
        """True for code that runs because the project imports something; false for what it calls."""
        inside = False
        while frame is not None:
            filename = frame.f_code.co_filename
            if filename.startswith(_FROZEN_IMPORTLIB):
                inside = True
            elif filename == _LOADING or self.project.owns(filename):
                return inside
            frame = frame.f_back
        return False


def _importer() -> FrameType | None:
    """The frame whose import statement is being executed."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    while frame is not None and frame.f_code.co_filename.startswith(_FROZEN_IMPORTLIB):
        frame = frame.f_back
    return frame


class Revealing(importlib.abc.Loader):
    """Loads a module by letting it be seen."""

    def __init__(self, reveal: Callable[[str], ModuleType], name: str, loader: Any) -> None:
        self._reveal = reveal
        self._name = name
        self._loader = loader
        self._spec: Any = None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """The module, complete."""
        module = self._reveal(self._name)
        self._spec = getattr(module, "__spec__", None)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Undo what the import system has written into it."""
        module.__spec__ = self._spec

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def with_loader(spec: importlib.machinery.ModuleSpec, loader: Any) -> importlib.machinery.ModuleSpec:
    """A copy of a spec that loads in another way."""
    twin = importlib.machinery.ModuleSpec(spec.name, loader, origin=spec.origin, loader_state=spec.loader_state)
    twin.submodule_search_locations = spec.submodule_search_locations
    twin.has_location = spec.has_location
    if spec.has_location:
        twin.cached = spec.cached
    return twin


def _origin(module: Any) -> str | None:
    """The file of a module; modules that load themselves at the first touch are not touched."""
    try:
        values = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return None
    origin = values.get("__file__") or getattr(values.get("__spec__"), "origin", None)
    return origin if isinstance(origin, str) else None
