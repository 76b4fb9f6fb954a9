"""C# without an installed .NET: finds or fetches a runtime and compiler, and runs the package's C# in Python.

    dll = dotnet_bridge.compile(sources, unsafe=True)    # netstandard2.1, C# 9, every warning an error
    dotnet_bridge.load(dll)                              # the native core is beside it
    from ClutchCall.Core import Node                     # pythonnet's doing

`python -m dotnet_bridge` says which .NET is used, `python -m dotnet_bridge.meta` writes or checks the
Unity package's metas, `python -m dotnet_bridge.pack` packs it, `python -m dotnet_bridge.contract` checks what
it asks of Unity. `_clr` is the one module that starts and calls pythonnet; `contract` reads assemblies by it.
`shim` is Unity as far as the package knows it.
"""

from .compiler import compile, load
from .errors import BadPackage, BridgeError, CompileError, Diagnostic, ToolMissing
from .toolchain import Toolchain, find

__all__ = [
    "BadPackage",
    "BridgeError",
    "CompileError",
    "Diagnostic",
    "ToolMissing",
    "Toolchain",
    "compile",
    "find",
    "load",
]
