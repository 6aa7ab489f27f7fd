/* What every unit test of this folder includes. */
#ifndef SCREENING_RPC_RPC_TEST_H
#define SCREENING_RPC_RPC_TEST_H

// clang-format off
/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#endif
