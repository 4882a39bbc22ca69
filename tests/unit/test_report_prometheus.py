"""Metrics: as Prometheus' own parser reads them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from plan_rows import HEAD, blob, layer_link, tag
from prometheus_client.parser import text_string_to_metric_families

from regsweep import exit_codes
from regsweep.plan import Totals
from regsweep.report import Held, Outcome, Report, Work, to_prometheus
from regsweep.report.aggregate import add_up

HOSTILE = 'a"b\\c\nd}e{f,g=h ünd\ud800'
ROWS = [blob(100), blob(50, repository=HOSTILE, number=2), layer_link(), tag("v1", "named")]
STATES = {"applying", "quarantined", "confirmed", "purging", "undoing"}


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """All samples by name and labels but for the store's; a series that is there twice is an error."""
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in text_string_to_metric_families(text):
        assert family.type in ("gauge", "counter"), family.name
        assert family.documentation, family.name
        assert family.name.startswith("regsweep_")
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter"), sample.name
            labels = frozenset((name, value) for name, value in sample.labels.items() if name != "store")
            assert (sample.name, labels) not in found
            found[sample.name, labels] = sample.value
    return found


def value(text: str, name: str, **labels: str) -> float:
    return samples(text)[f"regsweep_{name}", frozenset(labels.items())]


def report(exit_code: int | None = 0) -> Report:
    outcome = None if exit_code is None else Outcome(exit_code, began=1000.0, ended=1002.5)
    return Report("plan", "/var/lib/registry", HEAD, add_up(ROWS), outcome=outcome)


def test_what_a_plan_amounts_to() -> None:
    text = to_prometheus(report())
    assert value(text, "plan_bytes") == 150
    assert value(text, "plan_items", kind="blob") == 2
    assert value(text, "plan_items", kind="layer-link") == 1
    assert value(text, "plan_items", kind="tag") == 1
    assert value(text, "plan_made_timestamp_seconds") == HEAD.made
    assert value(text, "plan_repository_bytes", repository="team/app") == 100
    assert value(text, "plan_reason_items", reason="nothing live needs it") == 1
    assert value(text, "plan_rule_items", rule="(none)") == 1
    assert value(text, "plan_age_bytes", from_days="30") == 150


def test_names_with_anything_in_them_are_one_label() -> None:
    # Line ends and the like are shown as everywhere; what is no character is written by its number.
    shown = 'a"b\\c\\x0ad}e{f,g=h ünd\\ud800'
    assert value(to_prometheus(report()), "plan_repository_bytes", repository=shown) == 50


def test_what_is_not_named_is_added_up() -> None:
    contents = add_up([blob(number, repository=f"app-{number}") for number in range(1, 6)], top=2)
    text = to_prometheus(Report("plan", "x", HEAD, contents))
    assert value(text, "plan_other_repositories_bytes") == 1 + 2 + 3
    assert value(text, "plan_other_repositories_items") == 3


def test_the_store_is_a_label_of_all() -> None:
    families = text_string_to_metric_families(to_prometheus(report()))
    assert {sample.labels["store"] for family in families for sample in family.samples} == {"/var/lib/registry"}


def test_the_library_has_no_exit_code() -> None:
    assert not [name for name, _ in samples(to_prometheus(report(None))) if "exit_code" in name or "last" in name]


@pytest.mark.parametrize("code", [exit_codes.DONE, exit_codes.DONE_WITH_DAMAGE])
def test_a_command_that_came_to_its_end_is_a_success(code: int) -> None:
    text = to_prometheus(report(code))
    assert value(text, "plan_exit_code") == code
    assert value(text, "plan_last_success_timestamp_seconds") == 1002.5
    assert value(text, "plan_duration_seconds") == 2.5


@pytest.mark.parametrize("code", [exit_codes.FAILED, exit_codes.REFUSED, exit_codes.INTERRUPTED])
def test_a_failure_keeps_the_time_of_the_last_success(code: int) -> None:
    text = to_prometheus(report(code), previous=to_prometheus(report(exit_codes.DONE)))
    assert value(text, "plan_exit_code") == code
    assert value(text, "plan_last_success_timestamp_seconds") == 1002.5
    again = to_prometheus(report(code), previous=text)
    assert value(again, "plan_last_success_timestamp_seconds") == 1002.5


def test_counters_go_on_from_run_to_run() -> None:
    text = ""
    for code in (exit_codes.DONE, exit_codes.FAILED, exit_codes.DONE_WITH_DAMAGE):
        work = Work(purged_blob_count=2, purged_bytes=7 << 40)
        text = to_prometheus(Report("run", "x", work=work, outcome=Outcome(code, 1.0, 2.0)), text)
    assert value(text, "runs_total") == 3
    assert value(text, "unsuccessful_runs_total") == 1
    assert value(text, "purged_bytes_total") == 21 << 40
    assert value(text, "purged_blobs_total") == 6
    assert value(text, "run_purged_blobs") == 2, "of the last run"


def test_what_a_file_said_of_another_store_does_not_count() -> None:
    done = Report("run", 'a"b\\', work=Work(), outcome=Outcome(exit_codes.DONE, 1.0, 2.0))
    failed = replace(done, outcome=Outcome(exit_codes.FAILED, 3.0, 4.0))
    assert value(to_prometheus(failed, to_prometheus(done)), "run_last_success_timestamp_seconds") == 2
    other = replace(failed, store="a")
    assert value(to_prometheus(other, to_prometheus(done)), "run_last_success_timestamp_seconds") == 0


@pytest.mark.parametrize("previous", ["", "regsweep_plan_last_success_timestamp_seconds NaN\n", "\0 nonsense"])
def test_where_there_was_no_success_its_time_is_the_beginning_of_all_times(previous: str) -> None:
    assert value(to_prometheus(report(exit_codes.FAILED), previous), "plan_last_success_timestamp_seconds") == 0


def test_a_run_that_failed_before_there_was_a_plan_has_its_exit_code() -> None:
    text = to_prometheus(Report("run", "x", work=Work(), outcome=Outcome(exit_codes.FAILED, 1.0, 2.0)))
    assert value(text, "run_exit_code") == 1
    assert value(text, "run_set_aside_bytes") == 0
    assert not [name for name, _ in samples(text) if name.startswith("regsweep_plan")]


def test_what_is_in_quarantine_by_state() -> None:
    held = Held("1", "quarantined", 500.0, Totals(1, 1, 1, 3, bytes=70), "confirm")
    older = replace(held, id="2", since=400.0, totals=Totals(0, 0, 0, 1, bytes=5))
    begun = Held("3", "applying", None, Totals(0, 0, 0, 0, 0), "")
    text = to_prometheus(replace(report(), held=(held, older, begun)))
    assert {dict(labels)["state"] for name, labels in samples(text) if name == "regsweep_quarantine_bytes"} == STATES
    assert value(text, "quarantine_bytes", state="quarantined") == 75
    assert value(text, "quarantine_runs", state="quarantined") == 2
    assert value(text, "quarantine_runs", state="applying") == 1
    assert value(text, "quarantine_bytes", state="confirmed") == 0
    assert value(text, "quarantine_oldest_timestamp_seconds") == 400


def test_names_end_in_their_units() -> None:
    for name, _ in samples(to_prometheus(replace(report(), held=(), work=Work()))):
        if "time" in name or "last" in name:
            assert name.endswith("_timestamp_seconds"), name
        if "duration" in name:
            assert name.endswith("_seconds"), name
