#!/usr/bin/env bash
# The numbers of the report against naive ones: forward pass, silhouettes, principal components, means per cluster.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import h5py' 2>/dev/null || skip_test "python3-h5py is not installed"

run 1 1 --input.rows=600 '--model.hidden=[32,16]' --pretrain.epochs=3 --cluster.max_iter=40 \
    --cluster.update_interval=10 '--input.clip=[20,200]' --run.output=glyphs
expect_exit 0 "a small run"

cat >twins.py <<'EOF'
import sys

import numpy as np

sys.path.insert(0, sys.argv[1])
import report_data
import report_math
import report_sections


def distance(a, b):
    return np.sqrt(((a - b) ** 2).sum())


def silhouette_ref(points, labels, i):
    def mean(k):
        d = [distance(points[i], p) for j, p in enumerate(points) if labels[j] == k and j != i]
        return np.mean(d) if d else None
    a, others = mean(labels[i]), [mean(k) for k in set(labels) - {labels[i]}]
    return 0 if a is None else (min(others) - a) / max(a, min(others))


def check(name, actual, expected, tolerance):
    error = np.abs(np.asarray(actual, float) - np.asarray(expected, float)).max()
    print(name, "ok" if error <= tolerance else "off by %g" % error)


run = report_data.Run("glyphs")
batch = {"step_loss": np.array([0, 0.6, 0.5]), "step_recon": np.array([0, 0.5, 0.45])}
for name, place in ("batch-kl", "idec"), ("batch-kl-0.1.0", "cluster"):
    values = {("cluster", "method"): "idec", (place, "gamma"): "0.1"}
    run.deck_value = lambda section, key, values=values: values.get((section, key), "")
    check(name, report_sections.batch_divergence(run, batch), [0, 1, 0.5], 1e-12)
check("batch-kl-alone", report_sections.batch_divergence(run, {"step_loss": np.array([0, 0.3])}), [0, 0.3], 0)
del run.deck_value
numbers, rows = run.examples("nearest", 9)
there = numbers.ravel() >= 0
rows = rows[:].reshape(len(there), -1)[there].astype(float)
network = report_math.Network(run)
z = network.encode(rows)
check("encoder", z, run.embedding[:][numbers.ravel()[there]], 1e-4 * np.abs(z).max())
flat = network.decode(z) - network.reconstruct(rows)
check("reconstruct", flat, 0 * flat, 1e-3)
error = ((network.reconstruct(rows) - np.clip(rows, 20, 200)) * network.scaling[1]) ** 2
check("loss", error.mean() < 1.5 * run.histories()[0][1]["loss"][-1], True, 0)

rng = np.random.default_rng(3)
for n, K in ((300, 4), (257, 3), (256, 2), (5, 3)):
    points, labels = rng.normal(size=(n, 3)), rng.integers(0, K, n)
    labels[:3] = [0, 1, min(2, K - 1)]
    check("silhouettes-%d" % n, report_math.silhouettes(points, labels),
          [silhouette_ref(points, labels, i) for i in range(n)], 1e-9)
check("silhouettes-one-cluster", report_math.silhouettes(points, 0 * labels) is None, True, 0)

points = rng.normal(size=(50, 4)) * [5, 3, 1, 0.1]
xy, share = report_math.pca(points)
u, s, vt = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
check("pca", np.abs(xy), np.abs(u[:, :2] * s[:2]), 1e-9)
check("pca-share", share, s[:2] ** 2 / (s ** 2).sum(), 1e-12)
check("pca-one-column", report_math.pca(points[:, :1])[0][:, 1], np.zeros(50), 0)

mean, outliers, bins = report_math.cluster_means(run)
label, confidence = run.labels[:], run.confidence[:]
check("mean-confidence", mean, [confidence[label == k].mean() for k in range(run.K)], 1e-6)
check("histogram", bins.sum(), run.N, 0)
best, share = report_math.majority(np.array([[5, 0, 0], [1, 4, 0]]))
check("majority", share, [5 / 6, 1, 0], 1e-15)
EOF
run_cmd $python twins.py "$root/tools"
expect_exit 0 "the comparison ran"
for name in batch-kl batch-kl-0.1.0 batch-kl-alone encoder reconstruct loss silhouettes-300 silhouettes-257 silhouettes-256 \
    silhouettes-5 silhouettes-one-cluster pca pca-share pca-one-column mean-confidence histogram majority; do
    is "$(sed -n "s/^$name //p" "$out")" ok "$name"
done
done_testing
