/* Private to train/: what gives q of all rows after training. */
#ifndef DCMPI_TRAIN_Q_ROWS_H
#define DCMPI_TRAIN_Q_ROWS_H

#include "dcmpi/train.h"

/* Takes environment, state and embedder of a method, and sets what it has taken to NULL. data: borrowed. Local. Errors:
 * DC_ERR_MEMORY. */
DC_CHECKED dc_status dc_q_rows_create(dc_q_rows **out, const dc_method *method, dc_method_env **env,
                                      dc_method_state **state, dc_embedder **embedder, const dc_dataset *data);
/* Memory besides what it takes. */
double dc_q_rows_bytes(const dc_part *part, int64_t K);

#endif
