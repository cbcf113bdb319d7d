"""Find latents that draw given faces: `python -m styleT2I.invert face.png --aligned --outdir inverted`."""

import warnings
from pathlib import Path

import click

from styleT2I.cli import command, device_option, done, model_option, outdir_option, overwrite_option
from styleT2I.errors import DataError, StyleT2IError
from styleT2I.generation.arguments import INVERSIONS
from styleT2I.options.drawing import (
    check_face_options,
    face_options,
    inversion_config,
    inversion_options,
    open_face_finder,
)
from styleT2I.torch_utils.words import counted

RECORD = "inversion.json"


@command()
@click.argument("photos", nargs=-1, required=True, type=click.Path(dir_okay=False), metavar="PHOTO...")
@model_option
@click.option("--generator", metavar="FILE", help="Generator used in place of the model's; it needs an encoder of its "
              "own.")  # fmt: skip
@click.option("--encoder", metavar="FILE", help="Encoder used in place of the model's.")
@click.option("--method", "methods", multiple=True, type=click.Choice(["auto", *INVERSIONS]), help="w, w+, encoder, "
              "encoder+ (the encoder, then optimisation), pivotal (the generator is bent to the image); repeatable.  "
              "[default: auto: encoder+ where the model has an encoder, else w+]")  # fmt: skip
@inversion_options
@click.option("--mask", "masks", type=click.Path(), metavar="FILE|DIR", help="White where nothing counts, such as a "
              "hand before the face: an image of the photo's size, or a folder of them.")  # fmt: skip
@face_options
@outdir_option
@overwrite_option
@device_option
def main(photos, model, generator, encoder, methods, masks, aligned, landmarks, detector, face, outdir, overwrite,
         device, **settings):  # fmt: skip
    """Find the latents by which a generator draws the faces of photos again, and show how well it does.

    OUTDIR/PHOTO/ gets METHOD.png and METHOD.safetensors (the latent; for pivotal also the small difference to the
    generator), original.png, report.html and inversion.json. Photos that are done already are left as they are.
    """
    check_face_options(aligned, landmarks, detector, face)
    if landmarks and len(photos) > 1:
        raise click.UsageError("--landmarks are those of one photo; call the command for each photo")
    names = [Path(photo).stem for photo in photos]
    if len(set(names)) < len(names):
        raise click.UsageError("two photos have the same name, and so would their folders; call the command for each")
    config = inversion_config(settings)
    given = {name: value for name, value in settings.items() if value is not None}
    from styleT2I.generation.model import Model
    from styleT2I.inversion.inverter import Inverter
    from styleT2I.torch_utils.files import check_writable_dir
    from styleT2I.torch_utils.folders import locked_folder
    from styleT2I.torch_utils.progress import Progress

    finder = open_face_finder(aligned, landmarks, detector, device)
    inverter = Inverter(Model.from_pretrained(model, device=device, generator=generator, encoder=encoder), config)
    asked = list(dict.fromkeys(inverter.checked(method) for method in methods or ("auto",)))
    from styleT2I.photos.photo import open_photo

    def opened(photo):
        return open_photo(photo, inverter.generator.resolution, finder, face, _mask_of(photo, masks))

    first = opened(photos[0])  # what is wrong with the options is told before a folder is made
    request = {"methods": asked, "settings": given, "face": face, "aligned": aligned}
    request["model"] = inverter.model.describe(unused=True)
    wrong, num_done = [], 0
    with locked_folder(check_writable_dir(outdir)), Progress(len(photos), "invert", "photo") as progress:
        for start in range(0, len(photos), inverter.batch_size):
            batch = []
            for index in range(start, min(start + inverter.batch_size, len(photos))):
                try:
                    batch.append((names[index], opened(photos[index]) if index else first))
                except StyleT2IError as error:
                    if len(photos) == 1:
                        raise
                    wrong.append(str(error))
            new = [one for one in batch if not _is_done(Path(outdir) / one[0], _asked_of(one[1], request))]
            progress.skip(len(batch) - len(new))
            _invert(inverter, new, asked, request, outdir, overwrite)
            progress.update(len(new))
            num_done += len(batch)
    for line in wrong:
        warnings.warn(line, stacklevel=1)
    if not num_done:
        raise DataError(f"none of {len(photos)} photos could be inverted")
    shown = Path(outdir) / names[0] / "report.html"
    done(f"{counted(num_done, 'face')} in {outdir}", f"look at {shown}")


def _mask_of(photo, masks):
    """The mask of a photo: the file, or that with the photo's name in a folder, None where there is none."""
    if masks is None or not Path(masks).is_dir():
        return masks
    return next(iter(sorted(Path(masks).glob(f"{Path(photo).stem}.*"))), None)


def _asked_of(photo, request):
    import hashlib

    weight = None if photo.weight is None else hashlib.sha256(photo.weight.numpy().tobytes()).hexdigest()
    return {**request, "photo": photo.describe(), "mask_sha256": weight}


def _is_done(folder, request):
    """Whether a folder holds what this request would make."""
    import json

    from styleT2I.config import read_json

    if not (folder / RECORD).is_file():
        return False
    try:
        record = read_json(folder / RECORD)
    except StyleT2IError:
        return False
    return all(record.get(key) == value for key, value in json.loads(json.dumps(request)).items())


def _invert(inverter, photos, methods, request, outdir, overwrite):
    """Invert a batch of photos (name, Photo), and write each one's folder, whole or not at all."""
    import torch

    if not photos:
        return
    images = torch.stack([photo.aligned_u8 for _, photo in photos])
    weights = None
    if any(photo.weight is not None for _, photo in photos):
        weights = torch.stack([torch.ones(1, *images.shape[2:]) if photo.weight is None else photo.weight
                               for _, photo in photos])  # fmt: skip
    for (name, photo), found in zip(photos, inverter.invert(images, methods, weights), strict=True):
        _write(inverter, photo, found, _asked_of(photo, request), Path(outdir) / name, overwrite)


def _write(inverter, photo, found, request, folder, overwrite):
    from styleT2I.generation.results import versions
    from styleT2I.inversion.report import drawn_u8, identity, inversion_page
    from styleT2I.inversion.result import write_inversion
    from styleT2I.torch_utils.files import write_text_atomic
    from styleT2I.torch_utils.folders import recorded_command, result_folder
    from styleT2I.torch_utils.images import save_png

    judge = inverter.model.network("judges.guide") if inverter.model.has("judges.guide") else None
    shown, records = {}, {}
    with result_folder(folder, RECORD, request, overwrite=overwrite) as staging:
        save_png(staging / "original.png", photo.aligned_u8)
        for method, inversion in found.items():
            image_u8 = drawn_u8(inverter.generator, inversion)
            if judge is not None:
                inversion.record["identity"] = identity(judge, photo.aligned_u8, image_u8)
            shown[method], records[method] = (inversion, image_u8), inversion.record
            save_png(staging / f"{method}.png", image_u8)
            write_inversion(staging / f"{method}.json", inversion)
        write_text_atomic(staging / "report.html", inversion_page(photo.path.name, photo.aligned_u8, shown))
        record = {**request, "found": records, "versions": versions(), "command": recorded_command("invert")}
        staging.write_record(record)


if __name__ == "__main__":
    main()
