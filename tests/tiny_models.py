"""Tiny models that tests share: each is built when it is first needed, once for all workers of pytest-xdist."""

import fcntl
from pathlib import Path


class QwenFolders(dict[str, Path]):
    """Folders of tiny random Qwen-VLs by generation, laid out like the published ones. Not to be written to."""

    def __init__(self, root: Path) -> None:
        """Keep them in a folder of all workers."""
        self._root = root

    def __missing__(self, generation: str) -> Path:
        from scripts.tiny_models.qwen_vl import build_qwen_vl

        self._root.mkdir(exist_ok=True)
        folder = self._root / generation
        with (self._root / f"{generation}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed
            if not folder.exists():
                build_qwen_vl(self._root / f"{generation}.unfinished", generation).rename(folder)
        self[generation] = folder
        return folder
