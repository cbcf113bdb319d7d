"""StyleT2I: compositional text-to-image synthesis with StyleGAN2 and CLIP.

Importing the package imports no torch: the public names are resolved on first use.
"""

import importlib
import os

__version__ = "0.1.0"

_PUBLIC = {
    "StyleT2I": "styleT2I.generation.pipeline",
    "StyleT2IError": "styleT2I.errors",
    "load_clip": "styleT2I.generation.loading",
    "load_network": "styleT2I.generation.loading",
    "load_vocabulary": "styleT2I.attributes.vocabulary",
    "open_dataset": "styleT2I.data.dataset",
    "open_system": "styleT2I.generation.systems.interface",
}
__all__ = ["__version__", *_PUBLIC]

# In a checkout `ops`, `torch_utils` and `checkpoints` stand beside this folder, not in it (setup.py maps them when
# installed). Appending the root here lets `styleT2I.ops` resolve with no install, and with a wheel installed as well.
_root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if all(os.path.exists(os.path.join(_root, name)) for name in ("setup.py", "ops", "torch_utils", "checkpoints")):
    __path__.append(_root)
del _root


def __getattr__(name):
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'styleT2I' has no attribute {name!r}")


def __dir__():
    return sorted(set(globals()) | set(__all__))
