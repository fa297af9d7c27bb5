from pybernetes.apiserver.routing import route


def test_lists_carry_their_field_selector_for_the_node_authorizer() -> None:
    info = route("GET", "/api/v1/pods", "fieldSelector=spec.nodeName%3Dn1&watch=1")
    assert (info.verb, info.field_selector) == ("watch", "spec.nodeName=n1")
    assert route("GET", "/api/v1/namespaces/a/pods/b", "fieldSelector=x%3Dy").field_selector == ""
