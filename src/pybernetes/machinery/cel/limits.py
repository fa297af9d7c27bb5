"""How much work expressions may do, in cost units (about one field access each).

Follows: apiserver pkg/apis/cel/config.go, pkg/cel/limits.go; apiextensions-apiserver pkg/apiserver/schema/cel;
cel-go common/cost.go.
"""

PER_CALL_LIMIT = 1_000_000
"""Run-time cost of one evaluation."""
RUNTIME_COST_BUDGET = 10_000_000
"""Run-time cost of all rules for one object (CustomResourceDefinitions) or one policy's expressions."""
RUNTIME_COST_BUDGET_MATCH_CONDITIONS = 2_500_000
"""Run-time cost of all match conditions of one webhook or policy."""
STATIC_ESTIMATED_COST_LIMIT = 10_000_000
"""Estimated cost of one rule, with the number of places it is applied to."""
STATIC_ESTIMATED_CRD_COST_LIMIT = 100_000_000
"""Estimated cost of all rules of one CustomResourceDefinition's schema."""
MAX_REQUEST_SIZE_BYTES = 3 * 1024 * 1024
"""What no document can be larger than; bounds the sizes of everything without a limit of its own."""

SELECT_AND_IDENT = 1
LIST_CREATE = 10
MAP_CREATE = 30
STRUCT_CREATE = 40
STRING_TRAVERSAL_FACTOR = 0.1
"""Cost per code point of one walk through a string."""
REGEX_LENGTH_FACTOR = 0.25
"""Cost per character of a pattern, per unit of walking the text."""

MAX_EXPRESSION_CODE_POINTS = 100_000
"""Longest text compiled. Follows: cel-go parser options, expressionSizeCodePointLimit."""
MAX_RECURSION = 250
"""Deepest nesting of a text. Follows: cel-go parser options, maxRecursionDepth."""
