#!/usr/bin/env bash
# long: yes  limit: 1800
# t913 for every kind of thing under every name.
DCMPI_EVERY=true exec bash "$(dirname "$0")/t913_folder.sh"
