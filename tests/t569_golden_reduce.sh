#!/usr/bin/env bash
# tests/golden/reduce.txt is what tools/golden_reduce.py makes with the scikit-learn of today.
# long: yes
# limit: 600
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/golden_help.sh
. "$root/tests/golden_help.sh"
need_packages scikit-learn
run_cmd "$python" "$root/tools/golden_reduce.py" "$tmp/reduce.txt"
expect_exit 0 "the numbers are made"
expect_stored reduce.txt
done_testing
