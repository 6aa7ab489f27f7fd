/* Creates hospitals and days in given states, for the tests of the rules. */
#ifndef SCREENING_HOSPITAL_SVC_HOSPITAL_TESTING_H
#define SCREENING_HOSPITAL_SVC_HOSPITAL_TESTING_H

#include "hospital.h"

#include "base/unit_testing.h"

enum { TODAY = 20000, NOW_US = 1234567, COUNT_MAX = 100 };

static const struct uuid HOSPITAL_ID = {{1}};
static const struct uuid BOOKING_ID = {{2}};

static inline struct hospital hospital_in(enum hospital_state state)
{
    struct hospital hospital = {.id = HOSPITAL_ID, .state = state, .name = "", .address = ""};
    if (state != HOSPITAL_NONE) {
        hospital.name = "Han River Clinic";
        hospital.created_at_us = 5;
        hospital.content[0] = 7;
    }
    return hospital;
}

static inline struct screening_day day_with(uint32_t capacity, uint32_t remaining, uint64_t version)
{
    return (struct screening_day){.hospital_id = HOSPITAL_ID,
                                  .date = TODAY + 1,
                                  .capacity = capacity,
                                  .reserved = capacity - remaining,
                                  .version = version};
}

static inline void assert_day(const struct screening_day *day, uint32_t capacity, uint32_t remaining,
                              uint64_t version)
{
    assert_int_equal(day->capacity, capacity);
    assert_int_equal(screening_day_remaining(day), remaining);
    assert_int_equal(day->version, version);
}
#endif
