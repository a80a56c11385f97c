/* The run from which another one goes on with more data (cluster.init = weights): its centres, its scaling. Private to
 * app/. */
#ifndef DCMPI_APP_EARLIER_H
#define DCMPI_APP_EARLIER_H

#include "dcmpi/config.h"
#include "dcmpi/train.h"

typedef struct {
    char path[DC_PATH_MAX];
    dc_config deck;
    dc_trained model;    /* owned */
    dc_gidx rows;        /* of its data */
    dc_data_given given; /* how it made of stored rows what it clustered; borrows `model` */
} dc_earlier;

/* Collective. Reads the result at `path`. Errors: those of dc_result_model_load, agreed. */
DC_CHECKED dc_status dc_earlier_load(dc_comm *comm, const char *path, dc_earlier *out);
void dc_earlier_release(dc_earlier *e);
/* Whether a run with this deck and data of this header can go on from it: clusters, columns, what is clustered, and the
 * keys of the section `input` are the same. verb: of the new run. Local. Errors: DC_ERR_USAGE, DC_ERR_DATA. */
DC_CHECKED dc_status dc_earlier_check(const dc_earlier *e, const dc_config *cfg, const dc_data_header *head,
                                      const char *verb);
/* Whether the columns of these data have the names that they had there, as far as both have names. Rank 0. Errors:
 * DC_ERR_DATA, naming the first that differs. */
DC_CHECKED dc_status dc_earlier_check_names(const dc_earlier *e, const dc_dataset *data);
/* Its centres, [K x width]. */
const float *dc_earlier_centers(const dc_earlier *e);

#endif
