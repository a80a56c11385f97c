/* Attributes of serial files: strings, integers and reals. Strings are written in UTF-8 with a fixed length, which
 * every reader understands; strings of fixed and of variable length can be read. An attribute that exists with the same
 * type and length is overwritten in place, so that setting complete=1 on a finished result needs no more disk space. */
#include "h5_private.h"

#include <string.h>

#include "dcmpi/mem.h"

/* Far above any text in our own files; keeps a hostile file from claiming memory. */
enum { MAX_TEXT_BYTES = 16 << 20 };

/* ---- Write ------------------------------------------------------------------------------------------------------- */

static bool same_shape(hid_t attr, hid_t type, hid_t space)
{
    const hid_t old_type = H5Aget_type(attr), old_space = H5Aget_space(attr);
    const bool same =
        old_type >= 0 && old_space >= 0 && H5Tequal(old_type, type) > 0 && H5Sextent_equal(old_space, space) > 0;
    dc_h5_drop(old_type);
    dc_h5_drop(old_space);
    return same;
}

/* Opens the attribute if it has this type and shape, else creates it. */
static hid_t attribute_for(hid_t object, const char *name, hid_t type, hid_t space)
{
    if (H5Aexists(object, name) > 0) {
        const hid_t old = H5Aopen(object, name, H5P_DEFAULT);
        if (old >= 0 && same_shape(old, type, space)) return old;
        dc_h5_drop(old);
        if (H5Adelete(object, name) < 0) return -1;
    }
    return H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
}

/* Closes `type` and `space`. */
static dc_status put_attr(dc_h5 *h5, const char *object_name, const char *name, hid_t type, hid_t space,
                          const void *value)
{
    hid_t object = -1, attr = -1;
    dc_status st = dc_h5_open_object(h5, object_name, &object);
    if (st == DC_OK) {
        attr = attribute_for(object, name, type, space);
        if (attr < 0 || H5Awrite(attr, type, value) < 0)
            st = DC_FAIL(DC_ERR_IO, "cannot write attribute '%s' of '%s' in %s: %s", name, object_name, h5->path,
                         dc_h5_error());
    }
    dc_h5_drop(attr);
    dc_h5_drop(object);
    dc_h5_drop(space);
    dc_h5_drop(type);
    return st;
}

/* Strings of `bytes` bytes, padded with zeros. */
static hid_t text_type(size_t bytes)
{
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, DC_MAX(bytes, (size_t)1));
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

dc_status dc_h5_put_attr_str(dc_h5 *h5, const char *object, const char *attr, const char *value)
{
    return put_attr(h5, object, attr, text_type(strlen(value)), H5Screate(H5S_SCALAR), value);
}

static hid_t values_space(size_t n)
{
    const hsize_t dim = n;
    return n == 1 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &dim, NULL);
}

dc_status dc_h5_put_attr_i64(dc_h5 *h5, const char *object, const char *attr, const int64_t *v, size_t n)
{
    return put_attr(h5, object, attr, dc_h5_type_id(DC_H5_I64), values_space(n), v);
}

dc_status dc_h5_put_attr_f64(dc_h5 *h5, const char *object, const char *attr, const double *v, size_t n)
{
    return put_attr(h5, object, attr, dc_h5_type_id(DC_H5_F64), values_space(n), v);
}

dc_status dc_h5_put_attr_names(dc_h5 *h5, const char *object, const char *attr, const char *const *v, size_t n)
{
    dc_status st = DC_OK;
    char *items = NULL;
    size_t bytes = 1;
    for (size_t i = 0; i < n; i++) bytes = DC_MAX(bytes, strlen(v[i]));
    DC_TRY(dc_mem_alloc(&items, DC_MAX(n, (size_t)1), bytes, "attribute"));
    for (size_t i = 0; i < n; i++) memcpy(items + i * bytes, v[i], strlen(v[i]));
    DC_TRY(put_attr(h5, object, attr, text_type(bytes), H5Screate_simple(1, &(hsize_t){n}, NULL), items));
out:
    dc_mem_free(&items);
    return st;
}

dc_status dc_h5_remove_attr(dc_h5 *h5, const char *object_name, const char *attr)
{
    hid_t object = -1;
    if (!dc_h5_has_attr(h5, object_name, attr)) return DC_OK;
    dc_status st = dc_h5_open_object(h5, object_name, &object);
    if (st == DC_OK && H5Adelete(object, attr) < 0)
        st = DC_FAIL(DC_ERR_IO, "cannot remove attribute '%s' of '%s' in %s: %s", attr, object_name, h5->path,
                     dc_h5_error());
    dc_h5_drop(object);
    return st;
}

/* ---- Read -------------------------------------------------------------------------------------------------------- */

