"""Kubernetes' and cel-go's libraries: each row is an expression that holds, or a failure with its words."""

import pytest

from pybernetes.machinery import cel

ENVIRONMENT = cel.Environment({"any": cel.DYN})

TRUE = [
    # strings
    "'tacocat'.charAt(3) == 'o' && 'abc'.charAt(3) == ''",
    "'hello mellow'.indexOf('ello') == 1 && 'hello mellow'.indexOf('ello', 2) == 7 && 'a'.indexOf('z') == -1",
    "'hello mellow'.lastIndexOf('ello') == 7 && 'hello mellow'.lastIndexOf('ello', 6) == 1",
    "'abc'.indexOf('') == 0 && 'abc'.lastIndexOf('') == 3",
    "'TacÖCat'.lowerAscii() == 'tacÖcat' && 'tacöcat'.upperAscii() == 'TACöCAT'",
    "'hello hello'.replace('he', 'we') == 'wello wello' && 'hello hello'.replace('he', 'we', 1) == 'wello hello'",
    "'hello'.replace('', '_') == '_h_e_l_l_o_' && 'a'.replace('a', 'b', 0) == 'a'",
    "'a,b,c'.split(',') == ['a', 'b', 'c'] && 'a,b,c'.split(',', 2) == ['a', 'b,c'] && 'a'.split(',', 0) == []",
    "'abc'.split('') == ['a', 'b', 'c'] && 'abc'.split('', 2) == ['a', 'bc']",
    "'tacocat'.substring(4) == 'cat' && 'tacocat'.substring(0, 4) == 'taco'",
    "'  \\ttrim\\n '.trim() == 'trim'",
    "['a', 'b'].join() == 'ab' && ['a', 'b'].join('-') == 'a-b'",
    'strings.quote(\'a\\n"b"\') == \'"a\\\\n\\\\"b\\\\""\'',
    "'%s is %d, %.2f, %x, %b, %o, %%'.format([dyn('x'), 3, 1.5, 255, 5, 8]) == 'x is 3, 1.50, ff, 101, 10, %'",
    "'%s'.format([{'b': dyn(1.5), 'a': [dyn('x'), duration('1s')]}])"
    ' == \'{"a":["x", duration("1s")], "b":1.500000}\'',
    "'%f %e'.format([12345.678, 1052.032911275]) == '12,345.678000 1.052033\\u202f×\\u202f10⁰³'",
    # lists
    "[1, 2, 3].isSorted() && !['b', 'a'].isSorted() && [].isSorted()",
    "[1, 2].sum() == 3 && [1.5].sum() == 1.5 && [duration('1m')].sum() == duration('60s')",
    "[3, 1, 2].min() == 1 && ['a', 'c'].max() == 'c'",
    "[1, 2, 2].indexOf(2) == 1 && [1, 2, 2].lastIndexOf(2) == 2 && ['a'].indexOf('z') == -1",
    "[1, 2, 3].slice(1, 3) == [2, 3] && [[1], [2, 3]].flatten() == [1, 2, 3]",
    "[3, 1, 2].sort() == [1, 2, 3] && [1, 2, 2].distinct() == [1, 2] && [1, 2].reverse() == [2, 1]",
    "lists.range(3) == [0, 1, 2] && ['bb', 'a'].sortBy(s, s.size()) == ['a', 'bb']",
    "[1, 2].first().value() == 1 && [1, 2].last().value() == 2 && ![].first().hasValue()",
    "sets.contains([1, 2], [2]) && sets.equivalent([1, 1], [1]) && sets.intersects([1], [1, 2])",
    # patterns
    "'abc 123'.find('[0-9]+') == '123' && 'abc'.find('[0-9]+') == ''",
    "'1 2 3'.findAll('[0-9]') == ['1', '2', '3'] && '1 2 3'.findAll('[0-9]', 1) == ['1'] && '1'.findAll('1', 0) == []",
    # URLs
    "url('https://user@example.com:80/a%20b?k=1&k=2').getHost() == 'example.com:80'",
    "url('https://[::1]:80/').getHostname() == '::1' && url('https://[::1]:80/').getPort() == '80'",
    "url('https://e/a b?k=1&k=2').getEscapedPath() == '/a%20b' && url('/p?k=1&k=2').getQuery() == {'k': ['1', '2']}",
    "url('HTTPS://e/').getScheme() == 'https' && isURL('/path') && !isURL('../path') && !isURL('https://a:b/')",
    "url('https://e/') == url('https://e/') && url('https://e/') != url('https://f/')",
    # quantities
    "quantity('1Gi').isGreaterThan(quantity('1G')) && quantity('50k') == quantity('50000') && isQuantity('1.3Gi')",
    "!isQuantity('200K') && quantity('50M').compareTo(quantity('50Mi')) == -1 && quantity('-1').sign() == -1",
    "quantity('50k').add(20).asInteger() == 50020 && quantity('50k').sub(quantity('20k')) == quantity('30k')",
    "quantity('1.5').asApproximateFloat() == 1.5 && !quantity('50m').isInteger()",
    # networks
    "cidr('192.168.0.0/24').containsIP('192.168.0.1') && !cidr('192.168.0.0/24').containsIP(ip('192.168.1.1'))",
    "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !cidr('10.1.0.0/16').containsCIDR(cidr('10.0.0.0/8'))",
    "cidr('192.168.0.5/24').masked() == cidr('192.168.0.0/24') && cidr('::1/128').prefixLength() == 128",
    "string(cidr('192.168.0.5/24')) == '192.168.0.5/24' && cidr('192.168.0.5/24').ip() == ip('192.168.0.5')",
    "ip('127.0.0.1').family() == 4 && ip('::1').isLoopback() && ip('0.0.0.0').isUnspecified()",
    "ip('224.0.0.1').isLinkLocalMulticast() && ip('fe80::1').isLinkLocalUnicast() && ip('10.0.0.1').isGlobalUnicast()",
    "isIP('::1') && !isIP('::ffff:1.2.3.4') && !isIP('fe80::1%eth0') && isCIDR('::/0') && !isCIDR('1.2.3.4/33')",
    "ip.isCanonical('2001:db8::1') && !ip.isCanonical('2001:DB8::1') && string(ip('::1')) == '::1'",
    # formats
    "!format.dns1123Label().validate('my-name').hasValue() && format.dns1123Label().validate('A').value().size() == 1",
    "!format.dns1123LabelPrefix().validate('my-').hasValue() && format.named('uuid').hasValue()",
    "!format.named('nope').hasValue()",
    "format.uri().validate('x').value() == ['parse \"x\": invalid URI for request']",
    "format.date().validate('2024-02-30').hasValue() && !format.datetime().validate('2024-01-01T00:00:00Z').hasValue()",
    "format.byte().validate('!').value() == ['invalid base64']",
    # versions
    "semver('1.2.3').isLessThan(semver('1.10.0')) && semver('1.0.0-rc.1').compareTo(semver('1.0.0')) == -1",
    "semver('1.2.3').minor() == 2 && isSemver('1.0.0+b') && !isSemver('v1.0') && isSemver('v1.0', true)",
    "semver('v01.2', true) == semver('1.2.0')",
    # JSON patch keys
    "jsonpatch.escapeKey('k8s.io/my~label') == 'k8s.io~1my~0label'",
]


