/* The words of REST for those of the .proto files. Pure. */
#ifndef GATEWAY_SVC_REST_WORDS_H
#define GATEWAY_SVC_REST_WORDS_H

#include <protobuf-c/protobuf-c.h>

/*
 * Rewrites in place what protojson or a service says of a request of type `input`: fields get their names in
 * JSON ("customer_id: ..." becomes "customerId: ..."), messages what they stand for ("is not a field of
 * screening.v1.CreateBookingRequest" becomes "is not a field of a booking"). The text never grows.
 */
void rest_words(const ProtobufCMessageDescriptor *input, char *message);

#endif
