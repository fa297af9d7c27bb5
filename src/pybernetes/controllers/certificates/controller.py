"""Requests for certificates: those of kubelets are approved, what is approved is signed, what is over goes.

    kubelet asks ──► approving: may it? (SubjectAccessReview) ──► Approved ──► signing ──► status.certificate
    anybody asks ──► kubectl certificate approve ───────────────┘

The parts that read certificates are imported when the first request comes: most clusters hold them for minutes a year.

Follows: kubernetes 1.36 pkg/controller/certificates/{approver/sarapprove,signer/signer,cleaner/cleaner}.go.
"""
# ruff: noqa: PLC0415

import logging
from collections.abc import Coroutine, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from pybernetes.api import authorization_v1, certificates_v1
from pybernetes.controllers.framework import Context, Controller
from pybernetes.effects import format_time, parse_time
from pybernetes.machinery.errors import NotFound

if TYPE_CHECKING:
    from pybernetes.controllers.certificates.issuing import Authority

log = logging.getLogger("pybernetes.controllers")

CSR = certificates_v1.CertificateSigningRequest
Condition = certificates_v1.CertificateSigningRequestCondition

SERIAL_BYTES: Final = 16

SWEEP_SECONDS: Final = 3600.0
SETTLED_LIFE: Final = timedelta(hours=1)
"""How long issued, denied and failed requests are kept."""
PENDING_LIFE: Final = timedelta(hours=24)

_SELF: Final = "selfnodeclient"
_NODE: Final = "nodeclient"
_APPROVALS: Final = {
    _SELF: "Auto approving self kubelet client certificate after SubjectAccessReview.",
    _NODE: "Auto approving kubelet client certificate after SubjectAccessReview.",
}


def _with_condition(request: CSR, condition: Condition) -> CSR:
    status = msgspec.structs.replace(request.status, conditions=[*request.status.conditions, condition])
    return msgspec.structs.replace(request, status=status)


def _condition(kind: str, reason: str, message: str, now: datetime) -> Condition:
    at = format_time(now)
    return Condition(type=kind, status="True", reason=reason, message=message, lastUpdateTime=at, lastTransitionTime=at)


