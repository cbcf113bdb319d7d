"""NABirds (Van Horn et al., CVPR 2015): 48,562 photographs of 555 classes, without captions or attributes.

images/0817/UUID.jpg, images.txt (UUID, path), bounding_boxes.txt, image_class_labels.txt, train_test_split.txt: a
generator of StyleT2I's cross-domain experiment is trained on it.
"""

from __future__ import annotations

from styleT2I.data.releases.birds import Birds


class NABirds(Birds):
    """NABirds; splits train and test."""

    kind, title, inner = "nabirds", "NABirds", "nabirds"
    num, source = 48_562, "https://dl.allaboutbirds.org/nabirds"
