import pytest

from pybernetes.kubelet.cri import events
from pybernetes.kubelet.cri.interface import RuntimeEvent


def message(**fields: bytes) -> bytes:
    return b"".join(bytes([int(name[1:]) << 3 | 2, len(value)]) + value for name, value in fields.items())


def envelope(topic: bytes, event: bytes) -> bytes:
    return message(f2=b"k8s.io", f3=topic, f4=message(f1=b"type", f2=event))


def test_the_exit_of_a_container_names_it() -> None:
    assert events.decode(envelope(b"/tasks/exit", message(f1=b"abc", f2=b"abc") + b"\x18\x05\x20\x00")) == RuntimeEvent(
        "/tasks/exit", "abc"
    )


def test_the_exit_of_an_exec_process_is_no_event_of_the_container() -> None:
    assert events.decode(envelope(b"/tasks/exit", message(f1=b"abc", f2=b"exec-1"))) is None


def test_a_message_cut_short_is_an_error() -> None:
    with pytest.raises(ValueError, match="ends in the middle"):
        list(events.fields(b"\x08"))
