"""Prometheus' format, read back by Prometheus' own parser."""

from __future__ import annotations

import math

import pytest
from prometheus_client.parser import text_string_to_metric_families

from relay._bounds import NAMES
from relay.metrics import Sample, from_control, from_node, from_node_stats, render
from transport import Bound, Drop, NodeStats, TrackKind

from .conftest import Stand


def parsed(text: str) -> dict[str, tuple[str, str, list[tuple[str, dict[str, str], float]]]]:
    return {
        family.name: (
            family.type,
            family.documentation,
            [(s.name, s.labels, s.value) for s in family.samples],
        )
        for family in text_string_to_metric_families(text)
    }


def test_samples_are_read_back_as_they_were() -> None:
    nasty = 'a\\b"c\nd'
    samples = [
        Sample("x_total", 3, "counter", "What it\ncounts, with a \\.", {"who": nasty}),
        Sample("y_seconds", 0.25, "gauge", "Time."),
        Sample("x_total", math.inf, "counter", "What it\ncounts, with a \\."),
        Sample("h_bucket", 2, "histogram", "Sizes.", {"le": "1"}),
        Sample("h_bucket", 3, "histogram", "Sizes.", {"le": "+Inf"}),
        Sample("h_sum", 1e-9, "histogram", "Sizes."),
        Sample("h_count", 3, "histogram", "Sizes."),
    ]
    text = render(samples)
    assert text.count("# TYPE") == 3
    found = parsed(text)
    assert found["x"] == (
        "counter",
        "What it\ncounts, with a \\.",
        [("x_total", {"who": nasty}, 3.0), ("x_total", {}, math.inf)],
    )
    assert found["y_seconds"][2] == [("y_seconds", {}, 0.25)]
    assert [value for _, _, value in found["h"][2]] == [2.0, 3.0, 1e-9, 3.0]
    assert render([]) == ""


@pytest.mark.parametrize(("name", "labels"), [("a-b", {}), ("", {}), ("1a", {}), ("a", {"b-c": "x"})])
def test_names_prometheus_would_not_read(name: str, labels: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="Prometheus"):
        Sample(name, 1, "gauge", "x", labels)


async def test_each_shard_shows_its_own_and_the_sums_are_the_nodes(stand: Stand) -> None:
    found = parsed(render(from_node(stand.node)))
    assert found["clutchcall_shards"][2] == [("clutchcall_shards", {}, 2.0)]
    for name in ("packets_in", "objects_out", "handed_over"):
        samples = found[f"clutchcall_shard_{name}"][2]
        assert [labels["shard"] for _, labels, _ in samples] == ["0", "1"]
        assert sum(value for _, _, value in samples) == found[f"clutchcall_{name}"][2][0][2]


def test_every_counter_of_a_node_is_there(native: object) -> None:
    families = ("drops", "kinds", "refused")
    distinct = {name: 1000 + at for at, name in enumerate(NodeStats.__slots__) if name not in families}
    drops_now, kinds_now = {drop: 5000 + drop for drop in Drop}, {kind: 6000 + kind for kind in TrackKind}
    bounds_now = {bound: 7000 + bound for bound in Bound}
    changed = NodeStats(**distinct, drops=drops_now, kinds=kinds_now, refused=bounds_now)
    found = parsed(render(from_node_stats(changed, {"shard": "0"})))
    values = {value for _, _, samples in found.values() for _, _, value in samples}
    expected = [*distinct.values(), *drops_now.values(), *kinds_now.values(), *bounds_now.values()]
    assert values == {*map(float, expected)}
    drops = {labels["reason"] for _, labels, _ in found["clutchcall_drops"][2]}
    assert drops == {drop.name.lower() for drop in Drop}
    kinds = {labels["kind"] for _, labels, _ in found["clutchcall_kind_objects"][2]}
    assert kinds == {kind.name.lower() for kind in TrackKind}


def test_bounds_of_the_control_stack_are_all_there() -> None:
    (family,) = parsed(render(from_control({"requests": 3}))).values()
    assert family[0] == "counter"
    assert {labels["limit"]: value for _, labels, value in family[2]} == dict.fromkeys(NAMES, 0) | {
        "requests": 3
    }
