"""`Environment`: what tools there are for an agent, what it can be asked, and how that is graded.

An environment is a declaration. Serving it is the business of the worker (`hud.worker`), but a plain
script can call local tools and run local scenarios too, which is how environments get tested.

    env = Environment("orders", instructions="A shop's order book.")

    @env.tool                                        # arguments and result described by annotations
    async def cancel(order: str, ctx: Context) -> str:
        await ctx.report_progress(1, 2)              # see hud.Context
        sure = await ctx.elicit(f"Cancel {order}?", bool)
        ...

    @env.tool                                        # text, images, files: content blocks, in a list or alone
    def chart() -> ImageContent:
        return ImageContent.from_file("chart.png")

    @env.resource("orders://{id}", mime_type="application/json", complete={"id": lambda request: ids(request.value)})
    def order(id: str) -> dict: ...                  # env.notify_resource_updated("orders://7") tells who watches it

    @env.prompt                                      # beside the scenarios, which are prompts too
    def summary(style: Literal["short", "long"] = "short") -> str: ...

Tools, resources and prompts may be added and removed while clients are connected.
"""

from __future__ import annotations

import functools
import inspect
import re
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from typing import Any, Literal, ParamSpec, Protocol, TypeVar, overload
from weakref import WeakKeyDictionary, WeakSet

from hud import _prompt, _toolcall
from hud._completion import Completer, Key
from hud._context import current_peer, for_current_call
from hud._frames import ErrorReport
from hud._grade import submitted
from hud._resource import PromptTemplate, Resource
from hud._scenario import Scenario, ScenarioHandle, Template, TemplateHandle
from hud._session import Session
from hud._task import Task
from hud._tool import ArgumentError, Tool, ToolInfo, as_icons

P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., Any])
Hook = Callable[..., Any]
Listed = Literal["tools", "prompts", "resources"]


class Listener(Protocol):
    """Who tells a client that something of the environment has changed."""

    def list_changed(self, listed: Listed) -> None: ...

    def resource_updated(self, uri: str) -> None: ...


_TOOL_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}")


def normalize_name(name: str) -> str:
    """Lower case letters, digits and single dashes; an empty name becomes `environment`."""
    text = re.sub(r"[\s_]", "-", name.strip().lower())
    text = re.sub(r"-+", "-", re.sub(r"[^a-z0-9-]", "", text)).strip("-")
    return text or "environment"


class ToolList(list[ToolInfo]):
    """The local tools; awaiting it adds those that only the client of a rollout knows."""

    def __await__(self) -> Generator[Any, None, ToolList]:
        return self._complete().__await__()

    async def _complete(self) -> ToolList:
        peer = current_peer()
        if peer is None:
            return self
        known = {tool.name for tool in self}
        remote = await peer.request("hud/listTools", {})
        return ToolList([*self, *(ToolInfo(tool) for tool in remote.get("tools", []) if tool["name"] not in known)])


