#!/usr/bin/env bash
# long: yes  limit: 3600
# t968 for more checkpoints.
DCMPI_EVERY=true exec bash "$(dirname "$0")/t968_odd_checkpoint.sh"
