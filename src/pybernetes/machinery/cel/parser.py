"""An expression's text as a tree, macros expanded.

The first syntax error ends the parse (cel-go recovers and may add more); complaints about single tokens and literals
are collected all the same.

Follows: cel-go parser/{parser,helper}.go, parser/gen/CEL.g4.
"""

from pybernetes.machinery.cel import lexer
from pybernetes.machinery.cel.ast import (
    Call,
    Entry,
    Ident,
    ListLiteral,
    Literal,
    MapLiteral,
    Node,
    Select,
    StructLiteral,
)
from pybernetes.machinery.cel.errors import CompileError, Issue
from pybernetes.machinery.cel.lexer import Token
from pybernetes.machinery.cel.limits import MAX_EXPRESSION_CODE_POINTS, MAX_RECURSION
from pybernetes.machinery.cel.macros import MACROS, MacroError

_PRIMARIES = "'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
EXPECTING_EXPRESSION = "{'[', '{', '(', '.', '-', '!', " + _PRIMARIES
_EXPECTING_IN_MAP = "{'[', '{', '}', '(', '.', ',', '-', '!', '?', " + _PRIMARIES
_EXPECTING_FIELD = "{'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}"
_STARTS = frozenset({
    "[", "{", "(", ".", "-", "!", "true", "false", "null",
    "NUM_FLOAT", "NUM_INT", "NUM_UINT", "STRING", "BYTES", "IDENTIFIER",
})  # fmt: skip
_LEVELS = {
    "<": 1, "<=": 1, ">=": 1, ">": 1, "==": 1, "!=": 1, "in": 1,
    "+": 2, "-": 2,
    "*": 3, "/": 3, "%": 3,
}  # fmt: skip
_OPERATORS = {
    "<": "_<_", "<=": "_<=_", ">=": "_>=_", ">": "_>_", "==": "_==_", "!=": "_!=_", "in": "@in",
    "+": "_+_", "-": "_-_", "*": "_*_", "/": "_/_", "%": "_%_",
}  # fmt: skip


class _SyntaxError(Exception):
    """Where the parse ends; its issue is already recorded."""


def parse(text: str) -> Node:
    """The tree of `text`.

    Raises:
        CompileError: with every issue found.
    """
    if len(text) > MAX_EXPRESSION_CODE_POINTS:
        message = f"expression code point size exceeds limit: size: {len(text)}, limit {MAX_EXPRESSION_CODE_POINTS}"
        raise CompileError(text, [Issue(message)])
    issues: list[Issue] = []
    parser = _Parser(lexer.tokens(text, issues), issues)
    try:
        tree = parser.start()
    except _SyntaxError:
        raise CompileError(text, issues) from None
    except RecursionError:
        raise CompileError(text, [Issue("max recursion depth exceeded")]) from None
    if issues:
        raise CompileError(text, issues)
    return tree


