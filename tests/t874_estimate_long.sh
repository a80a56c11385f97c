#!/usr/bin/env bash
# long: yes  limit: 1200
# t872 with all of its cases.
DCMPI_ALL=1 exec bash "$(dirname "$0")/t872_estimate.sh"
