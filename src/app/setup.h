/* Configures the phases of a run from its deck. The run and the estimate that rehearses it both use this. Private to
 * app/. */
#ifndef DCMPI_APP_SETUP_H
#define DCMPI_APP_SETUP_H

#include "dcmpi/levels.h"
#include "dcmpi/minibatch.h"
#include "job.h"

/* `before` is filled in here and used if the checkpoint comes from a shorter run; it must outlive the returned value.
 */
dc_pretrain_config dc_setup_pretraining(const dc_job *job, const dc_net *net, dc_pretrain_length *before);
dc_layerwise_config dc_setup_layers(const dc_job *job, const dc_net *net, int ranks_here, dc_pretrain_length *before);
dc_kmeans_config dc_setup_kmeans(const dc_job *job);
/* cluster.levels; n is 0 without. */
dc_levels_config dc_setup_levels(const dc_job *job);
/* cluster.kmeans_batch: batches of these rows. They borrow *batcher, which is filled in here. */
DC_CHECKED dc_status dc_setup_batches(const dc_job *job, const dc_part *part, dc_batcher *batcher, dc_row_batches *out);
dc_cluster_config dc_setup_clustering(const dc_job *job, const dc_net *net, const dc_part *part,
                                      dc_cluster_length *before);
/* Whether the verb is sweep-k; its settings, without what clusters. */
bool dc_setup_sweeps(const dc_job *job);
dc_sweep_config dc_setup_sweep(const dc_job *job);
/* Copies the deck's settings for the seed, for forming gradients and for checking weights into a model. */
void dc_setup_model(const dc_job *job, dc_model *m);

#endif
