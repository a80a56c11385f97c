# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # set or used by lib.sh
# For the tests of longer runs (t975, t976), after lib.sh and resume_help.sh: a small deck with 4 steps in an epoch.
make_blobs 200
cat >deck.yaml <<'DECK'
input: {data: blobs.h5}
model: {hidden: [8], latent: 2}
pretrain: {epochs: 2, batch: 64, lr: 0.1}
cluster: {clusters: 3, n_init: 2, batch: 64, update_interval: 10, max_iter: 20, tol: 0}
DECK

# longer WHAT SHORT LONG [P T]: starts a run with the options SHORT and continues it with LONG on P ranks of T threads; the
# result and records must be those of a run that had LONG from the start.
longer() {
    local what=$1 short=$2 long=$3 P=${4:-2} T=${5:-1}
    rm -rf good x
    # shellcheck disable=SC2086  # several options
    run 0 1 deck.yaml $long --run.output=good
    expect_exit 0 "$what: from the start"
    # shellcheck disable=SC2086
    run 0 1 deck.yaml $short --run.output=x
    expect_exit 0 "$what: the shorter run"
    # shellcheck disable=SC2086
    run "$P" "$T" deck.yaml $long --run.output=x
    expect_exit 0 "$what: longer"
    expect_same x "$what"
}
