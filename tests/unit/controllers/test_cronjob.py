from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import batch_v1, core_v1, meta_v1
from pybernetes.controllers.cronjob import reconcile, schedule
from pybernetes.effects import format_time
from support.objects import template, with_spec, with_status
from support.world import World


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("expression", "zone", "after", "due"),
    [
        ("* * * * *", None, "2026-01-01T00:00:30Z", "2026-01-01T00:01:00Z"),
        ("*/15 * * * *", None, "2026-01-01T00:15:00Z", "2026-01-01T00:30:00Z"),
        ("5/20 * * * *", None, "2026-01-01T00:06:00Z", "2026-01-01T00:25:00Z"),
        ("0 9-17 * * MON-FRI", None, "2026-01-02T17:30:00Z", "2026-01-05T09:00:00Z"),
        ("0 0 1,15 * *", None, "2026-01-02T00:00:00Z", "2026-01-15T00:00:00Z"),
        ("0 0 13 * 5", None, "2026-01-01T12:00:00Z", "2026-01-02T00:00:00Z"),
        ("0 0 * * 7", None, "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"),
        ("@monthly", None, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
        ("0 0 29 2 *", None, "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 9 * * *", "Europe/Berlin", "2026-07-01T00:00:00Z", "2026-07-01T07:00:00Z"),
        ("TZ=Asia/Tokyo 0 9 * * *", None, "2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z"),
        ("@every 1h30m", None, "2026-01-01T00:00:00Z", "2026-01-01T01:30:00Z"),
        # 2:30 does not exist on the day summer time begins
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"),
    ],
)
def test_the_next_time_is_what_cron_says(expression: str, zone: str | None, after: str, due: str) -> None:
    assert schedule.parse(expression, zone).next_after(at(after)) == at(due)


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "*/0 * * * *", "a * * * *", "5-1 * * * *", "@often"],
)
def test_nonsense_is_refused(expression: str) -> None:
    with pytest.raises(schedule.ScheduleError):
        schedule.parse(expression)


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(schedule.ScheduleError, match="unknown time zone Mars/Phobos"):
        schedule.parse("* * * * *", "Mars/Phobos")


def test_a_date_that_never_comes_is_no_endless_search() -> None:
    assert schedule.parse("0 0 31 2 *").next_after(at("2026-01-01T00:00:00Z")) is None


@given(st.integers(0, 525_600), st.sampled_from(["*/7 * * * *", "0 3 * * 1", "15 4 1 * *"]))
def test_due_times_come_in_order_and_none_is_left_out(minutes: int, expression: str) -> None:
    when = schedule.parse(expression)
    start = at("2026-01-01T00:00:00Z") + timedelta(minutes=minutes)
    due = when.next_after(start)
    assert due is not None
    assert due > start
    assert when.next_after(due - timedelta(seconds=1)) == due


def cron_job(**spec: object) -> batch_v1.CronJob:
    fields: dict[str, object] = {
        "schedule": "*/5 * * * *",
        "jobTemplate": batch_v1.JobTemplateSpec(spec=batch_v1.JobSpec(template=template("task:1"))),
        **spec,
    }
    return batch_v1.CronJob(
        metadata=meta_v1.ObjectMeta(name="tick", namespace="default"),
        spec=batch_v1.CronJobSpec(**fields),  # type: ignore[arg-type]
    )


async def jobs(world: World) -> list[batch_v1.Job]:
    return sorted(await world.all(batch_v1.Job), key=lambda job: job.name)


async def finish(world: World, job: batch_v1.Job, kind: str = "Complete") -> None:
    now = format_time(world.clock.now())
    condition = batch_v1.JobCondition(type=kind, status="True", lastTransitionTime=now)
    completed = now if kind == "Complete" else None
    await world.client.update(
        with_status(job, conditions=[condition], startTime=now, completionTime=completed), subresource="status"
    )
    await world.settle()


@pytest.mark.conformance("CronJob should schedule multiple jobs concurrently")
async def test_a_job_is_made_at_each_time_and_never_twice() -> None:
    async with World("cronjob-controller").started() as world:
        await world.client.create(cron_job())
        await world.settle(301)
        (first,) = await jobs(world)
        assert first.name == f"tick-{int(at('2026-01-01T00:05:00Z').timestamp()) // 60}"
        assert first.metadata.annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"] == "2026-01-01T00:05:00Z"
        stored = await world.one(batch_v1.CronJob, "tick")
        assert stored.status.lastScheduleTime == "2026-01-01T00:05:00Z"
        assert [ref.name for ref in stored.status.active] == [first.name]
        assert await world.messages() == [f"SuccessfulCreate: Created job {first.name}"]
        await world.settle(300)
        assert len(await jobs(world)) == 2
        assert len((await world.one(batch_v1.CronJob, "tick")).status.active) == 2


