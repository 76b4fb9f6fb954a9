"""Other implementations of MoQT against ours: the Rust crates that stand apart from the product's workspace.

They compile a few hundred crates that nothing else needs, so they are a target of their own and no part of
`check`. The Python side of the same is in tests/interop and runs with every test.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from tools import native, steps
from tools.console import Stop, say
from tools.steps import Step

CRATES = ("interop", "oracle")
"""Folders of core/, each a workspace of its own."""


def main(arguments: Sequence[str]) -> None:
    """Check and test the crates; `arguments` go to `cargo test` of core/interop alone."""
    cargo = native.cargo()
    target = ["--target-dir", "../target/interop"]
    all_steps = []
    for crate in CRATES[:1] if arguments else CRATES:
        lane = functools.partial(Step, lane="rust", cwd=native.CORE / crate)
        test = [cargo, "test", "--locked", *target, *arguments]
        if not arguments:
            clippy = [cargo, "clippy", "--all-targets", "--locked", *target, "--", "-D", "warnings"]
            all_steps += [
                lane(f"{crate} fmt", command=[cargo, "fmt", "--check"]),
                lane(f"{crate} clippy", command=clippy),
            ]
        all_steps.append(lane(f"{crate} test", command=test))
    say("interop:")
    failed = steps.run(all_steps)
    if failed:
        raise Stop(f"interop failed: {', '.join(failed)}")