class Environment:
    """Tools, scenarios, resources and prompts under one name.

    `instructions` tell a client what the environment is for; `title`, `icons` and `website_url` are what
    it may show of it. What is added or removed while a client is connected is announced to it.
    """

    def __init__(
        self,
        name: str = "environment",
        instructions: str | None = None,
        version: str = "0.0.1",
        *,
        title: str | None = None,
        icons: list[dict[str, Any]] | None = None,
        website_url: str | None = None,
    ) -> None:
        self.name = normalize_name(name)
        self.instructions = instructions
        self.version = version
        self.title = title
        self.icons = as_icons(icons, f"environment '{self.name}'")
        self.website_url = website_url
        self.tools: dict[str, Tool] = {}
        self.scenarios: dict[str, Scenario] = {}
        self.resources: dict[str, Resource] = {}
        self.prompts: dict[str, PromptTemplate] = {}
        self.completers: dict[Key, Completer] = {}
        self._initialize: list[Hook] = []
        self._shutdown: list[Hook] = []
        # What `run_scenario_setup` started, for each client: one process may serve several.
        self._sessions: WeakKeyDictionary[Any, Session] = WeakKeyDictionary()
        self._listeners: WeakSet[Any] = WeakSet()

    def __repr__(self) -> str:
        return f"Environment({self.name!r}, {len(self.tools)} tools, {len(self.scenarios)} scenarios)"

    # -- declaring ----------------------------------------------------------------------------

    @overload
    def tool(self, name_or_function: F, /) -> F: ...

    @overload
    def tool(
        self,
        name_or_function: str | None = None,
        /,
        *,
        name: str | None = None,
        description: str | None = None,
        title: str | None = None,
        annotations: dict[str, Any] | None = None,
        meta: dict[str, Any] | None = None,
        icons: list[dict[str, Any]] | None = None,
        input_schema: dict[str, Any] | None = None,
        output_schema: dict[str, Any] | None = None,
    ) -> Callable[[F], F]: ...

    def tool(self, name_or_function: Any = None, /, **options: Any) -> Any:
        """Declare a function as a tool: `@env.tool`, `@env.tool()`, `@env.tool("name")`. The function stays as it is.

        The options are those of `hud._tool.Tool`: `input_schema` for arguments that annotations cannot
        describe (any JSON Schema 2020-12, sent word for word), `output_schema`, `annotations`, `icons`, …
        """
        if callable(name_or_function):
            self.add_tool(name_or_function, **options)
            return name_or_function
        if name_or_function is not None:
            options["name"] = name_or_function

        def decorate(function: F) -> F:
            self.add_tool(function, **options)
            return function

        return decorate

    def add_tool(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        title: str | None = None,
        annotations: dict[str, Any] | None = None,
        meta: dict[str, Any] | None = None,
        icons: list[dict[str, Any]] | None = None,
        input_schema: dict[str, Any] | None = None,
        output_schema: dict[str, Any] | None = None,
    ) -> Tool:
        """Add a function, a bound method or a callable object as a tool."""
        if isinstance(function, Tool):
            tool = function
        elif isinstance(function, (ScenarioHandle, TemplateHandle)):
            raise TypeError(f"{function!r} is a scenario; tools are plain functions")
        elif not callable(function):
            raise TypeError(f"a tool is a function, not {type(function).__name__}")
        else:
            tool = Tool(
                function,
                name,
                description,
                title=title,
                annotations=annotations,
                meta=meta,
                icons=icons,
                input_schema=input_schema,
                output_schema=output_schema,
            )
        if not _TOOL_NAME.fullmatch(tool.name):
            raise ValueError(f"tool name {tool.name!r}: use letters, digits, '_', '-' and '.', at most 128 characters")
        if tool.name in self.tools:
            warnings.warn(f"tool '{tool.name}' of environment '{self.name}' is replaced", stacklevel=3)
        self.tools[tool.name] = tool
        self._changed("tools")
        return tool

    def remove_tool(self, name: str) -> None:
        """Take a tool away; KeyError when there is none of this name."""
        if name not in self.tools:
            raise KeyError(f"environment '{self.name}' has no tool '{name}'")
        del self.tools[name]
        self._changed("tools")

    def scenario(
        self,
        name: str | None = None,
        description: str | None = None,
        chat: bool = False,
        required_env_vars: list[str] | None = None,
        exclude_tools: list[str] | None = None,
        exclude_sources: list[str] | None = None,
        allowed_tools: list[str] | None = None,
        returns: Any = None,
        enable_citations: bool = False,
        complete: Mapping[str, Completer] | None = None,
    ) -> Callable[[Callable[P, AsyncGenerator[Any, Any]]], ScenarioHandle[P]]:
        """Declare an async generator as a scenario: it yields the prompt, receives the answer, yields the reward.

        `complete` names values that a client may offer for an argument, or a function that finds them
        (see `completion`).
        """

        def decorate(function: Callable[P, AsyncGenerator[Any, Any]], name: str | None = name) -> ScenarioHandle[P]:
            scenario = Scenario(
                function,
                self,
                name,
                description,
                chat=chat,
                required_env_vars=required_env_vars,
                exclude_tools=exclude_tools,
                exclude_sources=exclude_sources,
                allowed_tools=allowed_tools,
                returns=returns,
                enable_citations=enable_citations,
                complete=complete,
            )
            if scenario.name in self.scenarios:
                warnings.warn(f"{scenario.owner} of environment '{self.name}' is replaced", stacklevel=2)
            self.scenarios[scenario.name] = scenario
            self._changed("prompts", "resources")
            return ScenarioHandle(scenario)

        if callable(name):
            # `@env.scenario` without parentheses: the function arrives where the name belongs.
            return decorate(name, None)
        return decorate

    def template(
        self, id: str | None = None, description: str = "", input: Any = None, returns: Any = None
    ) -> Callable[[Callable[P, AsyncGenerator[Any, Any]]], TemplateHandle[P]]:
        """Declare a scenario in the manner of generation 6: calling it makes a task, and a grade has a `score`."""

        def decorate(function: Callable[P, AsyncGenerator[Any, Any]], id: str | None = id) -> TemplateHandle[P]:
            from hud._schema import schema_of

            template = Template(function, self, id, description or None, returns=returns)
            if template.name in self.scenarios:
                raise ValueError(f"environment '{self.name}' already has a scenario '{template.name}'")
            template.input_schema = None if input is None else schema_of(input)
            self.scenarios[template.name] = template
            self._changed("prompts", "resources")
            return TemplateHandle(template)

        if callable(id):
            return decorate(id, None)
        return decorate

    def resource(
        self,
        uri: str,
        *,
        name: str | None = None,
        title: str | None = None,
        description: str | None = None,
        mime_type: str | None = None,
        annotations: dict[str, Any] | None = None,
        meta: dict[str, Any] | None = None,
        icons: list[dict[str, Any]] | None = None,
        size: int | None = None,
        complete: Mapping[str, Completer] | None = None,
    ) -> Callable[[F], F]:
        """Declare a function as a resource; `{parts}` of the URI are its parameters, `{parts*}` with slashes.

        Clients may subscribe to it: say `env.notify_resource_updated(uri)` when its content has changed.
        """
        if not isinstance(uri, str):
            raise TypeError('a resource needs its address: @env.resource("data://orders")')

        def decorate(function: F) -> F:
            resource = Resource(
                function,
                uri,
                name=name,
                title=title,
                description=description,
                mime_type=mime_type,
                annotations=annotations,
                meta=meta,
                icons=icons,
                size=size,
                complete=complete,
            )
            self.resources[uri] = resource
            self._changed("resources")
            return function

        return decorate

    def remove_resource(self, uri: str) -> None:
        """Take a resource (or a template, by its own address) away; KeyError when there is none."""
        if uri not in self.resources:
            raise KeyError(f"environment '{self.name}' has no resource '{uri}'")
        del self.resources[uri]
        self._changed("resources")

    def notify_resource_updated(self, uri: str) -> None:
        """Tell the clients that have subscribed to this address that its content has changed."""
        for listener in tuple(self._listeners):
            listener.resource_updated(uri)

    def prompt(
        self,
        name_or_function: Any = None,
        /,
        *,
        name: str | None = None,
        title: str | None = None,
        description: str | None = None,
        meta: dict[str, Any] | None = None,
        icons: list[dict[str, Any]] | None = None,
        complete: Mapping[str, Completer] | None = None,
    ) -> Any:
        """Declare a function as an MCP prompt, in the three spellings of `tool`.

        It returns what a scenario may yield first: a text, content blocks (images, embedded resources),
        messages with roles, or a list of these.
        """

        def decorate(function: F) -> F:
            prompt = PromptTemplate(
                function, name, title=title, description=description, meta=meta, icons=icons, complete=complete
            )
            self.prompts[prompt.name] = prompt
            self._changed("prompts")
            return function

        if callable(name_or_function):
            return decorate(name_or_function)
        name = name_or_function if name_or_function is not None else name
        return decorate

    def remove_prompt(self, name: str) -> None:
        """Take a prompt away; KeyError when there is none of this name."""
        if name not in self.prompts:
            raise KeyError(f"environment '{self.name}' has no prompt '{name}'")
        del self.prompts[name]
        self._changed("prompts")

    @overload
    def completion(self, name: F, /) -> F: ...

    @overload
    def completion(self, name: str | None = None, argument: str | None = None, /) -> Callable[[F], F]: ...

    def completion(self, name: Any = None, argument: str | None = None, /) -> Any:
        """Declare a function that finds values while a person types an argument.

            @env.completion("initials", "company")
            async def companies(request: hud.CompletionRequest) -> list[str]:
                return [row.name for row in await search(request.value)]

        `name` is a scenario, a prompt or the address of a resource template; without `argument` the
        function is asked for all of its arguments, without either for everything. It returns the values,
        best first (a client shows at most 100), or None to leave the argument to its type.
        """
        if name is not None and not isinstance(name, str):
            self.completers["", None] = name
            return name
        if name is None and argument is not None:
            raise TypeError("@env.completion needs the scenario, prompt or resource that the argument belongs to")
        key: Key = (name.removeprefix(f"{self.name}:") if name else "", argument)

        def decorate(function: F) -> F:
            self.completers[key] = function
            return function

        return decorate

    def listen(self, listener: Listener) -> None:
        """Tell this object (for as long as it exists) of changes; called by whoever serves the environment."""
        self._listeners.add(listener)

    def unlisten(self, listener: Listener) -> None:
        """Stop to tell it."""
        self._listeners.discard(listener)

    def _changed(self, *listed: Listed) -> None:
        for listener in tuple(self._listeners):
            for one in listed:
                listener.list_changed(one)

    def initialize(self, function: Hook | None = None) -> Any:
        """Declare a function to run once in each copy, before its first setup or tool call."""
        return self._hook(self._initialize, function)

    def shutdown(self, function: Hook | None = None) -> Any:
        """Declare a function to run once at the end of each copy; the last declared runs first."""
        return self._hook(self._shutdown, function)

    def _hook(self, hooks: list[Hook], function: Hook | None) -> Any:
        def register(hook: Hook) -> Hook:
            hooks.append(hook)
            return hook

        return register if function is None else register(function)

    def __call__(self, scenario: str | None = None, /, **args: Any) -> Task:
        """A task: `env("initials", company="HUD")`. `env()` is a task without a scenario."""
        if scenario is not None and not isinstance(scenario, str):
            scenario = getattr(getattr(scenario, "scenario", None), "name", scenario)
        return Task(env=self, scenario=scenario, args=args)

    # -- using --------------------------------------------------------------------------------

    async def __aenter__(self) -> Environment:
        await self.run_initialize()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close_session()
        await self.run_shutdown()

    @property
    def has_initialize(self) -> bool:
        """True when there is something to run before the first setup or tool call."""
        return bool(self._initialize)

    async def run_initialize(self) -> None:
        """Run the @env.initialize hooks in order; the first exception stops them."""
        for hook in self.initialize_hooks:
            await hook()

    @property
    def initialize_hooks(self) -> list[Callable[[], Awaitable[None]]]:
        """The @env.initialize hooks in order, ready to be run."""
        return [functools.partial(_run_hook, hook) for hook in self._initialize]

    async def run_shutdown(self) -> None:
        """Run the @env.shutdown hooks, last declared first; each runs whatever the others did."""
        import sys

        for hook in reversed(self._shutdown):
            try:
                await _run_hook(hook)
            except Exception as error:
                print(ErrorReport(error).trace, file=sys.stderr, end="")

    def list_tools(self) -> ToolList:
        """The tools: at once the local ones, with `await` also those of the rollout's other connections."""
        return ToolList(ToolInfo(tool.to_mcp()) for tool in self.tools.values() if not tool.hidden)

    async def call_tool(self, call: Any, /, **kwargs: Any) -> Any:
        """Call a tool by name, or pass a provider's tool call; the result has the shape that belongs to the call."""
        parsed = _toolcall.parse(call, kwargs)
        tool = self.tools.get(parsed.name)
        if tool is not None:
            return parsed.answer(await self._call_local(tool, parsed.arguments))
        peer = current_peer()
        if peer is None:
            raise ValueError(f"Tool not found: {parsed.name}")
        arguments = _toolcall.plain_arguments(parsed.arguments)
        return parsed.answer(await peer.request("hud/callTool", {"name": parsed.name, "arguments": arguments}))

    async def call_tools(self, calls: list[Any]) -> list[Any]:
        """Call several tools concurrently, in the given order of results; text blocks among them are skipped."""
        import asyncio

        wanted = [call for call in calls if not (isinstance(call, dict) and call.get("type") == "text")]
        return list(await asyncio.gather(*(self.call_tool(call) for call in wanted)))

    async def _call_local(self, tool: Tool, arguments: dict[str, Any]) -> dict[str, Any]:
        from hud.types import ToolError

        try:
            return await tool.call(_toolcall.plain_arguments(arguments), for_current_call())
        except ArgumentError as error:
            raise ToolError(str(error)) from None
        except Exception as error:
            raise ToolError(f"Error calling tool '{tool.name}': {ErrorReport(error).text}") from error

    def find_scenario(self, name: str) -> Scenario:
        """The scenario called `name` or `environment:name`; ValueError lists what there is."""
        prefix, _, short = name.rpartition(":")
        found = self.scenarios.get(short)
        if found is None or (prefix and normalize_name(prefix) != self.name):
            available = ", ".join(f"{self.name}:{known}" for known in self.scenarios) or "none"
            raise ValueError(f"Scenario not found: '{name}'. Available scenarios: {available}")
        return found

    async def run_scenario_setup(self, scenario_name: str, args: dict[str, Any] | None = None) -> str:
        """Start a scenario; its prompt as text. A scenario that was running is closed."""
        session = Session(self.find_scenario(scenario_name), args or {})
        await self.close_session()
        self._sessions[current_peer() or self] = session
        return _prompt.text_of(await session.setup())

    async def submit(self, scenario: str, answer: Any) -> None:
        """Store the agent's answer for the running scenario."""
        self._running(scenario).answer = submitted(answer)

    async def run_scenario_evaluate(self, scenario_name: str) -> Any:
        """Grade the running scenario, which ends it; an EvaluationResult."""
        from hud.types import EvaluationResult

        session = self._running(scenario_name)
        del self._sessions[current_peer() or self]
        return EvaluationResult(**await session.grade())

    def _running(self, name: str) -> Session:
        short = name.rpartition(":")[2]
        session = self._sessions.get(current_peer() or self)
        if session is None:
            raise ValueError(f"No active scenario session for '{short}'")
        active = session.scenario.name
        if active != short:
            raise ValueError(f"Scenario mismatch: active is '{active}', not '{short}'")
        return session

    async def close_session(self) -> None:
        """End a scenario that was started with `run_scenario_setup`."""
        session = self._sessions.pop(current_peer() or self, None)
        if session is not None:
            await session.close()


async def _run_hook(hook: Hook) -> None:
    parameters = inspect.signature(hook).parameters
    wants_context = [name for name, p in parameters.items() if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    returned = hook(*([for_current_call()] if wants_context else []))
    if inspect.isawaitable(returned):
        await returned


__all__ = ["Environment", "ToolList", "normalize_name"]
