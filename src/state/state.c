/* The register of a run's state: arrays are registered here, and get the values that a checkpoint has for them. The
 * functions in dc_state_config store and load checkpoints; this source deals neither with files nor with HDF5. */
#include <string.h>

#include "dcmpi/beat.h"
#include "dcmpi/mem.h"
#include "state_priv.h"

static const size_t type_bytes[] = {[DC_STATE_F32] = 4, [DC_STATE_F64] = 8, [DC_STATE_I64] = 8};

size_t dc_state_type_bytes(dc_state_type type)
{
    return type_bytes[type];
}

/* ---- Life -------------------------------------------------------------------------------------------------------- */

dc_status dc_state_create(dc_comm *comm, dc_state **out, const dc_state_config *cfg, const dc_state_array *waiting,
                          int n)
{
    dc_status st = DC_OK;
    dc_state *s = NULL;
    const int P = dc_comm_size(comm);
    *out = NULL;
    DC_ASSERT(n <= DC_STATE_ARRAYS_MAX);
    st = dc_mem_alloc(&s, 1, sizeof *s, "register of state");
    if (st == DC_OK) st = dc_mem_alloc(&s->counts, 2 * (size_t)P, sizeof *s->counts, "rank table");
    DC_TRY_ALL(comm, st);
    s->cfg = *cfg;
    s->rank = dc_comm_rank(comm);
    s->P = P;
    s->phase = "";
    if (n) memcpy(s->waiting, waiting, (size_t)n * sizeof *waiting);
    s->n_waiting = s->n_left = n;
    s->continues = n > 0;
    s->wish = dc_comm_wish(comm);
    *out = s;
out:
    if (st != DC_OK) dc_state_destroy(&s);
    return st;
}

void dc_state_destroy(dc_state **state)
{
    if (!*state) return;
    dc_mem_free(&(*state)->counts);
    dc_mem_free(state);
}

/* ---- What waits -------------------------------------------------------------------------------------------------- */

const dc_state_array *dc_state_waiting(const dc_state *s, const char *name)
{
    for (int i = 0; s && i < s->n_waiting; i++)
        if (strcmp(s->waiting[i].name, name) == 0) return &s->waiting[i];
    return NULL;
}

bool dc_state_continues(const dc_state *s)
{
    return s && s->continues;
}

/* Sends values [first, first + n) of a waiting array from rank 0 to where they belong. `piece` has room for them: on
 * all ranks if the array is held in shares, on rank 0 if it is a table of rows. Collective. */
static dc_status load_piece(dc_comm *comm, dc_state *s, int index, const dc_kept *k, size_t first, size_t n,
                            void *piece)
{
    dc_status st = DC_OK;
    const size_t size = type_bytes[k->array.type];
    const bool same = k->kind == DC_KEPT_SAME || k->kind == DC_KEPT_GROWS;
    void *to = same ? (char *)dc_kept_data(k) + first * size : piece;
    DC_TRY_ALL(comm, s->rank == 0 ? s->cfg.load(s->cfg.ctx, index, first, n, to) : DC_OK);
    if (k->kind == DC_KEPT_ROWS) {
        size_t *to_each = s->counts + s->P, *from_each = s->counts;
        const size_t at = dc_kept_counts(k, s->rank, first, n, to_each), own = to_each[s->rank];
        memset(from_each, 0, (size_t)s->P * sizeof *from_each);
        from_each[0] = own;
        if (s->rank != 0) memset(to_each, 0, (size_t)s->P * sizeof *to_each);
        dc_comm_alltoallv(comm, to, to_each, (char *)k->data + at, from_each);
        goto out;
    }
    dc_comm_bcast(comm, to, n * size, 0);
    if (k->kind == DC_KEPT_SHARES) k->shares.take(k->shares.ctx, piece, first, n, k->data);
out:
    return st;
}

/* Collective. */
static dc_status load(dc_comm *comm, dc_state *s, int index, const dc_kept *k)
{
    dc_status st = DC_OK;
    void *piece = NULL;
    const size_t size = type_bytes[k->array.type], N = dc_kept_array(k).n, most = DC_STATE_PIECE_BYTES / size;
    const bool needs_piece = k->kind == DC_KEPT_SHARES || (k->kind == DC_KEPT_ROWS && s->rank == 0);
    DC_TRY_ALL(comm, needs_piece ? dc_mem_alloc_raw(&piece, DC_MIN(most, N), size, "piece of a checkpoint") : DC_OK);
    for (size_t first = 0; first < N; first += most)
        DC_TRY(load_piece(comm, s, index, k, first, DC_MIN(most, N - first), piece));
out:
    dc_mem_free(&piece);
    return st;
}

