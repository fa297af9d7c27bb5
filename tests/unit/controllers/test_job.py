import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import batch_v1, core_v1, meta_v1
from pybernetes.controllers.job import facts, failure_policy, indexes
from pybernetes.controllers.job.reconcile import wait_after
from pybernetes.effects import VirtualClock, format_time
from support.objects import template, with_spec, with_status
from support.world import World

JOBS = "job-controller"


def job(**spec: object) -> batch_v1.Job:
    pod_template = template("task:1", job="task")
    pod_template = msgspec.structs.replace(
        pod_template, spec=msgspec.structs.replace(pod_template.spec, restartPolicy="Never")
    )
    fields: dict[str, object] = {
        "selector": meta_v1.LabelSelector(matchLabels={"job": "task"}),
        "manualSelector": True,
        "template": pod_template,
        **spec,
    }
    return batch_v1.Job(
        metadata=meta_v1.ObjectMeta(name="task", namespace="default"),
        spec=batch_v1.JobSpec(**fields),  # type: ignore[arg-type]
    )


async def status(world: World) -> batch_v1.JobStatus:
    return (await world.one(batch_v1.Job, "task")).status


async def conditions(world: World) -> dict[str, str]:
    return {c.type: c.reason for c in (await status(world)).conditions if c.status == "True"}


async def end(world: World, pod: core_v1.Pod, phase: str, exit_code: int = 0) -> None:
    ended = core_v1.ContainerStateTerminated(exitCode=exit_code, finishedAt=format_time(world.clock.now()))
    container = core_v1.ContainerStatus(name="web", state=core_v1.ContainerState(terminated=ended))
    pod = await world.one(core_v1.Pod, pod.name)
    await world.client.update(with_status(pod, phase=phase, containerStatuses=[container]), subresource="status")
    await world.settle()


async def active(world: World) -> list[core_v1.Pod]:
    return [
        p
        for p in await world.pods()
        if p.status.phase in ("", "Pending", "Running") and not p.metadata.deletionTimestamp
    ]


@given(st.sets(st.integers(0, 40)))
def test_indexes_read_back_as_they_were_written(chosen: set[int]) -> None:
    assert indexes.parse(indexes.render(chosen), 41) == chosen


def test_indexes_are_written_as_ranges() -> None:
    assert indexes.render([7, 1, 3, 4, 5]) == "1,3-5,7"
    assert indexes.render([]) == ""
    assert indexes.render([0, 1]) == "0,1"


def test_the_wait_after_failures_doubles_up_to_ten_minutes() -> None:
    now = VirtualClock().now()
    assert [wait_after(n, now, now) for n in (0, 1, 2, 3, 7, 50)] == [0, 10, 20, 40, 600, 600]


async def test_a_job_runs_its_completions_and_completes() -> None:
    async with World(JOBS).started() as world:
        await world.client.create(job(completions=3, parallelism=2))
        await world.settle()
        for _ in range(3):
            running = await active(world)
            assert len(running) <= 2
            await end(world, running[0], "Succeeded")
        found = await status(world)
        assert (found.succeeded, found.failed, found.active) == (3, 0, 0)
        assert await conditions(world) == {"SuccessCriteriaMet": "CompletionsReached", "Complete": "CompletionsReached"}
        assert found.completionTime is not None
        assert found.uncountedTerminatedPods is None
        assert all(facts.TRACKING_FINALIZER not in p.metadata.finalizers for p in await world.pods())
        assert (await world.messages())[-1] == "Completed: Job completed"
        world.client.writes()
        world.manager.controllers[0].queue.add("default/task")
        await world.settle(700)
        assert world.client.writes() == []


