/* Floats of a training step, as step/exec.c and sum/outer*.c take them. */
#include "estimate_step.h"

#include <math.h>

#include "dcmpi/la.h"

double dc_step_widths(const dc_step_layers *f, int from, int to)
{
    double sum = 0;
    for (int l = from; l < to; l++) sum += (double)f->width[l];
    return sum;
}

double dc_step_params(const dc_step_layers *f)
{
    double sum = 0;
    for (int l = 0; l < f->n; l++) sum += ((f->tied[l] ? 0 : (double)f->width[l]) + 1) * (double)f->width[l + 1];
    return sum;
}

double dc_step_state(const dc_step_layers *f, const dc_part *part)
{
    const double moments = dc_opt_moments(f->opt);
    return (1 + moments) * dc_step_params(f) / (f->way == DC_OUTER_ALLREDUCE ? 1 : part->P);
}

/* Weights of the largest layer but the first: transposed for the backward pass. */
static double transposed(const dc_step_layers *f)
{
    double largest = 0;
    for (int l = 1; l < f->n; l++) largest = fmax(largest, (double)f->width[l] * (double)f->width[l + 1]);
    return largest;
}

/* Subtrees that the shards of ranks [first, last) make up. */
static double count_roots(const dc_part *part, int first, int last)
{
    int n = 0;
    for (int r = first; r < last; r++) {
        const int end = dc_part_rank_shard(part, r + 1);
        for (int s = dc_part_rank_shard(part, r); s < end; s += dc_part_root_size(s, end)) n++;
    }
    return n;
}

/* Rows of this rank in a step at most. */
static double step_rows(const dc_step_layers *f, const dc_part *part)
{
    const double shards = part->shard_hi - part->shard_lo, per_shard = ceil((double)f->batch / part->V);
    return fmin((double)f->batch, shards * per_shard);
}

static double buffer_rows(const dc_step_layers *f, const dc_part *part)
{
    return step_rows(f, part) + 2 * DC_ROW_TILE;
}

/* What the ranks exchange for the gradient. */
static double messages(const dc_step_layers *f, const dc_part *part)
{
    const double P = part->P, inputs = dc_step_widths(f, 0, f->n), outputs = dc_step_widths(f, 1, f->n + 1);
    if (P == 1) return 0;
    if (f->way == DC_OUTER_ALLREDUCE) return dc_step_params(f) / P; /* within MPI */
    if (f->way == DC_OUTER_GATHER)
        return (double)f->batch * (inputs + outputs + inputs / P) + step_rows(f, part) * inputs;
    const double own = count_roots(part, part->rank, part->P), all = count_roots(part, 0, part->P);
    return dc_step_params(f) * (2 * own + all / P);
}

double dc_step_buffers(const dc_step_layers *f, const dc_part *part)
{
    const double deltas = buffer_rows(f, part) * dc_step_widths(f, 1, f->n + 1);
    return deltas + messages(f, part) + transposed(f);
}

double dc_step_activations(const dc_step_layers *f, const dc_part *part)
{
    const double noise = f->noisy ? 2 * (double)f->width[0] : 0;
    return buffer_rows(f, part) * (dc_step_widths(f, 0, f->n + 1) + noise);
}
