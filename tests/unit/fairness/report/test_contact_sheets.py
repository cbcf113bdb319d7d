"""Contact sheets: which images of a cell are kept, and where in the sheet they are."""

import torch

from styleT2I.fairness.report.contact_sheets import MAX_TILE, ROW_LENGTH, Sheet


def images(seeds, size=8):
    """An image a seed, all of one colour that tells the seed."""
    return torch.stack([torch.full((3, size, size), seed, dtype=torch.uint8) for seed in seeds])


def test_a_sheet_has_a_row_of_each_outcome_in_order_and_no_empty_row():
    sheet = Sheet()
    sheet.add("?11", images([3, 4, 5]), [3, 4, 5])
    sheet.add("1", images([6]), [6])
    assert sheet.describe() == {
        "tile": 8,
        "rows": [{"outcome": "success", "seeds": [4, 5, 6]}, {"outcome": "unsure", "seeds": [3]}],
    }
    image = sheet.image_u8()
    assert image.shape == (3, 16, 24)
    assert image[:, ::8, ::8][0].tolist() == [[4, 5, 6], [3, 255, 255]]
    assert all(len(image[0, :8, left : left + 8].unique()) == 1 for left in (0, 8, 16))


def test_a_row_ends_after_its_first_tiles_however_many_come():
    sheet = Sheet()
    for start in range(0, 200, 50):
        sheet.add("0" * 50, images(range(start, start + 50)), range(start, start + 50))
    assert sheet.describe()["rows"] == [{"outcome": "failure", "seeds": list(range(ROW_LENGTH))}]
    assert sheet.image_u8().shape == (3, 8, 8 * ROW_LENGTH)


def test_tiles_of_large_images_are_reduced_and_others_take_the_firsts_size():
    sheet = Sheet()
    sheet.add("1", images([7], 2 * MAX_TILE), [0])
    sheet.add("1", images([9], 20), [1])
    assert sheet.describe()["tile"] == MAX_TILE
    assert sheet.image_u8()[0, 5, [0, MAX_TILE]].tolist() == [7, 9]
