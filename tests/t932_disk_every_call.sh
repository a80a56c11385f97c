#!/usr/bin/env bash
# long: yes  limit: 5400
# t930 for every single call.
DCMPI_EVERY=1 exec bash "$(dirname "$0")/t930_disk_calls.sh"
