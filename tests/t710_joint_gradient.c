/* Gradient of a whole training step against central differences, for every method that trains: encoder, decoder,
 * centres; of a full batch and of the short one that ends an epoch. ranks: 1 3 */
#include "check.h"

#include "dcmpi/log.h"
#include "ref/one_step.h"
#include "t71_help.h"

enum { SAMPLES = 60 };

/* A step without its update: the loss of its batch at these weights, and their gradient in the slab. */
static double loss_at(dc_comm *comm, clustering_setup *s, int64_t step)
{
    double loss[DC_GRAPH_LOSSES], total = 0;
    dc_params *p = &s->model.params;
    memset(p->grad, 0, p->n * sizeof *p->grad);
    dc_step_run(comm, s->step, step, loss);
    one_step_share(comm, s->step, p->grad);
    for (int i = 0; i < s->graph->n_losses; i++) total += loss[i];
    return total;
}

/* Parameters of the range that the method trains, evenly spread, and all of the centres. */
static size_t parameter(const clustering_setup *s, size_t lo, int i)
{
    const size_t n = s->model.params.n, extra = s->model.params.n_extra;
    if ((size_t)i < extra) return n - extra + (size_t)i;
    return lo + ((size_t)i - extra) * (n - extra - lo) / SAMPLES;
}

static void test_method(dc_comm *comm, const dc_method *method, bool strict, int64_t gather_rows, int64_t batch)
{
    clustering_setup s;
    clustering_open(comm, method, strict, gather_rows, 6, &s);
    const size_t lo = method->flags & DC_METHOD_RECONSTRUCTS ? 0 : s.net.n_decoder;
    float *value = s.model.params.value;
    static float grad[SAMPLES + K * L];
    double worst = 0, largest = 0;
    loss_at(comm, &s, batch);
    for (int i = 0; i < SAMPLES + K * L; i++) grad[i] = s.model.params.grad[parameter(&s, lo, i)];
    for (int i = 0; i < SAMPLES + K * L; i++) {
        const float h = 0.02f;
        float *w = &value[parameter(&s, lo, i)];
        const float kept = *w;
        *w = kept + h;
        const double above = loss_at(comm, &s, batch);
        *w = kept - h;
        const double below = loss_at(comm, &s, batch);
        *w = kept;
        const double numeric = (above - below) / (2 * (double)h);
        worst = fmax(worst, fabs(numeric - (double)grad[i]));
        largest = fmax(largest, fabs((double)grad[i]));
    }
    printf("# %s: largest gradient %g, largest error %g\n", method->name, largest, worst);
    CHECK(largest > 1e-3);
    CHECK(worst < 0.01 * largest);
    clustering_close(&s);
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    dc_log_set_active(false);
    const dc_method *m;
    for (int i = 0; (m = dc_method_at(i)) != NULL; i++)
        if (m->flags & DC_METHOD_TRAINS)
            for (int way = 0; way < 3; way++)
                for (int64_t batch = 0; batch < 2; batch++) test_method(comm, m, way > 0, way == 1 ? BATCH : 0, batch);
    return check_done_all(&comm);
}
