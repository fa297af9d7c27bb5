from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import pytest

from pybernetes.client.interface import Unreachable
from pybernetes.effects import Chance, VirtualClock
from pybernetes.kubelet.volumes import tokens
from pybernetes.kubelet.volumes.tokens import TokenKey, TokenSource
from unit.kubelet.fake_api import FakeApi

if TYPE_CHECKING:
    from pybernetes.client.interface import Client

KEY = TokenKey("shop", "robot", "", 3607, "web", "u1")


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def api(clock: VirtualClock) -> FakeApi:
    return FakeApi(clock)


@pytest.fixture
def source(api: FakeApi, clock: VirtualClock) -> TokenSource:
    return TokenSource(cast("Client", api), clock, Chance(1))


async def test_a_token_is_bound_to_its_pod_and_asked_for_once(api: FakeApi, source: TokenSource) -> None:
    first, second = await source.token(KEY), await source.token(KEY)
    assert first is second
    [(account, spec)] = api.tokens
    assert account == "shop/robot"
    assert (spec.audiences, spec.expirationSeconds) == ([], 3607)
    assert (spec.boundObjectRef.kind, spec.boundObjectRef.name, spec.boundObjectRef.uid) == ("Pod", "web", "u1")


async def test_a_token_is_replaced_at_80_percent_of_its_life(source: TokenSource, clock: VirtualClock) -> None:
    first = await source.token(KEY)
    await clock.advance(3607 * 0.8 - 11)
    assert (await source.token(KEY)).text == first.text
    await clock.advance(12)
    assert (await source.token(KEY)).text != first.text


async def test_the_old_token_serves_until_it_expires_while_no_new_one_can_be_had(
    api: FakeApi, source: TokenSource, clock: VirtualClock
) -> None:
    first = await source.token(KEY)
    api.reachable = False
    await clock.advance(3000)
    assert (await source.token(KEY)).text == first.text
    await clock.advance(700)
    with pytest.raises(Unreachable):
        await source.token(KEY)


async def test_a_pod_that_is_gone_leaves_no_token(api: FakeApi, source: TokenSource) -> None:
    await source.token(KEY)
    source.forget_pod("u1")
    await source.token(KEY)
    assert len(api.tokens) == 2


def test_a_token_that_lives_for_months_is_replaced_after_a_day() -> None:
    expires = datetime(2026, 3, 2, tzinfo=UTC)
    assert tokens.refresh_time(expires, 60 * 24 * 3600, 0) == datetime(2026, 1, 2, tzinfo=UTC)


async def test_a_token_s_text_never_shows_in_logs(source: TokenSource) -> None:
    assert "token-1" not in repr(await source.token(KEY))
