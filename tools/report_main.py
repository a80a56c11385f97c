"""How the tools end: with the exit codes of dcmpi, and one line for whatever goes wrong.

A damaged HDF5 file may show its damage only where a value is used: as a missing name, an odd type or shape, a number
out of range, a request for too much memory. The user gets the same kind of message for all of these.
"""
import os
import sys

USAGE, DATA, IO, FORMAT = 2, 3, 4, 6  # exit codes, as in dcmpi
BROKEN = (OSError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError, MemoryError, RuntimeError)
LINE_MAX = 1000


class RunError(Exception):
    """What is wrong with which file, and the exit code."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def fail(code, text):
    """Prints one line and ends the program."""
    name = os.path.basename(sys.argv[0])
    print("%s: ERROR: %s" % (name, " ".join(str(text).split())[:LINE_MAX]), file=sys.stderr)
    sys.exit(code)


def fail_import(packages, error):
    """Ends the program because a package is missing."""
    fail(USAGE, "%s needed: %s" % (packages, error))


def described(error):
    """Kind and text of an error that Python or HDF5 raised."""
    return "%s: %s" % (type(error).__name__, error) if str(error) else type(error).__name__


def run_tool(work):
    """Calls work(); an error ends the program."""
    try:
        work()
    except RunError as error:
        fail(error.code, error)
    except BROKEN as error:
        fail(FORMAT, "what is read is damaged: %s" % described(error))
