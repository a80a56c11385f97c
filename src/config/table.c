/* The key table: every deck key except those of the methods, with its type, place in dc_config, default, range, use and
 * documentation.
 *
 * The rows of a section stand together, in the order in which a deck shows them. Taken together, the defaults are the
 * published configuration "DEC-keras, MNIST" (Guo's re-implementation of Xie et al., ICML 2016). No parsing and no
 * checks here. */
#include "dcmpi/cluster.h"
#include "dcmpi/neighbours.h"
#include "key.h"

#define AT(member) offsetof(dc_config, member)
#define MAX_COUNT 1e15 /* larger counts are typing errors; a double holds every count up to here exactly */
#define GUO "DEC-keras"

const dc_key_section dc_section_table[] = {
    {"run", "where a run writes, its random seed, how often it reports"},
    {"input", "the data and its scaling"},
    {"model", "the autoencoder: widths, activations, first weights"},
    {"pretrain", "training of the autoencoder on the reconstruction error"},
    {"cluster", "the clustering method and its training"},
    {"sweep", "the numbers of clusters that `dcmpi sweep-k` compares, and how"},
    {"parallel", "how work is cut and which library multiplies matrices"},
    {"checkpoint", "when the state of a run is saved, so that the same command continues it"},
    {"output", "what run.h5 holds"},
    {"graph", "the graph of nearest neighbours, as a part of run.h5"},
};
const int dc_section_table_n = (int)DC_COUNT_OF(dc_section_table);

static const dc_key_choice scales[] = {{"unit", DC_SCALE_UNIT},     {"symmetric", DC_SCALE_SYMMETRIC},
                                       {"dec", DC_SCALE_DEC},       {"standard", DC_SCALE_STANDARD},
                                       {"sample", DC_SCALE_SAMPLE}, {"minmax", DC_SCALE_MINMAX},
                                       {"robust", DC_SCALE_ROBUST}, {"pca", DC_SCALE_PCA},
                                       {"none", DC_SCALE_NONE},     {NULL, 0}};
static const dc_key_choice row_totals[] = {{"median", DC_TOTAL_MEDIAN}, {NULL, 0}};
static const dc_key_choice variable_flavors[] = {
    {"seurat", DC_VARIABLE_SEURAT}, {"cell_ranger", DC_VARIABLE_CELL_RANGER}, {NULL, 0}};
static const dc_key_choice reductions[] = {
    {"none", DC_REDUCE_NONE}, {"svd", DC_REDUCE_SVD}, {"pca", DC_REDUCE_PCA}, {"random", DC_REDUCE_RANDOM}, {NULL, 0}};
static const dc_key_choice row_norms[] = {
    {"none", DC_ROW_NORM_NONE}, {"l2", DC_ROW_NORM_L2}, {"l1", DC_ROW_NORM_L1}, {"max", DC_ROW_NORM_MAX}, {NULL, 0}};
static const dc_key_choice kmeans_metrics[] = {
    {"euclidean", DC_KMEANS_EUCLIDEAN}, {"cosine", DC_KMEANS_COSINE}, {NULL, 0}};
static const dc_key_choice activations[] = {{"relu", DC_ACT_RELU},
                                            {"linear", DC_ACT_LINEAR},
                                            {"leaky_relu", DC_ACT_LEAKY_RELU},
                                            {"tanh", DC_ACT_TANH},
                                            {"sigmoid", DC_ACT_SIGMOID},
                                            {"elu", DC_ACT_ELU},
                                            {"selu", DC_ACT_SELU},
                                            {"softplus", DC_ACT_SOFTPLUS},
                                            {"gelu", DC_ACT_GELU},
                                            {NULL, 0}};
static const dc_key_choice inits[] = {
    {"fan_in", DC_INIT_FAN_IN}, {"glorot", DC_INIT_GLOROT}, {"xavier_sqrt2", DC_INIT_XAVIER_SQRT2},
    {"normal", DC_INIT_NORMAL}, {"pca", DC_INIT_PCA},       {NULL, 0}};
static const dc_key_choice modes[] = {
    {"joint", DC_PRETRAIN_JOINT}, {"layerwise", DC_PRETRAIN_LAYERWISE}, {"none", DC_PRETRAIN_NONE}, {NULL, 0}};
static const dc_key_choice losses[] = {{"mse", DC_LOSS_MSE},
                                       {"mse_sum", DC_LOSS_MSE_SUM},
                                       {"mse_half_sum", DC_LOSS_MSE_HALF_SUM},
                                       {"bce", DC_LOSS_BCE},
                                       {NULL, 0}};
static const dc_key_choice optimizers[] = {{"sgd", DC_OPT_SGD},
                                           {"sgd_torch", DC_OPT_SGD_TORCH},
                                           {"adam", DC_OPT_ADAM},
                                           {"nesterov", DC_OPT_NESTEROV},
                                           {"nesterov_torch", DC_OPT_NESTEROV_TORCH},
                                           {"rmsprop", DC_OPT_RMSPROP},
                                           {NULL, 0}};
static const dc_key_choice schedules[] = {
    {"constant", DC_SCHED_CONSTANT}, {"step", DC_SCHED_STEP}, {"cosine", DC_SCHED_COSINE}, {NULL, 0}};
static const dc_key_choice topics[] = {
    {"auto", DC_TOPICS_AUTO}, {"on", DC_TOPICS_ON}, {"off", DC_TOPICS_OFF}, {NULL, 0}};
static const dc_key_choice maps[] = {{"auto", DC_MAP_AUTO}, {"on", DC_MAP_ON}, {"off", DC_MAP_OFF}, {NULL, 0}};
static const dc_key_choice ons[] = {{"embedding", DC_ON_EMBEDDING}, {"input", DC_ON_INPUT}, {NULL, 0}};
static const dc_key_choice starts[] = {{"kmeans", DC_START_KMEANS},
                                       {"spectral", DC_START_SPECTRAL},
                                       {"gmm", DC_START_GMM},
                                       {"weights", DC_START_WEIGHTS},
                                       {NULL, 0}};
static const dc_key_choice seedings[] = {
    {"auto", DC_SEEDING_AUTO}, {"k-means++", DC_SEEDING_PLUSPLUS}, {"k-means||", DC_SEEDING_PARALLEL}, {NULL, 0}};
static const dc_key_choice autos[] = {{"auto", DC_CLUSTERS_AUTO}, {NULL, 0}};
static const dc_key_choice finals[] = {{"none", DC_FINAL_NONE},
                                       {"gmm", DC_FINAL_GMM},
                                       {"gmm_tied", DC_FINAL_GMM_TIED},
                                       {"gmm_diagonal", DC_FINAL_GMM_DIAGONAL},
                                       {"gmm_spherical", DC_FINAL_GMM_SPHERICAL},
                                       {NULL, 0}};
