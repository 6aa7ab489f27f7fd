/*
 * Checks invariants in every build. Use CHECK for what our own code guarantees. A wrong value from a socket,
 * a file, a database or a user is an error (base/status.h); never use CHECK for it. See docs/style.md.
 *
 *     CHECK(day->reserved >= headcount);
 */
#ifndef SCREENING_BASE_CHECK_H
#define SCREENING_BASE_CHECK_H

/*
 * Aborts the process if the condition is false, because the effects of a broken invariant must not reach the
 * database or a client. First logs `check.failed` with the condition, the file and the line. Evaluates the
 * condition once. CHECK is an expression, so it can be used where a statement cannot. Any thread, with any
 * lock held.
 */
#define CHECK(condition)                                                                                     \
    (__builtin_expect(!(condition), 0) ? check_failed(#condition, __FILE__, __LINE__) : (void)0)

/* For CHECK only. Takes no lock and waits at most LOG_LAST_WAIT_MS for room on stderr. */
_Noreturn void check_failed(const char *condition, const char *file, int line) __attribute__((cold));

#endif
