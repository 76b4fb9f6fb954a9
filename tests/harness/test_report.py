"""Recordings and their page: written and read again, whole for a run cut short, and drawn by a browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import record, report
from harness._histogram import Histogram
from harness.record import Meta, Recorder, RecordError, load

ROOT = Path(__file__).parents[2]
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SCRIPT_END = "</script><b>"


def make(folder: Path, seed: int = 1, seconds: int = 30, scale: float = 1.0, ok: bool = True) -> None:
    """A run with a bit of everything."""
    draw = np.random.default_rng(seed)
    meta = Meta.here(
        "a <match> & more", seed=seed, clients=4, clock="virtual", command="python -m x --seed 1"
    )
    with Recorder(folder, meta) as recorder:
        for second in range(1, seconds + 1):
            rtt = {"p50": 40.0 * scale, "p99": 80.0 * scale} | ({"injected": 40.0} if second > 3 else {})
            recorder.sample(second, {"rtt": rtt, "drops": {"expired": second % 3}, "mine": {"x": 1}})
            recorder.latency("state", 64, draw.gamma(4, 10 * scale, 100))
            recorder.latency("chat", 160, draw.gamma(4, 20 * scale, 10))
        recorder.event(5.5, "bot.crash", SCRIPT_END)
        recorder.event(7.0, "outage", "bot-1: 2 s")
        recorder.counts({"disconnects": 0, "drops.expired": 10, "frames.sent": 1000, "reliable.sent": 7})
        recorder.check("state p99 below 500 ms", ok, "90 < 500 & so")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    make(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["junit.xml", "recording.json", "report.html"]
    found = load(tmp_path)
    assert found.ok and found.duration == 30 and found.meta.seed == 1
    assert [(one.kind, one.priority, one.histogram.count) for one in found.latencies] == [
        ("state", 64, 3000),
        ("chat", 160, 300),
    ]
    again = tmp_path / "again"
    record.write(again, found)
    assert json.loads((again / "recording.json").read_text()) == json.loads(
        (tmp_path / "recording.json").read_text()
    )


@given(st.lists(st.floats(0.001, 100_000), min_size=1, max_size=200))
def test_percentiles_are_right_to_a_thousandth(values: list[float]) -> None:
    histogram = Histogram()
    histogram.add(values)
    histogram.add([])
    assert histogram.count == len(values)
    decoded = Histogram.decode(histogram.encode())
    for percent in (50, 99, 100):
        exact = float(np.quantile(values, percent / 100, method="inverted_cdf"))
        for one in (histogram, decoded):
            assert one.percentile(percent) == pytest.approx(exact, rel=0.002, abs=0.0011)


def test_a_run_that_raises_has_its_report(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Recorder(tmp_path, Meta.here("broken")) as recorder:
        recorder.sample(1.0, {"rtt": {"p50": 1}})
        recorder.event(1.5, "fault", "as planned")
        raise ZeroDivisionError("by nothing")
    found = load(tmp_path)
    assert (found.ended, found.ok) == ("failed", False)
    assert "by nothing" in found.why and "test_report.py" in found.why
    case = ET.parse(tmp_path / "junit.xml").find(".//testcase/failure")
    assert case is not None and "by nothing" in case.attrib["message"]
    assert "by nothing" in (tmp_path / "report.html").read_text()


def test_an_interrupted_run_has_its_report(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Recorder(tmp_path, Meta.here("cut")):
        raise KeyboardInterrupt
    assert load(tmp_path).ended == "interrupted"
    assert "Cut short" in (tmp_path / "report.html").read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_what_is_left_of_a_killed_run_is_read(tmp_path: Path) -> None:
    program = """
import os, signal, sys
from harness import record
record._FLUSH = record._SAVE = 0.0
recorder = record.Recorder(sys.argv[1], record.Meta.here("killed", seed=3)).__enter__()
for second in range(5):
    recorder.latency("state", 64, [10.0])
    recorder.sample(second, {"rtt": {"p50": 5}})
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    path = tmp_path / "recording.jsonl"
    path.write_text(path.read_text() + '["sample", [17, {"rt')  # cut in the middle of a line
    found = load(tmp_path)
    assert (found.meta.seed, len(found.samples), found.ended) == (3, 5, "running")
    assert found.latencies[0].histogram.count == 5
    assert report.main([str(tmp_path)]) == 0
    assert "Cut short" in (tmp_path / "report.html").read_text()


def test_there_is_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "MAX_POINTS", 10)
    monkeypatch.setattr(record, "MAX_EVENTS", 5)
    with Recorder(tmp_path, Meta.here("long")) as recorder:
        for second in range(20):
            recorder.sample(second, {"rtt": {"p50": 1}})
            recorder.event(second, "tick")
    found = load(tmp_path)
    assert (len(found.samples), len(found.events), found.beyond, found.duration) == (10, 5, 25, 19)


