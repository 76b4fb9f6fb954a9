"""A recording's checks as JUnit XML, which every CI reads: a test case a check, one for the run itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from harness.record import Recording

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(recording: Recording) -> str:
    """The document."""
    name = recording.meta.name
    cases = [("the run came to its end", recording.ended == "done", recording.why or recording.ended)]
    cases += [(check.name, check.ok, check.detail) for check in recording.checks]
    failed = sum(not ok for _, ok, _ in cases)
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f"<testsuites><testsuite name={_quoted(name)} tests={_quoted(len(cases))} "
        f"failures={_quoted(failed)} errors={_quoted(0)} skipped={_quoted(0)} "
        f"time={_quoted(f'{recording.wall:.3f}')} timestamp={_quoted(recording.meta.started)}>",
        f"<properties><property name={_quoted('seed')} value={_quoted(recording.meta.seed)}/>"
        f"<property name={_quoted('command')} value={_quoted(recording.meta.command)}/></properties>",
    ]
    for case, ok, detail in cases:
        head = f"<testcase classname={_quoted(name)} name={_quoted(case)}"
        if ok:
            lines.append(f"{head}><system-out>{_plain(detail)}</system-out></testcase>")
        else:
            repeat = f"{detail}\nrepeat: {recording.meta.command}"
            lines.append(f"{head}><failure message={_quoted(detail)}>{_plain(repeat)}</failure></testcase>")
    return "\n".join([*lines, "</testsuite></testsuites>", ""])


def _plain(value: object) -> str:
    return escape(_NOT_XML.sub("?", str(value)))


def _quoted(value: object) -> str:
    return quoteattr(_NOT_XML.sub("?", str(value)))
