"""How the samples are made small: what is replaced in them, what is added to a command, which of them are slow.

Everything else is run as it stands on the page.
"""

import re
from dataclasses import dataclass

SMALL_DATA = "--data minifaces:biased/train:24 --eval-data minifaces:biased/val:8"


@dataclass(frozen=True)
class Rule:
    """For the samples in which `pattern` is found: replacements, further options, and what is needed to run them.

    is_slow: more than a few seconds even so; run with `-m slow` only. needs: a module without which it is skipped.
    """

    pattern: str
    replace: tuple[tuple[str, str], ...] = ()
    add: str = ""
    is_slow: bool = False
    needs: str | None = None


RULES = (
    # trainings
    Rule(r"train_t2d|train_a2d", add="--steps 2 --batch 4", is_slow=True),
    Rule(r"train_a2d(?!.*(--attributes|celebahq))", add="--attributes lipstick"),
    Rule(r"train_a2d.*celebahq", (("--segmenter S ", "--segmenter minifaces "),), "--attributes Smiling"),
    Rule(r"train_segmenter", (("--resolution 256", "--resolution 32"),), "--steps 2 --batch 2 --eval-num 2"),
    Rule(r"train_encoder", add=f"--steps 2 --batch 4 --eval-num 4 {SMALL_DATA}"),
    Rule(r"train_baseline", add=f"--kimg 0.008 --batch 4 {SMALL_DATA}", is_slow=True),
    Rule(r"data.celebahq", (("27000", "4"),), "--resolution 32"),
    # evaluations and audits
    Rule(r"evaluate --suite quality", ((":1000", ":20"), ("--fake out", "--fake photos")), "--num 20"),
    Rule(r"evaluate --suite systems", is_slow=True),
    Rule(r"evaluate --suite systems(?!.*--table \w)", add="--num 4"),
    Rule(r"evaluate --suite compositions", add="--num 2"),
    Rule(r"evaluate --suite protocol", is_slow=True),
    Rule(r"evaluate --suite inversion", (("--num 26", "--num 2"),), "--inversion-steps 2"),
    Rule(r"evaluate --suite judges", add="--num 101"),
    Rule(r"evaluate --suite (style|unclip)", add="--num 100", is_slow=True),
    Rule(r"audit run docs", add="--num 4", is_slow=True),
    # images
    Rule(r"\.pth ", tuple((f"{n}.pth", f"{n}.json") for n in ("bird_AttnGAN2", "state_epoch_1220", "netG_epoch_90"))),
    Rule(r'"\.\.\."', (('"..."', '"this bird is red"'),)),
    Rule(r"manipulate|generate --model runs/unclip", (("1,2,4,8,13", "1,2"),), "--steps 2"),
    Rule(r"portraits:|biased/train:14000", (("train:14000", "train:8"), ("judge-train:4000", "judge-train:2"))),
    Rule(r"data\.portraits(?! import)", (("--num 1000", "--num 2"),), is_slow=True, needs="mitsuba"),
    Rule(r"portraits\.render", is_slow=True, needs="mitsuba"),
    Rule(r"styleT2I\.invert", add="--inversion-steps 2 --tune-steps 2"),
    # the rest
    Rule(r'"cuda"', (('"cuda"', '"cpu"'),)),
    Rule(r"benchmarks/t2d_step", add="--resolution 16"),
    Rule(r"benchmarks/", (("--resolution 256", "--resolution 16"), ("--resolution 1024", "--resolution 32")),
         is_slow=True),
)  # fmt: skip


@dataclass(frozen=True)
class Scaled:
    """A sample's code in small, and what running it takes."""

    code: str
    is_slow: bool
    needs: tuple[str, ...]


def scaled(code, is_shell=True):
    """Apply every rule whose pattern the code has, in order."""
    rules = [rule for rule in RULES if re.search(rule.pattern, code)]
    for old, new in (pair for rule in rules for pair in rule.replace):
        code = code.replace(old, new)
    if is_shell:
        code = " ".join([code, *(rule.add for rule in rules if rule.add)])
    return Scaled(code, any(rule.is_slow for rule in rules), tuple(rule.needs for rule in rules if rule.needs))
