/* Updates against their twins over odd sizes, ranges that leave the rest alone, the same bits for every cut of the
 * range and every number of threads; learning-rate schedules, momentum burn-in, rate of biases, weight decay, factors
 * by name, clipping. Fixed seed 504. */
#include <omp.h>

#include "check.h"
#include "dcmpi/optim.h"
#include "dcmpi/rng.h"
#include "ref/nn_ref.h"

static const dc_opt_config opts[] = {
    {.kind = DC_OPT_SGD, .lr = 0.1, .momentum = 0.9},
    {.kind = DC_OPT_SGD, .lr = 0.1, .momentum = 0},
    {.kind = DC_OPT_SGD_TORCH, .lr = 0.1, .momentum = 0.9},
    {.kind = DC_OPT_ADAM, .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7},
    {.kind = DC_OPT_NESTEROV, .lr = 0.1, .momentum = 0.9},
    {.kind = DC_OPT_NESTEROV_TORCH, .lr = 0.1, .momentum = 0.9},
    {.kind = DC_OPT_RMSPROP, .lr = 1e-3, .rho = 0.9, .epsilon = 1e-7},
};

static void step_ref(const dc_opt_config *o, size_t n, int64_t t, const float *g, double *m1, double *m2, double *w)
{
    switch ((dc_opt_kind)o->kind) {
    case DC_OPT_SGD:
        sgd_ref(n, o->lr, o->momentum, g, m1, w);
        break;
    case DC_OPT_SGD_TORCH:
        sgd_torch_ref(n, o->lr, o->momentum, g, m1, w);
        break;
    case DC_OPT_ADAM:
        adam_ref(n, o->lr, o->beta1, o->beta2, o->epsilon, t, g, m1, m2, w);
        break;
    case DC_OPT_NESTEROV:
        nesterov_ref(n, o->lr, o->momentum, g, m1, w);
        break;
    case DC_OPT_NESTEROV_TORCH:
        nesterov_torch_ref(n, o->lr, o->momentum, g, m1, w);
        break;
    case DC_OPT_RMSPROP:
        rmsprop_ref(n, o->lr, o->rho, o->epsilon, g, m1, w);
        break;
    }
}

static dc_params make_params(size_t n)
{
    dc_params p;
    const dc_net empty = {0};
    CHECK_OK(dc_params_create(&p, &empty, n));
    dc_rng_fill_uniform(p.value, n, 504, 0, 1);
    return p;
}

static void new_gradient(dc_params *p, int64_t t)
{
    dc_rng_fill_uniform(p->grad, p->n, 504, (uint64_t)t + 1, 1);
}

static double twin_error(const dc_opt_config *o, size_t n)
{
    dc_params p = make_params(n);
    double *w = malloc((n + 1) * sizeof *w), *m1 = calloc(n + 1, sizeof *m1), *m2 = calloc(n + 1, sizeof *m2),
           worst = 0;
    for (size_t i = 0; i < n; i++) w[i] = (double)p.value[i];
    for (int64_t t = 0; t < 5; t++) {
        new_gradient(&p, t);
        dc_opt_step(o, &p, 0, n, t, 5);
        step_ref(o, n, t, p.grad, m1, m2, w);
    }
    for (size_t i = 0; i < n; i++) worst = worse_of(worst, fabs((double)p.value[i] - w[i]));
    for (size_t i = 0; i < n && dc_opt_moments(o) == 1; i++) worst = worse_of(worst, (double)p.m2[i]);
    free(w), free(m1), free(m2);
    dc_params_release(&p);
    return worst;
}

static void test_twins(void)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 101, 4096, 4097};
    for (size_t o = 0; o < DC_COUNT_OF(opts); o++)
        for (size_t s = 0; s < DC_COUNT_OF(sizes); s++) CHECK_NEAR(twin_error(&opts[o], sizes[s]), 0, 1e-6);
}

