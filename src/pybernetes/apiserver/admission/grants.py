"""Roles and bindings grant no more than their writer holds.

Not a plugin upstream, where the storage of RBAC objects checks it; the place in the order is the same: after
everything that may still change the object.
"""

from typing import ClassVar

from pybernetes.apiserver.admission.plugin import CREATE, UPDATE, Kinds, Plugin
from pybernetes.apiserver.authz import escalation
from pybernetes.apiserver.authz.authorizer import Authorizer
from pybernetes.apiserver.authz.index import GROUP
from pybernetes.apiserver.request import AdmissionRequest


class Grants(Plugin):
    KINDS: ClassVar[Kinds | None] = frozenset((GROUP, plural) for plural in (*escalation.ROLES, *escalation.BINDINGS))
    OPERATIONS: ClassVar[frozenset[str]] = frozenset({CREATE, UPDATE})

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def validate(self, request: AdmissionRequest) -> None:
        escalation.check_write(request, self._authorizer)
