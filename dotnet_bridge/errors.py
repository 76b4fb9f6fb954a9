"""What can go wrong here; each error is one line that says what, where, and what to do."""

from __future__ import annotations

from dataclasses import dataclass


class BridgeError(Exception):
    """Something on this machine, or in the call, keeps .NET from being used."""


class ToolMissing(BridgeError):
    """A runtime, compiler or package is neither installed nor to be had."""


class BadPackage(BridgeError):
    """A fetched package is not the pinned one."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """What the compiler says about a place in a source."""

    id: str
    """As the compiler numbers it, such as CS0168."""
    path: str
    """The source; empty if it concerns none."""
    line: int
    """From 1; 0 if it concerns no line."""
    text: str
    """The compiler's words."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.id}: {self.text}"


class CompileError(BridgeError):
    """The C# sources do not compile without an error or warning: the sources' fault."""

    def __init__(self, name: str, diagnostics: tuple[Diagnostic, ...]) -> None:
        told = "".join(f"\n  {one}" for one in diagnostics[:20])
        super().__init__(f"{name} does not compile: {len(diagnostics)} errors or warnings{told}")
        self.diagnostics = diagnostics
