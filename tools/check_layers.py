#!/usr/bin/env python3
"""Checks the project's rules that no compiler checks: who may include whom, where MPI, HDF5, BLAS, OpenMP and memory
calls may appear, how collective functions are declared, that files of a folder call each other in one direction, and that only
its own file and the registry know a method by name.

    tools/check_layers.py [--tap] [ROOT]

One line per finding, "file:line: text"; exit 1 if there is any. --tap prints one TAP line per rule instead."""

import re
import sys
from pathlib import Path

# Layer -> layers whose headers it may include. A header of include/dcmpi/ belongs to the layer of HEADERS, else to the
# layer of its own name; a file of src/x/ belongs to layer x.
ALLOWED = {
    "base": set(),
    "comm": {"base"},
    "la": {"base"},
    "sum": {"la", "comm", "base"},
    "dla": {"la", "sum", "comm", "base"},
    "io": {"sum", "comm", "base"},
    "state": {"io", "sum", "comm", "base"},
    "terms": {"base"},
    "synth": {"base"},
    "convert": {"terms", "synth", "io", "comm", "base"},
    "data": {"synth", "io", "sum", "dla", "la", "comm", "base"},
    "nn": {"la", "base"},
    "metrics": {"sum", "comm", "base"},
    "cluster": {"graph", "nn", "dla", "la", "state", "sum", "comm", "base"},
    "graph": {"la", "dla", "state", "sum", "comm", "base"},
    "config": {"data", "synth", "graph", "cluster", "nn", "la", "base"},  # for their enumerations, and the text of networks
    "sweep": {"cluster", "metrics", "la", "state", "sum", "comm", "base"},
    "topics": {"la", "sum", "comm", "base"},
    "method": {"sweep", "cluster", "graph", "nn", "dla", "la", "state", "sum", "comm", "base"},
    "step": {"data", "nn", "la", "state", "io", "sum", "comm", "base"},
    "train": {"step", "method", "sweep", "topics", "cluster", "data", "metrics", "nn", "dla", "la", "state", "io", "sum", "comm", "base"},
    "report": {"config", "train", "step", "method", "sweep", "topics", "cluster", "graph", "data", "metrics", "nn", "dla", "la", "state", "io", "sum", "comm", "base"},
}
ALLOWED["app"] = set(ALLOWED)
HEADERS = {
    "base": "base status mem nameset log rng clock timer threads version signals file fault lock text heartbeat queue waiting beat keys scratch",
    "comm": "comm cores watchdog wish",
    "sum": "part sum csr_sum shard_tree outer moments singular",
    "io": "h5 h5_column h5_sparse claim recipe store npy",
    "data": "data files",
    "la": "la window csr",
    "dla": "dla",
    "nn": "nn net_text optim op graph slab",
    "cluster": "cluster capped levels minibatch mixture spectral standing",
    "graph": "knn neighbours order duplicates",
    "step": "step plan",
    "train": "train",
    "synth": "builtin",
    "state": "state ckpt history progress results",
}
LAYER_OF_HEADER = {h: layer for layer, names in HEADERS.items() for h in names.split()}

# What -> (regex on a line of code, regex on the files that may contain it).
PLACES = {
    "MPI only in src/comm": (r'#\s*include\s*[<"]mpi\.h|\bMPI_[A-Z]\w+\s*\(', r"src/comm/|src/(io/h5\w*|la/dla\w*)\.c|src/la/scalapack_decl\.h"),
    "comm_mpi.h only in src/comm, io/h5, la/dla": (r'#\s*include\s*"(comm/)?comm_mpi\.h"', r"src/comm/|src/(io/h5\w*|la/dla\w*)\.[ch]"),
    "HDF5 only in src/io": (r"#\s*include\s*<hdf5|\bH5[A-Z]+[a-z_]\w*\s*\(", r"src/io/"),
    "oneDNN, CBLAS and LAPACK only in la/gemm.c, la/blas_info.c, la/eigen.c, la/orthogonal.c, la/one_thread.c, la/dla*.c": (r"#\s*include\s*<(oneapi/dnnl|dnnl|cblas|openblas)|\b(cblas|dnnl|openblas)_\w+\s*\(|\b[sd](sy|ge|po|st)[a-z0-9]{2,4}_\s*\(", r"src/la/(gemm|blas_info|eigen|orthogonal|one_thread|dla\w*)\.c|src/la/scalapack_decl\.h"),
    "ScaLAPACK only in la/dla*.c": (r"\b(Cblacs_\w+|Csys2blacs_handle|p[sd][a-z]{4,7}_)\s*\(", r"src/la/(dla\w*\.c|scalapack_decl\.h)"),
    "libyaml only in src/config": (r"#\s*include\s*<yaml", r"src/config/"),
    "libunistring only in terms/tokens.c": (r"#\s*include\s*<uni(case|type|str|norm)", r"src/terms/tokens\.c"),
    "jansson only in convert/json.c": (r"#\s*include\s*<jansson|\bjson_\w+\s*\(", r"src/convert/json\.c"),
    "zlib, libbz2, liblzma, libzstd only in convert/unpack.c, zlib also in io/chunk_filters.c": (r"#\s*include\s*<(zlib|bzlib|lzma|zstd)", r"src/convert/unpack\.c|src/io/chunk_filters\.c"),
    "OpenMP loops only in kernels, la, rng": (r"#\s*pragma\s+omp\b", r"src/\w+/\w*_kern\.[ch]|src/la/|src/base/rng\.c"),
    "memory only through dcmpi/mem.h": (r"(?<![\w.>])(malloc|calloc|realloc|aligned_alloc|posix_memalign|strn?dup|v?asprintf)\s*\(", r"src/base/mem\.c"),
    "the process ends only in main, status, comm and h5_block": (r"(?<![\w.>])(_?exit|abort|quick_exit)\s*\(", r"src/base/status\.c|src/comm/|src/io/h5_block\.c|src/app/"),
}