async def test_failures_are_retried_later_and_later_until_the_limit() -> None:
    async with World(JOBS).started() as world:
        await world.client.create(job(completions=1, parallelism=1, backoffLimit=2))
        await world.settle()
        waits = []
        for _ in range(2):
            await end(world, (await active(world))[0], "Failed", 1)
            waited = 0
            while not await active(world):
                await world.settle(1)
                waited += 1
            waits.append(waited)
        assert waits == [10, 20]
        await end(world, (await active(world))[0], "Failed", 1)
        assert await conditions(world) == {"FailureTarget": "BackoffLimitExceeded", "Failed": "BackoffLimitExceeded"}
        assert (await status(world)).failed == 3
        assert "BackoffLimitExceeded: Job has reached the specified backoff limit" in await world.messages()


async def test_a_job_that_takes_too_long_is_ended_and_failed_once_its_pods_are_gone() -> None:
    async with World(JOBS).started() as world:
        await world.client.create(job(completions=1, parallelism=1, activeDeadlineSeconds=30))
        await world.settle()
        (pod,) = await active(world)
        await world.set_phase(pod, "Running", ready=True)
        await world.settle(31)
        assert await conditions(world) == {"FailureTarget": "DeadlineExceeded"}
        await end(world, pod, "Failed", 137)
        assert await conditions(world) == {"FailureTarget": "DeadlineExceeded", "Failed": "DeadlineExceeded"}
        assert (await status(world)).failed == 1


async def test_an_indexed_job_runs_every_index_once() -> None:
    async with World(JOBS).started() as world:
        await world.client.create(job(completions=3, parallelism=3, completionMode="Indexed"))
        await world.settle()
        running = await active(world)
        assert sorted(p.metadata.annotations[facts.INDEX_ANNOTATION] for p in running) == ["0", "1", "2"]
        first = next(p for p in running if facts.index_of(p) == 1)
        assert first.name.startswith("task-1-")
        assert first.spec.hostname == "task-1"
        assert first.spec.containers[0].env[0].name == "JOB_COMPLETION_INDEX"
        await end(world, first, "Succeeded")
        assert (await status(world)).completedIndexes == "1"
        for pod in await active(world):
            await end(world, pod, "Succeeded")
        assert (await status(world)).completedIndexes == "0-2"
        assert "Complete" in await conditions(world)


async def test_each_index_may_fail_on_its_own() -> None:
    async with World(JOBS).started() as world:
        await world.client.create(
            job(completions=2, parallelism=2, completionMode="Indexed", backoffLimitPerIndex=1, backoffLimit=100)
        )
        await world.settle()
        for _ in range(2):
            bad = next(p for p in await active(world) if facts.index_of(p) == 0)
            await end(world, bad, "Failed", 1)
            await world.settle(15)
        assert (await status(world)).failedIndexes == "0"
        await end(world, (await active(world))[0], "Succeeded")
        assert (await conditions(world))["Failed"] == "FailedIndexes"
        found = await status(world)
        assert (found.succeeded, found.failed) == (1, 2)


async def test_a_suspended_job_gives_up_its_pods_without_counting_them_and_goes_on_later() -> None:
    async with World(JOBS).started() as world:
        await world.client.create(job(completions=2, parallelism=2))
        await world.settle()
        stored = await world.one(batch_v1.Job, "task")
        await world.client.update(with_spec(stored, suspend=True))
        await world.settle()
        assert await active(world) == []
        found = await status(world)
        assert (found.failed, found.startTime) == (0, None)
        assert (await conditions(world)) == {"Suspended": "JobSuspended"}
        stored = await world.one(batch_v1.Job, "task")
        await world.client.update(with_spec(stored, suspend=False))
        await world.settle()
        assert len(await active(world)) == 2
        assert [m for m in await world.messages() if "Job " in m] == [
            "Suspended: Job suspended",
            "Resumed: Job resumed",
        ]


