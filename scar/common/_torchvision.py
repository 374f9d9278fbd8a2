"""Make ``import torchvision`` work beside a torch build that its binary was not compiled for.

The only published wheel of some torchvision releases is a CUDA build. Next to a CPU build of torch its
extension cannot be loaded, and the import dies because two operators that it registers are missing.
Declaring their schemas first lets the Python part (transforms, datasets, models) work, which is all that
timm, Lightning and transformers ask of it. Where the extension loads, nothing is changed.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

_OPERATORS = ("nms", "qnms")
_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_declared: list[Any] = []
# A torch.library.Library withdraws its operators when it is collected, so it is kept here.


class _Loader(importlib.abc.Loader):
    """Run the original loader once the operators are known to torch."""

    def __init__(self, original: importlib.abc.Loader) -> None:
        self.original = original

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self.original.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        import torch

        extension = next(iter(Path(next(iter(module.__path__))).glob("_C*.so")), None)
        try:
            if extension is not None:
                torch.ops.load_library(str(extension))  # type: ignore[no-untyped-call]
        except OSError:
            library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
            for name in _OPERATORS:
                library.define(name + _SCHEMA)  # type: ignore[no-untyped-call]
            _declared.append(library)
        self.original.exec_module(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


class _Finder(importlib.abc.MetaPathFinder):
    """Wrap the loader of torchvision, and of nothing else."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "torchvision":
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            sys.meta_path.insert(0, self)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


def install() -> None:
    """Register the hook once; it costs nothing until torchvision is imported."""
    if "torchvision" not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
