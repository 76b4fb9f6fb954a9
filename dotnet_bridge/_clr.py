"""The one module that knows pythonnet: starts the runtime, calls the compiler, loads assemblies.

A process has one runtime for its life; the first toolchain used decides which. Everything that comes from
.NET is `Any` here and typed on the way out.
"""

from __future__ import annotations

import importlib
import json
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import BridgeError, Diagnostic, ToolMissing
from .toolchain import FRAMEWORK, Toolchain


@dataclass(slots=True)
class _Process:
    """What this process has of .NET, once and for all."""

    running: Toolchain | None = None
    compiler: Path | None = None


_process = _Process()
_guard = threading.Lock()


def start(tools: Toolchain) -> None:
    """Start the toolchain's runtime in this process, unless it runs."""
    with _guard:
        held = _process.running
        if held is not None:
            if held.runtime != tools.runtime:
                raise BridgeError(f"this process runs the .NET of {held.runtime} and can have no second one")
            return
        try:
            import clr_loader
            import pythonnet
        except ImportError as error:
            raise ToolMissing(f"{error.name} is missing: pip install 'clutchcall[dotnet]'") from None
        config = {
            "runtimeOptions": {
                "framework": {"name": FRAMEWORK, "version": tools.version},
                # Without ICU, which a machine without .NET need not have; one heap, which keeps a test small.
                "configProperties": {"System.Globalization.Invariant": True, "System.GC.Server": False},
            }
        }
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "runtimeconfig.json"
            path.write_text(json.dumps(config), "utf-8")
            pythonnet.load(clr_loader.get_coreclr(runtime_config=path, dotnet_root=tools.runtime))
        import clr  # noqa: F401  # makes the runtime's namespaces importable

        _process.running = tools


def load(path: Path) -> Any:
    """The assembly of a file; from then on its namespaces can be imported."""
    clr = importlib.import_module("clr")
    return clr.AddReference(str(path.resolve()))


def refer(name: str) -> None:
    """Make the namespaces of one of the runtime's own assemblies importable."""
    clr = importlib.import_module("clr")
    clr.AddReference(name)


def compile(
    tools: Toolchain, name: str, arguments: Sequence[str], sources: Sequence[Path], out: Path
) -> tuple[Diagnostic, ...]:
    """Compile to `out` with a command line's options; what keeps it from being written, empty if it was."""
    _load_compiler(tools)
    text: Any = importlib.import_module("System.Text")
    code: Any = importlib.import_module("Microsoft.CodeAnalysis")
    csharp: Any = importlib.import_module("Microsoft.CodeAnalysis.CSharp")
    source_text: Any = importlib.import_module("Microsoft.CodeAnalysis.Text").SourceText

    system: Any = importlib.import_module("System")
    words = _array(system.String, [*arguments, *(str(path) for path in sources)])
    parsed = csharp.CSharpCommandLineParser.Default.Parse(words, str(out.parent), None)
    if parsed.Errors.Length:
        return tuple(_diagnostic(one) for one in parsed.Errors)
    trees = [
        csharp.CSharpSyntaxTree.ParseText(
            source_text.From(path.read_text("utf-8"), text.Encoding.UTF8), parsed.ParseOptions, str(path)
        )
        for path in sources
    ]
    references = [code.MetadataReference.CreateFromFile(one.Reference) for one in parsed.MetadataReferences]
    built = csharp.CSharpCompilation.Create(
        name,
        _array(code.SyntaxTree, trees),
        _array(code.MetadataReference, references),
        parsed.CompilationOptions,
    )
    stream = importlib.import_module("System.IO").MemoryStream()
    result = built.Emit(stream)
    hidden = (code.DiagnosticSeverity.Hidden, code.DiagnosticSeverity.Info)
    told = tuple(_diagnostic(one) for one in result.Diagnostics if one.Severity not in hidden)
    if result.Success and not told:
        out.write_bytes(bytes(stream.ToArray()))
        return ()
    return told or (Diagnostic("", "", 0, "the compiler failed without a word"),)


def _load_compiler(tools: Toolchain) -> None:
    with _guard:
        if _process.compiler is None:
            for name in ("Microsoft.CodeAnalysis.dll", "Microsoft.CodeAnalysis.CSharp.dll"):
                load(tools.compiler / name)
            _process.compiler = tools.compiler
        elif _process.compiler != tools.compiler:
            raise BridgeError(
                f"this process compiles with {_process.compiler} and can have no second compiler"
            )


def _array(kind: Any, items: Sequence[Any]) -> Any:
    array: Any = importlib.import_module("System").Array
    return array[kind](items)


def _diagnostic(one: Any) -> Diagnostic:
    span = one.Location.GetLineSpan()
    path = str(span.Path or "")
    line = int(span.StartLinePosition.Line) + 1 if path else 0
    return Diagnostic(str(one.Id), path, line, str(one.GetMessage()))
