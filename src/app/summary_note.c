/* For verbs that read a run.h5: prints a finding if the summary.json beside it is missing, damaged or of another run.
 */
#include <string.h>

#include "dcmpi/log.h"
#include "dcmpi/report.h"
#include "verbs.h"

/* Path of summary.json in the folder of `path`; false if `path` does not name a run.h5. */
static bool beside(const char *path, char out[DC_PATH_MAX])
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const int folder = (int)(name - path);
    if (strcmp(name, "run.h5") != 0) return false;
    return snprintf(out, DC_PATH_MAX, "%.*ssummary.json", folder, path) < DC_PATH_MAX;
}

void dc_note_summary(const char *path)
{
    char summary[DC_PATH_MAX];
    dc_outcome o;
    if (!beside(path, summary)) return;
    if (dc_outcome_read(path, &o) != DC_OK) { /* the verb itself reports a damaged file */
        dc_error_clear();
        return;
    }
    const char *state = dc_summary_state(summary, &o);
    if (state) dc_log_plain("%s: finding: %s: give the command of the run again to make it", summary, state);
    dc_outcome_release(&o);
}
