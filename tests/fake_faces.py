"""Images of known truth and a judge of them, in place of networks: a colour channel an attribute.

Lipstick comes out on every woman and on men of even seeds; of seeds that end in 9 the judge cannot tell.
"""

import numpy as np

SEXES = "she+lipstick", "he+lipstick"
PLAN = {
    "name": "fake",
    "num": 20,
    "compositions": list(SEXES),
    "comparisons": [{"name": "lipstick", "first": "she+lipstick", "second": "he+lipstick"}],
    "judge": {"kind": "python", "source": "tests.fake_faces:look"},
}


def draw(prompt, seed):
    is_woman = "woman" in prompt
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, :, 0] = 200 * is_woman
    image[:, :, 1] = 200 * ("lipstick" in prompt and (is_woman or seed % 2 == 0))
    image[:, :, 2] = 200 * (seed % 10 == 9)
    return image


def draw_apart(prompt, seed):
    """The same with a row of pixels that no other seed has, so that no image is a copy of another one."""
    image = draw(prompt, seed)
    image[0, :, 2] = [100 + 50 * (seed >> bit & 1) for bit in range(8)]
    return image


def look(images):
    channels = images.mean(axis=(1, 2)) - 100
    return {
        "she": channels[:, 0],
        "lipstick": np.where(channels[:, 2] > 0, np.nan, channels[:, 1]),
        "shoes": [0] * len(images),
    }


def look_the_other_way(images):
    """Agrees about sex, and sees lipstick on nobody."""
    return {"he": 100 - images[:, 0, 0, 0].astype(float), "lipstick": [-1.0] * len(images)}


def fail(*_):
    raise RuntimeError("no more\nmemory")


not_a_function = 3


def know_all(images):
    return {"he": [1.0] * len(images), "hat": [1.0] * len(images)}
