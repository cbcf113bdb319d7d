"""Videos of faces: `python -m styleT2I.video walk --seeds 0-3 --outdir out`."""

from pathlib import Path

import click

from styleT2I.cli import (
    SeedRange,
    command,
    device_option,
    done,
    group,
    model_option,
    outdir_option,
    overwrite_option,
    psi_option,
    seeds_option,
)
from styleT2I.generation.arguments import EASINGS, VIDEO_FORMATS


def shared_options(function):
    """Add what every video has: its model, its length, its size and its file."""
    options = (
        model_option,
        psi_option("trunc"),
        click.option("--frames", "num_frames", default=120, type=click.IntRange(2, 100_000), help="Frames in all."),
        click.option("--fps", default=30.0, type=click.FloatRange(1, 120), help="Frames per second."),
        click.option("--size", type=click.IntRange(16, 2048), help="Pixels of a face. [default: as the model draws it, "
                     "enlarged to at least 192]"),
        click.option("--columns", type=click.IntRange(1, 64), metavar="NUM", help="Faces in a row. [default: about a "
                     "square]"),
        click.option("--format", "kind", default="webp", type=click.Choice(VIDEO_FORMATS), help="mp4 needs the extra "
                     "video."),
        device_option,
        outdir_option,
        overwrite_option,
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


easing_option = click.option("--easing", default="smooth", type=click.Choice(EASINGS), help="Slow at every stop, or "
                             "at one pace.")  # fmt: skip


@group
def main():
    """Videos that loop: between faces, between sentences, along an attribute and back.

    OUTDIR gets video.webp (or .gif, .mp4) and video.json, which holds everything to make it again.
    """


@command("walk")
@click.option("--seeds", "walks", multiple=True, required=True, type=SeedRange(), metavar="LIST", help="Faces to "
              "pass, for example 0-3; repeatable: several walks side by side.")  # fmt: skip
@easing_option
@shared_options
def walk(walks, easing, **shared):
    """Walk from the face of a seed to the next and back to the first, along great circles in Z."""
    if few := [walk for walk in walks if len(walk) < 2]:
        raise click.UsageError(f"--seeds {few[0][0]} is one face; name two or more, for example --seeds 0-3")

    def ways(pipeline):
        from styleT2I.generation.animation.paths import between_seeds, loop_positions

        positions = [loop_positions(shared["num_frames"], len(seeds), easing) for seeds in walks]
        return [between_seeds(pipeline, *way, shared["trunc"]) for way in zip(walks, positions, strict=True)], None

    _film(ways, len(walks), {"walks": [list(walk) for walk in walks], "easing": easing}, **shared)


@command("sentences")
@click.option("--text", "texts", multiple=True, required=True, help="A sentence; repeatable: passed one after the "
              "other.")  # fmt: skip
@seeds_option("0-3")
@click.option("--from-face/--no-from-face", default=True, help="Begin with the face that no sentence has changed.")
@click.option("--adjust-method", "method", default="auto", metavar="NAME", help="auto (as generate), none, paper, "
              "calibrated, recheck or hold.")  # fmt: skip
@easing_option
@shared_options
def sentences(texts, seeds, from_face, method, easing, **shared):
    """Change faces from sentence to sentence and back to the first, straight in W+."""
    num_keys = len(texts) + from_face
    if num_keys < 2:
        raise click.UsageError("one --text without the face before it does not move; add another --text")

    def ways(pipeline):
        from styleT2I.generation.animation.paths import between_sentences, loop_positions

        settings = {"truncation_psi": shared["trunc"], "adjustment": None if method == "none" else method}
        positions = loop_positions(shared["num_frames"], num_keys, easing)
        return [between_sentences(pipeline, texts, seed, positions, from_face, **settings) for seed in seeds], None

    record = {"texts": list(texts), "seeds": list(seeds), "from_face": from_face, "adjust_method": method}
    _film(ways, len(seeds), {**record, "easing": easing}, **shared)


@command("sweep")
@click.option("--set", "names", multiple=True, required=True, metavar="NAME", help="An attribute; repeatable: a row "
              "of faces each.")  # fmt: skip
@seeds_option("0-3")
@click.option("--range", "strengths", nargs=2, default=(-1.5, 1.5), type=float, metavar="LOW HIGH", help="Strengths "
              "swept: 1 turns an attribute on, -1 off.")  # fmt: skip
@click.option("--labels/--no-labels", default=True, help="Write attribute and strength above each face.")
@shared_options
def sweep(names, seeds, strengths, labels, **shared):
    """Move faces along attributes, there and back like a pendulum: a row per attribute, a column per seed."""
    low, high = strengths
    if low >= high:
        raise click.UsageError(f"--range {low:g} {high:g} runs backwards; turn it round")
    if shared["columns"] is None:
        shared["columns"] = len(seeds)

    def ways(pipeline):
        from styleT2I.generation.animation.paths import there_and_back

        made, texts = [], []
        for name in names:
            for seed in seeds:
                ws, numbers = there_and_back(pipeline, name, low, high, seed, shared["num_frames"], shared["trunc"])
                made.append(ws)
                texts.append([f"{name} {number:+.1f}" for number in numbers])
        return made, texts if labels else None

    record = {"set": list(names), "seeds": list(seeds), "range": [low, high], "labels": labels}
    _film(ways, len(names) * len(seeds), record, **shared)


def _film(ways, num_cells, record, model, trunc, num_frames, fps, size, columns, kind, device, outdir, overwrite):
    """Draw and write the video; all that can be wrong is found before the first frame."""
    from styleT2I.generation.animation.files import check_format, write_video
    from styleT2I.generation.animation.frames import frames_u8, layout
    from styleT2I.generation.pipeline import StyleT2I
    from styleT2I.torch_utils.folders import recorded_command, result_folder
    from styleT2I.torch_utils.progress import Progress

    pipeline = StyleT2I.from_pretrained(model, device=device)
    size = size or max(192, pipeline.model.network("generator").resolution)
    has_labels = record.get("labels", False)
    _, width, height = layout(num_cells, columns, size, has_labels)
    check_format(kind, num_frames, width, height)
    request = {**record, "truncation_psi": trunc, "frames": num_frames, "fps": fps, "size": size, "columns": columns,
               "format": kind}  # fmt: skip
    with result_folder(outdir, "video.json", request, overwrite=overwrite) as staging:
        paths, texts = ways(pipeline)
        with Progress(num_frames, "video", "frame") as progress:
            frames = frames_u8(pipeline, paths, size=size, columns=columns, labels=texts)
            write_video(staging / f"video.{kind}", _counted(frames, progress), fps)
        staging.write_record({**request, "width": width, "height": height, "model": pipeline.model.describe(),
                              "command": recorded_command("video")})  # fmt: skip
    file = Path(outdir) / f"video.{kind}"
    done(f"{num_frames} frames of {width} x {height} pixels in {file}", f"open it in a browser or player: {file}")


def _counted(frames, progress):
    for frame in frames:
        yield frame
        progress.update()


for one in (walk, sentences, sweep):
    main.add_command(one)

if __name__ == "__main__":
    main()
