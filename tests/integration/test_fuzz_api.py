"""A short fuzzing campaign against a server on a socket; `make fuzz-api` runs long ones."""

from support.fuzzing.campaign import campaign

REQUESTS = 5000


async def test_no_request_breaks_the_server_or_what_it_stores() -> None:
    report = await campaign(REQUESTS, seed=3)
    assert report.findings == []
    assert report.requests == REQUESTS
    assert report.statuses[200] + report.statuses[201] > REQUESTS // 10, report.summary()
