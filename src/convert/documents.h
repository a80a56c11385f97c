/* Reads the documents of one file, or of a part of it, one after the other: JSON lines, columns of a table, lines, or
 * the file as a whole.
 *
 * JSON lines: the first character is '{'; columns are keys; empty lines are skipped. Tables: cells as in cell.h; in
 * tables with tabs a quote only opens a cell if it is closed at the end of this cell, in the same line; a line that is
 * empty is skipped, but in a table of one column it is an empty document. Line 1 holds names if an option names a
 * column, or if the user says so. */
#ifndef DCMPI_CONVERT_DOCUMENTS_H
#define DCMPI_CONVERT_DOCUMENTS_H

#include "convert/json.h"
#include "convert/layout.h"
#include "dcmpi/terms.h"

typedef enum { DC_DOCS_JSON, DC_DOCS_TABLE, DC_DOCS_LINES, DC_DOCS_FILES } dc_docs_kind;

typedef struct {
    const dc_table_options *table; /* text_column, label_column, id_column, header, separator */
    dc_decode decode;
    uint64_t limit; /* as of dc_stream_open() */
} dc_docs_options;

/* Valid until the next one is read. Spans have p = NULL if there is no such thing. text is UTF-8. */
typedef struct {
    dc_span text, label, id;
    bool quoted;    /* text is a cell in quotes, with these */
    bool has_label; /* the document has a column of labels, though its label may be empty */
} dc_doc;

/* What was met on the way. */
typedef struct {
    int64_t blank_lines; /* skipped */
    int64_t nulls;       /* texts that are null, read as empty */
    int64_t bad_bytes;   /* places that were not UTF-8 */
    int64_t bad_docs;    /* lines that had such places */
    int64_t labels;      /* documents with a column of labels */
} dc_docs_counts;

typedef struct {
    const dc_docs_options *options;
    const char *path;
    dc_docs_kind kind;
    dc_lines lines;
    dc_layout layout;                    /* of a table */
    bool by_range;                       /* a part of a file */
    uint64_t lo, hi;                     /* bytes; lines that begin in [lo, hi) */
    char *text_key, *label_key, *id_key; /* of JSON, NULL: none; owned */
    dc_json_line json;
    char *repaired; /* owned */
    size_t repaired_room;
    char folder[DC_CONVERT_MAX_CLASS_BYTES + 1]; /* label of a document that is a file */
    char label[2 * DC_CONVERT_MAX_CLASS_BYTES + 4], id[2 * DC_CONVERT_MAX_ID_BYTES + 4]; /* of a document */
    bool done; /* the document that is a whole file was given */
    dc_docs_counts counts;
} dc_docs;

/* Most bytes of a document with its line. */
enum { DC_DOC_MAX_BYTES = 1 << 27 };

/* Opens a file, whose name is borrowed. Errors: those of dc_stream_open(); DC_ERR_DATA, DC_ERR_USAGE (no such column).
 * On an error nothing is held. */
DC_CHECKED dc_status dc_docs_open(dc_docs *d, const dc_docs_options *o, const char *path);
/* The same for an empty file that is a document (--text-column=file). Holds nothing. */
DC_CHECKED dc_status dc_docs_open_empty(dc_docs *d, const dc_docs_options *o, const char *path);
/* Whether the file may be read by ranges: lines end at line feeds, whatever is in them. */
bool dc_docs_can_cut(const dc_docs *d);
/* From now on gives the documents whose lines begin at bytes lo to hi - 1. Call it before the first document is read.
 */
DC_CHECKED dc_status dc_docs_range(dc_docs *d, uint64_t lo, uint64_t hi);
void dc_docs_close(dc_docs *d);
/* Errors: DC_ERR_DATA with file, line and cause. */
DC_CHECKED dc_status dc_docs_next(dc_docs *d, dc_doc *doc, bool *found);
/* Bytes of the file, as stored, that were read so far. */
int64_t dc_docs_position(const dc_docs *d);
/* One NOTE that tells what is read as what. */
void dc_docs_note(const dc_docs *d);

#endif
