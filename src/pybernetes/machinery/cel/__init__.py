"""The Common Expression Language as Kubernetes 1.36 has it.

    from pybernetes.machinery import cel

    env = cel.Environment({"self": cel.schema_type(schema)})          # variables and their types
    program = env.compile("self.replicas <= 5", expected=cel.BOOL)    # CompileError
    program.estimate().max                                            # static cost
    program.evaluate({"self": document}, cel.Budget())                # EvaluationError, CostExceeded

A text passes `parser` (macros expanded by `macros`), `checker` (types), `validators` (literals) and `compiler`
(closures); `estimate` prices the tree, `costs` the run. `values` says what Python values expressions see; documents
are used as they are. Libraries: `stdlib`, `optionals` and everything `libraries` lists.

Pure: no input, no output, no clock. Follows: cel-spec; cel-go; apiserver pkg/cel.
"""

from pybernetes.machinery.cel.authorizers import (
    AUTHORIZER,
    RESOURCE_CHECK,
    Answer,
    Authorizer,
    AuthorizerValue,
    Question,
    ResourceCheck,
)
from pybernetes.machinery.cel.environment import Environment, Program, UnexpectedType
from pybernetes.machinery.cel.errors import CelError, CompileError, CostExceeded, EvaluationError, Issue
from pybernetes.machinery.cel.estimate import Estimate
from pybernetes.machinery.cel.frame import OUT_OF_BUDGET, Budget
from pybernetes.machinery.cel.mutation import JSON_PATCH, check_paths, object_type, plain
from pybernetes.machinery.cel.schema_types import schema_type
from pybernetes.machinery.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    UINT,
    Field,
    Kind,
    Type,
    list_of,
    map_of,
    opaque,
    optional_of,
    struct,
)
from pybernetes.machinery.cel.values import NONE, LazyObject, Optional, Uint

__all__ = [
    "AUTHORIZER", "BOOL", "BYTES", "DOUBLE", "DURATION", "DYN", "INT", "JSON_PATCH", "NONE", "NULL",
    "OUT_OF_BUDGET", "RESOURCE_CHECK", "STRING", "TIMESTAMP", "UINT", "Answer", "Authorizer", "AuthorizerValue",
    "Budget", "CelError", "CompileError", "CostExceeded", "Environment", "Estimate", "EvaluationError", "Field",
    "Issue", "Kind", "LazyObject", "Optional", "Program", "Question", "ResourceCheck", "Type", "Uint",
    "UnexpectedType", "check_paths", "list_of", "map_of", "object_type", "opaque", "optional_of", "plain",
    "schema_type", "struct",
]  # fmt: skip
