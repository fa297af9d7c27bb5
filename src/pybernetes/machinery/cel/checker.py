"""Types of an expression against its declarations; every complaint is collected, with cel-go's words.

Follows: cel-go checker/{checker,env,errors}.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pybernetes.machinery.cel import types, values
from pybernetes.machinery.cel.assignability import Bindings, assignable, most_general, substitute
from pybernetes.machinery.cel.ast import (
    Call,
    Comprehension,
    Entry,
    Ident,
    ListLiteral,
    Literal,
    MapLiteral,
    Node,
    Select,
    StructLiteral,
    qualified_name,
)
from pybernetes.machinery.cel.errors import Issue
from pybernetes.machinery.cel.functions import Overload
from pybernetes.machinery.cel.types import DYN, ERROR, Kind, Type

_LOGICAL = frozenset({"_&&_", "_||_"})
_SELECTABLE = frozenset({Kind.MAP, Kind.STRUCT, Kind.PARAMETER})


class Declarations(Protocol):
    """What a checker looks names up in."""

    @property
    def variables(self) -> Mapping[str, Type]: ...
    @property
    def types(self) -> Mapping[str, Type]: ...
    @property
    def functions(self) -> Mapping[str, list[Overload]]: ...


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found: the type of the whole, the free variables used, and the complaints."""

    type: Type
    references: frozenset[str]
    issues: tuple[Issue, ...]


def check(tree: Node, declarations: Declarations) -> Checked:
    """Write types and overloads into `tree`.

    The tree is only to be used if there are no issues.
    """
    checker = _Checker(declarations)
    checker.check(tree)
    for node in checker.nodes:
        node.type = substitute(checker.bindings, node.type, to_dyn=True)
    return Checked(tree.type, frozenset(checker.references), tuple(checker.issues))


