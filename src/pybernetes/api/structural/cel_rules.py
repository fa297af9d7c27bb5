"""The rules of a schema (`x-kubernetes-validations`): compiled and priced at definition, evaluated at each write.

    self                    the value at the rule's place
    oldSelf                 what stood there before; a rule that reads it is asked only on updates of the same part
    optionalOldSelf: true   oldSelf is an optional, and the rule is asked always

    compiled(schema)        a tree of the places with rules, None where there are none
    evaluate(tree, …)       complaints about a value, all rules together within one budget
    StaticRules             complaints about the rules themselves: what does not compile, what may cost too much

A complaint about a part that did not change is dropped, unless the rule reads oldSelf.

Follows: apiextensions-apiserver pkg/apiserver/schema/cel/{compilation,validation}.go;
pkg/apis/apiextensions/validation/cel_validation.go.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pybernetes.api.structural import field_paths, values
from pybernetes.api.structural.schema import Structural
from pybernetes.api.structural.shape_rules import MAX_COST, Place
from pybernetes.machinery import cel
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery.cel import limits
from pybernetes.machinery.field_errors import FieldError

log = logging.getLogger("pybernetes.api")

Json = dict[str, Any]

MAX_MESSAGE_BYTES: Final = 5 * 1024
"""Longest text a messageExpression may give. Follows: celconfig.MaxEvaluatedMessageExpressionSizeBytes."""
MOST_EXPENSIVE: Final = 4
"""Rules that are named when all of them together cost too much."""
OUT_OF_BUDGET: Final = "validation failed due to running out of cost budget, no further validation rules will be run"
NOT_CHECKED: Final = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete "
    "validation"
)
_BLOCKING: Final = frozenset({fe.NOT_SUPPORTED, fe.REQUIRED, fe.TOO_LONG, fe.TOO_MANY, fe.TYPE_INVALID})
_REASONS: Final = {
    "FieldValueForbidden": fe.FORBIDDEN,
    "FieldValueRequired": fe.REQUIRED,
    "FieldValueDuplicate": fe.DUPLICATE,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of one place."""

    source: Json
    program: cel.Program | None = None
    error: str = ""
    """Why there is no program."""
    message: cel.Program | None = None
    message_error: str = ""
    max_cost: int = 0
    message_max_cost: int = 0
    path: str = ""
    """`fieldPath` as errors write it."""

    @property
    def reads_old(self) -> bool:
        return self.program is not None and "oldSelf" in self.program.references

    @property
    def optional_old(self) -> bool:
        return bool(self.source.get("optionalOldSelf"))

    @property
    def shown(self) -> str:
        """The rule as complaints name it."""
        return str(self.source.get("message") or self.source.get("rule", "")).strip()


@dataclass(frozen=True, slots=True)
class Node:
    """A place that has rules, or some below."""

    schema: Structural
    type: cel.Type | None
    rules: Sequence[Rule]
    properties: Mapping[str, "Node"]
    items: "Node | None"
    additional: "Node | None"


# ── compiling ──


def compiled(schema: Structural, *, root: bool = True) -> Node | None:
    """The rules at a place and below; `root` is that of a resource."""
    below = {name: node for name, place in schema.properties.items() if (node := _inner(place)) is not None}
    items, additional = _inner(schema.items), _inner(schema.additional)
    found = schema.json.get("x-kubernetes-validations")
    if not found and not below and items is None and additional is None:
        return None
    kind = _type(schema, root=root or schema.embedded) if found else None
    rules = compile_rules(schema, kind) if found else ()
    return Node(schema, kind, rules, below, items, additional)


def _inner(schema: Structural | None) -> Node | None:
    return compiled(schema, root=False) if schema is not None else None


def _type(schema: Structural, *, root: bool) -> cel.Type | None:
    return cel.schema_type(schema.json, resource_root=root)


def compile_rules(schema: Structural, kind: cel.Type | None) -> Sequence[Rule]:
    """The rules of one place; what does not compile says why."""
    sources = schema.json.get("x-kubernetes-validations") or ()
    if kind is None:
        return [Rule(source, error="failed to convert to declType for CEL validation rules") for source in sources]
    plain = cel.Environment({"self": kind, "oldSelf": kind})
    optional = cel.Environment({"self": kind, "oldSelf": cel.optional_of(kind)})
    return [_rule(source, schema, optional if source.get("optionalOldSelf") else plain) for source in sources]


