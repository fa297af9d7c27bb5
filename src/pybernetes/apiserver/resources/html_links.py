"""Links inside HTML pages that come through a proxy: absolute paths get the proxy's path before them.

    <a href="/login">    →    <a href="/api/v1/namespaces/default/services/web/proxy/login">

Relative links lead through the proxy anyway; links to other hosts are left alone. Scripts, styles and comments are
copied as they are.

Follows: apimachinery pkg/util/proxy/transport.go, rewriteHTML.
"""

import html
import re
from typing import Final
from urllib.parse import urlsplit, urlunsplit

LINKS: Final = {
    "a": ("href",),
    "applet": ("codebase",),
    "area": ("href",),
    "audio": ("src",),
    "base": ("href",),
    "blockquote": ("cite",),
    "body": ("background",),
    "button": ("formaction",),
    "command": ("icon",),
    "del": ("cite",),
    "embed": ("src",),
    "form": ("action",),
    "frame": ("longdesc", "src"),
    "head": ("profile",),
    "html": ("manifest",),
    "iframe": ("longdesc", "src"),
    "img": ("longdesc", "src", "usemap"),
    "input": ("src", "usemap", "formaction"),
    "ins": ("cite",),
    "link": ("href",),
    "object": ("classid", "codebase", "data", "usemap"),
    "q": ("cite",),
    "script": ("src",),
    "source": ("src",),
    "video": ("poster", "src"),
}
"""Attributes that hold links, by element. Follows: HTML 4.01, index of attributes; HTML 5."""
_RAW_TEXT: Final = frozenset({"script", "style", "textarea", "title", "xmp", "iframe", "noscript"})
_MAX_VALUE: Final = 4096
"""Longer attribute values are no links worth following, and the search stays linear."""
_TAG: Final = re.compile(
    r"<!--.*?-->|<(?P<name>[a-zA-Z][a-zA-Z0-9]*)"
    rf"(?P<rest>(?:[^<>\"']|\"[^\"]{{0,{_MAX_VALUE}}}\"|'[^']{{0,{_MAX_VALUE}}}')*+)>",
    re.DOTALL,
)
_ATTRIBUTE: Final = re.compile(r"([a-zA-Z-]+)(\s*=\s*)(\"[^\"]*\"|'[^']*'|[^\s\"'>]+)")


def rewrite_url(url: str, prefix: str, host: str) -> str:
    """A link or redirect as it leads through the proxy at `prefix`. `host` is that of the server behind, with port."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if (parts.netloc and parts.netloc != host) or not parts.path.startswith("/"):
        return url
    if parts.path.startswith(prefix):
        return urlunsplit(("", "", parts.path, parts.query, parts.fragment))
    return urlunsplit(("", "", prefix.rstrip("/") + parts.path, parts.query, parts.fragment))


def rewrite_html(text: str, prefix: str, host: str) -> str:
    """The page with its links as they lead through the proxy."""
    pieces = []
    position = 0
    while (found := _TAG.search(text, position)) is not None:
        pieces.append(text[position : found.start()])
        name = (found["name"] or "").lower()
        attributes = LINKS.get(name)
        pieces.append(_rewrite_tag(found.group(), attributes, prefix, host) if attributes else found.group())
        position = found.end()
        if name in _RAW_TEXT:
            end = re.compile(f"</{name}", re.IGNORECASE).search(text, position)
            stop = end.start() if end is not None else len(text)
            pieces.append(text[position:stop])
            position = stop
    return "".join([*pieces, text[position:]])


def _rewrite_tag(tag: str, attributes: tuple[str, ...], prefix: str, host: str) -> str:
    def replaced(match: "re.Match[str]") -> str:
        name, equals, value = match.groups()
        if name.lower() not in attributes:
            return match.group()
        plain = html.unescape(value[1:-1] if value[:1] in {'"', "'"} else value)
        wanted = rewrite_url(plain, prefix, host)
        return match.group() if wanted == plain else f'{name}{equals}"{html.escape(wanted)}"'

    return _ATTRIBUTE.sub(replaced, tag)
