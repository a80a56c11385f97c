#!/usr/bin/python3
"""Pictures of a run: writes RUNDIR/report.html, one file without scripts that needs no network.

usage: report.py RUNDIR [--data FILE] [--output FILE] [--image-shape HxW[xC]] [--force]

  RUNDIR         directory of a finished run (with run.h5)
  --data FILE    the run's data file, if it is not where the run found it: images, class names, true classes
  --output FILE  instead of RUNDIR/report.html
  --image-shape  of rows that are pictures, if neither the run nor the data say so: 16x16, 32x32x3
  --force        replace whatever the output's name belongs to; without it only a page of the same run and options

Needs python3-h5py and python3-matplotlib. Exit codes are those of dcmpi: 2 usage, 3 data file, 4 cannot read or write,
6 not a complete result. Whatever a run does not have is left out of the page.
"""
import argparse
import os
import sys
import warnings

from report_data import Run
from report_main import BROKEN, USAGE, RunError, described, fail_import, run_tool
from report_output import check_output, files_of_run, refuse_empty, whole_file
from report_recipe import Recipe, check_page

SIZE_MAX = 5_000_000


def contents(sections):
    """[(anchor, short name)] of the sections."""
    names = {"sweep": "Number of clusters", "clusters": "Clusters", "confusion": "True classes", "map": "Map", "topics": "Topics", "images": "Images",
             "training": "Training", "time": "Time", "checks": "Checks", "members": "Members", "configuration": "Configuration",
             "loading": "Loading"}
    return [(anchor, names[anchor]) for anchor in sections]


def build_sections(run):
    """{anchor: HTML} of the parts that have something to show. A damaged part costs its section, not the page."""
    import report_html as page
    import report_images
    import report_sections as parts
    import report_sweep
    import report_topics
    makers = {"sweep": report_sweep.sweep, "clusters": parts.clusters, "topics": report_topics.topics,
              "confusion": parts.confusion, "map": parts.embedding,
              "members": parts.members, "images": report_images.images, "training": parts.training, "time": parts.timing,
              "checks": parts.checks, "configuration": parts.configuration, "loading": parts.loading}
    out = {}
    for anchor, make in makers.items():
        try:
            out[anchor] = make(run)
        except BROKEN as error:
            text = " ".join(described(error).split())
            print("report.py: WARNING: part '%s' is left out: %s" % (anchor, text), file=sys.stderr)
            out[anchor] = page.section(anchor, anchor.capitalize(), page.paragraph(
                "This part is left out, its data are damaged: %s" % text))
    return {anchor: text for anchor, text in out.items() if text}


def build(run, recipe):
    """The page."""
    try:
        import report_html as page
        import report_sections as parts
    except ImportError as error:
        fail_import("python3-matplotlib and python3-pil are", error)
    sections = build_sections(run)
    body = "<header>\n%s</header>\n<main>\n%s</main>\n<footer>Made by tools/report.py from run.h5, summary.json and " \
           "log.txt.</footer>\n" % (parts.header(run), "".join(sections.values()))
    return page.page("%s \u2013 dcmpi report" % run.name, contents(sections), body, recipe.meta()).encode("utf-8", "replace")


def recipe_of(args):
    """Everything that determines the page."""
    options = {name: value for name, value in vars(args).items() if name not in ("run", "data", "output", "force")}
    return Recipe("report", [args.run, args.data], options)


def write(path, content):
    """Replace the file in one step: a reader sees the old page or the new one."""
    with whole_file(path) as part, open(part, "wb") as file:
        file.write(content)


def image_shape(text):
    """"16x16" as (16, 16)."""
    parts = text.split("x")
    if len(parts) not in (2, 3) or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError("'%s': give HEIGHTxWIDTH or HEIGHTxWIDTHxCHANNELS, such as 16x16" % text)
    return tuple(int(part) for part in parts)


def main():
    """Command line."""
    parser = argparse.ArgumentParser(prog="report.py", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("run", metavar="RUNDIR", help="directory of a finished run")
    parser.add_argument("--data", metavar="FILE", help="the run's data file")
    parser.add_argument("--output", metavar="FILE", help="instead of RUNDIR/report.html")
    parser.add_argument("--image-shape", metavar="HxW[xC]", type=image_shape, default=(), help="rows are pictures")
    parser.add_argument("--force", action="store_true", help="replace whatever the output's name belongs to")
    args = parser.parse_args()
    warnings.simplefilter("ignore")  # missing glyphs and the like: nothing the reader of the page can act on
    run_tool(lambda: report(args))


def report(args):
    """The page of a run, written."""
    refuse_empty(RUNDIR=args.run, data=args.data, output=args.output)
    output = args.output or os.path.join(args.run, "report.html")
    recipe = recipe_of(args)
    check_output(output, files_of_run(args.run) + [args.data])
    run = Run(args.run, args.data, args.image_shape)
    if run.summary_note:
        print("report.py: WARNING: %s" % run.summary_note, file=sys.stderr)
    if not args.force:
        check_page(output, recipe, args.output is None)
    content = build(run, recipe)
    write(output, content)
    if len(content) > SIZE_MAX:
        print("report.py: WARNING: the page has %.1f MB" % (1e-6 * len(content)), file=sys.stderr)
    print("wrote %s (%.2f MB)" % (output, 1e-6 * len(content)))


if __name__ == "__main__":
    main()