@pytest.mark.parametrize("text", TRUE)
def test_holds(text: str) -> None:
    assert ENVIRONMENT.compile(text, expected=cel.BOOL).evaluate({"any": None}) is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'a'.charAt(5)", "index out of range: 5"),
        ("'abc'.substring(2, 1)", "invalid substring range. start: 2, end: 1"),
        ("dyn([]).min() == 1", "min called on empty list"),
        ("[1].slice(0, 3)", "cannot slice(0, 3), list is length 1"),
        ("'a'.find('(')", "Illegal regex: error parsing regexp: missing closing ): `(`"),
        ("url('x')", 'URL parse error during conversion from string: parse "x": invalid URI for request'),
        (
            "quantity('x')",
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        ("quantity('50m').asInteger()", "cannot convert value to integer"),
        ("ip('::ffff:1.2.3.4')", 'IPv4-mapped IPv6 address "::ffff:1.2.3.4" is not allowed'),
        ("semver('1.2')", "No Major.Minor.Patch elements found"),
        (
            "'%d'.format(['x'])",
            "error during formatting: decimal clause can only be used on integers, was given string",
        ),
        ("'%s'.format([])", "index 0 out of range"),
        ("lists.range(1000000000)", "operation cancelled: actual cost limit exceeded"),
    ],
)
def test_fails(text: str, message: str) -> None:
    with pytest.raises((cel.EvaluationError, cel.CostExceeded)) as failure:
        ENVIRONMENT.compile(text).evaluate({"any": None})
    assert str(failure.value) == message