static void test_range_only(const dc_opt_config *o)
{
    enum { N = 1000, LO = 123, HI = 777 };
    dc_params p = make_params(N);
    float before[N];
    memcpy(before, p.value, sizeof before);
    new_gradient(&p, 0);
    dc_opt_step(o, &p, LO, HI, 0, 1);
    CHECK(memcmp(before, p.value, LO * sizeof *before) == 0);
    CHECK(memcmp(before + HI, p.value + HI, (N - HI) * sizeof *before) == 0);
    bool all_moved = true;
    for (int i = LO; i < HI; i++) all_moved = all_moved && (p.value[i] < before[i]) == (p.grad[i] > 0);
    CHECK(all_moved);
    dc_params_reset(&p);
    bool zero = true;
    for (int i = 0; i < N; i++) zero = zero && p.m1[i] == 0 && p.m2[i] == 0;
    CHECK(zero);
    dc_params_release(&p);
}

/* One range with one thread against pieces of uneven length with two. */
static void test_same_bits(const dc_opt_config *o)
{
    enum { N = 50021, CUT1 = 7, CUT2 = 20011 };
    dc_params a = make_params(N), b = make_params(N);
    for (int64_t t = 0; t < 3; t++) {
        new_gradient(&a, t), new_gradient(&b, t);
        omp_set_num_threads(1);
        dc_opt_step(o, &a, 0, N, t, 3);
        omp_set_num_threads(2);
        dc_opt_step(o, &b, 0, CUT1, t, 3);
        dc_opt_step(o, &b, CUT1, CUT2, t, 3);
        dc_opt_step(o, &b, CUT2, N, t, 3);
    }
    CHECK(memcmp(a.value, b.value, N * sizeof *a.value) == 0);
    CHECK(memcmp(a.m1, b.m1, N * sizeof *a.m1) == 0);
    CHECK(memcmp(a.m2, b.m2, N * sizeof *a.m2) == 0);
    dc_params_release(&a);
    dc_params_release(&b);
}

static void test_schedules(void)
{
    dc_opt_config o = {.kind = DC_OPT_SGD, .lr = 0.2, .schedule = DC_SCHED_CONSTANT};
    CHECK_NEAR(dc_opt_lr(&o, 12345, 0), 0.2, 0);
    o.schedule = DC_SCHED_STEP, o.lr_step = 20, o.lr_factor = 0.1;
    CHECK_NEAR(dc_opt_lr(&o, 19, 100), 0.2, 0);
    CHECK_NEAR(dc_opt_lr(&o, 20, 100), 0.02, 1e-15);
    CHECK_NEAR(dc_opt_lr(&o, 59, 100), 0.002, 1e-15);
    o.lr_step = 0;
    CHECK_NEAR(dc_opt_lr(&o, 50, 100), 0.2, 0);
    o.schedule = DC_SCHED_COSINE, o.lr_factor = 0.1;
    CHECK_NEAR(dc_opt_lr(&o, 0, 100), 0.2, 1e-15);
    CHECK_NEAR(dc_opt_lr(&o, 50, 100), 0.11, 1e-15);
    CHECK_NEAR(dc_opt_lr(&o, 100, 100), 0.02, 1e-15);
    CHECK_NEAR(dc_opt_lr(&o, 500, 100), 0.02, 1e-15);
    CHECK_NEAR(dc_opt_lr(&o, 5, 0), 0.2, 0);
    o.lr_min = 0.05;
    CHECK_NEAR(dc_opt_lr(&o, 0, 100), 0.2, 1e-15);
    CHECK_NEAR(dc_opt_lr(&o, 50, 100), 0.11, 1e-15);
    CHECK_NEAR(dc_opt_lr(&o, 100, 100), 0.05, 0);
    o.schedule = DC_SCHED_STEP, o.lr_step = 20;
    CHECK_NEAR(dc_opt_lr(&o, 19, 100), 0.2, 0);
    CHECK_NEAR(dc_opt_lr(&o, 59, 100), 0.05, 0);
    o.warmup = 50;
    CHECK_NEAR(dc_opt_lr(&o, 24, 100), 0.025, 1e-15);
    o.lr_min = 0;
    o.schedule = DC_SCHED_CONSTANT, o.warmup = 4;
    CHECK_NEAR(dc_opt_lr(&o, 0, 100), 0.05, 1e-15);
    CHECK_NEAR(dc_opt_lr(&o, 3, 100), 0.2, 0);
    CHECK_NEAR(dc_opt_lr(&o, 4, 100), 0.2, 0);
}