class Reader(HTMLParser):
    """What a page refers to, and what it holds as data."""

    def __init__(self) -> None:
        super().__init__()
        self.refers: list[str] = []
        self.data: dict[str, str] = {}
        self._within = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.refers += [value for name in ("src", "href") if (value := found.get(name)) is not None]
        self._within = str(found.get("id")) if tag == "script" else ""

    def handle_data(self, data: str) -> None:
        if self._within:
            self.data.setdefault(self._within, data)


def test_the_page_stands_alone(tmp_path: Path) -> None:
    make(tmp_path)
    text = (tmp_path / "report.html").read_text()
    reader = Reader()
    reader.feed(text)
    assert reader.refers == ["data:,"]
    assert not re.search(r"url\(|@import|fetch\(|XMLHttp|https?://(?!www\.w3\.org/2000/svg)", text)
    [run] = json.loads(reader.data["data"])
    assert run["lines"]["rtt"]["lines"]["injected"][:4] == [None, None, None, 40]
    assert [5.5, "bot.crash", SCRIPT_END] in run["events"]
    assert len(text) < 200_000


def test_a_long_time_line_keeps_its_peaks(tmp_path: Path) -> None:
    with Recorder(tmp_path, Meta.here("long")) as recorder:
        for second in range(7200):
            recorder.sample(second, {"rtt": {"p50": 900.0 if second == 4321 else 40.0 + second % 7}})
    reader = Reader()
    reader.feed((tmp_path / "report.html").read_text())
    [run] = json.loads(reader.data["data"])
    drawn = run["lines"]["rtt"]
    assert len(drawn["t"]) == len(drawn["lines"]["p50"]) <= 1000
    assert max(drawn["lines"]["p50"]) == 900 and drawn["t"] == sorted(drawn["t"])


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")
@pytest.mark.parametrize("runs", [1, 2])
def test_a_browser_draws_it(tmp_path: Path, runs: int) -> None:
    make(tmp_path / "a")
    make(tmp_path / "b", seed=2, scale=1.5, ok=False)
    shown = tmp_path / "a" / "report.html"
    if runs == 2:
        shown = tmp_path / "both.html"
        assert report.main([str(tmp_path / "a"), str(tmp_path / "b"), "-o", str(shown)]) == 0
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--enable-logging=stderr")
    done = subprocess.run(
        [str(BROWSER), *flags, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", shown.as_uri()],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert "CONSOLE" not in done.stderr, done.stderr
    # A line a track kind, two of rtt or three, one each of drops and of the chart nobody knows.
    drawn = re.findall(r'<path class="line[^>]* d="M[^"]+"', done.stdout)
    assert len(drawn) == runs * (2 + 3 + 1 + 1)
    assert "NaN" not in done.stdout and "undefined" not in done.stdout.partition("<script")[0]
    assert done.stdout.count('class="event"') == 3 and "Events" in done.stdout


def test_two_runs_are_compared(tmp_path: Path) -> None:
    make(tmp_path / "a")
    make(tmp_path / "b", seed=2, scale=2.0, ok=False)
    assert report.main([str(tmp_path / "a" / "recording.json"), str(tmp_path / "b")]) == 0
    text = (tmp_path / "a" / "comparison.html").read_text()
    assert "Not good" in text and "expectations did not hold: state p99 below 500 ms" in text
    [worse] = re.findall(r'<th>state</th>.*?class="change (\w+)">\+(\d+)%', text)
    assert worse[0] == "worse" and 80 < int(worse[1]) < 120


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("recording.json", None, "cannot be read: No such file"),
        ("recording.json", "{", "line 1: no JSON"),
        ("recording.json", "[]", "no recording"),
        ("recording.json", '{"format": 9}', "format 9: this version reads 1"),
        ("recording.json", '{"format": 1}', "the field 'meta' is missing"),
        ("recording.jsonl", "", "it is empty"),
        ("recording.jsonl", '["sample", [1, {}]]\n[]', "it does not begin with `meta`"),
        ("recording.jsonl", "nothing\n[]", "line 1 is no JSON array of two"),
    ],
)
def test_what_is_no_recording_is_said_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str | None, said: str
) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    assert report.main([str(path)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"report: {path}: ") and said in line


def test_a_damaged_histogram_is_named(tmp_path: Path) -> None:
    make(tmp_path)
    path = tmp_path / "recording.json"
    told = json.loads(path.read_text())
    told["latencies"][0]["hdr"] = "HISTnonsense"
    path.write_text(json.dumps(told))
    with pytest.raises(RecordError, match=r"recording\.json: no recording: 'HISTnonsense' is no histogram"):
        load(path)


def test_a_folder_that_cannot_be_is_said_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(RecordError, match="cannot be written"),
        Recorder(tmp_path / "file" / "below", Meta.here("x")),
    ):
        pass
