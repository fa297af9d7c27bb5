from dataclasses import replace
from pathlib import Path

from pybernetes.kubelet.runtime_status import RuntimeContainer, RuntimePod, State
from pybernetes.kubelet.termination_message import with_messages


def ended(tmp_path: Path, text: str = "", log: str = "", **more: object) -> RuntimeContainer:
    (tmp_path / "message").write_text(text)
    (tmp_path / "log").write_text(log)
    one = RuntimeContainer(
        id="1",
        name="c",
        state=State.EXITED,
        exit_code=1,
        mounts=(("/dev/termination-log", str(tmp_path / "message")),),
        message_path="/dev/termination-log",
        log_path=str(tmp_path / "log"),
    )
    return replace(one, **more)  # type: ignore[arg-type]


def message(container: RuntimeContainer, count: int = 1) -> str:
    return with_messages(RuntimePod("u", containers=(container,)), count).containers[0].message


def test_the_file_is_the_message(tmp_path: Path) -> None:
    assert message(ended(tmp_path, "bye")) == "bye"


def test_it_is_cut_at_four_kilobytes_and_shared_between_containers(tmp_path: Path) -> None:
    assert len(message(ended(tmp_path, "x" * 9000))) == 4096
    assert len(message(ended(tmp_path, "x" * 9000), 6)) == 2048


def test_the_runtimes_words_come_first(tmp_path: Path) -> None:
    assert message(ended(tmp_path, "bye", message="oh")) == "oh: bye"


LOG = "2026-01-01T00:00:00Z stdout F one\n2026-01-01T00:00:00Z stderr P tw\n2026-01-01T00:00:00Z stderr F o\n"


def test_logs_are_read_only_when_asked_for_and_after_an_error(tmp_path: Path) -> None:
    fallback = {"message_policy": "FallbackToLogsOnError"}
    assert message(ended(tmp_path, "", LOG)) == ""
    assert message(ended(tmp_path, "", LOG, **fallback)) == "one\ntwo\n"
    assert message(ended(tmp_path, "", LOG, exit_code=0, **fallback)) == ""
    assert message(ended(tmp_path, "own", LOG, **fallback)) == "own"
    many = "".join(f"2026-01-01T00:00:00Z stdout F {number}\n" for number in range(1000))
    assert message(ended(tmp_path, "", many, **fallback)).startswith("920\n")