def _rule(source: Json, schema: Structural, environment: cel.Environment) -> Rule:
    text = source.get("rule", "")
    if not text.strip():
        return Rule(source)
    try:
        program = environment.compile(text)
    except cel.CompileError as error:
        return Rule(source, error=f"compilation failed: {error}")
    if program.type != cel.BOOL:
        return Rule(source, error="cel expression must evaluate to a bool")
    message, message_error = None, ""
    if source.get("messageExpression"):
        try:
            message = environment.compile(source["messageExpression"])
        except cel.CompileError as error:
            message_error = f"messageExpression compilation failed: {error}"
        else:
            if message.type != cel.STRING:
                message, message_error = None, "messageExpression must evaluate to a string"
    return Rule(
        source,
        program,
        message=message,
        message_error=message_error,
        max_cost=program.estimate().max,
        message_max_cost=message.estimate().max if message is not None else 0,
        path=_field_path(source.get("fieldPath", ""), schema),
    )


def _field_path(path: str, schema: Structural) -> str:
    if not path:
        return ""
    try:
        return field_paths.find(path, schema).path
    except field_paths.FieldPathError:
        return ""


# ── evaluating ──


class _Part:
    """A part of the new object and the part of the old one it came from."""

    __slots__ = ("_same", "new", "old")

    def __init__(self, new: Any, old: Any) -> None:
        self.new, self.old = new, old
        self._same: bool | None = None

    @property
    def same(self) -> bool:
        if self._same is None:
            self._same = values.same(self.new, self.old)
        return self._same


class _OverBudget(Exception):
    """Nothing more is evaluated; the complaint about it is told already."""


