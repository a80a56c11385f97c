#!/usr/bin/env bash
# Spectral clustering as a whole program: of neighbours and by landmarks the same bits on any number of ranks and threads, also
# when continued from any phase (here most, t573 all); of all pairs the same labels on 1, 2 and 4 ranks. Landmarks predict a run's own rows as the
# run did, the others refuse. The number of clusters is chosen by the gap (also after a stop), and dec starts from the clusters
# of spectral and of gmm. What does not fit is refused with numbers. DCMPI_ALL=1 (t573): on more ranks and threads.
# limit: 900
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/resume_help.sh
. "$root/tests/resume_help.sh"
make_blobs 400 6

common=(fit --input.data=blobs.h5 --parallel.shards=8 --cluster.n_init=3 --input.scale=standard --cluster.clusters=3)
raw=("${common[@]}" --cluster.method=spectral --cluster.on=input)

keep_all() { # WHAT
    rm -rf all
    run 2 1 "${args[@]}" --run.output=all --checkpoint.every=0.000000001s --checkpoint.keep=1000
    expect_same all "$1, saved all the time"
    list_saved all
}

steps_of() { awk -v p="$1" '$2 == p { print $3 }' saved.txt | sort -nu; } # PHASE: at which it was saved
continue_first() { continue_from "$1" "$(steps_of "$1" | head -n 1)"; }

# ---- Neighbours ------------------------------------------------------------------------------------------------------------------

