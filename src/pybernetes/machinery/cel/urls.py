"""URLs: `url("https://example.com:80/a?b=c").getPort()`.

Absolute URLs and absolute paths only, by the rules of Go's ParseRequestURI.

Follows: apiserver pkg/cel/library/urls.go; Go net/url.
"""

import re
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote, unquote_plus, unquote_to_bytes

from pybernetes.machinery.cel.errors import EvaluationError
from pybernetes.machinery.cel.functions import Library
from pybernetes.machinery.cel.types import Type, opaque

URL = opaque("kubernetes.URL")
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.\-]*):(.*)$", re.DOTALL)
_HOST = re.compile(r"^(?:\[[0-9A-Fa-f:.%\w\-]+\]|[^\[\]:/?#@\s<>\"^`{|}\\]*)(?::([0-9]*))?$")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PATH_KEPT = "$&+,/:;=@!'()*~[]"


@dataclass(frozen=True, slots=True)
class UrlValue:
    """The parts of a URL that expressions can ask for; `query` is undecoded."""

    cel_type: ClassVar[Type] = URL
    scheme: str
    host: str
    path: str
    query: str
    rest: str = ""
    """Opaque part, user and fragment: told apart by equality only."""


URLS = Library("kubernetes.urls")
URLS.declare(URL)
_define = URLS.define


def _parse(text: str) -> UrlValue:
    """The URL of `text`.

    Raises:
        ValueError: with Go's reason.
    """
    if _CONTROL.search(text):
        raise ValueError("net/url: invalid control character in URL")
    if not text:
        raise ValueError("empty url")
    scheme, rest = "", text
    match = _SCHEME.match(text)
    if match is not None:
        scheme, rest = match[1].lower(), match[2]
    elif text.startswith(":"):
        raise ValueError("missing protocol scheme")
    rest, _, fragment = rest.partition("#")
    rest, _, query = rest.partition("?")
    if not rest.startswith("/"):
        if scheme:
            return UrlValue(scheme, "", "", query, f"{rest}#{fragment}")
        raise ValueError("invalid URI for request")
    host, path, user = "", rest, ""
    if scheme and rest.startswith("//"):
        authority, slash, tail = rest[2:].partition("/")
        path = slash + tail
        user, _, host = authority.rpartition("@")
        _check_host(host)
    escape = _BAD_ESCAPE.search(path)
    if escape is not None:
        raise ValueError(f'invalid URL escape "{path[escape.start() : escape.start() + 3]}"')
    return UrlValue(scheme, host, path, query, f"{user}#{fragment}")


def _check_host(host: str) -> None:
    match = _HOST.match(host)
    if match is None:
        if host.startswith("[") and "]" not in host:
            raise ValueError("missing ']' in host")
        name, colon, port = host.rpartition(":")
        if colon and not port.isdigit() and "[" not in name:
            raise ValueError(f'invalid port ":{port}" after host')
        raise ValueError(f'invalid character in host name "{host}"')


@_define("string_to_url", "url(string) -> kubernetes.URL")
def _url(text: str) -> UrlValue:
    try:
        return _parse(text)
    except ValueError as error:
        raise EvaluationError(f'URL parse error during conversion from string: parse "{text}": {error}') from None


@_define("is_url_string", "isURL(string) -> bool")
def is_url(text: str) -> bool:
    """Whether `url(text)` has a value."""
    return url_error(text) is None


def url_error(text: str) -> str | None:
    """Go's complaint about a URL that ParseRequestURI refuses."""
    try:
        _parse(text)
    except ValueError as error:
        return f'parse "{text}": {error}'
    return None


@_define("url_get_scheme", "kubernetes.URL|getScheme() -> string")
def _scheme(value: UrlValue) -> str:
    return value.scheme


@_define("url_get_host", "kubernetes.URL|getHost() -> string")
def _host(value: UrlValue) -> str:
    return value.host


@_define("url_get_hostname", "kubernetes.URL|getHostname() -> string")
def _hostname(value: UrlValue) -> str:
    if value.host.startswith("["):
        return value.host[1:].partition("]")[0]
    return value.host.partition(":")[0]


@_define("url_get_port", "kubernetes.URL|getPort() -> string")
def _port(value: UrlValue) -> str:
    return value.host.rpartition("]")[2].partition(":")[2]


@_define("url_get_escaped_path", "kubernetes.URL|getEscapedPath() -> string")
def _escaped_path(value: UrlValue) -> str:
    if quote(value.path, safe=_PATH_KEPT + "%") == value.path:
        return value.path  # a valid encoding already
    return quote(unquote_to_bytes(value.path), safe=_PATH_KEPT.replace("[]", ""))


@_define("url_get_query", "kubernetes.URL|getQuery() -> map(string, list(string))")
def _query(value: UrlValue) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for part in value.query.split("&"):
        if not part or ";" in part or _BAD_ESCAPE.search(part):
            continue
        key, _, text = part.partition("=")
        found.setdefault(unquote_plus(key), []).append(unquote_plus(text))
    return found
