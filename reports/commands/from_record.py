"""A command's options from the fields of the records it takes.

    def score(task: TaskKey, choice: ScoreChoice = ScoreChoice(), given: Given = NOTHING): ...

becomes a command with one option per field of `ScoreChoice` that carries an `Option`; its default
is the field's in the parameter's default, and required without one. `Annotated[Settings,
Only("n", "seed")]` takes some of the fields. A parameter may carry an `Option` itself.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from inspect import Parameter, Signature, signature
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer

from circuitvar.circuits.option import PANELS, Option, check_ranges, options_of
from circuitvar.reports.commands.keys import complete
from circuitvar.reports.options import Output


class Given(frozenset[str]):
    """Names of the fields that the user gave, rather than left at their defaults."""


NOTHING = Given()


class Only(tuple[str, ...]):
    """The fields of a record that a command has as options."""

    def __new__(cls, *names: str) -> "Only":
        return super().__new__(cls, names)


@dataclass(frozen=True)
class _Field:
    name: str
    kind: Any
    about: Option
    default: Any


def with_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as typer takes it: one parameter per option, in the order of the help's panels.

    The result has `formerly`: former name of an option -> its name.
    """
    takes = signature(function, eval_str=True).parameters
    asked = {name: list(_fields(takes[name])) for name in takes}
    known = {field.name: field for group in asked.values() for field in group}
    plain = [p for name, p in takes.items() if not asked[name] and p.annotation is not Given]

    def run(context: typer.Context, **values: Any) -> Any:
        given = Given(name for name in values if _was_given(context, name))
        changed = {
            name: tuple(dict.fromkeys(value)) if isinstance(value, list) else value
            for name, value in values.items()
            if name in given and name in known
        }
        arguments = {p.name: values[p.name] for p in plain}
        for name, parameter in takes.items():
            if parameter.annotation is Given:
                arguments[name] = given
            elif asked[name]:
                arguments[name] = _filled(parameter, asked[name], changed, arguments)
        said = {name: values[name] for name in sorted(given | arguments.keys()) if name in values}
        with _held(arguments.values(), " ".join([function.__name__, *map(str, said.values())])):
            return function(**arguments)

    context = Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context)
    kinds = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in plain]
    ordered = sorted(known.values(), key=lambda field: PANELS.index(field.about.panel))
    # Panels of the help stand in the order in which their first option comes.
    every = [context, *map(_parameter, ordered), *kinds]
    run.__signature__ = Signature(every)  # pyright: ignore[reportFunctionMemberAccess]
    run.__annotations__ = {p.name: p.annotation for p in every}
    run.__doc__, run.__name__ = function.__doc__, function.__name__
    run.formerly = {f.about.formerly: _flags(f)[0] for f in known.values() if f.about.formerly}  # pyright: ignore[reportFunctionMemberAccess]
    return run


@contextmanager
def _held(arguments: Iterable[Any], plan: str) -> Iterator[None]:
    """The folder that a command writes to is its own while it runs."""
    folder = next((value.out for value in arguments if isinstance(value, Output)), None)
    if folder is None:
        yield
        return
    from circuitvar.circuits.lock import in_use
    from circuitvar.reports.page import check_writable

    check_writable(folder)
    with in_use(folder, plan):
        yield


def _fields(parameter: Parameter) -> Iterator[_Field]:
    """The options that a parameter stands for; none where it is no record and has no `Option`."""
    kind, *facts = _unwrapped(parameter.annotation)
    if is_dataclass(kind):
        only = next((fact for fact in facts if isinstance(fact, Only)), None)
        types = {field.name: field for field in fields(kind)}
        for name, about in options_of(kind).items():  # pyright: ignore[reportArgumentType]
            if only is None or name in only:
                default = types[name].default
                if parameter.default is not Parameter.empty:
                    default = getattr(parameter.default, name)
                plain = get_args(types[name].type)[0]
                yield _Field(name, plain, about, ... if default is MISSING else default)
    for about in facts:
        if isinstance(about, Option):
            default = ... if parameter.default is Parameter.empty else parameter.default
            yield _Field(parameter.name, kind, about, default)


def _filled(parameter: Parameter, group: list[_Field], changed: dict, arguments: dict) -> Any:
    """A record, or the value of a parameter that is an option itself."""
    values = {f.name: changed[f.name] for f in group if f.name in changed}
    kind = _unwrapped(parameter.annotation)[0]
    if not is_dataclass(kind):
        field = group[0]
        value = values.get(field.name, field.default)
        if field.about.range and value is not None and value not in field.about.range:
            raise ValueError(field.about.range.refusal(_flags(field)[0], value))
        return value
    if parameter.default is Parameter.empty:
        record = kind(**values)  # pyright: ignore[reportCallIssue]
    else:
        record = replace(parameter.default, **values)
    check_ranges(record)
    return record


def _unwrapped(annotation: Any) -> tuple[Any, ...]:
    """The type, and what `Annotated` says of it."""
    return get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)


def _was_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP")


def _flags(field: _Field) -> tuple[str, ...]:
    return field.about.flags or (f"--{field.name.replace('_', '-')}",)


def _parameter(field: _Field) -> Parameter:
    """The field as a parameter of a typer command."""
    about, kind, default = field.about, _plain(field.kind), field.default
    flags = _flags(field)
    if kind is bool and default:
        flags = (f"{flags[0]}/--no-{flags[0].removeprefix('--')}",)
    several = any(get_origin(part) is list for part in (kind, *get_args(kind)))
    info = typer.Option(
        *flags,
        help=f"{about.help.removesuffix('.')} ({about.range})." if about.range else about.help,
        rich_help_panel=about.panel,
        autocompletion=complete(about.keys, get_args(field.kind)),
    )
    return Parameter(
        field.name,
        Parameter.KEYWORD_ONLY,
        annotation=Annotated[kind, info],
        default=Parameter.empty if default is ... else None if several else default,
    )


def _plain(kind: Any) -> Any:
    """The type as typer knows it: tuples are options that repeat, literals are words."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin is tuple:
        return list[_plain(inside[0])] | None
    if origin is Literal:
        return str
    if origin in (Union, UnionType):
        rest = [_plain(part) for part in inside if part is not NoneType]
        return Union[(*rest, None)]
    return kind
