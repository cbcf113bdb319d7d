"""The landmark network: its training squares, what it learns on toy faces, and how a photo is searched with it."""

import math

import numpy as np
import pytest
import torch

from styleT2I.data.dataset import Batch
from styleT2I.errors import CheckpointError, DataError
from styleT2I.networks.faces.landmark_network import LandmarkConfig, LandmarkNetwork
from styleT2I.networks.registry import load_network_component
from styleT2I.photos.alignment import LEFT_EYE, MOUTH_CORNERS, RIGHT_EYE, Crop, ffhq_crop
from styleT2I.photos.faces import Face, choose_face, open_finder
from styleT2I.photos.landmark_search import find_faces, refined
from styleT2I.torch_utils.images import to_uint8
from styleT2I.torch_utils.seeding import generator
from styleT2I.training.engine import RunConfig, run
from styleT2I.training.judges import landmarks
from styleT2I.training.judges.config import LandmarkTrainingConfig
from styleT2I.training.judges.landmarks import MIRROR, LandmarkTask, measure_landmarks, squares


def toy_points():
    """68 points of a face framed as FFHQ's, in parts of the side: eyes, mouth and the rest around the nose."""
    points = np.full((68, 2), (0.5, 0.55))
    for start, x in ((36, 0.39), (42, 0.61)):
        angles = np.arange(6) * math.pi / 3
        points[start : start + 6] = np.stack([x + 0.03 * np.cos(angles), 0.45 + 0.02 * np.sin(angles)], axis=1)
    points[48], points[54] = (0.42, 0.7), (0.58, 0.7)
    points[49:54, 0], points[49:54, 1] = np.linspace(0.45, 0.55, 5), 0.68
    return points


class Toy:
    """Faces of 48 pixels: a skin-coloured disc with dark eyes and a red mouth, on a grey of its own."""

    resolution = 48

    def __init__(self, num, seed):
        self.grey = torch.rand(num, generator=generator("toy faces", seed)) - 0.5

    def __len__(self):
        return len(self.grey)

    def landmarks(self, indices):
        return torch.from_numpy(toy_points()).float().expand(len(list(indices)), 68, 2) * self.resolution

    def batch(self, indices):
        grey = self.grey[list(indices)]
        image = face_image(48).expand(len(grey), 3, 48, 48).clone()
        is_behind = (image[:, :1] == -2).expand_as(image)
        return Batch(
            to_uint8(torch.where(is_behind, grey.view(-1, 1, 1, 1), image)), [()] * len(grey), None, None, None
        )


def face_image(side):
    """[1, 3, side, side], -2 where nothing is drawn."""
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    image = np.full((3, side, side), -2.0)

    def paint(is_inside, colour):
        image[:, is_inside] = np.array(colour)[:, None]

    paint(((x - 0.5) / 0.28) ** 2 + ((y - 0.52) / 0.36) ** 2 < 1, (0.7, 0.3, 0.1))
    for centre in (0.39, 0.61):
        paint(((x - centre) / 0.05) ** 2 + ((y - 0.45) / 0.04) ** 2 < 1, (-1, -1, -0.5))
    paint(((x - 0.5) / 0.09) ** 2 + ((y - 0.7) / 0.035) ** 2 < 1, (0.6, -0.9, -0.8))
    return torch.from_numpy(image).float()[None]


@pytest.fixture
def toys(monkeypatch):
    sets = {"train": Toy(64, 0), "test": Toy(48, 1)}
    monkeypatch.setattr(landmarks, "open_dataset", lambda spec, with_masks: sets[spec])
    return sets


CONFIG = LandmarkTrainingConfig("train", "test", resolution=32, widths=(12, 16, 24), batch_size=24, lr=1e-2)


def test_a_mirror_takes_every_point_to_its_twin():
    assert sorted(MIRROR) == list(range(68)) and [MIRROR[k] for k in MIRROR] == list(range(68))
    points = torch.from_numpy(toy_points()).float()[None]
    image = face_image(48)
    mirrored, twins = landmarks._mirrored(image, points, torch.tensor([True]))
    assert torch.equal(mirrored, image.flip(3))
    torch.testing.assert_close(twins[0, LEFT_EYE].mean(0), points[0, LEFT_EYE].mean(0), atol=1e-6, rtol=0)
    torch.testing.assert_close(twins[0, MOUTH_CORNERS[0]], points[0, MOUTH_CORNERS[0]], atol=1e-6, rtol=0)