async def test_the_failure_policy_can_end_the_job_or_forgive_the_pod() -> None:
    rules = [
        batch_v1.PodFailurePolicyRule(
            action="FailJob",
            onExitCodes=batch_v1.PodFailurePolicyOnExitCodesRequirement(operator="In", values=[42]),
        ),
        batch_v1.PodFailurePolicyRule(
            action="Ignore",
            onPodConditions=[batch_v1.PodFailurePolicyOnPodConditionsPattern(type="DisruptionTarget", status="True")],
        ),
    ]
    async with World(JOBS).started() as world:
        policy = batch_v1.PodFailurePolicy(rules=rules)
        await world.client.create(job(completions=1, parallelism=1, backoffLimit=0, podFailurePolicy=policy))
        await world.settle()
        (pod,) = await active(world)
        disrupted = core_v1.PodCondition(type="DisruptionTarget", status="True")
        await world.client.update(with_status(pod, phase="Failed", conditions=[disrupted]), subresource="status")
        await world.settle()
        assert (await status(world)).failed == 0
        (pod,) = await active(world)
        await end(world, pod, "Failed", 42)
        found = await conditions(world)
        assert found["Failed"] == "PodFailurePolicy"
        message = next(c.message for c in (await status(world)).conditions if c.type == "Failed")
        assert (
            message
            == f"Container web for pod default/{pod.name} failed with exit code 42 matching FailJob rule at index 0"
        )


@pytest.mark.parametrize(
    ("operator", "code", "action"), [("In", 3, "FailJob"), ("In", 4, "Count"), ("NotIn", 4, "FailJob")]
)
def test_exit_codes_are_in_or_not_in(operator: str, code: int, action: str) -> None:
    wanted = batch_v1.PodFailurePolicyOnExitCodesRequirement(operator=operator, values=[3])
    rule = batch_v1.PodFailurePolicyRule(action="FailJob", onExitCodes=wanted)
    state = core_v1.ContainerState(terminated=core_v1.ContainerStateTerminated(exitCode=code))
    pod = core_v1.Pod(status=core_v1.PodStatus(containerStatuses=[core_v1.ContainerStatus(name="c", state=state)]))
    assert failure_policy.match(batch_v1.PodFailurePolicy(rules=[rule]), pod).action == action


async def test_enough_indexes_are_success_when_the_policy_says_so() -> None:
    policy = batch_v1.SuccessPolicy(rules=[batch_v1.SuccessPolicyRule(succeededIndexes="0-1", succeededCount=1)])
    async with World(JOBS).started() as world:
        await world.client.create(job(completions=3, parallelism=3, completionMode="Indexed", successPolicy=policy))
        await world.settle()
        await end(world, next(p for p in await active(world) if facts.index_of(p) == 1), "Succeeded")
        await world.finish_deletions()
        for pod in await world.pods():
            if pod.metadata.deletionTimestamp:
                await end(world, pod, "Failed", 143)
        assert (await conditions(world))["Complete"] == "SuccessPolicy"


async def test_pods_of_a_job_that_is_gone_are_let_go() -> None:
    async with World(JOBS).started() as world:
        await world.client.create(job(completions=1, parallelism=1))
        await world.settle()
        await world.client.delete(batch_v1.Job, "task", "default")
        await world.settle()
        assert all(p.metadata.finalizers == [] for p in await world.pods())


async def test_counting_goes_on_after_a_crash_between_its_steps() -> None:
    """The uid is listed, and then we die before the finalizer goes: the pod is counted once."""
    world = World(JOBS)
    await world.client.create(job(completions=2, parallelism=1))
    async with world.started():
        (pod,) = await active(world)
        world.client.fault = lambda verb, plural, _: (
            RuntimeError("crash") if (verb, plural) == ("patch", "pods") else None
        )
        await end(world, pod, "Succeeded")
        listed = (await status(world)).uncountedTerminatedPods
        assert listed is not None
        assert listed.succeeded == [pod.metadata.uid]
        world.client.fault = lambda *_: None
        await world.settle(30)
        found = await status(world)
        assert found.succeeded == 1
        assert len(await active(world)) == 1
