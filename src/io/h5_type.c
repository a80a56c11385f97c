/* Element types: makes ours, and finds which of ours a stored type is. It must be exactly the same as ours: a float of
 * two bytes may be a half or a bfloat16, and a float of four bytes may have another bias. */
#include "h5_private.h"

#include <string.h>

/* IEEE 754 binary16, which HDF5 1.10 does not predefine: sign bit 15, exponent bits 10-14, mantissa bits 0-9. */
static hid_t half_type(void)
{
    const hid_t t = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(t, 15, 10, 5, 0, 10);
    H5Tset_size(t, 2);
    H5Tset_ebias(t, 15);
    return t;
}

hid_t dc_h5_type_id(dc_h5_type type)
{
    switch (type) {
    case DC_H5_U8:
        return H5Tcopy(H5T_STD_U8LE);
    case DC_H5_F16:
        return half_type();
    case DC_H5_F32:
        return H5Tcopy(H5T_IEEE_F32LE);
    case DC_H5_F64:
        return H5Tcopy(H5T_IEEE_F64LE);
    case DC_H5_I32:
        return H5Tcopy(H5T_STD_I32LE);
    case DC_H5_I64:
        return H5Tcopy(H5T_STD_I64LE);
    case DC_H5_TEXT: /* needs a length, which only the dataset has */
    case DC_H5_OTHER:
        break;
    }
    return -1;
}

static const struct {
    const char *name;
    size_t bytes;
} type_table[] = {
    [DC_H5_U8] = {"uint8", 1},    [DC_H5_F16] = {"float16", 2},        [DC_H5_F32] = {"float32", 4},
    [DC_H5_F64] = {"float64", 8}, [DC_H5_I32] = {"int32", 4},          [DC_H5_I64] = {"int64", 8},
    [DC_H5_TEXT] = {"text", 1},   [DC_H5_OTHER] = {"another type", 0},
};

hid_t dc_h5_memory_type(hid_t dset, dc_h5_type type)
{
    return type == DC_H5_TEXT ? H5Dget_type(dset) : dc_h5_type_id(type);
}

const char *dc_h5_type_name(dc_h5_type type)
{
    return type_table[type].name;
}
size_t dc_h5_type_bytes(dc_h5_type type)
{
    return type_table[type].bytes;
}

/* ---- What is stored ---------------------------------------------------------------------------------------------- */

typedef struct {
    size_t sign, exponent_at, exponent, mantissa_at, mantissa; /* bit positions and numbers of bits */
    size_t bias, bytes;
    bool explicit_one; /* the leading 1 of the mantissa is stored */
} float_format;

static bool read_format(hid_t t, float_format *f)
{
    f->bias = H5Tget_ebias(t);
    f->bytes = H5Tget_size(t);
    f->explicit_one = H5Tget_norm(t) != H5T_NORM_IMPLIED;
    return H5Tget_fields(t, &f->sign, &f->exponent_at, &f->exponent, &f->mantissa_at, &f->mantissa) >= 0;
}

/* Whether an IEEE-like format with `digits` stored digits, largest exponent `exponent` and smallest place 2^`place`
 * holds all values of format f. In f, too, an exponent of all ones does not stand for a number. */
static bool holds(const float_format *f, int64_t digits, int64_t exponent, int64_t place)
{
    const int64_t stored = (int64_t)f->mantissa - f->explicit_one, bias = (int64_t)f->bias;
    if (f->exponent > 15 || f->mantissa > 128 || f->bias > 1 << 15) return false;
    return stored <= digits && (INT64_C(1) << f->exponent) - 2 - bias <= exponent && 1 - bias - stored >= place;
}

static bool is_bfloat16(const float_format *f)
{
    return f->bytes == 2 && f->sign == 15 && f->exponent_at == 7 && f->exponent == 8 && f->mantissa_at == 0 &&
           f->mantissa == 7 && f->bias == 127 && !f->explicit_one;
}

/* Whether the types are equal except for the order of the bytes. */
static bool is_type(hid_t t, dc_h5_type type)
{
    const hid_t ours = dc_h5_type_id(type);
    bool same = H5Tequal(t, ours) > 0;
    if (!same && H5Tset_order(ours, H5T_ORDER_BE) >= 0) same = H5Tequal(t, ours) > 0;
    dc_h5_drop(ours);
    return same;
}

