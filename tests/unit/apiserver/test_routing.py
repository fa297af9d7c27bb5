import pytest

from pybernetes.apiserver.routing import route


@pytest.mark.parametrize(
    ("method", "path", "query", "wanted"),
    [
        ("GET", "/api/v1/pods", "", ("list", "", "v1", "pods", "", "", "")),
        ("GET", "/api/v1/pods/", "", ("list", "", "v1", "pods", "", "", "")),
        ("GET", "/api/v1/namespaces/a/pods", "watch=1", ("watch", "", "v1", "pods", "a", "", "")),
        ("GET", "/api/v1/namespaces/a/pods", "watch=0", ("list", "", "v1", "pods", "a", "", "")),
        ("GET", "/api/v1/namespaces/a/pods/b", "", ("get", "", "v1", "pods", "a", "b", "")),
        ("HEAD", "/api/v1/namespaces/a/pods/b", "", ("get", "", "v1", "pods", "a", "b", "")),
        ("GET", "/api/v1/namespaces/a/pods/b", "watch=true", ("watch", "", "v1", "pods", "a", "b", "")),
        ("GET", "/api/v1/watch/namespaces/a/pods/b", "", ("watch", "", "v1", "pods", "a", "b", "")),
        ("GET", "/api/v1/watch/pods", "", ("watch", "", "v1", "pods", "", "", "")),
        ("GET", "/api/v1/pods", "fieldSelector=metadata.name%3Dx", ("list", "", "v1", "pods", "", "x", "")),
        ("DELETE", "/apis/apps/v1/namespaces/a/deployments", "",
         ("deletecollection", "apps", "v1", "deployments", "a", "", "")),
        ("PUT", "/apis/apps/v1/namespaces/a/deployments/d/scale", "",
         ("update", "apps", "v1", "deployments", "a", "d", "scale")),
        ("GET", "/api/v1/namespaces/a", "", ("get", "", "v1", "namespaces", "a", "a", "")),
        ("PUT", "/api/v1/namespaces/a/finalize", "", ("update", "", "v1", "namespaces", "a", "a", "finalize")),
        ("GET", "/api/v1/nodes/n/proxy/a/b", "", ("get", "", "v1", "nodes", "", "n", "proxy")),
        ("POST", "/api/v1/namespaces/a/pods/b/exec", "command=ls", ("create", "", "v1", "pods", "a", "b", "exec")),
    ],
)  # fmt: skip
def test_resource_paths_are_read(method: str, path: str, query: str, wanted: tuple[str, ...]) -> None:
    info = route(method, path, query)
    found = (info.verb, info.group, info.version, info.resource, info.namespace, info.name, info.subresource)
    assert info.is_resource
    assert found == wanted


@pytest.mark.parametrize("path", ["/", "/api", "/api/v1", "/apis/apps", "/apis/apps/v1", "/healthz", "/openapi/v3"])
def test_other_paths_are_no_resources(path: str) -> None:
    info = route("GET", path)
    assert (info.is_resource, info.verb) == (False, "get")


def test_what_follows_proxy_is_kept_apart() -> None:
    assert route("GET", "/api/v1/nodes/n/proxy/a/b").path_parts == ("a", "b")
