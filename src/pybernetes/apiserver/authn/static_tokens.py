"""Tokens from a file that is read once at start: `token,user,uid,"group1,group2"` per line.

Follows: apiserver pkg/authentication/token/tokenfile/tokenfile.go.
"""

import csv
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from pybernetes.apiserver.request import AUTHENTICATED_GROUP, User


class UnusableTokenFile(Exception):
    """The file named by --token-auth-file cannot be read as one."""


def load(file: str) -> "StaticTokens":
    """The tokens of a file.

    Raises:
        UnusableTokenFile.
    """
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableTokenFile(f"cannot read the token file {file}: {error}") from error
    users: dict[str, User] = {}
    for number, row in enumerate(csv.reader(text.splitlines()), start=1):
        if not row or not "".join(row).strip():
            continue
        if len(row) < 3 or not row[0] or not row[1]:
            raise UnusableTokenFile(f"{file} line {number}: write it as token,user,uid,groups")
        groups = row[3].split(",") if len(row) > 3 and row[3] else []
        users[row[0]] = User(row[1], row[2], tuple(dict.fromkeys([*groups, AUTHENTICATED_GROUP])))
    return StaticTokens(users)


class StaticTokens:
    """Users by token. Only hashes of the tokens stay in memory."""

    def __init__(self, users: Mapping[str, User] | Iterable[tuple[str, User]] = ()) -> None:
        self._users = {_digest(token): user for token, user in dict(users).items()}

    def user_of(self, token: str) -> User | None:
        return self._users.get(_digest(token))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