class _RequestController(Controller):
    """Looks at every request that has no certificate yet."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.requests = self.informer(CSR)
        self.requests.add_handler(self._seen, lambda _, new: self._seen(new))

    def _seen(self, request: CSR) -> None:
        if not request.status.certificate:
            self.queue.add(request.key)


class CertificateApprovingController(_RequestController):
    """Approves certificates of kubelets, for those who may have them."""

    NAME = "certificatesigningrequest-approving-controller"

    async def reconcile(self, key: str) -> None:
        request = self.requests.get(key)
        if request is None or request.status.certificate:
            return
        from pybernetes.controllers.certificates import requests

        if request.spec.signerName != requests.KUBELET_CLIENT:
            return
        if requests.has(request, requests.APPROVED) or requests.has(request, requests.DENIED):
            return
        try:
            names = requests.names_of(requests.parse(request.spec.request))
            requests.check_kubelet_client(names, request.spec.usages)
        except (requests.Unreadable, requests.NotAllowed) as error:
            log.info("certificate request is not a kubelet's request=%s error=%s", key, error)
            return
        tried = [_SELF, _NODE] if requests.is_self_renewal(request, names) else [_NODE]
        for subresource in tried:
            if await self._may(request.spec, subresource):
                found = _condition(requests.APPROVED, "AutoApproved", _APPROVALS[subresource], self.clock.now())
                await self.client.update(_with_condition(request, found), subresource="approval")
                return
        log.info("certificate request recognized, but its user may not have it request=%s tried=%s", key, tried)

    async def _may(self, spec: certificates_v1.CertificateSigningRequestSpec, subresource: str) -> bool:
        attributes = authorization_v1.ResourceAttributes(
            group=CSR.GROUP, resource=CSR.PLURAL, verb="create", subresource=subresource, version="*"
        )
        review = authorization_v1.SubjectAccessReview(
            spec=authorization_v1.SubjectAccessReviewSpec(
                user=spec.username,
                uid=spec.uid,
                groups=spec.groups,
                extra=spec.extra,
                resourceAttributes=attributes,
            )
        )
        return (await self.client.create(review)).status.allowed


class CertificateSigningController(_RequestController):
    """Signs what was approved and may be signed; says Failed of what may not."""

    NAME = "certificatesigningrequest-signing-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._authority: Authority | None = None

    def authority(self) -> "Authority":
        """Who signs. Raises ValueError: the files given to sign with cannot be read."""
        from pybernetes.controllers.certificates.issuing import Authority

        if self._authority is None:
            options = self.context.options
            self._authority = Authority(options.signing_certificate, options.signing_key)
        return self._authority

    async def reconcile(self, key: str) -> None:
        request = self.requests.get(key)
        if request is None or request.status.certificate:
            return
        from pybernetes.controllers.certificates import issuing, requests

        if request.spec.signerName not in requests.SIGNERS or not requests.has(request, requests.APPROVED):
            return
        if requests.has(request, requests.DENIED) or requests.has(request, requests.FAILED):
            return
        now = self.clock.now()
        try:
            parsed = requests.parse(request.spec.request)
            requests.check(request.spec.signerName, requests.names_of(parsed), request.spec.usages)
            most = timedelta(seconds=self.context.options.signing_duration_seconds)
            certificate = self.authority().sign(
                parsed,
                request.spec.usages,
                issuing.life(request.spec.expirationSeconds, most),
                now,
                self.context.chance.bytes(SERIAL_BYTES),
            )
        except requests.NotAllowed as error:
            found = _condition(requests.FAILED, "SignerValidationFailure", str(error), now)
            await self.client.update(_with_condition(request, found), subresource="status")
            return
        except (requests.Unreadable, issuing.CannotSign) as error:
            log.warning("certificate request cannot be signed request=%s error=%s", key, error)
            return
        status = msgspec.structs.replace(request.status, certificate=certificate)
        await self.client.update(msgspec.structs.replace(request, status=status), subresource="status")


def is_over(request: CSR, now: datetime, expires: datetime | None) -> bool:
    """Whether a request has been of no use for long enough. `expires`: the end of its certificate's life. Pure."""
    conditions = request.status.conditions
    if not conditions:
        return _older(request.metadata.creationTimestamp, PENDING_LIFE, now)
    issued = bool(request.status.certificate)
    if issued and expires is not None and expires < now:
        return True
    settled = {"Denied", "Failed", *(("Approved",) if issued else ())}
    return any(c.type in settled and _older(c.lastUpdateTime, SETTLED_LIFE, now) for c in conditions)


def _older(since: str | None, age: timedelta, now: datetime) -> bool:
    return since is not None and parse_time(since) + age < now


class CertificateCleanerController(Controller):
    """Deletes requests nobody waits for any more, every hour."""

    NAME = "certificatesigningrequest-cleaner-controller"
    WORKERS: ClassVar[int] = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.requests = self.informer(CSR)

    def tasks(self) -> Iterable[tuple[str, Coroutine[Any, Any, None]]]:
        return (("sweep", self._sweep()),)

    async def _sweep(self) -> None:
        while True:
            for request in self.requests.list():
                self.queue.add(request.key)
            await self.clock.sleep(SWEEP_SECONDS)

    async def reconcile(self, key: str) -> None:
        request = self.requests.get(key)
        if request is None or not is_over(request, self.clock.now(), self._expires(request)):
            return
        try:
            await self.client.delete(CSR, request.name, uid=request.metadata.uid)
        except NotFound:
            return

    def _expires(self, request: CSR) -> datetime | None:
        if not request.status.certificate:
            return None
        import base64

        from cryptography import x509

        try:
            return x509.load_pem_x509_certificate(base64.b64decode(request.status.certificate)).not_valid_after_utc
        except ValueError as error:
            log.info("certificate cannot be read request=%s error=%s", request.key, error)
            return None
