#!/usr/bin/python3
"""One table of the results of many runs, say, those of jobs/sweep.slurm.

usage: sweep.py DIR [--tsv]

  DIR      directory whose subdirectories are output directories of runs
  --tsv    columns separated by tabs, all digits, without means

One line per run, in the order of the numbers in their names, from its summary.json. A run that has not ended is named as
unfinished, one whose summary.json is missing, damaged or of another run.h5 as such; a warning says what to do. Then mean
and standard deviation (of a sample: n - 1) over the others. Exit codes are those of dcmpi: 2 usage, 3 no runs in DIR, 4
cannot read it.
"""
import argparse
import json
import math
import os
import re
import statistics
import sys
from pathlib import Path

# Columns of the table: key in the summary's result, format; the scores are there only if the data have labels.
COLUMNS = {"stop_reason": "%s", "iter": "%d", "acc": "%.3f", "nmi": "%.3f", "ari": "%.3f", "purity": "%.3f",
           "f_measure": "%.3f", "inertia": "%.5g", "clusters": "%d", "empty": "%d", "wall_s": "%.1f"}
AVERAGED = ("iter", "acc", "nmi", "ari", "purity", "f_measure", "inertia", "wall_s")


class SweepError(Exception):
    """Ends the program with an exit code and one line."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def natural(path):
    """Sorting key: numbers in a name count as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def is_run(path):
    """Whether a folder is the output of a run; one that cannot be read is not."""
    return any(os.path.exists(path / name) for name in ("log.txt", "run.h5"))


def stored_hash(path):
    """The result_hash of run.h5; None if it has none (version 0.1.0), or if h5py is missing."""
    try:
        import h5py
    except ImportError:
        return None
    with h5py.File(path, "r") as h5:
        found = h5.attrs.get("result_hash")
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else found


def checked_result(summary):
    """The result in a summary, if it has the form that the program writes; else ValueError."""
    result = summary.get("result") if isinstance(summary, dict) else None
    if not isinstance(result, dict) or not isinstance(result.get("stop_reason"), str):
        raise ValueError("no result in it")
    for key in COLUMNS:
        value = result.get(key)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if key != "stop_reason" and value is not None and not is_number:
            raise ValueError("%s is %.40r" % (key, value))
    return result


def read_run(path):
    """(result, None) for a run, or (None, (word for the table, what is wrong)) if it has no result."""
    run, summary = path / "run.h5", path / "summary.json"
    try:
        own = stored_hash(run) if os.path.exists(run) else None
    except (OSError, ValueError, RuntimeError) as error:
        return None, ("damaged", "%s is damaged: %s" % (run, error))
    try:
        found = json.loads(summary.read_text("utf-8"))
        result = checked_result(found)
    except FileNotFoundError:
        return None, ("no-summary", "%s is missing" % summary) if os.path.exists(run) else ("unfinished", None)
    except (OSError, ValueError, RecursionError) as error:
        return None, ("damaged", "%s is damaged: %s" % (summary, error))
    if own and found.get("result_hash") != own:
        return None, ("no-summary", "%s is of another run.h5" % summary)
    return result, None


def read_runs(folder):
    """Name -> result of each run below the folder, or the word that says why there is none."""
    runs = {}
    for path in sorted(filter(is_run, folder.iterdir()), key=natural):
        result, wrong = read_run(path)
        runs[path.name] = result or wrong[0]
        if wrong and wrong[1]:
            print("sweep.py: WARNING: %s; give the command of the run again: it says what is wrong, or makes the file"
                  % " ".join(wrong[1].split()), file=sys.stderr)
    if not runs:
        raise SweepError(3, "%s has no output directories of runs" % folder)
    return runs


def has_result(run):
    """Whether a run has a result, and not the word that says why there is none."""
    return isinstance(run, dict)


def cell(result, key, form):
    """Text of one value; a value that a run does not have is a dash."""
    value = result.get(key) if has_result(result) else result if key == "stop_reason" else None
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
        print("\t".join([name] + [cell(result, key, "%s") for key in keys]))


def print_table(runs, keys):
    """Aligned columns for readers, with means below."""
    lines = [["run", *keys]]
    for name, result in runs.items():
        lines.append([name] + [cell(result, key, COLUMNS[key]) for key in keys])
    finished = [r for r in runs.values() if has_result(r)]
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
    parser.add_argument("folder", metavar="DIR", help="directory of the runs")
    parser.add_argument("--tsv", action="store_true", help="tab-separated, all digits, no means")
    args = parser.parse_args()
    try:
        if not args.folder or not Path(args.folder).is_dir():  # Path("") is the current folder
            raise SweepError(2, "'%s' is not a directory" % args.folder)
        try:
            runs = read_runs(Path(args.folder))
        except OSError as error:
            raise SweepError(4, "cannot read %s: %s" % (args.folder, error.strerror)) from error
        keys = [key for key in COLUMNS if key == "stop_reason" or any(has_result(r) and key in r for r in runs.values())]
        (print_tsv if args.tsv else print_table)(runs, keys)
    except SweepError as error:
        print("sweep.py: ERROR: %s" % error, file=sys.stderr)
        sys.exit(error.code)


if __name__ == "__main__":
    main()