class _Checker:
    def __init__(self, declarations: Declarations) -> None:
        self.declarations = declarations
        self.bindings: Bindings = {}
        self.issues: list[Issue] = []
        self.scopes: list[dict[str, Type]] = []
        self.references: set[str] = set()
        self.nodes: list[Node] = []
        self.fresh = 0

    # ----- helpers

    def complain(self, node: Node | Entry, message: str) -> None:
        self.issues.append(Issue(message, node.offset))

    def typed(self, node: Node, found: Type) -> Type:
        node.type = found
        self.nodes.append(node)
        return found

    def now(self, checked: Type) -> Type:
        return substitute(self.bindings, checked)

    def variable(self) -> Type:
        self.fresh += 1
        return types.parameter(f"_var{self.fresh}")

    def fits(self, one: Type, other: Type) -> bool:
        found = assignable(self.bindings, [one], [other])
        if found is None:
            return False
        self.bindings = found
        return True

    def mismatch(self, node: Node | Entry, expected: Type, actual: Type) -> None:
        self.complain(node, f"expected type '{expected}' but found '{actual}'")

    def undeclared(self, node: Node, name: str) -> Type:
        self.complain(node, f"undeclared reference to '{name}' (in container '')")
        return self.typed(node, ERROR)

    def lookup(self, name: str) -> tuple[Type, Any] | None:
        """The type of a name, and its value if it names a type."""
        if not name.startswith("."):
            for scope in reversed(self.scopes):
                if name in scope:
                    return scope[name], None
        name = name.removeprefix(".")
        declared = self.declarations.variables.get(name)
        if declared is not None:
            self.references.add(name)
            return declared, None
        constant = self.declarations.types.get(name)
        return None if constant is None else (types.type_of(constant), constant)

    # ----- nodes

    def check(self, node: Node) -> Type:
        match node:
            case Literal():
                return self.typed(node, values.type_value(node.value))
            case Ident():
                return self.ident(node)
            case Select():
                return self.select(node)
            case Call(function="_?._"):
                return self.optional_select(node)
            case Call():
                return self.call(node)
            case ListLiteral():
                return self.list_literal(node)
            case MapLiteral():
                return self.map_literal(node)
            case StructLiteral():
                return self.struct_literal(node)
            case Comprehension():
                return self.comprehension(node)
            case _:
                raise AssertionError(node)

    def ident(self, node: Ident) -> Type:
        found = self.lookup(node.name)
        if found is None:
            return self.undeclared(node, node.name)
        node.constant = found[1]
        return self.typed(node, found[0])

    def select(self, node: Select) -> Type:
        name = None if node.test_only else qualified_name(node)
        if name is not None and not any(name.split(".", 1)[0] in scope for scope in self.scopes):
            found = self.lookup(name)
            if found is not None:
                # The compiler reads a selection whose operand has no type as this one name.
                node.operand = Ident(node.operand.offset, name)
                node.operand.constant = found[1]
                node.field = ""
                self.typed(node.operand, found[0])
                return self.typed(node, found[0])
        result = self.field(node, node.operand, node.field, optional=False)
        return self.typed(node, types.BOOL if node.test_only else self.now(result))

    def optional_select(self, node: Call) -> Type:
        operand, name = node.args
        if not isinstance(name, Literal) or type(name.value) is not str:
            self.complain(name, "unsupported optional field selection: not a field name")
            return self.typed(node, ERROR)
        self.typed(name, types.STRING)
        node.overloads = ("select_optional_field",)
        return self.typed(node, self.now(self.field(node, operand, name.value, optional=True)))

    def field(self, node: Node, operand: Node, name: str, *, optional: bool) -> Type:
        target, was_optional = types.unwrap_optional(self.now(self.check(operand)))
        result = ERROR
        match target.kind:
            case Kind.MAP:
                result = target.parameters[1]
            case Kind.STRUCT:
                result = self.field_type(node, target, name)
            case Kind.PARAMETER:
                self.fits(DYN, target)
                result = DYN
            case Kind.DYN | Kind.ERROR:
                result = DYN
            case _:
                self.complain(node, f"type '{target}' does not support field selection")
                result = DYN
        return types.optional_of(result) if was_optional or optional else result

    def field_type(self, node: Node | Entry, holder: Type, name: str) -> Type:
        declared = (holder.fields or {}).get(name)
        if declared is None:
            self.complain(node, f"undefined field '{name}'")
            return ERROR
        return declared.type

    def call(self, node: Call) -> Type:
        functions = self.declarations.functions
        for argument in node.args:
            self.check(argument)
        if node.target is not None:
            prefix = qualified_name(node.target)
            name = None if prefix is None else f"{prefix}.{node.function}".removeprefix(".")
            if name in functions:
                node.function, node.target = name or "", None
        if node.target is None:
            name = node.function.removeprefix(".")
            if name not in functions:
                return self.undeclared(node, node.function)
            node.function = name
            return self.resolve(node, functions[name], None)
        self.check(node.target)
        if node.function not in functions:
            return self.undeclared(node, node.function)
        return self.resolve(node, functions[node.function], node.target)

    def resolve(self, node: Call, overloads: list[Overload], target: Node | None) -> Type:
        given = [argument.type for argument in node.args]
        if target is not None:
            given.insert(0, target.type)
        if node.function in _LOGICAL:
            return self.logical(node, given)
        result: Type | None = None
        matched: list[str] = []
        for overload in overloads:
            if overload.member != (target is not None) or len(overload.args) != len(given):
                continue
            wanted, outcome = self.instantiate(overload)
            bindings = assignable(self.bindings, given, wanted)
            if bindings is None:
                continue
            self.bindings = bindings
            matched.append(overload.id)
            found = self.now(outcome)
            if result is None:
                result = found
            elif result.kind is not Kind.DYN and found != result:
                result = DYN
        if result is None:
            shown = [str(substitute(self.bindings, one, to_dyn=True)) for one in given]
            receiver = f"{shown.pop(0)}." if target is not None else ""
            signature = f"{receiver}({', '.join(shown)})"
            self.complain(node, f"found no matching overload for '{node.function}' applied to '{signature}'")
            return self.typed(node, ERROR)
        node.overloads = tuple(matched)
        return self.typed(node, result)

    def logical(self, node: Call, given: list[Type]) -> Type:
        node.overloads = ("logical_and" if node.function == "_&&_" else "logical_or",)
        wrong = False
        for argument, found in zip(node.args, given, strict=True):
            if not self.fits(found, types.BOOL):
                self.mismatch(argument, types.BOOL, self.now(found))
                wrong = True
        return self.typed(node, ERROR if wrong else types.BOOL)

    def instantiate(self, overload: Overload) -> tuple[list[Type], Type]:
        """The overload's types with new variables for its own."""
        fresh: Bindings = {}
        wanted = [self.renew(one, fresh) for one in overload.args]
        return wanted, self.renew(overload.result, fresh)

    def renew(self, declared: Type, fresh: Bindings) -> Type:
        if declared.kind is Kind.PARAMETER:
            if declared.name not in fresh:
                fresh[declared.name] = self.variable()
            return fresh[declared.name]
        if not declared.parameters:
            return declared
        return Type(declared.kind, declared.name, tuple(self.renew(part, fresh) for part in declared.parameters))

    def joined(self, node: Node, before: Type | None, found: Type) -> Type:
        """The element type of a literal so far. Aggregate literals hold one type."""
        if before is None:
            return found
        if self.fits(before, found):
            return most_general(before, found)
        self.mismatch(node, self.now(before), self.now(found))
        return ERROR

    def unwrapped(self, node: Node, found: Type) -> Type:
        inner, optional = types.unwrap_optional(found)
        if not optional and inner.kind is not Kind.DYN:
            self.mismatch(node, types.optional_of(inner), inner)
        return inner

    def list_literal(self, node: ListLiteral) -> Type:
        element: Type | None = None
        for position, item in enumerate(node.elements):
            found = self.check(item)
            if position in node.optionals:
                found = self.unwrapped(item, found)
            element = self.joined(item, element, found)
        return self.typed(node, types.list_of(self.variable() if element is None else element))

    def map_literal(self, node: MapLiteral) -> Type:
        key: Type | None = None
        value: Type | None = None
        for entry in node.entries:
            key = self.joined(entry.key, key, self.check(entry.key))
            found = self.check(entry.value)
            if entry.optional:
                found = self.unwrapped(entry.value, found)
            value = self.joined(entry.value, value, found)
        if key is None or value is None:
            key, value = self.variable(), self.variable()
        return self.typed(node, types.map_of(key, value))

    def struct_literal(self, node: StructLiteral) -> Type:
        name = node.name.removeprefix(".")
        built = self.declarations.types.get(name)
        if built is None:
            self.undeclared(node, node.name)
            built = ERROR
        elif built.kind is not Kind.STRUCT:
            self.complain(node, f"'{built.name}' is not a message type")
            built = ERROR
        for entry in node.entries:
            found = self.check(entry.value)
            assert isinstance(entry.key, Literal)
            self.typed(entry.key, types.STRING)
            if built is ERROR:
                continue
            wanted = self.field_type(entry, built, entry.key.value)
            if entry.optional:
                found = self.unwrapped(entry.value, found)
            if not self.fits(wanted, found):
                name, given = entry.key.value, self.now(found)
                self.complain(entry, f"expected type of field '{name}' is '{wanted}' but provided type is '{given}'")
        return self.typed(node, built)

    def comprehension(self, node: Comprehension) -> Type:
        ranged = self.now(self.check(node.range))
        accumulated = self.check(node.init)
        self.scopes.append({node.accumulator: accumulated})
        first, second = self.ranged(node, ranged)
        loop = {node.variable: first}
        if node.variable2:
            loop[node.variable2] = second
        self.scopes.append(loop)
        self.check(node.condition)
        self.assert_type(node.condition, types.BOOL)
        self.check(node.step)
        self.assert_type(node.step, accumulated)
        self.scopes.pop()
        result = self.check(node.result)
        self.scopes.pop()
        return self.typed(node, self.now(result))

    def ranged(self, node: Comprehension, ranged: Type) -> tuple[Type, Type]:
        """The types of the loop's one or two variables."""
        two = bool(node.variable2)
        match ranged.kind:
            case Kind.LIST:
                return (types.INT, ranged.parameters[0]) if two else (ranged.parameters[0], ERROR)
            case Kind.MAP:
                return ranged.parameters[0], ranged.parameters[1]
            case Kind.DYN | Kind.ERROR | Kind.PARAMETER:
                self.fits(DYN, ranged)
                return DYN, DYN
            case _:
                self.complain(
                    node.range,
                    f"expression of type '{ranged}' cannot be range of a comprehension (must be list, map, or dynamic)",
                )
                return ERROR, ERROR

    def assert_type(self, node: Node, expected: Type) -> None:
        if not self.fits(expected, node.type):
            self.mismatch(node, self.now(expected), self.now(node.type))
