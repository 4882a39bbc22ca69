"""The report for terminals: the same words on all of them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from plan_rows import HEAD, blob, layer_link, manifest, tag

from regsweep.plan import Totals
from regsweep.report import Held, Outcome, Report, Work, to_text
from regsweep.report.aggregate import add_up

ROWS = [
    tag("v1", "pushed 52d20h ago"),
    manifest("its tag v1 goes"),
    layer_link(),
    blob(3 << 30, number=1),
    blob(1 << 30, number=2, repository="platform/very/deep/down/in/the/tree/image-builder", age_days=400),
    blob(200 << 20, number=3, repository="", tag="", rule="", reason="nothing refers to it", age_days=0.5),
]
REPORT = Report("plan", "/var/lib/registry", HEAD, add_up(ROWS))

EXPECTED = """\
Plan 20261123T021500Z-5f3a91c2

Would free 4.2 GiB
  tags         1
  manifests    1
  layer links  1
  blobs        3

  store: /var/lib/registry
  made: 2026-11-23T02:15:00Z
  goes: what a policy says: policy.yml (sha256 5cf210be)
  stays: what was written since 2026-11-22T02:15:00Z, and what that needs

Where the bytes are
                                   items       size  share
  team/app                             4    3.0 GiB  71.5%  ####################
  platform/very/d~e/image-builder      1    1.0 GiB  23.8%  #######
  (in no repository)                   1  200.0 MiB   4.7%  #

What goes, and why
                           items       size  share
  only what goes needs it      2    4.0 GiB  95.3%  ############################
  nothing refers to it         1  200.0 MiB   4.7%  #
  its tag goes                 1
  nothing live needs it        1
  pushed long ago              1

By rule
                items       size  share
  ci: delete        4    4.0 GiB  95.3%  #######################################
  (by no rule)      2  200.0 MiB   4.7%  ##

How old it is
                  items       size  share
  under 1 day         2  200.0 MiB   4.7%  ##
  1 to 7 days         0
  7 to 30 days        0
  30 to 90 days       2    3.0 GiB  71.5%  #####################################
  90 to 365 days      0
  over 1 year         1    1.0 GiB  23.8%  ############

The largest blobs
    3.0 GiB   40d00h  sha256:000000000000  team/app:v1
    1.0 GiB  400d00h  sha256:000000000000  platform/very/deep~e/image-builder:v1
  200.0 MiB   12h00m  sha256:000000000000  (in no repository)

What needs attention
  A plan's file does not say whether anything is damaged or broken: regsweep
    report STORE does
