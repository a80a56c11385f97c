/* What a run trains or keeps, by name: where networks and tensors lie in the one slab of floats that each rank holds
 * [networks | tensors]. Weights in checkpoints and results, replica checks and the memory of a run follow this list; no
 * one else enumerates them. */
#ifndef DCMPI_SLAB_H
#define DCMPI_SLAB_H

#include "dcmpi/graph.h"

enum { DC_SLAB_NETS = 3, DC_SLAB_TENSORS = 16 };
typedef struct {
    dc_net net;                /* the autoencoder, first in the slab */
    dc_net more[DC_SLAB_NETS]; /* those of the method, trained: a discriminator */
    int n_more;
    dc_tensor tensor[DC_SLAB_TENSORS]; /* those of the method, in the order in which they were added */
    int n_tensors;
    size_t n;     /* floats in all */
    dc_status st; /* DC_OK, or the first error of what was added */
} dc_slab;

/* Of the autoencoder alone. */
void dc_slab_init(dc_slab *s, const dc_net *net);
/* A network of its own for rows of D columns, from a text (net_text.h), with layers "name_0", "name_1" ...; an error in
 * the text becomes s->st. */
void dc_slab_add_net(dc_slab *s, const char *name, int64_t D, const char *text);
/* The network that was added under this name, NULL: there is none. */
const dc_net *dc_slab_net(const dc_slab *s, const char *name);
/* A tensor [n x width]; trained: by gradients; false: moved by the method (dc_move), or constant. name: static text,
 * unique. */
void dc_slab_add(dc_slab *s, const char *name, int64_t n, int64_t width, bool trained);
/* NULL: there is none of this name. */
const dc_tensor *dc_slab_find(const dc_slab *s, const char *name);

/* One array of a slab as files know it. */
typedef struct {
    char name[2 * DC_LAYER_NAME_MAX]; /* "encoder_0/weight", "centers" */
    int n_dims;
    int64_t dim[2];
    size_t at; /* first float */
} dc_slab_array;
/* Network i: the autoencoder, then the others; NULL behind the last. */
const dc_net *dc_slab_net_at(const dc_slab *s, int i);
/* Array i: weights and biases of layers in their order, then the tensors; false behind the last. */
bool dc_slab_at(const dc_slab *s, int i, dc_slab_array *out);

#endif
