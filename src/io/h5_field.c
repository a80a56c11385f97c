/* Reads one field of a dataset of records; pandas, PyTables and early AnnData store tables in this form. */
#include "h5_private.h"

#include <string.h>

/* The stored type of the field, or -1 if the dataset has no such field. The caller closes the type. */
static hid_t field_type(hid_t dset, const char *field)
{
    hid_t type = -1;
    const hid_t record = H5Dget_type(dset);
    const int member = H5Tget_class(record) == H5T_COMPOUND ? H5Tget_member_index(record, field) : -1;
    if (member >= 0) type = H5Tget_member_type(record, (unsigned)member);
    dc_h5_drop(record);
    return type;
}

static dc_status open_field(dc_h5 *h5, const char *name, const char *field, hid_t *dset, hid_t *type)
{
    const dc_status st = dc_h5_open_dataset(h5, name, dset);
    if (st != DC_OK) return st;
    *type = field_type(*dset, field);
    return *type >= 0 ? DC_OK : DC_FAIL(DC_ERR_FORMAT, "%s: '%s' has no field '%s'", h5->path, name, field);
}

dc_status dc_h5_field_info(dc_h5 *h5, const char *name, const char *field, dc_h5_info *info)
{
    dc_status st = DC_OK;
    hid_t dset = -1, type = -1;
    DC_TRY(open_field(h5, name, field, &dset, &type));
    DC_TRY(dc_h5_describe(h5, name, dset, info));
    DC_TRY(dc_h5_check_storage(h5, name, dset, info));
    dc_h5_describe_type(type, info);
out:
    dc_h5_drop(type);
    dc_h5_drop(dset);
    return st;
}

dc_status dc_h5_visit_fields(dc_h5 *h5, const char *name, dc_h5_visitor visit, void *ctx)
{
    dc_status st = DC_OK;
    hid_t dset = -1, record = -1;
    dc_h5_info info;
    DC_TRY(dc_h5_open_dataset(h5, name, &dset));
    DC_TRY(dc_h5_describe(h5, name, dset, &info));
    record = H5Dget_type(dset);
    const int n = H5Tget_class(record) == H5T_COMPOUND ? H5Tget_nmembers(record) : 0;
    for (int i = 0; i < n && st == DC_OK; i++) {
        char full[DC_PATH_MAX];
        char *field = H5Tget_member_name(record, (unsigned)i);
        const hid_t type = H5Tget_member_type(record, (unsigned)i);
        const bool fits = field && snprintf(full, sizeof full, "%s/%s", name, field) < (int)sizeof full;
        if (type >= 0) dc_h5_describe_type(type, &info);
        if (fits && type >= 0) st = visit(ctx, full, &info);
        dc_h5_drop(type);
        H5free_memory(field);
    }
out:
    dc_h5_drop(record);
    dc_h5_drop(dset);
    return st;
}

dc_status dc_h5_read_field(dc_h5 *h5, const char *name, const char *field, dc_h5_type type, dc_gidx row, dc_gidx n,
                           void *out)
{
    dc_status st = DC_OK;
    dc_h5_info info;
    hid_t dset = -1, stored = -1, value = -1, record = -1, file_space = -1, mem_space = -1;
    DC_TRY(dc_h5_field_info(h5, name, field, &info));
    if (info.n_dims != 1 || row < 0 || n > info.dims[0] - row || (type == DC_H5_TEXT) != (info.type == DC_H5_TEXT))
        DC_TRY(DC_FAIL(DC_ERR_FORMAT, "%s: field '%s' of '%s' holds %s, or does not have %lld rows", h5->path, field,
                       name, info.type_name, (long long)(row + n)));
    DC_TRY(open_field(h5, name, field, &dset, &stored));
    value = type == DC_H5_TEXT ? H5Tcopy(stored) : dc_h5_type_id(type);
    record = H5Tcreate(H5T_COMPOUND, H5Tget_size(value));
    H5Tinsert(record, field, 0, value);
    file_space = H5Dget_space(dset);
    DC_TRY(dc_h5_select_rows(file_space, row, n, &mem_space));
    if (H5Dread(dset, record, mem_space, file_space, H5P_DEFAULT, out) < 0)
        st = DC_FAIL(dc_h5_read_error(), "cannot read field '%s' of '%s' in %s: %s; the file is damaged", field, name,
                     h5->path, dc_h5_error());
out:
    dc_h5_drop(mem_space);
    dc_h5_drop(file_space);
    dc_h5_drop(record);
    dc_h5_drop(value);
    dc_h5_drop(stored);
    dc_h5_drop(dset);
    return st;
}
