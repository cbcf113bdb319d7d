"""Errors a user can cause and mend: one line that says what, where and the remedy."""

import contextlib
import re

_LONG_WORD = re.compile(r"(\S{300})\S{300,}(\S{60})")


class StyleT2IError(Exception):
    """Base of every error that commands print as one line with exit status 2; of a word without end it has the ends."""

    def __init__(self, message: str = ""):
        super().__init__(_LONG_WORD.sub(r"\1...\2", str(message)))


class ConfigError(StyleT2IError):
    """A setting is unknown, missing or out of range."""


class DataError(StyleT2IError):
    """A data set or image cannot be used."""


class CheckpointError(StyleT2IError):
    """Weights or a training state are missing, damaged or do not fit."""


class UnsafeFileError(CheckpointError):
    """A file asks for more than data to be read, so reading it is refused."""


class PromptError(StyleT2IError):
    """A text cannot be turned into an image."""


class DeviceError(StyleT2IError):
    """A compute device is unknown or absent."""


class OutputError(StyleT2IError):
    """A file or folder cannot be written."""


class DependencyError(StyleT2IError):
    """An optional package is not installed."""


class DownloadError(StyleT2IError):
    """A file cannot be fetched."""


class TrainingError(StyleT2IError):
    """A training stopped before its end."""


class ExtensionError(StyleT2IError):
    """Compiled operators are missing, or cannot be built or used here."""


@contextlib.contextmanager
def guarded(where, what: str, error: type[StyleT2IError] = CheckpointError):
    """Around a reader of users' files: whatever a damaged or hostile one does to it ends in `error`, "WHERE: WHAT".

    A StyleT2IError raised inside is in one line already and passes.
    """
    try:
        yield
    except StyleT2IError:
        raise
    except Exception as problem:  # the values of such a file can be of any type, size and depth
        raise error(f"{str(where)[:300]}: {what}") from problem
