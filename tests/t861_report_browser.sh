#!/usr/bin/env bash
# The report in a real browser: it paints, in a wide and a narrow window, and nothing overflows to the side.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/browser_help.sh
. "$root/tests/browser_help.sh"
need_browser

run 1 1 --input.rows=600 '--model.hidden=[32]' --pretrain.epochs=3 --cluster.max_iter=40 \
    --cluster.update_interval=10 --run.output=glyphs
expect_exit 0 "a small run"
run_cmd "$python" "$root/tools/report.py" glyphs
expect_exit 0 "report"
expect_painted glyphs/report.html
expect_narrow glyphs/report.html
done_testing
