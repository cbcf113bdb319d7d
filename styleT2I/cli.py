"""Shared by all commands: one-line errors, exit status 2, `--debug`, old spellings, seeds, common options."""

import contextlib
import functools
import re
import shlex
import shutil
import sys
import warnings

import click

from styleT2I import __version__
from styleT2I.config import DEFAULT_MODEL, MAX_SEED
from styleT2I.errors import StyleT2IError
from styleT2I.torch_utils.launch import quiet_unless_first, who

MAX_NUM_SEEDS = 1_000_000
MIN_STEPS_TO_BUILD = 100  # a shorter training is over before the compiler is
# Options by name that take any source of weights (sources/resolve.py), and what each asks for.
SOURCES = {name: name for name in ("model", "generator", "clip", "t2d", "a2d", "encoder")}
SOURCES |= {"judge": "judges.guide", "judges__guide": "judges.guide", "judges__heldout": "judges.heldout"}
SOURCES |= {"clip_eval": "clip_eval", "text_encoder": "text_encoder"}
SOURCES |= {"init": "generator", "detector": "detector", "source": None}  # None: of any kind
_SOURCE_HELP = (
    "SOURCE is a path, an https:// address, hf://owner/name[/file][@revision], or a name: of a model, or of a "
    "well-known checkpoint (python -m styleT2I.convert --list)."
)


class SeedRange(click.ParamType):
    """Seeds such as "0-7,100": a comma-separated list of integers and inclusive ranges, in the order given."""

    name = "seeds"

    def convert(self, value, param, ctx):
        if not isinstance(value, str):
            return tuple(value)
        seeds = []
        for part in value.split(","):
            match = re.fullmatch(r"\s*([0-9]+)(?:\s*-\s*([0-9]+))?\s*", part, re.ASCII)
            if not match:
                self.fail(f"{value!r} is not a list of seeds; write for example 0-7,100", param, ctx)
            first, last = int(match[1]), int(match[2] or match[1])
            if last < first:
                self.fail(f"the range {part.strip()!r} runs backwards; write {last}-{first}", param, ctx)
            if last > MAX_SEED:
                self.fail(f"seeds end at {MAX_SEED}, got {last}", param, ctx)
            if len(seeds) + last - first + 1 > MAX_NUM_SEEDS:
                self.fail(f"{value!r} names more than {MAX_NUM_SEEDS} seeds; split it over several calls", param, ctx)
            seeds.extend(range(first, last + 1))
        return tuple(dict.fromkeys(seeds))


class _OneLineErrors:
    """A click command or group whose every user error is one line `error: ...` on stderr and exit status 2."""

    def main(self, args=None, prog_name=None, standalone_mode=True, **extra):
        if not standalone_mode:
            return super().main(args=args, prog_name=prog_name, standalone_mode=False, **extra)
        arguments = sys.argv[1:] if args is None else list(args)
        try:
            _check_readable(arguments)
            with quiet_unless_first(), warnings.catch_warnings():
                warnings.showwarning = _show_warning
                status = super().main(args=arguments, prog_name=prog_name, standalone_mode=False, **extra)
        except (StyleT2IError, click.ClickException) as error:
            if "--debug" in arguments:
                raise
            text = error.format_message() if isinstance(error, click.ClickException) else str(error)
            sys.exit(2) if getattr(error, "is_told", False) else _fail(text, 2)
        except (KeyboardInterrupt, click.Abort) as error:
            _fail(f"interrupted{_after_semicolon(str(error.__cause__ or error))}", 130)
        sys.exit(status if isinstance(status, int) else 0)


def _check_readable(arguments):
    """click.UsageError for an argument with bytes that are not UTF-8, which no record could hold."""
    for argument in arguments:
        try:
            argument.encode("utf-8")
        except UnicodeEncodeError as error:
            raise click.UsageError(
                f"{argument.encode('utf-8', 'surrogateescape')!r} is not UTF-8; type it anew, or rename the file"
            ) from error


class _Command(_OneLineErrors, click.Command):
    """renamed: old spellings of options, which still work with a warning -> the new ones."""

    renamed: dict[str, str] = {}
    preset_defaults = None

    def parse_args(self, ctx, args):
        return super().parse_args(ctx, [self._spelling(word) for word in args])

    def format_options(self, ctx, formatter):
        shown = self.preset_defaults() if self.preset_defaults else {}
        for param in self.params:
            if param.name in shown and _is_open(param):
                param.show_default = shown[param.name]
        super().format_options(ctx, formatter)

    def _spelling(self, word):
        old, separator, value = word.partition("=")
        if old not in self.renamed:
            return word
        click.echo(f"warning: {old} is now called {self.renamed[old]}; the old name will be removed", err=True)
        return f"{self.renamed[old]}{separator}{value}"


