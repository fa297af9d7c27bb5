"""The programs of the node that carry the proxy's decisions out: `nft` and `conntrack`.

A transaction is all or nothing: when one command of it fails, the kernel keeps what was there.
"""

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from pybernetes.proxy.nft_text import PATHS, Table


class NftError(Exception):
    """The kernel refused a transaction; the message is what `nft` said."""


async def run(*arguments: str, text: str = "") -> tuple[int, str, str]:
    """Exit code, output and complaints of one program; it is ended when the caller is cancelled.

    `text` reaches it as a file in memory: a program that ends without reading cannot break a pipe of ours.
    """
    with os.fdopen(os.memfd_create("input"), "w+b") as memory:
        memory.write(text.encode())
        memory.seek(0)
        process = await asyncio.create_subprocess_exec(
            *arguments,
            stdin=memory.fileno(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    try:
        output, complaints = await process.communicate()
    except asyncio.CancelledError:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    return process.returncode or 0, output.decode(), complaints.decode()


class Nft:
    """The kernel's tables, in the network namespace of this process."""

    async def apply(self, text: str) -> None:
        """Carry out one transaction.

        Raises:
            NftError: it was refused as a whole.
        """
        code, _, complaints = await run("nft", "-f", "-", text=text)
        if code != 0:
            raise NftError(complaints.strip() or f"nft ended with {code}")

    async def delete_table(self, table: Table) -> None:
        await self.apply(f"add table {table.spec}\ndelete table {table.spec}\n")

    async def remembered_clients(self, table: Table) -> dict[str, list[tuple[str, int]]]:
        """By affinity map, each element's key as text and the index it holds."""
        found: dict[str, list[tuple[str, int]]] = {}
        for path in PATHS:
            name = f"{path}-affinity"
            code, output, complaints = await run("nft", "-j", "list", "map", *table.spec.split(), name)
            if code != 0:
                raise NftError(complaints.strip())
            found[name] = [client for item in json.loads(output)["nftables"] for client in parse_clients(item)]
        return found


def parse_clients(item: Mapping[str, Any]) -> list[tuple[str, int]]:
    """The clients in one object of `nft -j list map`: `{"map": {"elem": [[key, mark], …]}}`."""
    clients = []
    for key, mark in item.get("map", {}).get("elem", ()):
        parts = key["elem"]["val"]["concat"] if "elem" in key else key["concat"]
        clients.append((" . ".join(str(part) for part in parts), int(mark)))
    return clients


class Conntrack:
    """Forgets flows whose endpoint went: the kernel would send UDP packets there for as long as they come."""

    async def forget_udp(self, flows: Sequence[tuple[str, str]]) -> None:
        """Delete UDP flows to each (original destination, endpoint) pair; an empty endpoint means any.

        Raises:
            NftError: conntrack failed for another reason than that there was no such flow.
        """
        for destination, endpoint in flows:
            arguments = ["conntrack", "-D", "-p", "udp", "--orig-dst", destination]
            if endpoint:
                arguments += ["--dst-nat", endpoint]
            code, _, complaints = await run(*arguments)
            if code != 0 and "0 flow entries" not in complaints:
                raise NftError(complaints.strip())
