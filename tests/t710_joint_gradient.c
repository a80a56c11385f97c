/* Gradient of a whole training step against central differences, for every method that trains: encoder, decoder,
 * centres; of a full batch and of the short one that ends an epoch. ranks: 1 3 */
#include "check.h"

#include "dcmpi/log.h"
#include "train/trainer.h"

enum { N = 97, K = 4, L = 3, SAMPLES = 60 };

typedef struct {
    dc_dataset *data;
    dc_net net;
    dc_timers timers;
    dc_progress progress;
    dc_model model;
    dc_cluster_config cfg;
    dc_trainer trainer;
    float *Z;
    int32_t *labels;
} setup;

/* A step of learning rate 0: the loss of its batch at these weights, and their gradient in the slab: of a strict step
 * each rank has its slice, brought together here. */
static double loss_at(dc_comm *comm, setup *s, int64_t step)
{
    dc_step_loss loss;
    dc_params *p = &s->model.params;
    memset(p->grad, 0, p->n * sizeof *p->grad);
    dc_trainer_step(comm, &s->trainer, step, &loss);
    if (s->model.strict) dc_comm_sum_f32(comm, p->grad, s->net.n_params);
    return loss.total;
}

static void open_setup(dc_comm *comm, const dc_method *method, bool strict, int64_t gather_rows, setup *s)
{
    memset(s, 0, sizeof *s);
    CHECK_OK(dc_dataset_load(comm, DC_BUILTIN_GLYPHS, N, 8, DC_SCALE_UNIT, 1, K, &s->data));
    const dc_part *part = &s->data->part;
    CHECK_OK(dc_net_init(&s->net, s->data->D, (int64_t[]){6}, 1, L, DC_ACT_TANH, DC_ACT_LINEAR, DC_ACT_LINEAR));
    CHECK_OK(dc_progress_open(&s->progress, NULL, 1e9));
    CHECK_OK(dc_model_create(&s->model, s->data, &s->net, DC_INIT_GLOROT, 3, &s->timers, &s->progress));
    s->model.strict = strict;
    s->model.gather_rows = gather_rows;
    s->cfg = (dc_cluster_config){
        .method = method,
        .env = {.part = part, .K = K, .L = L, .alpha = 1.7, .kmeans = {.K = K, .n_init = 1, .max_iter = 9, .seed = 1}},
        .batch = 64,
        .update_interval = 1,
        .max_iter = 1,
        .weight = 0.3,
        .recon_loss = DC_LOSS_MSE_SUM,
        .opt = {.kind = DC_OPT_SGD, .lr = 0}};
    CHECK_OK(dc_model_grow(&s->model, method->n_extra(&s->cfg.env)));
    CHECK_OK(dc_trainer_create(&s->trainer, &s->model, &s->cfg));
    CHECK_OK(dc_mem_alloc(&s->Z, (size_t)(dc_part_rows(part) * L), sizeof *s->Z, "Z"));
    CHECK_OK(dc_mem_alloc(&s->labels, (size_t)dc_part_rows(part), sizeof *s->labels, "labels"));
    dc_refresh refresh;
    dc_embed(s->trainer.embedder, &s->model, s->Z);
    CHECK_OK(method->init(comm, &s->trainer.env, s->Z, dc_trainer_extra(&s->trainer), s->labels, &s->trainer.state));
    CHECK_OK(method->refresh(comm, s->trainer.state, s->Z, dc_trainer_extra(&s->trainer), s->labels, &refresh));
}

static void close_setup(setup *s)
{
    dc_trainer_release(&s->trainer);
    dc_model_release(&s->model);
    dc_progress_close(&s->progress);
    dc_mem_free(&s->Z);
    dc_mem_free(&s->labels);
    dc_dataset_destroy(&s->data);
}

/* Parameters of the range that the method trains, evenly spread, and all of the centres. */
static size_t parameter(const setup *s, size_t lo, int i)
{
    const size_t n = s->model.params.n, extra = s->model.params.n_extra;
    if ((size_t)i < extra) return n - extra + (size_t)i;
    return lo + ((size_t)i - extra) * (n - extra - lo) / SAMPLES;
}

static void test_method(dc_comm *comm, const dc_method *method, bool strict, int64_t gather_rows, int64_t batch)
{
    setup s;
    open_setup(comm, method, strict, gather_rows, &s);
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
    close_setup(&s);
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
                for (int64_t batch = 0; batch < 2; batch++) test_method(comm, m, way > 0, way == 1 ? 64 : 0, batch);
    return check_done_all(&comm);
}
