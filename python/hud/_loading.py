"""From a source on disk to an environment and its tasks.

A source is a Python file, a package, or a folder with one environment in it. The folder goes on
`sys.path`, and the module gets the name it would have there, so `from env import env` in another file
finds the same module and not a second copy.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from hud._errors import LoadError
from hud._imports import Imports, Project, ProjectLoader
from hud._task import Task
from hud.environment import Environment

_ROOT_MARKS = ("pyproject.toml", "setup.py", "setup.cfg", ".hud", ".git")
_ROOT_LEVELS = 10
_NOT_ENVIRONMENTS = {"conftest.py", "setup.py", "__init__.py", "__main__.py", "tasks.py", "task.py"}
_MAKES_ENVIRONMENT = re.compile(r"\bEnvironment\s*\(")
_RELATIVE_IMPORT = re.compile(r"^[ \t]*from[ \t]+\.", re.MULTILINE)

# An environment and what `--attr` calls it, when it was asked for or can be asked for.
Served = tuple[Environment, str | None]


class Loaded:
    """The environment to serve, the tasks found beside it, and all environments when the tasks span several."""

    def __init__(self, served: list[Served], tasks: list[tuple[str, Task]]) -> None:
        self.environment = served[0][0]
        self.tasks = tasks
        self.served = served


def roots(source: str, projects: list[str]) -> list[str]:
    """The folders whose modules are the project's: those named, and those that go on `sys.path` for the source."""
    return [*projects, *search_folders(source)]


def search_folders(source: str) -> list[str]:
    """The folders that go on `sys.path` for the source, first one first."""
    path = Path(source).resolve()
    if path.name == "__init__.py" and path.is_file():
        path = path.parent
    folders = _folders(path) if path.exists() else []
    root = _project_root(folders[0]) if folders else None
    return [*map(str, folders), *([str(root)] if root is not None else [])]


def _folders(path: Path) -> list[Path]:
    """The folders in which the modules beside a source are found."""
    if path.is_file():
        return [_above_package(path), path.parent] if _is_part(path) else [path.parent]
    return [path.parent, path] if (path / "__init__.py").is_file() else [path]


def _is_part(path: Path) -> bool:
    """True for a file that imports from the package it is in."""
    if not (path.parent / "__init__.py").is_file():
        return False
    return _RELATIVE_IMPORT.search(path.read_text(encoding="utf-8", errors="replace")) is not None


def _above_package(path: Path) -> Path:
    """The folder that the outermost package around a file is in."""
    return next(folder for folder in path.parents if not (folder / "__init__.py").is_file())


def load(source: str, attr: str | None, imports: Imports | None = None) -> Loaded:
    """Import the source. LoadError says what is wrong with it; exceptions of its own code pass through."""
    imports = imports or Imports(Project(roots(source, [])))
    with imports.recorded():
        return _load(source, attr, imports)


def _load(source: str, attr: str | None, imports: Imports) -> Loaded:
    path = Path(source).resolve()
    if not path.exists():
        raise LoadError(f"{source} does not exist", kind="FileNotFoundError")
    module = _import(path, imports)
    tasks = find_tasks(module)
    if path.is_dir() and not tasks:
        tasks = _tasks_beside(path, imports)
    served = find_environments(module, attr, [task for _, task in tasks], path)
    if attr:
        # Only this environment is served, so tasks of another could not run in it.
        tasks = [(name, task) for name, task in tasks if task.environment in (None, served[0][0])]
    return Loaded(served, tasks)


def _import(path: Path, imports: Imports) -> ModuleType:
    if path.is_file():
        if path.suffix != ".py":
            raise LoadError(f"{path} is not a Python file", hint="give a .py file or a folder with an env.py")
        if path.name == "__init__.py":
            return _import_package(path.parent, imports)
        return _import_file(path, imports)
    if (path / "__init__.py").is_file():
        return _import_package(path, imports)
    return _import_file(_file_in(path), imports)


