"""Jobs and CronJobs on simulated nodes, whose pods of Jobs succeed after a second."""

import pytest

from integration.conformance.suite import CLOCK, STRATEGIC, Json, Suite, made, pod_spec

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIME = "2026-01-02T03:04:05Z"
FOREVER = {"simnode.pybernetes.io/complete-seconds": "3600"}


def job(name: str, parallelism: int = 2, labels: Json | None = None) -> Json:
    template = {"metadata": {"annotations": FOREVER, "labels": labels or {}}, "spec": pod_spec(restartPolicy="Never")}
    return made(name, labels, spec={"parallelism": parallelism, "completions": 4, "template": template})


def jobs(suite: Suite, name: str = "") -> str:
    return suite.group("batch", "jobs", name)


def owners(document: Json) -> list[str]:
    return [row["uid"] for row in document["metadata"].get("ownerReferences") or () if row.get("controller")]


async def active(suite: Suite, document: Json) -> Json:
    await suite.create(jobs(suite), document)
    name = document["metadata"]["name"]
    parallelism = document["spec"]["parallelism"]
    return await suite.becomes(jobs(suite, name), lambda found: found["status"].get("active") == parallelism)


@pytest.mark.conformance("Job should delete a job")
async def test_pods_go_with_their_job(suite: Suite) -> None:
    await active(suite, job("foo"))
    await suite.delete(jobs(suite, "foo"), {"propagationPolicy": "Background"})
    await suite.gone(jobs(suite, "foo"))
    await suite.empty(suite.core("pods"))


@pytest.mark.conformance("Job should adopt matching orphans and release non-matching pods")
async def test_a_job_adopts_and_releases(suite: Suite) -> None:
    owner = await active(suite, job("adopt-release"))
    selected = {"labelSelector": "job-name=adopt-release"}
    name = (await suite.names(suite.core("pods"), **selected))[0]
    path = suite.core("pods", name)
    await suite.patch(path, {"metadata": {"ownerReferences": None}})
    await suite.becomes(path, lambda found: owners(found) == [owner["metadata"]["uid"]])
    labels = (await suite.get(path))["metadata"]["labels"]
    await suite.patch(path, {"metadata": {"labels": dict.fromkeys(labels)}})
    await suite.becomes(path, lambda found: owners(found) == [])


@pytest.mark.conformance("Job should apply changes to a job status")
async def test_times_written_through_status_are_kept(suite: Suite) -> None:
    path = jobs(suite, "suspend-false-to-true")
    await active(suite, job("suspend-false-to-true"))
    condition = {
        "type": "CustomConditionType",
        "status": "True",
        "lastProbeTime": TIME,
        "lastTransitionTime": TIME,
        "reason": "E2E",
        "message": "m",
    }
    note = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"conditions": [condition]}}
    patched = await suite.patch(f"{path}/status", note, STRATEGIC)
    assert patched["status"]["conditions"] == [condition]
    assert patched["metadata"]["annotations"]["patchedstatus"] == "true"
    status = await suite.get(f"{path}/status")
    later = "2026-01-03T00:00:00Z"
    status["status"]["conditions"][0].update(lastProbeTime=later, lastTransitionTime=later)
    del status["metadata"]["resourceVersion"]
    assert (await suite.update(f"{path}/status", status))["status"]["conditions"][0]["lastProbeTime"] == later
    assert (await suite.get(f"{path}/status"))["status"]["conditions"][0]["lastTransitionTime"] == later


# ── CronJobs ──


def cron_job(name: str, policy: str = "Allow", **spec: object) -> Json:
    template = {"metadata": {"annotations": FOREVER}, "spec": pod_spec(restartPolicy="OnFailure")}
    more = {"concurrencyPolicy": policy, "jobTemplate": {"spec": {"parallelism": 1, "template": template}}}
    return made(name, spec={"schedule": "*/1 * * * *", **more, **spec})


@pytest.mark.conformance("CronJob should not schedule jobs when suspended")
async def test_a_suspended_cron_job_makes_no_job(suite: Suite) -> None:
    """It would at once: its last minute was long ago and every missed one may still start."""
    path = suite.group("batch", "cronjobs")
    await suite.create(path, cron_job("suspended", suspend=True))
    await suite.patch(f"{path}/suspended/status", {"status": {"lastScheduleTime": "2026-01-01T00:00:00Z"}})
    await CLOCK.sleep(0.5)
    assert await suite.names(jobs(suite)) == []
    await suite.patch(f"{path}/suspended", {"spec": {"suspend": False}})
    await suite.becomes(jobs(suite), lambda found: len(found["items"]) == 1)
    await suite.delete(f"{path}/suspended")
