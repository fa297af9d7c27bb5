"""A server in memory that has the objects of every cluster."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from unit.apiserver.serving import Server, serving


@asynccontextmanager
async def serving_bootstrapped(**parts: Any) -> AsyncIterator[Server]:
    async with serving(**parts) as server:
        await server.api.bootstrap()
        yield server
