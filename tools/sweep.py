#!/usr/bin/python3
"""One table of the results of many runs, say, those of jobs/sweep.slurm.

usage: sweep.py DIR [--tsv]

  DIR      folder whose subfolders are output directories of runs
  --tsv    columns separated by tabs, all digits, without means

One line per run, in the order of the numbers in their names, from its summary.json; a run without one is named as
unfinished. Then mean and standard deviation (of a sample: n - 1) over the finished runs. Exit codes are those of dcmpi:
2 usage, 3 no runs in DIR, 6 a damaged summary.json.
"""
import argparse
import json
import re
import statistics
import sys
from pathlib import Path

# Columns of the table: key in the summary's result, format; the scores are there only if the data have labels.
COLUMNS = {"stop_reason": "%s", "iter": "%d", "acc": "%.3f", "nmi": "%.3f", "ari": "%.3f", "inertia": "%.5g",
           "clusters": "%d", "empty": "%d", "wall_s": "%.1f"}
AVERAGED = ("iter", "acc", "nmi", "ari", "inertia", "wall_s")


class SweepError(Exception):
    """Ends the program with an exit code and one line."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def natural(path):
    """Sorting key: numbers in a name count as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def read_runs(folder):
    """Name -> result of each run below the folder; None for one that has not ended."""
    runs = {}
    for path in sorted((p for p in folder.iterdir() if (p / "log.txt").exists()), key=natural):
        summary = path / "summary.json"
        try:
            runs[path.name] = json.loads(summary.read_text("utf-8"))["result"] if summary.exists() else None
        except (ValueError, KeyError, TypeError) as error:
            raise SweepError(6, "%s is damaged: %s" % (summary, error)) from error
    if not runs:
        raise SweepError(3, "%s has no output directories of runs" % folder)
    return runs


def cell(result, key, form):
    """Text of one value; a value that a run does not have is a dash."""
    value = result.get(key)
    return "-" if value is None else form % value


def spread(results, key):
    """Mean and standard deviation of a column, or None."""
    values = [r[key] for r in results if r.get(key) is not None]
    if not values or key not in AVERAGED:
        return None
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def print_tsv(runs, keys):
    """Every digit, for other programs."""
    print("\t".join(["run", *keys]))
    for name, result in runs.items():
        print("\t".join([name] + [cell(result or {"stop_reason": "unfinished"}, key, "%s") for key in keys]))


def print_table(runs, keys):
    """Aligned columns for readers, with means below."""
    lines = [["run", *keys]]
    for name, result in runs.items():
        lines.append([name] + [cell(result or {"stop_reason": "unfinished"}, key, COLUMNS[key]) for key in keys])
    finished = [r for r in runs.values() if r]
    if len(finished) > 1:
        for row, label in enumerate(("mean", "deviation")):
            spreads = [spread(finished, key) for key in keys]
            form = {"iter": "%.1f"}
            lines.append([label] + ["" if s is None else form.get(key, COLUMNS[key]) % s[row]
                                    for key, s in zip(keys, spreads)])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  ".join([line[0].ljust(widths[0])] + [t.rjust(w) for t, w in zip(line[1:], widths[1:])]).rstrip())


def main():
    """Command line."""
    parser = argparse.ArgumentParser(prog="sweep.py", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", metavar="DIR", help="folder of the runs")
    parser.add_argument("--tsv", action="store_true", help="tab-separated, all digits, no means")
    args = parser.parse_args()
    try:
        if not args.folder or not Path(args.folder).is_dir():  # Path("") is the current folder
            raise SweepError(2, "'%s' is not a folder" % args.folder)
        runs = read_runs(Path(args.folder))
        keys = [key for key in COLUMNS if key == "stop_reason" or any(r and key in r for r in runs.values())]
        (print_tsv if args.tsv else print_table)(runs, keys)
    except SweepError as error:
        print("sweep.py: ERROR: %s" % error, file=sys.stderr)
        sys.exit(error.code)


if __name__ == "__main__":
    main()
