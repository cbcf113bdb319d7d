"""Cut faces out of photos as FFHQ's are: `python -m styleT2I.align photo.jpg --outdir faces`."""

from pathlib import Path

import click

from styleT2I.cli import command, device_option, done, outdir_option, overwrite_option
from styleT2I.torch_utils.words import counted


@command()
@click.argument("photos", nargs=-1, required=True, type=click.Path(dir_okay=False), metavar="PHOTO...")
@click.option("--resolution", default=256, type=click.IntRange(16, 4096), help="Side of the images that are written.")
@click.option("--landmarks", type=click.Path(dir_okay=False), metavar="FILE", help="The points of the faces of one "
              "photo, 5 or 68 each, in place of a search (docs/photos.md).")  # fmt: skip
@click.option("--detector", metavar="FILE", help="Finds the faces: OpenCV's YuNet (.onnx) or a landmark network of "
              "train_landmarks (.json).  [default: the embedded landmark network]")  # fmt: skip
@click.option("--face", type=click.IntRange(0), metavar="N", help="Only the face N by size, from 0.  [default: all]")
@outdir_option
@overwrite_option
@device_option
def main(photos, resolution, landmarks, detector, face, outdir, overwrite, device):
    """Find the faces of photos and cut each out, turned upright and framed as generators of aligned faces expect.

    OUTDIR gets PHOTO-N.png for every face, the largest first, and align.json with their squares and landmarks, by which
    an edited face can be put back. Photos are turned as their EXIF says.
    """
    if landmarks and len(photos) > 1:
        raise click.UsageError("--landmarks are those of one photo; call the command for each photo")
    if landmarks and detector:
        raise click.UsageError("--landmarks and --detector both say where the faces are; leave one of them out")
    names = [Path(photo).stem for photo in photos]
    if len(set(names)) < len(names):
        raise click.UsageError("two photos have the same name, and so would their faces; call the command for each")
    import torch

    from styleT2I.photos.alignment import cut
    from styleT2I.photos.faces import choose_face, open_finder
    from styleT2I.torch_utils.files import sha256_file
    from styleT2I.torch_utils.folders import recorded_command, result_folder
    from styleT2I.torch_utils.images import load_image, save_png

    finder = open_finder(landmarks, detector, device)
    request = {
        "photos": list(photos),
        "resolution": resolution,
        "landmarks": landmarks,
        "detector": detector,
        "face": face,
    }
    faces = []
    with result_folder(outdir, "align.json", request, overwrite=overwrite) as staging:
        for photo, name in zip(photos, names, strict=True):
            pixels = load_image(photo).permute(1, 2, 0).numpy()
            found = finder.find(pixels, photo)
            chosen = found if face is None and found else [choose_face(found, face, photo)]
            for index, one in enumerate(chosen):
                file = f"{name}-{face if face is not None else index}.png"
                save_png(staging / file, torch.from_numpy(cut(pixels, one.crop, resolution)).permute(2, 0, 1))
                faces.append({"file": file, "photo": str(photo), "sha256": sha256_file(photo), **one.describe()})
        staging.write_record({**request, "finder": finder.name, "faces": faces,
                              "command": recorded_command("align")})  # fmt: skip
    done(f"{counted(len(faces), 'face')} in {outdir}", f"look at {Path(outdir) / faces[0]['file']}")


if __name__ == "__main__":
    main()
