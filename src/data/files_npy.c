/* NPY files as data: rows of numbers that can be read where they lie. */
#include <string.h>

#include "dcmpi/mem.h"
#include "dcmpi/npy.h"
#include "files.h"

/* "int64", "big-endian float32", "text" */
static const char *type_name(const dc_npy *npy, char out[32])
{
    const char *kind = npy->kind == 'f' ? "float" : npy->kind == 'i' ? "int" : npy->kind == 'u' ? "uint" : "";
    if (*kind)
        snprintf(out, 32, "%s%s%d", npy->big_endian && npy->bytes > 1 ? "big-endian " : "", kind, 8 * npy->bytes);
    else
        snprintf(out, 32, "%s", npy->kind == 'b' ? "bool" : "text");
    return out;
}

static bool find_type(const dc_npy *npy, dc_dtype *out)
{
    static const dc_dtype types[] = {DC_U8, DC_F16, DC_F32, DC_F64};
    for (size_t i = 0; i < DC_COUNT_OF(types); i++) {
        *out = types[i];
        if (npy->kind == (types[i] == DC_U8 ? 'u' : 'f') && (size_t)npy->bytes == dc_dtype_bytes(types[i]))
            return npy->bytes == 1 || !npy->big_endian;
    }
    return false;
}

static dc_status check_elements(const char *path, const dc_npy *npy, dc_dtype *dtype)
{
    char type[32];
    if (!find_type(npy, dtype))
        return DC_FAIL(DC_ERR_DATA,
                       "%s holds %s; it must be uint8, float16, float32 or float64 in little-endian order; run: dcmpi "
                       "convert %s OUT.h5",
                       path, type_name(npy, type), path);
    if (npy->fortran)
        return DC_FAIL(
            DC_ERR_DATA,
            "%s is stored by columns (Fortran order); numpy.save(..., numpy.ascontiguousarray(x)) stores it by "
            "rows, and so does dcmpi convert %s OUT.h5",
            path, path);
    if (npy->n_dims < 2)
        return DC_FAIL(DC_ERR_DATA, "%s has %d dimension(s); it must be [rows, columns]", path, npy->n_dims);
    return DC_OK;
}

/* Sets rows, columns and the shape of images, and compares them with the length of the file. */
static dc_status take_shape(const char *path, const dc_npy *npy, dc_file_facts *f)
{
    uint64_t wide = 1, bytes;
    bool fits = npy->dims[0] <= INT64_MAX;
    for (int i = 1; i < npy->n_dims; i++) fits = fits && !__builtin_mul_overflow(wide, npy->dims[i], &wide);
    fits = fits && wide <= INT32_MAX && !__builtin_mul_overflow(wide * (uint64_t)npy->bytes, npy->dims[0], &bytes);
    fits = fits && !__builtin_add_overflow(bytes, (uint64_t)f->piece.offset, &bytes) && bytes <= INT64_MAX;
    if (!fits) return DC_FAIL(DC_ERR_DATA, "%s: the header gives more columns or rows than a file can have", path);
    if (wide == 0 || npy->dims[0] == 0)
        return DC_FAIL(DC_ERR_DATA, "%s is empty (%llu rows, %llu columns)", path, (unsigned long long)npy->dims[0],
                       (unsigned long long)wide);
    if ((int64_t)bytes != f->piece.state.bytes)
        return DC_FAIL(DC_ERR_DATA, "%s is %s: %lld bytes, its header asks for %llu", path,
                       (int64_t)bytes > f->piece.state.bytes ? "truncated" : "longer than it should be",
                       (long long)f->piece.state.bytes, (unsigned long long)bytes);
    f->piece.rows = (dc_gidx)npy->dims[0];
    f->D = (int64_t)wide;
    f->n_image_dims = npy->n_dims > 2 && npy->n_dims - 1 <= DC_IMAGE_DIMS_MAX ? npy->n_dims - 1 : 0;
    for (int i = 0; i < f->n_image_dims; i++) f->image_shape[i] = (int64_t)npy->dims[i + 1];
    return DC_OK;
}

static dc_status read_header(const char *path, int fd, dc_file_facts *f, dc_npy *npy)
{
    dc_status st = DC_OK;
    uint8_t prefix[DC_NPY_PREFIX_BYTES] = {0};
    char *text = NULL;
    size_t begin, length;
    DC_TRY(dc_file_state_of(fd, path, &f->piece.state));
    const size_t bytes = (size_t)f->piece.state.bytes;
    DC_TRY(dc_file_read_at(fd, path, 0, prefix, DC_MIN(bytes, sizeof prefix)));
    DC_TRY(dc_npy_length(path, prefix, &begin, &length));
    if (begin + length > bytes)
        return DC_FAIL(DC_ERR_DATA, "%s is truncated: it ends within its header of %zu bytes", path, begin + length);
    DC_TRY(dc_mem_alloc_raw(&text, length, 1, "header of a file"));
    DC_TRY(dc_file_read_at(fd, path, begin, text, length));
    f->piece.offset = (int64_t)(begin + length);
    st = dc_npy_dictionary(path, begin, text, length, npy);
out:
    dc_mem_free(&text);
    return st;
}

dc_status dc_files_look_at_npy(dc_files *files, size_t i, int fd)
{
    dc_status st = DC_OK;
    dc_file_facts *f = &files->file[i];
    const char *path = dc_files_path(files, i);
    dc_npy npy;
    if (*dc_files_dataset(files, i))
        DC_TRY(DC_FAIL(DC_ERR_DATA, "%s:%s: an NPY file has no datasets", path, dc_files_dataset(files, i)));
    DC_TRY(read_header(path, fd, f, &npy));
    DC_TRY(check_elements(path, &npy, &f->dtype));
    DC_TRY(take_shape(path, &npy, f));
    f->known = true;
out:
    return st;
}