@pytest.mark.conformance(
    "CronJob should not schedule new jobs when ForbidConcurrent", "CronJob should replace jobs when ReplaceConcurrent"
)
async def test_forbid_waits_and_replace_takes_its_place() -> None:
    async with World("cronjob-controller").started() as world:
        await world.client.create(cron_job(concurrencyPolicy="Forbid"))
        await world.settle(301)
        (first,) = await jobs(world)
        await world.settle(300)
        assert [job.name for job in await jobs(world)] == [first.name]
        stored = await world.one(batch_v1.CronJob, "tick")
        await world.client.update(with_spec(stored, concurrencyPolicy="Replace"))
        await world.settle(300)
        (second,) = await jobs(world)
        assert second.name > first.name


async def test_only_as_many_finished_jobs_stay_as_asked_for() -> None:
    async with World("cronjob-controller").started() as world:
        await world.client.create(cron_job(successfulJobsHistoryLimit=2, failedJobsHistoryLimit=0))
        for _ in range(4):
            await world.settle(301)
            await finish(world, (await jobs(world))[-1])
        assert len(await jobs(world)) == 2
        await world.settle(300)
        await finish(world, (await jobs(world))[-1], "Failed")
        assert len(await jobs(world)) == 2
        assert (await world.one(batch_v1.CronJob, "tick")).status.active == []


async def test_of_many_missed_starts_only_the_newest_is_made_up_for() -> None:
    async with World("cronjob-controller").started() as world:
        await world.client.create(cron_job(suspend=True, schedule="* * * * *"))
        await world.settle(3 * 3600)
        stored = await world.one(batch_v1.CronJob, "tick")
        await world.client.update(with_spec(stored, suspend=False))
        await world.settle()
        assert len(await jobs(world)) == 1
        assert any(message.startswith("TooManyMissedTimes: too many missed") for message in await world.messages())


@pytest.mark.parametrize(
    ("expression", "newest"),
    [
        ("* * * * *", "2026-01-01T12:00:00Z"),
        ("*/7 3 * * *", "2026-01-01T03:56:00Z"),
        ("*/1 0 1 1 *", "2026-01-01T00:59:00Z"),
        ("*/1 0 2 1 *", "2025-01-02T00:59:00Z"),
        ("@every 7m", "2026-01-01T11:59:00Z"),
    ],
)
def test_after_years_the_newest_missed_start_is_found_at_once(expression: str, newest: str) -> None:
    counted = 0

    class Counting:
        def __init__(self, inner: schedule.Schedule) -> None:
            self.inner = inner

        def next_after(self, moment: datetime) -> datetime | None:
            nonlocal counted
            counted += 1
            return self.inner.next_after(moment)

        def newest(self, due: datetime, now: datetime) -> datetime:
            return self.inner.newest(due, now)

    owner = with_status(cron_job(), lastScheduleTime="2016-01-01T00:00:00Z")
    owed = reconcile.due(owner, Counting(schedule.parse(expression)), at("2026-01-01T12:00:00Z"))
    assert owed.start == at(newest)
    assert owed.missed > 100
    assert owed.next is not None
    assert owed.next > at("2026-01-01T12:00:00Z")
    assert counted < 110


async def test_a_start_older_than_its_deadline_is_not_made_up_for() -> None:
    async with World("cronjob-controller").started() as world:
        await world.client.create(cron_job(suspend=True, startingDeadlineSeconds=60))
        await world.settle(400)
        stored = await world.one(batch_v1.CronJob, "tick")
        await world.client.update(with_spec(stored, suspend=False))
        await world.settle()
        assert await jobs(world) == []


async def test_a_finished_job_goes_when_its_time_is_up() -> None:
    async with World("ttl-after-finished-controller").started() as world:
        made = await world.client.create(
            batch_v1.Job(
                metadata=meta_v1.ObjectMeta(name="once", namespace="default"),
                spec=batch_v1.JobSpec(template=core_v1.PodTemplateSpec(), ttlSecondsAfterFinished=60),
            )
        )
        await world.settle(100)
        await finish(world, made)
        await world.settle(50)
        assert len(await jobs(world)) == 1
        await world.settle(15)
        (left,) = await jobs(world)
        assert left.metadata.deletionTimestamp is not None
        assert left.metadata.finalizers == ["foregroundDeletion"]
