"""`python -m dotnet_bridge`: says which .NET is used, and fetches what is missing of it."""

import sys

from .errors import BridgeError
from .toolchain import find


def main() -> int:
    """Print the toolchain; 1 if there is none."""
    try:
        found = find()
    except BridgeError as error:
        print(f"dotnet_bridge: {error}", file=sys.stderr)
        return 1
    print(f"runtime    {found.version} in {found.runtime}")
    print(f"compiler   {found.compiler}")
    print(f"references {found.references}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
