/* Private to ckpt*.c: what the code that writes checkpoint files and the code that reads them share. */
#ifndef DCMPI_CKPT_PRIV_H
#define DCMPI_CKPT_PRIV_H

#include "dcmpi/ckpt.h"
#include "dcmpi/h5.h"

/* "dcmpi-ckpt xxh3-128 " + 32 hex digits + padding + newline */
enum { DC_CKPT_TRAILER_BYTES = 64 };
void dc_ckpt_make_trailer(char out[DC_CKPT_TRAILER_BYTES], uint64_t high, uint64_t low);

DC_CHECKED dc_status dc_ckpt_put_header(dc_h5 *h5, const dc_ckpt_header *header);
/* Errors: DC_ERR_FORMAT, DC_ERR_MEMORY; header->deck may be allocated even after an error. */
DC_CHECKED dc_status dc_ckpt_get_header(dc_h5 *h5, const char *path, dc_ckpt_header *header);

extern const char dc_ckpt_group[];      /* the group that holds the arrays */
extern const dc_h5_type dc_ckpt_type[]; /* indexed by dc_state_type */
/* Weights that are not finite must neither be saved nor used. */
bool dc_ckpt_is_finite(dc_state_type type, const void *data, size_t n);

#endif