def test_training_squares_show_faces_where_their_points_say(toys):
    """The eyes' points lie on the eyes' colour in every square with a face; most others show no whole face."""
    image, points = landmarks._faces(toys["train"], range(64))
    drawn, found, is_face = squares(image, points, generator("squares"), CONFIG)
    assert drawn.shape == (64, 3, 32, 32) and 0.6 < is_face.float().mean() < 0.9
    for eye in (LEFT_EYE, RIGHT_EYE):
        centre = found[is_face][:, eye].mean(dim=1) * 2 - 1
        colour = torch.nn.functional.grid_sample(drawn[is_face], centre.view(-1, 1, 1, 2), align_corners=False)
        assert (colour[:, :, 0, 0].amax(dim=1) < 0.2).float().mean() > 0.95
    same = squares(image, points, generator("squares"), CONFIG)
    assert all(torch.equal(a, b) for a, b in zip((drawn, found, is_face), same, strict=True))


def test_a_second_look_lays_the_square_by_the_points():
    """Whatever the network answers on the square laid anew comes back to places of the first square."""
    seen = []

    class Answers(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, image):
            seen.append(image)
            return torch.zeros(len(image)), points

    points = torch.from_numpy(toy_points()).float()[None]
    image = torch.where(face_image(48) == -2, torch.zeros(()), face_image(48))
    again = refined(Answers(), image, points)
    crop = ffhq_crop(toy_points() * 48)
    expected = crop.to_photo(points[0].double().numpy(), 1) / 48
    torch.testing.assert_close(again[0].double(), torch.from_numpy(expected), atol=1e-5, rtol=0)


def test_a_network_learns_toy_faces_finds_them_in_a_photo_and_is_exported(toys, tmp_path):
    task = LandmarkTask(CONFIG, 220, seed=0)
    run(task, RunConfig(str(tmp_path), 220, device="cpu", log_every=50, eval_every=220, snapshot_every=220,
                        checkpoint_every=220))  # fmt: skip
    network = load_network_component(tmp_path / "landmarks.json")
    values = measure_landmarks(network, toys["test"], CONFIG, 48)
    assert values["error"] < 0.2 and values["faces_told"] > 0.9 and values["others_told"] > 0.6
    assert {"landmarks-000220.png", "landmarks.json"} <= {path.name for path in tmp_path.iterdir()}

    face = face_image(96)[0].numpy()
    photo = np.full((3, 180, 260), 0.1)
    photo[:, 60:156, 130:226] = np.where(face == -2, photo[:, 60:156, 130:226], face)
    photo_u8 = to_uint8(torch.from_numpy(photo)).permute(1, 2, 0).numpy()
    (tmp_path / "photo.png").touch()
    found = open_finder(detector=tmp_path / "landmarks.json", device="cpu").find(photo_u8, "photo.png")
    assert found and np.hypot(*np.subtract(found[0].crop.centre, (178, 108))) < 20
    assert find_faces(np.full((60, 80, 3), 128, np.uint8), network) == []


def test_faces_are_chosen_by_size_and_what_is_no_finder_is_refused(tmp_path):
    big, small = (Face(toy_points() * side) for side in (200, 100))
    assert choose_face([big, small], 1, "a.jpg") is small and choose_face([big], None, "a.jpg") is big
    with pytest.raises(DataError, match=r"a.jpg: no face"):
        choose_face([], None, "a.jpg")
    with pytest.raises(DataError, match=r"1 faces.*0 to 0"):
        choose_face([big], 3, "a.jpg")
    (tmp_path / "x.onnx").write_bytes(b"not a network")
    with pytest.raises(CheckpointError, match=r"x.onnx: OpenCV"):
        open_finder(detector=tmp_path / "x.onnx").find(np.zeros((64, 64, 3), np.uint8), "a.jpg")


def test_the_network_takes_squares_of_any_size():
    network = LandmarkNetwork(LandmarkConfig(32, (4, 6, 8))).eval()
    logit, points = network(torch.zeros(2, 3, 50, 50))
    assert logit.shape == (2,) and points.shape == (2, 68, 2)
    assert ((points >= 0) & (points <= 1)).all()
    assert Crop((1.0, 1.0), (1.0, 0.0), (0.0, 1.0)).side == 2
