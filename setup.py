"""What pyproject.toml cannot say of the wheel: a native library goes in, and no Python ABI is promised.

`CLUTCHCALL_LIBRARY` names the built core, `CLUTCHCALL_PLATFORM` the platform tag where it is not this
machine's; `python3 dev.py wheel` sets both. Nothing is written into the source tree but below `build/`.
"""

import os
import platform
import shutil
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

BUILD = Path("build") / "wheel"


class BuildPy(build_py):
    """Adds the library as `transport/_lib/<name>`."""

    def run(self) -> None:
        """Copy the packages, then the library."""
        super().run()
        if self.editable_mode:
            return
        library = Path(os.environ.get("CLUTCHCALL_LIBRARY", ""))
        if not library.is_file():
            raise SystemExit("CLUTCHCALL_LIBRARY names no file: build the wheel with `python3 dev.py wheel`")
        folder = Path(self.build_lib) / "transport" / "_lib"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(library, folder / library.name)


class Wheel(bdist_wheel):
    """Tags the wheel `py3-none-<platform>`: the library is loaded by ctypes, whatever the Python."""

    def finalize_options(self) -> None:
        """Mark the wheel as platform-dependent."""
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self) -> tuple[str, str, str]:
        """The wheel's tag."""
        tag = super().get_tag()[2].replace("universal2", platform.machine())
        return "py3", "none", os.environ.get("CLUTCHCALL_PLATFORM") or tag


class Native(Distribution):
    """A distribution that belongs into the platform's library folder."""

    def has_ext_modules(self) -> bool:
        """True: there is a native library."""
        return True


BUILD.mkdir(parents=True, exist_ok=True)
setup(
    cmdclass={"build_py": BuildPy, "bdist_wheel": Wheel},
    distclass=Native,
    options={"build": {"build_base": str(BUILD)}, "egg_info": {"egg_base": str(BUILD)}},
)
