#!/usr/bin/env python3
"""Time and peak memory of each step from documents to clusters, dcmpi beside scikit-learn.

    tools/bench_text.py DCMPI FILE... [--rounds R] [--threads T] [--components D] [--clusters K] [--starts N]

FILE has lines label<TAB>text. The steps: documents to TF-IDF (words of at least 5 and at most half of the documents), truncated
SVD and rows of length 1, k-means. dcmpi makes the first with T ranks of one thread, the others with one rank of T threads. Each
program runs in processes of its own, in turn; imports and starts of scikit-learn do not count, those of dcmpi do in the first
step. Seconds and GiB are medians over the rounds; memory is the peak of the largest process, for the last two steps together.
Needs scikit-learn:

    python3 -m venv VENV; VENV/bin/pip install scikit-learn
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

STEPS = ("documents to TF-IDF", "SVD", "k-means")
MIN_DF, MAX_DF = 5, 0.5


def options():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("dcmpi")
    p.add_argument("file", nargs="+")
    for name, value in (("rounds", 3), ("threads", 2), ("components", 100), ("clusters", 20), ("starts", 10)):
        p.add_argument("--" + name, type=int, default=value)
    p.add_argument("--scikit-learn", choices=("tfidf", "clusters"), help="make one part of the other program's work, and print its figures")
    return p.parse_args()


def peak():
    """GiB of the largest process so far, this one or a child."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 2**20


def sklearn_tfidf(args):
    from numpy import float32
    from scipy.sparse import save_npz
    from sklearn.feature_extraction.text import TfidfVectorizer
    start = time.perf_counter()
    texts = []
    for name in args.file:
        with open(name, encoding="utf-8", errors="replace", newline="\n") as f:
            texts += [line.rstrip("\n").split("\t", 1)[1] for line in f]
    X = TfidfVectorizer(min_df=MIN_DF, max_df=MAX_DF, dtype=float32).fit_transform(texts)
    save_npz("tfidf.npz", X, compressed=False)
    return [time.perf_counter() - start]


def sklearn_clusters(args):
    from scipy.sparse import load_npz
    from sklearn.cluster import KMeans
    from sklearn.decomposition import TruncatedSVD
    from sklearn.preprocessing import normalize
    X = load_npz("tfidf.npz")
    start = time.perf_counter()
    Z = normalize(TruncatedSVD(args.components, random_state=1).fit_transform(X))
    middle = time.perf_counter()
    KMeans(args.clusters, n_init=args.starts, random_state=1).fit(Z)
    return [middle - start, time.perf_counter() - middle]


def sklearn_part(args, part):
    """The figures of a part, which a process of its own makes: seconds of its steps and its peak."""
    out = subprocess.run([sys.executable, __file__, args.dcmpi, *args.file, "--scikit-learn", part, "--components", str(args.components),
                          "--clusters", str(args.clusters), "--starts", str(args.starts)], check=True, stdout=subprocess.PIPE)
    return json.loads(out.stdout)


def dcmpi_part(command):
    """Seconds of a command and the peak of its largest process, measured by a process that runs nothing else."""
    code = ("import json, resource, subprocess, sys, time; t = time.perf_counter(); "
            "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); "
            "print(json.dumps([time.perf_counter() - t, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20]))")
    return json.loads(subprocess.run([sys.executable, "-c", code, *command], check=True, stdout=subprocess.PIPE).stdout)


def run_dcmpi(args):
    one = dict(os.environ)
    os.environ["OMP_NUM_THREADS"] = "1"
    wall, memory = dcmpi_part(["mpirun", "-q", "--oversubscribe", "--bind-to", "none", "-n", str(args.threads), args.dcmpi, "convert",
                               *args.file, "tfidf.h5", "--text-column=last", "--label-column=first", f"--min-df={MIN_DF}",
                               f"--max-df={MAX_DF}", "--force"])
    os.environ.update(one)
    _, peak_of_run = dcmpi_part([args.dcmpi, "kmeans", "--input.data=tfidf.h5", "--input.scale=none", "--input.reduce=svd",
                                 f"--input.components={args.components}", "--input.norm=l2", f"--cluster.clusters={args.clusters}",
                                 f"--cluster.n_init={args.starts}", "--cluster.kmeans_max_iter=300", "--cluster.kmeans_tol=1e-4",
                                 "--run.resume=never", "--run.output=run"])
    with open("run/summary.json", encoding="utf-8") as f:
        timing = json.load(f)["timing"]
    return [wall, timing["reduction"]["max_s"], timing["k-means"]["max_s"]], [memory, peak_of_run]


def run_sklearn(args):
    first, second = sklearn_part(args, "tfidf"), sklearn_part(args, "clusters")
    return first[0] + second[0], [first[1], second[1]]


def main():
    args = options()
    if args.scikit_learn:
        seconds = (sklearn_tfidf if args.scikit_learn == "tfidf" else sklearn_clusters)(args)
        print(json.dumps([seconds, peak()]))
        return
    args.dcmpi = os.path.abspath(args.dcmpi)
    args.file = [os.path.abspath(f) for f in args.file]
    globals()["__file__"] = os.path.abspath(__file__)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(args.threads)
    took = {"dcmpi": [], "scikit-learn": []}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for _ in range(args.rounds):
            took["dcmpi"].append(run_dcmpi(args))
            took["scikit-learn"].append(run_sklearn(args))
        os.chdir("/")
    for name, runs in took.items():
        seconds = [statistics.median(r[0][i] for r in runs) for i in range(len(STEPS))]
        memory = [statistics.median(r[1][i] for r in runs) for i in (0, 1)]
        print(f"{name:13}" + "".join(f" {step} {s:.2f} s," for step, s in zip(STEPS, seconds)) +
              f" memory {memory[0]:.2f} and {memory[1]:.2f} GiB")


main()
