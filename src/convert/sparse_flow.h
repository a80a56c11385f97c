/* All sparse inputs of a conversion as one flow of entries in the order of rows and columns, each place once and
 * without zeros. Inputs that are not in this order are sorted. */
#ifndef DCMPI_CONVERT_SPARSE_FLOW_H
#define DCMPI_CONVERT_SPARSE_FLOW_H

#include "convert/sparse_input.h"

typedef struct {
    const dc_sparse_input *in; /* [n], borrowed */
    int n;
    const char *output;  /* the temporary file lies beside it; borrowed */
    dc_entry_sort *sort; /* NULL: the inputs are in order */
    int64_t repeated;    /* values that were added to one in the same place */
    /* reading */
    int at;       /* input that is being read */
    dc_gidx base; /* its first row */
    bool open;
    dc_sparse_reader reader;
    dc_entry *batch;
    size_t len, next;
    uint64_t last; /* key of the last entry */
    bool begun;
} dc_sparse_flow;

DC_CHECKED dc_status dc_sparse_flow_open(dc_sparse_flow *f, const dc_sparse_input *in, int n, const char *output);
void dc_sparse_flow_close(dc_sparse_flow *f);
/* Starts from the first entry. */
DC_CHECKED dc_status dc_sparse_flow_rewind(dc_sparse_flow *f);
/* The next entry; *found is false at the end. *disorder: the inputs are not in order; then call dc_sparse_flow_sort()
 * and rewind. Errors: DC_ERR_DATA (a place twice in an input that does not add them, a sum that is not finite). */
DC_CHECKED dc_status dc_sparse_flow_next(dc_sparse_flow *f, dc_entry *e, bool *found, bool *disorder);
DC_CHECKED dc_status dc_sparse_flow_sort(dc_sparse_flow *f);

#endif