# Files that are mathematics: they must not see comm.h, not even through another header.
WITHOUT_COMM = r"src/nn/|src/la/(?!dla)|src/metrics/(scores|matching)\.c|src/\w+/\w*_kern\.[ch]"
WITHOUT_COMM_EXCEPT = r"src/comm/"

FAST_MATH = r"fast-math|-Ofast|-funsafe-math|-fassociative-math|-freciprocal-math"


def code_lines(path, with_texts=False):
    """Lines with comments and (if not asked for) text literals blanked, so that rules look at code only."""
    text = path.read_text(encoding="utf-8", errors="replace")
    blank = lambda m: re.sub(r"[^\n]", " ", m.group(0))
    include = r'(?m)^[ \t]*#[ \t]*include[^\n]*$'
    token = r'(?P<inc>%s)|(?P<com>/\*.*?\*/|//[^\n]*)|(?P<str>"(?:\\.|[^"\\\n])*")' % include.replace("(?m)", "")
    kept = ("inc", "str") if with_texts else ("inc",)
    return re.sub(token, lambda m: m.group(0) if m.lastgroup in kept else blank(m), text, flags=re.S | re.M).split("\n")


class Tree:
    def __init__(self, root):
        self.root = root
        paths = sorted(root.glob("src/*/*.[ch]")) + sorted(root.glob("include/dcmpi/*.h"))
        self.code = {p.relative_to(root).as_posix(): code_lines(p) for p in paths}
        self.includes = {name: list(self._includes_of(name)) for name in self.code}

    def _includes_of(self, name):
        for number, line in enumerate(self.code[name], 1):
            found = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
            if found:
                yield number, self._resolve(name, found.group(1))

    def _resolve(self, name, header):
        folder = name.rsplit("/", 1)[0]
        for candidate in (f"{folder}/{header}", f"include/{header}", f"src/{header}"):
            if (self.root / candidate).exists():
                return candidate
        return header

    def layer(self, name):
        if name.startswith("src/la/dla") or name.startswith("src/la/scalapack"):
            return "dla"
        if name.startswith("src/"):
            return name.split("/")[1]
        header = Path(name).stem
        return LAYER_OF_HEADER.get(header, header)

    def chain_to(self, name, target, seen=None):
        """The includes that lead from a file to the target header, or None."""
        seen = seen if seen is not None else set()
        for number, other in self.includes.get(name, []):
            if other == target:
                return [(name, number)]
            if other not in seen:
                seen.add(other)
                rest = self.chain_to(other, target, seen)
                if rest:
                    return [(name, number)] + rest
        return None


def check_includes(tree):
    for name, includes in tree.includes.items():
        layer = tree.layer(name)
        for number, other in includes:
            target = tree.layer(other) if other in tree.code else None
            if target is None or target == layer:
                continue
            if layer not in ALLOWED or target not in ALLOWED[layer]:
                yield name, number, f"{layer} must not include {target} ({other})"
            elif other.startswith("src/") and not other.endswith("comm_mpi.h"):
                yield name, number, f"{other} is private to src/{target}"


def check_without_comm(tree):
    target = "include/dcmpi/comm.h"
    for name in tree.code:
        if re.match(WITHOUT_COMM, name) and not re.match(WITHOUT_COMM_EXCEPT, name):
            chain = tree.chain_to(name, target)
            if chain:
                via = " -> ".join(f for f, _ in chain[1:])
                yield name, chain[0][1], "mathematics must not see comm.h" + (f" (through {via})" if via else "")


def check_place(tree, what, pattern, where):
    for name, lines in tree.code.items():
        if re.match(where, name):
            continue
        for number, line in enumerate(lines, 1):
            if re.search(pattern, line):
                yield name, number, what


