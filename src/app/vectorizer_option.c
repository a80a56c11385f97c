/* Options of convert that say how documents become rows. */
#include "vectorizer_option.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "dcmpi/file.h"
#include "dcmpi/mem.h"
#include "dcmpi/text.h"

/* The value is neither a list that is built in nor the name of a file. */
static dc_status fail_stop_words(const char *value, int cause)
{
    static const char *const lists[] = {"english", "none"};
    const int near = dc_nearest_name(value, lists, DC_COUNT_OF(lists));
    const dc_status st = cause == ENOENT ? DC_ERR_USAGE : DC_ERR_IO;
    return DC_FAIL(st, "--stop-words=%s: cannot read such a file: %s; use english, none or a file of words%s%s%s",
                   value, strerror(cause), near < 0 ? "" : "; did you mean '", near < 0 ? "" : lists[near],
                   near < 0 ? "" : "'?");
}

/* Reads the words of a file into the list of stop words. */
static dc_status read_stop_words(dc_vectorizer *v, const char *path)
{
    dc_status st = DC_OK;
    unsigned char *data = NULL;
    char *list = NULL;
    size_t bytes, used = 0;
    bool known;
    if (access(path, R_OK) != 0) return fail_stop_words(path, errno);
    DC_TRY(dc_file_read(path, DC_STOP_LIST_MAX_BYTES, &data, &bytes));
    DC_TRY(dc_mem_alloc(&list, bytes + 1, 1, "stop words"));
    for (size_t i = 0; i < bytes; i++) {
        const bool blank = strchr(" \t\r\n", data[i]) != NULL; /* strchr finds zero bytes, too */
        if (!blank || (used > 0 && list[used - 1] != ' ')) list[used++] = blank ? ' ' : (char)data[i];
    }
    if (dc_utf8_valid(list, used) != used) DC_TRY(DC_FAIL(DC_ERR_DATA, "--stop-words=%s: is not UTF-8", path));
    DC_TRY(dc_vectorizer_set(v, "stop_words", "list", &known));
    DC_TRY(dc_vectorizer_set(v, "stop_list", list, &known));
out:
    dc_mem_free(&data);
    dc_mem_free(&list);
    return st == DC_ERR_FORMAT ? DC_ERR_DATA : st;
}

dc_status dc_vectorizer_option(dc_vectorizer *v, const char *option, const char *value)
{
    bool known;
    const bool words = strcmp(option, "--stop-words") == 0;
    if (words && strcmp(value, "english") != 0 && strcmp(value, "none") != 0) return read_stop_words(v, value);
    return dc_vectorizer_set(v, option + 2, value, &known);
}

dc_status dc_vectorizer_preset(dc_vectorizer *v, const char *name)
{
    static const char *const dec_2016[][2] = {
        {"--max-features", "2000"}, {"--sublinear-tf", "yes"}, {"--norm", "l2"}, {"--scale", "sqrt-d"}};
    dc_status st = DC_OK;
    if (strcmp(name, "dec-2016") != 0) return DC_FAIL(DC_ERR_USAGE, "--preset=%s: use dec-2016", name);
    for (size_t i = 0; i < DC_COUNT_OF(dec_2016); i++) DC_TRY(dc_vectorizer_option(v, dec_2016[i][0], dec_2016[i][1]));
out:
    return st;
}
