/* Names of the files in the output directory. */
#include "output.h"

static const char *const names[] = {[DC_FILE_RESULT] = "run.h5",
                                    [DC_FILE_SUMMARY] = "summary.json",
                                    [DC_FILE_METRICS] = "metrics.jsonl",
                                    [DC_FILE_METRICS_NEW] = "metrics.jsonl.new",
                                    [DC_FILE_DECK] = "config.used.yaml",
                                    [DC_FILE_DECK_NEW] = "config.used.yaml.new",
                                    [DC_FILE_LOG] = "log.txt",
                                    [DC_FILE_LOCK] = "LOCK",
                                    [DC_FILE_STOP] = "STOP",
                                    [DC_FILE_CHECKPOINTS] = "ckpt",
                                    [DC_FILE_TABLE] = "files.tsv",
                                    [DC_FILE_IN_VAIN] = "ckpt/in-vain"};

bool dc_output_name(const dc_job *job, const char *name, char out[DC_PATH_MAX])
{
    return snprintf(out, DC_PATH_MAX, "%s/%s", job->cfg.run.output, name) < DC_PATH_MAX;
}

void dc_output_path(const dc_job *job, dc_output_file file, char out[DC_PATH_MAX])
{
    DC_ASSERT(dc_output_name(job, names[file], out));
}
