/* Built-in data: rows that each rank makes itself, for runs without files. A row is a function of the seed and of its
 * global number, whichever rank or thread makes it. */
#ifndef DCMPI_BUILTIN_H
#define DCMPI_BUILTIN_H

#include "dcmpi/base.h"

/* ---- Names: builtin:KIND[,KEY=VALUE...] -------------------------------------------------------------------------- */

#define DC_BUILTIN_GLYPHS "builtin:glyphs"
#define DC_BUILTIN_EMBEDDINGS "builtin:embeddings"
enum { DC_GLYPH_SIDE = 28, DC_GLYPH_PIXELS = 784, DC_GLYPH_CLASSES = 10, DC_GLYPH_ROWS_DEFAULT = 10000 };

typedef enum { DC_DATA_GLYPHS, DC_DATA_EMBEDDINGS } dc_builtin_kind;

/* What a name says. Plain data. */
typedef struct {
    dc_builtin_kind kind;
    dc_gidx rows;   /* how many rows there are, if `sized`; else how many there are by default */
    bool sized;     /* rows=: no more can be had */
    dc_gidx first;  /* number of the first of them */
    int64_t seed;   /* -1: that of the run */
    int64_t D;      /* width */
    int64_t C;      /* classes: shapes, or parts of the mixture */
    dc_dtype dtype; /* glyphs: uint8; embeddings: float16 or float32 */
    /* embeddings (embeddings.c) */
    double exponent;   /* sizes of the parts fall with this power of their number */
    double spread;     /* length of what is added to the centre of a part, which has length 1 */
    double duplicates; /* share of rows that are near copies of earlier ones */
    double cosine;     /* their cosines with these are uniform between this and 1 */
} dc_builtin;

/* Whether a name means built-in data, known or not; a file can still be named ./builtin:x. */
bool dc_builtin_is(const char *name);
enum { DC_BUILTIN_WHY_MAX = 256 };
/* false: why[DC_BUILTIN_WHY_MAX] says what is wrong with the name. */
bool dc_builtin_parse(const char *name, dc_builtin *b, char *why);

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

/* Bytes of the longest of the ids of the first N rows; 0: they have none. Rows have ids if some of them are copies:
 * "17" is row 17, "17~3" is row 17, a near copy of row 3. */
size_t dc_builtin_id_bytes(const dc_builtin *b, dc_gidx N);
/* Makes n rows from the lo-th on (0 is b->first): X[n x D] unless NULL, classes y[n], and ids[n x id_bytes], padded
 * with zeros, if id_bytes > 0. seed: of the run. Local, threaded. Errors: DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_builtin_make(const dc_builtin *b, uint64_t seed, dc_gidx lo, int64_t n, void *X, int32_t *y,
                                     char *ids, size_t id_bytes);

/* The values alone, by the calling thread; scratch[dc_builtin_scratch_bytes()], aligned for double. Safe inside
 * parallel regions. */
void dc_builtin_rows(const dc_builtin *b, uint64_t seed, dc_gidx lo, int64_t n, void *X, void *scratch);
size_t dc_builtin_scratch_bytes(const dc_builtin *b);

/* One glyph of random class, pose, pen and brightness, white on black. row >= 0. out[784]: row-major 28 x 28 grey
 * values. Returns the class 0..9; classes are equally likely. Safe inside parallel regions; takes about 10 us. */
int dc_glyph_row(uint64_t seed, dc_gidx row, uint8_t out[DC_GLYPH_PIXELS]);
/* Its class alone. */
int dc_glyph_class(uint64_t seed, dc_gidx row);

#endif
