"""Objects as answers: form, media type, compression, indentation.

Follows: apiserver pkg/endpoints/handlers/responsewriters/writers.go.
"""

import zlib
from collections.abc import Sequence

import orjson

from pybernetes.api import protobuf
from pybernetes.api.yaml_text import write_yaml
from pybernetes.apiserver.binary_forms import encode_status
from pybernetes.apiserver.cache.objects import CachedObject
from pybernetes.apiserver.context import Context
from pybernetes.apiserver.http.message import Response
from pybernetes.apiserver.http.negotiation import JSON, PROTOBUF, YAML, Output, not_acceptable
from pybernetes.apiserver.request import Document
from pybernetes.apiserver.routing import is_true
from pybernetes.machinery.errors import NotAcceptable

GZIP_THRESHOLD_BYTES = 128 * 1024
"""Smaller answers are not worth compressing. Follows: writers.go, defaultGzipThresholdBytes."""
GZIP_LEVEL = 1
_GZIP_WINDOW = 31
"""zlib's window bits for the gzip format."""
GZIPPED = (("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
_BROWSERS = ("curl/", "Wget/", "Mozilla/5.0")


def wants_pretty(context: Context, output: Output) -> bool:
    """People who look at the raw API get line breaks."""
    query = context.request.query
    if "pretty" in query:
        return is_true(query["pretty"])
    return output.pretty or context.request.headers.get("user-agent", "").startswith(_BROWSERS)


def accepts_gzip(context: Context) -> bool:
    accepted = context.request.headers.get("accept-encoding")
    return accepted is not None and any(part.partition(";")[0].strip() == "gzip" for part in accepted.split(","))


def gzipped_json(context: Context, output: Output) -> bool:
    """Whether a long answer goes out compressed, and is otherwise just what lies in the cache."""
    return output.media_type == JSON and accepts_gzip(context) and not wants_pretty(context, output)


def object_answer(context: Context, obj: CachedObject, status: int = 200, output: Output | None = None) -> Response:
    """One stored object in the form the client asked for."""
    output = output or context.output()
    form = context.core.forms.of(context.resource, output, context.query("includeObject"))
    return encoded(context, form.one(obj), output, status)


def document_answer(context: Context, document: Document, status: int = 200) -> Response:
    """A document that is not stored: a review, a scale, a dry run's result."""
    output = context.output(tables=False)
    if output.media_type == PROTOBUF:
        try:
            return encoded(context, protobuf.encode(document), output, status)
        except protobuf.ProtobufError:
            raise not_acceptable(JSON, YAML) from None
    return encoded(context, orjson.dumps(document), output, status)


def status_answer(context: Context, answer: Response) -> Response:
    """A Status document in the media type the client prefers; JSON for those who ask for what there is not."""
    try:
        output = context.output(tables=False)
    except NotAcceptable:
        return answer
    if output.media_type == PROTOBUF:
        answer.body, answer.content_type = encode_status(orjson.loads(answer.data)), PROTOBUF
    elif output.media_type == YAML:
        document = orjson.loads(answer.data)
        answer.body = write_yaml(document)
        answer.content_type = YAML
    return answer


def encoded(context: Context, data: bytes | Sequence[bytes], output: Output, status: int = 200) -> Response:
    """JSON bytes as the body of an answer, in the media type that was negotiated."""
    user_agent = context.request.headers.get("user-agent", "")
    if output.media_type == YAML:
        document = orjson.loads(data if isinstance(data, bytes) else b"".join(data))
        data = write_yaml(document)
    elif output.media_type == PROTOBUF:
        pass
    elif (output.pretty or "pretty" in context.request.query_text or user_agent.startswith(_BROWSERS)) and wants_pretty(
        context, output
    ):
        document = orjson.loads(data if isinstance(data, bytes) else b"".join(data))
        data = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    size = len(data) if isinstance(data, bytes) else sum(map(len, data))
    if size > GZIP_THRESHOLD_BYTES and accepts_gzip(context):
        return Response(
            _gzip([data] if isinstance(data, bytes) else data),
            status,
            output.media_type,
            GZIPPED,
        )
    return Response(data, status, output.media_type)


def _gzip(parts: Sequence[bytes]) -> bytes:
    compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    pieces = [compressor.compress(part) for part in parts]
    pieces.append(compressor.flush())
    return b"".join(pieces)
