/* Includes the headers that cmocka requires, and then cmocka's own. */
#ifndef SCREENING_BASE_UNIT_TESTING_H
#define SCREENING_BASE_UNIT_TESTING_H

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#endif
