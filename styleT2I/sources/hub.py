"""The Hugging Face Hub: hf://owner/name[/file][@revision] to read, a folder to write; huggingface_hub does the work."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from styleT2I.errors import CheckpointError, DownloadError
from styleT2I.formats.model_folder import MANIFEST
from styleT2I.sources.manifest_files import gather
from styleT2I.sources.web import printable
from styleT2I.torch_utils.files import sha256_file

WEIGHTS = (".safetensors", ".pkl", ".pt", ".pth", ".bin")
_SIDECARS = ("open_clip_config.json", "config.json")  # what a CLIP's tensors do not tell
_NAMED = {"clip": ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")}  # open_clip's own names
_BY_HAND = "or fetch it on another machine (hf download) and give its path"
_FORM = "write hf://owner/name, hf://owner/name/file or either with @revision"


@dataclass(frozen=True)
class HubSource:
    """A repository of the Hub, a file in it (None: the one that fits) and a branch, tag or commit (None: main)."""

    repo_id: str
    file: str | None
    revision: str | None

    @classmethod
    def parse(cls, text: str) -> HubSource:
        """Read hf://owner/name[/file][@revision]; DownloadError shows the form."""
        match = re.fullmatch(r"hf://([\w.-]+/[\w.-]+)(?:/([^@]+))?(?:@([\w./-]+))?", text, re.ASCII)
        if not match or ".." in (match[2] or "").split("/"):
            raise DownloadError(f"{text}: no address on the Hub; {_FORM}")
        return cls(match[1], match[2], match[3])


def fetch(text: str, kind: str | None, offline: bool) -> Path:
    """The local path of a Hub source, with what a manifest names beside it, in huggingface_hub's own cache.

    Raises DownloadError (no such repository, file or access, no network) or CheckpointError.
    """
    source = HubSource.parse(text)
    commit = source.revision

    def get(name, sha256=None):
        nonlocal commit
        with _in_one_line(f"hf://{source.repo_id}/{name}", offline):
            from huggingface_hub import hf_hub_download

            path = Path(hf_hub_download(source.repo_id, name, revision=commit, local_files_only=offline))
        commit = _commit_of(path) or commit  # the rest comes from the same state of the repository
        if sha256 is not None and sha256_file(path) != sha256:
            raise CheckpointError(f"hf://{source.repo_id}/{name}: not the file that its manifest was written for")
        return path

    if kind == "model" and not (source.file or "").endswith(".json"):
        first = f"{source.file}/{MANIFEST}" if source.file else MANIFEST
    else:
        first = source.file or _fitting_file(source, kind, offline)
    if kind in (None, "clip") and not first.endswith(".json"):
        for name in _SIDECARS:  # first, so that the weights are never there without what belongs to them
            with contextlib.suppress(DownloadError):
                get((PurePosixPath(first).parent / name).as_posix())
    return gather(get, first, kind)


def upload(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
    message: str | None = None,
    token: str | None = None,
) -> str:
    """Create a repository of the Hub where there is none, upload the files of `folder` and return the commit's address.

    Raises DownloadError when the Hub refuses or is out of reach.
    """  # fmt: skip
    with _in_one_line(f"hf://{repo_id}", offline=False):
        from huggingface_hub import HfApi

        api = HfApi(token=token)
        api.create_repo(repo_id, private=private, exist_ok=True)
        message = message or "Upload a styleT2I model"
        commit = api.upload_folder(
            repo_id=repo_id, folder_path=folder, commit_message=message, revision=revision, ignore_patterns=["tmp.*"]
        )
    return str(commit.commit_url)


def _fitting_file(source, kind, offline):
    """The one file of a repository that can be the component that is asked for."""
    files = _files(source, offline)
    for name in (MANIFEST, f"{(kind or '').replace('.', '_')}.json", *_NAMED.get(kind, ())):
        if name in files:
            return name
    weights = [name for name in files if name.endswith(WEIGHTS)]
    safe = [name for name in weights if name.endswith(".safetensors")]
    for found in (safe, weights):
        if len(found) == 1:
            manifest = f"{found[0].removesuffix('.safetensors')}.json"
            return manifest if manifest in files else found[0]
    where = f"hf://{source.repo_id}"
    shown = ", ".join(weights[:5]) + (", ..." if len(weights) > 5 else "")
    if not weights:
        raise CheckpointError(f"{where}: the repository holds no weights (no {' '.join(WEIGHTS)} file)")
    raise CheckpointError(f"{where}: holds {len(weights)} files of weights ({shown}); name one as {where}/FILE")


def _files(source, offline):
    """The names of the files in a repository; offline those of the state of it that is in the cache."""
    with _in_one_line(f"hf://{source.repo_id}", offline):
        from huggingface_hub import HfApi, scan_cache_dir

        if not offline:
            return HfApi().list_repo_files(source.repo_id, revision=source.revision)
        kept = [repo for repo in scan_cache_dir().repos if repo.repo_id == source.repo_id]
    wanted = source.revision or "main"
    for state in (state for repo in kept for state in repo.revisions):
        if wanted in (*state.refs, state.commit_hash):
            return [file.file_path.relative_to(state.snapshot_path).as_posix() for file in state.files]
    raise DownloadError(f"hf://{source.repo_id}: {_absent(offline)}")


def _commit_of(path):
    """The commit in the path of a file in huggingface_hub's cache: models--OWNER--NAME/snapshots/COMMIT/FILE."""
    match = re.search(r"models--[^/]+/snapshots/([^/]+)/", path.as_posix())
    return match and match[1]


@contextlib.contextmanager
def _in_one_line(what, offline):
    """huggingface_hub's many exceptions as one DownloadError; offline, it makes no request of any kind."""
    try:
        with silent_hub() if offline else contextlib.nullcontext():
            yield
    except ImportError as error:
        raise DownloadError(f"{what}: needs huggingface_hub: pip install huggingface_hub") from error
    except Exception as error:  # huggingface_hub, httpx and hf_xet raise many kinds without a common base
        raise DownloadError(f"{what}: {_reason(error, offline)}") from error


@contextlib.contextmanager
def silent_hub():
    """What HF_HUB_OFFLINE=1 does, for a while: `local_files_only` alone still lets it ask for its own purposes.

    transformers, which gets its files by huggingface_hub, keeps to it as well.
    """
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _absent(offline):
    cause = "--offline is set" if offline else "the Hub is out of reach"
    return f"not in the cache, and {cause}; try again with a network, {_BY_HAND}"


def _reason(error, offline):
    names = {cls.__name__ for cls in type(error).__mro__}
    if "GatedRepoError" in names:
        return "its owner wants a licence accepted first; accept it on the repository's page, then `hf auth login`"
    if "RepositoryNotFoundError" in names:
        return "no such repository, or a private one; check the name, or `hf auth login`"
    if "RevisionNotFoundError" in names:
        return "the repository has no such revision"
    if names & {"LocalEntryNotFoundError", "OfflineModeIsEnabled", "CacheNotFound"}:
        return _absent(offline)
    if "EntryNotFoundError" in names:
        return "the repository has no such file"
    text = printable(str(error)) or type(error).__name__
    return f"the Hub did not give it ({text}); try again, {_BY_HAND}"
