/* One hash of all that a result holds: names, shapes, checksums of the datasets, and every attribute except the two
 * that are set last. Only headers are read, so that a file of any size is identified at once. */
#include "h5_private.h"

#include <string.h>
#include <xxhash.h>

#include "dcmpi/mem.h"

static const char name_of_hash[] = "result_hash", name_of_end[] = "complete";
enum { ATTRIBUTE_MAX = 16 << 20 };

typedef struct {
    dc_h5 *h5;
    XXH3_state_t *state;
    dc_status st;
} pass;

/* Hashes the final zero, too, so that no two lists of words give the same bytes. */
static void add_text(pass *p, const char *text)
{
    XXH3_64bits_update(p->state, text, strlen(text) + 1);
}

static void add_shape(pass *p, hid_t space)
{
    hsize_t dims[H5S_MAX_RANK];
    const int n = H5Sget_simple_extent_dims(space, dims, NULL);
    if (n > 0) XXH3_64bits_update(p->state, dims, (size_t)n * sizeof *dims);
    dc_h5_drop(space);
}

/* Hashes the value as stored, without conversion. Text of variable length is left out, because we never write any. */
static dc_status add_value(pass *p, hid_t attr, hid_t type, const char *name)
{
    void *value = NULL;
    const hssize_t n = H5Aget_storage_size(attr) <= ATTRIBUTE_MAX ? (hssize_t)H5Aget_storage_size(attr) : -1;
    if (H5Tis_variable_str(type) > 0 || H5Tget_class(type) == H5T_VLEN) return DC_OK;
    if (n < 0) return DC_FAIL(DC_ERR_FORMAT, "%s: attribute '%s' is larger than any of ours", p->h5->path, name);
    dc_status st = dc_mem_alloc(&value, (size_t)n + 1, 1, "attribute");
    if (st == DC_OK && n > 0 && H5Aread(attr, type, value) < 0)
        st = DC_FAIL(DC_ERR_FORMAT, "%s: cannot read attribute '%s': %s", p->h5->path, name, dc_h5_error());
    if (st == DC_OK) XXH3_64bits_update(p->state, value, (size_t)n);
    dc_mem_free(&value);
    return st;
}

static herr_t visit_attribute(hid_t object, const char *name, const H5A_info_t *info, void *ctx)
{
    pass *p = ctx;
    (void)info;
    if (strcmp(name, name_of_hash) == 0 || strcmp(name, name_of_end) == 0) return 0;
    const hid_t attr = H5Aopen(object, name, H5P_DEFAULT), type = attr >= 0 ? H5Aget_type(attr) : -1;
    add_text(p, name);
    if (type < 0)
        p->st = DC_FAIL(DC_ERR_FORMAT, "%s: cannot read attribute '%s': %s", p->h5->path, name, dc_h5_error());
    else
        p->st = add_value(p, attr, type, name);
    dc_h5_drop(type);
    dc_h5_drop(attr);
    return p->st == DC_OK ? 0 : 1;
}

static herr_t visit_object(hid_t root, const char *name, const H5O_info_t *info, void *ctx)
{
    pass *p = ctx;
    const hid_t object = H5Oopen(root, name, H5P_DEFAULT);
    add_text(p, name);
    if (object >= 0 && info->type == H5O_TYPE_DATASET) add_shape(p, H5Dget_space(object));
    const bool read = object >= 0 && H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute, p) >= 0;
    if (!read && p->st == DC_OK)
        p->st = DC_FAIL(DC_ERR_FORMAT, "%s: cannot read '%s': %s", p->h5->path, name, dc_h5_error());
    dc_h5_drop(object);
    return p->st == DC_OK ? 0 : 1;
}

dc_status dc_h5_hash_content(dc_h5 *h5, uint64_t *hash)
{
    pass p = {.h5 = h5, .state = XXH3_createState(), .st = DC_OK};
    if (!p.state) return DC_FAIL(DC_ERR_MEMORY, "no memory for a checksum");
    XXH3_64bits_reset(p.state);
    const herr_t rc = H5Ovisit2(h5->file, H5_INDEX_NAME, H5_ITER_INC, visit_object, &p, H5O_INFO_BASIC);
    if (rc < 0 && p.st == DC_OK) p.st = DC_FAIL(DC_ERR_FORMAT, "cannot list %s: %s", h5->path, dc_h5_error());
    *hash = XXH3_64bits_digest(p.state);
    XXH3_freeState(p.state);
    return p.st;
}

dc_status dc_h5_put_content_hash(dc_h5 *h5)
{
    uint64_t hash;
    const dc_status st = dc_h5_hash_content(h5, &hash);
    return st == DC_OK ? dc_h5_put_attr_hash(h5, "/", name_of_hash, hash) : st;
}

dc_status dc_h5_check_content(dc_h5 *h5)
{
    dc_status st = DC_OK;
    uint64_t stored, found;
    if (!dc_h5_has_attr(h5, "/", name_of_hash)) return DC_OK; /* an older version made the file */
    DC_TRY(dc_h5_get_attr_hash(h5, "/", name_of_hash, &stored));
    DC_TRY(dc_h5_hash_content(h5, &found));
    if (stored != found)
        st = DC_FAIL(DC_ERR_FORMAT, "%s is damaged: the hash of its names and attributes is %016llx, stored is %016llx",
                     h5->path, (unsigned long long)found, (unsigned long long)stored);
out:
    return st;
}
