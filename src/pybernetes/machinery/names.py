"""What names, keys, ports and addresses may look like.

Every check gives the complaints, none when all is well.

Follows: apimachinery pkg/util/validation/{validation,ip}.go, pkg/api/validate/content; texts as clients match them.
"""

import functools
import ipaddress
import re
from collections.abc import Callable
from typing import Final

DNS_LABEL_MAX: Final = 63
DNS_SUBDOMAIN_MAX: Final = 253
_CACHED = 16384
"""Distinct texts remembered per check; arbitrary. Names and label keys repeat all the time."""

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_DNS_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_QUALIFIED})?"
_C_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
_ENV_NAME = "[-._a-zA-Z][-._a-zA-Z0-9]*"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_HTTP_HEADER = "[-A-Za-z0-9]+"
_PERCENT = "[0-9]+%"

_QUALIFIED_MESSAGE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)

EMPTY: Final = "must be non-empty"
BAD_PORT: Final = "must be between 1 and 65535, inclusive"
BAD_IP: Final = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
BAD_CIDR: Final = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"

Check = Callable[[str], tuple[str, ...]]


def regex_error(message: str, pattern: str, *examples: str) -> str:
    """The message with examples and the pattern, spaced as upstream spaces it."""
    if not examples:
        return f"{message} (regex used for validation is '{pattern}')"
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{message} (e.g. {shown}regex used for validation is '{pattern}')"


def too_long(most: int) -> str:
    return f"must be no more than {most} characters"


def _pattern_check(pattern: str, message: str, *examples: str, most: int = 0) -> Check:
    matches = re.compile(pattern, re.ASCII).fullmatch
    complaint = regex_error(message, pattern, *examples)

    @functools.lru_cache(maxsize=_CACHED)
    def check(value: str) -> tuple[str, ...]:
        errors = (too_long(most),) if most and len(value) > most else ()
        return errors if matches(value) else (*errors, complaint)

    return check


dns_subdomain = _pattern_check(
    _SUBDOMAIN,
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character",
    "example.com",
    most=DNS_SUBDOMAIN_MAX,
)
_label = _pattern_check(
    _LABEL,
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character",
    "my-name",
    "123-abc",
    most=DNS_LABEL_MAX,
)
dns_1035_label = _pattern_check(
    _DNS_1035,
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character",
    "my-name",
    "abc-123",
    most=DNS_LABEL_MAX,
)
wildcard_subdomain = _pattern_check(
    rf"\*\.{_SUBDOMAIN}",
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
    "*.example.com",
    most=DNS_SUBDOMAIN_MAX,
)
label_value = _pattern_check(
    _LABEL_VALUE,
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character",
    "MyValue",
    "my_value",
    "12345",
    most=DNS_LABEL_MAX,
)
c_identifier = _pattern_check(
    _C_IDENTIFIER,
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric "
    "characters or '_'",
    "my_name",
    "MY_NAME",
    "MyName",
)
http_header = _pattern_check(
    _HTTP_HEADER, "a valid HTTP header must consist of alphanumeric characters or '-'", "X-Header-Name"
)
percent = _pattern_check(
    _PERCENT, "a valid percent string must be a numeric string followed by an ending '%'", "1%", "93%"
)
_qualified_part = _pattern_check(_QUALIFIED, f"name part {_QUALIFIED_MESSAGE}", "MyName", "my.name", "123-abc")
_config_key = _pattern_check(
    _CONFIG_KEY,
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    "key.name",
    "KEY_NAME",
    "key-name",
    most=DNS_SUBDOMAIN_MAX,
)
_MUST_NOT_CONTAIN_DOTS = "must not contain dots"
_SUBDOMAIN_MATCH = re.compile(_SUBDOMAIN).fullmatch


@functools.lru_cache(maxsize=_CACHED)
def dns_label(value: str) -> tuple[str, ...]:
    errors = _label(value)
    if errors and _SUBDOMAIN_MATCH(value) and "." in value:
        return (*errors[:-1], _MUST_NOT_CONTAIN_DOTS)
    return errors


@functools.lru_cache(maxsize=_CACHED)
def qualified_name(value: str) -> tuple[str, ...]:
    """A label or annotation key: `name` or `prefix/name`."""
    parts = value.split("/")
    errors: list[str] = []
    if len(parts) > 2:
        example = regex_error(_QUALIFIED_MESSAGE, _QUALIFIED, "MyName", "my.name", "123-abc")
        return (
            f"a qualified name {example} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
        )
    if len(parts) == 2:
        prefix = parts[0]
        errors += [f"prefix part {e}" for e in (dns_subdomain(prefix) if prefix else (EMPTY,))]
    name = parts[-1]
    if not name:
        errors.append(f"name part {EMPTY}")
    elif len(name) > DNS_LABEL_MAX:
        errors.append(f"name part {too_long(DNS_LABEL_MAX)}")
    errors += _qualified_part(name)
    return tuple(errors)


