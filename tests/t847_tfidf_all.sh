#!/usr/bin/env bash
# long: yes  limit: 3600
# t848 with all sets of options on 20 Newsgroups.
DCMPI_ALL=1 exec bash "$(dirname "$0")/t848_tfidf.sh"
