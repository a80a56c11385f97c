/* Gradient of a whole training step against central differences, for every step of every method: encoder, decoder,
 * centres; of a full batch and of the short one that ends an epoch. ranks: 1  ranks_long: 3 */
#include "check.h"

#include "dcmpi/log.h"
#include "ref/one_step.h"
#include "t71_help.h"

enum { SAMPLES = 60, CHOSEN_MAX = 2 * SAMPLES };

/* A step without its update: the loss of its batch at these weights, and their gradient in the slab. */
static double loss_at(dc_comm *comm, clustering_setup *s, int which, int64_t step)
{
    double loss[DC_GRAPH_LOSSES], total = 0;
    dc_params *p = &s->model.params;
    memset(p->grad, 0, p->n * sizeof *p->grad);
    dc_step_run(comm, s->step[which], step, loss);
    one_step_share(comm, s->step[which], p->grad);
    for (int i = 0; i < s->graph[which]->n_losses; i++) total += loss[i];
    return total;
}

/* Of what the step trains of [lo, hi): at most SAMPLES parameters, evenly spread. Returns how many. */
static int spread(const dc_step *step, size_t lo, size_t hi, size_t chosen[SAMPLES])
{
    size_t trained = 0, seen = 0;
    int n = 0;
    for (size_t i = lo; i < hi; i++) trained += one_step_trains(step, i);
    const size_t most = DC_MIN(trained, (size_t)SAMPLES);
    for (size_t i = lo; i < hi; i++) {
        if (!one_step_trains(step, i)) continue;
        if ((size_t)n < most && seen == (size_t)n * trained / most) chosen[n++] = i;
        seen++;
    }
    CHECK_INT(n, most);
    return n;
}

/* Parameters of the autoencoder and of the method. */
static int choose(const clustering_setup *s, const dc_step *step, size_t chosen[CHOSEN_MAX])
{
    const int n = spread(step, 0, s->slab.net.n_params, chosen);
    const int all = n + spread(step, s->slab.net.n_params, s->model.params.n, chosen + n);
    CHECK(all >= 20);
    return all;
}

static void test_step(dc_comm *comm, clustering_setup *s, int which, int64_t batch)
{
    static float grad[CHOSEN_MAX];
    size_t chosen[CHOSEN_MAX];
    double worst = 0, largest = 0;
    const float h = 0.002f;
    const int n = choose(s, s->step[which], chosen);
    clustering_anneal(s, batch);
    loss_at(comm, s, which, batch);
    for (int i = 0; i < n; i++) grad[i] = s->model.params.grad[chosen[i]];
    for (int i = 0; i < n; i++) {
        float *w = &s->model.params.value[chosen[i]];
        const float kept = *w;
        *w = kept + h;
        const double above = loss_at(comm, s, which, batch);
        *w = kept - h;
        const double below = loss_at(comm, s, which, batch);
        *w = kept;
        const double numeric = (above - below) / (2 * (double)h);
        worst = fmax(worst, fabs(numeric - (double)grad[i]));
        largest = fmax(largest, fabs((double)grad[i]));
    }
    if (dc_comm_rank(comm) == 0)
        printf("# %s, step %d, %d floats: largest gradient %g, largest error %g\n", s->method->name, which, n, largest,
               worst);
    CHECK(largest > 1e-3);
    CHECK(worst < 0.01 * largest);
}

static void test_method(dc_comm *comm, const dc_method *method, bool strict, int64_t gather_rows, int64_t batch)
{
    clustering_setup s;
    int learns = 0;
    clustering_open(comm, method, strict, gather_rows, 6, &s);
    for (int i = 0; i < method->n_steps; i++)
        if (s.graph[i]->n_losses > 0) {
            test_step(comm, &s, i, batch);
            learns++;
        }
    CHECK(learns > 0);
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
