"""`$(NAME)` in commands, arguments, variables and sub-paths.

`$(NAME)` becomes the value of NAME; `$$` becomes one `$`, so that `$$(NAME)` is the literal `$(NAME)`; a name that is
not known stays as it was written.

Follows: kubernetes third_party/forked/golang/expansion/expand.go; pkg/kubelet/container/helpers.go.
"""

from collections.abc import Callable, Mapping, Sequence

from pybernetes.kubelet.seam import CreateContainerConfigError

OPERATOR, OPEN, CLOSE = "$", "(", ")"


def expand(text: str, lookup: Callable[[str], str]) -> str:
    """`text` with every reference replaced by what `lookup` answers for its name."""
    if OPERATOR not in text:
        return text
    parts: list[str] = []
    at = 0
    while True:
        found = text.find(OPERATOR, at)
        if found < 0 or found + 1 == len(text):  # a `$` at the very end means itself
            parts.append(text[at:])
            return "".join(parts)
        parts.append(text[at:found])
        after = text[found + 1]
        close = text.find(CLOSE, found + 2) if after == OPEN else -1
        if close >= 0:
            parts.append(lookup(text[found + 2 : close]))
            at = close + 1
        else:  # `$$` is one `$`; anything else, an unclosed reference too, is kept as written
            parts.append(OPERATOR if after == OPERATOR else OPERATOR + after)
            at = found + 2


def known_or_kept(*known: Mapping[str, str]) -> Callable[[str], str]:
    """A lookup in the given maps, first hit wins; unknown names become the text that named them."""

    def lookup(name: str) -> str:
        for values in known:
            if name in values:
                return values[name]
        return f"{OPERATOR}{OPEN}{name}{CLOSE}"

    return lookup


def command_and_args(
    command: Sequence[str], args: Sequence[str], environment: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Command and arguments of a container with its own variables filled in."""
    lookup = known_or_kept(environment)
    return [expand(word, lookup) for word in command], [expand(word, lookup) for word in args]


def sub_path(expression: str, environment: Mapping[str, str]) -> str:
    """The sub-path a `subPathExpr` means.

    Raises:
        CreateContainerConfigError: it names a variable that does not exist or is empty.
    """
    missing: list[str] = []

    def lookup(name: str) -> str:
        if not environment.get(name):
            missing.append(name)
        return environment.get(name, "")

    result = expand(expression, lookup)
    if missing:
        raise CreateContainerConfigError(f'missing value for "{missing[0]}"')
    return result