args=("${raw[@]}" --spectral.path=knn --spectral.neighbors=6)
rm -rf good
run 1 1 "${args[@]}" --run.output=good
expect_exit 0 "neighbours"
expect_out 'spectral +graph of 400 rows: [0-9]+ edges, [123] component' "the graph"
expect_out 'spectral +Lanczos: [0-9]+ products, residual [0-9.]+e-(09|[1-9][0-9])' "the iteration"
number_between "$(result_value acc)" 0.99 1 "the three blobs"
py 'f = h5py.File("good/run.h5")
e, U = f["spectral/eigenvalues"][:], f["spectral/embedding"][:]
assert e.shape == (4,) and (np.diff(e) >= 0).all() and abs(e[0]) < 1e-12 and e.dtype == np.float64
assert U.shape == (400, 3) and np.allclose((U ** 2).sum(1), 1, atol=1e-5)
C, l = f["model/spectral_centers"][:], f["labels"][:]
assert (((U[:, None] - C[None]) ** 2).sum(2).argmin(1) == l).all()
X = (h5py.File("blobs.h5")["X"][:] - f["scaling/shift"][:]) * f["scaling/scale"][:]
assert np.allclose(f["cluster_centers"][:], [X[l == k].mean(0) for k in range(3)], atol=1e-4)'
ok "eigenvalues, embedding, labels by it, centres of the rows" [ $? = 0 ]
same_bits_elsewhere "neighbours"
keep_all "neighbours"
phases=$(awk '{ print $2 }' saved.txt | sort -u | tr '\n' ' ')
ok "all phases were saved ($phases)" [ "$(grep -cwE 'spectral|kmeans|cluster' <<<"${phases// /$'\n'}")" = 3 ]
for step in $(steps_of spectral | sed -n '1p;2p;$p'); do continue_from spectral "$step"; done
continue_first kmeans
continue_from cluster 0
run 2 1 predict --model=good/run.h5 --input=blobs.h5 --output=own.h5
expect_error 2 'only with spectral.path = landmark' "predicting without landmarks"
expect_no_file own.h5 "nothing was written"
run 0 1 check good/run.h5
expect_exit 0 "check reads it"

# ---- Landmarks -------------------------------------------------------------------------------------------------------------------

for how in "--spectral.affinity=cosine --spectral.landmark_choice=random" "--spectral.affinity=gaussian"; do
    # shellcheck disable=SC2206  # several options
    args=("${raw[@]}" --spectral.path=landmark --spectral.landmarks=50 $how)
    rm -rf good
    run 1 1 "${args[@]}" --run.output=good
    expect_exit 0 "landmarks, $how"
    number_between "$(result_value acc)" 0.9 1 "the three blobs"
    run 3 2 predict --model=good/run.h5 --input=blobs.h5 --output=own.h5 --force
    expect_exit 0 "predict"
    py 'a, b = h5py.File("good/run.h5"), h5py.File("own.h5")
assert all((a[k][:] == b[k][:]).all() for k in ("labels", "confidence"))'
    ok "own rows get their labels and confidences" [ $? = 0 ]
    same_bits_elsewhere "landmarks"
done
keep_all "landmarks" # by the last of these
continue_first landmarks
continue_first kmeans
continue_from cluster 0

args=("${common[@]}" "--model.encoder=dense 8 relu, dense 3" --pretrain.epochs=4 --pretrain.batch=50 --pretrain.lr=0.05
    --cluster.method=spectral --spectral.path=landmark --spectral.landmarks=30 --spectral.affinity=gaussian)
rm -rf good
run 1 1 "${args[@]}" --run.output=good
expect_exit 0 "landmarks of an embedding"
run 2 1 predict --model=good/run.h5 --input=blobs.h5 --output=own.h5 --force
py 'a, b = h5py.File("good/run.h5"), h5py.File("own.h5")
assert all((a[k][:] == b[k][:]).all() for k in ("labels", "confidence", "embedding"))'
ok "own rows get their labels, confidences and embedding" [ $? = 0 ]
same_bits_elsewhere "landmarks of an embedding"

# ---- All pairs -------------------------------------------------------------------------------------------------------------------

for p in 1 2 4; do
    run $p 1 "${raw[@]}" --spectral.path=exact --run.output=exact$p
    expect_exit 0 "all pairs on $p ranks"
done
expect_out 'spectral +pdsyev. on a grid of .* its bits depend on the grid' "the log names driver and grid"
py 'f = [h5py.File("exact%d/run.h5" % p) for p in (1, 2, 4)]
for g in f[1:]:
    assert (g["labels"][:] == f[0]["labels"][:]).all()
    assert np.allclose(g["spectral/eigenvalues"][:], f[0]["spectral/eigenvalues"][:], atol=1e-12)'
ok "labels are the same, eigenvalues nearly so" [ $? = 0 ]
run 2 1 fit --input.data=builtin:glyphs --input.rows=60000 --cluster.method=spectral --cluster.on=input --spectral.path=exact --dry-run
expect_error 8 '[0-9.]+ GiB.* [0-9]+ ranks' "a matrix that does not fit"
run 2 1 fit --input.data=builtin:glyphs --input.rows=60000 --cluster.method=dec --cluster.init=spectral --spectral.path=exact --dry-run
expect_error 8 '[0-9.]+ GiB.* [0-9]+ ranks' "nor as the start of another method"

# ---- The number of clusters ------------------------------------------------------------------------------------------------------

args=("${raw[@]}" --spectral.path=knn --spectral.neighbors=6 --cluster.clusters=auto --spectral.max_clusters=8)
unset 'args[5]' # another number of clusters
args=("${args[@]}")
rm -rf good
run 1 1 "${args[@]}" --run.output=good
expect_exit 0 "auto"
expect_out 'gap after number 3: .*, the largest: so many clusters' "the gap"
is "$(result_value clusters)" 3 "three clusters"
expect_match good/config.used.yaml 'clusters: auto' "the deck keeps its word"
same_bits_elsewhere "auto"
if [ -n "${DCMPI_ALL:-}" ]; then
    keep_all "auto"
    continue_from spectral "$(steps_of spectral | sed -n 2p)"
    continue_first kmeans
    continue_from cluster 0
fi
run 1 1 "${args[@]}" --run.output=good
expect_out 'complete and belongs to this deck' "the same command finds it complete"
args=("${raw[@]}" --spectral.path=landmark --spectral.landmarks=50 --spectral.affinity=gaussian --cluster.clusters=auto
    --spectral.max_clusters=6)
unset 'args[5]'
args=("${args[@]}")
run 2 1 "${args[@]}" --run.output=lm
expect_exit 0 "auto with landmarks"
run 2 1 predict --model=lm/run.h5 --input=blobs.h5 --output=own.h5 --force
expect_exit 0 "which predict"
run 1 1 "${common[@]:0:5}" --cluster.method=aekm --cluster.on=input --cluster.clusters=auto
expect_error 2 'cluster.clusters = auto needs a method that chooses' "auto with another method"
args=("${common[@]:0:5}" "--model.encoder=dense 8 relu, dense 3" --pretrain.epochs=4 --pretrain.batch=50 --pretrain.lr=0.05
    --cluster.method=spectral --cluster.clusters=auto --spectral.path=knn --spectral.neighbors=6 --spectral.max_clusters=8)
rm -rf good
run 1 1 "${args[@]}" --run.output=good
expect_exit 0 "auto on an embedding"
K=$(sed -nE 's/.*gap after number ([0-9]+): .*, the largest: so many clusters.*/\1/p' "$out")
is "$(py 'f = h5py.File("good/run.h5"); print(f["embedding"].shape, f["spectral/embedding"].shape, f["cluster_centers"].shape)')" "(400, 3) (400, $K) ($K, 3)" "so many clusters of the embedding"
keep_all "auto on an embedding"
continue_from pretrain "$(steps_of pretrain | tail -n 1)"
continue_from spectral "$(steps_of spectral | sed -n 2p)"
continue_first kmeans
run 1 1 "${common[@]:0:5}" --cluster.clusters=many
expect_error 2 "cluster.clusters = 'many' is not a valid integer or auto, allowed: 1.." "no number"

# ---- As a start ------------------------------------------------------------------------------------------------------------------

dec=("${common[@]}" "--model.encoder=dense 8 relu, dense 3" --pretrain.epochs=4 --pretrain.batch=50 --pretrain.lr=0.05
    --cluster.method=dec --cluster.batch=50 --cluster.max_iter=10 --cluster.tol=0)
for start in spectral gmm; do
    args=("${dec[@]}" --cluster.init="$start")
    [ $start = gmm ] || args+=(--spectral.path=knn)
    rm -rf good
    run 1 1 "${args[@]}" --run.output=good
    expect_exit 0 "dec from $start"
    expect_out "$([ $start = gmm ] && echo 'mixture +best of' || echo 'spectral +Lanczos')" "the clusters of $start"
    same_bits_elsewhere "dec from $start"
    [ $start = spectral ] || [ -n "${DCMPI_ALL:-}" ] || continue
    keep_all "dec from $start"
    [ $start = gmm ] || continue_from spectral "$(steps_of spectral | sed -n 2p)"
    continue_first kmeans
    [ $start = gmm ] || expect_no_out 'Lanczos' "k-means goes on with the embedding that was kept"
    continue_first cluster
done
run 1 1 "${dec[@]}" --cluster.init=spectral --spectral.path=landmark --spectral.affinity=cosine --spectral.landmarks=20 --run.output=lm2
expect_exit 0 "dec from landmarks"
run 1 1 "${dec[@]}" --spectral.path=knn
expect_error 2 'spectral.path is not used: cluster.method is dec' "keys without use"
run 1 1 "${common[@]}" --cluster.method=gmm --cluster.init=spectral
expect_error 2 'cluster.init = spectral is for methods that train; cluster.method = gmm starts from kmeans or weights' \
    "a method that starts otherwise"

# ---- Refused ---------------------------------------------------------------------------------------------------------------------

run 2 1 "${raw[@]}" --spectral.path=landmark --spectral.affinity=gaussian --spectral.landmarks=400
expect_error 3 '400 rows are not more than spectral.landmarks = 400' "as many landmarks as rows"
run 2 1 "${raw[@]}" --spectral.path=landmark
expect_error 2 'spectral.path = landmark needs spectral.affinity = gaussian or cosine' "an affinity that new rows have not"
run 2 1 "${raw[@]}" --spectral.path=landmark --spectral.affinity=cosine --spectral.normalize=walk
expect_error 2 'needs spectral.normalize = unit' "a scaling that new rows have not"
run 2 1 "${raw[@]}" --spectral.path=knn --spectral.neighbors=400
expect_error 3 '400 rows have no 400 other rows each' "too many neighbours"
done_testing
