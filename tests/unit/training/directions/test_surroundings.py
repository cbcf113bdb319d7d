"""What moves the surroundings: readings by hand, and a toy generator of which the answer is known."""

from types import SimpleNamespace

import pytest
import torch

from styleT2I.training.directions.surroundings import SurroundingsReadings

SIZE = 8


class EdgesSegmenter:
    """The left three columns of every image are background, the bottom two rows clothes."""

    region_names = ("skin", "background", "cloth")

    def __call__(self, image):
        seen = torch.full((len(image), 3, SIZE, SIZE), -1.0)
        seen[:, 1, :, :3] = 1
        seen[:, 2, -2:] = 1
        return seen


class YawJudge:
    nuisance_names = ("light", "yaw")

    def nuisances(self, image, standardised=False):
        assert standardised
        return torch.stack([image.mean(dim=(1, 2, 3)), image[:, 0, 0, -1] * 3], dim=1)


class ToyGenerator(torch.nn.Module):
    """w's coordinates: the background's green, the clothes' blue, the yaw's pixel, and the red of all else."""

    z_dim, resolution, num_ws = 4, SIZE, 2

    def __init__(self):
        super().__init__()
        self.anchor = torch.nn.Parameter(torch.zeros(1), requires_grad=False)

    def mapping(self, z, truncation_psi=1.0):
        return (z * truncation_psi).unsqueeze(1).repeat(1, 2, 1)

    def synthesis(self, ws, noise_mode="const"):
        w = 0.1 * ws.mean(dim=1)
        image = torch.zeros(len(ws), 3, SIZE, SIZE)
        image[:, 1, :6, :3] = w[:, 0, None, None]
        image[:, 2, 6:] = w[:, 1, None, None]
        image[:, 0, 0, -1] = w[:, 2]
        image[:, 0, 2:4, 4:7] = w[:, 3, None, None]
        return image


def test_readings_are_mean_colours_of_halves_and_the_pose():
    readings = SurroundingsReadings(EdgesSegmenter(), YawJudge(), ("yaw",))
    image = torch.rand(2, 3, SIZE, SIZE) * 2 - 1
    read = dict(zip(readings.names, readings.read(image).t(), strict=True))
    torch.testing.assert_close(read["background, left, green"], image[:, 1, :, :3].mean(dim=(1, 2)))
    torch.testing.assert_close(read["background, bottom, red"], image[:, 0, 4:, :3].mean(dim=(1, 2)))
    torch.testing.assert_close(read["clothes, right, blue"], image[:, 2, -2:, 4:].mean(dim=(1, 2)))
    torch.testing.assert_close(read["yaw"], image[:, 0, 0, -1] * 3)
    assert read["clothes, top, red"].tolist() == [0.0, 0.0] and len(read) == 25


def test_the_null_space_of_a_toy_generator_is_what_moves_nothing_around_the_face():
    readings = SurroundingsReadings(EdgesSegmenter(), YawJudge(), ("yaw",))
    space = readings.null_space(ToyGenerator(), 6, psi=0.7)
    assert {name.partition(",")[0] for name in readings.names} == {"background", "clothes", "yaw"}
    assert "background, right, green" not in readings.names and "clothes, top, blue" not in readings.names
    s = torch.ones(2, 4)
    torch.testing.assert_close(space(s).sum(dim=0), torch.tensor([0.0, 0.0, 0.0, 2.0]), atol=0.05, rtol=0)


@pytest.mark.parametrize("judge, pose", [(None, ()), (YawJudge(), ())])
def test_without_pose_the_colours_are_read_and_of_a_segmenter_of_the_face_nothing(judge, pose):
    assert "yaw" not in SurroundingsReadings(EdgesSegmenter(), judge, pose).names
    face = SimpleNamespace(region_names=("hair", "skin"))
    assert SurroundingsReadings(face, judge, pose).null_space(ToyGenerator(), 6, psi=0.7) is None
