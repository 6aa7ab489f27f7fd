/* Tests the translation of error messages to REST names. */
#include "rest_words.h"

#include <stdio.h>

#include "base/unit_testing.h"

#include "screening/v1/booking.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

static void test_words_of_proto_become_those_of_rest(void **state)
{
    (void)state;
    static const struct {
        const ProtobufCMessageDescriptor *input;
        const char *said, *shown;
    } cases[] = {
        {&screening__v1__list_bookings_request__descriptor, "page_size: must be 0 to 500",
         "pageSize: must be 0 to 500"},
        {&screening__v1__list_bookings_request__descriptor,
         "customer_id: exactly one of customer_id and hospital_id must be given",
         "customerId: exactly one of customerId and hospitalId must be given"},
        {&screening__v1__create_booking_request__descriptor,
         "phone: is not a field of screening.v1.CreateBookingRequest", "phone: is not a field of a booking"},
        {&screening__v1__create_booking_request__descriptor, "queue_if_unavailable: must be true or false",
         "queueIfUnavailable: must be true or false"},
        {&screening__v1__create_booking_request__descriptor,
         "page_size, _booking_id, booking_ids, to_date_: are none of its fields",
         "page_size, _booking_id, booking_ids, to_date_: are none of its fields"},
        {&screening__v1__register_hospital_request__descriptor,
         "days[1].places: is not a field of screening.v1.ScreeningDay",
         "days[1].places: is not a field of a screening day"},
        {&screening__v1__list_bookings_request__descriptor,
         "status: must be a name or number of screening.v1.BookingStatus",
         "status: must be a name or number of BookingStatus"},
        {&screening__v1__get_hospital_request__descriptor, "hospital_id: no hospital 01890000-0000-7000",
         "hospitalId: no hospital 01890000-0000-7000"},
        {&screening__v1__get_hospital_request__descriptor, "\xed\x95\x9c hospital_id\xff",
         "\xed\x95\x9c hospitalId\xff"},
        {&screening__v1__get_hospital_request__descriptor, "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char message[128];
        (void)snprintf(message, sizeof message, "%s", cases[i].said);
        rest_words(cases[i].input, message);
        assert_string_equal(message, cases[i].shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_of_proto_become_those_of_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
