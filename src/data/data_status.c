/* Errors of files as errors of data. */
#include "data_priv.h"

dc_status dc_data_status(dc_status st)
{
    if (st != DC_ERR_FORMAT) return st;
    char text[DC_ERROR_TEXT_MAX], where[256];
    snprintf(text, sizeof text, "%s", dc_error_text());
    snprintf(where, sizeof where, "%s", dc_error_where());
    dc_error_set(DC_ERR_DATA, where, text);
    return DC_ERR_DATA;
}
