#!/usr/bin/env bash
# Clustering without a network (cluster.on: input) and the method gmm. aekm without a network gives the labels and centres of
# `dcmpi kmeans`; methods that train are refused; keys of the network may stay in a deck, but not on the command line. gmm on
# the embedding and on the rows: the same bits on any number of ranks and threads, also when continued within EM and after
# it; predicting a run's own rows gives its labels and confidences; check, info and compare read such results. DCMPI_ALL=1
# (t552): on more ranks and threads, all covariances.
# limit: 600
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/resume_help.sh
. "$root/tests/resume_help.sh"
make_blobs 400 6

# ---- Without a network -----------------------------------------------------------------------------------------------------------

common=(--input.data=blobs.h5 --parallel.shards=8 --cluster.n_init=3 --input.scale=standard)
three=("${common[@]}" --cluster.clusters=3)
run 2 1 kmeans "${three[@]}" --run.output=km
expect_exit 0 "dcmpi kmeans"
run 3 2 fit "${three[@]}" --cluster.method=aekm --cluster.on=input --run.output=in
expect_exit 0 "aekm without a network"
py 'a, b = h5py.File("km/run.h5"), h5py.File("in/run.h5")
assert all((a[k][:] == b[k][:]).all() for k in ("labels", "cluster_centers", "clusters/size"))
assert "embedding" not in b and "model" not in b and b.attrs["method"] in ("aekm", b"aekm") and "confidence" in b'
ok "labels and centres are those of dcmpi kmeans" [ $? = 0 ]
run 0 1 check in/run.h5
expect_exit 0 "check reads it"
run 0 1 info in/run.h5
expect_out '^method +aekm' "info shows the method"

run 0 1 fit "${common[@]}" --cluster.method=dec --cluster.on=input
expect_error 2 'cluster.on = input leaves no network, and cluster.method = dec trains one; .*aekm' "a method that trains"
run 0 1 fit "${common[@]}" --cluster.method=aekm --cluster.on=input --model.latent=5
expect_error 2 '--model.latent: key model.latent is not used: cluster.on is input' "a key of the network"
cat >deck.yaml <<DECK
input: {data: blobs.h5, scale: standard}
model: {latent: 4, hidden: [7]}
pretrain: {epochs: 2}
cluster: {method: aekm, on: input, clusters: 3}
DECK
run 1 1 fit deck.yaml --dry-run
expect_exit 0 "a deck may keep its network"
expect_out 'NOTE .*model.hidden, model.latent, pretrain.epochs \(cluster.on is input\)' "with a note"
expect_no_out 'pretrain: about' "there is no pretraining"

# ---- gmm -------------------------------------------------------------------------------------------------------------------------

own_rows() { # WHAT: predicts the rows of good/ and compares
    run 3 1 predict --model=good/run.h5 --input=blobs.h5 --output=own.h5 --force
    expect_exit 0 "$1: predict"
    py 'a, b = h5py.File("good/run.h5"), h5py.File("own.h5")
assert all((a[k][:] == b[k][:]).all() for k in ("labels", "confidence")) and ("embedding" in a) == ("embedding" in b)'
    ok "$1: own rows get their labels and confidences" [ $? = 0 ]
}

for covariance in full ${DCMPI_ALL:+tied diagonal} spherical; do
    args=(fit "${three[@]}" --cluster.method=gmm --cluster.on=input --gmm.covariance="$covariance")
    rm -rf good
    run 1 1 "${args[@]}" --run.output=good
    expect_exit 0 "gmm of $covariance covariances on the rows"
    expect_out 'mixture +best of 1 starts: .*BIC' "$covariance: what was found"
    number_between "$(result_value acc)" 0.99 1 "$covariance: the three blobs"
    own_rows "$covariance"
    same_bits_elsewhere "$covariance"
done
py 'f = h5py.File("good/run.h5")
n, d, K, ll = 400, 6, 3, f["gmm/log_likelihood"][0]
p = K * d + K - 1 + K
assert abs(f["gmm/bic"][0] - (p * np.log(n) - 2 * n * ll)) < 1e-6 and abs(f["gmm/aic"][0] - (2 * p - 2 * n * ll)) < 1e-6'
ok "criteria by their definition" [ $? = 0 ]

args=(fit "${common[@]}" "--model.encoder=dense 8 relu, dense 3" --pretrain.epochs=4 --pretrain.batch=50 --pretrain.lr=0.05
    --cluster.method=gmm --cluster.clusters=4 --gmm.n_init=3 --gmm.tol=1e-6)
