"""Just enough of Rust's grammar to look for a word in code and nowhere else.

Lengths and line breaks stay as they were, so that an offset in the result is an offset in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
      (?P<line>//[^\n]*)
    | (?P<block>/\*)
    | (?<![A-Za-z0-9_])(?:b|c)?r(?P<hashes>\#*)"
    | (?<![A-Za-z0-9_])(?P<text>(?:b|c)?"(?:\\.|[^"\\])*")
    | (?P<char>'(?:\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.)|[^\\'\n])')
    """,
    re.VERBOSE | re.DOTALL,
)
_TEST_ATTRIBUTE = re.compile(r"#(?P<inner>!?)\[\s*cfg\s*\(\s*(?:all\s*\(\s*)?test\s*[,)]")
_ITEM = re.compile(
    r"(?:pub|fn|mod|use|impl|struct|enum|union|const|static|trait|type|unsafe|async|extern|let|macro_rules)\b"
)
_MODULE = re.compile(r"(?:pub(?:\([^)]*\))?\s+)?mod\s+(?:r#)?(\w+)\s*;")
_BLANK = re.compile(r"[^\n]")


def without_comments(text: str, *, literals: bool = True) -> str:
    """`text` with comments blanked out; string and character literals too unless `literals`."""
    parts: list[str] = []
    at = 0
    for start, end, comment in _tokens(text):
        parts.append(text[at:start])
        piece = text[start:end]
        parts.append(_BLANK.sub(" ", piece) if comment or not literals else piece)
        at = end
    parts.append(text[at:])
    return "".join(parts)


def product_code(text: str) -> tuple[str, list[str]]:
    """`text` with comments, literals and everything under `cfg(test)` blanked out.

    The second value names the modules declared under `cfg(test)` whose text is in files of their own.
    """
    code = without_comments(text, literals=False)
    modules: list[str] = []
    at = 0
    while match := _TEST_ATTRIBUTE.search(code, at):
        if match["inner"]:
            return _BLANK.sub(" ", code), modules
        body = _after_attributes(code, match.start())
        if module := _MODULE.match(code, body):
            modules.append(module[1])
        end = _item_end(code, body)
        code = code[: match.start()] + _BLANK.sub(" ", code[match.start() : end]) + code[end:]
        at = end
    return code, modules


def _tokens(text: str) -> Iterator[tuple[int, int, bool]]:
    """(start, end, is a comment) of each comment and literal."""
    at = 0
    while match := _TOKEN.search(text, at):
        start, at = match.span()
        if match["block"]:
            at = _block_end(text, start)
        elif match["hashes"] is not None:
            closing = text.find('"' + match["hashes"], at)
            at = len(text) if closing < 0 else closing + 1 + len(match["hashes"])
        yield start, at, bool(match["line"] or match["block"])


def _block_end(text: str, start: int) -> int:
    depth = 0
    for match in re.compile(r"/\*|\*/").finditer(text, start):
        depth += 1 if match[0] == "/*" else -1
        if depth == 0:
            return match.end()
    return len(text)


def _after_attributes(code: str, at: int) -> int:
    """The offset of the item that the attributes starting at `at` belong to."""
    while match := re.compile(r"\s*#\s*\[").match(code, at):
        at = _closing(code, match.end() - 1)
    while at < len(code) and code[at].isspace():
        at += 1
    return at


def _closing(code: str, at: int) -> int:
    """The offset behind the bracket that closes the one at `at`."""
    depth = 0
    for index in range(at, len(code)):
        if code[index] in "([{":
            depth += 1
        elif code[index] in ")]}":
            depth -= 1
            if depth == 0:
                return index + 1
    return len(code)


def _item_end(code: str, at: int) -> int:
    """Where the item at `at` ends: behind its `;` or block, or, for a field or an arm, at its comma."""
    item = _ITEM.match(code, at) is not None
    index = at
    while index < len(code):
        character = code[index]
        if character in "([{":
            index = _closing(code, index)
            if character == "{" and item and not re.compile(r"\s*;").match(code, index):
                return index
            continue
        if character == ";" or (character == "," and not item):
            return index + 1
        if character in ")]}":
            return index
        index += 1
    return len(code)
