"""The tables, as Markdown."""
import collections
import json
import os
import statistics

from .measure import ITEMS
from .peers import BUILDS, PEERS

LOWER = {"T1", "S1", "S2", "S3", "S4", "I1a", "I1b"}  # times, where less is better; the others are rates


def number(value):
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def by_cell(rows):
    cells = collections.defaultdict(list)
    for row in rows:
        if row["item"] in ITEMS:
            cells[row["peer"], row["item"], row["threads"]].append(row["value"])
    return cells


def order(names):
    return [name for name in PEERS if name in names] + sorted(set(names) - set(PEERS))


def items(rows):
    cells, units = by_cell(rows), {row["item"]: row.get("unit") for row in rows}
    for threads in sorted({key[2] for key in cells}):
        present = [item for item in ITEMS if any(key[1:] == (item, threads) for key in cells)]
        peers = order({key[0] for key in cells if key[2] == threads})
        median = {key[:2]: statistics.median(values) for key, values in cells.items() if key[2] == threads}
        head = ["peer"] + [f"{item} {units[item]}" for item in present]

        def best(item, of):
            values = [median[peer, item] for peer in of if (peer, item) in median]
            return (min if item in LOWER else max)(values) if values else None

        def cell(peer, item):
            value = median.get((peer, item))
            return "–" if value is None else f"**{number(value)}**" if value == best(item, peers) else number(value)

        lines = [[peer] + [cell(peer, item) for item in present] for peer in peers]
        others = [peer for peer in peers if peer != "chainrule"]
        if others and len(others) < len(peers):
            ratios = []
            for item in present:
                ours, theirs = median.get(("chainrule", item)), best(item, others)
                ratio = ours and theirs and (theirs / ours if item in LOWER else ours / theirs)
                ratios.append(f"{ratio:.2f}" if ratio else "–")
            lines.append(["chainrule's speed over the best other's"] + ratios)
        title = f"{threads} thread{'s' * (threads > 1)}"
        yield f"### {title}, medians (bold: the best)\n\n" + table(head, lines)

        def spread(peer, item):
            values = cells.get((peer, item, threads))
            return f"{number(min(values))} to {number(max(values))}" if values else "–"

        counts = [len(values) for key, values in cells.items() if key[2] == threads]
        runs = f"{min(counts)} run{'s' * (min(counts) > 1)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)} runs"
        lines = [[peer] + [spread(peer, item) for item in present] for peer in peers]
        yield f"### {title}, smallest and largest ({runs} per cell)\n\n" + table(head, lines)


def digits(rows):
    rows = [row for row in rows if row["item"] == "A1"]
    rows.sort(key=lambda row: (row["threads"], statistics.median(row["epoch_s"])))
    if rows:
        lines = []
        for row in rows:
            times = row["epoch_s"]
            seconds = [f"{time:.2f}" for time in (statistics.median(times), times[0], times[-1])]
            lines.append([row["peer"], row["threads"], f"{row['value']:.4f}", *seconds])
        head = ["peer", "threads", "test accuracy", "s per epoch, median", "first", "last"]
        yield "### A1: MNIST, 784-512-512-10, Adam 0.001, batches of 128, 5 epochs\n\n" + table(head, lines)


def memory(rows):
    values = {row["peer"]: row["value"] for row in rows if row["item"] == "memory"}
    if values:
        lines = [[peer, f"{values[peer]:.0f}"] for peer in sorted(values, key=values.get)]
        yield "### Peak memory of a process that trains T5 with 1 thread (its data are 25 MB)\n\n" + table(["peer", "MiB"], lines)


def builds(peers):
    rows = {}
    if os.path.exists(BUILDS):
        with open(BUILDS) as f:
            rows = {row["peer"]: row for row in map(json.loads, f)}  # the latest of each
    lines = []
    for peer in order(set(rows) & set(peers)):
        row = rows[peer]
        sizes = [f"{row[key] / 1e6:.2f}" if key in row else "–" for key in ("t4_bytes", "t4_stripped")]
        lines.append([peer, row["packages"], row["build_s"], *sizes, row["features"] or "default", row["flags"] or "none", row["date"]])
    if lines:
        head = ["peer", "packages", "build s", "binary MB", "stripped MB", "features", "RUSTFLAGS", "built"]
        yield "### A program that trains T4: `cargo build --release` from nothing\n\n" + table(head, lines)


def python(rows):
    rows = [row for row in rows if row["item"] == "python"]
    if rows:
        lines = [[row["packages"], row["import_s"], row["mib"]] for row in rows]
        yield "### Python packages\n\n" + table(["packages", "import s (warm cache)", "installed MiB"], lines)


def write(rows, heading):
    peers = {row["peer"] for row in rows}
    parts = [heading, *items(rows), *digits(rows), *memory(rows), *builds(peers), *python(rows)]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)
