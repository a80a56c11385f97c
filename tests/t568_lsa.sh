#!/usr/bin/env bash
# Latent semantic analysis of 20 Newsgroups and k-means, from text to clusters: singular values near those of ARPACK and the
# subspace of scikit-learn's pipeline (tools/golden_reduce.py has no text; the numbers are of TruncatedSVD(100,
# algorithm="arpack") on the same rows), the clusters of that pipeline; a second run into the same folder, although
# the names of the columns are long; the same bits on two ranks.
# long: yes
# limit: 600
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
need_data newsgroups20
limit=300
posts=$data/newsgroups20
run 2 1 convert "$posts/train-stripped.tsv.gz" "$posts/test-stripped.tsv.gz" ng.h5 --text-column=last --label-column=first \
    --min-df=5 --max-df=0.5 --stop-words=english --sublinear-tf
expect_exit 0 "documents to tf-idf rows"
lsa=(kmeans --input.data=ng.h5 --input.scale=none --input.reduce=svd --input.components=100 --input.norm=l2
    --cluster.clusters=20 --cluster.n_init=3)
run 1 2 "${lsa[@]}" --run.output=one
expect_exit 0 "tf-idf, SVD, norm, k-means in one command"
expect_out "reduce +24164 columns -> 100 dimensions by svd: 9.[67][0-9]* % of the variance" "what came of it"
expect_out "^reduction +1 " "its time is told apart from reading"
is "$(py '
s = h5py.File("one/run.h5")["scaling"]
v = s["singular_values"][:]
print(np.allclose(v[[0, 1]], [15.2395, 8.488], rtol=1e-5), 0.98 < v[49] / 3.85308 <= 1, 0.95 < v[99] / 3.42756 <= 1)')" "True True True" "singular values"
number_between "$(sed -nE 's/^RESULT .* acc=([0-9.]+) .*/\1/p' "$out")" 0.3 0.5 "accuracy (scikit-learn: 0.377)"
number_between "$(sed -nE 's/^RESULT .* nmi=([0-9.]+) .*/\1/p' "$out")" 0.33 0.5 "NMI (scikit-learn: 0.378)"
run 1 2 "${lsa[@]}" --run.output=one --run.resume=never
expect_exit 0 "a second run into the same folder"
run 2 1 "${lsa[@]}" --run.output=two
run 0 1 compare one/run.h5 two/run.h5
expect_exit 0 "the same bits on two ranks"
done_testing