class Evaluation:
    """The rules of one object, within one budget."""

    def __init__(self, budget: cel.Budget | None = None, warnings: list[str] | None = None) -> None:
        self.errors: list[FieldError] = []
        self._budget = budget or cel.Budget()
        self._warnings = warnings

    def run(self, node: Node, value: Any, old: Any = None, path: str = "", *, update: bool = False) -> None:
        """Collect the complaints about `value`; with `update`, unchanged parts get none."""
        part = _Part(value, old) if update else None
        try:
            self._value(node, value, old, path, part, None)
        except _OverBudget:
            return

    def _value(self, node: Node, value: Any, old: Any, path: str, part: _Part | None, above: _Part | None) -> None:
        if value is None:
            return
        if node.rules:
            self._rules(node, value, old, path, part, above)
        if type(value) is list:
            if node.items is not None:
                self._items(node, node.items, value, old, path, part, above)
        elif type(value) is dict:
            self._fields(node, value, old, path, part, above)

    def _fields(self, node: Node, value: Json, old: Any, path: str, part: _Part | None, above: _Part | None) -> None:
        before: Json = old if type(old) is dict else {}
        for key, item in value.items():
            below = node.properties.get(key)
            place = f"{path}.{key}" if path else key
            if below is None and node.additional is not None:
                below, place = node.additional, f"{path}[{key}]"
            if below is None:
                continue
            if part is None:
                child, nearest = None, above
            elif above is None and key in {"apiVersion", "kind"}:
                child, nearest = None, None
            else:
                both = type(part.old) is dict and key in part.old
                child, nearest = (_Part(item, part.old[key]) if both else None), part
            self._value(below, item, before.get(key), place, child, nearest)

    def _items(
        self, node: Node, below: Node, value: list[Any], old: Any, path: str, part: _Part | None, above: _Part | None
    ) -> None:
        stored = values.Correlated(old, node.schema)
        for index, item in enumerate(value):
            before = stored.item(item)
            known = before is not values.ABSENT
            child = _Part(item, before) if part is not None and known else None
            nearest = part if part is not None else above
            self._value(below, item, before if known else None, f"{path}[{index}]", child, nearest)

    def _rules(self, node: Node, value: Any, old: Any, path: str, part: _Part | None, above: _Part | None) -> None:
        kind = node.schema.type
        place = path or values.NO_PATH
        plain = {"self": value, "oldSelf": old}
        optional = {"self": value, "oldSelf": _optional(node.type, old)}
        for rule in node.rules:
            if rule.error:
                self._add(fe.invalid_value(place, kind, f"rule compile error: {rule.error}"))
                continue
            if rule.program is None or (rule.reads_old and old is None and not rule.optional_old):
                continue
            bindings = optional if rule.optional_old else plain
            holds = self._holds(rule, bindings, place, kind)
            if holds is not False:
                continue
            error = self._complaint(rule, bindings, value, path, kind)
            unchanged = part.same if part is not None else above is not None and above.same
            if unchanged and not rule.reads_old:
                if self._warnings is not None:
                    self._warnings.append(str(error))
            else:
                self._add(error)

    def _holds(self, rule: Rule, bindings: Mapping[str, Any], place: str, kind: str) -> Any:
        """The outcome of a rule; None when it has none and that is told."""
        assert rule.program is not None
        if self._budget.remaining <= 0:
            self._add(fe.invalid_value(place, kind, OUT_OF_BUDGET))
            raise _OverBudget
        try:
            return rule.program.evaluate(bindings, self._budget)
        except cel.CostExceeded as error:
            text = str(error)
            if text != OUT_OF_BUDGET:
                why = "no further validation rules will be run due to call cost exceeds limit for rule"
                text = f"'{text}': {why}: {rule.shown}"
            self._add(fe.invalid_value(place, kind, text))
            raise _OverBudget from None
        except cel.EvaluationError as error:
            text = f"{error} evaluating rule: {rule.shown}"
            if str(error).startswith("no such overload"):
                why = "call arguments did not match a supported operator, function or macro signature for rule"
                text = f"'{error}': {why}: {rule.shown}"
            self._add(fe.invalid_value(place, kind, text))
            return None

    def _complaint(self, rule: Rule, bindings: Mapping[str, Any], value: Any, path: str, kind: str) -> FieldError:
        place = path
        if rule.path:
            place = f"{path}.{rule.path}" if path and not rule.path.startswith("[") else f"{path}{rule.path}"
        place = place or values.NO_PATH
        detail = self._message(rule, bindings, place, kind)
        if detail is None:
            message = rule.source.get("message", "")
            detail = message.strip() if message else f"failed rule: {rule.shown}"
        shown = fe.OMITTED if kind in {"object", "array"} else value
        return FieldError(_REASONS.get(rule.source.get("reason") or "", fe.INVALID), place, shown, detail)

    def _message(self, rule: Rule, bindings: Mapping[str, Any], place: str, kind: str) -> str | None:
        """What the messageExpression says; None when it says nothing usable."""
        if rule.message is None:
            return None
        try:
            found = rule.message.evaluate(bindings, self._budget)
        except cel.CostExceeded as error:
            text = "messageExpression evaluation failed due to running out of cost budget"
            text = f"{text}, no further validation rules will be run"
            if str(error) != OUT_OF_BUDGET:
                why = "no further validation rules will be run due to call cost exceeds limit for messageExpression"
                text = f"{why}: {fe.quote(rule.source['messageExpression'])}"
            self._add(fe.invalid_value(place, kind, text))
            raise _OverBudget from None
        except cel.EvaluationError as error:
            log.debug("messageExpression failed error=%s", error)
            return None
        text = found.strip() if isinstance(found, str) else ""
        if not text or "\n" in text or len(text.encode()) > MAX_MESSAGE_BYTES:
            return None
        return text

    def _add(self, error: FieldError) -> None:
        self.errors.append(error)


def _optional(kind: cel.Type | None, old: Any) -> Any:
    if old is None or kind is None:
        return cel.NONE
    return cel.Optional(True, old if kind.convert is None else kind.convert(old))


def blocks(errors: Sequence[FieldError]) -> bool:
    """The object has not the shape rules rely on."""
    return any(error.type in _BLOCKING for error in errors)


def not_checked() -> FieldError:
    """The complaint that stands for rules nobody could ask."""
    return fe.invalid_value(values.NO_PATH, None, NOT_CHECKED)


# ── at definition ──


