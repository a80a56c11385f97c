/* A pass over the documents of this rank, in agreed rounds: after each, the ranks agree on errors and on stopping. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/corpus.h"
#include "dcmpi/log.h"
#include "dcmpi/mem.h"
#include "dcmpi/text.h"

enum { ROUND_BYTES = 4 << 20, LOOK_EVERY = 64 };

/* ---- What the inputs are ----------------------------------------------------------------------------------------- */

static dc_status look_at(dc_corpus *c, int i, bool note)
{
    dc_docs d;
    struct stat info;
    bool nothing;
    char shown[512];
    dc_input_share *s = &c->shares[i];
    const char *path = c->cfg->inputs[i];
    dc_printable(shown, sizeof shown, path, strlen(path));
    if (stat(path, &info) != 0) return DC_FAIL(DC_ERR_IO, "%s: cannot open input: %s", shown, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return DC_FAIL(DC_ERR_DATA,
                       "%s: is a directory; give its files, such as %s/*; with --text-column=file each file is one "
                       "document",
                       shown, shown);
    s->whole = 1;
    dc_status st = dc_stream_find_nothing(path, &nothing);
    if (st != DC_OK) return st;
    if (nothing) {
        if (strcmp(c->cfg->table.text_column, "file") != 0) dc_log_note("%s: is empty, it has no documents", shown);
        return DC_OK;
    }
    st = dc_docs_open(&d, &c->docs, path);
    if (st != DC_OK) return st;
    if (note) dc_docs_note(&d);
    s->bytes = (int64_t)d.lines.stream.file_bytes;
    s->whole = !dc_docs_can_cut(&d);
    s->state = d.lines.stream.state;
    dc_docs_close(&d);
    return DC_OK;
}

static dc_status look_at_all(dc_corpus *c)
{
    dc_status st = DC_OK;
    bool noted = false;
    for (int i = 0; i < c->cfg->n_inputs; i++) {
        DC_TRY(look_at(c, i, !noted));
        noted |= c->shares[i].bytes > 0;
        DC_TRY(dc_lock_beat(c->out.claim.lock));
    }
out:
    return st;
}

dc_status dc_corpus_look(dc_comm *comm, dc_corpus *c)
{
    dc_status st = DC_OK;
    DC_TRY_RANKS(comm, dc_ranks_rank(comm) == 0 ? look_at_all(c) : DC_OK);
    dc_ranks_bcast(comm, c->shares, (size_t)c->cfg->n_inputs * sizeof *c->shares);
out:
    return st;
}

/* ---- The pass ---------------------------------------------------------------------------------------------------- */

typedef struct {
    dc_corpus *c;
    int rank, P;
    int next; /* file after the piece */
    bool open;
    dc_piece piece;
    dc_docs docs;
    int64_t done; /* bytes of the pieces before this one */
    int64_t all;  /* of this rank */
} walk;

static int64_t count_bytes(const walk *w)
{
    dc_piece piece;
    int next = 0;
    int64_t all = 0;
    while (dc_shares_next(w->c->shares, w->c->cfg->n_inputs, w->rank, w->P, &next, &piece))
        all += dc_shares_bytes(w->c->shares, &piece);
    return all;
}

/* An empty file is an empty document if files are documents; otherwise it has none. */
static dc_status visit_empty_file(walk *w, dc_corpus_visitor visit)
{
    dc_doc doc;
    bool found;
    dc_docs d;
    if (strcmp(w->c->cfg->table.text_column, "file") != 0) return DC_OK;
    dc_status st = dc_docs_open_empty(&d, &w->c->docs, w->c->now);
    if (st == DC_OK) st = dc_docs_next(&d, &doc, &found);
    if (st == DC_OK) st = visit(w->c, &doc);
    return st;
}

static dc_status open_piece(walk *w)
{
    dc_status st = DC_OK;
    DC_TRY(dc_docs_open(&w->docs, &w->c->docs, w->c->now));
    w->open = true;
    if (w->piece.by_range) st = dc_docs_range(&w->docs, w->piece.lo, w->piece.hi);
out:
    return st;
}

static void add_counts(dc_docs_counts *to, const dc_docs_counts *from)
{
    to->blank_lines += from->blank_lines;
    to->nulls += from->nulls;
    to->bad_bytes += from->bad_bytes;
    to->bad_docs += from->bad_docs;
    to->labels += from->labels;
}

static void close_piece(walk *w)
{
    if (!w->open) return;
    add_counts(&w->c->met, &w->docs.counts);
    dc_docs_close(&w->docs);
    w->open = false;
    w->done += dc_shares_bytes(w->c->shares, &w->piece);
}

/* Goes to the next piece; *more is false if there is none. */
static dc_status next_piece(walk *w, dc_corpus_visitor visit, bool *more)
{
    const dc_corpus *c = w->c;
    *more = dc_shares_next(c->shares, c->cfg->n_inputs, w->rank, w->P, &w->next, &w->piece);
    if (!*more) return DC_OK;
    w->c->at = w->piece.file;
    w->c->now = c->cfg->inputs[w->piece.file];
    return c->shares[w->piece.file].bytes > 0 ? open_piece(w) : visit_empty_file(w, visit);
}

/* Visits documents until about `target` bytes of this rank's share have been read. */
static dc_status go_on(walk *w, int64_t target, dc_corpus_visitor visit)
{
    dc_status st = DC_OK;
    dc_doc doc;
    bool found = true;
    for (int64_t i = 1;; i++) {
        if (!w->open) {
            DC_TRY(next_piece(w, visit, &found));
            if (!found) return DC_OK;
            if (!w->open) continue;
        }
        DC_TRY(dc_docs_next(&w->docs, &doc, &found));
        if (!found)
            close_piece(w);
        else
            DC_TRY(visit(w->c, &doc));
        if (i % LOOK_EVERY != 0 && found) continue;
        const int64_t here = w->open ? dc_docs_position(&w->docs) - (int64_t)w->piece.lo : 0;
        if (w->done + here >= target) return DC_OK;
    }
out:
    return st;
}

dc_status dc_corpus_pass(dc_comm *comm, dc_corpus *c, const char *what, dc_corpus_visitor visit)
{
    dc_status st = DC_OK;
    walk w = {.c = c, .rank = dc_ranks_rank(comm), .P = dc_ranks_size(comm)};
    w.all = count_bytes(&w);
    int64_t rounds = w.all / ROUND_BYTES + 1;
    dc_ranks_max(comm, &rounds, 1);
    memset(&c->met, 0, sizeof c->met);
    for (int64_t r = 1; r <= rounds; r++) {
        const int64_t target = r < rounds ? (int64_t)((__int128)w.all * r / rounds) : INT64_MAX;
        dc_status round = go_on(&w, target, visit);
        if (round == DC_OK && w.rank == 0) round = dc_lock_beat(c->out.claim.lock);
        DC_TRY_RANKS(comm, round);
        dc_log_bar("%-9s %.0f%%", what, 100.0 * (double)r / (double)rounds);
        DC_TRY(dc_ranks_poll_stop(comm));
    }
out:
    close_piece(&w);
    return st;
}
