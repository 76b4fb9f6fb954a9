"""What all tests share: hypothesis's settings, and the native core with a clear word when it is not there."""

from __future__ import annotations

import ctypes
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from tools import native as core

# Examples take as long as a shared machine makes them take; pytest's time-out catches what hangs.
settings.register_profile("clutchcall", deadline=None)
settings.load_profile("clutchcall")

# A shell that runs the tests in the background has them ignore it, and so would what they interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def native() -> Path:
    """The release build of the native core, present and loadable."""
    path = core.library()
    if not path.exists():
        pytest.fail(f"{path} is missing: build it with `python3 dev.py setup`", pytrace=False)
    try:
        ctypes.CDLL(str(path))
    except OSError as error:
        pytest.fail(f"the native core does not load: {error}", pytrace=False)
    return path