rm -rf good
run 1 1 "${args[@]}" --run.output=good
expect_exit 0 "gmm on the embedding"
own_rows "embedding"
same_bits_elsewhere "embedding"
run 2 1 "${args[@]}" --run.output=all --checkpoint.every=0.000000001s --checkpoint.keep=1000
expect_same all "saved all the time"
list_saved all
number_between "$(grep -c ' mixture ' saved.txt)" 9 400 "checkpoints within EM"
continue_from mixture 2
expect_no_out 'k-means +best of 3 ' "within EM, k-means is not repeated"
continue_from mixture 3 2
continue_from mixture 2 3
continue_from mixture "$(awk '$2 == "mixture" { s = $3 } END { print s }' saved.txt)"
continue_from kmeans 1
continue_from cluster 0

# ---- As the final step, and as a start ---------------------------------------------------------------------------------------------

args=(fit "${common[@]}" "--model.encoder=dense 8 relu, dense 3" --pretrain.epochs=4 --pretrain.batch=50 --pretrain.lr=0.05
    --cluster.method=idec --cluster.clusters=4 --cluster.batch=50 --cluster.max_iter=10 --cluster.tol=0 --cluster.final=gmm_tied
    --gmm.n_init=2 --gmm.reg=1e-5)
rm -rf good all
run 1 1 "${args[@]}" --run.output=good
expect_exit 0 "a mixture as the final step"
expect_out 'mixture +best of 2 starts' "it is fitted, as the section gmm says"
py 'f = h5py.File("good/run.h5")
assert f["model/final_factors"].shape == (3, 3) and np.allclose(np.exp(f["model/final_log_weights"][:]).sum(), 1, atol=1e-5)
x, m, F, w = f["embedding"][:], f["cluster_centers"][:], f["model/final_factors"][:], f["model/final_log_weights"][0]
g = w - .5 * (((x[:, None] - m[None]) @ F) ** 2).sum(2)
assert (g.argmax(1) == f["labels"][:]).mean() > .99 and np.isclose(f["confidence"][:], (np.exp(g - g.max(1)[:, None]) /
    np.exp(g - g.max(1)[:, None]).sum(1)[:, None]).max(1), atol=1e-3).all()'
ok "labels and confidences are those of the mixture" [ $? = 0 ]
own_rows "final step"
same_bits_elsewhere "final step"
run 2 1 "${args[@]}" --run.output=all --checkpoint.every=0.000000001s --checkpoint.keep=1000
list_saved all
continue_from final_mixture 2
continue_from cluster 10 2
disk_of() { # START: GiB on disk
    run 1 1 fit "${common[@]}" "--model.encoder=dense 120 relu, dense 100" --cluster.method=idec --cluster.clusters=50 \
        --cluster.init="$1" --run.output=disk --dry-run
    sed -nE 's/^disk +about ([0-9.]+) GiB.*/\1/p' "$out"
}
plain=$(disk_of kmeans)
number_between "$(disk_of gmm)" "$(awk -v x="$plain" 'BEGIN { print x + 0.01 }')" 1 "GiB with the state of a mixture, $plain without"
run 1 1 "${args[@]}" --cluster.final_kmeans=true --run.output=two
expect_error 2 'cluster.final and cluster.final_kmeans are two final steps' "two final steps"
run 1 1 "${args[@]}" --gmm.covariance=full --run.output=two
expect_error 2 'gmm.covariance is not used: cluster.method is idec' "the covariance is in cluster.final"

args=(fit "${common[@]}" "--model.encoder=dense 8 relu, dense 3" --pretrain.mode=none --cluster.method=dcan --cluster.batch=50
    --cluster.clusters=4 --cluster.max_iter=10 --cluster.update_interval=5 --cluster.tol=0 --dcan.variance=diagonal)
rm -rf good
run 1 1 "${args[@]}" --run.output=good
mv good plain
run 1 1 "${args[@]}" --run.output=dry --dry-run
expect_out '^phase +refit: about' "the k-means of refreshes is announced"
run 1 1 "${args[@]}" --dcan.parameters=gmm --run.output=good
expect_exit 0 "dcan from a mixture"
py 'a, b = (h5py.File(f + "/run.h5")["model/deviations"][:] for f in ("plain", "good"))
assert (a != b).all() and (b > 0).all()'
ok "it draws with the deviations of a mixture" [ $? = 0 ]
args+=(--dcan.parameters=gmm)
same_bits_elsewhere "dcan from a mixture"

run 1 1 fit "${three[@]}" --cluster.method=gmm --cluster.on=input --gmm.max_iter=1 --gmm.tol=0 --run.output=short
expect_exit 0 "an end by gmm.max_iter"
expect_out 'WARNING.*gmm.max_iter=1 ' "warns"
run 2 1 fit "${common[@]}" --cluster.method=gmm --cluster.on=input --cluster.clusters=401 --run.output=many
expect_error 3 '400 rows < 401 clusters' "more clusters than rows"
done_testing
