"""Digest of what a function computes, so that stored results are tied to it and not to its name.

A user's function is its source file and those of the user's own modules that it imports, its
bytecode, and the values it holds (defaults, closure, globals it reads; the lists and dicts of a
module with a file are those the file writes). Functions of this package are their file and the
values they hold; other installed packages count by name. Two processes with the same Python agree.
"""

import ast
import dis
import hashlib
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from decimal import Decimal
from fractions import Fraction
from functools import partial
from importlib.util import find_spec
from pathlib import Path, PurePath
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch

PACKAGE = "circuitvar"
_SITES = {"site-packages", "dist-packages"}
"""Folders of installed packages; the standard library is known by name."""
_NUMBERS = (type(None), bool, int, float, complex, np.generic, Decimal, Fraction)
_TEXTS = (str, bytes, bytearray, PurePath, range, slice, re.Pattern, torch.dtype, torch.device)
"""Types whose repr says all there is."""
_OF_CLASSES = {"__dict__", "__weakref__", "__doc__", "__module__", "__firstlineno__", "__slots__"}


def code_digest(*functions: Any) -> str:
    """sha256 of what functions (or records that hold functions) compute.

    Objects of other packages that are no arrays, tensors, records or containers count by type, and
    so does what a function imports by a computed name.

    >>> def slope(a):
    ...     return lambda x: a * x
    >>> [code_digest(slope(2)) == code_digest(slope(a)) for a in (2, 3)]
    [True, False]
    """
    home = {_top(f) for f in functions} - {PACKAGE}
    return _Walk(home).of(functions)


def _top(value: Any) -> str:
    return _module_name(value).partition(".")[0]


def _module_name(value: Any) -> str:
    if isinstance(value, ModuleType):
        return value.__name__
    return str(getattr(value, "__module__", None) or type(value).__module__)


