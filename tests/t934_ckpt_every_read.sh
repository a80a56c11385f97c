#!/usr/bin/env bash
# long: yes  limit: 3600
# t933 for every single read.
DCMPI_EVERY=1 exec bash "$(dirname "$0")/t933_ckpt_reads.sh"
