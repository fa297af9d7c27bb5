from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from pybernetes.cluster import pki
from pybernetes.cluster.config import ClusterConfig
from pybernetes.cluster.errors import BadState

NOW = datetime(2026, 6, 1, tzinfo=UTC)
CONFIG = ClusterConfig(node_name="n1")


def certificate(directory: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((directory / f"{name}.crt").read_bytes())


def test_every_file_is_made_once_and_private(tmp_path: Path) -> None:
    written = pki.ensure(tmp_path, CONFIG, NOW, machine_name="n1")

    assert {"ca", "front-proxy-ca", "sa", "apiserver", "admin", "kubelet"} <= set(written)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())
    assert pki.ensure(tmp_path, CONFIG, NOW, machine_name="n1") == []


def test_identities_are_upstreams(tmp_path: Path) -> None:
    pki.ensure(tmp_path, CONFIG, NOW, machine_name="n1")

    assert certificate(tmp_path, "admin").subject.rfc4514_string() == "CN=kubernetes-admin,O=system:masters"
    assert certificate(tmp_path, "node").subject.rfc4514_string() == "CN=system:node:n1,O=system:nodes"
    assert certificate(tmp_path, "scheduler").subject.rfc4514_string() == "CN=system:kube-scheduler"
    names = certificate(tmp_path, "apiserver").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "kubernetes.default.svc.cluster.local" in names.get_values_for_type(x509.DNSName)
    assert {"127.0.0.1", "10.96.0.1"} <= {str(ip) for ip in names.get_values_for_type(x509.IPAddress)}


def test_what_expires_soon_is_renewed_by_the_same_authority(tmp_path: Path) -> None:
    pki.ensure(tmp_path, CONFIG, NOW, machine_name="n1")
    authority, before = certificate(tmp_path, "ca"), certificate(tmp_path, "admin")

    later = NOW + pki.LIFE - pki.RENEW_BEFORE + timedelta(days=1)
    written = pki.ensure(tmp_path, CONFIG, later, machine_name="n1")

    assert "admin" in written
    assert "ca" not in written
    assert "sa" not in written
    after = certificate(tmp_path, "admin")
    assert after.serial_number != before.serial_number
    after.verify_directly_issued_by(authority)


def test_a_new_address_is_put_into_the_servers_certificate(tmp_path: Path) -> None:
    pki.ensure(tmp_path, CONFIG, NOW, machine_name="n1")
    moved = ClusterConfig(node_name="n1", pod_cidr="10.245.0.0/16")

    assert set(pki.ensure(tmp_path, moved, NOW, machine_name="n1")) == {"apiserver", "kubelet"}


def test_a_missing_authority_key_is_said_and_nothing_is_overwritten(tmp_path: Path) -> None:
    pki.ensure(tmp_path, CONFIG, NOW, machine_name="n1")
    (tmp_path / "ca.key").unlink()

    with pytest.raises(BadState, match=r"ca\.key is missing"):
        pki.ensure(tmp_path, CONFIG, NOW, machine_name="n1")


def test_a_damaged_certificate_is_named(tmp_path: Path) -> None:
    pki.ensure(tmp_path, CONFIG, NOW, machine_name="n1")
    (tmp_path / "ca.crt").write_text("garbage")

    with pytest.raises(BadState, match=r"ca\.crt is no certificate"):
        pki.ensure(tmp_path, CONFIG, NOW, machine_name="n1")
