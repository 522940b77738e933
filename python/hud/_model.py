"""The base of every record in `hud.types`: keyword construction, checked fields, dumping, equality.

Environments must start in milliseconds and have nothing to install, so pydantic is not an option
here; what its users rely on (`model_dump`, `model_validate`, `model_copy`, validation of fields,
JSON schemas) is offered under the same names. Which annotations a field may have is said in
`hud._fields`. Records are not hashable, because their fields may be assigned (and are checked then).
"""

from __future__ import annotations

import json
import math
import os
import sys
import typing
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from hud._fields import MISSING, Convert, Field, attempt, converter, field, schema_of, shown

if TYPE_CHECKING:
    from typing_extensions import Self, dataclass_transform
else:

    def dataclass_transform(**_options: Any) -> Callable[[type], type]:
        """Only type checkers read the decorator, and Python 3.10 has none in `typing`."""
        return lambda cls: cls


_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class ValidationError(ValueError, TypeError):
    """A record was given a wrong value, an unknown field, or lacks a required one.

    It is both a ValueError (what pydantic raised) and a TypeError (what a dataclass raises), so code
    that was written for either catches it.
    """


def warn(message: str) -> None:
    """Warn at the line of the caller's code, not at a line of this package."""
    level, frame = 1, sys._getframe()
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back  # type: ignore[assignment]
    warnings.warn(message, UserWarning, stacklevel=level)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant, or None when nothing is close."""
    import difflib

    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.7)
    return close[0] if close else None


def json_safe(value: Any, _outer: tuple[int, ...] = ()) -> Any:
    """Turn any value into JSON data; what has no JSON form becomes a text that names its type."""
    if value is None or isinstance(value, (str, bool, int)):
        # A str Enum is a str too, but only its value is JSON.
        return getattr(value, "value", value) if type(value) not in (str, bool, int) else value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if id(value) in _outer:
        return f"<{type(value).__name__}: contains itself>"
    outer = (*_outer, id(value))
    try:
        if isinstance(value, Mapping):
            return {str(getattr(key, "value", key)): json_safe(item, outer) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [json_safe(item, outer) for item in value]
        if isinstance(value, (set, frozenset)):
            return [json_safe(item, outer) for item in sorted(value, key=str)]
        if hasattr(value, "model_dump"):
            return json_safe(value.model_dump(), outer)
        if hasattr(value, "__dataclass_fields__"):
            return {name: json_safe(getattr(value, name), outer) for name in value.__dataclass_fields__}
        if isinstance(value, os.PathLike):
            return str(value)
        if hasattr(value, "tolist"):
            # numpy's scalars and arrays know their plain Python form.
            return json_safe(value.tolist(), outer)
        if hasattr(value, "isoformat"):
            return value.isoformat()
        if hasattr(value, "value") and hasattr(type(value), "__members__"):
            return json_safe(value.value, outer)
    except Exception:
        # Records with broken accessors are still better named than allowed to end a grade.
        pass
    return f"<{type(value).__name__}: not serializable>"


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
class Model:
    """A record with named, checked fields. Subclasses declare them as annotations."""

    _extra: ClassVar[Literal["forbid", "allow"]] = "forbid"
    _declared: ClassVar[dict[str, Field]] = {}
    _names: ClassVar[dict[str, str]] = {}
    _converters: ClassVar[dict[str, Convert] | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        declared = dict(cls._declared)
        for name, hint in cls.__annotations__.items():
            if name.startswith("_") or "ClassVar" in str(hint):
                continue
            given = cls.__dict__.get(name, MISSING)
            declared[name] = given if isinstance(given, Field) else Field(given)
            if name in cls.__dict__:
                # Values live in the instance; a class attribute would hide that a field is unset.
                delattr(cls, name)
        cls._declared = declared
        cls._names = {name: name for name in declared}
        for name, known in declared.items():
            cls._names.update({other: name for other in (known.wire, known.also) if other})
        cls._converters = None

    def __init__(self, *args: Any, **data: Any) -> None:
        cls = type(self)
        if args:
            raise TypeError(f"{cls.__name__} takes keyword arguments only, e.g. {cls._example()}")
        problems: list[str] = []
        values: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        converters = cls._field_converters()
        for key, value in data.items():
            name = cls._names.get(key)
            if name is None:
                self._take_extra(key, value, extra, problems)
            elif name in values:
                problems.append(f"'{name}' was given twice (also as '{cls._declared[name].also}')")
            else:
                values[name] = attempt(converters[name], name, value, problems)
        for name, known in cls._declared.items():
            if name not in values:
                if known.required:
                    problems.append(f"missing field '{name}'")
                else:
                    values[name] = known.make_default()
        if problems:
            raise ValidationError(f"{cls.__name__}: " + "; ".join(problems))
        # Fields are stored in the order of their declaration, which is the order of dumps and reprs.
        self.__dict__.update({name: values[name] for name in cls._declared})
        self.__dict__.update(extra)
        self._after_init()

    def _after_init(self) -> None:
        """Checks that need several fields; called once all of them are set."""

    @classmethod
    def _take_extra(cls, key: str, value: Any, extra: dict[str, Any], problems: list[str]) -> None:
        meant = nearest(key, cls._names)
        hint = f"; did you mean '{meant}'?" if meant else ""
        if cls._extra == "forbid":
            known = "" if meant else f"; known fields: {', '.join(cls._declared)}"
            problems.append(f"unknown field '{key}'{hint}{known}")
            return
        if meant:
            # Extra fields are allowed, so this one is kept, but a misspelling would be lost in silence.
            warn(f"{cls.__name__}: '{key}' was kept as an extra field{hint}")
        extra[key] = value

    @classmethod
    def _example(cls) -> str:
        names = [name for name, known in cls._declared.items() if known.required] or list(cls._declared)[:1]
        return f"{cls.__name__}({', '.join(f'{name}=…' for name in names)})"

    @classmethod
    def _hints(cls) -> dict[str, Any]:
        return typing.get_type_hints(cls, include_extras=True)

    @classmethod
    def _field_converters(cls) -> dict[str, Convert]:
        # Built at first use, because annotations may name records that are defined further down.
        if cls._converters is None:
            hints = cls._hints()
            cls._converters = {name: converter(hints[name]) for name in cls._declared}
        return cls._converters

    def __setattr__(self, name: str, value: Any) -> None:
        cls = type(self)
        known = cls._names.get(name)
        if known is not None:
            problems: list[str] = []
            value = attempt(cls._field_converters()[known], known, value, problems)
            if problems:
                raise ValidationError(f"{cls.__name__}: {problems[0]}")
        elif name == "__orig_class__":
            # `AgentAnswer[T](…)` tries to leave its T on the record, where it would look like a field.
            raise AttributeError(name)
        elif cls._extra == "forbid" and not name.startswith("_"):
            meant = nearest(name, cls._names)
            hint = f"; did you mean '{meant}'?" if meant else ""
            raise AttributeError(f"{cls.__name__} has no field '{name}'{hint}")
        self.__dict__[known or name] = value

    def __getattr__(self, name: str) -> Any:
        known = type(self)._names.get(name)
        if known is not None and known != name:
            return self.__dict__[known]
        # Python itself probes for dunder names, and those are no misspelt fields.
        meant = None if name.startswith("_") else nearest(name, type(self)._names)
        hint = f"; did you mean '{meant}'?" if meant else ""
        raise AttributeError(f"{type(self).__name__} has no field '{name}'{hint}")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.__dict__.items())})"

    @property
    def model_extra(self) -> dict[str, Any]:
        """The fields that were given beyond the declared ones."""
        return {k: v for k, v in self.__dict__.items() if k not in self._declared and k[0] != "_"}

    def model_dump(
        self,
        *,
        mode: str = "python",
        include: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
        by_alias: bool = False,
        exclude_none: bool = False,
    ) -> dict[str, Any]:
        """The record as a dictionary, nested records included; `mode="json"` makes it JSON data."""
        out: dict[str, Any] = {}
        for name, value in self.__dict__.items():
            known = self._declared.get(name) or Field(None)
            if (include is not None and name not in include) or (exclude is not None and name in exclude):
                continue
            if known.dump == "never" or (value is None and (exclude_none or known.dump == "set")):
                continue
            key = known.wire if by_alias and known.wire else name
            out[key] = _dump(value, mode, by_alias, exclude_none)
        return json_safe(out) if mode == "json" else out

    def to_dict(self) -> dict[str, Any]:
        """The record as it travels in JSON: wire names, no fields that are None."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def model_dump_json(self, *, indent: int | None = None, **options: Any) -> str:
        """The record as JSON text; takes the options of `model_dump`."""
        separators = (",", ":") if indent is None else None
        dumped = self.model_dump(mode="json", **options)
        return json.dumps(dumped, indent=indent, separators=separators, ensure_ascii=False)

    @classmethod
    def model_validate(cls, data: Any) -> Self:
        """Make the record from a mapping, another record, or a pydantic model with the same fields."""
        if isinstance(data, cls):
            return data
        if hasattr(data, "model_dump"):
            data = data.model_dump(mode="json", by_alias=True, exclude_none=True)
        if not isinstance(data, Mapping):
            raise ValidationError(f"{cls.__name__}: expected a mapping, got {shown(data)}")
        return cls(**data)

    @classmethod
    def model_validate_json(cls, text: str | bytes) -> Self:
        """Make the record from JSON text."""
        return cls.model_validate(json.loads(text))

    def model_copy(self, *, update: Mapping[str, Any] | None = None) -> Self:
        """A copy with some fields replaced; unlike pydantic's, the replacements are checked."""
        data = {**self.__dict__, **{self._names.get(k, k): v for k, v in (update or {}).items()}}
        return type(self)(**data)

    @classmethod
    def model_json_schema(cls) -> dict[str, Any]:
        """The JSON schema of the record, so that it can be a tool's parameter or result."""
        return schema_of(cls)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        """Lets a user's own pydantic model have one of our records as a field."""
        from pydantic_core import core_schema

        dump = core_schema.plain_serializer_function_ser_schema(lambda record: record.to_dict())
        return core_schema.no_info_plain_validator_function(cls.model_validate, serialization=dump)

    @classmethod
    def __get_pydantic_json_schema__(cls, _core_schema: Any, _handler: Any) -> dict[str, Any]:
        return cls.model_json_schema()


def _dump(value: Any, mode: str, by_alias: bool, exclude_none: bool) -> Any:
    if isinstance(value, Model):
        return value.model_dump(mode=mode, by_alias=by_alias, exclude_none=exclude_none)
    if isinstance(value, (list, tuple)):
        return [_dump(item, mode, by_alias, exclude_none) for item in value]
    if isinstance(value, dict):
        return {key: _dump(item, mode, by_alias, exclude_none) for key, item in value.items()}
    if hasattr(value, "model_dump"):
        return value.model_dump(mode=mode, by_alias=by_alias, exclude_none=exclude_none)
    return value


