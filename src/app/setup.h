/* The phases of a run as its deck has them: what the run executes is what the estimate rehearses. Private to app/. */
#ifndef DCMPI_APP_SETUP_H
#define DCMPI_APP_SETUP_H

#include "job.h"

/* `before`: filled, and used, if the checkpoint is of a shorter run; it must outlive what is returned. */
dc_pretrain_config dc_setup_pretraining(const dc_job *job, const dc_net *net, dc_pretrain_length *before);
dc_layerwise_config dc_setup_layers(const dc_job *job, const dc_net *net, int ranks_here, dc_pretrain_length *before);
dc_kmeans_config dc_setup_kmeans(const dc_job *job);
dc_cluster_config dc_setup_clustering(const dc_job *job, const dc_net *net, const dc_part *part,
                                      dc_cluster_length *before);
/* How this run forms gradients and looks after its weights: into a model. */
void dc_setup_model(const dc_job *job, dc_model *m);

#endif
