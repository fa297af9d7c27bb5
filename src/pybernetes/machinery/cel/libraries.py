"""All libraries expressions have in Kubernetes 1.36, as one table.

Follows: apiserver pkg/cel/environment/base.go; pkg/cel/library/libraries.go.
"""

from pybernetes.machinery.cel.authorizers import AUTHORIZERS
from pybernetes.machinery.cel.formats import FORMATS
from pybernetes.machinery.cel.functions import FunctionTable, Library
from pybernetes.machinery.cel.lists import LISTS
from pybernetes.machinery.cel.mutation import JSON_PATCHES
from pybernetes.machinery.cel.networks import NETWORKS
from pybernetes.machinery.cel.optionals import OPTIONALS
from pybernetes.machinery.cel.quantities import QUANTITIES
from pybernetes.machinery.cel.semvers import SEMVERS
from pybernetes.machinery.cel.stdlib import STANDARD
from pybernetes.machinery.cel.strings import STRINGS
from pybernetes.machinery.cel.urls import URLS

ALL: tuple[Library, ...] = (
    STANDARD, OPTIONALS, STRINGS, LISTS, QUANTITIES, NETWORKS, URLS, FORMATS, SEMVERS, AUTHORIZERS, JSON_PATCHES,
)  # fmt: skip
STANDARD_TABLE = FunctionTable(ALL)
