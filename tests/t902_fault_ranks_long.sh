#!/usr/bin/env bash
# long: yes  limit: 1800
# t900 for every point and rank.
DCMPI_EVERY=1 exec bash "$(dirname "$0")/t900_fault_points.sh"
