from pybernetes.apiserver.http.protocol import SLICE_BYTES, slices
from pybernetes.apiserver.kept_lists import KeptLists
from pybernetes.apiserver.scheme import Scheme
from unit.apiserver.serving import config_map, serving

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = next(served for served in Scheme.built_in() if served.resource.plural == "pods")
KEY = (PODS, "", "")


def test_a_list_is_kept_until_its_collection_changes() -> None:
    kept = KeptLists()
    kept.put(KEY, 7, [b"items"])
    assert kept.get(KEY, 7) == [b"items"]
    assert kept.get(KEY, 8) is None
    assert kept.statistics()["bytes"] == 0


def test_the_list_not_asked_for_longest_goes_first() -> None:
    kept = KeptLists(max_bytes=20)
    for namespace in ("a", "b"):
        kept.put((PODS, namespace, ""), 1, [b"x" * 10])
    kept.get((PODS, "a", ""), 1)
    kept.put((PODS, "c", ""), 1, [b"x" * 10])
    assert kept.get((PODS, "b", ""), 1) is None
    assert kept.get((PODS, "a", ""), 1)
    assert kept.statistics() == {"lists": 2, "bytes": 20, "max_bytes": 20}


async def test_every_whole_list_shows_every_change_before_it() -> None:
    async with serving() as server:
        seen = []
        for number in range(3):
            await server.create(MAPS, config_map(f"m{number}"))
            first, again = await server.get(MAPS), await server.get(MAPS)
            assert first == again
            seen.append(len(first["items"]))
        await server.call("DELETE", f"{MAPS}/m0")
        seen.append(len((await server.get(MAPS))["items"]))
        await server.create("/api/v1/namespaces/default/secrets", {"metadata": {"name": "other"}})
        after = await server.get(MAPS)
        assert seen == [1, 2, 3, 2]
        assert after["metadata"]["resourceVersion"] == str(server.storage.revision)


def test_slices_are_the_parts_again_and_never_too_large() -> None:
    parts = [b"a" * 10, b"b" * (SLICE_BYTES * 2 + 5), b"c" * 20_000, *([b"d" * 1000] * 600)]
    pieces = list(slices(parts))
    assert b"".join(pieces) == b"".join(parts)
    assert max(map(len, pieces)) <= SLICE_BYTES
    assert len(pieces) < 12
