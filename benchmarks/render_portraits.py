"""Processor seconds of a portrait, stage by stage, and the peak memory.

Run `OMP_NUM_THREADS=1 python benchmarks/render_portraits.py` in a checkout with the extra
`portraits`. Medians over the images of `biased` after three that warm up; `DRJIT_LIBLLVM_PATH=/none` measures the
renderer without LLVM.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

STAGES = ("geometry", "tree", "sight", "light", "shading", "truth", "whole")


def measured(seed: int, resolution: int) -> list[float]:
    """Return the processor seconds of `STAGES` for one image."""
    from styleT2I.data.portraits import person, render
    from styleT2I.data.portraits.scenes import sampling
    from styleT2I.data.portraits.tracing import engine, illumination, light, shade
    from styleT2I.data.portraits.tracing.gbuffer import surfaces

    scene = sampling.sample_scene(seed)
    marks = [time.process_time()]
    someone = person.build_person(scene)
    marks.append(time.process_time())
    tracer = engine.Engine(someone.mesh, someone.camera)
    marks.append(time.process_time())
    seen = surfaces(someone.mesh, tracer.hits(render.SUPERSAMPLING * resolution), someone.camera)
    marks.append(time.process_time())
    environment = light.environment_map(someone.camera, scene)
    received = illumination.irradiance(tracer, seen, environment, render.LIGHTS)
    marks.append(time.process_time())
    shade.shade(seen, received, environment, someone.camera, scene)
    marks.append(time.process_time())
    render.truth_of(seen, someone, render.SUPERSAMPLING)
    marks.append(time.process_time())
    render.render(scene, resolution)
    return [*np.diff(marks), time.process_time() - marks[-1]]


def main() -> None:
    from styleT2I.data.portraits.tracing.engine import mitsuba

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--number", type=int, default=20)
    parser.add_argument("--json")
    asked = parser.parse_args()
    rows = [measured(seed, asked.resolution) for seed in range(asked.number + 3)][3:]
    found = dict(zip(STAGES, np.round(np.median(rows, axis=0), 3).tolist(), strict=True))
    found["slowest"] = round(max(row[-1] for row in rows), 3)
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    found["variant"] = mitsuba().variant()
    print(json.dumps(found, indent=2))
    if asked.json:
        Path(asked.json).write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
