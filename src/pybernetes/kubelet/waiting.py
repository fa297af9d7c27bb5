"""Waiting for something, but not for ever, on a clock that may be virtual."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from pybernetes.effects import Clock

T = TypeVar("T")


async def wait_for_event(event: asyncio.Event, clock: Clock, seconds: float) -> bool:
    """Return when the event is set (True) or `seconds` have passed (False)."""
    if event.is_set():
        return True
    waiting = asyncio.ensure_future(event.wait())
    sleeping = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((waiting, sleeping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        sleeping.cancel()
    return event.is_set()


class Interrupted(Exception):
    """What was being done is no longer wanted."""


async def unless(event: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled when `event` is set first.

    Raises:
        Interrupted: the event was set.
    """
    task = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Interrupted
        return task.result()
    finally:
        waiting.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))


async def within(clock: Clock, seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`.

    Raises:
        TimeoutError: it took longer than `seconds` and was cancelled.
    """
    task = asyncio.ensure_future(work)
    sleeping = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((task, sleeping), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise TimeoutError
        return task.result()
    finally:
        sleeping.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))