static dc_h5_type find_kind(hid_t t)
{
    static const dc_h5_type numbers[] = {DC_H5_U8, DC_H5_F16, DC_H5_F32, DC_H5_F64, DC_H5_I32, DC_H5_I64};
    for (size_t i = 0; i < DC_COUNT_OF(numbers); i++)
        if (is_type(t, numbers[i])) return numbers[i];
    return DC_H5_OTHER;
}

static void describe_float(hid_t t, dc_h5_info *info)
{
    float_format f = {0};
    const bool known = read_format(t, &f);
    info->fits_f32 = known && holds(&f, 23, 127, -149);
    info->fits_f64 = known && holds(&f, 52, 1023, -1074);
    if (info->type != DC_H5_OTHER) return;
    if (known && is_bfloat16(&f))
        snprintf(info->type_name, sizeof info->type_name, "bfloat16");
    else
        snprintf(info->type_name, sizeof info->type_name, "float of %zu bits (%zu exponent bits, %zu mantissa bits)",
                 8 * f.bytes, f.exponent, f.mantissa);
}

static const char *class_name(H5T_class_t kind)
{
    static const char *const names[] = {
        [H5T_TIME] = "time",        [H5T_STRING] = "text",       [H5T_BITFIELD] = "bits",
        [H5T_OPAQUE] = "opaque",    [H5T_COMPOUND] = "compound", [H5T_REFERENCE] = "reference",
        [H5T_ENUM] = "enumeration", [H5T_VLEN] = "lists",        [H5T_ARRAY] = "arrays"};
    return kind >= 0 && (size_t)kind < DC_COUNT_OF(names) && names[kind] ? names[kind] : "unknown";
}

void dc_h5_describe_type(hid_t t, dc_h5_info *info)
{
    const H5T_class_t kind = H5Tget_class(t);
    info->integer = kind == H5T_INTEGER || kind == H5T_ENUM;
    info->floating = kind == H5T_FLOAT;
    info->text = kind == H5T_STRING;
    info->type = kind == H5T_INTEGER || kind == H5T_FLOAT   ? find_kind(t)
                 : info->text && H5Tis_variable_str(t) == 0 ? DC_H5_TEXT
                                                            : DC_H5_OTHER;
    info->item_bytes = H5Tget_size(t);
    snprintf(info->type_name, sizeof info->type_name, "%s",
             info->type == DC_H5_OTHER ? class_name(kind) : dc_h5_type_name(info->type));
    if (kind == H5T_INTEGER && info->type == DC_H5_OTHER)
        snprintf(info->type_name, sizeof info->type_name, "%sint%zu", H5Tget_sign(t) == H5T_SGN_2 ? "" : "u",
                 8 * info->item_bytes);
    if (kind == H5T_FLOAT) describe_float(t, info);
    const hid_t ours = dc_h5_type_id(info->type);
    info->exact = info->type == DC_H5_TEXT || (ours >= 0 && H5Tequal(t, ours) > 0);
    dc_h5_drop(ours);
}

dc_status dc_h5_describe(dc_h5 *h5, const char *name, hid_t dset, dc_h5_info *info)
{
    memset(info, 0, sizeof *info);
    const hid_t type = H5Dget_type(dset), space = H5Dget_space(dset);
    hsize_t dims[H5S_MAX_RANK];
    const int n_dims =
        space < 0 || H5Sget_simple_extent_type(space) == H5S_NULL ? -1 : H5Sget_simple_extent_ndims(space);
    const bool ok =
        type >= 0 && n_dims >= 0 && n_dims <= DC_H5_MAX_DIMS && H5Sget_simple_extent_dims(space, dims, NULL) >= 0;
    if (ok) {
        info->n_dims = n_dims;
        for (int i = 0; i < n_dims; i++) info->dims[i] = dims[i] > INT64_MAX ? INT64_MAX : (dc_gidx)dims[i];
        dc_h5_describe_type(type, info);
    }
    dc_h5_drop(type);
    dc_h5_drop(space);
    if (ok) return DC_OK;
    return DC_FAIL(DC_ERR_FORMAT, "%s: '%s' has no shape with 0 to %d dimensions", h5->path, name, DC_H5_MAX_DIMS);
}
