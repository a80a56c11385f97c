/* Reads the YAML of a deck.
 *
 * libyaml delivers events with line and column. A deck is a small subset of YAML: one document, sections of scalars and
 * flow lists. Anchors, aliases, tags, block lists (but of files), block texts and deeper nesting are refused, so that
 * no deck can grow when it is read, and every key has one place. JSON is part of the subset. The bytes are checked
 * before libyaml sees them, because libyaml's messages about bad characters give no line. */
#include "key.h"

#include <string.h>
#include <yaml.h>

typedef struct {
    yaml_parser_t yaml;
    yaml_event_t event;
    bool has_event;
    dc_config *cfg;
    dc_origins *from;
    int section_line[DC_SECTIONS_MAX]; /* 0: not seen */
    int depth;                         /* number of sections and lists still open after the event */
    bool is_broken;                    /* not YAML, or YAML that a deck may not use: the rest cannot be read */
} deck_reader;

/* ---- Bytes ----------------------------------------------------------------------------------------------- */

static dc_status fail_byte(const char *name, int line, int col, const char *what)
{
    return DC_FAIL(DC_ERR_USAGE, "%s:%d:%d: %s", name, line, col, what);
}

/* Checks that the text is UTF-8 without NUL or control characters, and without tabs in the indentation. */
static dc_status check_bytes(const char *name, const char *text, size_t bytes)
{
    int line = 1, col = 1;
    bool indent = true;
    for (size_t i = 0; i < bytes;) {
        uint32_t c = 0;
        const size_t len = dc_utf8_char(text + i, bytes - i, &c);
        if (len == 0) return fail_byte(name, line, col, "byte that is not UTF-8");
        if (c == 0) return fail_byte(name, line, col, "NUL byte");
        if (c == '\t' && indent) return fail_byte(name, line, col, "tab in the indentation, use blanks");
        if (c != '\n' && c != '\r' && c != '\t' && !dc_char_is_printable(c))
            return fail_byte(name, line, col, "control character");
        i += len;
        const bool ends_line = c == '\n' || (c == '\r' && (i == bytes || text[i] != '\n'));
        col = ends_line ? 1 : col + 1;
        line += ends_line;
        indent = ends_line || (indent && c == ' ');
    }
    return DC_OK;
}

/* ---- Events ---------------------------------------------------------------------------------------------- */

static dc_status fail_mark(const deck_reader *r, const yaml_mark_t *mark, const char *what)
{
    return DC_FAIL(DC_ERR_USAGE, "%s:%zu:%zu: %s", r->from->name, mark->line + 1, mark->column + 1, what);
}

static dc_status fail_event(const deck_reader *r, const char *what)
{
    return fail_mark(r, &r->event.start_mark, what);
}

static const yaml_char_t *event_anchor(const yaml_event_t *e)
{
    return e->type == YAML_SCALAR_EVENT           ? e->data.scalar.anchor
           : e->type == YAML_SEQUENCE_START_EVENT ? e->data.sequence_start.anchor
           : e->type == YAML_MAPPING_START_EVENT  ? e->data.mapping_start.anchor
                                                  : NULL;
}

static const yaml_char_t *event_tag(const yaml_event_t *e)
{
    return e->type == YAML_SCALAR_EVENT           ? e->data.scalar.tag
           : e->type == YAML_SEQUENCE_START_EVENT ? e->data.sequence_start.tag
           : e->type == YAML_MAPPING_START_EVENT  ? e->data.mapping_start.tag
                                                  : NULL;
}

static dc_status check_event(const deck_reader *r)
{
    const yaml_event_t *e = &r->event;
    if (e->type == YAML_ALIAS_EVENT || event_anchor(e)) return fail_event(r, "anchors and aliases are not allowed");
    if (event_tag(e)) return fail_event(r, "tags are not allowed");
    if (e->type == YAML_DOCUMENT_START_EVENT &&
        (e->data.document_start.version_directive ||
         e->data.document_start.tag_directives.start != e->data.document_start.tag_directives.end))
        return fail_event(r, "directives are not allowed");
    if (e->type != YAML_SCALAR_EVENT) return DC_OK;
    if (e->data.scalar.style == YAML_LITERAL_SCALAR_STYLE || e->data.scalar.style == YAML_FOLDED_SCALAR_STYLE)
        return fail_event(r, "block scalars (| and >) are not allowed");
    if (e->start_mark.line != e->end_mark.line) return fail_event(r, "a value must be on one line");
    if (strlen((const char *)e->data.scalar.value) != e->data.scalar.length) return fail_event(r, "NUL character");
    return DC_OK;
}

static int step_of(yaml_event_type_t type)
{
    if (type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT) return 1;
    return type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT ? -1 : 0;
}

