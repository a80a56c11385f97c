/* Private to app/: floats that a training step of some layers takes, for estimate.c. */
#ifndef DCMPI_APP_ESTIMATE_STEP_H
#define DCMPI_APP_ESTIMATE_STEP_H

#include "dcmpi/config.h"
#include "dcmpi/optim.h"
#include "dcmpi/outer.h"

/* Layers that are trained together, and how. */
typedef struct {
    int n; /* layers */
    int64_t width[DC_MAX_LAYERS + 1];
    bool tied[DC_MAX_LAYERS]; /* has no weights of its own */
    int64_t batch;            /* rows over all ranks, at most those of the data */
    const dc_opt_config *opt;
    bool noisy;
    dc_outer_way way;
} dc_step_layers;

/* Sum of width[from, to). */
double dc_step_widths(const dc_step_layers *f, int from, int to);
/* Weights and biases. */
double dc_step_params(const dc_step_layers *f);
/* Gradient and moments, where this rank updates them. */
double dc_step_state(const dc_step_layers *f, const dc_part *part);
/* Deltas, messages and transposed weights: what is there before the first step. */
double dc_step_buffers(const dc_step_layers *f, const dc_part *part);
/* Activations: what the first step writes to. */
double dc_step_activations(const dc_step_layers *f, const dc_part *part);

#endif
