/* Which part of the inputs each rank reads: contiguous parts, in the order of the inputs, of about equally many bytes.
 * Files that cannot be read from the middle (compressed ones, UTF-16, tables whose quoted cells may hold line ends)
 * belong to one rank as a whole. Local; the same on all ranks. */
#ifndef DCMPI_CONVERT_SHARES_H
#define DCMPI_CONVERT_SHARES_H

#include "dcmpi/file.h"

typedef struct {
    int64_t bytes; /* as stored */
    int64_t whole; /* 1: cannot be cut */
    dc_file_state state;
} dc_input_share;

/* A part of an input; all of it if !by_range. */
typedef struct {
    int file;
    bool by_range;
    uint64_t lo, hi;
} dc_piece;

/* The next piece of rank `rank` of P among n files, starting at file *next, which is 0 at first; false at the end. */
bool dc_shares_next(const dc_input_share *share, int n, int rank, int P, int *next, dc_piece *piece);
/* Bytes of a piece, as work to be done. */
int64_t dc_shares_bytes(const dc_input_share *share, const dc_piece *piece);

#endif
