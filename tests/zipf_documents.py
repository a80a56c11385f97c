#!/usr/bin/env python3
"""Writes documents of random words, whose frequencies follow Zipf's law, as JSON lines; always the same for a seed.

    zipf_documents.py N OUT.jsonl [SEED]        about 400 bytes a document, {"id": ..., "topic": ..., "body": "..."}
"""
import sys

import numpy as np

WORDS, LENGTH, PIECE = 400_000, 86, 50_000


def spell(i):
    """A word of letters for a number, the shorter the smaller the number is."""
    text = ""
    i += 26
    while i:
        text += "etaoinshrdlucmfwypvbgkjqxz"[i % 26]
        i //= 26
    return text


def main():
    """All of it."""
    n, path = int(sys.argv[1]), sys.argv[2]
    rng = np.random.default_rng(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    words = np.array([spell(i) for i in range(WORDS)], dtype=object)
    ends = np.cumsum(1.0 / (np.arange(WORDS) + 2.7) ** 1.05)
    with open(path, "w", encoding="ascii", buffering=1 << 22) as out:
        for first in range(0, n, PIECE):
            rows = min(PIECE, n - first)
            length = rng.integers(8, 2 * LENGTH, rows)
            drawn = words[np.searchsorted(ends, rng.random(int(length.sum())) * ends[-1])]
            at = 0
            for i, m in enumerate(length):
                out.write('{"id": "d%d", "topic": "t%d", "body": "%s"}\n' % (first + i, (first + i) % 7, " ".join(drawn[at:at + m])))
                at += m


if __name__ == "__main__":
    main()
