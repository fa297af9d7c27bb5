"""How cells are written: ages, label selectors, lists that are cut.

Follows: apimachinery pkg/util/duration/duration.go, HumanDuration; kubernetes pkg/printers/internalversion/printers.go.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pybernetes.effects import parse_time
from pybernetes.machinery import labels

Json = dict[str, Any]

NONE: Final = "<none>"
UNSET: Final = "<unset>"
UNKNOWN: Final = "<unknown>"
_MAX_SHOWN = 3

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400


def _two(whole: int, unit: str, rest: int, rest_unit: str) -> str:
    return f"{whole}{unit}{rest}{rest_unit}" if rest else f"{whole}{unit}"


def human_duration(seconds: float) -> str:
    """A short duration of at most two units: `119s`, `2m5s`, `5h12m`, `3d`, `2y40d`."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    if total < 2 * _MINUTE:
        return f"{max(total, 0)}s"
    if total < 10 * _MINUTE:
        return _two(total // _MINUTE, "m", total % _MINUTE, "s")
    if total < 3 * _HOUR:
        return f"{total // _MINUTE}m"
    if total < 8 * _HOUR:
        return _two(total // _HOUR, "h", total % _HOUR // _MINUTE, "m")
    if total < 2 * _DAY:
        return f"{total // _HOUR}h"
    if total < 8 * _DAY:
        return _two(total // _DAY, "d", total % _DAY // _HOUR, "h")
    if total < 2 * _YEAR:
        return f"{total // _DAY}d"
    if total < 8 * _YEAR:
        return _two(total // _YEAR, "y", total % _YEAR // _DAY, "d")
    return f"{total // _YEAR}y"


def since(time: str | None, now: datetime) -> str:
    """How long ago a time was; `<unknown>` for none."""
    return human_duration((now - parse_time(time)).total_seconds()) if time else UNKNOWN


def age(document: Json, now: datetime) -> str:
    return since((document.get("metadata") or {}).get("creationTimestamp"), now)


def name(document: Json) -> str:
    found: str = (document.get("metadata") or {}).get("name", "")
    return found


def pairs(values: Mapping[str, str] | None) -> str:
    """`a=b,c=d` in key order."""
    return ",".join(f"{key}={value}" for key, value in sorted((values or {}).items())) or NONE


def selector(value: Json | None) -> str:
    try:
        return str(labels.from_label_selector(value)) or NONE
    except labels.SelectorError:
        return "<error>"


def cut_list(items: Sequence[str], empty: str = UNSET, most: int = _MAX_SHOWN) -> str:
    """The first few items and how many more there are."""
    if len(items) > most:
        return f"{','.join(items[:most])} + {len(items) - most} more..."
    return ",".join(items) or empty


def containers(spec: Json | None) -> tuple[str, str]:
    """Names and images of a pod spec, joined by comma."""
    found = (spec or {}).get("containers") or ()
    return ",".join(c.get("name", "") for c in found), ",".join(c.get("image", "") for c in found)


def true_false(value: bool | None) -> str:
    return UNSET if value is None else str(bool(value))


def load_balancer(status: Json | None) -> str:
    """Addresses of a load balancer, sorted."""
    found = {i.get("ip") or i.get("hostname") or "" for i in (status or {}).get("ingress") or ()}
    return ",".join(sorted(found - {""}))


def host_port(address: str, port: Any) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def condition(document: Json, type_: str) -> Json | None:
    conditions: Iterable[Json] = (document.get("status") or {}).get("conditions") or ()
    return next((c for c in conditions if c.get("type") == type_), None)


def is_true(document: Json, type_: str) -> bool:
    found = condition(document, type_)
    return found is not None and found.get("status") == "True"


_ACCESS_MODES = (
    ("ReadWriteOnce", "RWO"),
    ("ReadOnlyMany", "ROX"),
    ("ReadWriteMany", "RWX"),
    ("ReadWriteOncePod", "RWOP"),
)


def access_modes(modes: Sequence[str] | None) -> str:
    return ",".join(short for mode, short in _ACCESS_MODES if mode in (modes or ()))
