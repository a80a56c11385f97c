/* Decides what the columns and the first line of a text table hold, by the rules below, which look at its first lines.
 * The help and the README repeat the rules. A NOTE reports the decision. What the rules cannot decide is taken as data.
 *
 * Line 1 holds names (--header=auto) if
 *   - none of its features is a number, and at least one of them is neither empty nor a word for a missing value; or
 *   - it has one cell less than line 2 (as R writes), and its cells are words without numbers, or only numbers in
 *     quotes, or at least 3 numbers 0, 1, 2, ... or 1, 2, 3, ... while line 2 does not grow in equal steps; or
 *   - its features are numbers in quotes, and the numbers of line 2 are not in quotes; or
 *   - its features are 0, 1, 2, ... or 1, 2, 3, ... and one of these holds: there are at least 3, no later line grows
 *     in equal steps, and the later lines are not all integers with the sum of line 1; there are 2 and no later line
 *     has an integer; the label or the cell before the features is a word or empty in line 1 but not in line 2; or
 *   - its features are at least 8 numbers that grow in equal steps (wavelengths), and no later line grows in equal
 *     steps.
 * Features are the cells that are neither label, id nor dropped.
 *
 * Column 0 holds ids (--id-column not given) if
 *   - its name in line 1 is empty, missing (R) or "Unnamed: 0"; or
 *   - it has a name and counts 0, 1, 2, ... or 1, 2, 3, ... through all lines, and there are at least 10; or
 *   - the table is transposed, and it holds words. */
#ifndef DCMPI_CONVERT_LAYOUT_H
#define DCMPI_CONVERT_LAYOUT_H

#include "convert/lines.h"
#include "dcmpi/convert.h"

typedef enum { DC_COLUMN_FEATURE, DC_COLUMN_LABEL, DC_COLUMN_ID, DC_COLUMN_DROPPED, DC_COLUMN_TEXT } dc_column_role;

typedef struct {
    char separator; /* as in cell.h */
    bool decimal_comma;
    bool header;       /* line 1 holds names */
    bool short_header; /* line 1 names all columns but the first */
    int64_t n_columns, n_features;
    int64_t label, id, text;      /* columns from 0, -1: none */
    uint8_t *role;                /* [n_columns] dc_column_role, owned */
    char *first, *next;           /* copies of line 1 and of the line after it, owned */
    dc_span first_line;           /* line 1, in `first` */
    dc_span next_line;            /* line 2, in `next`; .p is NULL if there is none */
    bool words_first, words_last; /* the first or last column holds words in all lines looked at */
    bool header_by_rule;          /* decided by the rules, not by the user */
    bool header_in_doubt;
    bool id_by_rule;
    bool sample_in_doubt;    /* transposed, with names in line 1, and column 0 holds numbers under a name */
    int64_t unnamed_dropped; /* column of row numbers, left out because another column holds the ids; -1: none */
} dc_layout;

/* Reads as many lines as it needs. Errors: DC_ERR_DATA (no lines, no table), DC_ERR_USAGE (no such column, one column
 * named twice), DC_ERR_MEMORY. On an error nothing is held. */
DC_CHECKED dc_status dc_layout_decide(dc_layout *y, const dc_table_options *o, dc_lines *l);
void dc_layout_release(dc_layout *y);

/* Writes the name of a column into out[cap] as printable text; "" if it has none. */
void dc_layout_name(const dc_layout *y, int64_t column, char *out, size_t cap);
/* Names from line 1 of the columns with this role, one per line, with line ends and zero bytes replaced by blanks; NULL
 * without a header. The caller frees them. */
DC_CHECKED dc_status dc_layout_names(const dc_layout *y, dc_column_role role, char **names);
/* Writes one NOTE that tells what was decided. */
void dc_layout_note(const dc_layout *y, const char *name);

#endif
