"""Questions that are created and never stored: who am I, may I, and tokens on request.

Decides nothing itself: `authn.reviews` and `authz.reviews` do. Reads the body, asks, answers 201.

Follows: pkg/registry/authentication, pkg/registry/authorization; pkg/registry/core/serviceaccount/storage/token.go.
"""

from collections.abc import Callable

from pybernetes.api.registry import Resource
from pybernetes.apiserver.authn.reviews import review_self, review_token
from pybernetes.apiserver.authz.reviews import review_access, review_rules
from pybernetes.apiserver.context import Context
from pybernetes.apiserver.handlers import writes
from pybernetes.apiserver.handlers.output import document_answer
from pybernetes.apiserver.http.message import Answer
from pybernetes.apiserver.request import Document
from pybernetes.effects import format_time
from pybernetes.machinery.errors import NotFound

TOKEN_REQUEST = Resource(
    group="authentication.k8s.io",
    version="v1",
    kind="TokenRequest",
    plural="tokenrequests",
    singular="tokenrequest",
    namespaced=True,
    verbs=(),
    list_kind="TokenRequestList",
    type_alias="authentication.v1.TokenRequest",
)

Review = Callable[[Context, Document], Document]


def _token(context: Context, review: Document) -> Document:
    return review_token(review, context.core.security.authenticator)


def _self(context: Context, review: Document) -> Document:
    return review_self(review, context.user, format_time(context.core.clock.now()))


def _access(context: Context, review: Document) -> Document:
    kind = context.resource.resource.kind
    return review_access(review, context.core.security.authorizer, context.user, kind, context.info.namespace)


def _rules(context: Context, review: Document) -> Document:
    return review_rules(review, context.core.security.authorizer, context.user)


REVIEWS: dict[tuple[str, str], Review] = {
    ("authentication.k8s.io", "tokenreviews"): _token,
    ("authentication.k8s.io", "selfsubjectreviews"): _self,
    ("authorization.k8s.io", "subjectaccessreviews"): _access,
    ("authorization.k8s.io", "selfsubjectaccessreviews"): _access,
    ("authorization.k8s.io", "localsubjectaccessreviews"): _access,
    ("authorization.k8s.io", "selfsubjectrulesreviews"): _rules,
}


async def review(context: Context) -> Answer:
    """The review with its answer in the status.

    Raises:
        BadRequest, Invalid, Forbidden (admission).
    """
    options = writes.write_options(context, "CreateOptions")
    resource = context.resource.resource
    document = writes.decode(context, resource, options)
    request = writes.admission_request(context, "CREATE", document, None, name="", dry_run=options.dry_run)
    await context.core.admission.mutate(request)
    await context.core.admission.validate(request)
    document = request.object or document
    answered = REVIEWS[resource.group, resource.plural](context, document)
    return document_answer(context, answered, 201)


async def token(context: Context) -> Answer:
    """A token for the service account.

    Raises:
        NotFound, BadRequest, Invalid, Conflict, Forbidden (admission).
    """
    issuer = context.core.security.issuer
    if issuer is None:
        raise NotFound("this server has no key to sign tokens with: start it with --service-account-signing-key-file")
    options = writes.write_options(context, "CreateOptions")
    document = writes.decode(context, TOKEN_REQUEST, options)
    info = context.info
    request = writes.admission_request(context, "CREATE", document, None, name=info.name, dry_run=options.dry_run)
    await context.core.admission.mutate(request)
    await context.core.admission.validate(request)
    document = request.object or document
    return document_answer(context, issuer.issue(info.namespace, info.name, document), 201)
