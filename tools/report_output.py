"""Files that report.py and export.py write: whole or not there, and never over a file that they read.

A file is written under a random name beside its own, always as a new file (so never through a planted link), forced to disk
and renamed. If two tools write one file at the same time, both succeed, and the file that is finished last stays. Only files
with such random names are ever removed: one's own after an error, and those of killed tools, which hold no lock any more.
"""
import contextlib
import errno
import fcntl
import os
import re
import secrets
import signal
import stat
import sys
import time

from report_main import IO, USAGE, RunError

PART = re.compile(r"\.dcmpi-[0-9a-f]{16}\.part")
STOPS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
OLD_SECONDS = 600  # a lock of another node may not be seen from here; what changed lately may be in use


def refuse_empty(**arguments):
    """Refuses empty arguments: the error names the first that is ""."""
    for name, value in arguments.items():
        if value is not None and str(value) == "":
            raise RunError(USAGE, "the argument %s is empty; name a file" % name)


def files_of_run(folder):
    """What a run has written to its folder."""
    found = []
    for place in (folder, os.path.join(folder, "ckpt")):
        with contextlib.suppress(OSError):
            found += [entry.path for entry in os.scandir(place) if entry.is_file()]
    return [path for path in found if os.path.basename(path) != "report.html"]


def check_output(output, inputs):
    """Fails with USAGE if the output is a file that is read or kept, by whatever name; with IO if it cannot be replaced."""
    if not os.path.lexists(output):
        return
    if not os.path.islink(output) and not os.path.isfile(output):
        raise RunError(IO, "cannot write %s: it exists and is not a regular file" % output)
    for path in inputs:
        if path and os.path.exists(path) and os.path.exists(output) and os.path.samefile(output, path):
            raise RunError(USAGE, "the output %s is also an input: it is the file of %s; give another name" % (output, path))


def remove_old_parts(folder):
    """Removes the files that killed tools left in the folder."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            info = entry.stat(follow_symlinks=False)
            if not PART.fullmatch(entry.name) or not stat.S_ISREG(info.st_mode) or info.st_mtime > time.time() - OLD_SECONDS:
                continue
            with contextlib.suppress(OSError):
                file = os.open(entry.path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(entry.path)
                finally:
                    os.close(file)


def sync(path, flags=os.O_RDONLY):
    """Forces a file or folder to disk; some file systems cannot do this with folders."""
    file = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(file)


def create(part):
    """A new file, open and locked."""
    file = os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    with contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


@contextlib.contextmanager
def whole_file(output, check=None):
    """Gives the path to write to; at the end of the block that file is renamed to `output`, after an error it is removed.
    check: called as check(output, part) when the file is whole; may raise RunError."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    folder = os.path.dirname(output) or "."
    part = os.path.join(folder, ".dcmpi-%s.part" % secrets.token_hex(8))
    file = None
    try:
        remove_old_parts(folder)
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # a file that is made is known below
        try:
            file = create(part)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        yield part
        if check:
            check(output, part)
        os.fsync(file)
        os.replace(part, output)
        sync(folder)
    except OSError as error:
        if error.errno is None:  # of HDF5: what is read is damaged
            raise
        raise RunError(IO, "cannot write %s: %s" % (output, error.strerror or error)) from error
    finally:
        if file is not None:
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(file), os.lstat(part)):
                    os.unlink(part)
            os.close(file)