def _is_open(param):
    """Whether an option without a default of its own awaits a value (its default then is None, or click's mark)."""
    is_switch = getattr(param, "is_flag", False) and not param.secondary_opts
    return isinstance(param, click.Option) and not is_switch and not isinstance(param.default, (int, float, str))


class Group(_OneLineErrors, click.Group):
    """A group of commands that prints its help where none of them is named."""

    def parse_args(self, ctx, args):
        if not args:
            click.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)


def _show_warning(message, category, filename, lineno, file=None, line=None):
    click.echo(f"warning: {' '.join(str(message).split())}", err=True)


def _after_semicolon(text):
    return f"; {text}" if text else ""


def _fail(text, status):
    click.echo(f"error: {who()}{' '.join(text.split())}", err=True)
    sys.exit(status)


def command(name=None, *, renamed=None, preset_defaults=None, has_offline=False):
    """Make a function a command with `--debug` and `--version`; the function's docstring is the help text.

    renamed: old spellings of options, which still work with a warning -> the new ones. preset_defaults() ->
    {parameter: text}, called for --help only: defaults that a preset decides.
    Options named in SOURCES reach the function as local paths: what they name is downloaded first where it must be,
    and the command has `--offline` to forbid that; has_offline: add that option in any case, as for trainings.
    """

    def decorate(function):
        options = [option for option in getattr(function, "__click_params__", ()) if option.name in SOURCES]

        @functools.wraps(function)
        def call(*args, debug, offline=False, **kwargs):
            given = {option.name: kwargs[option.name] for option in options if kwargs[option.name] is not None}
            with _offline_hub(offline, kwargs.values()):
                function(*args, **(kwargs | _local_paths(given, offline or None)))

        for option in options:
            option.metavar = "SOURCE"
        if options or has_offline:
            text = "Download nothing: use what is on this disk."
            call = click.option("--offline", is_flag=True, help=text)(call)
        wrapped = click.option("--debug", is_flag=True, help="Show the full traceback of an error.")(call)
        settings = {"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 120}
        epilog = _SOURCE_HELP if options else None
        made = click.command(name=name, cls=_Command, context_settings=settings, epilog=epilog)(_version(wrapped))
        made.renamed, made.preset_defaults = renamed or {}, preset_defaults
        return made

    return decorate


def group(function=None, *, cls=None):
    """Make a function, whose docstring is the help text, a group; its commands are added with `add_command`.

    cls: a subclass of Group, say one that finds its commands elsewhere.
    """
    if function is None:
        return functools.partial(group, cls=cls)
    settings = {"help_option_names": ["-h", "--help"], "max_content_width": 120}
    return click.group(cls=cls or Group, context_settings=settings)(_version(function))


def _version(function):
    return click.version_option(__version__, prog_name="styleT2I", message="%(prog)s %(version)s")(function)


def defaults_of(preset: str | None, config, **more) -> dict[str, str]:
    """For `command(preset_defaults=...)`: the scalars and lists of a configuration dataclass, and more, as help says
    them: {"batch_size": "minifaces: 16"}."""
    from styleT2I.config import to_dict

    shown = {name: _default(value) for name, value in (to_dict(config) | more).items() if value not in (None, [], {})}
    return {name: f"{preset}: {text}" if preset else text for name, text in shown.items() if text is not None}


def _default(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return None if isinstance(value, dict) else f"{value:g}" if isinstance(value, float) else str(value)


def done(what: str, then: str | None = None, *command) -> None:
    """Print a command's last line: what was written, and what may come next; `command` is to be typed.

    done("8 images in out", "look at", "out/grid.png") -> "8 images in out; next: look at out/grid.png".
    """
    follows = f"; next: {' '.join(filter(None, [then, shlex.join(map(str, command))]))}" if then or command else ""
    click.echo(f"{what}{follows}")


def trained(component, *command) -> None:
    """Print a training's last line: the component that it wrote, and the command that takes it."""
    done(f"trained: {component}", None, "python", "-m", *command)


def _offline_hub(offline, values):
    """With --offline, no request for what a command itself opens on the Hub, as a face parser of transformers."""
    if not (offline and any(isinstance(value, str) and value.startswith("hf://") for value in values)):
        return contextlib.nullcontext()
    from styleT2I.sources.hub import silent_hub

    return silent_hub()


def _local_paths(given, offline):
    if not given:
        return {}
    from styleT2I.sources.resolve import resolve

    return {name: str(resolve(source, SOURCES[name], offline=offline)) for name, source in given.items()}


def device_option(function):
    """Add `--device`, passed on as the name for `torch_utils.hardware.devices.resolve_device`."""
    text = "Where to compute: auto, cpu, cuda, cuda:INDEX or mps."
    return click.option("--device", default="auto", metavar="NAME", help=text, callback=_checked_device)(function)


def _checked_device(context, option, name):
    from styleT2I.torch_utils.hardware.devices import check_device_name

    return check_device_name(name)


def precision_option(function):
    """Add `--precision`, passed on as the name for `networks.stylegan2.config.set_precision`."""
    text = "Of StyleGAN2's highest resolutions: fp32, or on a CUDA device fp16 or bf16."
    return click.option("--precision", default="fp32", type=click.Choice(["fp32", "fp16", "bf16"]), help=text)(function)


def outdir_option(function):
    """Add the required `--outdir`."""
    text = "Folder to write to; created when missing."
    return click.option("--outdir", required=True, type=click.Path(file_okay=False), metavar="DIR", help=text)(function)


def overwrite_option(function):
    """Add `--overwrite`, for result_folder."""
    text = "Remove another result's files from --outdir; without it such a folder is refused."
    return click.option("--overwrite", is_flag=True, help=text)(function)


def seeds_option(default="0-7"):
    """Add `--seeds`, passed on as a tuple of distinct integers."""
    text = "Seeds, for example 0-7,100."
    return click.option("--seeds", default=default, type=SeedRange(), metavar="LIST", help=text)


def seed_option(function):
    """Add `--seed`, from which all randomness of a run follows."""
    text = "Seed of everything random in the run."
    return click.option("--seed", default=0, type=click.IntRange(0, MAX_SEED), help=text)(function)


def noise_mode_option(function):
    """Add `--noise-mode`."""
    text = "Per-pixel noise: stored, drawn from the seed, or none."
    return click.option("--noise-mode", default="const", type=click.Choice(["const", "random", "none"]), help=text)(
        function
    )


def columns_option(function):
    """Add `--columns`, the width of grid.png."""
    text = "Faces in a row of grid.png."
    return click.option("--columns", default=8, type=click.IntRange(1, 64), metavar="NUM", help=text)(function)


def psi_option(name, default=0.7, text="Truncation psi: 1 is off, 0 the mean face."):
    """Add `--trunc`, passed on as `name`."""
    return click.option("--trunc", name, default=default, type=click.FloatRange(0, 2), help=text)


def model_option(function, default=DEFAULT_MODEL):
    """Add `--model`, an embedded model when not given."""
    return click.option("--model", default=default, help="The model: a folder of components.")(function)


def parts_of_model(given: dict, roles: dict[str, str], model: str | None) -> dict:
    """Take the files that no option names from a model folder, unless generator and CLIP are both named.

    given: option -> file or None; roles: option -> role in the model. click.UsageError when the generator or the CLIP
    is still open.
    """
    if model is not None and not (given["generator"] and given["clip"]):
        from styleT2I.formats.model_folder import read_model_folder

        files = read_model_folder(model).files
        found = {option: str(files[role]) for option, role in roles.items() if role in files}
        given = found | {option: file for option, file in given.items() if file is not None}
    for option in ("generator", "clip"):
        if given.get(option) is None:
            raise click.UsageError(f"no {option}: add --{option} FILE, or --model NAME for a model that has one")
    return given


def build_kernels(device, steps):
    """Compile what a training of `steps` steps on a torch.device can use, saying so; a warning where that fails."""
    from styleT2I.ops.kernels import useful_extensions
    from styleT2I.torch_utils.extensions import build_or_warn

    for extension in useful_extensions(device) if steps >= MIN_STEPS_TO_BUILD else ():
        build_or_warn(extension, report=lambda text: click.echo(text, err=True))


def report_costs(micro_batch, outdir, estimate):
    """Say what a training will take (a training.directions.estimate.Estimate) before its first step."""
    for line in estimate.lines(micro_batch, shutil.disk_usage(outdir).free):
        click.echo(f"note: {line}", err=True)
