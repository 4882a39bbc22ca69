"""Results of a comparison: raw as JSON, as a table, as a plot."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

from regsweep import _core
from regsweep.bench.measure import Series


def machine() -> dict[str, object]:
    """What can be said of the machine without naming it."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": round(memory / (1 << 30)),
        "kernel": platform.release().split("-")[0],
        "python": platform.python_version(),
        "regsweep": _core.__version__,
    }


def table(series: list[Series]) -> str:
    """Markdown: medians, and how many times as long everyone takes as regsweep."""
    lines = [
        "| case | contender | runs | wall, s | to regsweep | spread | processor, s | peak, MB |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    own: dict[str, float] = {}
    for one in series:
        if one.contender.startswith("regsweep") and "alone" not in one.contender:
            own.setdefault(one.case, one.wall_seconds)
    for one in series:
        ratio = f"{one.wall_seconds / own[one.case]:.2f}" if one.case in own else "-"
        peak = f"{one.peak_bytes / 1e6:.0f}" if one.peak_bytes else "-"
        lines.append(
            f"| {one.case} | {one.contender} | {len(one.runs)} | {one.wall_seconds:.3f} | {ratio} | "
            f"{one.spread:.2f} | {one.processor_seconds:.3f} | {peak} |"
        )
    return "\n".join(lines)


def write(directory: Path, name: str, series: list[Series], store: dict[str, object], command: str) -> None:
    """Writes ``NAME.json``, ``NAME.md`` and, where matplotlib is installed, ``NAME.svg``."""
    directory.mkdir(parents=True, exist_ok=True)
    result = {
        "command": command,
        "machine": machine(),
        "store": store,
        "series": [one.as_dict() for one in series],
    }
    (directory / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    described = ", ".join(f"{key} {value}" for key, value in store.items())
    text = f"`{command}`\n\nStore: {described}\n\n{table(series)}\n"
    (directory / f"{name}.md").write_text(text)
    plot(directory / f"{name}.svg", series)


def plot(path: Path, series: list[Series]) -> None:
    """Wall times of every case side by side, on a logarithmic scale."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    cases = list(dict.fromkeys(one.case for one in series))
    who = list(dict.fromkeys(one.contender for one in series))
    figure = Figure(figsize=(9, 1.2 + 0.32 * len(series)), layout="constrained")
    axes = figure.subplots()
    height = 0.8 / len(who)
    for place, contender in enumerate(who):
        times = {one.case: one.wall_seconds for one in series if one.contender == contender}
        rows = [cases.index(case) + place * height for case in times]
        bars = axes.barh(rows, list(times.values()), height, label=contender)
        axes.bar_label(bars, fmt="%.3g s", padding=3, fontsize=8)
    axes.set_yticks([index + 0.4 - height / 2 for index in range(len(cases))], cases)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.margins(x=0.15)
    axes.set_xlabel("wall time, seconds (median, logarithmic)")
    axes.legend(fontsize=8, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
