/* Names of the element types. */
#include "dcmpi/base.h"

const char *dc_dtype_name(dc_dtype t)
{
    static const char *const names[] = {
        [DC_U8] = "uint8", [DC_F16] = "float16", [DC_F32] = "float32", [DC_F64] = "float64"};
    return names[t];
}