class Recorder:
    """Allows to get, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[cel.Question] = []

    def answer(self, question: cel.Question) -> cel.Answer:
        self.asked.append(question)
        return cel.Answer(question.verb == "get", "because")


def test_the_authorizer_is_asked_for_what_the_chain_says() -> None:
    recorder = Recorder()
    environment = cel.Environment({"authorizer": cel.AUTHORIZER, "authorizer.requestResource": cel.RESOURCE_CHECK})
    program = environment.compile(
        "authorizer.serviceAccount('ns', 'sa').group('apps').resource('deployments').subresource('scale')"
        ".namespace('a').name('b').labelSelector('x=y').check('get').allowed()"
        " && authorizer.path('/healthz').check('get').reason() == 'because'"
    )
    assert program.evaluate({"authorizer": cel.AuthorizerValue(recorder)}) is True
    assert recorder.asked == [
        cel.Question(
            "get",
            group="apps",
            resource="deployments",
            subresource="scale",
            namespace="a",
            name="b",
            label_selector="x=y",
            service_account=("ns", "sa"),
        ),
        cel.Question("get", path="/healthz"),
    ]


def test_a_variable_with_a_dotted_name_is_one_variable() -> None:
    recorder = Recorder()
    environment = cel.Environment({"authorizer": cel.AUTHORIZER, "authorizer.requestResource": cel.RESOURCE_CHECK})
    program = environment.compile("authorizer.requestResource.check('delete').allowed()")
    check = cel.ResourceCheck(recorder, cel.Question("", resource="pods"))
    assert program.evaluate({"authorizer.requestResource": check}) is False
    assert program.references == {"authorizer.requestResource"}


def test_a_third_authorization_check_is_too_expensive() -> None:
    environment = cel.Environment({"authorizer": cel.AUTHORIZER})
    one = "authorizer.path('/a').check('get').allowed()"
    program = environment.compile(f"{one} && {one} && {one}")
    with pytest.raises(cel.CostExceeded):
        program.evaluate({"authorizer": cel.AuthorizerValue(Recorder())})


def test_mutations_build_documents() -> None:
    environment = cel.Environment({"object": cel.DYN}, mutation=True)
    program = environment.compile(
        "Object{metadata: Object.metadata{labels: {'a': object.name}}, spec: Object.spec{?replicas: optional.of(3)}}"
    )
    value = program.evaluate({"object": {"name": "x"}})
    assert cel.plain(value) == {"metadata": {"labels": {"a": "x"}}, "spec": {"replicas": 3}}
    assert cel.check_paths(value) == []
    assert program.type == cel.object_type()


def test_objects_must_be_named_by_their_path() -> None:
    environment = cel.Environment({}, mutation=True)
    value = environment.compile("Object{spec: Object.spec.template{}}").evaluate({})
    assert cel.check_paths(value) == [
        'unexpected type name "Object.spec.template", expected "Object.spec",'
        " which matches field name path from root Object type"
    ]


def test_json_patches_are_typed() -> None:
    environment = cel.Environment({}, mutation=True)
    program = environment.compile("[JSONPatch{op: 'add', path: '/a', value: Object.spec{x: 1}}]")
    assert cel.plain(program.evaluate({})) == [{"op": "add", "path": "/a", "value": {"x": 1}}]
    assert program.type == cel.list_of(cel.JSON_PATCH)
    with pytest.raises(cel.CompileError, match="expected type of field 'op' is 'string' but provided type is 'int'"):
        environment.compile("JSONPatch{op: 1}")
    with pytest.raises(cel.CompileError, match="undefined field 'nope'"):
        environment.compile("JSONPatch{nope: 1}")
