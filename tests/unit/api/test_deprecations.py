import pytest

from pybernetes.api import registry
from pybernetes.api.deprecations import WARNINGS


def test_every_warning_is_about_a_served_kind() -> None:
    served = {(r.api_version, r.kind) for r in registry.built_in()}
    assert WARNINGS.keys() <= served


def test_no_stable_version_is_on_its_way_out() -> None:
    leaving = {version for (version, _), text in WARNINGS.items() if "unavailable" in text}
    assert all("alpha" in version or "beta" in version for version in leaving)


@pytest.mark.parametrize(
    ("api_version", "kind", "text"),
    [
        ("v1", "Endpoints", "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"),
        (
            "networking.k8s.io/v1beta1",
            "IPAddress",
            "networking.k8s.io/v1beta1 IPAddress is deprecated in v1.34+, unavailable in v1.37+",
        ),
        (
            "storage.k8s.io/v1beta1",
            "VolumeAttributesClass",
            "storage.k8s.io/v1beta1 VolumeAttributesClass is deprecated in v1.34+, unavailable in v1.37+; "
            "use storage.k8s.io/v1 VolumeAttributesClass",
        ),
    ],
)
def test_a_warning_names_releases_and_what_to_use(api_version: str, kind: str, text: str) -> None:
    assert WARNINGS[api_version, kind] == text
