/* Agreement on errors: each rank fails in turn, several fail at once, all fail alike; texts, positions and hashes.
 * ranks: 1 2 3 5 */
#include <stdlib.h>

#include "check.h"

static dc_status fail_here(dc_status code, int rank)
{
    return code == DC_OK ? DC_OK : DC_FAIL(code, "row %d is bad", rank);
}

static void check_prefix(dc_comm *comm, int rank)
{
    char prefix[64];
    snprintf(prefix, sizeof prefix, "[rank %d %s] row %d is bad", rank, dc_comm_host(comm), rank);
    CHECK_TEXT_HAS(dc_error_text(), dc_comm_size(comm) > 1 ? prefix : "row 0 is bad");
    CHECK_TEXT_HAS(dc_error_where(), "t120_agree.c:");
}

static void check_each_in_turn(dc_comm *comm)
{
    const int me = dc_comm_rank(comm);
    for (int bad = 0; bad < dc_comm_size(comm); bad++) {
        dc_error_clear();
        const dc_status st = dc_agree(comm, fail_here(me == bad ? DC_ERR_IO : DC_OK, me));
        CHECK_INT(st, DC_ERR_IO);
        CHECK_INT(dc_error_code(), DC_ERR_IO);
        check_prefix(comm, bad);
    }
    dc_error_clear();
    CHECK_OK(dc_agree(comm, DC_OK));
    CHECK_TEXT_HAS(dc_error_text(), "");
}

/* codes[rank]: the worst code wins; among equal codes, the lowest rank. */
static void check_several(dc_comm *comm, const dc_status *codes, dc_status expected, int worst)
{
    const int me = dc_comm_rank(comm);
    dc_error_clear();
    const dc_status st = dc_agree(comm, fail_here(codes[me], me));
    CHECK_INT(st, expected);
    CHECK_INT(dc_error_code(), expected);
    check_prefix(comm, worst);
}

static void check_worst_wins(dc_comm *comm)
{
    const dc_status rising[] = {DC_ERR_USAGE, DC_ERR_DATA, DC_ERR_IO, DC_ERR_NUMERIC, DC_ERR_MEMORY};
    const dc_status equal[] = {DC_OK, DC_ERR_DATA, DC_ERR_DATA, DC_OK, DC_ERR_DATA};
    const dc_status stopped[] = {DC_STOPPED, DC_ERR_IO, DC_STOPPED, DC_OK, DC_STOPPED};
    const int P = dc_comm_size(comm);
    if (P > 5) return;
    check_several(comm, rising, rising[P - 1], P - 1);
    if (P > 1) check_several(comm, equal, DC_ERR_DATA, 1);
    check_several(comm, stopped, P > 1 ? DC_ERR_IO : DC_STOPPED, P > 1);
}

/* An error that is the same on all ranks gets no rank prefix, and agreeing again on an agreed error adds none. */
static void check_alike(dc_comm *comm)
{
    dc_error_clear();
    const dc_status st = dc_agree(comm, DC_FAIL(DC_ERR_DATA, "no such file"));
    CHECK_INT(st, DC_ERR_DATA);
    CHECK_INT(strcmp(dc_error_text(), "no such file"), 0);
    dc_error_clear();
    const dc_status first = dc_agree(comm, fail_here(dc_comm_rank(comm) == 0 ? DC_ERR_IO : DC_OK, 0));
    CHECK_STATUS(dc_agree(comm, first), DC_ERR_IO);
    check_prefix(comm, 0);
    CHECK(strstr(dc_error_text() + 1, "[rank") == NULL);
}

/* A status without a record, or with the record of another error, still has a text. */
static void check_without_record(dc_comm *comm)
{
    const int last = dc_comm_size(comm) - 1;
    dc_error_clear();
    CHECK_STATUS(dc_agree(comm, dc_comm_rank(comm) == last ? DC_ERR_MEMORY : DC_OK), DC_ERR_MEMORY);
    CHECK_TEXT_HAS(dc_error_text(), "\"memory\" without a message");
    dc_error_clear();
    CHECK_STATUS(dc_agree(comm, dc_comm_rank(comm) == last ? DC_STOPPED : DC_OK), DC_STOPPED);
    CHECK_INT(strlen(dc_error_text()), 0);
}

static void check_long_text(dc_comm *comm)
{
    char text[3 * DC_ERROR_TEXT_MAX];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    dc_error_clear();
    const dc_status mine = dc_comm_rank(comm) == 0 ? DC_FAIL(DC_ERR_IO, "%%n %s", text) : DC_OK;
    CHECK_STATUS(dc_agree(comm, mine), DC_ERR_IO);
    CHECK_TEXT_HAS(dc_error_text(), "%n xxx");
    CHECK_INT(strlen(dc_error_text()), DC_ERROR_TEXT_MAX - 1);
}

static dc_status open_all(dc_comm *comm, int bad, bool *went_on)
{
    dc_status st = DC_OK;
    DC_TRY_ALL(comm, fail_here(dc_comm_rank(comm) == bad ? DC_ERR_FORMAT : DC_OK, bad));
    *went_on = true;
out:
    return st;
}

static void check_try_all(dc_comm *comm)
{
    bool went_on = false;
    dc_error_clear();
    CHECK_STATUS(open_all(comm, dc_comm_size(comm) - 1, &went_on), DC_ERR_FORMAT);
    CHECK(!went_on);
    dc_error_clear();
    CHECK_OK(open_all(comm, -1, &went_on));
    CHECK(went_on);
}

static void check_hash(dc_comm *comm)
{
    const int P = dc_comm_size(comm), me = dc_comm_rank(comm);
    const uint64_t usual[] = {0, 1, UINT64_MAX, (uint64_t)1 << 63, 0x0123456789abcdefu};
    char name[64];
    for (size_t i = 0; i < DC_COUNT_OF(usual); i++) {
        dc_error_clear();
        CHECK_OK(dc_agree_hash(comm, usual[i], "deck"));
        for (int odd = 0; odd < P && P > 1; odd++) {
            const int named = P == 2 ? 1 : odd; /* two ranks have no majority: rank 1 is named */
            dc_error_clear();
            CHECK_STATUS(dc_agree_hash(comm, usual[i] ^ (uint64_t)(me == odd), "parameters"), DC_ERR_NUMERIC);
            snprintf(name, sizeof name, "parameters differ between ranks: rank %d on %s", named, dc_comm_host(comm));
            CHECK_TEXT_HAS(dc_error_text(), name);
        }
    }
    dc_error_clear();
}

int main(void)
{
    dc_comm *comm;
    if (dc_comm_create(&comm) != DC_OK) return 1;
    check_init(dc_comm_rank(comm));
    check_each_in_turn(comm);
    check_worst_wins(comm);
    check_alike(comm);
    check_without_record(comm);
    check_long_text(comm);
    check_try_all(comm);
    check_hash(comm);
    dc_error_clear();
    return check_done_all(&comm);
}
