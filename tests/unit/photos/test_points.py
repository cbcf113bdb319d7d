"""Landmarks from files of every shape that people have, and one line for what is none."""

import json

import numpy as np
import pytest

from styleT2I.errors import DataError
from styleT2I.photos.points import read_faces

FIVE = [[40, 50], [60, 50], [50, 62], [43, 75], [57, 75]]


@pytest.mark.parametrize(
    "text",
    [json.dumps(FIVE), json.dumps([FIVE]), json.dumps({"landmarks": FIVE}), json.dumps({"landmarks": [FIVE]}),
     "\n".join(f"{x} {y}" for x, y in FIVE), "\n".join(f"{x}, {y}" for x, y in FIVE) + "\n\n"],
)  # fmt: skip
def test_points_are_read(tmp_path, text):
    (tmp_path / "points").write_text(text)
    (points,) = read_faces(tmp_path / "points")
    assert np.array_equal(points, FIVE)


def test_several_faces_are_read(tmp_path):
    other = np.random.default_rng(0).uniform(0, 9, (68, 2)).tolist()
    (tmp_path / "points.json").write_text(json.dumps([FIVE, other]))
    first, second = read_faces(tmp_path / "points.json")
    assert np.array_equal(first, FIVE) and np.array_equal(second, other)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"[[]]", b"[1, 2]", b"{", b"\xff\xd8\xff", b"1 2\n3", b"1 2 3", b"[[1, 2], [3]]",
     b'[["a", 1], [2, 3], [4, 5], [6, 7], [8, 9]]', json.dumps(FIVE[:4]).encode(), b"[" * 90000,
     json.dumps([[1e400, 0]] + FIVE[1:]).encode(), b'{"landmarks": 5}', b"nan nan\n" * 5],
)  # fmt: skip
def test_what_holds_no_points_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "points").write_bytes(content)
    with pytest.raises(DataError, match="points: ") as error:
        read_faces(tmp_path / "points")
    assert "\n" not in str(error.value)
