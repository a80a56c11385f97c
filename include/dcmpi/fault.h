/* Fault points: places where a run fails on purpose, so that tests can prove that every failure ends well.
 *
 * They exist only in builds with FAULT=1; otherwise dc_fault() is always false and compiles to nothing. A fault point
 * is part of the condition that detects a real failure, so that the usual error path is taken:
 *
 *     if (write(fd, data, bytes) < 0 || dc_fault(DC_FAULT_CKPT_WRITE)) return DC_FAIL(DC_ERR_IO, ...);
 *
 * The environment says which one fires: DC_FAULT=point@rank#n fires the n-th time that rank passes the point. @rank and
 * #n default to 0 and 1; several points are separated by commas. `dcmpi info --faults` prints the table. */
#ifndef DCMPI_FAULT_H
#define DCMPI_FAULT_H

#include "dcmpi/base.h"

/* Id, name, which ranks pass it, exit code of the run (0: it goes on, with a warning), what fails. */
#define DC_FAULT_POINTS(X)                                                                                             \
    X(MEM_ALLOC, "mem.alloc", "all", 8, "an allocation")                                                               \
    X(MPI_CALL, "mpi.call", "all", 70, "an MPI call; nothing can be agreed after that, the job is aborted")            \
    X(DECK_READ, "deck.read", "root", 2, "reading the deck's bytes")                                                   \
    X(DECK_PARSE, "deck.parse", "all", 2, "parsing the deck")                                                          \
    X(OUTPUT_DECK, "output.deck", "root", 4, "writing config.used.yaml")                                               \
    X(LOG_OPEN, "log.open", "root", 4, "opening log.txt")                                                              \
    X(METRICS_OPEN, "metrics.open", "root", 4, "opening metrics.jsonl")                                                \
    X(LOCK_TAKE, "lock.take", "root", 4, "taking the lock of the output directory")                                    \
    X(DATA_HEADER, "data.header", "root", 3, "looking at the header of the data")                                      \
    X(FILE_STAT, "file.stat", "all", 4, "seeing the data or result file from this rank")                               \
    X(H5_OPEN, "h5.open", "all", 4, "the parallel open of the data file")                                              \
    X(H5_READ, "h5.read", "all", 3, "a collective read of rows")                                                       \
    X(H5_CLOSE, "h5.close", "all", 4, "the parallel close of the data file")                                           \
    X(DATA_MEMORY, "data.memory", "all", 8, "memory for the rows")                                                     \
    X(DATA_NAN, "data.nan", "all", 3, "a value of the data is not a number")                                           \
    X(KMEANS_FLIP, "kmeans.flip", "all", 5, "one bit of the centres of k-means flips")                                 \
    X(REFRESH_NAN, "refresh.nan", "all", 5, "a value of the embedding is not finite at a refresh")                     \
    X(STEP_NAN, "step.nan", "all", 5, "the loss of a step is not finite")                                              \
    X(MODEL_FLIP, "model.flip", "all", 5, "one bit of the weights flips")                                              \
    X(RANK_KILL, "rank.kill", "all", 137, "the process is killed at a step")                                           \
    X(RANK_HANG, "rank.hang", "all", 70, "the process sleeps at a step; run.stall_abort ends the job")                 \
    X(FILE_WRITE, "file.write", "root", 4, "writing config.used.yaml or summary.json")                                 \
    X(FILE_FSYNC, "file.fsync", "root", 4, "fsync of one of them")                                                     \
    X(FILE_RENAME, "file.rename", "root", 4, "renaming one of them")                                                   \
    X(CKPT_WRITE, "ckpt.write", "root", 0, "writing a checkpoint")                                                     \
    X(CKPT_FSYNC, "ckpt.fsync", "root", 0, "fsync of a checkpoint")                                                    \
    X(CKPT_RENAME, "ckpt.rename", "root", 0, "renaming a checkpoint")                                                  \
    X(CKPT_READ, "ckpt.read", "root", 0, "reading the newest checkpoint; the older one is taken")                      \
    X(RESULT_RESERVE, "result.reserve", "root", 4, "reserving space for the result")                                   \
    X(RESULT_OPEN, "result.open", "all", 4, "opening the result for the rows of this rank")                            \
    X(RESULT_WRITE, "result.write", "all", 4, "a write of rows")                                                       \
    X(RESULT_FSYNC, "result.fsync", "all", 4, "fsync of the rows of this rank")                                        \
    X(RESULT_VERIFY, "result.verify", "all", 4, "reading back what was written")                                       \
    X(H5_FSYNC, "h5.fsync", "root", 4, "fsync of the result")                                                          \
    X(RESULT_RENAME, "result.rename", "root", 4, "renaming the result")                                                \
    X(RESULT_DIRSYNC, "result.dirsync", "root", 4, "fsync of the output directory after the rename")                   \
    X(SUMMARY_WRITE, "summary.write", "root", 4, "writing summary.json")

#define DC_FAULT_ID(id, name, who, exit, what) DC_FAULT_##id,
typedef enum { DC_FAULT_POINTS(DC_FAULT_ID) DC_FAULT_COUNT } dc_fault_id;
#undef DC_FAULT_ID

#ifdef DC_FAULT
/* True the n-th time that the rank given in DC_FAULT passes the point; it then also reports the fault on stderr and
 * sets errno to EIO. */
bool dc_fault(dc_fault_id id);
/* Reads DC_FAULT; before this call no point fires or is counted. Errors: DC_ERR_USAGE. */
DC_CHECKED dc_status dc_fault_start(int rank);
/* Suffix of error texts: " (fault point x@r#n)" once a point has fired in this process, else "". */
const char *dc_fault_mark(void);
/* Fault points rank.kill and rank.hang; does not return if one of them fires. */
void dc_fault_step(void);
#else
static inline bool dc_fault(dc_fault_id id)
{
    (void)id;
    return false;
}
static inline dc_status dc_fault_start(int rank)
{
    (void)rank;
    return DC_OK;
}
static inline const char *dc_fault_mark(void)
{
    return "";
}
static inline void dc_fault_step(void) {}
#endif

/* Prints the table to `to`, one point per line: name, ranks, exit code, what fails, separated by tabs. False if this
 * build has no fault points. */
bool dc_fault_list(FILE *to);

#endif
