"""Finds the folder with a model's files: a local one, or the copy of a hub model."""

import os
from pathlib import Path

from core.errors import BackendUnavailable
from core.runtime.downloads import MODELSCOPE


def resolve_model_folder(
    model: str, *, alternative: str, revision: str | None = None, needs: tuple[tuple[str, ...], ...] = ()
) -> Path:
    """Give the folder with a model's files, fetching them from the hub if need be.

    Args:
        model: a folder, an id of Hugging Face such as ``facebook/dinov2-giant``, or ``modelscope:`` and an id of
            ModelScope.
        alternative: the third way out named in the error: a choice that needs no licence or no download.
        revision: branch, tag or commit on the hub; None is the hub's main branch.
        needs: files beside configuration and weights, each with the names that it may have. A cached copy that has
            them all is used without asking the hub.

    Raises:
        BackendUnavailable: the folder does not exist, and the hub does not provide the model; the message names the
            ways out.
    """
    if model.startswith(MODELSCOPE):
        from core.runtime import modelscope

        return modelscope.fetch(model.removeprefix(MODELSCOPE), alternative, revision, needs)
    folder = Path(model).expanduser()
    if _is_readable_folder(folder):
        if not (folder / "config.json").is_file():
            raise BackendUnavailable(
                f"folder {model} has no config.json, so it is not a transformers model; {_cure(folder)}"
            )
        return folder
    # Here, because a local folder needs no hub library at all.
    from core.runtime.model_hub import fetch, ways_out

    # A path that does not exist must not be sent to a hub as if it were an id.
    if model.startswith(("/", ".", "~")) or model.count("/") != 1:
        raise BackendUnavailable(
            ways_out(model, "no such folder, and not a hub id (owner/name, or modelscope:owner/name)", alternative)
        )
    return fetch(model, alternative, revision, needs)


def _is_readable_folder(folder: Path) -> bool:
    """Whether there is such a folder.

    Raises:
        BackendUnavailable: it or a file in it may not be read; the libraries that read models call such a file missing.
    """
    unreadable: Path | None = None
    try:
        if not folder.is_dir():
            return False
        unreadable = next((file for file in sorted(folder.iterdir()) if not os.access(file, os.R_OK)), None)
    except PermissionError:
        unreadable = folder
    if unreadable is not None:
        raise BackendUnavailable(
            f"permission denied: {unreadable} cannot be read by this process, which runs as user {os.getuid()}; "
            f"make the model readable for it, for example by chmod -R a+rX on the folder"
        )
    return True


def _cure(folder: Path) -> str:
    if any(folder.glob("*.pth")):
        return "a .pth file is Meta's own format; transformers' convert_dinov3_vit_to_hf.py converts it"
    return "give the folder that has one"
