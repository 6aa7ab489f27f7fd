/* Translates names in the .proto files to names in REST. Pure. */
#ifndef SCREENING_GATEWAY_SVC_REST_WORDS_H
#define SCREENING_GATEWAY_SVC_REST_WORDS_H

#include <protobuf-c/protobuf-c.h>

/*
 * Rewrites an error message from protojson or a service about a request of type `input`, in place. Field
 * names become JSON names ("customer_id: ..." becomes "customerId: ..."), and message types become words ("is
 * not a field of screening.v1.CreateBookingRequest" becomes "is not a field of a booking"). The text never
 * grows.
 */
void rest_words(const ProtobufCMessageDescriptor *input, char *message);

#endif
