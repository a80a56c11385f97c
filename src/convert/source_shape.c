/* Checks the shapes of matrices and of lists of labels. */
#include "convert/source.h"

/* A matrix has rows of one or more dimensions; labels are a vector or a matrix of one column. */
dc_status dc_source_check_shape(const dc_source *s, int n_dims, bool labels)
{
    if (labels && s->width != 1)
        return DC_FAIL(DC_ERR_DATA, "%s: labels must be one per row, but rows have %lld values", s->name,
                       (long long)s->width);
    if (!labels && n_dims < 2)
        return DC_FAIL(DC_ERR_DATA,
                       "%s: has 1 dimension; a matrix needs 2 (if these are labels, give them with --labels)", s->name);
    return DC_OK;
}

/* Pictures have 2 to 4 dimensions besides the row; a shape with more dimensions is not kept. */
void dc_source_keep_image_shape(dc_source *s, int n_dims, const int64_t *dims)
{
    if (n_dims < 3 || n_dims - 1 > DC_SOURCE_IMAGE_DIMS_MAX) return;
    s->n_image_dims = n_dims - 1;
    for (int i = 1; i < n_dims; i++) s->image_shape[i - 1] = dims[i];
}
