/* What a run trains or keeps, by name: where networks and tensors lie in the slab of floats [networks | tensors] that
 * each rank holds. This is the only such list: weights in checkpoints and results, replica checks and memory estimates
 * follow it. */
#ifndef DCMPI_SLAB_H
#define DCMPI_SLAB_H

#include "dcmpi/graph.h"

enum { DC_SLAB_NETS = 3, DC_SLAB_TENSORS = 16 };
typedef struct {
    dc_net net;                /* the autoencoder, first in the slab */
    dc_net more[DC_SLAB_NETS]; /* trained networks of the method, such as a discriminator */
    int n_more;
    dc_tensor tensor[DC_SLAB_TENSORS]; /* tensors of the method, in the order in which they were added */
    int n_tensors;
    size_t n;              /* floats in all */
    const char *unit_rows; /* the setting of a method that needs all data in [0, 1], as "vae.loss = bce"; or NULL */
    dc_status st;          /* DC_OK, or the first error while adding */
} dc_slab;

/* Makes a slab that has only the autoencoder. */
void dc_slab_init(dc_slab *s, const dc_net *net);
/* Adds a separate network for rows of D columns, from a text (net_text.h), with layers "name_0", "name_1" ...; an error
 * in the text becomes s->st. */
void dc_slab_add_net(dc_slab *s, const char *name, int64_t D, const char *text);
/* The network added under this name, or NULL. */
const dc_net *dc_slab_net(const dc_slab *s, const char *name);
/* Adds a tensor [n x width]. trained: whether gradients train it; if not, the method moves it (dc_move) or it is
 * constant. name: unique, static text. */
void dc_slab_add(dc_slab *s, const char *name, int64_t n, int64_t width, bool trained);
/* The tensor of this name, or NULL. */
const dc_tensor *dc_slab_find(const dc_slab *s, const char *name);

/* One array of a slab, as stored in files. */
typedef struct {
    char name[2 * DC_LAYER_NAME_MAX]; /* "encoder_0/weight", "centers" */
    int n_dims;
    int64_t dim[2];
    size_t at; /* first float */
} dc_slab_array;
/* Network i: the autoencoder, then the others; NULL after the last. */
const dc_net *dc_slab_net_at(const dc_slab *s, int i);
/* Array i: weights and biases of the layers in order, then the tensors; false after the last. */
bool dc_slab_at(const dc_slab *s, int i, dc_slab_array *out);

#endif
