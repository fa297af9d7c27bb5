from pybernetes.apiserver.cache.objects import CachedObject, body_of

STORED = b'{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a"}}'


def test_a_document_its_writer_had_decoded_is_kept_with_its_version() -> None:
    obj = CachedObject("a", body_of(STORED, 7), 7, 7)
    written = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}
    obj.keep(written)
    assert obj.document["metadata"] == {"resourceVersion": "7", "name": "a"}
    assert written["metadata"] == {"name": "a"}
