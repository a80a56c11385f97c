#!/usr/bin/env bash
# long: yes  limit: 3600
# t567 on more numbers of ranks and threads, with all reductions of sparse rows.
DCMPI_ALL=1 exec bash "$(dirname "$0")/t567_reduce_runs.sh"
