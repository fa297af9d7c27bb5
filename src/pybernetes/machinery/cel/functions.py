"""Functions of the language and its libraries: names, overloads, and what they do.

    @library.define("size_string", "size(string) -> int", "string_size", "string|size() -> int")
    def _size(text: str) -> int: ...

A signature is `receiver|name(parameters) -> result` or `name(parameters) -> result`. Type variables are single capital
letters. At run time the first overload whose parameters admit the values is called; none is `no such overload`.

Follows: cel-go common/decls, common/functions.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

from pybernetes.machinery.cel import types, values
from pybernetes.machinery.cel.errors import no_such_overload
from pybernetes.machinery.cel.types import Kind, Type

Implementation = Callable[..., Any]
_F = TypeVar("_F", bound=Implementation)


@dataclass(frozen=True, slots=True)
class Overload:
    """One way to call a function; a member's first argument is its receiver."""

    id: str
    function: str
    member: bool
    args: tuple[Type, ...]
    result: Type
    implementation: Implementation
    accepts: tuple[Callable[[Any], bool] | None, ...]
    """Per argument whether a value may be passed; None admits all."""
    self_checking: bool = False
    """Whether the implementation itself refuses what does not fit: operators do."""


@dataclass(slots=True)
class Library:
    """A named set of functions and types."""

    name: str
    functions: dict[str, list[Overload]] = field(default_factory=dict)
    types: dict[str, Type] = field(default_factory=dict)
    variables: dict[str, Type] = field(default_factory=dict)

    def declare(self, *declared: Type) -> None:
        """Make opaque types known by their names, in signatures and in texts."""
        for one in declared:
            self.types[one.name] = one

    def define(self, *pairs: str) -> Callable[[_F], _F]:
        """Decorate the implementation of the overloads given as alternating ids and signatures."""

        def decorate(implementation: _F) -> _F:
            for identity, signature in zip(pairs[::2], pairs[1::2], strict=True):
                self.add(identity, signature, implementation)
            return implementation

        return decorate

    def add(
        self, identity: str, signature: str, implementation: Implementation, *, self_checking: bool = False
    ) -> None:
        function, member, args, result = _signature(signature, self.types)
        accepts = tuple(map(_acceptor, args))
        overload = Overload(identity, function, member, args, result, implementation, accepts, self_checking)
        self.functions.setdefault(function, []).append(overload)


_SIGNATURE = re.compile(r"^(?:(?P<receiver>[A-Za-z][^|]*)\|)?(?P<name>[^(]+)\((?P<args>.*)\) -> (?P<result>.+)$")
_WORD = re.compile(r"[A-Za-z_][\w.@]*|[(),]")
_NAMED = {
    "dyn": types.DYN, "null": types.NULL, "bool": types.BOOL, "int": types.INT, "uint": types.UINT,
    "double": types.DOUBLE, "string": types.STRING, "bytes": types.BYTES, "timestamp": types.TIMESTAMP,
    "duration": types.DURATION, "type": types.TYPE,
}  # fmt: skip


def _signature(text: str, own: Mapping[str, Type]) -> tuple[str, bool, tuple[Type, ...], Type]:
    """`list(T)|indexOf(T) -> int` as name, membership, all arguments, result."""
    match = _SIGNATURE.match(text)
    assert match is not None, text
    args = _types(match["args"], own)
    receiver = match["receiver"]
    if receiver is not None:
        args = [*_types(receiver, own), *args]
    return match["name"], receiver is not None, tuple(args), _types(match["result"], own)[0]


def _types(text: str, own: Mapping[str, Type]) -> list[Type]:
    words = _WORD.findall(text)
    position = 0

    def several() -> list[Type]:
        nonlocal position
        found = []
        while position < len(words) and words[position] != ")":
            found.append(one())
            if position < len(words) and words[position] == ",":
                position += 1
        return found

    def one() -> Type:
        nonlocal position
        name = words[position]
        position += 1
        inner: list[Type] = []
        if position < len(words) and words[position] == "(":
            position += 1
            inner = several()
            position += 1
        match name:
            case "list":
                return types.list_of(*inner)
            case "map":
                return types.map_of(*inner)
            case "optional":
                return types.optional_of(*inner)
            case "type" if inner:
                return types.type_of(*inner)
            case _ if len(name) == 1:
                return types.parameter(name)
            case _:
                return _NAMED.get(name) or own[name]

    return several()


_EXACT: dict[Kind, type] = {
    Kind.NULL: type(None),
    Kind.BOOL: bool,
    Kind.INT: int,
    Kind.UINT: values.Uint,
    Kind.DOUBLE: float,
    Kind.STRING: str,
    Kind.BYTES: bytes,
    Kind.TYPE: Type,
}


def _acceptor(declared: Type) -> Callable[[Any], bool] | None:
    """Whether a value may be of the declared type, by its outermost kind."""
    kind = declared.kind
    if kind in {Kind.DYN, Kind.PARAMETER}:
        return None
    exact = _EXACT.get(kind)
    if exact is not None:
        return lambda value: type(value) is exact
    if kind is Kind.LIST:
        return values.is_list
    if kind is Kind.MAP:
        return values.is_map
    if types.is_optional(declared):
        return lambda value: type(value) is values.Optional
    name = declared.name
    return lambda value: getattr(type(value), "cel_type", types.ERROR).name == name


class FunctionTable:
    """All functions of an environment, by name."""

    def __init__(self, libraries: Iterable[Library]) -> None:
        self.functions: dict[str, list[Overload]] = {}
        self.types: dict[str, Type] = {}
        self.variables: dict[str, Type] = {}
        for library in libraries:
            self.types.update(library.types)
            self.variables.update(library.variables)
            for name, overloads in library.functions.items():
                self.functions.setdefault(name, []).extend(overloads)

    def implementation(self, function: str, member: bool, identities: tuple[str, ...]) -> Implementation:
        """What to call for the overloads the checker left."""
        chosen = tuple(
            overload
            for overload in self.functions[function]
            if overload.member == member and (not identities or overload.id in identities)
        )
        return _dispatch(chosen)

    def admits(self, function: str, member: bool, identities: tuple[str, ...]) -> Callable[[list[Any]], bool]:
        """Whether values fit one of the overloads the checker left; asked before their cost is computed."""
        candidates = [
            overload.accepts
            for overload in self.functions[function]
            if overload.member == member and (not identities or overload.id in identities)
        ]

        def fits(args: list[Any]) -> bool:
            return any(
                all(accept is None or accept(value) for accept, value in zip(accepts, args, strict=False))
                for accepts in candidates
            )

        return fits


@lru_cache(maxsize=4096)
def _dispatch(overloads: tuple[Overload, ...]) -> Implementation:
    if overloads[0].self_checking:
        return overloads[0].implementation
    if len(overloads) == 1:
        return _guarded(overloads[0])
    candidates = [(overload.accepts, overload.implementation) for overload in overloads]

    def call(*args: Any) -> Any:
        for accepts, implementation in candidates:
            if all(accept is None or accept(value) for accept, value in zip(accepts, args, strict=True)):
                return implementation(*args)
        raise no_such_overload()

    return call


def _guarded(overload: Overload) -> Implementation:
    implementation, accepts = overload.implementation, overload.accepts
    if not any(accepts):
        return implementation

    def call(*args: Any) -> Any:
        for accept, value in zip(accepts, args, strict=True):
            if accept is not None and not accept(value):
                raise no_such_overload()
        return implementation(*args)

    return call