static const dc_key_choice metrics[] = {{"euclidean", DC_METRIC_EUCLIDEAN}, {"cosine", DC_METRIC_COSINE}, {NULL, 0}};
static const dc_key_choice symmetries[] = {
    {"union", DC_SYMMETRY_UNION}, {"mutual", DC_SYMMETRY_MUTUAL}, {"directed", DC_SYMMETRY_DIRECTED}, {NULL, 0}};
static const dc_key_choice gemms[] = {{"onednn", DC_GEMM_ONEDNN}, {"cblas", DC_GEMM_CBLAS}, {NULL, 0}};
static const dc_key_choice isas[] = {
    {"native", DC_ISA_NATIVE}, {"avx2", DC_ISA_AVX2}, {"avx512", DC_ISA_AVX512}, {NULL, 0}};
static const dc_key_choice pins[] = {{"auto", DC_PIN_AUTO}, {"off", DC_PIN_OFF}, {NULL, 0}};
static const dc_key_choice reproducible[] = {
    {"strict", DC_REPRODUCIBLE_STRICT}, {"off", DC_REPRODUCIBLE_OFF}, {NULL, 0}};
static const dc_key_choice resumes[] = {
    {"auto", DC_RESUME_AUTO}, {"never", DC_RESUME_NEVER}, {"must", DC_RESUME_MUST}, {NULL, 0}};
static const dc_key_choice row_outputs[] = {{"none", DC_ROWS_NONE}, {"full", DC_ROWS_FULL}, {NULL, 0}};
static const dc_key_choice q_outputs[] = {{"top1", DC_Q_TOP1}, {"top", DC_Q_TOP}, {"full", DC_Q_FULL}, {NULL, 0}};

static const dc_key_choice residencies[] = {
    {"auto", DC_RESIDENCY_AUTO}, {"memory", DC_RESIDENCY_MEMORY}, {"stream", DC_RESIDENCY_STREAM}, {NULL, 0}};

#define KEY(s, n, t, member, def) .section = s, .name = n, .type = t, .offset = AT(member), .fallback = def

/* clang-format off */
#define USED_BY(who) .verbs = DC_USE_FIT, .trait = who, .result = true

#define WITH_MOMENTUM "sgd sgd_torch nesterov nesterov_torch"

/* Rows that both training phases have. `who`: the trait of the methods that use them; `first`, `first_is`: the
 * condition under which they are in use, stated by a row itself or by the row that it depends on. */
#define OPTIMIZER_ROWS(s, member, who, first, first_is, lr_default, lr_source)                                        \
    {USED_BY(who), KEY(s, "optimizer", DC_KEY_CHOICE, member.kind, "sgd"),                                            \
     .choices = optimizers, .when = first, .when_is = first_is, .also = "optim solver", .source = GUO,                \
     .doc = "Update rule. sgd: v = m v - lr g; w += v (Keras, Caffe). sgd_torch: v = m v + g; w -= lr v (PyTorch). "  \
            "adam: Kingma and Ba 2015 with bias correction. nesterov: v = m v - lr g; w += m v - lr g (Keras). "      \
            "nesterov_torch: v = m v + g; w -= lr (g + m v) (PyTorch). rmsprop: s = rho s + (1 - rho) g^2; "          \
            "w -= lr g / (sqrt(s) + epsilon) (Keras 2, PyTorch)."},                                                   \
    {USED_BY(who), KEY(s, "lr", DC_KEY_FLOAT, member.lr, lr_default),                                                 \
     .min = 0, .max = 1e6, .range = DC_OPEN_MIN, .when = first, .when_is = first_is,                                  \
     .also = "learning_rate eta", .source = lr_source,                                                                \
     .doc = "Learning rate. It belongs to the scaling of the loss and never depends on the number of ranks."},        \
    {USED_BY(who), KEY(s, "momentum", DC_KEY_FLOAT, member.momentum, "0.9"),                                          \
     .min = 0, .max = 1, .range = DC_OPEN_MAX, .when = "optimizer", .when_is = WITH_MOMENTUM,                         \
     .also = "mu", .source = GUO,                                                                                     \
     .doc = "Momentum m; 0 turns it off."},                                                                           \
    {USED_BY(who), KEY(s, "burnin", DC_KEY_INT, member.burnin, "0"),                                                  \
     .min = 0, .max = MAX_COUNT, .unit = "steps", .when = "optimizer", .when_is = WITH_MOMENTUM,                      \
     .also = "momentum_burnin", .source = GUO " (Xie et al. 2016: 1000)",                                             \
     .doc = "Steps over which the momentum first rises linearly from 0; 0: none."},                                   \
    {USED_BY(who), KEY(s, "bias_lr", DC_KEY_FLOAT, member.bias_lr, "1"),                                              \
     .min = 0, .max = 100, .range = DC_OPEN_MIN, .when = first, .when_is = first_is,                                  \
     .source = GUO " (Xie et al. 2016: 2)",                                                                           \
     .doc = "Learning rate of biases as a multiple of lr."},                                                          \
    {USED_BY(who), KEY(s, "beta1", DC_KEY_FLOAT, member.beta1, "0.9"),                                                \
     .min = 0, .max = 1, .range = DC_OPEN_MAX, .when = "optimizer", .when_is = "adam", .source = "Keras",             \
     .doc = "Adam: decay of the mean of the gradient."},                                                              \
    {USED_BY(who), KEY(s, "beta2", DC_KEY_FLOAT, member.beta2, "0.999"),                                              \
     .min = 0, .max = 1, .range = DC_OPEN_MAX, .when = "optimizer", .when_is = "adam", .source = "Keras",             \
     .doc = "Adam: decay of the mean of the squared gradient."},                                                      \
    {USED_BY(who), KEY(s, "rho", DC_KEY_FLOAT, member.rho, "0.9"),                                                    \
     .min = 0, .max = 1, .range = DC_OPEN_MAX, .when = "optimizer", .when_is = "rmsprop",                             \
     .source = "Keras (PyTorch, as alpha: 0.99)",                                                                     \
     .doc = "RMSprop: decay of the mean of the squared gradient."},                                                   \
    {USED_BY(who), KEY(s, "epsilon", DC_KEY_FLOAT, member.epsilon, "1e-7"),                                           \
     .min = 0, .max = 1, .range = DC_OPEN_MIN, .when = "optimizer", .when_is = "adam rmsprop",                        \
     .also = "eps", .source = "Keras (PyTorch: 1e-8)",                                                                \
     .doc = "Added to the root of the mean of the squared gradient."},                                                \
    {USED_BY(who), KEY(s, "weight_decay", DC_KEY_FLOAT, member.weight_decay, "0"),                                    \
     .min = 0, .max = 1e6, .when = first, .when_is = first_is, .also = "l2 decay regularization",                     \
     .doc = "Times the weight, added to its gradient: the weight_decay of PyTorch's SGD and Adam, not that of AdamW. " \
            "Weights of layers alone, neither biases nor centres. 0: none."},                                         \
    {USED_BY(who), KEY(s, "clip_norm", DC_KEY_FLOAT, member.clip_norm, "0"),                                          \
     .min = 0, .max = 1e12, .when = first, .when_is = first_is,                                                       \
     .also = "global_clipnorm clipnorm max_norm grad_clip gradient_clipping",                                         \
     .doc = "Longest gradient, over all that a step trains: a longer one is scaled to this norm, before weight_decay. "\
            "0: none."},                                                                                              \
    {USED_BY(who), KEY(s, "lr_factors", DC_KEY_FACTORS, member.lr_factors, "[]"),                                     \
     .min = 0, .max = 1e6, .when = first, .when_is = first_is, .also = "lr_mult param_groups layer_lr",               \
     .doc = "Factors of the learning rate, [encoder=0.1, centers=10]: encoder_0 is a layer, encoder and decoder are " \
            "all of their layers, centers those of a method that trains them. Factors that meet multiply, bias_lr "   \
            "too; 0 keeps a layer as it is."},                                                                        \
    {USED_BY(who), KEY(s, "schedule", DC_KEY_CHOICE, member.schedule, "constant"),                                    \
     .choices = schedules, .when = first, .when_is = first_is,                                                        \
     .also = "lr_schedule lr_policy scheduler", .source = GUO,                                                        \
     .doc = "Learning rate over the steps of this phase. step: times lr_factor every lr_step steps. cosine: half a "  \
            "cosine from lr to lr * lr_factor at the last step."},                                                    \
    {USED_BY(who), KEY(s, "lr_step", DC_KEY_INT, member.lr_step, "20000"),                                            \
     .min = 1, .max = MAX_COUNT, .unit = "steps", .when = "schedule", .when_is = "step",                              \
     .also = "step_size", .source = "Xie et al. 2016, Caffe solver",                                                  \
     .doc = "Steps between two changes of the learning rate."},                                                       \
    {USED_BY(who), KEY(s, "lr_factor", DC_KEY_FLOAT, member.lr_factor, "0.1"),                                        \
     .min = 0, .max = 1, .when = "schedule", .when_is = "step cosine",                                                \
     .also = "gamma decay", .source = "Xie et al. 2016, Caffe solver",                                                \
     .doc = "step: factor of each change. cosine: final fraction of lr."},                                            \
    {USED_BY(who), KEY(s, "lr_min", DC_KEY_FLOAT, member.lr_min, "0"),                                                \
     .min = 0, .max = 1e6, .when = "schedule", .when_is = "step cosine",                                              \
     .also = "min_lr eta_min",                                                                                        \
     .doc = "The schedule takes the learning rate no lower; at most lr. A warm-up still begins below."},              \
    {USED_BY(who), KEY(s, "warmup", DC_KEY_INT, member.warmup, "0"),                                                  \
     .min = 0, .max = MAX_COUNT, .unit = "steps", .when = first, .when_is = first_is, .source = GUO,                  \
     .doc = "Steps over which the learning rate first rises linearly from 0; 0: none."}