def check_collectives(tree):
    """dc_comm * comes first or not at all, and no struct of a header hides one."""
    for name, lines in tree.code.items():
        text = "\n".join(lines)
        for found in re.finditer(r"\b(\w+|\(\*\w+\))\s*\(((?:[^()]|\([^()]*\))*)\)", text):
            parameters = [p.strip() for p in found.group(2).split(",")]
            is_comm = [bool(re.match(r"dc_comm\s*\*\s*\w*$", p)) for p in parameters]
            if any(is_comm[1:]):
                number = text.count("\n", 0, found.start()) + 1
                yield name, number, f"{found.group(1)}: a collective function takes dc_comm * first"
        if name.startswith("include/") and not name.endswith("comm.h"):
            for number, line in enumerate(lines, 1):
                if re.match(r"\s*(const\s+)?dc_comm\s*\*\s*\w+\s*;", line):
                    yield name, number, "a struct must not hide a communicator"


def methods(tree):
    """(name, file) of each method."""
    for path in tree.code:
        if path.startswith("src/method/"):
            text = (tree.root / path).read_text(encoding="utf-8", errors="replace")
            yield from ((name, path) for name in re.findall(r'const dc_method \w+ = \{\s*\.name = "([\w-]+)"', text))


# Method -> files in which its name has another meaning.
OTHER_MEANING = {"dec": r"src/data/|src/config/table\.c|src/app/(vectorizer_option|verb_help)\.c",  # input.scale, --preset
                 "gmm": r"src/config/table\.c|src/method/dcan\.c",  # of cluster.final, of dcan.parameters
                 # an embedding that is not the method's alone, and its keys; a value of cluster.init
                 "spectral": r"src/cluster/|src/config/|src/method/(centers\.c|methods\.h)|include/dcmpi/spectral\.h"}


def check_method_names(tree):
    """No other file has a method's name as a whole word, in code, texts or comments."""
    for method, home in sorted(methods(tree)):
        word = re.compile(r"\b%s\b" % re.escape(method))
        allowed = rf"{re.escape(home)}$|src/method/registry\.c$"
        for name in tree.code:
            if re.match(allowed, name) or re.match(OTHER_MEANING.get(method, "$"), name):
                continue
            text = (tree.root / name).read_text(encoding="utf-8", errors="replace")
            for number, line in enumerate(text.split("\n"), 1):
                if word.search(line):
                    yield name, number, f"only {home} and the registry know the method {method}"


DEFINITION = re.compile(r"^(?!static)[A-Za-z_][\w \t*]*?\b(dc_\w+)\s*\([^;{]*\)\s*\n\{", re.M)


def users_in_folders(tree):
    """For each file of src/: the files of its folder whose functions it names, with one of them and its line."""
    where, named = {}, {}
    for name in tree.code:
        if name.endswith(".c") and name.startswith("src/"):
            text = "\n".join(line if not line.lstrip().startswith("#") else "" for line in tree.code[name])
            text = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)
            where.update((function, name) for function in DEFINITION.findall(text))
            named[name] = [(m.group(), text.count("\n", 0, m.start()) + 1) for m in re.finditer(r"\bdc_\w+", text)]
    folder = lambda name: name.rsplit("/", 1)[0]
    uses = {}
    for name, functions in named.items():
        uses[name] = {}
        for function, number in functions:
            other = where.get(function, name)
            if other != name and folder(other) == folder(name):
                uses[name].setdefault(other, (function, number))
    return uses


def check_circles(tree):
    """Files of a folder call each other in one direction: what a file uses can be understood without that file."""
    uses = users_in_folders(tree)
    reach = {name: set(others) for name, others in uses.items()}
    for middle in reach:
        for name in reach:
            if middle in reach[name]:
                reach[name] |= reach[middle]
    for name in uses:
        for other, (function, number) in uses[name].items():
            if name in reach[other]:
                yield name, number, f"{function} closes a circle with {other}"


def check_fast_math(tree):
    for path in [tree.root / "Makefile", *tree.root.glob("src/*/*.[ch]")]:
        for number, line in enumerate(code_lines(path, with_texts=True), 1):
            if re.search(FAST_MATH, line):
                yield path.relative_to(tree.root).as_posix(), number, "fast-math breaks equal bits"


def rules(tree):
    yield "layers include only what is below them", check_includes(tree)
    yield "mathematics does not see comm.h", check_without_comm(tree)
    for what, (pattern, where) in PLACES.items():
        yield what, check_place(tree, what, pattern, where)
    yield "collective functions take dc_comm * first", check_collectives(tree)
    yield "a method is known by name only to its file and the registry", check_method_names(tree)
    yield "no circle between the files of a folder", check_circles(tree)
    yield "no fast-math", check_fast_math(tree)


def main(arguments):
    tap = "--tap" in arguments
    roots = [a for a in arguments if not a.startswith("-")]
    tree = Tree(Path(roots[0]) if roots else Path(__file__).resolve().parent.parent)
    failed = count = 0
    for count, (what, findings) in enumerate(rules(tree), 1):
        findings = list(findings)
        failed += bool(findings)
        if tap:
            print(f"{'not ok' if findings else 'ok'} {count} - {what}")
        for name, number, text in findings:
            print(f"{'# ' if tap else ''}{name}:{number}: {text}")
    if tap:
        print(f"1..{count}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
