#include "http_request.h"

enum MHD_Result http_stream_begin(struct http_request *request)
{
    (void)request;
    return MHD_NO;
}
