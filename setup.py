"""Package mapping only; metadata lives in pyproject.toml. Top-level folders install under the `styleT2I.` name."""

from setuptools import find_packages, setup

MAPPED = {"styleT2I.ops": "ops", "styleT2I.torch_utils": "torch_utils", "styleT2I.checkpoints": "checkpoints"}

setup(packages=find_packages(include=["styleT2I", "styleT2I.*"]) + list(MAPPED), package_dir=MAPPED)