static void test_burnin(void)
{
    enum { N = 37, BURNIN = 4 };
    dc_opt_config o = {.kind = DC_OPT_SGD, .lr = 0.1, .momentum = 0.8};
    CHECK_NEAR(dc_opt_momentum(&o, 0), 0.8, 0);
    o.burnin = BURNIN;
    CHECK_NEAR(dc_opt_momentum(&o, 0), 0, 0);
    CHECK_NEAR(dc_opt_momentum(&o, 1), 0.2, 1e-15);
    CHECK_NEAR(dc_opt_momentum(&o, BURNIN - 1), 0.6, 1e-15);
    CHECK_NEAR(dc_opt_momentum(&o, BURNIN), 0.8, 0);
    dc_params p = make_params(N);
    double w[N], v[N] = {0};
    for (int i = 0; i < N; i++) w[i] = (double)p.value[i];
    for (int64_t t = 0; t < 7; t++) {
        new_gradient(&p, t);
        dc_opt_step(&o, &p, 0, N, t, 7);
        sgd_ref(N, 0.1, 0.8 * fmin(1, (double)t / BURNIN), p.grad, v, w);
    }
    CHECK_ARRAY_NEAR(p.value, w, N, 1e-6);
    dc_params_release(&p);
}

/* Three steps on [lo, hi) of a network's slab, with biases faster by a factor, against steps of each element alone with
 * its own rate: the same bits, and nothing outside the range changes. */
static void test_bias_rate(dc_opt_config o, size_t lo, size_t cut_end)
{
    enum { EXTRA = 11 };
    const double factor = 2;
    dc_net net;
    dc_params a, b;
    CHECK_OK(dc_net_init(&net, 7, (int64_t[]){5, 4}, 2, 3, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR));
    CHECK_OK(dc_params_create(&a, &net, EXTRA));
    CHECK_OK(dc_params_create(&b, &net, EXTRA));
    const size_t n = a.n, hi = n - cut_end;
    int biases = 0;
    for (int64_t t = 0; t < 3; t++) {
        new_gradient(&a, t), new_gradient(&b, t);
        o.bias_lr = factor;
        dc_opt_step(&o, &a, lo, hi, t, 3);
        o.bias_lr = 0;
        for (size_t i = lo; i < hi; i++) {
            dc_opt_config own = o;
            for (int l = 0; l < net.n_layers; l++)
                if (i >= net.layer[l].bias && i < net.layer[l].bias + (size_t)net.layer[l].out)
                    own.lr *= factor, biases++;
            dc_opt_step(&own, &b, i, i + 1, t, 3);
        }
    }
    CHECK(memcmp(a.value, b.value, n * sizeof *a.value) == 0);
    CHECK(memcmp(a.m1, b.m1, n * sizeof *a.m1) == 0);
    if (lo == 0 && cut_end == 0) CHECK_INT(biases, 3 * (5 + 4 + 3 + 4 + 5 + 7));
    dc_params_release(&a);
    dc_params_release(&b);
}

/* Against a step whose gradient already includes that of the penalty; biases and extra parameters do not decay. */
static void test_decay(dc_opt_config o)
{
    enum { EXTRA = 11 };
    const double decay = 0.3;
    dc_net net;
    dc_params a, b;
    CHECK_OK(dc_net_init(&net, 7, (int64_t[]){5, 4}, 2, 3, DC_ACT_RELU, DC_ACT_LINEAR, DC_ACT_LINEAR));
    CHECK_OK(dc_params_create(&a, &net, EXTRA));
    CHECK_OK(dc_params_create(&b, &net, EXTRA));
    dc_rng_fill_uniform(a.value, a.n, 504, 9, 1);
    memcpy(b.value, a.value, a.n * sizeof *a.value);
    for (int64_t t = 0; t < 3; t++) {
        new_gradient(&a, t), new_gradient(&b, t);
        for (int l = 0; l < net.n_layers; l++)
            for (size_t i = net.layer[l].weight; i < net.layer[l].bias; i++)
                b.grad[i] = fmaf((float)decay, b.value[i], b.grad[i]);
        o.weight_decay = 0;
        dc_opt_step(&o, &b, 0, b.n, t, 3);
        o.weight_decay = decay;
        const dc_opt_config of_method = dc_opt_of(&o, "centers", false);
        dc_opt_step(&o, &a, 0, 20, t, 3);
        dc_opt_step(&o, &a, 20, net.n_params, t, 3);
        dc_opt_step(&of_method, &a, net.n_params, a.n, t, 3);
    }
    CHECK(memcmp(a.value, b.value, a.n * sizeof *a.value) == 0);
    CHECK(memcmp(a.m1, b.m1, a.n * sizeof *a.m1) == 0);
    dc_params_release(&a);
    dc_params_release(&b);
}

