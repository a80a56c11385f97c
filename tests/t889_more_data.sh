#!/usr/bin/env bash
# Runs that go on from an earlier one on more data, cluster.init: weights: k-means from its centres, against Python; its scaling,
# clipping, components and transforms of counts, although those of the new data would be others; the same bits on any number of
# ranks and after a restart; what does not fit is refused in one line before work.
. "$(dirname "$0")/lib.sh"

py '
rng = np.random.default_rng(884)
centre = 4 * rng.normal(size=(5, 8))
def draw(n, more):
    return (centre[rng.integers(0, 5, n)] + rng.normal(size=(n, 8)) + more).astype("f4")
old = draw(500, 0)
new = np.vstack([old, draw(300, 0.3)])
new[600] = 60
def save(name, rows, names="abcdefgh"):
    with h5py.File(name + ".h5", "w") as f:
        f["X"] = rows
        f["feature_names"] = np.array(list(names[:rows.shape[1]]), "S1")
save("old", old), save("new", new), save("narrow", new[:, :7]), save("named", new, "abcdEfgh")
counts = rng.poisson(np.exp(centre[rng.integers(0, 5, 800)] / 4 + 1)).astype("f4")
counts[500:] *= 3
save("old-counts", counts[:500]), save("counts", counts)
'
cat >deck.yaml <<EOF2
input: {scale: minmax}
model: {hidden: [16], latent: 3}
pretrain: {epochs: 3, lr: 0.1}
cluster: {clusters: 5, n_init: 2, max_iter: 20, update_interval: 10, tol: 0}
output: {examples: 0}
EOF2
more() { # P VERB EARLIER OUTPUT OPTIONS
    run "$1" 1 "$2" deck.yaml --input.data="${to:-new.h5}" --model.weights="$3/run.h5" --cluster.init=weights --run.output="$4" "${@:5}"
}

run 1 1 kmeans deck.yaml --input.data=old.h5 --run.output=km
expect_exit 0 "k-means"
more 3 kmeans km km-more --output.rows=full
expect_exit 0 "k-means goes on"
expect_out "earlier +km/run.h5, hash [0-9a-f]{16}: its scaling, and k-means from its 5 centres; it had 500 rows, these are 800" \
    "the log says from what"
run 1 1 fit deck.yaml --input.data=old.h5 --run.output=dec
expect_exit 0 "dec"
more 1 fit dec dec-more
expect_exit 0 "dec goes on"
more 3 fit dec dec-three --cluster.max_iter=10
more 2 fit dec dec-three
expect_exit 0 "on three ranks, and longer on two"
cat >check.py <<'EOF2'
import h5py
import numpy as np
f = {name: h5py.File(name + "/run.h5") for name in ("km", "km-more", "dec", "dec-more")}
for old, new in (("km", "km-more"), ("dec", "dec-more")):
    for name in ("scaling/shift", "scaling/scale"):
        assert (f[old][name][:] == f[new][name][:]).all(), name
    assert int(f[new].attrs["weights_hash"], 16) != 0
    assert (f[old]["labels"][:] == f[new]["labels"][:500]).mean() > 0.8  # clusters keep their numbers
X = h5py.File("new.h5")["X"][:].astype(float)
x = ((X - f["km"]["scaling/shift"][:].astype(float)) * f["km"]["scaling/scale"][:].astype(float)).astype("f4").astype(float)
mu = f["km"]["cluster_centers"][:].astype(float)
for _ in range(100):
    label = ((x[:, None] - mu[None]) ** 2).sum(2).argmin(1)
    means = np.array([x[label == k].mean(0) for k in range(5)])
    done, mu = abs(means - mu).max() < 1e-6, means
    if done:
        break
assert (label == f["km-more"]["labels"][:]).all() and abs(mu - f["km-more"]["cluster_centers"][:]).max() < 1e-5
print("ok")
EOF2
run_cmd /usr/bin/python3 check.py
is "$(tail -n 1 "$out")" ok "k-means from the old centres in the old scaling, as in Python"
run 0 1 compare dec-more/run.h5 dec-three/run.h5
expect_exit 0 "the same bits on other ranks and with a restart"
run 2 1 predict --model=km-more/run.h5 --input=new.h5 --output=p.h5 --rows=full
run 0 1 compare km-more/run.h5 p.h5
expect_exit 0 "predict gives the rows of the new run the same"

# What the rows went through stays that of the earlier run.
maps=(--cluster.on=input --cluster.method=aekm)
keeps() { # WHAT OPTIONS
    rm -rf first second
    run 1 1 fit deck.yaml --input.data="${from:-old.h5}" "${maps[@]}" --run.output=first "${@:2}"
    expect_exit 0 "$1"
    more 2 fit first second "${maps[@]}" "${@:2}"
    expect_exit 0 "$1 goes on"
    run_cmd /usr/bin/python3 -c '
import h5py
a, b = (h5py.File(name + "/run.h5") for name in ("first", "second"))
names = [name for name in ("shift", "scale", "clip_lo", "clip_hi", "components", "component_scale", "component_offset", "columns")
         if name in a["scaling"]]
assert len(names) >= 3 and all((a["scaling"][name][:] == b["scaling"][name][:]).all() for name in names), names
assert a["scaling"].attrs.get("normalize_total") == b["scaling"].attrs.get("normalize_total")
print("ok", *names)'
    ok "$1: $(tail -n 1 "$out")" grep -q ^ok "$out"
}
keeps "clipping" --input.scale=robust --input.clip=0.05
keeps "components" --input.scale=standard --input.reduce=pca --input.components=3 --input.norm=l2
from=old-counts.h5 to=counts.h5 keeps "counts" --input.scale=none --input.normalize_total=median --input.log1p=true \
    --input.variable_columns=4

# What does not fit.
refused() { # CODE REGEX WHAT ARGS
    run 1 1 "${@:4}" --dry-run --input.data="${input:-new.h5}" --run.output=x --cluster.init=weights
    expect_error "$1" "$2" "$3"
}
refused 2 "needs model.weights" "no run" kmeans deck.yaml
refused 2 "km/run.h5 .model.weights. has 5 clusters, cluster.clusters is 6" "another number" kmeans deck.yaml \
    --model.weights=km/run.h5 --cluster.clusters=6
input=narrow.h5 refused 3 "narrow.h5 has 7 columns, the run of km/run.h5 .model.weights. had 8" "other columns" kmeans deck.yaml \
    --model.weights=km/run.h5
run 1 1 kmeans deck.yaml --input.data=named.h5 --model.weights=km/run.h5 --cluster.init=weights --run.output=x
expect_error 3 "named.h5: column 4 .counted from 0. is 'E', in the run of km/run.h5 .model.weights. it was 'e'" "another column"
refused 2 "deck says otherwise: input.scale is standard, was minmax" "another scaling" kmeans deck.yaml \
    --model.weights=km/run.h5 --input.scale=standard
refused 2 "cluster.metric is cosine, was euclidean" "another metric" kmeans deck.yaml --model.weights=km/run.h5 \
    --cluster.metric=cosine
refused 2 "cluster.levels begin anew" "levels" kmeans deck.yaml --model.weights=km/run.h5 --cluster.levels=[2,2]
refused 2 "clustered the rows, this run clusters an embedding" "no embedding" fit deck.yaml --model.weights=km/run.h5
refused 2 "centres of width 3, model.latent is 4" "another width" fit deck.yaml --model.weights=dec/run.h5 --model.latent=4
refused 2 "imsat, which has no start" "a method without centres" fit deck.yaml --model.weights=dec/run.h5 --cluster.method=imsat
done_testing