def _file_in(folder: Path) -> Path:
    """env.py, else the one file that makes an environment; found by reading, importing all could act."""
    if (folder / "env.py").is_file():
        return folder / "env.py"
    candidates = [
        file
        for file in sorted(folder.glob("*.py"))
        if file.name not in _NOT_ENVIRONMENTS
        and not file.name.startswith(("_", "test_"))
        and _MAKES_ENVIRONMENT.search(file.read_text(encoding="utf-8", errors="replace"))
    ]
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        names = ", ".join(file.name for file in candidates)
        raise LoadError(f"{folder} has several files that make an Environment: {names}", hint="name the file")
    raise LoadError(f"no environment in {folder}", hint="write an env.py with `env = hud.Environment(…)`")


def _search_path(*folders: Path) -> None:
    """Put folders at the front of sys.path, the first one first; the project's root goes behind them."""
    root = _project_root(folders[0])
    for folder in reversed(folders):
        text = str(folder)
        if text in sys.path:
            sys.path.remove(text)
        sys.path.insert(0, text)
    if root is not None and str(root) not in sys.path:
        sys.path.insert(len(folders), str(root))


def _project_root(folder: Path) -> Path | None:
    above = [str(level) for level in (folder, *folder.parents)[:_ROOT_LEVELS]]
    # An env.py marks a root too, but the environment's own must not hide the project around it.
    for marks in (_ROOT_MARKS, ("env.py",)):
        for candidate in above:
            if any(os.path.exists(os.path.join(candidate, mark)) for mark in marks):
                return Path(candidate)
    return None


def _import_file(path: Path, imports: Imports) -> ModuleType:
    _search_path(*_folders(path))
    if _is_part(path):
        # Alone it could not say `from .tools import …`.
        imports.note_file(str(path))
        importlib.invalidate_caches()
        return importlib.import_module(".".join(path.relative_to(_above_package(path)).with_suffix("").parts))
    return _execute(_free_name(path.stem, path), path, None, imports)


def _import_package(folder: Path, imports: Imports) -> ModuleType:
    _search_path(*_folders(folder))
    return _execute(_free_name(folder.name, folder / "__init__.py"), folder / "__init__.py", [str(folder)], imports)


def _free_name(stem: str, path: Path) -> str:
    """The module's natural name, unless another module already has it or it is not a name."""
    name = re.sub(r"\W", "_", stem)
    taken = sys.modules.get(name)
    if taken is not None and getattr(taken, "__file__", None) != str(path):
        return f"hud_source_{name}"
    if name in sys.stdlib_module_names:
        return f"hud_source_{name}"
    return name if name.isidentifier() else f"hud_source_{name}"


def _execute(name: str, path: Path, search: list[str] | None, imports: Imports) -> ModuleType:
    loader = ProjectLoader(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader, submodule_search_locations=search)
    if spec is None or spec.loader is None:
        raise LoadError(f"{path} cannot be imported")
    imports.note_file(str(path))
    forget_folders()
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def forget_folders() -> None:
    """Have the import system look into its folders again, as `importlib.invalidate_caches` does.

    Without importing `importlib.metadata` for it, which that does since Python 3.12.
    """
    for path, finder in list(sys.path_importer_cache.items()):
        if finder is None:
            del sys.path_importer_cache[path]
        elif hasattr(finder, "invalidate_caches"):
            finder.invalidate_caches()


