/* cmocka and what its header wants before it. */
#ifndef SCREENING_BASE_UNIT_TEST_H
#define SCREENING_BASE_UNIT_TEST_H

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#endif