class _Walk:
    """One pass over an object graph; what was met before is named by its number."""

    def __init__(self, home: set[str]) -> None:
        self.home = home
        """Packages that count as the user's although they are installed."""
        self.sha = hashlib.sha256()
        self.seen: dict[int, tuple[int, Any]] = {}

    def of(self, value: Any) -> str:
        self.feed(value)
        return self.sha.hexdigest()

    def say(self, *words: object) -> None:
        self.sha.update(repr(words).encode())

    def feed(self, value: Any) -> None:
        if isinstance(value, (*_NUMBERS, *_TEXTS)):
            return self.say(type(value).__name__, value)
        if id(value) in self.seen:
            return self.say("seen", self.seen[id(value)][0])
        self.seen[id(value)] = len(self.seen), value  # Kept alive, so that the id stays its own.
        if isinstance(value, torch.Tensor):
            self.say("tensor", str(value.dtype), tuple(value.shape), value.device.type == "meta")
            if value.device.type == "meta":
                return None
            value = value.detach().cpu().to_dense().resolve_conj().resolve_neg().contiguous()
            return self.sha.update(value.flatten().view(torch.uint8).numpy().tobytes())
        if isinstance(value, np.ndarray) and not value.dtype.hasobject:
            self.say("array", str(value.dtype), value.shape)
            return self.sha.update(np.ascontiguousarray(value).tobytes())
        if isinstance(value, set | frozenset):
            return self.say("set", *sorted(_Walk(self.home).of(item) for item in value))
        self.say(type(value).__qualname__)
        for part in self._parts(value):
            self.feed(part)

    def _parts(self, value: Any) -> Iterator[Any]:
        if isinstance(value, list | tuple):
            yield len(value)
            yield from value
        elif isinstance(value, dict):
            yield len(value)
            for pair in value.items():
                yield from pair
        elif isinstance(value, partial):
            yield from (value.func, value.args, value.keywords)
        elif isinstance(value, MethodType):
            yield from (value.__func__, value.__self__)
        elif isinstance(value, CodeType):
            yield from (value.co_code, value.co_names, value.co_consts)
        elif isinstance(value, FunctionType):
            yield from self._function(value)
        elif isinstance(value, ModuleType):
            yield from self._module(value)
        elif isinstance(value, type):
            yield from self._class(value)
        else:
            yield type(value)
            yield str(getattr(value, "__qualname__", getattr(value, "__name__", "")))
            yield from self._fields(value)

    def _class(self, value: type) -> Iterator[Any]:
        name = _module_name(value)
        yield value.__qualname__
        yield from self._file(name)
        module = sys.modules.get(name)
        if self._is_other(name) or (module is not None and _text(module)):
            return
        # A class of a notebook has no file to read.
        yield [base for base in value.__mro__[1:] if base is not object]
        for key, held in sorted(vars(value).items()):
            if key not in _OF_CLASSES:
                yield key
                yield getattr(held, "__func__", getattr(held, "fget", held))

    def _function(self, function: FunctionType) -> Iterator[Any]:
        name = _module_name(function)
        yield function.__qualname__
        yield from self._file(name)
        if self._is_other(name):
            return
        yield from (function.__defaults__, function.__kwdefaults__)
        yield from (_content(cell) for cell in function.__closure__ or ())
        if name.partition(".")[0] == PACKAGE:
            return
        yield function.__code__
        used = sorted({name for code in _nested(function.__code__) for name in code.co_names})
        found = [function.__globals__[name] for name in used if name in function.__globals__]
        module = sys.modules.get(name)
        if module is not None and _text(module):
            # Their first value is in the file; later ones are counters and caches of runs.
            found = [value for value in found if not isinstance(value, list | dict | set)]
        yield from found
        yield from _through_doors(found, used)
        for code in _nested(function.__code__):
            for step in dis.get_instructions(code):
                if step.opname == "IMPORT_NAME":
                    yield from self._source(str(step.argval))

    def _file(self, name: str) -> Iterator[Any]:
        """The module that something is defined in."""
        module = sys.modules.get(name)
        yield "" if name in ("__main__", "__mp_main__") else name
        if module is not None:
            yield module

    def _module(self, module: ModuleType) -> Iterator[Any]:
        name = module.__name__
        if self._is_other(name):
            yield name
            return
        yield _text(module)
        if name.partition(".")[0] == PACKAGE:
            return
        code = (ModuleType, FunctionType, type)
        imported = {_module_name(v) for v in vars(module).values() if isinstance(v, code)}
        imported |= _imports(module)
        for other in sorted(imported - {name, "__main__"}):
            if not self._is_other(other) and other in sys.modules:
                yield sys.modules[other]
            else:
                yield from self._source(other)

    def _source(self, name: str) -> Iterator[bytes]:
        """The file of a module that is imported inside a function."""
        if self._is_other(name) or name.partition(".")[0] == PACKAGE:
            return
        try:
            found = find_spec(name)
        except (ImportError, ValueError, AttributeError):
            return
        if found is not None and found.origin and Path(found.origin).is_file():
            yield Path(found.origin).read_bytes()

    def _is_other(self, name: str) -> bool:
        """Whether a module belongs to Python or to an installed package that is not the user's."""
        top = name.partition(".")[0]
        if top in self.home or top == PACKAGE:
            return False
        if top in sys.stdlib_module_names or top in sys.builtin_module_names:
            return True
        file = getattr(sys.modules.get(name) or sys.modules.get(top), "__file__", None)
        return file is not None and not _SITES.isdisjoint(Path(file).resolve().parts)

    def _fields(self, value: Any) -> Iterator[Any]:
        if is_dataclass(value):
            yield from (getattr(value, field.name) for field in fields(value))
        elif isinstance(value, torch.nn.Module):
            yield dict(value.state_dict())
            yield {name: held for name, held in vars(value).items() if name[0] != "_"}
        elif not self._is_other(type(value).__module__):
            yield dict(getattr(value, "__dict__", {}))
            for base in type(value).__mro__:
                slots = vars(base).get("__slots__", ())
                for name in (slots,) if isinstance(slots, str) else slots:
                    yield getattr(value, name, None)


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _nested(const)


def _through_doors(found: list[Any], used: list[str]) -> Iterator[Any]:
    """What a function names as attributes of this package's modules, e.g. `cv.methods.eap`."""
    doors = [v for v in found if isinstance(v, ModuleType) and _top(v) == PACKAGE]
    for door in doors:  # Grows: a door may hold others.
        for name in (n for n in used if n in dir(door)):
            value = getattr(door, name)
            if not isinstance(value, ModuleType):
                yield value
            elif _top(value) == PACKAGE and value not in doors:
                doors.append(value)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # Not filled yet.
        return None


def _imports(module: ModuleType) -> set[str]:
    """Names of modules in the import statements of a file, inside functions too."""
    package, found = module.__package__ or "", set()
    try:
        statements = list(ast.walk(ast.parse(_text(module))))
    except (SyntaxError, ValueError):
        return found
    for at in statements:
        if isinstance(at, ast.Import):
            found |= {alias.name for alias in at.names}
        elif isinstance(at, ast.ImportFrom):
            base = package.rsplit(".", at.level - 1)[0] if at.level else ""
            name = ".".join(part for part in (base, at.module) if part)
            found |= {name, *(f"{name}.{alias.name}" for alias in at.names)} - {""}
    return found


def _text(module: ModuleType) -> bytes:
    try:
        file = inspect.getsourcefile(module)
    except TypeError:  # Built in, or a notebook.
        return b""
    return Path(file).read_bytes() if file and Path(file).is_file() else b""