def find_environments(module: ModuleType, attr: str | None, tasks: list[Task], path: Path) -> list[Served]:
    """The environment that `attr` names; else those that the tasks choose; else `env`, `environment` or the only one.

    The first one is served; more than one is only found when the tasks span several.
    """
    found = {name: value for name, value in vars(module).items() if isinstance(value, Environment)}
    of_tasks = _distinct(task.environment for task in tasks if task.environment is not None)
    if attr:
        return [(_named(attr, module, of_tasks, path, found), attr)]
    usual = next((found[name] for name in ("env", "environment") if name in found), None)
    if of_tasks:
        of_tasks.sort(key=lambda environment: environment is not usual)
        served = [(environment, _attr_of(environment, module, of_tasks)) for environment in of_tasks]
        unreachable = [environment.name for environment, attr in served if attr is None]
        if len(served) > 1 and unreachable:
            raise LoadError(
                f"the tasks of {path} belong to several environments called '{unreachable[0]}'",
                hint="give each a name of its own, or import each into the file under a name of its own",
            )
        return served
    if usual is not None:
        return [(usual, None)]
    distinct = _distinct(found.values())
    if len(distinct) == 1:
        return [(distinct[0], None)]
    if distinct:
        names = ", ".join(f"{name} ({value.name})" for name, value in found.items())
        raise LoadError(
            f"{path} has several environments: {names}",
            hint=f"name one, for example `hud scenario list --env {shlex.quote(f'{path}:{next(iter(found))}')}`",
        )
    if tasks and all(task.mcp_config or task.env is not None for task in tasks):
        # They bring their own, as tasks of the older form do; this one only carries them to the client.
        return [(Environment(path.stem), None)]
    raise LoadError(f"{path} makes no Environment", hint="write `env = hud.Environment(…)` at the top level")


def _named(
    attr: str, module: ModuleType, of_tasks: list[Environment], path: Path, found: dict[str, Environment]
) -> Environment:
    """What `--attr` names: a variable, one of an imported module (`shop.env`), or a task's environment by its name."""
    value: Any = module
    for part in attr.split("."):
        value = vars(value).get(part) if isinstance(value, ModuleType) else None
    if isinstance(value, Environment):
        return value
    by_name = [environment for environment in of_tasks if environment.name == attr]
    if len(by_name) == 1:
        return by_name[0]
    listed = ", ".join(found) or "none"
    raise LoadError(f"{path} has no Environment named '{attr}' (it has: {listed})", kind="AttributeError")


def _attr_of(environment: Environment, module: ModuleType, of_tasks: list[Environment]) -> str | None:
    """The shortest thing that `_named` understands as this environment."""
    for name, value in vars(module).items():
        if value is environment:
            return name
    for name, value in vars(module).items():
        if isinstance(value, ModuleType):
            for inner, candidate in vars(value).items():
                if candidate is environment:
                    return f"{name}.{inner}"
    alone = sum(other.name == environment.name for other in of_tasks) == 1
    return environment.name if alone and environment.name not in vars(module) else None


def _distinct(environments: Iterable[Environment]) -> list[Environment]:
    return list({id(environment): environment for environment in environments}.values())


def find_tasks(module: ModuleType) -> list[tuple[str, Task]]:
    """`tasks` when the module has it, else every public attribute that is a task or a list of tasks."""
    listed = vars(module).get("tasks")
    if isinstance(listed, (list, tuple, dict)):
        found = list(_tasks_in("tasks", listed))
        others = len(listed) - len(found)
        if others:
            wrong = next(
                v for v in (listed.values() if isinstance(listed, dict) else listed) if not isinstance(v, Task)
            )
            raise LoadError(f"'tasks' contains a {type(wrong).__name__}, not only tasks", kind="TypeError")
        return found
    seen: set[int] = set()
    result = []
    for name, value in vars(module).items():
        if name.startswith("_"):
            continue
        for variable, task in _tasks_in(name, value):
            if id(task) not in seen:
                seen.add(id(task))
                result.append((variable, task))
    return result


def _tasks_in(name: str, value: Any) -> Iterable[tuple[str, Task]]:
    if isinstance(value, Task):
        yield name, value
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            if isinstance(item, Task):
                yield f"{name}[{index}]", item
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, Task):
                yield f"{name}[{key!r}]", item


def _tasks_beside(folder: Path, imports: Imports) -> list[tuple[str, Task]]:
    """A folder's tasks.py or task.py, which imports the environment that is already loaded."""
    for name in ("tasks.py", "task.py"):
        if (folder / name).is_file():
            return find_tasks(_import_file(folder / name, imports))
    return []
