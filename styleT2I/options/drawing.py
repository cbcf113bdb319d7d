"""Options that commands which draw share: whose part of the work, other methods of steering, a photo for seeds."""

import re

import click

from styleT2I.errors import CheckpointError
from styleT2I.generation.arguments import DISTANCES, INVERSIONS, NUM_SAMPLES
from styleT2I.torch_utils.launch import Place, launched

FACE_OPTIONS = ("aligned", "landmarks", "detector", "face")
PHOTO_OPTIONS = ("mask", "inversion", "encoder")
INVERSION_OPTIONS = ("inversion_steps", "tune_steps", "distance", "restarts")


class ShardRange(click.ParamType):
    """Part i of n, "2/4", as the Place (i - 1, n)."""

    name = "shard"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", value, re.ASCII)
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            self.fail(f"{value!r} is not a shard; write i/n with i from 1 to n, for example 1/4", param, ctx)
        return Place(int(match[1]) - 1, int(match[2]))


def shard_option(text: str):
    """Add `--shard`, passed on as a Place: the part that is named, else this process's of those that torchrun started.

    click.UsageError where both are given.
    """

    def place(context, option, shard):
        if shard is not None and launched().count > 1:
            raise click.UsageError("torchrun shares the work out already; leave --shard out")
        return shard or launched()

    return click.option("--shard", type=ShardRange(), metavar="i/n", help=text, callback=place)


def rival_options(methods, default, text):
    """Add `--method`, one of `methods`, passed on as `rival`, and `--judge`, `--vocabulary`, `--samples`."""

    def decorate(function):
        options = [
            click.option("--method", "rival", default=default, type=click.Choice(methods), help=text),
            click.option("--judge", metavar="FILE", help="--method: attribute classifier that looks at the generator's "
                         "faces. [default: the model's, else CLIP]"),
            click.option("--vocabulary", metavar="NAME", help="--method: in which attributes are named, a vocabulary's "
                         "name or file. [default: the model's]"),
            click.option("--samples", type=click.IntRange(2), help="--method: faces that directions are found on. "
                         f"[default: {NUM_SAMPLES}]"),
        ]  # fmt: skip
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def refuse_options(names, reason):
    """click.UsageError for the first of the named options that is on the command line.

    reason: what the line says after the option, such as "goes with --method sefa".
    """
    context = click.get_current_context()
    for option in context.command.params:
        if option.name in names and context.get_parameter_source(option.name).name == "COMMANDLINE":
            raise click.UsageError(f"{option.opts[0]} {reason}")