static dc_status take_event(deck_reader *r)
{
    if (r->has_event) yaml_event_delete(&r->event);
    r->has_event = yaml_parser_parse(&r->yaml, &r->event) != 0;
    if (r->has_event) r->depth += step_of(r->event.type);
    if (r->has_event) return check_event(r);
    if (r->yaml.error == YAML_MEMORY_ERROR) return DC_FAIL(DC_ERR_MEMORY, "no memory to read %s", r->from->name);
    char what[160];
    snprintf(what, sizeof what, "%s%s%s", r->yaml.problem ? r->yaml.problem : "not YAML", r->yaml.context ? " " : "",
             r->yaml.context ? r->yaml.context : "");
    return fail_mark(r, &r->yaml.problem_mark, what);
}

/* Reads the next event into r->event, which is valid until the next call. */
static dc_status next_event(deck_reader *r)
{
    const dc_status st = take_event(r);
    r->is_broken |= st != DC_OK;
    return st;
}

/* Skips events until only `depth` sections and lists are open. */
static dc_status skip_to(deck_reader *r, int depth)
{
    dc_status st = DC_OK;
    while (st == DC_OK && r->depth > depth) st = next_event(r);
    return st;
}

/* If st is an error after which reading can go on, records it and skips the rest of the faulty part. */
static dc_status skip_problem(deck_reader *r, dc_status st, int depth)
{
    if (st == DC_OK || r->is_broken) return st;
    const dc_status added = dc_problem_add(r->from, st);
    return added == DC_OK ? skip_to(r, depth) : added;
}

static const char *scalar(const deck_reader *r)
{
    return (const char *)r->event.data.scalar.value;
}

