/* Expands gzip, bzip2, xz and zstd, recognised by their first bytes. No other module uses their libraries. */
#ifndef DCMPI_CONVERT_UNPACK_H
#define DCMPI_CONVERT_UNPACK_H

#include "dcmpi/base.h"

typedef struct dc_unpack dc_unpack;

/* What a step found. */
typedef enum {
    DC_UNPACK_MORE, /* one of the two buffers is used up */
    DC_UNPACK_END   /* a member is complete; what follows is another one, or the end */
} dc_unpack_state;

/* "gzip", "bzip2", "xz" or "zstd" if a file that begins with p[n] is of this kind; NULL: none of them. */
const char *dc_unpack_recognise(const uint8_t *p, size_t n);
/* kind: as recognised. name: the file's name, for messages; borrowed. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_unpack_open(dc_unpack **out, const char *kind, const char *name);
void dc_unpack_close(dc_unpack **u);
const char *dc_unpack_kind(const dc_unpack *u);

/* Expands bytes of in[*n_in] into out[*n_out]; *n_in and *n_out become the bytes used of each. Errors: DC_ERR_DATA
 * (damaged, or wants more memory than DC_UNPACK_MEMORY), DC_ERR_MEMORY. */
enum { DC_UNPACK_MEMORY = 256 << 20 };
DC_CHECKED dc_status dc_unpack_step(dc_unpack *u, const uint8_t *in, size_t *n_in, uint8_t *out, size_t *n_out,
                                    dc_unpack_state *state);
/* To be called after DC_UNPACK_END if another member follows. */
DC_CHECKED dc_status dc_unpack_again(dc_unpack *u);
/* Most bytes that one compressed byte can stand for; 0: no useful bound. */
uint64_t dc_unpack_max_ratio(const dc_unpack *u);

#endif
