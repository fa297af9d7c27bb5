"""What expressions may name, and programs made from their texts.

    env = Environment({"self": types.from_schema(schema)})
    program = env.compile("self.replicas <= self.maxReplicas", expected=types.BOOL)
    program.evaluate({"self": document}, budget)

An environment is immutable and cheap to derive (`extend`); a program may be evaluated any number of times.

Follows: apiserver pkg/cel/environment/{base,environment}.go; cel-go cel/{env,program}.go.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pybernetes.machinery.cel import checker, libraries, parser, validators
from pybernetes.machinery.cel.compiler import Compiler
from pybernetes.machinery.cel.errors import CompileError, EvaluationError, Issue
from pybernetes.machinery.cel.estimate import Estimate, Estimator
from pybernetes.machinery.cel.frame import Budget, Frame
from pybernetes.machinery.cel.functions import FunctionTable, Library, Overload
from pybernetes.machinery.cel.limits import PER_CALL_LIMIT
from pybernetes.machinery.cel.mutation import MutationTypes
from pybernetes.machinery.cel.types import Kind, Type


class Environment:
    """Variables, object types and functions known to expressions.

    `variables` may have dots in their names (`authorizer.requestResource`). `structs` are the types that `Name{…}`
    builds; `mutation` adds `Object`, `Object.spec` … and `JSONPatch`. `extra_libraries` come in addition to
    Kubernetes' own.
    """

    def __init__(
        self,
        variables: Mapping[str, Type],
        *,
        structs: Iterable[Type] = (),
        extra_libraries: Iterable[Library] = (),
        mutation: bool = False,
    ) -> None:
        extra = tuple(extra_libraries)
        self.table = libraries.STANDARD_TABLE if not extra else FunctionTable((*libraries.ALL, *extra))
        self.variables: Mapping[str, Type] = {**self.table.variables, **variables}
        self.structs: Mapping[str, Type] = {declared.name: declared for declared in structs}
        self.types: Mapping[str, Type] = {**self.table.types, **self.structs}
        if mutation:
            self.structs, self.types = MutationTypes(self.structs), MutationTypes(self.types)
        self.functions: Mapping[str, list[Overload]] = self.table.functions
        self._extra = extra
        self._mutation = mutation

    def extend(self, variables: Mapping[str, Type]) -> "Environment":
        """This environment with more variables."""
        return Environment(
            {**self.variables, **variables},
            structs=self.structs.values(),
            extra_libraries=self._extra,
            mutation=self._mutation,
        )

    def compile(self, text: str, expected: Type | None = None) -> "Program":
        """The program of `text`.

        `expected` is what its result must be assignable to; a dynamic result always is.

        Raises:
            CompileError: with every issue; `str()` shows them as cel-go does.
        """
        tree = parser.parse(text)
        try:
            checked = checker.check(tree, self)
            issues = list(checked.issues) or validators.check_literals(tree)
        except RecursionError:
            raise CompileError(text, [Issue("max recursion depth exceeded")]) from None
        if issues:
            raise CompileError(text, issues)
        if expected is not None and checked.type.kind is not Kind.DYN and checked.type != expected:
            raise UnexpectedType(text, expected, checked.type)
        return Program(self, text, tree, checked)


class UnexpectedType(CompileError):
    """The expression is valid, but its result is of another type than wanted; callers word the complaint."""

    def __init__(self, text: str, expected: Type, found: Type) -> None:
        super().__init__(text, [Issue(f"must evaluate to {expected}", 0)])
        self.expected = expected
        self.found = found


class Program:
    """A compiled expression; `type` is its result's, `references` the variables it reads."""

    __slots__ = ("_converters", "_environment", "_size", "_slots", "_step", "_tree", "references", "text", "type")

    def __init__(self, environment: Environment, text: str, tree: Any, checked: checker.Checked) -> None:
        self.text = text
        self.type = checked.type
        self.references = checked.references
        self._environment = environment
        self._tree = tree
        self._slots = {name: slot for slot, name in enumerate(sorted(checked.references))}
        compiler = Compiler(environment.table, self._slots, environment.structs)
        self._step = compiler.compile(tree)
        self._size = compiler.size
        declared = environment.variables
        self._converters = [(name, slot, declared[name].convert) for name, slot in self._slots.items()]

    def evaluate(self, bindings: Mapping[str, Any], budget: Budget | None = None) -> Any:
        """The result for these values of the variables: documents as they are, or the values of this package.

        The cost is charged to `budget`, also when evaluation fails.

        Raises:
            EvaluationError: the values allow no result.
            CostExceeded: this call's limit or the budget is passed.
        """
        value, cost = None, 0
        frame = Frame([None] * self._size, PER_CALL_LIMIT if budget is None else budget.per_call)
        try:
            for name, slot, convert in self._converters:
                if name not in bindings:
                    raise EvaluationError(f"no such attribute(s): {name}")
                bound = bindings[name]
                frame.slots[slot] = bound if convert is None else convert(bound)
            value = self._step(frame)
            frame.spend(0)
        except RecursionError:
            raise EvaluationError("recursion limit exceeded") from None
        finally:
            cost = frame.cost
            if budget is not None:
                budget.remaining -= cost
        if budget is not None:
            budget.spend(0)
        return value

    def measure(self, bindings: Mapping[str, Any], *, per_call: int = PER_CALL_LIMIT) -> tuple[Any, int]:
        """The result and its cost."""
        budget = Budget(2**62, per_call=per_call)
        value = self.evaluate(bindings, budget)
        return value, 2**62 - budget.remaining

    def estimate(self) -> Estimate:
        """The least and the most an evaluation can cost, from the sizes the variables' types allow."""
        return Estimator(self._environment.variables).cost(self._tree)