"""


def without_bars(text: str) -> list[str]:
    return [re.sub(r"  [█▏▎▍▌▋▊▉#]+$", "", line) for line in text.splitlines()]


def without_colors(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_the_whole_report() -> None:
    assert to_text(REPORT, width=80, encoding="ascii") == EXPECTED


def test_the_report_of_nothing() -> None:
    text = to_text(Report("plan", "x", HEAD, add_up([])))
    assert "Would free nothing" in text
    assert "Where the bytes are" not in text


@pytest.mark.parametrize("width", [1, 40, 46, 60, 72, 80, 100, 120, 400])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_every_line_fits(width: int, encoding: str) -> None:
    lines = to_text(REPORT, width=width, encoding=encoding).splitlines()
    assert max(map(len, lines)) <= min(max(width, 40), 120)
    assert [line for line in lines if line != line.rstrip()] == []


def test_where_it_is_narrow_bars_go_first_and_sizes_last() -> None:
    wide = to_text(REPORT, width=80)
    narrow = to_text(REPORT, width=50)
    narrowest = to_text(REPORT, width=40)
    assert re.search(r"team/app +4 +3.0 GiB +71.5% +█", wide)
    assert re.search(r"team/app +4 +3.0 GiB +71.5%$", narrow, re.MULTILINE)
    assert re.search(r"team/app .*3.0 GiB", narrowest)


def test_bars_are_as_exact_as_the_encoding_allows() -> None:
    blocks, ascii_only = (to_text(REPORT, encoding=encoding) for encoding in ("utf-8", "iso-8859-1"))
    assert "█" in blocks
    assert re.search(r"[▏▎▍▌▋▊▉]", blocks)
    assert "##" in ascii_only
    assert ascii_only.isascii()
    assert [line.replace("…", "~") for line in without_bars(blocks)] == without_bars(ascii_only)


def test_colors_change_no_word() -> None:
    colored = to_text(REPORT, color=True)
    assert "\x1b[" in colored
    assert without_colors(colored) == to_text(REPORT, color=False)
    assert "\x1b" not in to_text(REPORT, color=False)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_names_cannot_command_the_terminal(encoding: str) -> None:
    name = "a\x1b[2J\x9b31m\x07\r\nb\x7f"
    report = Report("plan", name, replace(HEAD, id=name, root=name), add_up([blob(1, repository=name, reason=name)]))
    text = to_text(report, color=True, encoding=encoding)
    assert set(re.findall(r"[\x00-\x1f\x7f-\x9f]", without_colors(text))) == {"\n"}
    assert r"a\x1b[2J\x9b31m\x07\x0d\x0ab\x7f" in text


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", r"\xfc\u6f22\ud800"), ("utf-8", r"ü漢\ud800")])
def test_names_that_the_encoding_has_not_are_shown_by_their_numbers(encoding: str, shown: str) -> None:
    text = to_text(Report("plan", "x", HEAD, add_up([blob(1, repository="ü漢\ud800")])), encoding=encoding)
    assert shown in text
    text.encode(encoding)


def test_wide_characters_take_two_columns() -> None:
    rows = [blob(2, repository="漢字漢字"), blob(1, repository="abcdefgh")]
    lines = to_text(Report("plan", "x", HEAD, add_up(rows)), width=60).splitlines()
    wide, narrow = (next(line for line in lines if line.startswith(f"  {name}")) for name in ("漢", "a"))
    assert len(wide.partition("1")[0]) + 4 == len(narrow.partition("1")[0])


def test_a_preview_and_what_was_overridden_need_attention() -> None:
    head = replace(HEAD, as_of=HEAD.made + 86_400, overrides=("all-tags",), accept_damage=("team/old",))
    text = to_text(Report("plan", "x", head, add_up(ROWS)))
    assert "3 things need attention: see the end" in text
    assert "preview: made for 2026-11-24T02:15:00Z: it cannot be applied" in text
    assert "guards overridden: all-tags" in text
    assert "damage accepted: team/old" in text


def test_what_is_in_quarantine_says_what_it_waits_for() -> None:
    totals = Totals(1, 2, 3, 4, bytes=5 << 20)
    held = Held("20261120T021500Z-00000001", "confirmed", HEAD.made, totals, "can be purged in 4d02h")
    words = " ".join(to_text(replace(REPORT, held=(held,))).split())
    assert (
        "In quarantine 20261120T021500Z-00000001 confirmed since 2026-11-23T02:15:00Z: 5.0 MiB "
        "(1 tag, 2 manifests, 3 layer links, 4 blobs); next: can be purged in 4d02h What needs attention"
    ) in words


def test_what_a_run_did_comes_first() -> None:
    work = Work(set_aside=Totals(1, 1, 1, 3, 4 << 30), purged_blob_count=2, purged_bytes=1024)
    text = to_text(replace(REPORT, of="run", work=work, outcome=Outcome(3, 1000.0, 1075.0)), width=120)
    assert text.startswith(
        "Run on /var/lib/registry\n"
        "\nWhat was done\n"
        "  set aside: 4.0 GiB (1 tag, 1 manifest, 1 layer link, 3 blobs)\n"
        "  removed for good: 1.0 KiB (2 blobs)\n"
        "  exit code: 3 (done, but damage or a broken image was found, or something could not be removed or reported)\n"
        "\nPlanned to free 4.2 GiB\n"
    )
    assert "took: 1m15s" in text