/* clang-format on */

const dc_key dc_key_table[] = {
    {KEY("run", "output", DC_KEY_PATH, run.output, "runs/dcmpi"), .verbs = DC_USE_FIT | DC_USE_KMEANS,
     .also = "output_dir save_dir dir",
     .doc = "Directory of the run: run.h5, log, metrics, report. It is made with its parents."},
    {KEY("run", "seed", DC_KEY_INT, run.seed, "1"), .min = 0, .max = 0x1p63, .verbs = DC_USE_FIT | DC_USE_KMEANS,
     .result = true, .also = "random_state random_seed",
     .doc = "Seed of all random numbers. The same seed gives the same result on any number of ranks and threads."},
    {KEY("run", "resume", DC_KEY_CHOICE, run.resume, "auto"), .choices = resumes, .verbs = DC_USE_FIT | DC_USE_KMEANS,
     .also = "restart continue",
     .doc =
         "auto: go on from the newest checkpoint in run.output, if there is one; with a larger pretrain.epochs, steps, "
         "layer_steps, cluster.kmeans_max_iter or max_iter, or a smaller tol, from the end of that phase. never: start "
         "anew; an older result is replaced at the end; a job that the queue runs again continues its own part. must: "
         "it is an error if there is nothing to continue."},
    {KEY("run", "max_time", DC_KEY_DURATION, run.max_time, "0"), .min = 0, .max = 1e9,
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .also = "time_limit walltime",
     .doc =
         "Time from the start after which the job will be ended; the run stops with a checkpoint before that. Slurm's "
         "D-HH:MM:SS is understood. 0: no limit."},
    {KEY("run", "log_interval", DC_KEY_DURATION, run.log_interval, "10s"), .min = 0, .max = 86400, .range = DC_OPEN_MIN,
     .verbs = DC_USE_FIT | DC_USE_KMEANS,
     .doc = "First interval between progress lines; it grows to 5 minutes in long runs."},
    {KEY("run", "stall_warning", DC_KEY_DURATION, run.stall_warning, "60s"), .min = 0, .max = 86400 * 7,
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .also = "watchdog timeout",
     .doc = "After this long without progress, a warning names the ranks that the others wait for; 0: never."},
    {KEY("run", "stall_abort", DC_KEY_DURATION, run.stall_abort, "0s"), .min = 0, .max = 86400 * 7,
     .verbs = DC_USE_FIT | DC_USE_KMEANS,
     .doc = "After this long without progress, the job ends with exit code 70; 0: never."},

    {KEY("input", "data", DC_KEY_FILES, input.data, ""), .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true,
     .also = "dataset file path",
     .doc =
         "HDF5 file with /X [N, D] and, if there are labels, /y [N], or an .h5ad of AnnData, sparse or dense; `dcmpi "
         "convert` makes one from other formats. Also an .npy file, file.h5:dataset, or many files as one data set: a "
         "list, or a glob such as shards/*.npy, which gives the files in byte order of their names. Built-in data are "
         "made in memory: builtin:glyphs, pictures; "
         "builtin:embeddings,rows=N,width=D,clusters=K,duplicates=SHARE,type=float32, a mixture on the sphere with "
         "near "
         "duplicates (README). Labels only score the result."},
    {KEY("input", "scale", DC_KEY_CHOICE, input.scale, "unit"), .choices = scales, .verbs = DC_USE_FIT | DC_USE_KMEANS,
     .result = true, .also = "scaling normalize", .source = GUO ", x/255",
     .doc = "unit: the range of the whole matrix to [0, 1] (0..255 for uint8). symmetric: to [-1, 1]. dec: times a "
            "factor that makes the mean "
            "of |x|^2/D one. standard: each column to mean 0 and variance 1. sample: the same with the variance of a "
            "sample, divided by N - 1, as "
            "scanpy and R do. minmax: each column to [0, 1]. robust: "
            "each column to median 0 and distance 1 between its quartiles, which single wild values do not move; "
            "it suits data that are not zero for the most part. none: values as they are. pca: principal components "
            "instead of the columns. They are kept in run.h5, and predict uses them."},
    {KEY("input", "reduce", DC_KEY_CHOICE, input.reduce, "none"), .choices = reductions,
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true,
     .also = "reduction svd lsa truncated_svd truncatedsvd dimensionality_reduction",
     .doc =
         "After the scaling, input.components dimensions instead of the columns, for any number of columns, dense or "
         "sparse. svd: rows times the leading singular vectors (scikit-learn's TruncatedSVD; of tf-idf: latent "
         "semantic analysis). pca: the same of the rows minus their mean. Both by a randomized range finder, "
         "for few dimensions of many columns; input.scale = pca is exact. random: times Gaussian numbers of variance "
         "1/components. The map is kept in run.h5, and predict uses it."},
    {KEY("input", "components", DC_KEY_INT, input.components, "0"), .min = 0, .max = DC_PRINCIPAL_MAX,
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .when = "scale", .when_is = "pca", .or_when = "reduce",
     .or_when_is = "svd pca random", .result = true, .also = "n_components pca_components",
     .doc =
         "Number of principal components, or of the dimensions of input.reduce; at most that of columns and of rows. "
         "0: with input.scale = pca, input.variance decides. Principal components of more than 4,096 rows and columns "
         "are computed by ScaLAPACK: their bits depend on the number of ranks."},
    {KEY("input", "variance", DC_KEY_FLOAT, input.variance, "0.95"), .min = 0, .max = 1, .range = DC_OPEN_MIN,
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .when = "components", .when_is = "0", .result = true,
     .also = "explained_variance explained_variance_ratio", .source = "scikit-learn's rule",
     .doc = "Take as few principal components as hold more than this share of the variance; 1: all that vary. At most "
            "4,096; until the share is known, memory is announced for as many as there may be."},
    {KEY("input", "whiten", DC_KEY_BOOL, input.whiten, "false"), .verbs = DC_USE_FIT | DC_USE_KMEANS, .when = "scale",
     .when_is = "pca", .result = true, .also = "whitening sphering",
     .doc = "true: each component is divided by its standard deviation, so that all have variance 1. false: one factor "
            "makes the mean square of all components 1."},
    {KEY("input", "norm", DC_KEY_CHOICE, input.norm, "none"), .choices = row_norms, .verbs = DC_USE_FIT | DC_USE_KMEANS,
     .result = true, .also = "normalize normalizer row_norm",
     .doc =
         "Last of all, each row is divided by its norm, after the reduction if there is one. l2: the root of the sum "
         "of squares, so that k-means goes by the cosine. l1: the sum of the absolute values. max: the largest "
         "of them. Rows of zeros stay zeros. Give input.scale = none, too, for rows of values of both signs: the usual "
         "scale makes them 0 to 1, after which all rows point much the same way."},
    {KEY("input", "clip", DC_KEY_CLIP, input.clip, "none"), .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true,
     .also = "winsorize outliers clip_range",
     .doc = "Move values beyond two bounds to the nearer bound before scaling. 0.001: each column's quantiles 0.001 "
            "and 0.999. [a, b]: all columns to this range. The bounds are kept in run.h5, and predict uses them."},
    {KEY("input", "clip_scaled", DC_KEY_FLOAT, input.clip_scaled, "0"), .min = 0, .max = MAX_COUNT,
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true, .also = "max_value",
     .doc = "After scaling, move values beyond this distance from 0 to it, as scanpy's scale(max_value=10) does; 0: "
            "none. The bounds are kept in run.h5, and predict uses them."},
    {KEY("input", "normalize_total", DC_KEY_FLOAT, input.normalize_total, "0"), .min = 0, .max = MAX_COUNT,
     .choices = row_totals, .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true,
     .also = "library_size target_sum cp10k cpm size_factors",
     .doc = "For counts: multiply each row so that its values sum to this number, or to the median of the sums above "
            "0; 0: "
            "rows stay as they are. This is the library-size normalisation of scanpy (pp.normalize_total). It comes "
            "before all else that is done to the data; predict does the same."},
    {KEY("input", "log1p", DC_KEY_BOOL, input.log1p, "false"), .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true,
     .also = "log log_transform logarithm",
     .doc = "For counts: take log(1 + x) of each value, after input.normalize_total."},
    {KEY("input", "variable_columns", DC_KEY_INT, input.variable_columns, "0"), .min = 0, .max = INT32_MAX,
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true, .also = "n_top_genes highly_variable_genes hvg",
     .doc = "For counts: keep so many columns, those of highest normalised dispersion, as scanpy's "
            "highly_variable_genes(n_top_genes) does; 0: all. predict takes rows with all columns."},
    {KEY("input", "variable_flavor", DC_KEY_CHOICE, input.variable_flavor, "seurat"), .choices = variable_flavors,
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true, .also = "flavor hvg_flavor", .source = "scanpy",
     .doc =
         "How input.variable_columns compares columns. seurat: log of variance by mean of the values before log1p, in "
         "bins of equal width of the mean. cell_ranger: variance by mean of the values after log1p, in bins between "
         "percentiles of the mean, by median and median absolute deviation."},
    {KEY("input", "rows", DC_KEY_INT, input.rows, "0"), .min = 0, .max = MAX_COUNT, .unit = "rows",
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true, .also = "n_samples max_rows",
     .doc =
         "Use only this many rows, the first ones; 0: all (of builtin:glyphs: 10000, of builtin:embeddings: 100000)."},
    {KEY("input", "residency", DC_KEY_CHOICE, input.residency, "auto"), .choices = residencies,
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .also = "streaming out_of_core mmap memmap",
     .doc =
         "Where the rows are while the job runs. memory: read once. stream: in their files; every pass reads them "
         "again, while the rows before are used, and memory does not grow with them. Built-in data are made again. The "
         "results are the same bits. auto: memory if the job then fits into what is free, else stream if the rows can "
         "be "
         "read in place (dense, no transforms of counts); the log says which and why."},
    {KEY("input", "chunk_cache", DC_KEY_INT, input.chunk_cache, "64"), .min = 1, .max = 1 << 20, .unit = "MiB",
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .also = "rdcc_nbytes chunk_cache_size",
     .doc =
         "Memory of each rank for unpacked chunks of HDF5 rows that stay in their files, or twice all chunks of a row "
         "for each thread if that is more. Passes need no more; training is faster if there is room for the chunks of "
         "a "
         "pool of mixed rows, which are 8 blocks of 256 rows for each shard of the rank."},
    {KEY("input", "matrix", DC_KEY_PATH, input.matrix, ""), .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true,
     .also = "layer raw use_raw layers anndata h5ad sparse csr",
     .doc =
         "Which matrix of an AnnData file (.h5ad) the rows are: X, raw/X, or layers/NAME, sparse or dense. None: X."},
    {KEY("input", "label_dataset", DC_KEY_PATH, input.label_dataset, ""), .verbs = DC_USE_FIT | DC_USE_KMEANS,
     .also = "labels y label_column target obs",
     .doc = "Where the file has its labels, if not in /y: a vector of integers or names, or a categorical of AnnData, "
            "such as /obs/cell_type, or cell_type alone. -1, NaN, an empty text, NA, None and ? mean no label: such "
            "rows are clustered and "
            "not scored."},
    {KEY("input", "image_shape", DC_KEY_LIST, input.image_shape, "[]"), .min = 1, .max = 1 << 20,
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .also = "shape image_size height width",
     .doc = "Rows are pictures of [height, width] or [height, width, channels], row by row, channels together: for the "
            "report and for layers about images. []: as the file says."},

    {KEY("model", "encoder", DC_KEY_NET, model.encoder, ""), .verbs = DC_USE_FIT, .result = true,
     .also = "network architecture layers",
     .doc =
         "The encoder's layers, instead of hidden, latent and their activations: \"dense 500 relu, dense 10\". A layer "
         "is dense WIDTH [bn|ln] [ACTIVATION] [init=SCHEME] [rate=FACTOR]: linear without an activation; bn is batch "
         "norm, ln layer norm before it; init as model.init, rate times the learning rate, for this layer. The last "
         "one makes the embedding. For images: conv HEIGHTxWIDTHxCHANNELS [/STRIDE] [same, valid or pad=PIXELS] and "
         "what dense may have, bn by channel, ln over all of an image, deconv (transposed convolution, also "
         "out=HEIGHTxWIDTH), maxpool and avgpool HEIGHTxWIDTH [/STRIDE] [padding]: \"conv 5x5x32 /2 relu, conv 3x3x64 "
         "/2 relu valid, dense 10\"."},
    {KEY("model", "decoder", DC_KEY_NET, model.decoder, "~encoder"), .verbs = DC_USE_FIT, .trait = "decoder",
     .result = true,
     .doc = "~encoder: the encoder's layers backwards, with its activations, deconv for conv. tied ~encoder: the same "
            "with its weights, "
            "transposed, and biases of its own. Or layers, ending in the width of the data, a number or the word data: "
            "\"dense 500 relu, dense data\"; pretrain.mode layerwise needs a mirror."},
    {KEY("model", "hidden", DC_KEY_LIST, model.hidden, "[500, 500, 2000]"), .min = 1, .max = 1 << 20,
     .verbs = DC_USE_FIT, .when = "encoder", .when_is = "", .result = true, .also = "dims encoder_layers",
     .source = "Xie et al. 2016", .doc = "Widths of the encoder's hidden layers, at most 14. []: one linear map."},
    {KEY("model", "latent", DC_KEY_INT, model.latent, "10"), .min = 1, .max = 1 << 16, .verbs = DC_USE_FIT,
     .when = "encoder", .when_is = "", .result = true, .also = "latent_dim embedding_dim bottleneck",
     .source = "Xie et al. 2016", .doc = "Width of the embedding, in which rows are clustered."},
    {KEY("model", "activation", DC_KEY_CHOICE, model.activation, "relu"), .choices = activations, .verbs = DC_USE_FIT,
     .when = "encoder", .when_is = "", .result = true, .also = "act", .source = "Xie et al. 2016",
     .doc = "Activation of the hidden layers."},
    {KEY("model", "latent_activation", DC_KEY_CHOICE, model.latent_activation, "linear"), .choices = activations,
     .verbs = DC_USE_FIT, .when = "encoder", .when_is = "", .result = true, .source = "Xie et al. 2016",
     .doc = "Activation of the embedding."},
    {KEY("model", "output_activation", DC_KEY_CHOICE, model.output_activation, "linear"), .choices = activations,
     .verbs = DC_USE_FIT, .trait = "decoder", .when = "decoder", .when_is = "~encoder tied", .result = true,
     .source = "Xie et al. 2016", .doc = "Activation of the reconstruction."},
    {KEY("model", "init", DC_KEY_CHOICE, model.init, "fan_in"), .choices = inits, .verbs = DC_USE_FIT, .result = true,
     .also = "initializer weight_init", .source = GUO ", VarianceScaling(1/3, fan_in, uniform)",
     .doc =
         "First weights; biases start at 0. fan_in: U(+-sqrt(1/fan_in)). glorot: U(+-sqrt(6/(fan_in+fan_out))). "
         "xavier_sqrt2: glorot times sqrt(2). normal: N(0, 0.01^2). pca: the principal directions of what enters the "
         "layer, in hidden layers those of 80 % of the variance, for each direction two units of opposite signs if the "
         "activation is a rectifier; the other units as fan_in. The decoder that mirrors the encoder has the "
         "transposes, and the biases take off and add the means. Dense layers without ln, of at most 4096 inputs, or "
         "of more for at most 4096 rows."},
    {KEY("model", "weights", DC_KEY_PATH, model.weights, ""), .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true,
     .also = "ae_weights pretrained checkpoint",
     .doc =
         "run.h5 of an earlier run with the same widths, activations and scaling: start from its autoencoder and "
         "skip pretraining. The pretrain keys may stay in the deck; they are not used then. With cluster.init: weights "
         "also from its scaling and centres. A run continues only with the weights it began with: others in this "
         "file are refused."},

    {KEY("pretrain", "mode", DC_KEY_CHOICE, pretrain.mode, "joint"), .choices = modes, .verbs = DC_USE_FIT,
     .trait = "pretraining", .result = true, .source = GUO,
     .doc = "joint: all layers of the autoencoder together. layerwise: one layer pair after the other as denoising "
            "autoencoders, then joint, with no noise but a method's own. none: no pretraining; with model.weights it "
            "is always none."},
    {KEY("pretrain", "epochs", DC_KEY_INT, pretrain.epochs, "300"), .min = 1, .max = 1e9, .unit = "epochs",
     .verbs = DC_USE_FIT, .trait = "pretraining", .when = "mode", .when_is = "joint layerwise", .result = true,
     .also = "pretrain_epochs n_epochs", .source = GUO ", MNIST",
     .doc = "Passes over the data. Every epoch visits every row once, in a new order."},
    {KEY("pretrain", "steps", DC_KEY_INT, pretrain.steps, "0"), .min = 0, .max = MAX_COUNT, .unit = "steps",
     .verbs = DC_USE_FIT, .trait = "pretraining", .when = "mode", .when_is = "joint layerwise", .result = true,
     .also = "iterations", .doc = "Length of the joint training in steps instead of epochs; 0: epochs count."},
    {KEY("pretrain", "layer_steps", DC_KEY_INT, pretrain.layer_steps, "50000"), .min = 1, .max = MAX_COUNT,
     .unit = "steps", .verbs = DC_USE_FIT, .trait = "pretraining", .when = "mode", .when_is = "layerwise",
     .result = true, .source = "Xie et al. 2016",
     .doc = "Steps that each layer pair is trained for before the joint training."},
    {KEY("pretrain", "input_dropout", DC_KEY_FLOAT, pretrain.input_dropout, "0"), .min = 0, .max = 1,
     .range = DC_OPEN_MAX, .verbs = DC_USE_FIT, .trait = "pretraining", .when = "mode", .when_is = "layerwise",
     .result = true, .source = "Xie et al. 2016, Caffe",
     .doc = "Dropout of the data themselves while the first pair is trained."},
    {KEY("pretrain", "dropout", DC_KEY_FLOAT, pretrain.dropout, "0.2"), .min = 0, .max = 1, .range = DC_OPEN_MAX,
     .verbs = DC_USE_FIT, .trait = "pretraining", .when = "mode", .when_is = "layerwise", .result = true,
     .also = "corruption noise", .source = "Xie et al. 2016",
     .doc = "Dropout of the inputs of the other pairs and of all hidden outputs but the embedding."},
    {KEY("pretrain", "batch", DC_KEY_INT, pretrain.batch, "256"), .min = 1, .max = 1e9, .unit = "rows",
     .verbs = DC_USE_FIT, .trait = "pretraining", .when = "mode", .when_is = "joint layerwise", .result = true,
     .also = "batch_size", .source = "Xie et al. 2016",
     .doc = "Rows per step over all ranks together; at most the rows of the data."},
    {KEY("pretrain", "loss", DC_KEY_CHOICE, pretrain.loss, "mse"), .choices = losses, .verbs = DC_USE_FIT,
     .trait = "pretraining", .when = "mode", .when_is = "joint layerwise", .result = true,
     .also = "reconstruction_loss", .source = GUO,
     .doc = "Reconstruction error. mse: mean over batch and columns (Keras, PyTorch). mse_sum: sum over columns, mean "
            "over the batch (DCN, DKM). mse_half_sum: half of that (Caffe). bce: cross-entropy, mean over batch and "
            "columns, for "
            "data in [0, 1] and a sigmoid at the end of the decoder. Learning rates do not carry over."},
    OPTIMIZER_ROWS("pretrain", pretrain.opt, "pretraining", "mode", "joint layerwise", "1.0",
                   GUO ", for loss mse and data in [0, 1]"),

    {KEY("cluster", "method", DC_KEY_METHOD, cluster.method, ""), .verbs = DC_USE_FIT, .result = true,
     .also = "algorithm",
     .doc = "What is done after pretraining; `dcmpi fit --help` lists the methods. A method's own keys stand in the "
            "section of its name."},
    {KEY("cluster", "on", DC_KEY_CHOICE, cluster.on, "embedding"), .choices = ons, .verbs = DC_USE_FIT, .result = true,
     .also = "space features raw",
     .doc = "What is clustered. embedding: the rows as the network embeds them. input: the scaled rows of the data; "
            "there is no network and no pretraining, keys of model and pretrain may stay in the deck, and the method "
            "must be one that trains nothing."},
    {KEY("cluster", "clusters", DC_KEY_INT, cluster.clusters, "10"), .min = 1, .max = 1 << 20, .choices = autos,
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true, .also = "n_clusters k num_clusters", .source = "MNIST",
     .doc =
         "Number of clusters K. auto, for method spectral, of the input or of the pretrained embedding: the number of "
         "eigenvalues before their largest gap, at least 2 and at most spectral.max_clusters."},
    {KEY("cluster", "init", DC_KEY_CHOICE, cluster.init, "kmeans"), .choices = starts,
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .trait = "start", .result = true,
     .also = "initialization start warm_start continue",
     .doc =
         "What the first centres are. kmeans: those of k-means. spectral, gmm: of a method that trains, the means of "
         "the clusters that this method finds in the embedding, with the keys of its section. weights: those of "
         "k-means that starts once, from the centres of the run in model.weights, so that clusters keep their "
         "numbers when data have grown; scaling, clipping, reduction and transforms of counts are then that run's."},
    {KEY("cluster", "n_init", DC_KEY_INT, cluster.n_init, "20"), .min = 1, .max = 10000, .unit = "restarts",
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true, .also = "restarts", .source = "Xie et al. 2016",
     .doc = "Starts of k-means, advanced together; the lowest inertia wins."},
    {KEY("cluster", "seeding", DC_KEY_CHOICE, cluster.seeding, "auto"), .choices = seedings,
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true, .also = "kmeans_init init_mode seeds",
     .doc = "First centres of a start of k-means. k-means++ (Arthur and Vassilvitskii 2007): one after another, "
            "greedily, each a pass over the rows. k-means|| (Bahmani et al. 2012): five passes find about 2.5 "
            "candidates per cluster, of which greedy k-means++ chooses. auto: "
            "k-means|| from 256 clusters on, if there are at least 10 rows per cluster, and from 1000 on, if there are "
            "at least 4; the log says which."},
    {KEY("cluster", "kmeans_max_iter", DC_KEY_INT, cluster.kmeans_max_iter, "300"), .min = 1, .max = 1e9,
     .unit = "iterations", .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true, .source = "scikit-learn",
     .doc = "Maximum number of Lloyd iterations per start."},
    {KEY("cluster", "kmeans_tol", DC_KEY_FLOAT, cluster.kmeans_tol, "1e-4"), .min = 0, .max = 1,
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true, .source = "scikit-learn",
     .doc = "A start has converged when the squared shift of its centres is at most this value times the mean variance "
            "of a column."},
    {KEY("cluster", "metric", DC_KEY_CHOICE, cluster.metric, "euclidean"), .choices = kmeans_metrics,
     .verbs = DC_USE_KMEANS, .result = true, .also = "spherical distance",
     .doc = "cosine: spherical k-means (Dhillon and Modha 2001). Rows and centres have length 1 (input.norm becomes "
            "l2, input.scale none if it is not given), "
            "and a row belongs to the centre with the largest cosine, in predictions, too."},
    {KEY("cluster", "levels", DC_KEY_LIST, cluster.levels, "[]"), .min = 1, .max = 1 << 20, .verbs = DC_USE_KMEANS,
     .result = true, .also = "hierarchy hierarchical n_clusters_per_level",
     .doc = "Hierarchical k-means: [1000, 100] makes 1000 clusters, then splits each by k-means of its rows, so that "
            "there are 100,000 in all (cluster.clusters follows). A cluster gets children in proportion to its rows, "
            "100 on average. A row belongs to the nearest child of its cluster, in predictions, too."},
    {KEY("cluster", "kmeans_batch", DC_KEY_INT, cluster.kmeans_batch, "0"), .min = 0, .max = 1e9, .unit = "rows",
     .verbs = DC_USE_KMEANS, .result = true, .also = "minibatch mini_batch batch_size",
     .doc = "Mini-batch k-means (Sculley 2010): the centres move after every so many rows, over all ranks together; 0: "
            "after all rows (Lloyd). Batches are those of training: every pass takes each row once, in a new order. "
            "cluster.kmeans_max_iter then counts passes. Every rank holds a batch."},
    {KEY("cluster", "max_size", DC_KEY_INT, cluster.max_size, "0"), .min = 0, .max = MAX_COUNT, .unit = "rows",
     .verbs = DC_USE_KMEANS, .result = true, .also = "size_max max_cluster_size balanced cap",
     .doc = "Most rows of a cluster; 0: any number. After k-means a cluster with more keeps those nearest to its "
            "centre, and each of the others goes to the nearest centre that has room or keeps it before a row farther "
            "away. Centres stay; predict knows no limit."},
    {KEY("cluster", "batch", DC_KEY_INT, cluster.batch, "256"), .min = 1, .max = 1e9, .unit = "rows",
     .verbs = DC_USE_FIT, .trait = "training", .result = true, .also = "batch_size", .source = "Xie et al. 2016",
     .doc = "Rows per step over all ranks together; at most the rows of the data."},
    {KEY("cluster", "update_interval", DC_KEY_INT, cluster.update_interval, "140"), .min = 1, .max = MAX_COUNT,
     .unit = "steps", .verbs = DC_USE_FIT, .trait = "training", .result = true, .also = "T interval",
     .source = GUO ", MNIST (30 for USPS, Reuters, STL)",
     .doc = "Steps between two refreshes of the target distribution, at which labels are compared, too."},
    {KEY("cluster", "max_iter", DC_KEY_INT, cluster.max_iter, "20000"), .min = 0, .max = MAX_COUNT, .unit = "steps",
     .verbs = DC_USE_FIT, .trait = "training", .result = true, .also = "maxiter iterations epochs", .source = GUO,
     .doc = "Maximum number of steps of the clustering phase; 0: the k-means start is the result."},
    {KEY("cluster", "tol", DC_KEY_FLOAT, cluster.tol, "0.001"), .min = 0, .max = 1, .verbs = DC_USE_FIT,
     .trait = "training", .result = true, .also = "tolerance delta", .source = "Xie et al. 2016",
     .doc = "Stop when fewer than this fraction of rows change their label between refreshes; 0: only max_iter stops."},
    {KEY("cluster", "final_kmeans", DC_KEY_BOOL, cluster.final_kmeans, "false"), .verbs = DC_USE_FIT,
     .trait = "centers", .result = true,
     .doc = "Replace labels and centres at the end by those of k-means on the trained embedding."},
    {KEY("cluster", "final", DC_KEY_CHOICE, cluster.final, "none"), .choices = finals, .verbs = DC_USE_FIT,
     .result = true, .also = "final_gmm",
     .doc =
         "A mixture of Gaussians on the trained embedding as last step: its means, labels and responsibilities replace "
         "centres, labels and q, also in predictions. gmm: full covariances; tied, diagonal, spherical as "
         "gmm.covariance. Its constants and starts are those of the section gmm."},
    OPTIMIZER_ROWS("cluster", cluster.opt, "training", NULL, NULL, "0.01", "Xie et al. 2016"),

    {KEY("sweep", "clusters", DC_KEY_SERIES, sweep.clusters, "2..20"), .min = 2, .max = 1 << 20, .verbs = DC_USE_SWEEP,
     .result = true, .option = "clusters", .also = "k n_clusters k_range range",
     .doc =
         "Numbers of clusters to compare, ascending: a range 5..20, one with a step 10..100:10, a list [2, 4, 8], or "
         "a list of these; on the command line also --clusters=5..20."},
    {KEY("sweep", "sample", DC_KEY_INT, sweep.sample, "5000"), .min = 10, .max = 1e7, .unit = "rows",
     .verbs = DC_USE_SWEEP, .result = true, .also = "sample_size silhouette_sample",
     .doc = "Rows of the random sample, the same for all numbers of clusters, on which silhouette and stability are "
            "computed; all rows if there are fewer. Every rank holds these rows, and the silhouettes take time with "
            "their square."},
    {KEY("sweep", "subsamples", DC_KEY_INT, sweep.subsamples, "8"), .min = 2, .max = 1000, .verbs = DC_USE_SWEEP,
     .result = true, .also = "resamples bootstraps",
     .doc = "Subsamples of the sample that are clustered for the stability: the mean adjusted Rand index of the labels "
            "of the rows that two subsamples share, over all pairs of subsamples."},
    {KEY("sweep", "share", DC_KEY_FLOAT, sweep.share, "0.8"), .min = 0, .max = 1, .range = DC_OPEN_MIN | DC_OPEN_MAX,
     .verbs = DC_USE_SWEEP, .result = true, .also = "fraction subsample", .source = "Ben-Hur, Elisseeff and Guyon 2002",
     .doc = "Share of the sample that is in a subsample."},
    {KEY("sweep", "n_init", DC_KEY_INT, sweep.n_init, "4"), .min = 1, .max = 10000, .unit = "restarts",
     .verbs = DC_USE_SWEEP, .result = true, .also = "restarts",
     .doc =
         "Restarts of k-means or of the mixture in each subsample; all rows are clustered with those of the method."},

    {KEY("parallel", "shards", DC_KEY_INT, parallel.shards, "64"), .min = 1, .max = DC_MAX_SHARDS,
     .range = DC_POWER_OF_TWO, .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true,
     .doc = "Virtual shards of the rows, a power of two. The order of rows in batches and sums follows from it and not "
            "from the ranks; there can be no more ranks than shards."},
    {KEY("parallel", "reproducible", DC_KEY_CHOICE, parallel.reproducible, "strict"), .choices = reproducible,
     .verbs = DC_USE_FIT, .result = true, .also = "deterministic",
     .doc = "strict: the same bits on any number of ranks, threads and nodes of one CPU type. off: gradients are added "
            "in the order that the MPI library chooses, and products are split by threads."},
    {KEY("parallel", "gather_rows", DC_KEY_INT, parallel.gather_rows, "2048"), .min = 0, .max = MAX_COUNT,
     .unit = "rows", .verbs = DC_USE_FIT, .when = "reproducible", .when_is = "strict", .result = true,
     .doc = "Batches up to this size are gathered over ranks to compute slices of the gradient; larger ones add "
            "partial gradients of the shards by a fixed tree, which moves less. The two give different bits."},
    {KEY("parallel", "hash_steps", DC_KEY_INT, parallel.hash_steps, "100"), .min = 0, .max = MAX_COUNT, .unit = "steps",
     .verbs = DC_USE_FIT,
     .doc = "Compare the weights of all ranks every so many steps, by a hash; 0: only at the ends of epochs and at "
            "refreshes. A rank whose memory fails ends the run before it is saved."},
    {KEY("parallel", "gemm", DC_KEY_CHOICE, parallel.gemm, "onednn"), .choices = gemms,
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true, .also = "blas",
     .doc = "Library for matrix products: oneDNN, or the CBLAS the program is linked with."},
    {KEY("parallel", "isa", DC_KEY_CHOICE, parallel.isa, "native"), .choices = isas,
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true, .also = "cpu instruction_set simd",
     .doc = "Instruction set of the library's matrix products: native is the best of the CPU; avx2 or avx512 gives the "
            "same bits on all CPUs that have it, for nodes of several types. With gemm: cblas OPENBLAS_CORETYPE must "
            "say Haswell or SkylakeX before the start."},
    {KEY("parallel", "pin", DC_KEY_CHOICE, parallel.pin, "auto"), .choices = pins, .verbs = DC_USE_FIT | DC_USE_KMEANS,
     .also = "affinity bind",
     .doc = "auto: each thread is bound to a core of its own if the launcher, a container or the queue gave the ranks "
            "as many cores as they have threads, and OMP_PROC_BIND does not say otherwise. off: threads stay where "
            "the system puts them."},

    {KEY("checkpoint", "every", DC_KEY_DURATION, checkpoint.every, "15m"), .min = 0, .max = 1e9,
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .also = "interval save_interval",
     .doc =
         "Time between two checkpoints. There is also one at the end of each phase and at each stop; 0: only these."},
    {KEY("checkpoint", "keep", DC_KEY_INT, checkpoint.keep, "2"), .min = 1, .max = 1e6, .unit = "files",
     .verbs = DC_USE_FIT | DC_USE_KMEANS,
     .doc = "How many of the newest checkpoints are kept. The last of each phase is kept, too: a longer run goes on "
            "from there."},

    {KEY("output", "embedding", DC_KEY_BOOL, output.embedding, "true"), .verbs = DC_USE_FIT,
     .doc = "Write the embedding of every row, float32 [N, latent]."},
    {KEY("output", "q", DC_KEY_CHOICE, output.q, "top1"), .choices = q_outputs, .verbs = DC_USE_FIT,
     .doc = "Soft assignment of each row. top1: its largest value (confidence). top: also the q_top largest with their "
            "clusters, /q_top and /q_top_index. full: also all of it, /q [N, clusters]; refused if rows x clusters x 4 "
            "bytes are more than 64 GiB."},
    {KEY("output", "q_top", DC_KEY_INT, output.q_top, "10"), .min = 1, .max = 1000, .unit = "clusters",
     .verbs = DC_USE_FIT, .when = "q", .when_is = "top", .also = "top_k topk",
     .doc = "How many of a row's largest values are written; all, if there are fewer clusters."},
    {KEY("output", "rows", DC_KEY_CHOICE, output.rows, "none"), .choices = row_outputs,
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true,
     .doc = "full writes where each row stands in its cluster: /rows/distance and /rows/cosine to its centre, and "
            "/rows/rank, 0 for the nearest."},
    {KEY("output", "examples", DC_KEY_INT, output.examples, "10"), .min = 0, .max = 1000, .unit = "rows",
     .verbs = DC_USE_FIT, .doc = "Rows listed per cluster as nearest to its centre and as closest to its border."},
    {KEY("output", "outlier_below", DC_KEY_FLOAT, output.outlier_below, "0"), .min = 0, .max = 1, .verbs = DC_USE_FIT,
     .also = "outlier_threshold min_confidence",
     .doc = "Flag rows whose confidence is below this as outliers in /outlier; 0: none. They keep their labels."},
    {KEY("output", "topics", DC_KEY_CHOICE, output.topics, "auto"), .choices = topics,
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .also = "keywords top_words",
     .doc = "Write to /topics what a reader of texts or genes wants of each cluster. auto: terms if columns have names "
            "and no value is negative; nearest and furthest rows if rows have ids or columns names. on: refuse data "
            "without terms."},
    {KEY("output", "top_terms", DC_KEY_INT, output.top_terms, "10"), .min = 1, .max = 1000, .unit = "terms",
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .when = "topics", .when_is = "auto on",
     .also = "top_n_words n_top_words topn", .source = "BERTopic",
     .doc =
         "Columns listed per cluster, by class-based TF-IDF: s_tk / n_k log(1 + A / f_t), s_tk the sum of the values "
         "of column t in cluster k, n_k and f_t its sums over columns and clusters, A the mean n_k. Values are those "
         "of the data, before input.scale."},
    {KEY("output", "documents", DC_KEY_INT, output.documents, "5"), .min = 0, .max = 1000, .unit = "rows",
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .when = "topics", .when_is = "auto on", .also = "nr_repr_docs",
     .doc = "Rows listed per cluster as nearest to its centre and as furthest from it, by their distance in the "
            "embedding, or in what else was clustered."},
    {KEY("output", "map", DC_KEY_CHOICE, output.map, "auto"), .choices = maps, .verbs = DC_USE_FIT | DC_USE_KMEANS,
     .also = "scatter pca_plot",
     .doc = "Write to /map the first two principal components of all rows of what was clustered, the embedding or the "
            "scaled rows, on which the report draws its map. One eigenproblem of the columns, N columns^2 operations. "
            "auto: of at most 256 columns; the report takes a sample of wider rows. on: as far as one rank solves "
            "it, 4,096 columns or rows."},

    {KEY("graph", "save", DC_KEY_BOOL, graph.save, "false"), .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true,
     .also = "knn_graph neighbors_graph",
     .doc = "Find the nearest other rows of every row and write them to /graph with their distances and the connected "
            "components. One exact pass over all pairs at the end: 2 N^2 operations per column. Labels do not change."},
    {KEY("graph", "on", DC_KEY_CHOICE, graph.on, "embedding"), .choices = ons, .verbs = DC_USE_FIT, .result = true,
     .when = "save", .when_is = "true", .also = "space use_rep",
     .doc =
         "Which rows are compared: as the network embeds them at the end, or the scaled rows of the data (input: also "
         "what `dcmpi kmeans` and cluster.on: input compare)."},
    {KEY("graph", "neighbours", DC_KEY_INT, graph.neighbours, "15"), .min = 1, .max = 1000, .unit = "rows",
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true, .when = "save", .when_is = "true",
     .also = "neighbors n_neighbors k", .source = "scanpy, UMAP",
     .doc = "Nearest other rows of each row; of equally near ones the first. Fewer than there are rows."},
    {KEY("graph", "metric", DC_KEY_CHOICE, graph.metric, "euclidean"), .choices = metrics,
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true, .when = "save", .when_is = "true", .also = "distance",
     .doc = "Distance of two rows. cosine: 1 - cos of the angle between them, and 1 if one of them is all zeros."},
    {KEY("graph", "symmetry", DC_KEY_CHOICE, graph.symmetry, "union"), .choices = symmetries,
     .verbs = DC_USE_FIT | DC_USE_KMEANS, .result = true, .when = "save", .when_is = "true", .also = "mode",
     .doc =
         "Which edges the graph has, for its connected components and exports. union: between two rows if one is "
         "among the nearest of the other. mutual: only if both are; many rows may then stand alone. directed: as the "
         "lists are."},
};
const int dc_key_table_n = (int)DC_COUNT_OF(dc_key_table);

const dc_key dc_moved_table[DC_MOVED_MAX] = {{.section = "cluster", .name = "alpha", .verbs = DC_USE_FIT},
                                             {.section = "cluster", .name = "gamma", .verbs = DC_USE_FIT},
                                             {.section = "cluster", .name = "loss", .verbs = DC_USE_FIT}};
