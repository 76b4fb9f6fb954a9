"""Finds the class that `--game MODULE:CLASS` names, and says in one line what is wrong with it."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback

from ._game import Game
from ._options import DEFAULT_GAME


class LoadError(Exception):
    """The game can't be had; one line with file and line where there are any."""

    def __init__(self, text: str, detail: str = "") -> None:
        super().__init__(text)
        self.detail = detail
        """A traceback of what its module raised."""


def load_game(name: str | None) -> type[Game]:
    """The class; the sample game, or rooms without rules, if nothing is named. `LoadError`."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    if name is None:
        if importlib.util.find_spec("samples") is None:
            return Game
        name = DEFAULT_GAME
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ModuleNotFoundError as wrong:
        if wrong.name and (module == wrong.name or module.startswith(wrong.name + ".")):
            raise LoadError(
                f"--game {name}: there is no module {wrong.name}: "
                "check the name, or start in the folder that holds it"
            ) from None
        raise LoadError(f"--game {name}: {_where(wrong)}", traceback.format_exc()) from None
    except (Exception, SystemExit) as wrong:  # a script that ends itself is no module
        raise LoadError(f"--game {name}: {_where(wrong)}", traceback.format_exc()) from None
    if found is None:
        raise LoadError(f"--game {name}: module {module} has no {attribute}: check the name")
    if not isinstance(found, type) or not issubclass(found, Game):
        raise LoadError(f"--game {name}: {attribute} is no subclass of transport.host.Game: derive it")
    return found


def _where(wrong: BaseException) -> str:
    """What was raised, and the last line of code that is not the import machinery's."""
    what = f"{type(wrong).__name__}: {wrong}".replace("\n", " ")
    if isinstance(wrong, SyntaxError) and wrong.filename:
        return f"{type(wrong).__name__}: {wrong.msg} ({wrong.filename}:{wrong.lineno})"
    frames = [
        frame
        for frame in traceback.extract_tb(wrong.__traceback__)
        if "importlib" not in frame.filename and frame.filename != __file__
    ]
    return f"{what} ({frames[-1].filename}:{frames[-1].lineno})" if frames else what
