"""What a record may say of the command that made it: all that is needed to repeat it, and no secret."""

from __future__ import annotations

import re
import shlex
import sys
from urllib.parse import urlsplit

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"]+")


def recorded_command(module: str) -> str:
    """The running command's line, `python -m styleT2I.MODULE ...`, with its addresses `without_secrets`.

    Without --shard, whose parts together are what it then makes again.
    """
    words = re.sub(r"\0--shard(=|\0)[^\0]*", "", "\0".join(["", *sys.argv[1:]])).split("\0")[1:]
    return shlex.join(["python", "-m", f"styleT2I.{module}", *map(without_secrets, words)])


def without_secrets(value):
    """value with what may be a secret taken out of every address in its strings, through dicts, lists and tuples.

    User name and password, query string and any fragment but #sha256=HEX go: tokens of private servers and signed
    addresses stand there.
    """
    if isinstance(value, str):
        return _ADDRESS.sub(lambda found: _public_part(found[0]), value)
    if isinstance(value, dict):
        return {key: without_secrets(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(without_secrets(item) for item in value)
    return value


def _public_part(address):
    try:
        parts = urlsplit(address)
    except ValueError:  # of a kind that no library takes apart, so what is secret in it is not known
        return f"{address.partition('://')[0]}://..."
    fragment = parts.fragment if re.fullmatch(r"sha256=[0-9A-Fa-f]{64}", parts.fragment) else ""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=fragment).geturl()
