/* The help text of each verb. */
#include "verb_help.h"

#include <string.h>

static const dc_verb_help table[] = {
    {.name = "fit",
     .on_ranks = true,
     .arguments = "[DECK] [--section.key=VALUE ...] [--dry-run]",
     .takes_deck = true,
     .summary = "pretrain, initialise, cluster and write; without a deck the built-in problem",
     .details = "`dcmpi DECK` means the same. --dry-run checks deck, input and output, prints layout and estimate, and "
                "stops.\n"},
    {.name = "kmeans",
     .on_ranks = true,
     .arguments = "[DECK] [--section.key=VALUE ...] [--dry-run]",
     .takes_deck = true,
     .summary = "k-means on the scaled data itself: the baseline",
     .details =
         "Keys of the deck that k-means does not use are left out with a note; on the command line they are errors.\n"},
    {.name = "sweep-k",
     .on_ranks = true,
     .arguments = "[DECK] [--clusters=SERIES] [--section.key=VALUE ...] [--dry-run]",
     .takes_deck = true,
     .summary = "clusters into several numbers of clusters, compares them and suggests one",
     .details =
         "  --clusters=SERIES  5..20, 10..100:10 or 2,4,8, or several of these with commas; the key sweep.clusters\n"
         "Pretrains as `fit` does, or takes model.weights, and clusters the embedding; with --cluster.on=input the\n"
         "scaled data itself. A deck whose method trains is swept by k-means, from which such methods start.\n"
         "The log, summary.json and /sweep of run.h5 have for each number K: inertia; silhouette (of a random\n"
         "sample of the rows); stability (mean adjusted Rand index of the labels that pairs of subsamples of the\n"
         "sample share); BIC; Calinski-Harabasz index; ACC, NMI and ARI if there are labels. The suggestion has the\n"
         "highest silhouette (of a mixture: the lowest BIC) of all K whose stability is at most 0.1 below the best. "
         "Labels\n"
         "have no part in it. Everything else in run.h5 is the result for this K, as `fit` makes it.\n"},
    {.name = "predict",
     .on_ranks = true,
     .arguments =
         "--model=RUN.h5 --input=X.h5 --output=Y.h5 [--label-dataset=/PATH] [--matrix=NAME] [--text-column=COLUMN] "
         "[--label-column=COLUMN] [--id-column=COLUMN] [--rows-per-round=N] [--rows=none|full] "
         "[--q=top1|top|full] [--q-top=M] [--drift-quantile=Q] [--force]",
     .summary = "labels, confidence and embedding of new rows with the model of a run",
     .details =
         "The input may be several files: a glob, or a list '[a.npy, b.h5, c.h5:name]', of HDF5 and .npy files.\n"
         "The scaling is that of the run. Labels in the input are used for the scores only.\n"
         "  --label-dataset=/PATH  labels that are not in /y, such as /obs/cell_type; by default what the run took\n"
         "  --matrix=NAME          rows of an AnnData file: X, raw/X or layers/NAME; by default what the run took\n"
         "If the model is of documents, the input may be documents, too, one file or several; they become rows as\n"
         "convert made them:\n"
         "  --text-column=COLUMN   as for convert; this and the next two by default as in training, the next two if "
         "they\n"
         "                         are there\n"
         "  --label-column=COLUMN  labels for the scores; none: none\n"
         "  --id-column=COLUMN     ids; none: none\n"
         "  --rows-per-round=N     rows that a rank holds at a time; by default what fits into 64 MiB\n"
         "  --rows=full            distance and cosine of each row to its centre, and its rank in its cluster (0: the\n"
         "                         nearest of these rows), in /rows; takes up to 100 bytes per row\n"
         "  --q=top                the largest values of the soft assignment of each row and their clusters, as "
         "output.q\n"
         "                         of a run; full: all values; top1 (default): only the confidence\n"
         "  --q-top=M              how many (default 10); all, if there are fewer clusters\n"
         "  --drift-quantile=Q     how many rows are farther from their centre than this quantile of the training rows "
         "of\n"
         "                         their cluster: 0.5, 0.75, 0.9, 0.95, 0.99 (default), 0.999 or 1\n"
         "  --force                replace an output that another model or input made, or that dcmpi did not make\n"},
    {.name = "dedup",
     .on_ranks = true,
     .arguments = "RUN.h5 [--cosine=C] [--on=input|embedding] [--probe=M] [--keep=nearest|furthest|first] [--pairs=N] "
                  "[--output=Y.h5] [--input=X.h5] [--dry-run] [--force]",
     .summary = "near-duplicate rows within the clusters of a run, and which to keep",
     .details =
         "  --cosine=C    rows whose cosine is at least this are near-duplicates (default 0.95)\n"
         "  --on=WORD     embedding, or input: the rows as they enter the network, scaled as in the run; by default\n"
         "                the embedding if the run has a network\n"
         "  --probe=M     rows are compared with those of the M nearest other clusters, too (default 0)\n"
         "  --keep=WORD   which row of a group stays: nearest to its centre (default), furthest from it, or first\n"
         "  --pairs=N     pairs are listed if there are at most N of them (default 1000000); they always count\n"
         "  --output=Y.h5 by default dedup.h5 beside RUN.h5\n"
         "  --input=X.h5  where the data of the run are now\n"
         "  --dry-run     checks run, input, output and memory, tells how many pairs of rows will be compared, and "
         "stops\n"
         "  --force       replace an output that another run or other options made, or that dcmpi did not make\n"
         "Groups are what pairs connect. /removed and /kept list rows, /kept_for has for each row the one that stays\n"
         "in its place, /group its group or -1; /pairs/rows and /pairs/cosine the pairs, /clusters/removed the "
         "counts.\n"
         "Rows of zeros have no cosine and stay. tools/export.py makes lists of it.\n"},
    {.name = "convert",
     .arguments =
         "IN... OUT.h5 [--labels=FILE ...] [--label-column=COLUMN] [--id-column=COLUMN] [--drop-columns=LIST] "
         "[--header=WORD] [--separator=C] [--decimal=WORD] [--missing=ACTION] [--transpose] [--zero-based=WORD] "
         "[--n-features=N] [--matrix=PATH] [--dataset=/PATH] "
         "[--label-dataset=/PATH] [--id-dataset=/PATH] [--image-shape=HxW[xC]] "
         "[--text-column=COLUMN] [--vocabulary=FILE] [--preset=NAME] [--min-df=N] [--max-df=N] [--max-features=N] "
         "[--ngram-range=N,M] [--stop-words=WORD] [--lowercase=WORD] [--sublinear-tf] [--use-idf=WORD] "
         "[--smooth-idf=WORD] [--norm=NAME] [--scale=NAME] [--hashing=N] [--alternate-sign=WORD] "
         "[--decode-error=WORD] [--keep-text=N] [--max-input=SIZE] [--force]",
     .summary = "IDX, CSV, NPY, HDF5, Matrix Market, svmlight, documents to a data file",
     .details =
         "Inputs are IDX, NPY, text (UTF-8 or UTF-16), Matrix Market, svmlight (these also compressed by gzip,\n"
         "bzip2, xz or zstd), a folder of 10x or HDF5; several, or a glob in quotes, are concatenated.\n"
         "Sparse inputs make a sparse data file, which anndata.read_h5ad opens. Built-in data are written as a deck's\n"
         "input.data would make them with run.seed: 1 (builtin:embeddings,rows=1000000,width=128).\n"
         "  --labels=FILE            labels, once per input in the same order, or a glob; empty, -1, NA, ?\n"
         "                           and the like mean no label\n"
         "  --label-column=COLUMN    for text: first, last, none (default), a number from 0, or a name from line 1\n"
         "  --id-column=COLUMN       for text, chosen in the same way; kept as /ids\n"
         "  --drop-columns=LIST      for text: numbers from 0 and names, separated by commas; a name that has a\n"
         "                           comma or is a number goes in double quotes: --drop-columns='3,\"a, b\"'\n"
         "  --header=WORD            for text: yes, line 1 holds names, or no, it is a row; without it the rules\n"
         "                           below decide\n"
         "  --separator=C            for text: a character, or tab, comma, semicolon, bar, blank; without it the\n"
         "                           first of tab ; , | that line 1 has, else blank\n"
         "  --decimal=WORD           for text: comma (1,5 is a number; commas separate cells only beside quotes) or\n"
         "                           point\n"
         "  --missing=ACTION         NaN, infinities, NA, empty and the like: error (default), drop (the row),\n"
         "                           mean (of the column's other values) or value:X\n"
         "  --transpose              features are in the rows (R, 10x); in text, line 1 then holds ids of samples\n"
         "                           and column 0 names of features; for loom and Matlab 7.3 this is known, and\n"
         "                           --transpose=no reads them as they are; barcodes.tsv and features.tsv beside a\n"
         "                           Matrix Market file tell it, too\n"
         "  --zero-based=WORD        for svmlight: yes or no, indices count from 0 or 1; by default from 0 if one is "
         "0\n"
         "  --n-features=N           for svmlight: number of columns; by default what the largest index needs\n"
         "  --dataset=/PATH          for HDF5: the matrix; by default /X or the only matrix; --matrix means the same:\n"
         "                           raw/X, layers/counts\n"
         "  --label-dataset=/PATH    for HDF5: labels, numbers, texts or a categorical of AnnData (its bare name will\n"
         "                           do: cell_type); by default /y\n"
         "  --id-dataset=/PATH       for HDF5: names of the samples, or none; by default those that the format has\n"
         "  --image-shape=HxW[xC]    rows are pictures of this height, width and number of channels\n"
         "  --max-input=SIZE         refuse inputs that expand beyond this, such as 64GiB (default 1TiB)\n"
         "  --force                  replace an output that other inputs or options made, or that dcmpi did not make\n"
         "Documents (--text-column) become rows of TF-IDF, a sparse data file; under mpirun all ranks share the work,\n"
         "which for other inputs rank 0 does alone. Options have the names, meanings and defaults of scikit-learn's\n"
         "TfidfVectorizer; numbers are equal to its.\n"
         "  --text-column=COLUMN     a key of JSON lines (article.body: one in another); in tables first,\n"
         "                           last, a number or a name; line: each line is a document; file: each file is one\n"
         "                           (--label-column=folder: its folder is the label). --label-column and --id-column\n"
         "                           are chosen likewise\n"
         "  --min-df=N --max-df=N    terms in at least, at most N documents; with a point a share of them: 0.5\n"
         "  --max-features=N         only the N most frequent terms\n"
         "  --ngram-range=N,M        terms of N to M words\n"
         "  --stop-words=WORD        english, none (default) or a file of words\n"
         "  --lowercase=WORD         no keeps capitals\n"
         "  --sublinear-tf           1 + log of the count\n"
         "  --use-idf, --smooth-idf  yes (default) or no\n"
         "  --norm=NAME              l2 (default), l1 or none\n"
         "  --scale=NAME             sqrt-d: rows times the square root of the number of columns\n"
         "  --hashing=N              N columns by the signed hash of HashingVectorizer, no vocabulary, and no idf\n"
         "                           unless --use-idf; --alternate-sign=no: without signs\n"
         "  --preset=dec-2016        --max-features=2000 --sublinear-tf --norm=l2 --scale=sqrt-d; others may follow\n"
         "  --vocabulary=FILE        terms, weights and options of a data file or result\n"
         "  --decode-error=WORD      bytes that are not UTF-8: strict (default, an error), replace or ignore\n"
         "  --keep-text=N            the first N characters of each document are stored in /obs/text, for the report "
         "of\n"
         "                           a run (default 200, at most 1000; 0: none)\n"
         "Line 1 of a table holds names if none of its features is a number; if it has one cell fewer than the\n"
         "others (R); if its numbers are in quotes and those of line 2 are not; if it counts 0, 1, 2, ... or 1, 2,\n"
         "3, ... and the others do not (with fewer than 3 features only if the others have no integers); or if it\n"
         "has 8 or more numbers in equal steps and no other line has. Otherwise it is a row.\n"
         "Column 0 holds ids if it has no name in such a line (pandas, R), or a name and counts through all lines,\n"
         "at least 10. Each decision is reported in a NOTE. Messages count columns from 0, too.\n"
         "Numbers that float32 cannot tell apart (integers beyond 2^24; a range of fewer than 4096 of its steps)\n"
         "become float64.\n"},
    {.name = "info",
     .arguments = "FILE",
     .summary = "what is in a data or result file",
     .details = "dcmpi info --faults lists the fault points of a build with FAULT=1.\n"},
    {.name = "check",
     .arguments = "FILE",
     .summary = "is a data, result or prediction file whole?",
     .details =
         "Checksums, shapes, ranges. Exit code 0: whole, 6: not, with one line per finding. A file that makes the "
         "library\ncrash, or keeps it busy for 6 s of processor time without progress, is not whole; "
         "DCMPI_READ_LIMIT in the\nenvironment sets another limit.\n"},
    {.name = "compare",
     .arguments = "A.h5 B.h5",
     .summary = "equal bit by bit? else how far apart",
     .details = "If one is a result and the other a prediction, only what a prediction holds is compared.\nExit code "
                "0: equal, 1: different.\n"},
    {.name = "selftest",
     .on_ranks = true,
     .arguments = "[--dir=DIR] [--full-disk=DIR]",
     .summary = "checks of this machine and this build on it, half a minute",
     .details = "Start it as the job will be started: the same ranks, threads, nodes. Leaves nothing behind.\n"
                "  --dir=DIR        directory for the file checks (default: the current one)\n"
                "  --full-disk=DIR  a file system of at most 1 GiB that may be filled for a moment\n"
                "Exit code 0: all checks passed; else that of the worst: 5 numbers, 4 files, 2 machine or start.\n"},
    {.name = "config",
     .arguments = "--default | --explain KEY | --reference",
     .summary = "documentation of the deck's keys",
     .details = "  --default      a deck with all keys, commented\n"
                "  --explain KEY  one key, all keys of that name, or a section\n"
                "  --reference    all keys as Markdown\n"},
};

const dc_verb_help *dc_verb_help_at(int i)
{
    return i >= 0 && (size_t)i < DC_COUNT_OF(table) ? &table[i] : NULL;
}

const dc_verb_help *dc_verb_help_find(const char *name)
{
    for (size_t i = 0; i < DC_COUNT_OF(table); i++)
        if (strcmp(table[i].name, name) == 0) return &table[i];
    return NULL;
}