bool dc_h5_has_attr(dc_h5 *h5, const char *object, const char *attr)
{
    if (dc_h5_link_kind(h5->file, object) != 1) return false;
    const hid_t id = H5Oopen(h5->file, object, H5P_DEFAULT);
    const htri_t has = id >= 0 ? H5Aexists(id, attr) : -1;
    if (has < 0) dc_h5_note_failure();
    dc_h5_drop(id);
    return has > 0;
}

static dc_status open_attr(dc_h5 *h5, const char *object_name, const char *name, hid_t *attr)
{
    hid_t object = -1;
    dc_status st = dc_h5_open_object(h5, object_name, &object);
    if (st != DC_OK) return st;
    *attr = H5Aopen(object, name, H5P_DEFAULT);
    if (*attr < 0) dc_h5_note_failure();
    if (*attr < 0) st = DC_FAIL(DC_ERR_FORMAT, "%s: '%s' has no attribute '%s'", h5->path, object_name, name);
    dc_h5_drop(object);
    return st;
}

static bool read_variable_string(hid_t attr, hid_t type, char *out, size_t cap)
{
    char *text = NULL;
    if (H5Aread(attr, type, &text) < 0) return false;
    snprintf(out, cap, "%s", text ? text : "");
    H5free_memory(text);
    return true;
}

static bool read_fixed_string(hid_t attr, hid_t type, char *out, size_t cap)
{
    const size_t length = H5Tget_size(type);
    char *text = NULL;
    if (length > MAX_TEXT_BYTES || dc_mem_alloc(&text, length + 1, 1, "attribute") != DC_OK) return false;
    const bool ok = H5Aread(attr, type, text) >= 0;
    if (ok) snprintf(out, cap, "%s", text);
    dc_mem_free(&text);
    return ok;
}

dc_status dc_h5_get_attr_str(dc_h5 *h5, const char *object, const char *attr_name, char *out, size_t cap)
{
    hid_t attr = -1;
    dc_status st = open_attr(h5, object, attr_name, &attr);
    if (st != DC_OK) return st;
    const hid_t type = H5Aget_type(attr), space = H5Aget_space(attr);
    const bool is_string = H5Tget_class(type) == H5T_STRING && H5Sget_simple_extent_npoints(space) == 1;
    const bool ok = is_string && (H5Tis_variable_str(type) > 0 ? read_variable_string(attr, type, out, cap)
                                                               : read_fixed_string(attr, type, out, cap));
    if (!ok)
        st = DC_FAIL(DC_ERR_FORMAT, "%s: attribute '%s' of '%s' is not readable text: %s", h5->path, attr_name, object,
                     is_string ? dc_h5_error() : "another type");
    dc_h5_drop(space);
    dc_h5_drop(type);
    dc_h5_drop(attr);
    return st;
}

/* If the caller's buffer is too small, reads all values into a temporary buffer and copies as many as fit. */
static bool read_numbers(hid_t attr, dc_h5_type type, size_t count, void *out, size_t cap)
{
    const hid_t mem_type = dc_h5_type_id(type);
    void *all = out;
    bool ok = count <= cap || dc_mem_alloc(&all, count, dc_h5_type_bytes(type), "attribute") == DC_OK;
    ok = ok && H5Aread(attr, mem_type, all) >= 0;
    if (ok && all != out) memcpy(out, all, cap * dc_h5_type_bytes(type));
    if (all != out) dc_mem_free(&all);
    dc_h5_drop(mem_type);
    return ok;
}

static dc_status get_numbers(dc_h5 *h5, const char *object, const char *attr_name, dc_h5_type type, void *out,
                             size_t cap, size_t *n)
{
    hid_t attr = -1;
    dc_status st = open_attr(h5, object, attr_name, &attr);
    if (st != DC_OK) return st;
    const hid_t file_type = H5Aget_type(attr), space = H5Aget_space(attr);
    const H5T_class_t kind = H5Tget_class(file_type);
    const hssize_t count = H5Sget_simple_extent_npoints(space);
    const bool is_number =
        (kind == H5T_INTEGER || kind == H5T_FLOAT || kind == H5T_ENUM) && count >= 1 && count <= MAX_TEXT_BYTES / 8;
    if (!is_number || !read_numbers(attr, type, (size_t)count, out, cap))
        st = DC_FAIL(DC_ERR_FORMAT, "%s: attribute '%s' of '%s' holds no readable numbers: %s", h5->path, attr_name,
                     object, is_number ? dc_h5_error() : "another type");
    else if (n)
        *n = (size_t)count;
    dc_h5_drop(space);
    dc_h5_drop(file_type);
    dc_h5_drop(attr);
    return st;
}

dc_status dc_h5_get_attr_i64(dc_h5 *h5, const char *object, const char *attr, int64_t *out, size_t cap, size_t *n)
{
    return get_numbers(h5, object, attr, DC_H5_I64, out, cap, n);
}

dc_status dc_h5_get_attr_f64(dc_h5 *h5, const char *object, const char *attr, double *out, size_t cap, size_t *n)
{
    return get_numbers(h5, object, attr, DC_H5_F64, out, cap, n);
}
