#!/usr/bin/env bash
# 20,000 clusters of 60,000 rows with names, ids and classes: nothing that runs after k-means makes an array of rows x clusters or
# clusters x clusters (memory, as announced), takes a line per cluster, or minutes: scores, standing, topics, a cap, summary,
# predict, check, export, dedup. And 100,000 clusters of wide rows need a small multiple of their centres.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

py '
rng = np.random.default_rng(888)
C = 3 * abs(rng.normal(size=(300, 8)))
y = rng.integers(0, 300, 60000)
X = abs(C[y] + 0.35 * rng.normal(size=(60000, 8)))
with open("data.csv", "w") as f:
    f.write("id," + ",".join(f"w{i}" for i in range(8)) + ",class\n")
    for i, (row, c) in enumerate(zip(X, y)):
        f.write(f"r{i}," + ",".join(f"{v:.3f}" for v in row) + f",c{c}\n")
'
run 1 1 convert data.csv data.h5 --id-column=id --label-column=class
expect_exit 0 "the data"
run 2 1 kmeans --input.data=data.h5 --input.scale=none "--cluster.levels=[200,100]" --cluster.n_init=1 \
    --cluster.kmeans_max_iter=5 --cluster.max_size=9 --output.rows=full --run.output=many --run.log_interval=0.01s
expect_exit 0 "20,000 clusters"
expect_out 'k-means   start, [0-9]+ of 200 centres drawn' "the log says where the start is"
expect_out 'RESULT .*acc=0.[0-9]+ .*clusters=20000 empty=0' "with scores"
ok "few lines in the log" test "$(wc -l <many/log.txt)" -lt 70
ok "a short summary" test "$(stat -c %s many/summary.json)" -lt 200000
announced=$(sed -nE 's/.*memory +about ([0-9.]+) GiB per rank .*, ([0-9.]+) more on rank 0.*/\1 \2/p' "$out")
is "$(py "
f = h5py.File('many/run.h5')
a, b = map(float, '$announced'.split())
peak = f['timing'].attrs['memory_peak_bytes'] / 2**30
print(peak < 0.25, peak <= a + b, f['clusters/size'][:].max() <= 9, f['topics/terms'].shape, 'rows/rank' in f)")" \
    "True True True (20000, 10) True" "memory as announced, and far below rows x clusters"
run 2 1 predict --model=many/run.h5 --input=data.h5 --output=again.h5
expect_exit 0 "predict"
is "$(py 'print((h5py.File("many/run.h5")["labels"][:] == h5py.File("again.h5")["labels"][:]).mean() > 0.95)')" True "most rows are where the cap left them"
run 1 1 check many/run.h5
expect_exit 0 "check"
run 2 1 dedup many/run.h5 --cosine=0.9999 --on=input --output=dedup.h5
expect_exit 0 "dedup"
run_cmd /usr/bin/python3 "$root/tools/export.py" many/run.h5 rows.csv
expect_exit 0 "export"
run 2 1 kmeans --input.data=builtin:embeddings,rows=1000000,width=768,type=float16 --input.scale=none --cluster.clusters=100000 \
    --cluster.n_init=1 --run.output=wide --dry-run
work=$(sed -nE 's/.*memory +about .*, work ([0-9.]+)\).*/\1/p' "$out")
is "$(py "print($work > 1, $work < 11 * 100000 * 768 * 4 / 2**30)")" "True True" "100,000 centres of 768 columns take less than eleven times their size"
done_testing
