import gzip

import pytest

from pybernetes.apiserver.http import gzip_parts


@pytest.mark.parametrize("middle", [[], [b""], [b"a" * 70_000, b"b", bytes(range(256)) * 300]])
def test_parts_compressed_apart_are_one_stream(middle: list[bytes]) -> None:
    squeezed = gzip_parts.part(middle)
    for opening in (b'{"resourceVersion":"7","items":[', b""):
        whole = b"".join(gzip_parts.body(opening, middle, squeezed, b"]}"))
        assert gzip.decompress(whole) == opening + b"".join(middle) + b"]}"
