#!/usr/bin/env bash
# long: yes  limit: 3600
# t716 on every number of ranks and threads, and from more steps.
DCMPI_ALL=1 exec bash "$(dirname "$0")/t716_methods.sh"