/* Gives a registered array the values that wait for it, if any; they then no longer wait. Collective. */
static dc_status restore(dc_comm *comm, dc_state *s, dc_kept *k, bool *restored)
{
    dc_status st = DC_OK;
    const dc_state_array *from = dc_state_waiting(s, k->array.name);
    if (!from) return DC_OK;
    const int index = (int)(from - s->waiting);
    if (k->kind == DC_KEPT_GROWS && from->n % k->row_width == 0) *k->rows = from->n / k->row_width;
    const dc_state_array array = dc_kept_array(k);
    if (from->type != array.type || from->n != array.n || from->width != array.width)
        return DC_FAIL(DC_ERR_FORMAT, "the checkpoint has %zu values of '%s', this run %zu: it belongs to another run",
                       from->n, array.name, array.n);
    DC_TRY(load(comm, s, index, k));
    s->waiting[index].name[0] = '\0';
    if (--s->n_left == 0 && s->rank == 0 && s->cfg.loaded) s->cfg.loaded(s->cfg.ctx);
    if (restored) *restored = true;
out:
    return st;
}

/* ---- State ------------------------------------------------------------------------------------------------------- */

static dc_status keep(dc_comm *comm, dc_state *s, const char *name, const dc_kept *k, bool *restored)
{
    if (restored) *restored = false;
    if (!s) return DC_OK;
    DC_ASSERT(s->n_kept < DC_STATE_ARRAYS_MAX);
    dc_kept *new = &s->kept[s->n_kept++];
    *new = *k;
    DC_ASSERT(name[0] && strlen(name) < sizeof new->array.name);
    snprintf(new->array.name, sizeof new->array.name, "%s", name);
    return restore(comm, s, new, restored);
}

dc_status dc_state_keep(dc_comm *comm, dc_state *s, const char *name, dc_state_type type, size_t n, void *data,
                        bool *restored)
{
    const dc_kept k = {.kind = DC_KEPT_SAME, .array = {.type = type, .n = n}, .data = data};
    return keep(comm, s, name, &k, restored);
}

dc_status dc_state_keep_shares(dc_comm *comm, dc_state *s, const char *name, size_t n, float *data,
                               const dc_state_shares *shares)
{
    const dc_kept k = {
        .kind = DC_KEPT_SHARES, .array = {.type = DC_STATE_F32, .n = n}, .data = data, .shares = *shares};
    return keep(comm, s, name, &k, NULL);
}

dc_status dc_state_keep_rows(dc_comm *comm, dc_state *s, const char *name, dc_state_type type, size_t width,
                             const dc_part *part, void *data)
{
    const dc_kept k = {.kind = DC_KEPT_ROWS,
                       .array = {.type = type, .n = dc_mul_size((size_t)part->N, width), .width = width},
                       .data = data,
                       .part = *part};
    DC_ASSERT(width > 0);
    return keep(comm, s, name, &k, NULL);
}

dc_status dc_state_keep_growing(dc_comm *comm, dc_state *s, const char *name, dc_state_type type, size_t width,
                                size_t *rows, void *const *data, size_t capacity)
{
    const dc_kept k = {
        .kind = DC_KEPT_GROWS, .array = {.type = type}, .rows = rows, .row_width = width, .growing = data};
    const dc_state_array *from = dc_state_waiting(s, name);
    DC_ASSERT(!from || from->n / width <= capacity);
    return keep(comm, s, name, &k, NULL);
}

void dc_state_drop(dc_state *s, const void *data)
{
    int left = 0;
    for (int i = 0; s && i < s->n_kept; i++) {
        const dc_kept *k = &s->kept[i];
        if (k->kind == DC_KEPT_GROWS ? k->rows != data : k->data != data) s->kept[left++] = *k;
    }
    if (s) s->n_kept = left;
}

double dc_state_bytes(const dc_state *s)
{
    double bytes = 0;
    for (int i = 0; s && i < s->n_kept; i++) {
        const dc_state_array a = dc_kept_array(&s->kept[i]);
        bytes += (double)a.n * (double)type_bytes[a.type];
    }
    return bytes;
}

/* ---- Place ------------------------------------------------------------------------------------------------------ */

void dc_state_at(dc_state *s, const char *phase, int64_t step)
{
    dc_beat_at(phase, step);
    if (!s) return;
    s->phase = phase;
    s->step = step;
}
const char *dc_state_phase(const dc_state *s)
{
    return s ? s->phase : "";
}
int64_t dc_state_step(const dc_state *s)
{
    return s ? s->step : 0;
}