/* Whether the value is empty, as after "section:" when all keys of the section are commented out. */
static bool is_nothing(const deck_reader *r)
{
    return r->event.type == YAML_SCALAR_EVENT && r->event.data.scalar.length == 0 &&
           r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static void event_place(const deck_reader *r, char out[DC_PLACE_MAX])
{
    snprintf(out, DC_PLACE_MAX, "%s:%zu:%zu", r->from->name, r->event.start_mark.line + 1,
             r->event.start_mark.column + 1);
}

/* ---- Structure ------------------------------------------------------------------------------------------- */

/* Reads the items of a flow list. r->event is the list's start at the call and its end on return. The text of an item
 * dies with its event, so it is copied; an item that is too long for the copy is invalid anyhow, and its beginning is
 * enough for the message. */
static dc_status read_list(deck_reader *r, const dc_key *key, const char *place)
{
    dc_status st = DC_OK;
    char text[DC_LIST_MAX + 1][64];
    const char *items[DC_LIST_MAX + 1];
    int n = 0;
    if (!dc_key_takes_list(key)) return fail_event(r, "a list where one value is wanted");
    if (r->event.data.sequence_start.style != YAML_FLOW_SEQUENCE_STYLE)
        return fail_event(r, "write lists on one line: [500, 500, 2000]");
    for (;;) {
        DC_TRY(next_event(r));
        if (r->event.type == YAML_SEQUENCE_END_EVENT) break;
        if (r->event.type != YAML_SCALAR_EVENT) return fail_event(r, "lists hold values, not lists or sections");
        if (n > DC_LIST_MAX) continue;
        snprintf(text[n], sizeof text[n], "%s", scalar(r));
        items[n] = text[n];
        n++;
    }
    DC_TRY(dc_key_set_list(r->cfg, key, items, n, place));
out:
    return st;
}

/* Reads the names of a list of files, one below the other if there are many. */
static dc_status read_files(deck_reader *r, const dc_key *key, const char *place)
{
    dc_status st = DC_OK;
    char names[DC_FILES_TEXT_MAX] = "", where[DC_PLACE_MAX + 2 * DC_NAME_MAX];
    snprintf(where, sizeof where, "%s: %s.%s", place, key->section, key->name);
    for (;;) {
        DC_TRY(next_event(r));
        if (r->event.type == YAML_SEQUENCE_END_EVENT) break;
        if (r->event.type != YAML_SCALAR_EVENT) return fail_event(r, "lists hold values, not lists or sections");
        DC_TRY(dc_names_add(names, scalar(r), where));
    }
    if (!names[0]) return fail_event(r, "an empty list");
    dc_key_set_files(r->cfg, key, names);
out:
    return st;
}

static dc_status read_value(deck_reader *r, const dc_key *key)
{
    char place[DC_PLACE_MAX], what[128];
    event_place(r, place);
    if (r->event.type == YAML_SEQUENCE_START_EVENT)
        return key->type == DC_KEY_FILES ? read_files(r, key, place) : read_list(r, key, place);
    if (r->event.type != YAML_SCALAR_EVENT) return fail_event(r, "sections hold keys, not sections");
    snprintf(what, sizeof what, "%s.%s has no value", key->section, key->name);
    if (is_nothing(r)) return fail_event(r, what);
    snprintf(what, sizeof what, "%s.%s needs a list in brackets: [500, 500, 2000]", key->section, key->name);
    if (key->type == DC_KEY_LIST) return fail_event(r, what);
    return dc_key_take(r->cfg, r->from, key, scalar(r), place);
}

/* Reads one key and its value. r->event is the key at the call and the last event of the value on return. */
static dc_status read_pair(deck_reader *r, const char *section)
{
    dc_status st = DC_OK;
    const dc_key *key = NULL;
    const int depth = r->depth;
    char place[DC_PLACE_MAX];
    event_place(r, place);
    DC_TRY(dc_problem_add(r->from, dc_key_claim(r->from, section, scalar(r), place, (int)r->event.start_mark.line + 1,
                                                (int)r->event.start_mark.column + 1, &key)));
    DC_TRY(next_event(r));
    if (!key) return skip_to(r, depth);
    st = read_value(r, key);
    r->from->key[dc_key_index(key)].failed = st != DC_OK;
    st = skip_problem(r, st, depth);
out:
    return st;
}

/* Reads the keys of one section. r->event is the section's start at the call and its end on return. */
static dc_status read_section(deck_reader *r, const char *section)
{
    dc_status st = DC_OK;
    for (;;) {
        DC_TRY(next_event(r));
        if (r->event.type == YAML_MAPPING_END_EVENT) break;
        if (r->event.type != YAML_SCALAR_EVENT) return fail_event(r, "a key must be a name");
        DC_TRY(read_pair(r, section));
    }
out:
    return st;
}

static dc_status claim_section(deck_reader *r, const char **out)
{
    char place[DC_PLACE_MAX];
    event_place(r, place);
    for (int i = 0; dc_section_at(i); i++) {
        if (strcmp(dc_section_at(i)->name, scalar(r)) != 0) continue;
        if (r->section_line[i])
            return DC_FAIL(DC_ERR_USAGE, "%s: section %s is given twice, first in line %d", place, scalar(r),
                           r->section_line[i]);
        r->section_line[i] = (int)r->event.start_mark.line + 1;
        *out = dc_section_at(i)->name;
        return DC_OK;
    }
    return dc_fail_unknown_section(place, scalar(r));
}

/* Reads a section and its name. r->event is the name at the call and the last event of the section on return. */
static dc_status read_named_section(deck_reader *r)
{
    dc_status st = DC_OK;
    const char *section = NULL;
    const int depth = r->depth;
    DC_TRY(dc_problem_add(r->from, claim_section(r, &section)));
    DC_TRY(next_event(r));
    if (!section) return skip_to(r, depth);
    if (is_nothing(r)) return DC_OK;
    if (r->event.type == YAML_MAPPING_START_EVENT) return read_section(r, section);
    st = skip_problem(r, fail_event(r, "a section holds keys: run: {seed: 1}"), depth);
out:
    return st;
}

static dc_status read_sections(deck_reader *r)
{
    dc_status st = DC_OK;
    if (is_nothing(r)) return DC_OK;
    if (r->event.type != YAML_MAPPING_START_EVENT) return fail_event(r, "a deck is a list of sections: run: {seed: 1}");
    for (;;) {
        DC_TRY(next_event(r));
        if (r->event.type == YAML_MAPPING_END_EVENT) break;
        if (r->event.type != YAML_SCALAR_EVENT) return fail_event(r, "a section must have a name");
        DC_TRY(read_named_section(r));
    }
out:
    return st;
}

static dc_status read_document(deck_reader *r)
{
    dc_status st = DC_OK;
    DC_TRY(next_event(r)); /* stream start */
    DC_TRY(next_event(r));
    if (r->event.type == YAML_STREAM_END_EVENT) return DC_OK;
    DC_TRY(next_event(r)); /* after the document start */
    DC_TRY(read_sections(r));
    DC_TRY(next_event(r)); /* document end */
    DC_TRY(next_event(r));
    if (r->event.type != YAML_STREAM_END_EVENT) return fail_event(r, "a deck is one document");
out:
    return st;
}

dc_status dc_deck_read(dc_config *cfg, dc_origins *from, const char *text, size_t bytes)
{
    dc_status st = DC_OK;
    static const char bom[] = "\xEF\xBB\xBF";
    deck_reader r = {.cfg = cfg, .from = from};
    if (bytes > DC_DECK_BYTES_MAX) return DC_FAIL(DC_ERR_USAGE, "%s: a deck has at most 1 MiB", from->name);
    if (bytes >= 3 && memcmp(text, bom, 3) == 0) text += 3, bytes -= 3;
    DC_TRY(check_bytes(from->name, text, bytes));
    if (!yaml_parser_initialize(&r.yaml)) return DC_FAIL(DC_ERR_MEMORY, "no memory to read %s", from->name);
    yaml_parser_set_encoding(&r.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.yaml, (const unsigned char *)text, bytes);
    st = read_document(&r);
    if (r.has_event) yaml_event_delete(&r.event);
    yaml_parser_delete(&r.yaml);
out:
    return st;
}
