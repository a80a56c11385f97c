/* Names of the stop reasons. */
#include "dcmpi/train.h"

const char *dc_stop_name(dc_stop s)
{
    static const char *const names[] = {
        [DC_STOP_NONE] = "none",         [DC_STOP_CONVERGED] = "converged", [DC_STOP_MAX_ITER] = "max_iter",
        [DC_STOP_EPOCHS] = "epochs",     [DC_STOP_ASSIGNED] = "assigned",   [DC_STOP_COLLAPSED] = "collapsed",
        [DC_STOP_DIVERGED] = "diverged",
    };
    return names[s];
}
