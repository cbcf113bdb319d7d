"""Pairs of two systems' images of the same sentences, sides drawn at random, with a form to fill in."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from styleT2I.evaluation.image_sources import ImageSource
from styleT2I.torch_utils.files import write_bytes_atomic, write_json_atomic, write_text_atomic
from styleT2I.torch_utils.folders import staged_folder
from styleT2I.torch_utils.images import encode_png
from styleT2I.torch_utils.markup import PLAIN_STYLE, Markup, tag
from styleT2I.torch_utils.seeding import generator

__all__ = ["ANSWERS", "QUESTIONS", "write_study"]

QUESTIONS = {  # name in tables -> as people read it
    "fits": "Which image fits the sentence better?",
    "real": "Which image looks more real?",
}
ANSWERS = ("left", "right", "none")
_SAVE = (
    "document.getElementById('save').addEventListener('click',function(e){e.preventDefault();"
    "var rows=['participant,pair,question,answer'],who=document.getElementById('who').value.replace(/[^\\w-]/g,'_');"
    "document.querySelectorAll('input[type=radio]:checked').forEach(function(i){"
    "rows.push([who||'anonymous'].concat(i.name.split(' '),i.value).join(','))});"
    "var a=document.createElement('a');a.download='answers-'+(who||'anonymous')+'.csv';"
    "a.href='data:text/csv;charset=utf-8,'+encodeURIComponent(rows.join('\\n')+'\\n');a.click();"
    "document.getElementById('said').textContent=(rows.length-1)+' answers saved.'});"
)
_STYLE = ".pair{margin:2rem 0;border-top:1px solid #ccc}.pair img{width:45%;margin-right:1%}fieldset{border:0}"


def write_study(
    first: tuple[str, ImageSource],
    second: tuple[str, ImageSource],
    captions: Sequence[str],
    outdir: str | Path,
    seed: int,
) -> Path:
    """Write the images, index.html (the form), answers.csv (an empty table), key.csv and study.json; return the form.

    Args:
        first: A system's name and its images, one for each caption.
        second: The other's.
        captions: The sentences.
        outdir: Where to; all files or none. key.csv says which side is whose: keep it from those who answer.
        seed: Of the order of the pairs and of the sides; which system is left is a coin's toss for each pair.

    Raises:
        OutputError: The folder cannot be written.
    """
    rng = generator("user study", seed)
    order = torch.randperm(len(captions), generator=rng).tolist()
    is_first_left = (torch.rand(len(captions), generator=rng) < 0.5).tolist()
    key, shown = [], []
    with staged_folder(outdir, "study.json", _remove_earlier) as folder:
        for number, index in enumerate(order):
            pair = f"{number + 1:03d}"
            sides = (first, second) if is_first_left[number] else (second, first)
            for side, (_, images) in zip(("left", "right"), sides, strict=True):
                png = encode_png(np.ascontiguousarray(images.batch(index, index + 1)[0]))
                write_bytes_atomic(folder / f"{pair}-{side}.png", png)
            key.append((pair, index, sides[0][0], sides[1][0], captions[index]))
            shown.append((pair, captions[index]))
        write_text_atomic(folder / "index.html", _form(shown))
        write_text_atomic(folder / "key.csv", _table(("pair", "caption_index", "left", "right", "caption"), key))
        empty = [("", pair, question, "") for pair, _ in shown for question in QUESTIONS]
        write_text_atomic(folder / "answers.csv", _table(("participant", "pair", "question", "answer"), empty))
        about = {"systems": [first[0], second[0]], "num": len(captions), "seed": seed, "questions": QUESTIONS,
                 "answers": ANSWERS}  # fmt: skip
        write_json_atomic(folder / "study.json", about)
    return Path(outdir) / "index.html"


def _remove_earlier(outdir):
    """Remove the images of an earlier study, which may have had more pairs."""
    for side in ("left", "right"):
        for path in outdir.glob(f"[0-9][0-9][0-9]-{side}.png"):
            path.unlink()


def _form(shown):
    """The page: a pair of images and the questions for each sentence; a button saves the answers as a CSV file."""
    policy = "default-src 'none'; img-src 'self' file:; base-uri 'none'; form-action 'none'; "
    style = PLAIN_STYLE + _STYLE
    policy += f"style-src 'sha256-{_sha256(style)}'; script-src 'sha256-{_sha256(_SAVE)}'"
    head = tag(
        "head", tag("meta", charset="utf-8"), tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("title", "Which image?"), tag("style", Markup(style)),
    )  # fmt: skip
    pairs = [
        tag(
            "section",
            tag("p", tag("strong", f"{pair}. {caption}")),
            tag("img", src=f"{pair}-left.png", alt="left image"),
            tag("img", src=f"{pair}-right.png", alt="right image"),
            [_question(pair, name, text) for name, text in QUESTIONS.items()],
            class_="pair",
        )
        for pair, caption in shown
    ]
    body = tag(
        "body",
        tag("h1", "Which image?"),
        tag("p", "Answer what you can, then press the button below and send the file that it saves."),
        tag("p", tag("label", "Your code: ", tag("input", id="who"))),
        pairs,
        tag("p", tag("button", "Save the answers", id="save"), " ", tag("span", "", id="said")),
        tag("script", Markup(_SAVE)),
    )
    return "<!doctype html>\n" + tag("html", head, body, lang="en") + "\n"


def _question(pair, name, text):
    labels = {"left": "left", "right": "right", "none": "no difference"}
    choices = [
        tag("label", tag("input", type="radio", name=f"{pair} {name}", value=answer), f" {label} ")
        for answer, label in labels.items()
    ]
    return tag("fieldset", tag("legend", text), choices)


def _sha256(text):
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _table(header, rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()
