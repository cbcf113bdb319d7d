"""What records keep of addresses: where a file is, and nothing that lets anybody in."""

import pytest

from styleT2I.torch_utils.folders import without_secrets

HEX = "a1" * 32


@pytest.mark.parametrize(
    "text, kept",
    [
        ("https://host.org/a/b.pkl?token=SECRET", "https://host.org/a/b.pkl"),
        ("https://me:SECRET@host.org:8080/b.pkl", "https://host.org:8080/b.pkl"),
        ("https://SECRET@host.org/b.pkl?X-Amz-Signature=SECRET#SECRET", "https://host.org/b.pkl"),
        (f"https://host.org/b.pkl?k=SECRET#sha256={HEX}", f"https://host.org/b.pkl#sha256={HEX}"),
        ("--t2d=https://u:SECRET@h/x?SECRET", "--t2d=https://h/x"),
        ("see https://h/x?SECRET and https://h/y?SECRET.", "see https://h/x and https://h/y"),
        ("https://me:SECRET@[::bad/x?SECRET", "https://..."),
        ("hf://owner/name/file.json@main", "hf://owner/name/file.json@main"),
        ("C:/models/a.json?b", "C:/models/a.json?b"),
        ("is she smiling?", "is she smiling?"),
    ],
)
def test_an_address_keeps_its_public_part(text, kept):
    assert without_secrets(text) == kept and "SECRET" not in kept


def test_nested_settings_keep_everything_else():
    settings = {"lr": 0.1, "data": ["https://h/x?SECRET", None], "pair": ("https://h/x?SECRET", 1), "on": True}
    kept = {"lr": 0.1, "data": ["https://h/x", None], "pair": ("https://h/x", 1), "on": True}
    assert without_secrets(settings) == kept
