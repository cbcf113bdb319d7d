"""The suites of `python -m styleT2I.evaluate` as a table: what each runs, on how much of which data of its world."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from styleT2I.data.worlds import WORLDS, World, world_of
from styleT2I.errors import ConfigError
from styleT2I.torch_utils.launch import WHOLE, Place

if TYPE_CHECKING:
    from styleT2I.generation.adjustment import AdjustmentConfig
    from styleT2I.generation.model import Model

__all__ = ["MIN_RANKED", "SUITES", "Request", "Suite", "load"]

MIN_RANKED = 101  # images from which on R-precision can rank 1 in 100


@dataclass(frozen=True)
class Request:
    """A request to measure; a suite reads the fields that concern it."""

    model: Model
    data: str | None = None  # spec of a data set
    num: int | None = None  # images, or latents per composition; None: the suite decides
    psi: float = 0.7  # of truncation
    adjustments: Sequence[AdjustmentConfig] = ()
    cells_dir: str | Path | None = None  # where finished parts are cached; None: nowhere
    options: Mapping[str, object] = field(default_factory=dict)  # the suite's own options, and what it prepared
    world: World | None = None  # None: that of the model's vocabulary
    shard: Place = WHOLE  # of the parts that are cached, those to measure; of one of several the metrics are {}

    def needed_world(self) -> World:
        """The world that the measurement is about; ConfigError where the model is of none, or of another one."""
        own = self.model.vocabulary
        world = self.world or world_of(own)
        if world is None:
            named = f"its vocabulary is {own.name!r}" if own is not None else "it has no vocabulary"
            raise ConfigError(
                f"model {self.model.name!r} is of no world ({', '.join(WORLDS)}): {named}; name its data with --data, "
                "leave out suites of compositions, systems and regions, or name the world with --world"
            )
        if own is not None and own.names != world.vocabulary.names:
            raise ConfigError(
                f"model {self.model.name!r} names other attributes ({own.name!r}) than the world {world.name!r}; "
                "name the model's own world, or another model"
            )
        return world


@dataclass(frozen=True)
class Suite:
    """One entry of the table; functions stand as "module:name" below `evaluation` and are imported when used."""

    run: str  # Request -> metrics, ready for JSON
    num: int | None  # Request.num unless given
    data: str | None = None  # of the world, Request.data unless given; None: the suite reads no data of the user's
    num_data: int = 4000  # images of it
    min_num: int = 2
    by_default: bool = True  # False: runs only where it is named, since it needs other systems' weights
    options: tuple[str, ...] = ()  # options of the command that only this suite reads
    is_adjusted: bool = False  # it measures Request.adjustments
    is_data_reported: bool = True  # the report names Request.data; False: every value names its own data
    prepare: str | None = None  # Request -> further Request.options; opens what the suite needs, before anything runs
    grid: str | None = None  # Request -> an image [3, H, W] uint8 for --grid
    table: str | None = None  # metrics -> text; None: names and values, nested as they are
    has_parts: bool = False  # it caches its parts in Request.cells_dir, so that Request.shard can share them out


SUITES = {
    "judges": Suite("suites.judges:evaluate_judges", 4000, "balanced/test", min_num=MIN_RANKED),
    "clip": Suite("suites.judges:evaluate_clip", 4000, "balanced/test", min_num=MIN_RANKED),
    "wordings": Suite("suites.wordings:evaluate_wordings", 800, "balanced/test", 800, MIN_RANKED),
    "generator": Suite("suites.generator:evaluate_generator", 4000, "biased/train", min_num=MIN_RANKED),
    "t2d": Suite("suites.t2d:evaluate_captions", 1000, "biased/test", 1000, MIN_RANKED),
    "quality": Suite(
        "suites.quality:evaluate_quality",
        None,
        "biased/test",
        1000,
        options=("real", "fake", "features", "lpips", "embedder"),
        is_data_reported=False,
        prepare="suites.quality:check_options",
        table="tables:quality_table",
    ),
    "protocol": Suite(
        "suites.protocol:evaluate_protocol",
        2000,
        "biased/test",
        1000,
        MIN_RANKED,
        by_default=False,
        options=("real", "features"),
        is_adjusted=True,
        prepare="suites.protocol:check_options",
        table="suites.protocol:protocol_table",
    ),
    "compositions": Suite(
        "suites.compositions.suite:evaluate_compositions",
        200,
        is_adjusted=True,
        grid="suites.compositions.suite:compositions_grid",
        has_parts=True,
    ),
    "regions": Suite("suites.regions:evaluate_regions", 200),
    "edits": Suite("suites.edits:evaluate_edits", 200),
    "directions": Suite(
        "suites.directions:evaluate_directions",
        100,
        by_default=False,
        options=("directions", "attributes", "samples"),
        prepare="suites.directions:check_options",
        table="suites.directions:directions_table",
    ),
    "inversion": Suite(
        "suites.inversion:evaluate_inversion",
        26,
        by_default=False,
        options=("inversions", "inversion_steps"),
        prepare="suites.inversion:check_options",
        table="suites.inversion:inversion_table",
    ),
    "systems": Suite(
        "suites.systems.suite:evaluate_systems",
        500,
        "biased/test",
        by_default=False,
        is_adjusted=True,
        prepare="suites.systems.candidates:open_requested",
        grid="suites.systems.grid:systems_grid",
        table="tables:systems_tables",
        has_parts=True,
    ),
    "style": Suite(
        "suites.style:evaluate_style",
        500,
        "biased/test",
        by_default=False,
        prepare="suites.style:open_requested",
    ),
    "unclip": Suite(
        "suites.unclip:evaluate_unclip",
        500,
        "biased/test",
        1000,
        by_default=False,
        prepare="suites.unclip:open_requested",
    ),
}


def load(address: str) -> Callable:
    """The function that an address of the table stands for."""
    module, _, name = address.partition(":")
    return getattr(importlib.import_module(f"styleT2I.evaluation.{module}"), name)
