import pytest

from pybernetes.apiserver.resources.html_links import rewrite_html, rewrite_url
from pybernetes.apiserver.resources.pod_streams import container_of, stream_parameters
from pybernetes.apiserver.resources.proxy import Address, check_proxyable, parse_address
from pybernetes.apiserver.resources.upstream import passed_headers
from pybernetes.machinery.errors import BadRequest


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("web", Address("", "web", "")),
        ("web:http", Address("", "web", "http")),
        ("https:web:443", Address("https", "web", "443")),
        ("https:web:", Address("https", "web", "")),
    ],
)
def test_proxy_names_carry_scheme_and_port(text: str, address: Address) -> None:
    assert parse_address(text, "service") == address


@pytest.mark.parametrize("text", ["ftp:web:1", "a:b:c:d", ":80"])
def test_other_proxy_names_are_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_address(text, "pod")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.169.254", "0.0.0.0", "", "localhost"])
def test_addresses_of_the_machine_itself_are_refused(address: str) -> None:
    with pytest.raises(BadRequest):
        check_proxyable(address)


@pytest.mark.parametrize(
    ("location", "wanted"),
    [
        ("/login?x=1", "/api/v1/nodes/n/proxy/login?x=1"),
        ("http://10.0.0.1:80/login/", "/api/v1/nodes/n/proxy/login/"),
        ("http://10.0.0.1:81/login", "http://10.0.0.1:81/login"),
        ("login", "login"),
        ("/api/v1/nodes/n/proxy/already", "/api/v1/nodes/n/proxy/already"),
        ("http://elsewhere.example/", "http://elsewhere.example/"),
        ("", ""),
    ],
)
def test_redirects_lead_back_through_the_proxy(location: str, wanted: str) -> None:
    assert rewrite_url(location, "/api/v1/nodes/n/proxy", "10.0.0.1:80") == wanted


@pytest.mark.parametrize(
    ("page", "wanted"),
    [
        ('<a href="/x?a=1&amp;b=2">', '<a href="/p/x?a=1&amp;b=2">'),
        ("<A HREF='/x' class=y>t</A>", '<A HREF="/p/x" class=y>t</A>'),
        ("<img src=/i.png usemap=#m>", '<img src="/p/i.png" usemap=#m>'),
        ('<a href="x">', '<a href="x">'),
        ('<a href="http://other/x">', '<a href="http://other/x">'),
        ('<a href="http://10.0.0.1:80/x">', '<a href="/p/x">'),
        ('<a title="/x">', '<a title="/x">'),
        ('<script src="/s.js">var a = \'<a href="/x">\'</script><a href="/y">', None),
        ('<!-- <a href="/x"> -->', '<!-- <a href="/x"> -->'),
        ('1 < 2 <a "unclosed', '1 < 2 <a "unclosed'),
    ],
)
def test_links_of_pages_lead_back_through_the_proxy(page: str, wanted: str | None) -> None:
    wanted = wanted or '<script src="/p/s.js">var a = \'<a href="/x">\'</script><a href="/p/y">'
    assert rewrite_html(page, "/p", "10.0.0.1:80") == wanted


def test_credentials_stay_with_the_api_server() -> None:
    headers = {"authorization": "Bearer x", "impersonate-user": "y", "x-stream-protocol-version": "v4\0v5"}
    passed = passed_headers({**headers, "connection": "Upgrade", "upgrade": "SPDY/3.1"}, upgrade=True)
    assert passed == [
        ("x-stream-protocol-version", "v4"),
        ("x-stream-protocol-version", "v5"),
        ("Connection", "Upgrade"),
        ("Upgrade", "SPDY/3.1"),
    ]


def test_stream_options_are_renamed_for_the_kubelet() -> None:
    found = stream_parameters("command=sh&command=-c&stdin=true&stdout=true&tty=false&container=c", command=True)
    assert found == [("input", "1"), ("output", "1"), ("command", "sh"), ("command", "-c")]


@pytest.mark.parametrize("query", ["stdin=true", "command=x&stdout=false"])
def test_streams_without_purpose_are_refused(query: str) -> None:
    with pytest.raises(BadRequest):
        stream_parameters(query, command=True)


def test_the_container_must_be_named_when_there_are_several() -> None:
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a"}, {"name": "b"}]}}
    with pytest.raises(BadRequest, match=r"choose one of: \[a b\]"):
        container_of(pod, "")
    assert container_of(pod, "b") == "b"
    annotated = {**pod, "metadata": {"name": "p", "annotations": {"kubectl.kubernetes.io/default-container": "b"}}}
    assert container_of(annotated, "") == "b"
