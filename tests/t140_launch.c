/* Launch check. The process is started alone and then told, through its environment, that a launcher has started more.
 */
#include <stdlib.h>

#include "check.h"
#include "dcmpi/log.h"

static const char *const variables[] = {"OMPI_COMM_WORLD_SIZE",
                                        "OMPI_COMM_WORLD_RANK",
                                        "MV2_COMM_WORLD_SIZE",
                                        "MV2_COMM_WORLD_RANK",
                                        "PMI_SIZE",
                                        "PMI_RANK",
                                        "SLURM_STEP_NUM_TASKS",
                                        "SLURM_PROCID",
                                        "SLURM_NTASKS"};

static void forget_launchers(void)
{
    for (size_t i = 0; i < DC_COUNT_OF(variables); i++) unsetenv(variables[i]);
    dc_error_clear();
    dc_log_set_active(true);
}

/* One launcher says: process `rank` of `size`. */
static void claim(const char *size_variable, const char *size, const char *rank_variable, const char *rank)
{
    setenv(size_variable, size, 1);
    if (rank != NULL) setenv(rank_variable, rank, 1);
}

static void check_wrong_launchers(dc_comm *comm)
{
    for (size_t i = 0; i + 1 < DC_COUNT_OF(variables); i += 2) {
        forget_launchers();
        claim(variables[i], "4", variables[i + 1], "0");
        CHECK_STATUS(dc_comm_check_launch(comm), DC_ERR_USAGE);
        CHECK_TEXT_HAS(dc_error_text(), "4 processes but MPI size 1");
        CHECK_TEXT_HAS(dc_error_text(), variables[i]);
        CHECK(dc_log_is_active() && dc_comm_is_launched());
        setenv(variables[i + 1], "3", 1);
        dc_error_clear();
        CHECK_STATUS(dc_comm_check_launch(comm), DC_ERR_USAGE);
        CHECK(!dc_log_is_active());
    }
}

static void check_right_launchers(dc_comm *comm)
{
    forget_launchers();
    CHECK_OK(dc_comm_check_launch(comm));
    CHECK(!dc_comm_is_launched());
    claim("SLURM_NTASKS", "8", "SLURM_PROCID", "0"); /* a batch script */
    CHECK_OK(dc_comm_check_launch(comm));
    CHECK(!dc_comm_is_launched());
    forget_launchers();
    claim("SLURM_STEP_NUM_TASKS", "1", "SLURM_PROCID", "0");
    CHECK_OK(dc_comm_check_launch(comm));
    forget_launchers();
    claim("SLURM_STEP_NUM_TASKS", "3", "SLURM_PROCID", "1");         /* of mpirun's daemons, */
    claim("OMPI_COMM_WORLD_SIZE", "1", "OMPI_COMM_WORLD_RANK", "0"); /* one of which started us alone */
    CHECK_OK(dc_comm_check_launch(comm));
    forget_launchers();
    claim("SLURM_STEP_NUM_TASKS", "4", "SLURM_PROCID", NULL);
    CHECK_OK(dc_comm_check_launch(comm));
    forget_launchers();
    claim("PMI_SIZE", "many", "PMI_RANK", "0");
    CHECK_OK(dc_comm_check_launch(comm));
}

int main(void)
{
    dc_comm *comm;
    forget_launchers();
    if (dc_comm_create(&comm) != DC_OK) return 1;
    CHECK_INT(dc_comm_size(comm), 1);
    CHECK_TEXT_HAS(dc_comm_library(), "Open MPI");
    check_wrong_launchers(comm);
    check_right_launchers(comm);
    forget_launchers();
    dc_comm_destroy(&comm);
    return check_done();
}