def face_options(function):
    """Add `--aligned`, `--landmarks`, `--detector` and `--face`, which say where the face of a photo is."""
    options = (
        click.option("--aligned", is_flag=True, help="The photo is a face cut out already, as align writes it."),
        click.option("--landmarks", type=click.Path(dir_okay=False), metavar="FILE", help="The points of the photo's "
                     "faces, 5 or 68 each, in place of a search (docs/photos.md)."),
        click.option("--detector", metavar="FILE", help="Finds the faces: OpenCV's YuNet (.onnx) or a landmark network "
                     "of train_landmarks (.json).  [default: the embedded landmark network]"),
        click.option("--face", type=click.IntRange(0), metavar="N", help="The face N by size, from 0.  [default: the "
                     "largest]"),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def inversion_options(function):
    """Add the settings of `inversion.arguments.InversionConfig` that a user may change, each None unless given."""
    options = (
        click.option("--inversion-steps", type=click.IntRange(1), help="Steps of the latent's optimisation.  "
                     "[default: by method, 200 or 80]"),
        click.option("--tune-steps", type=click.IntRange(1), help="Steps of the generator, for pivotal.  [default: "
                     "80]"),
        click.option("--distance", type=click.Choice(DISTANCES), help="What compares images: LPIPS, the guide judge, "
                     "CLIP, pixels alone, or the first that is at hand.  [default: auto]"),
        click.option("--restarts", type=click.IntRange(1), help="Starts of w and w+, of which the best is taken.  "
                     "[default: 1]"),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def photo_options(function):
    """Add `--image`, `--mask` and `--inversion` with the options above, for commands that edit a photo."""
    options = (
        click.option("--image", type=click.Path(dir_okay=False), metavar="PHOTO", help="A photo whose face is edited, "
                     "in place of seeds (docs/photos.md)."),
        click.option("--mask", type=click.Path(dir_okay=False), metavar="FILE", help="--image: an image of the photo's "
                     "size, white where nothing counts, such as a hand before the face."),
        click.option("--inversion", type=click.Choice(["auto", *INVERSIONS]), help="--image: how its latent is found.  "
                     "[default: auto: encoder+ where the model has an encoder, else w+]"),
        click.option("--encoder", metavar="FILE", help="--image: encoder in place of the model's."),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def inversion_config(options):
    """The `inversion.arguments.InversionConfig` that options by name ask for; ConfigError."""
    from styleT2I.inversion.arguments import InversionConfig

    given = {name: options[name] for name in INVERSION_OPTIONS if options[name] is not None}
    steps = {"steps": given.pop("inversion_steps")} if "inversion_steps" in given else {}
    return InversionConfig(**steps, **given)


def check_face_options(aligned, landmarks, detector, face) -> None:
    """click.UsageError for options that contradict."""
    if landmarks and detector:
        raise click.UsageError("--landmarks and --detector both say where the faces are; leave one of them out")
    if aligned and (landmarks or detector or face is not None):
        raise click.UsageError("--aligned says that the face is cut out already; leave the other options of faces out")


def open_face_finder(aligned, landmarks, detector, device):
    """Who finds the faces, None for photos that are faces cut out already; CheckpointError, one line."""
    if aligned:
        return None
    from styleT2I.photos.faces import open_finder

    try:
        return open_finder(landmarks, detector, device)
    except CheckpointError as error:
        if landmarks or detector:
            raise
        raise CheckpointError(f"{error}; --aligned takes a face that is cut out already") from error


def open_editor(pipeline, image, options):
    """The `inversion.photo_edits.PhotoEditor` of a photo; options: those above by name. Raises what these raise."""
    from styleT2I.inversion.inverter import Inverter
    from styleT2I.inversion.photo_edits import PhotoEditor
    from styleT2I.photos.photo import open_photo

    aligned, landmarks, detector, face = (options[name] for name in FACE_OPTIONS)
    finder = open_face_finder(aligned, landmarks, detector, str(pipeline.model.device))
    resolution = pipeline.model.network("generator").resolution
    photo = open_photo(image, resolution, finder, face, options["mask"])
    inverter = Inverter(pipeline.model, inversion_config(options))
    return PhotoEditor(pipeline, photo, inverter, options["inversion"] or "auto")


def adjustment_options(function):
    """Add `--strength`, `--adjust-threshold`, `--adjust-by`, `--clarity` and `--keep-surroundings`, passed on as
    strength, threshold, by, clarity and keep_surroundings; None unless given: settings of `AdjustmentConfig`."""
    options = (
        ("--strength", "strength", float, "FACTOR", "Length of the paper's steps; a factor on those that the others "
         "find."),
        ("--adjust-threshold", "threshold", float, "COSINE", "Largest cosine of an attribute's direction and the "
         "sentence's that calls for adjustment (paper, calibrated); 0 unless given."),
        ("--adjust-by", "by", str, "NAME", "Observer of the adjustment: judge (guide judge), clip, or auto: the "
         "judge if the model has one."),
        ("--clarity", "clarity", float, "FACTOR", "How clear a verdict the methods that look ask for, in units of the "
         "image's mean one; what the model names unless given."),
    )  # fmt: skip
    function = click.option(
        "--keep-surroundings/--no-keep-surroundings",
        default=None,
        help="Whether hold takes from every direction what would move the pose, the background or the clothes; on "
        "where the model's Attribute-to-Direction network knows them.",
    )(function)
    for flag, name, kind, metavar, text in reversed(options):
        function = click.option(flag, name, type=kind, metavar=metavar, help=text)(function)
    return function