def _change_directory_errors(value: str) -> tuple[str, ...]:
    if value == ".":
        return ("must not be '.'",)
    if value == "..":
        return ("must not be '..'",)
    return ("must not start with '..'",) if value.startswith("..") else ()


@functools.lru_cache(maxsize=_CACHED)
def config_key(value: str) -> tuple[str, ...]:
    """A key of a ConfigMap or Secret."""
    return (*_config_key(value), *_change_directory_errors(value))


_ENV_NAME_MESSAGE = regex_error(
    "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', "
    "and must not start with a digit",
    _ENV_NAME,
    "my.env-name",
    "MY_ENV.NAME",
    "MyEnvName1",
)


@functools.lru_cache(maxsize=_CACHED)
def env_name(value: str) -> tuple[str, ...]:
    """The name of an environment variable: printable ASCII without `=`. Follows: IsRelaxedEnvVarName."""
    if not value:
        return ("environment variable name " + EMPTY,)
    if all(" " <= c <= "~" and c != "=" for c in value):
        return ()
    return ("a valid environment variable name must consist only of printable ASCII characters other than '='",)


_PORT_CHARACTERS = re.compile("[-a-z0-9]+", re.ASCII).fullmatch
_PORT_LETTER = re.compile("[a-z]", re.ASCII).search


@functools.lru_cache(maxsize=_CACHED)
def port_name(value: str) -> tuple[str, ...]:
    """An IANA service name."""
    errors = []
    if len(value) > 15:
        errors.append(too_long(15))
    if not _PORT_CHARACTERS(value):
        errors.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not _PORT_LETTER(value):
        errors.append("must contain at least one letter (a-z)")
    if "--" in value:
        errors.append("must not contain consecutive hyphens")
    if value[:1] == "-" or value[-1:] == "-":
        errors.append("must not begin or end with a hyphen")
    return tuple(errors)


def port_number(value: int) -> tuple[str, ...]:
    return () if 1 <= value <= 65535 else (BAD_PORT,)


@functools.lru_cache(maxsize=_CACHED)
def ip_address(value: str) -> tuple[str, ...]:
    """An IP address in the one form that everybody reads alike: no leading zeros, no IPv4 inside IPv6."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        if re.fullmatch(r"[0-9]+(\.[0-9]+){3}", value) and all(int(part) < 256 for part in value.split(".")):
            return ("must not have leading 0s",)
        return (BAD_IP,)
    if "%" in value:
        return (BAD_IP,)
    if address.version == 6 and address.ipv4_mapped is not None:
        return ("must not be an IPv4-mapped IPv6 address",)
    return ()


@functools.lru_cache(maxsize=_CACHED)
def cidr(value: str) -> tuple[str, ...]:
    """A network with a prefix length and no bits beyond it."""
    address, slash, length = value.partition("/")
    if not slash or not length.isdecimal():
        return (BAD_CIDR,)
    try:
        interface = ipaddress.ip_interface(value)
    except ValueError:
        complaints = ip_address(address)
        return complaints if complaints and complaints[0] != BAD_IP else (BAD_CIDR,)
    if len(length) > 1 and length.startswith("0"):
        return ("must not have leading 0s in prefix length",)
    if interface.version == 6 and interface.ip.ipv4_mapped is not None:
        return ("must not be an IPv4-mapped IPv6 address",)
    if interface.ip != interface.network.network_address:
        return ("must not have bits set beyond the prefix length",)
    return ()


def fully_qualified_domain(value: str) -> tuple[str, ...]:
    """At least two labels, as in `example.com`; one trailing dot is allowed."""
    name = value.removesuffix(".")
    if not name:
        return (EMPTY,)
    errors = dns_subdomain(name)
    if errors:
        return errors
    if "." not in name:
        return ("should be a domain with at least two segments separated by dots",)
    return tuple(e for label in name.split(".") if len(label) > DNS_LABEL_MAX for e in (too_long(DNS_LABEL_MAX),))


def path_segment(value: str) -> tuple[str, ...]:
    """A name that may stand in a URL path: RBAC names are nothing stricter."""
    if value in {".", ".."}:
        return (f"may not be '{value}'",)
    return tuple(f"may not contain '{part}'" for part in ("/", "%") if part in value)
