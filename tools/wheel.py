"""Builds `dist/clutchcall-<version>-py3-none-<platform>.whl` with the native library inside.

setup.py copies the library into the wheel and never into the source tree, where a stale one would shadow
the next build.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from tools import native, venv
from tools.console import Stop, say, size
from tools.process import ROOT, capture


def main(arguments: Sequence[str]) -> Path:
    """Build the wheel and return its path."""
    parser = argparse.ArgumentParser("dev.py wheel", allow_abbrev=False)
    parser.add_argument("--target", help="a target of `dev.py natives`: package its library for its platform")
    parser.add_argument("--library", type=Path, help="package this build of the core instead of making one")
    parser.add_argument("--platform", help="the wheel's platform tag, for a library built elsewhere")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="the folder to write to")
    chosen = parser.parse_args(arguments)
    if chosen.target:
        if chosen.library or chosen.platform:
            raise Stop("--target names library and platform: leave --library and --platform out", code=2)
        chosen.library, chosen.platform = _cross_built(chosen.target)
    venv.ensure("dev")
    if chosen.library is None:
        native.build()
    library = (chosen.library or native.library()).resolve()
    if not library.is_file():
        raise Stop(f"no library at {library}", code=2)
    # setuptools packs whatever an earlier build left in its folder, deleted modules included.
    shutil.rmtree(ROOT / "build" / "wheel", ignore_errors=True)
    out: Path = chosen.out.resolve()
    for old in out.glob("clutchcall-*.whl"):
        old.unlink()
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    code, output = capture(
        [venv.PYTHON, "-m", "pip", "wheel", *options, "-w", out, ROOT],
        env={"CLUTCHCALL_LIBRARY": str(library), "CLUTCHCALL_PLATFORM": chosen.platform or ""},
    )
    wheels = list(out.glob("clutchcall-*.whl"))
    if code != 0 or len(wheels) != 1:
        say(output.rstrip())
        raise Stop("the wheel does not build")
    say(f"{wheels[0]}: {size(wheels[0].stat().st_size)}")
    return wheels[0]


def _cross_built(target: str) -> tuple[Path, str]:
    """The library of a target, built unless it is there from these sources, and its wheel's platform tag."""
    from dotnet_bridge.natives import BUILT, NATIVES, behind
    from tools import natives, recipes

    (recipe,) = recipes.chosen([target])
    path = BUILT / recipe.platform / recipe.file
    kept = next(one for one in NATIVES if one.platform == recipe.platform)
    if not path.is_file() or behind({kept: path}):
        natives.build(recipe)
    return path, recipe.wheel
