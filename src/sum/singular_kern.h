/* Private to sum/: products of all rows with a few directions. */
#ifndef DCMPI_SINGULAR_KERN_H
#define DCMPI_SINGULAR_KERN_H

#include "dcmpi/part.h"

typedef struct {
    const dc_rows *rows;
    int64_t l;          /* directions */
    const double *mean; /* [d] what is subtracted from the rows, NULL: nothing */
    double *W;          /* [d x l] */
    float *rough;       /* [d x l] W rounded, sparse rows */
    int64_t *G;         /* [(d + 1) x l] sums in units; its last row: those of the products themselves */
    double unit, one;   /* powers of two; in the last row, `one` stands for 1 */
    /* Scratch: */
    double *offset; /* [l] mean'W, sparse rows */
    double *Y;      /* [chunk x l], dense rows */
    float *y_rough; /* [chunk x l], sparse rows */
    double *X;      /* [chunk x d], dense rows */
    float *row;     /* [threads x tile x d], dense rows */
    double *x;      /* [threads x tile x d], dense rows: in a block */
    double *y;      /* [threads x (l + dc_singular_rows(l)) x l], in products [threads x panel x l] */
    double *work;   /* [threads x dc_qr_work(l)] */
    int64_t *range; /* [ranges + 1] columns that one thread adds up, sparse rows */
    int ranges;
} dc_singular_pass;

/* Local rows of dense data that are converted together, and multiplied together: functions of d, because bits depend on
 * them. */
int64_t dc_singular_tile(int64_t d);
int64_t dc_singular_chunk(const dc_rows *rows);
enum { DC_SINGULAR_PANEL = 64 }; /* columns of dense data whose products are formed together */
/* Rows of a block that are added to its triangle together. */
int64_t dc_singular_rows(int64_t l);

/* Cuts the columns into pass->ranges ranges that hold about as many values of the local rows. count[d]: scratch. */
void dc_singular_cut(dc_singular_pass *pass, int64_t *count);
/* G = X'(XW), and the column sums of XW, over the local rows X minus the mean; threaded. Of sparse rows the mean is
 * subtracted only from XW, W is `rough`, and XW is rounded to floats. */
void dc_singular_products(dc_singular_pass *pass);
/* Rounds W to floats, and keeps them as `rough`; threaded. */
void dc_singular_round(dc_singular_pass *pass);
/* W = G in units, minus what the mean of sparse rows leaves; threaded. */
void dc_singular_next(dc_singular_pass *pass);
/* leaf[l x l]: the triangle of XW over a block. For dc_sum_blocks(). */
void dc_singular_triangle(void *pass, const dc_block *block, int thread, double *leaf);
/* out[d x k] = W V' for V[k x l]; threaded. */
void dc_singular_turn(const dc_singular_pass *pass, int64_t k, const double *V, double *out);
/* W[d x l] = Gaussian numbers; threaded. */
void dc_singular_fill(uint64_t seed, int64_t d, int64_t l, double *W);

/* Leaves of sparse rows, for dc_sum_blocks(): sums[d], counts[d] of the stored values, sum of squares; and the squares
 * of the stored values minus the mean. ctx: a dc_singular_pass. */
void dc_singular_sums(void *pass, const dc_block *block, int thread, double *leaf);
void dc_singular_squares(void *pass, const dc_block *block, int thread, double *leaf);

#endif
