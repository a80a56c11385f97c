#!/usr/bin/env python3
"""Time of a k-means iteration, inertia and labels of dcmpi beside scikit-learn, faiss and SuperKMeans, on the same rows.

    tools/bench_kmeans.py DCMPI [--rows N] [--columns D] [--clusters K] [--groups G] [--iterations I] [--rounds R] [--threads T]

Rows are drawn from N(0, 1) around G centres of N(0, 1); G = 0: no groups. dcmpi makes one iteration; its centres are the
start of the others, but for SuperKMeans, which draws its own. The time of an iteration is that of a run of I + 1 iterations
less that of a run of one, divided by I; seconds of CPU are those of all threads. The programs take turns, and medians over the
rounds are printed, then the adjusted Rand index of the last labels with those of dcmpi. What is not installed is left out:

    python3 -m venv VENV; VENV/bin/pip install numpy h5py scikit-learn faiss-cpu superkmeans
"""
import argparse
import json
import os
import resource
import subprocess
import tempfile
import time

TOOLS = ("dcmpi", "scikit-learn", "faiss", "SuperKMeans")


def options():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("dcmpi")
    for name, value in (("rows", 200000), ("columns", 64), ("clusters", 1000), ("groups", 1000), ("iterations", 10), ("rounds", 3),
                        ("threads", 2)):
        p.add_argument("--" + name, type=int, default=value)
    return p.parse_args()


ARGS = options()
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(ARGS.threads)
import h5py  # noqa: E402  (they read the number of threads when they are loaded)
import numpy as np  # noqa: E402


def make_rows():
    rng = np.random.default_rng(620)
    X = rng.normal(size=(ARGS.rows, ARGS.columns)).astype(np.float32)
    if ARGS.groups:
        X += rng.normal(size=(ARGS.groups, ARGS.columns)).astype(np.float32)[np.arange(ARGS.rows) % ARGS.groups]
    return X


def run_dcmpi(X, start, iterations):
    """Seconds are those of the section k-means of its report; those of CPU are of the whole process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([ARGS.dcmpi, "kmeans", "--input.data=rows.h5", "--input.scale=none", f"--cluster.clusters={ARGS.clusters}",
                    "--cluster.n_init=1", "--cluster.kmeans_tol=0", f"--cluster.kmeans_max_iter={iterations}",
                    "--run.resume=never", "--run.output=run"], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open("run/summary.json", encoding="utf-8") as f:
        wall = json.load(f)["timing"]["k-means"]["max_s"]
    with h5py.File("run/run.h5") as f:
        return wall, after.ru_utime - before.ru_utime, f["cluster_centers"][:], f["labels"][:]


def run_sklearn(X, start, iterations):
    from sklearn.cluster import KMeans
    km = KMeans(len(start), init=start, n_init=1, max_iter=iterations, tol=0).fit(X)
    return km.cluster_centers_, km.labels_


def run_faiss(X, start, iterations):
    import faiss
    faiss.omp_set_num_threads(ARGS.threads)
    km = faiss.Kmeans(X.shape[1], len(start), niter=iterations, max_points_per_centroid=len(X), min_points_per_centroid=1)
    km.train(X, init_centroids=start)
    return km.centroids, None


def run_super(X, start, iterations):
    from superkmeans import SuperKMeans
    km = SuperKMeans(len(start), X.shape[1], hierarchical=False, iters=iterations, sampling_fraction=1.0,
                     max_points_per_cluster=len(X), n_threads=ARGS.threads, early_termination=False)
    return km.train(X), None


def timed(run, X, start, iterations):
    if run is run_dcmpi:
        return run(X, start, iterations)
    wall, cpu = time.perf_counter(), time.process_time()
    found = run(X, start, iterations)
    return time.perf_counter() - wall, time.process_time() - cpu, *found


def assign(X, centers):
    """Labels and inertia, in double."""
    label, inertia = np.empty(len(X), np.int64), 0.0
    C = np.asarray(centers, float)
    for lo in range(0, len(X), 4096):
        part = X[lo:lo + 4096].astype(float)
        score = (C * C).sum(1) - 2 * part @ C.T
        label[lo:lo + 4096] = score.argmin(1)
        inertia += score.min(1).sum() + (part * part).sum()
    return label, inertia


def rand_index(a, b):
    """Adjusted."""
    def pairs(n):
        return (n * (n - 1.0) / 2).sum()
    both = pairs(np.unique(a.astype(np.int64) * (int(b.max()) + 1) + b, return_counts=True)[1])
    of_a, of_b, every = pairs(np.bincount(a)), pairs(np.bincount(b)), len(a) * (len(a) - 1.0) / 2
    return (both - of_a * of_b / every) / ((of_a + of_b) / 2 - of_a * of_b / every)


def main():
    X, n = make_rows(), ARGS.iterations
    with h5py.File("rows.h5", "w") as f:
        f["X"] = X
    start = run_dcmpi(X, None, 1)[2]
    took, last, runs = {}, {}, {}
    for name, run in zip(TOOLS, (run_dcmpi, run_sklearn, run_faiss, run_super)):
        try:
            run(X, start, 1)  # loads what it needs
            runs[name] = run
        except ImportError as e:
            print(f"{name}: left out, {e}")
    for _ in range(ARGS.rounds):
        for name, run in runs.items():
            short, full = timed(run, X, start, 1), timed(run, X, start, n + 1 if name == "dcmpi" else n)
            steps = n if name == "dcmpi" else n - 1
            took.setdefault(name, []).append([(full[i] - short[i]) / steps for i in (0, 1)])
            last[name] = full[2], full[3]
    print(f"{ARGS.rows} x {ARGS.columns}, {ARGS.groups} groups, K {ARGS.clusters}, {n} iterations, {ARGS.threads} threads, "
          f"medians of {ARGS.rounds}")
    base = last["dcmpi"][1]
    for name, times in took.items():
        wall, cpu = np.median(times, axis=0)
        label, inertia = assign(X, last[name][0])
        label = last[name][1] if last[name][1] is not None else label
        print(f"{name:13} iteration {wall:.3f} s, CPU {cpu:.3f} s, inertia {inertia:.6g}, ARI {rand_index(base, label):.6f}")


with tempfile.TemporaryDirectory() as folder:
    ARGS.dcmpi = os.path.abspath(ARGS.dcmpi)
    os.chdir(folder)
    main()