static void test_factors(void)
{
    static const struct {
        const char *name, *tensor;
        bool is_for;
    } cases[] = {
        {"encoder", "encoder_0", true},     {"encoder", "encoder_13", true},   {"encoder", "encoder", true},
        {"encoder", "decoder_0", false},    {"encoder", "encoder_", false},    {"encoder", "encoder_a", false},
        {"encoder", "encoder_1a", false},   {"encoder", "encoders", false},    {"encoder_1", "encoder_1", true},
        {"encoder_1", "encoder_12", false}, {"encoder_1", "encoder_2", false}, {"centers", "centers", true}};
    for (size_t i = 0; i < DC_COUNT_OF(cases); i++) {
        const bool is_for = dc_factor_is_for(cases[i].name, cases[i].tensor);
        if (!CHECK(is_for == cases[i].is_for)) printf("#   %s, %s\n", cases[i].name, cases[i].tensor);
    }
    const dc_opt_config o = {.lr = 0.2,
                             .lr_min = 0.1,
                             .weight_decay = 0.5,
                             .lr_factors = {3, {{"encoder", 0.5}, {"encoder_1", 3}, {"centers", 0}}}};
    CHECK_NEAR(dc_opt_of(&o, "decoder_1", true).lr, 0.2, 0);
    CHECK_NEAR(dc_opt_of(&o, "encoder_0", true).lr, 0.1, 0);
    CHECK_NEAR(dc_opt_of(&o, "encoder_1", true).lr, 0.3, 1e-15);
    CHECK_NEAR(dc_opt_of(&o, "encoder_1", true).lr_min, 0.15, 1e-15);
    CHECK_NEAR(dc_opt_of(&o, "encoder_1", true).weight_decay, 0.5, 0);
    CHECK_NEAR(dc_opt_of(&o, "centers", false).lr, 0, 0);
    CHECK_NEAR(dc_opt_of(&o, "centers", false).weight_decay, 0, 0);
}

static void test_clip(void)
{
    enum { N = 50, LO = 7, HI = 31 };
    dc_opt_config o = {.kind = DC_OPT_SGD};
    CHECK_NEAR(dc_opt_clip(&o, 1e9), 1, 0);
    o.clip_norm = 2;
    CHECK_NEAR(dc_opt_clip(&o, 0), 1, 0);
    CHECK_NEAR(dc_opt_clip(&o, 2), 1, 0);
    CHECK_NEAR(dc_opt_clip(&o, 8), 0.25, 0);
    CHECK_NEAR(dc_opt_clip(&o, INFINITY), 1, 0);
    CHECK_NEAR(dc_opt_clip(&o, NAN), 1, 0);
    dc_params p = make_params(N);
    float before[N];
    int wrong = 0;
    new_gradient(&p, 0);
    memcpy(before, p.grad, sizeof before);
    dc_opt_scale(&p, LO, HI, 0.25);
    for (int i = 0; i < N; i++) wrong += p.grad[i] != (i >= LO && i < HI ? 0.25f * before[i] : before[i]);
    CHECK_INT(wrong, 0);
    dc_params_release(&p);
}

int main(void)
{
    test_twins();
    for (size_t o = 0; o < DC_COUNT_OF(opts); o++) {
        test_range_only(&opts[o]);
        test_same_bits(&opts[o]);
    }
    test_schedules();
    test_burnin();
    for (size_t o = 0; o < DC_COUNT_OF(opts); o++) {
        test_bias_rate(opts[o], 0, 0);
        test_bias_rate(opts[o], 25, 14); /* from within the first bias to within the last but the extra ones */
        test_decay(opts[o]);
    }
    test_factors();
    test_clip();
    return check_done();
}