class _Parser:
    """Recursive descent over tokens, one method per rule of the grammar."""

    def __init__(self, tokens: list[Token], issues: list[Issue]) -> None:
        self.tokens = tokens
        self.issues = issues
        self.position = 0
        self.token = tokens[0]
        self.depth = 0

    def start(self) -> Node:
        tree = self.expression()
        if self.token.kind != "<EOF>":
            self.fail("<EOF>", extraneous=self.ahead(1).kind == "<EOF>")
        return tree

    # ----- tokens

    def ahead(self, count: int) -> Token:
        return self.tokens[min(self.position + count, len(self.tokens) - 1)]

    def advance(self) -> Token:
        token = self.token
        self.position = min(self.position + 1, len(self.tokens) - 1)
        self.token = self.tokens[self.position]
        return token

    def accept(self, kind: str) -> Token | None:
        return self.advance() if self.token.kind == kind else None

    def expect(self, kind: str, expecting: str) -> Token:
        if self.token.kind != kind:
            self.fail(expecting)
        return self.advance()

    def fail(self, expecting: str, *, extraneous: bool = False) -> None:
        how = "extraneous" if extraneous else "mismatched"
        message = f"Syntax error: {how} input '{self.token.text}' expecting {expecting}"
        self.issues.append(Issue(message, self.token.offset))
        raise _SyntaxError

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_RECURSION:
            self.issues.append(Issue("max recursion depth exceeded"))
            raise _SyntaxError

    def complain(self, message: str, offset: int) -> Literal:
        self.issues.append(Issue(message, offset))
        return Literal(offset, None)

    # ----- rules

    def expression(self) -> Node:
        self.deeper()
        condition = self.logical("||", "_||_")
        question = self.accept("?")
        if question is not None:
            chosen = self.logical("||", "_||_")
            self.expect(":", "':'")
            condition = Call(question.offset, "_?_:_", None, [condition, chosen, self.expression()])
        self.depth -= 1
        return condition

    def logical(self, operator: str, function: str) -> Node:
        terms = [self.term(operator)]
        places: list[int] = []
        while self.token.kind == operator:
            places.append(self.advance().offset)
            terms.append(self.term(operator))
        return _balanced(function, terms, places, 0, len(places) - 1) if places else terms[0]

    def term(self, operator: str) -> Node:
        return self.logical("&&", "_&&_") if operator == "||" else self.operation(1)

    def operation(self, level: int) -> Node:
        """Binary operators of this level and tighter, to the left."""
        left = self.unary()
        opened = 0
        while (own := _LEVELS.get(self.token.kind, 0)) >= level:
            self.deeper()
            opened += 1
            operator = self.advance()
            right = self.operation(own + 1)
            left = Call(operator.offset, _OPERATORS[operator.kind], None, [left, right])
        self.depth -= opened
        return left

    def unary(self) -> Node:
        kind = self.token.kind
        if kind not in {"!", "-"}:
            return self.member()
        if kind == "-" and self.ahead(1).kind in {"NUM_INT", "NUM_FLOAT"}:
            return self.member()  # the sign belongs to the literal
        first = self.token.offset
        count = 0
        while self.token.kind == kind:
            self.advance()
            count += 1
        operand = self.member()
        return operand if count % 2 == 0 else Call(first, "!_" if kind == "!" else "-_", None, [operand])

    def member(self) -> Node:
        node = self.primary()
        opened = 0
        while True:
            if self.token.kind == ".":
                node = self.selection(node)
            elif self.token.kind == "[":
                node = self.index(node)
            else:
                self.depth -= opened
                return node
            self.deeper()
            opened += 1

    def selection(self, node: Node) -> Node:
        dot = self.advance()
        optional = self.accept("?")
        if self.token.kind == "ESC_IDENTIFIER":
            self.complain("unsupported syntax: '`'", self.token.offset)
            self.advance()
            return node
        name = self.expect("IDENTIFIER", "IDENTIFIER")
        if optional is not None:
            return Call(dot.offset, "_?._", None, [node, Literal(name.offset, name.text)])
        if self.token.kind != "(":
            return Select(dot.offset, node, name.text)
        opening = self.advance()
        return self.call(opening.offset, name.text, node, self.arguments())

    def index(self, node: Node) -> Node:
        bracket = self.advance()
        optional = self.accept("?")
        index = self.expression()
        self.expect("]", "']'")
        return Call(bracket.offset, "_[_]" if optional is None else "_[?_]", None, [node, index])

    def arguments(self) -> list[Node]:
        if self.accept(")"):
            return []
        found = [self.expression()]
        while self.accept(","):
            found.append(self.expression())
        self.expect(")", "')'" if self.token.kind != "<EOF>" else "{')', ','}")
        return found

    def call(self, offset: int, function: str, target: Node | None, args: list[Node]) -> Node:
        expander = MACROS.get((function, len(args), target is not None))
        if expander is not None:
            try:
                expanded = expander(offset, target, args)
            except MacroError as error:
                return self.complain(str(error), offset if error.offset is None else error.offset)
            if expanded is not None:
                return expanded
        return Call(offset, function, target, args)

    def primary(self) -> Node:
        token = self.token
        match token.kind:
            case "IDENTIFIER" | ".":
                return self.name()
            case "(":
                self.advance()
                inner = self.expression()
                self.expect(")", "')'")
                return inner
            case "[":
                return self.list_literal()
            case "{":
                return self.map_literal()
            case "true" | "false" | "null":
                self.advance()
                return Literal(token.offset, {"true": True, "false": False, "null": None}[token.kind])
            case "-":
                self.advance()
                if self.token.kind not in {"NUM_INT", "NUM_FLOAT"}:
                    self.fail(EXPECTING_EXPRESSION)
                return self.number(self.advance(), "-", token.offset)
            case "NUM_INT" | "NUM_UINT" | "NUM_FLOAT" | "STRING" | "BYTES":
                return self.number(self.advance(), "", token.offset)
            case _:
                self.fail(EXPECTING_EXPRESSION, extraneous=self.ahead(1).kind in _STARTS)
                raise AssertionError

    def number(self, token: Token, sign: str, offset: int) -> Node:
        readers = {
            "NUM_INT": lexer.integer,
            "NUM_UINT": lexer.unsigned,
            "NUM_FLOAT": lexer.double,
            "STRING": lexer.string,
            "BYTES": lexer.byte_string,
        }
        try:
            return Literal(offset, readers[token.kind](sign + token.text))
        except lexer.Malformed as error:
            return self.complain(str(error), offset)

    def name(self) -> Node:
        dot = self.accept(".")
        token = self.expect("IDENTIFIER", "IDENTIFIER")
        prefix = "." if dot is not None else ""
        if self.opens_object():
            return self.struct_literal(prefix + token.text)
        if token.text in lexer.RESERVED:
            self.complain(f"reserved identifier: {token.text}", token.offset)
        if self.token.kind != "(":
            return Ident(token.offset, prefix + token.text)
        opening = self.advance()
        return self.call(opening.offset, prefix + token.text, None, self.arguments())

    def opens_object(self) -> bool:
        """Whether `.name`s and a brace follow: `a.b{…}`."""
        count = 0
        while self.ahead(count).kind == "." and self.ahead(count + 1).kind == "IDENTIFIER":
            count += 2
        return self.ahead(count).kind == "{"

    def struct_literal(self, name: str) -> Node:
        while self.accept("."):
            name += f".{self.advance().text}"
        brace = self.advance()
        entries: list[Entry] = []
        while self.token.kind != "}":
            if self.token.kind == "," and self.ahead(1).kind == "}":
                self.advance()
                break
            if entries:
                self.expect(",", "{'}', ','}")
            optional = self.accept("?") is not None
            field = self.expect("IDENTIFIER", "{IDENTIFIER, ESC_IDENTIFIER}" if optional else _EXPECTING_FIELD)
            colon = self.expect(":", "':'")
            entries.append(Entry(colon.offset, Literal(field.offset, field.text), self.expression(), optional))
        self.advance()
        return StructLiteral(brace.offset, name, entries)

    def list_literal(self) -> Node:
        bracket = self.advance()
        elements: list[Node] = []
        optionals: set[int] = set()
        while self.token.kind != "]":
            if self.token.kind == "," and self.ahead(1).kind == "]":
                self.advance()
                break
            if elements:
                self.expect(",", "{']', ','}")
            if self.accept("?"):
                optionals.add(len(elements))
            elements.append(self.expression())
        self.advance()
        return ListLiteral(bracket.offset, elements, frozenset(optionals))

    def map_literal(self) -> Node:
        brace = self.advance()
        entries: list[Entry] = []
        while self.token.kind != "}":
            if self.token.kind == "," and self.ahead(1).kind == "}":
                self.advance()
                break
            if entries:
                self.expect(",", "{'}', ','}")
            elif self.token.kind not in _STARTS and self.token.kind != "?":
                self.fail(_EXPECTING_IN_MAP, extraneous=self.ahead(1).kind in _STARTS)
            optional = self.accept("?") is not None
            key = self.expression()
            colon = self.expect(":", "':'")
            entries.append(Entry(colon.offset, key, self.expression(), optional))
        self.advance()
        return MapLiteral(brace.offset, entries)


def _balanced(function: str, terms: list[Node], places: list[int], low: int, high: int) -> Node:
    """A tree as flat as possible over `terms[low..high + 1]`. Follows: parser/helper.go, balancedTree."""
    middle = (low + high + 1) // 2
    left = terms[middle] if middle == low else _balanced(function, terms, places, low, middle - 1)
    right = terms[middle + 1] if middle == high else _balanced(function, terms, places, middle + 1, high)
    return Call(places[middle], function, None, [left, right])
