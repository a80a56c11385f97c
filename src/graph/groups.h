/* Private to graph/: from edges between rows to groups, and the row of each that is kept. */
#ifndef DCMPI_GRAPH_GROUPS_H
#define DCMPI_GRAPH_GROUPS_H

#include "dcmpi/duplicates.h"

/* Sets kept, group, groups, largest and removed of *out, whose arrays [n] exist. second[n]: the row of a group for
 * which it is lowest is kept (ties: the first). Collective. Errors: DC_ERR_MEMORY, DC_STOPPED. */
DC_CHECKED dc_status dc_groups_find(dc_comm *comm, const dc_part *part, const dc_edge *edge, int64_t n_edges,
                                    const double *second, dc_duplicates *out);
/* Memory that this takes on this rank besides its arrays, for at most so many edges, if as many of them end at its
 * rows. Local. */
double dc_groups_bytes(const dc_part *part, double n_edges);

#endif
