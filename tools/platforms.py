"""Whether the core compiles for the systems that it is shipped to and nobody here works on.

Only types are checked: nothing is linked, so no compiler of C for that system is needed, and the C of
dependencies is left uncompiled. A whole library is what `dev.py natives` builds.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from tools import native, recipes
from tools.process import capture
from tools.steps import Finding

CRATES = {
    "x86_64-pc-windows-gnu": ("cc-udp", "cc-shard", "cc-ffi"),
    "aarch64-apple-darwin": ("cc-udp",),
}
"""Of each target the crates that may differ there: above `cc-udp` nothing tells Linux from other Unixes."""
PATIENCE = 120.0  # seconds to fetch one standard library, 30 MB


def absent() -> str:
    """Why there is nothing to check on this machine; empty if all is there, or could be fetched."""
    if shutil.which("true") is None:
        return "no program `true` to stand in for a compiler of C"
    rustc = recipes.rustc(native.cargo())
    for triple in CRATES:
        add = ["rustup", "target", "add", triple]
        if not recipes.installed(rustc, triple) and shutil.which("rustup"):
            capture(add, cwd=native.CORE, timeout=PATIENCE)
        if not recipes.installed(rustc, triple):
            return f"no standard library for {triple}: {' '.join(add)}"
    return ""


def compiles() -> Sequence[Finding]:
    """What clippy says of the core on each target."""
    found = []
    for triple, crates in CRATES.items():
        name = triple.replace("-", "_")
        # Build scripts of dependencies compile C, whose results only a linker would want.
        env = {f"CC_{name}": "true", f"AR_{name}": "true"}
        packages = [word for crate in crates for word in ("-p", crate)]
        command = [native.cargo(), "clippy", "--quiet", "--locked", "--target", triple, *packages]
        code, output = capture([*command, "--", "-D", "warnings"], cwd=native.CORE, env=env)
        if code != 0:
            found.append(Finding(triple, f"the core does not compile there\n{output.rstrip()}"))
    return found
