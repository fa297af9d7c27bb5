"""Calls a webhook: one POST of JSON to where a `clientConfig` points, and the JSON it answers.

    targets        clientConfig → whom to connect to, whom to expect there
    connections    TLS, HTTP/1.1, connections kept for the next call
    client         time limit, what counts as an answer, retries the webhook asks for

Used by admission and by the conversion of custom resources; neither knows how the other side is reached.

Follows: apiserver pkg/util/webhook; client-go rest/request.go, transformResponse.
"""

import asyncio
import math
from collections.abc import Mapping
from typing import Any, Final

import orjson

from pybernetes.apiserver.request import ObjectReader
from pybernetes.apiserver.webhooks.connections import Connections, Failed, Peer, Reply
from pybernetes.apiserver.webhooks.targets import Location, Unresolvable, locate, resolve
from pybernetes.effects import Chance, Clock
from pybernetes.machinery import errors

MAX_RETRIES: Final = 10
"""Of calls the webhook answers with 429 or 5xx and `Retry-After`, all within the time limit."""
MAX_SHOWN_CHARACTERS: Final = 2048
"""Of an unexpected answer's text in an error."""
DEADLINE: Final = "context deadline exceeded"


class CallFailed(Exception):
    """No usable answer. The text is upstream's, without the name of the webhook: the caller puts that before it."""

    def __init__(self, message: str, code: int = 503) -> None:
        super().__init__(message)
        self.code = code
        """The HTTP code metrics count: the webhook's own, or 503 when it said nothing."""


class WebhookClient:
    """Calls webhooks. One per server: it owns their connections."""

    def __init__(self, reader: ObjectReader, clock: Clock, chance: Chance) -> None:
        self._reader = reader
        self._clock = clock
        self._chance = chance
        self._connections = Connections(clock)

    async def call(self, config: Mapping[str, Any], document: Any, *, timeout_seconds: float) -> Any:
        """Post a JSON document to where `config`, a `clientConfig`, points; the decoded answer.

        Raises:
            CallFailed: nobody answered in time, nobody trusted answered, or the answer is none.
        """
        try:
            location = locate(config)
        except Unresolvable as error:
            raise CallFailed(f"could not get REST client: {error}", 500) from None
        body = orjson.dumps(document)
        url = location.url(math.ceil(timeout_seconds))
        try:
            async with asyncio.timeout(timeout_seconds):
                reply = await self._ask(location, _request(location, math.ceil(timeout_seconds), body))
        except TimeoutError:
            raise CallFailed(f'failed to call webhook: Post "{url}": {DEADLINE}') from None
        except (Failed, Unresolvable) as error:
            raise CallFailed(f'failed to call webhook: Post "{url}": {error}') from None
        return _read(reply)

    async def _ask(self, location: Location, request: bytes) -> Reply:
        for _ in range(MAX_RETRIES):
            reply = await self._once(location, request)
            wait = reply.headers.get("retry-after", "")
            if not wait.isdigit() or not (reply.status == 429 or reply.status >= 500):
                return reply
            await self._clock.sleep(float(wait))
        return await self._once(location, request)

    async def _once(self, location: Location, request: bytes) -> Reply:
        host, port = resolve(location, self._reader, self._chance)
        return await self._connections.exchange(Peer(host, port, location.server_name, location.ca_bundle), request)

    def close(self) -> None:
        """Close the connections nobody uses right now."""
        self._connections.close()


def _request(location: Location, seconds: int, body: bytes) -> bytes:
    head = (
        f"POST {location.path}?timeout={seconds}s HTTP/1.1\r\n"
        f"Host: {location.authority}\r\n"
        "User-Agent: kube-apiserver-admission\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Accept: application/json, */*\r\n"
        "Content-Type: application/json\r\n\r\n"
    )
    return head.encode("utf-8") + body


def _read(reply: Reply) -> Any:
    """The document of a good answer.

    Raises:
        CallFailed.
    """
    if not 200 <= reply.status <= 206:
        raise CallFailed(f"failed to call webhook: {refusal(reply)}", reply.status)
    try:
        return orjson.loads(reply.body)
    except orjson.JSONDecodeError as error:
        raise CallFailed(f"failed to call webhook: couldn't get version/kind; json parse error: {error}") from None


def refusal(reply: Reply) -> str:
    """What an answer other than 2xx means, in client-go's words; a Status document speaks for itself.

    Follows: apimachinery pkg/api/errors/errors.go, NewGenericServerResponse.
    """
    try:
        status = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status" and status.get("message"):
        return errors.from_status(status, reply.status).message
    text = reply.body.decode("utf-8", "replace").strip()[:MAX_SHOWN_CHARACTERS]
    known = _GENERIC.get(reply.status)
    if known is not None:
        return known
    if reply.status >= 500:
        shown = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'an error on the server ("{shown}") has prevented the request from succeeding'
    return f"the server responded with the status code {reply.status} but did not return more information"


_GENERIC: Final = {
    400: "the server rejected our request for an unknown reason",
    401: "the server has asked for the client to provide credentials",
    403: "the server does not allow this method on the requested resource",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    406: "the server was unable to respond with a content type that the client supports",
    409: "the server reported a conflict",
    413: "the request entity is too large",
    415: "the server was unable to process the request because the content type is not supported",
    422: "the server rejected our request due to an error in our request",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be processing the request",
}