class StaticRules:
    """Compiles and prices the rules of one schema; the `rules` of `shape_rules.check`."""

    def __init__(self, *, unchanged: bool = False) -> None:
        self.total = 0
        self._unchanged = unchanged
        """The schema is the stored one: what single rules cost was accepted before."""
        self._expensive: list[tuple[int, str]] = []

    def __call__(self, errors: list[FieldError], schema: Json, path: str, place: Place) -> None:
        structural = Structural(schema)
        kind = _type(structural, root=place.root or structural.embedded)
        place_path = f"{path}.x-kubernetes-validations"
        if kind is None:
            why = "unable to convert structural schema to CEL declarations"
            text = f"internal error: failed to construct type information for x-kubernetes-validations rules: {why}"
            errors.append(fe.internal(place_path, text))
            return
        times = place.cardinality
        if times is None:
            times = limits.MAX_REQUEST_SIZE_BYTES // (kind.min_serialized_size + 1)
        for index, rule in enumerate(compile_rules(structural, kind)):
            self._check(errors, rule, f"{place_path}[{index}]", times, place)

    def _check(self, errors: list[FieldError], rule: Rule, path: str, times: int, place: Place) -> None:
        self._observe(errors, f"{path}.rule", min(rule.max_cost * times, MAX_COST), "estimated rule cost")
        if rule.error:
            errors.append(fe.invalid_value(f"{path}.rule", go_rule(rule.source), rule.error))
        if rule.message_error:
            errors.append(fe.invalid_value(f"{path}.messageExpression", go_rule(rule.source), rule.message_error))
        elif rule.message is not None:
            what = "estimated messageExpression cost"
            self._observe(errors, f"{path}.messageExpression", rule.message_max_cost, what)
        if rule.reads_old:
            if place.uncorrelated:
                text = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {place.uncorrelated}"
                errors.append(fe.invalid_value(f"{path}.rule", rule.source["rule"], text))
        elif rule.source.get("optionalOldSelf") is not None:
            text = "may not be set if oldSelf is not used in rule"
            errors.append(fe.invalid_value(f"{path}.optionalOldSelf", rule.source["optionalOldSelf"], text))

    def _observe(self, errors: list[FieldError], path: str, cost: int, what: str) -> None:
        if cost > limits.STATIC_ESTIMATED_COST_LIMIT and not self._unchanged:
            errors.append(fe.forbidden_value(path, cost_text(what, cost, limits.STATIC_ESTIMATED_COST_LIMIT)))
        self.total = min(self.total + cost, MAX_COST)
        if cost >= limits.STATIC_ESTIMATED_CRD_COST_LIMIT // 100:
            self._expensive.append((cost, path))

    def together(self, path: str) -> list[FieldError]:
        """Complaints about the cost of all rules of the schema at `path`."""
        limit = limits.STATIC_ESTIMATED_CRD_COST_LIMIT
        if self.total <= limit:
            return []
        dearest = sorted(self._expensive, key=lambda row: -row[0])[:MOST_EXPENSIVE]
        text = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
        found = [fe.forbidden_value(place, text) for _, place in dearest]
        what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        return [*found, fe.forbidden_value(path, cost_text(what, self.total, limit))]


def cost_text(what: str, cost: int, limit: int) -> str:
    """Follows: validation.go, getCostErrorMessage."""
    factor = cost / limit
    exact = f"{factor:f}x" if factor < 1.5 else f"{factor:.1f}x"
    shown = "more than 100x" if factor > 100 else exact
    advice = (
        "try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings "
        "are declared"
    )
    return f"{what} exceeds budget by factor of {shown} ({advice})"


def go_rule(rule: Json) -> fe.Verbatim:
    """A rule in Go's notation of structs, which is how complaints show it."""
    texts = ", ".join(
        f"{name}:{fe.quote(rule.get(field, ''))}"
        for name, field in (("Rule", "rule"), ("Message", "message"), ("MessageExpression", "messageExpression"))
    )
    reason = "(*apiextensions.FieldValueErrorReason)(nil)" if rule.get("reason") is None else fe.quote(rule["reason"])
    optional = "(*bool)(nil)" if rule.get("optionalOldSelf") is None else str(rule["optionalOldSelf"]).lower()
    rest = f"Reason:{reason}, FieldPath:{fe.quote(rule.get('fieldPath', ''))}, OptionalOldSelf:{optional}"
    return fe.Verbatim(f"apiextensions.ValidationRule{{{texts}, {rest}}}")
