#!/usr/bin/env bash
# long: yes  limit: 3600
# t551 on more numbers of ranks and threads.
DCMPI_ALL=1 exec bash "$(dirname "$0")/t551_gmm.sh"
