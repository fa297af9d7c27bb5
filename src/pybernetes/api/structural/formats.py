"""The formats of texts that schemas can ask for; all others mean nothing.

Follows: kube-openapi pkg/validation/strfmt/default.go, kubernetes-extensions.go; apiextensions-apiserver
pkg/apiserver/validation/formats.go.
"""

import base64
import binascii
import datetime as dt
import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Final

from pybernetes.machinery import names


def _matches(pattern: str, flags: int = 0) -> Callable[[str], bool]:
    find = re.compile(pattern, flags | re.ASCII).fullmatch
    return lambda text: find(text) is not None


def _address(version: int) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            return "%" not in text and ipaddress.ip_address(text).version == version
        except ValueError:
            return False

    return check


def _cidr(text: str) -> bool:
    address, slash, bits = text.partition("/")
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return False
    return bool(slash) and bits.isdigit() and "%" not in address


def _base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII).fullmatch
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII).fullmatch


def _date(text: str) -> bool:
    if _DATE(text) is None:
        return False
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _datetime(text: str) -> bool:
    found = _TIME(text)
    if found is None or not _date(found[1]):
        return False
    return int(found[2]) < 24 and int(found[3]) < 60 and int(found[4]) < 60


_GO_DURATION = re.compile(r"[-+]?(0|(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+", re.ASCII).fullmatch
_SCALA_DURATION = re.compile(
    r"\d+\s*(ns|nano|nanos|nanosecond|nanoseconds|us|µs|micro|micros|microsecond|microseconds|ms|milli|millis|"
    r"millisecond|milliseconds|s|sec|secs|second|seconds|m|min|mins|minute|minutes|h|hr|hour|hours|d|day|days|"
    r"w|week|weeks)",
    re.IGNORECASE,
).fullmatch


def _duration(text: str) -> bool:
    return _GO_DURATION(text) is not None or _SCALA_DURATION(text.strip()) is not None


def _isbn10(text: str) -> bool:
    digits = text.replace("-", "").replace(" ", "")
    if re.fullmatch(r"\d{9}[\dXx]", digits, re.ASCII) is None:
        return False
    values = [10 if digit in "Xx" else int(digit) for digit in digits]
    return sum((place + 1) * value for place, value in enumerate(values)) % 11 == 0


def _isbn13(text: str) -> bool:
    digits = text.replace("-", "").replace(" ", "")
    if re.fullmatch(r"\d{13}", digits, re.ASCII) is None:
        return False
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10 == 0


_CARD = _matches(
    r"4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|"
    r"3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11}"
)


def _credit_card(text: str) -> bool:
    return _CARD(re.sub(r"\D", "", text))


_UUID = "[0-9a-f]{8}-?[0-9a-f]{4}-?%s[0-9a-f]{3}-?%s[0-9a-f]{3}-?[0-9a-f]{12}"
_MAC = r"([0-9a-f]{2}[:-]){5}([0-9a-f]{2}[:-]){0,14}[0-9a-f]{2}|([0-9a-f]{4}\.){2,9}[0-9a-f]{4}"
_BYTE = r"\s*(25[0-5]|2[0-4]\d|1?\d?\d)\s*"
_LABEL = r"[a-zA-Z0-9\u00a0-\uffff]([a-zA-Z0-9\u00a0-\uffff-]{0,61}[a-zA-Z0-9\u00a0-\uffff])?"


def _hostname(text: str) -> bool:
    return 0 < len(text) <= 255 and re.fullmatch(rf"{_LABEL}(\.{_LABEL})*\.?", text) is not None


def _uri(text: str) -> bool:
    """As net/url.ParseRequestURI: absolute, or a path from the root."""
    if not text or any(ord(character) <= 0x20 or ord(character) == 0x7F for character in text):
        return False
    return text.startswith("/") or re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:(/|[^/]*$)", text) is not None


def _email(text: str) -> bool:
    """As net/mail.ParseAddress, also with a display name before `<…>`."""
    address = re.fullmatch(r"(?:[^<>@]*)<([^<>]+)>\s*", text)
    plain = address[1] if address else text.strip()
    return re.fullmatch(r"[^\s@<>,;:\\\"()\[\]]+@[^\s@<>,;:\\\"()]+", plain) is not None


FORMATS: Final[Mapping[str, Callable[[str], bool]]] = {
    "bsonobjectid": _matches("[0-9a-f]{24}", re.IGNORECASE),
    "uri": _uri,
    "email": _email,
    "hostname": _hostname,
    "ipv4": _address(4),
    "ipv6": _address(6),
    "cidr": _cidr,
    "mac": _matches(_MAC, re.IGNORECASE),
    "uuid": _matches(_UUID % ("[0-9a-f]", "[0-9a-f]"), re.IGNORECASE),
    "uuid3": _matches(_UUID % ("3", "[0-9a-f]"), re.IGNORECASE),
    "uuid4": _matches(_UUID % ("4", "[89ab]"), re.IGNORECASE),
    "uuid5": _matches(_UUID % ("5", "[89ab]"), re.IGNORECASE),
    "isbn": lambda text: _isbn10(text) or _isbn13(text),
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "creditcard": _credit_card,
    "ssn": _matches(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "hexcolor": _matches("#?([0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE),
    "rgbcolor": _matches(rf"rgb\({_BYTE},{_BYTE},{_BYTE}\)"),
    "byte": _base64,
    "password": lambda _: True,
    "date": _date,
    "duration": _duration,
    "datetime": _datetime,
    "k8sshortname": lambda text: not names.dns_label(text),
    "k8slongname": lambda text: not names.dns_subdomain(text),
}


def text_format(name: str) -> Callable[[str], bool] | None:
    """The check of a format of texts, None where the name means nothing; dashes do not count."""
    return FORMATS.get(name.replace("-", "")) if name else None
