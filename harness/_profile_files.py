"""Networks as a caller names them, read: a name in harness/profiles, a file, or its fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness._netem_process import PROFILES
from harness._world_native import WorldError

_MOST = 1 << 20


def read(profile: str | Path | Mapping[str, object]) -> dict[str, Any]:
    """File name, text and folder of traces. `WorldError` if there is no such profile."""
    if isinstance(profile, Mapping):
        described = {"name": "fields", "description": "Given as fields.", "sources": ["The caller."]}
        try:
            text = json.dumps({**described, "up": {}, "down": {}, **profile}, allow_nan=False)
        except (TypeError, ValueError) as wrong:
            raise WorldError(f"the network's fields are no JSON: {wrong}") from None
        return {"file": "fields", "text": text, "folder": ""}
    text_name = str(profile)
    named = isinstance(profile, str) and not text_name.endswith(".json") and not set("/\\") & set(text_name)
    path = PROFILES / f"{text_name}.json" if named else Path(text_name)
    try:
        size = path.stat().st_size
        if size > _MOST:
            raise WorldError(f"network {text_name}: {size} bytes, a profile has at most {_MOST}")
        text = path.read_text("utf-8")
    except FileNotFoundError:
        known = ", ".join(sorted(file.stem for file in PROFILES.glob("*.json")))
        hint = f"there are {known}, or pass a file" if named else "there is no such file"
        raise WorldError(f"network {text_name!r}: {hint}") from None
    except (OSError, UnicodeDecodeError) as wrong:
        raise WorldError(f"network {text_name}: it cannot be read: {wrong}") from None
    return {"file": path.name, "text": text, "folder": str(path.parent)}
