"""A webhook on a real TLS socket: answers AdmissionReviews as the test says, and remembers what it was sent."""

import asyncio
import base64
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Json = dict[str, Any]
Answer = Callable[[Json], Json | Awaitable[Json]]
DAY = dt.timedelta(days=1)


def allow(_: Json) -> Json:
    return {"allowed": True}


def deny(message: str, **status: Any) -> Answer:
    def answer(_: Json) -> Json:
        return {"allowed": False, "status": {"message": message, **status}}

    return answer


def patch(*operations: Json) -> Answer:
    def answer(_: Json) -> Json:
        text = base64.b64encode(orjson.dumps(operations)).decode()
        return {"allowed": True, "patchType": "JSONPatch", "patch": text}

    return answer


@dataclass
class WebhookServer:
    """`answers` by path; a request's AdmissionReview goes in, the `response` comes out."""

    ca_bundle: str
    """Base64, as clientConfig wants it."""
    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[Json] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)

    def config(self, path: str) -> Json:
        return {"url": f"https://127.0.0.1:{self.port}{path}", "caBundle": self.ca_bundle}

    def asked(self, path: str) -> list[Json]:
        """The requests sent to a path, in their order."""
        return [row["request"] for row in self.requests if row["path"] == path]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        review = orjson.loads(await request.read())
        self.connections.add(request.transport)
        self.requests.append({**review, "path": request.path, "query": request.query_string})
        answer = self.answers[request.path](review["request"])
        response = await answer if isinstance(answer, Awaitable) else answer
        raw = response.pop("raw", None)
        if raw is not None:
            return web.Response(body=raw[1], status=raw[0])
        found = {
            "kind": review["kind"],
            "apiVersion": review["apiVersion"],
            "response": {"uid": review["request"]["uid"], **response},
        }
        return web.json_response(found)


def _certificates(folder: Path) -> tuple[Path, Path, bytes]:
    """Files of a serving certificate and its key, and the PEM of the authority that signed it."""
    now = dt.datetime.now(dt.UTC)  # noqa: TID251 - certificates are checked against real time
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "webhook-ca")])

    def builder(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
        )

    authority = builder(ca_name, ca_key.public_key()).add_extension(x509.BasicConstraints(True, None), critical=True)
    names = x509.SubjectAlternativeName(
        [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("hooks.default.svc")]
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks")])
    serving = builder(subject, key.public_key()).add_extension(names, critical=False).sign(ca_key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    certificate_file, key_file = folder / "webhook.crt", folder / "webhook.key"
    certificate_file.write_bytes(serving.public_bytes(pem))
    key_file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return certificate_file, key_file, authority.sign(ca_key, hashes.SHA256()).public_bytes(pem)


@asynccontextmanager
async def webhook_server(folder: Path) -> AsyncIterator[WebhookServer]:
    """A running webhook on 127.0.0.1."""
    certificate, key, ca = _certificates(folder)
    server = WebhookServer(base64.b64encode(ca).decode())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    application = web.Application(client_max_size=16 * 1024 * 1024)
    application.router.add_post("/{tail:.*}", server.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    assert site._server is not None
    server.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    try:
        yield server
    finally:
        await runner.cleanup()


async def hang(_: Json) -> Json:
    """Answer after five seconds, as upstream's test webhook does."""
    await asyncio.sleep(5)  # noqa: TID251 - real time on a real socket
    return {"allowed": True}
