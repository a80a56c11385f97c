#!/usr/bin/env bash
# jobs/prepare-data.sh with the real data sets; a conversion that is killed leaves nothing that stops the next one.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
need_data mnist
need_data usps

export DCMPI=$dcmpi
run_cmd "$root/jobs/prepare-data.sh" "$data" h5
expect_exit 0 "prepare-data.sh"
expect_out 'mnist.h5: 70000 x 784 uint8, labels 10 classes, min 0 max 255 mean 33.386' "MNIST"
expect_out 'usps.h5: 9298 x 256 float32, labels 10 classes, min -1 max 1' "USPS"
expect_out '(optdigits.h5: 5620 x 64 uint8, labels 10 classes, min 0 max 16|optdigits: not in)' "optdigits"
before=$(stat -c %Y.%i h5/mnist.h5)
run_cmd "$root/jobs/prepare-data.sh" "$data" h5
expect_out 'mnist.h5: already there' "what is there is kept"
is "$(stat -c %Y.%i h5/mnist.h5)" "$before" "and not touched"
mkdir none
run_cmd "$root/jobs/prepare-data.sh" none h5-none
expect_exit 3 "no data set"
expect_out 'mnist: not in none; get it from http' "says where to get one"
run_cmd "$root/jobs/prepare-data.sh"
expect_exit 2 "without arguments"

for delay in 0.02 0.1 0.2; do
    timeout -s KILL "$delay" "$dcmpi" convert "$data/usps/zip.train.gz" killed.h5 --label-column=first >/dev/null 2>&1
    rm -f killed.h5
    run 0 1 convert "$data/usps/zip.train.gz" killed.h5 --label-column=first
    expect_exit 0 "again after a kill at $delay s"
    expect_no_file killed.h5.part "no temporary file stays"
done
done_testing
