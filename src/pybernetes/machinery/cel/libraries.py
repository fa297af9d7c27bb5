"""All libraries expressions have in Kubernetes 1.36, as one table.

Follows: apiserver pkg/cel/environment/base.go; pkg/cel/library/libraries.go.
"""

from pybernetes.machinery.cel.functions import FunctionTable, Library
from pybernetes.machinery.cel.optionals import OPTIONALS
from pybernetes.machinery.cel.stdlib import STANDARD

ALL: tuple[Library, ...] = (STANDARD, OPTIONALS)
STANDARD_TABLE = FunctionTable(ALL)
