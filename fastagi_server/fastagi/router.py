"""Routes: what the dialplan may ask for. A route is a value, a router is made of a tuple of them.

    @route("hours/check")
    async def check(channel: AgiChannel, services: Services, *, zone: str = "UTC") -> Variables:
        \"\"\"Set SGE_OPEN to 1 or 0.\"\"\"
        return {"SGE_OPEN": "1" if services.hours.open(zone) else "0"}

`AGI(agi://127.0.0.1/hours/check?zone=Europe/Brussels)` or `AGI(agi://127.0.0.1/hours/check,UTC)`
calls it. What it returns are the channel variables the dialplan goes on with; they are written in
one batch as the session's last act. Keyword parameters come from the query string by name, or from
the arguments by position, and are converted by their annotation: `str`, `int`, `float`, `bool`
(`yes`, `no`, `1`, `0`, `true`, `false`, `on`, `off`) or an enumeration of text.
"""

import inspect
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from fastagi_server.agi.request import AgiRequest
from fastagi_server.fastagi.endings import CONTINUE, OnError

Variables = Mapping[str, str]
"""Channel variables by name."""

Handler = Callable[..., Awaitable[Variables | None]]
"""`async (channel, services, *, parameters...) -> Variables | None`."""

DEFAULT_BUDGET_SECONDS = 10.0
"""How long a route may keep a caller waiting unless it says otherwise."""

MAX_ARGUMENT = 1024
"""Characters of one parameter's text."""

_PLAIN_KINDS = (str, int, float, bool)
_BOOLEANS = {
    **dict.fromkeys(("1", "yes", "true", "on"), True),
    **dict.fromkeys(("0", "no", "false", "off"), False),
}


class ArgumentError(ValueError):
    """A parameter is missing, too long, or not of its type."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One keyword parameter: `kind` converts its text, `required` when it has no default."""

    name: str
    kind: type[Any]
    required: bool

    def convert(self, text: str) -> Any:
        """The value of `text`. Raises `ArgumentError`."""
        if len(text) > MAX_ARGUMENT:
            raise ArgumentError(f"{self.name} is longer than {MAX_ARGUMENT} characters")
        try:
            if self.kind is bool:
                return _BOOLEANS[text.strip().lower()]
            if issubclass(self.kind, Enum):
                return self.kind(text.strip().lower())
            return _finite(text) if self.kind is float else self.kind(text)
        except (ValueError, KeyError):
            raise ArgumentError(f"{self.name} is not a {self.kind.__name__}") from None


@dataclass(frozen=True, slots=True)
class Route:
    """A path of the AGI URL and the function that serves it.

    `budget_seconds` bounds the whole route, None for routes that run as long as the call does.
    """

    path: str
    handler: Handler
    parameters: tuple[Parameter, ...]
    on_error: OnError = CONTINUE
    budget_seconds: float | None = DEFAULT_BUDGET_SECONDS
    has_required: bool = field(init=False)
    """Whether it cannot be called without arguments."""

    def __post_init__(self) -> None:
        required = any(parameter.required for parameter in self.parameters)
        object.__setattr__(self, "has_required", required)

    @property
    def description(self) -> str:
        """The handler's docstring."""
        return inspect.getdoc(self.handler) or ""

    def bind(self, request: AgiRequest) -> dict[str, Any]:
        """The handler's keyword arguments from the query string and the AGI arguments.

        A name in the query wins over a position. An empty text counts as not given.
        Raises `ArgumentError`.
        """
        if not request.query and not request.arguments and not self.has_required:
            return {}
        bound: dict[str, Any] = {}
        for position, parameter in enumerate(self.parameters):
            text = request.query.get(parameter.name, "")
            if not text and position < len(request.arguments):
                text = request.arguments[position]
            if text:
                bound[parameter.name] = parameter.convert(text)
            elif parameter.required:
                raise ArgumentError(f"{parameter.name} is missing")
        return bound


def route(
    path: str,
    *,
    on_error: OnError = CONTINUE,
    budget_seconds: float | None = DEFAULT_BUDGET_SECONDS,
) -> Callable[[Handler], Route]:
    """Make a route of a handler; the decorated name is then the route itself.

    Raises `TypeError` for a keyword parameter of a type that no text is converted to.
    """

    def decorate(handler: Handler) -> Route:
        return Route(path, handler, _parameters(handler), on_error, budget_seconds)

    return decorate


class Router:
    """Finds the route of a request; `default` serves the empty path.

    `policies` replaces the `on_error` of routes by path. Raises `ValueError` for two routes of one
    path, a default or a policy without a route.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        *,
        default: str = "register",
        policies: Mapping[str, OnError] | None = None,
    ) -> None:
        self.routes = tuple(routes)
        self._by_path = {route.path: route for route in self.routes}
        if len(self._by_path) != len(self.routes):
            raise ValueError("two routes have the same path")
        if default not in self._by_path:
            raise ValueError(f"no route {default!r} to serve the empty path")
        self._by_path[""] = self._by_path[default]
        self._policies = dict(policies or {})
        unknown = self._policies.keys() - self._by_path.keys()
        if unknown:
            raise ValueError(f"on_error names no route: {', '.join(sorted(unknown))}")

    def find(self, path: str) -> Route | None:
        """The route of this path, None when there is none."""
        return self._by_path.get(path)

    def policy(self, route: Route) -> OnError:
        """What this route does when it fails: the administrator's word, else the route's own."""
        return self._policies.get(route.path, route.on_error)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _parameters(handler: Handler) -> tuple[Parameter, ...]:
    signature = inspect.signature(handler, eval_str=True)
    return tuple(
        Parameter(parameter.name, _kind(parameter), parameter.default is parameter.empty)
        for parameter in signature.parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    )


def _kind(parameter: inspect.Parameter) -> type[Any]:
    kind = parameter.annotation
    if isinstance(kind, type) and (kind in _PLAIN_KINDS or issubclass(kind, Enum)):
        return kind
    raise TypeError(f"{parameter} is not a str, int, float, bool or an enumeration of text")
