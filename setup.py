"""Package mapping only; metadata lives in pyproject.toml. Top-level folders install under the `styleT2I.` name."""

from setuptools import find_namespace_packages, setup

MAPPED = {"styleT2I.ops": "ops", "styleT2I.torch_utils": "torch_utils", "styleT2I.checkpoints": "checkpoints"}
NO_CACHES = ["*__pycache__*"]

# Namespace packages, because folders of data files count as packages too.
packages = find_namespace_packages(include=["styleT2I", "styleT2I.*"], exclude=NO_CACHES)
for name, folder in MAPPED.items():
    packages += [name, *(f"{name}.{sub}" for sub in find_namespace_packages(folder, exclude=NO_CACHES))]

setup(packages=packages, package_dir=MAPPED)
