#!/usr/bin/env bash
# input.scale: pca of more than 4,096 rows and columns, for a share of their variance: the number of components that numpy finds,
# on 1 and 3 ranks, with the same labels; memory is announced before. long: yes
# limit: 900
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
py '
r = np.random.default_rng(574)
x = r.standard_normal((4101, 60)) * 0.9 ** np.arange(60) @ r.standard_normal((60, 4100)) + 0.01 * r.standard_normal((4101, 4100))
x += 5 * r.standard_normal((3, 4100))[np.arange(4101) % 3] * 0.5
np.save("x.npy", x.astype("f4"))' >/dev/null
expected=$(py '
x = np.load("x.npy").astype("f8")
v = np.linalg.eigvalsh(np.cov(x.T))[::-1]
print(int((np.cumsum(v) / v.sum() <= 0.97).sum()) + 1)')
for p in 1 3; do
    run "$p" 1 kmeans --input.data=x.npy --input.scale=pca --input.variance=0.97 --cluster.clusters=3 --parallel.shards=8 --run.output="on$p"
    expect_exit 0 "$p ranks"
    expect_out "scaling +4100 columns -> $expected principal components, 9[78].* % of the variance" "the number that numpy finds, $p ranks"
done
is "$(py '
for p in (1, 3):
    print(len(set(zip(h5py.File("on%d/run.h5" % p)["labels"][:], np.arange(4101) % 3))), end=" ")')" "3 3 " "the three groups on each"
run 1 1 kmeans --input.data=x.npy --input.scale=pca --input.variance=1 --cluster.clusters=3 --parallel.shards=8 --run.output=most --dry-run
expect_exit 0 "all that vary, announced"
done_testing
