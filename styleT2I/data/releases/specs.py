"""Specifications of downloaded data sets: "celebahq:DIR", "celebahq:DIR:test", "cub:DIR:train:500"."""

from __future__ import annotations

from typing import NamedTuple

from styleT2I.errors import DataError

__all__ = ["RELEASES", "Spec", "is_release", "read_spec"]

RELEASES = {  # kind -> its reader below this folder
    "celebahq": "celebahq:CelebAHQ",
    "cub": "cub:CUB",
    "ffhq": "ffhq:FFHQ",
    "nabirds": "birds:NABirds",
    "webdataset": "collections.shards:Shards",
    "parquet": "collections.parquet:ParquetImages",
    "hub": "collections.hub:HubData",
}


class Spec(NamedTuple):
    """A specification taken apart."""

    kind: str
    folder: str  # or file, or name on the Hub
    split: str | None
    num: int | None  # only so many of its first images


def is_release(spec: str) -> bool:
    """Whether a specification names a downloaded data set.

    >>> is_release("celebahq:data/CelebAMask-HQ"), is_release("minifaces:biased/train")
    (True, False)
    """
    return str(spec).partition(":")[0] in RELEASES


def read_spec(spec: str, splits: tuple[str, ...] = ()) -> Spec:
    """Take a specification apart; a last word is a split where it has no slash, dot or digit, or is one of `splits`.

    >>> read_spec("cub:data/CUB_200_2011:test:500")
    Spec(kind='cub', folder='data/CUB_200_2011', split='test', num=500)
    >>> read_spec("celebahq:C:/faces")
    Spec(kind='celebahq', folder='C:/faces', split=None, num=None)
    """
    kind, _, rest = str(spec).partition(":")
    split = num = None
    head, colon, last = rest.rpartition(":")
    if colon and last.isascii() and last.isdecimal():
        rest, num = head, int(last)
        if not num:
            raise DataError(f"{spec}: 0 images; write a number from 1 on, or none for all")
    head, colon, last = rest.rpartition(":")
    if colon and last and (last in splits or last.replace("-", "").isalpha()):
        rest, split = head, last
    if not rest:
        raise DataError(f"{spec}: names no folder; write for example {kind}:data/{kind}")
    return Spec(kind, rest, split, num)
