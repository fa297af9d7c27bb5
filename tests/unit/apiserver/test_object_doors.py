"""Further doors to an object, through the server: ephemeral containers, resize, approval."""

from unit.apiserver.serving import pod, serving

PODS = "/api/v1/namespaces/default/pods"
REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
STRATEGIC = "application/strategic-merge-patch+json"


async def test_ephemeral_containers_are_added_through_their_own_door_only() -> None:
    async with serving() as server:
        await server.create(PODS, pod("a"))
        patch = {"spec": {"ephemeralContainers": [{"name": "debug", "image": "busybox", "targetContainerName": "c"}]}}
        refused = await server.call("PATCH", f"{PODS}/a", patch, status=422, content_type=STRATEGIC)
        assert refused["reason"] == "Invalid"
        found = await server.call("PATCH", f"{PODS}/a/ephemeralcontainers", patch, content_type=STRATEGIC)
        assert [one["name"] for one in found["spec"]["ephemeralContainers"]] == ["debug"]
        assert (await server.get(f"{PODS}/a/ephemeralcontainers"))["spec"] == found["spec"]
        found["spec"]["ephemeralContainers"] = []
        removed = await server.call("PUT", f"{PODS}/a/ephemeralcontainers", found, status=422)
        assert "may not be removed" in removed["message"]


async def test_resources_change_through_resize_only() -> None:
    async with serving() as server:
        body = pod("a")
        body["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "100m"}, "limits": {"cpu": "200m"}}
        await server.create(PODS, body)
        patch = {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "150m"}}}]}}
        await server.call("PATCH", f"{PODS}/a", patch, status=422, content_type=STRATEGIC)
        found = await server.call("PATCH", f"{PODS}/a/resize", patch, content_type=STRATEGIC)
        assert found["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "150m"
        image = {"spec": {"containers": [{"name": "c", "image": "other"}]}}
        answer = await server.ask("PATCH", f"{PODS}/a/resize", image, content_type=STRATEGIC)
        assert (await server.get(f"{PODS}/a"))["spec"]["containers"][0]["image"] == "demo", answer.data


async def test_approval_sets_conditions_and_nothing_else() -> None:
    async with serving() as server:
        body = {
            "metadata": {"name": "csr"},
            "spec": {"request": _request(), "signerName": "example.com/serving", "usages": ["digital signature"]},
        }
        created = await server.create(REQUESTS, body)
        condition = {"type": "Approved", "status": "True", "reason": "Test", "message": "yes"}
        created["status"] = {"conditions": [condition], "certificate": "Zm9v"}
        through_main = await server.call("PUT", f"{REQUESTS}/csr", created)
        assert not (through_main.get("status") or {}).get("conditions")
        through_main["status"] = {"conditions": [condition], "certificate": "Zm9v"}
        found = await server.call("PUT", f"{REQUESTS}/csr/approval", through_main)
        assert [row["type"] for row in found["status"]["conditions"]] == ["Approved"]
        assert "certificate" not in found["status"]


def _request() -> str:
    import base64

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "someone")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    request = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode()
