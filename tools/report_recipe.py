"""How a file was made: a tool that makes the same file again may replace it; any other file is only replaced with --force.

A page and an .h5ad carry verb, inputs and options, and a hash of them; .csv and .npy have no place for these, so their content
decides.
"""
import contextlib
import filecmp
import hashlib
import html
import os
import re

from report_main import USAGE, RunError

HEAD_BYTES = 16384
META = re.compile(r'<meta name="dcmpi-recipe" content="([0-9a-f]{16}) [^"]*">')


class Recipe:
    """Verb, inputs and options. Names of inputs that lead to the same files are the same."""

    def __init__(self, verb, inputs, options):
        self.verb, self.inputs = verb, [str(name) for name in inputs if name]
        self.options = ["%s=%s" % (name, value) for name, value in sorted(options.items()) if value]
        text = "\0".join([verb, *map(os.path.realpath, self.inputs), "", *self.options])
        self.hash = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]

    def meta(self):
        """As an element of a page's head."""
        text = " ".join([self.hash, self.verb, *self.inputs, *self.options])
        return '<meta name="dcmpi-recipe" content="%s">\n' % html.escape(" ".join(text.split()))

    def attributes(self):
        """As attributes, with the names that they have in files of dcmpi."""
        return {"verb": self.verb, "inputs": "\n".join(self.inputs), "options": "\n".join(self.options),
                "recipe_hash": self.hash}


def exists(path):
    """Whether there is something that could be lost."""
    return os.path.exists(path) and os.path.getsize(path) > 0


def refuse(output, why):
    """The error of an output that is kept."""
    raise RunError(USAGE, "%s exists and %s; give another name, or --force to replace it" % (output, why))


def check_page(output, recipe, is_own):
    """Refuses unless the existing page was made by this recipe; is_own: at the run's own name a page of 0.1.0 is possible."""
    if not exists(output):
        return
    with open(output, "rb") as file:
        head = file.read(HEAD_BYTES).decode("utf-8", "replace")
        file.seek(-min(os.path.getsize(output), HEAD_BYTES), os.SEEK_END)
        tail = file.read()
    if not head.lower().startswith("<!doctype html"):
        refuse(output, "is not an HTML page")
    found = META.search(head)
    if found is None and not (is_own and b"<footer>Made by tools/report.py " in tail):
        refuse(output, "is not a page of report.py that says how it was made")
    if found is not None and found.group(1) != recipe.hash:
        refuse(output, "is of another run, or was made with other options")


def check_h5ad(output, recipe):
    """As check_page, for an .h5ad."""
    if not exists(output):
        return
    found = None
    with contextlib.suppress(Exception):  # whatever a foreign file has in store: it is not ours
        import h5py
        with h5py.File(output, "r") as h5:
            found = h5["uns/dcmpi/recipe_hash"][()]
    if found not in (recipe.hash, recipe.hash.encode()):
        refuse(output, "was made from other inputs or with other options, or by something else")


def check_same(output, part):
    """Refuses unless the new content equals the existing one."""
    if exists(output) and not filecmp.cmp(output, part, shallow=False):
        refuse(output, "does not hold what would be written")
