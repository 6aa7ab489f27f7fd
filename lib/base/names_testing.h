/*
 * Host names that a test defines. Link the test with -Wl,--wrap=getaddrinfo and -Wl,--wrap=freeaddrinfo.
 * Every name resolves to the same addresses.
 */
#ifndef SCREENING_BASE_NAMES_TESTING_H
#define SCREENING_BASE_NAMES_TESTING_H

#include <stdbool.h>

enum { NAMES_NUMBER_SIZE = 16 };

/* Call this before any name is looked up. */
void names_init(void);

/* Defines the addresses, separated by blanks. None = the look-up fails. */
void names_define(const char *numbers);

/* Lets look-ups hang from now on, or no longer. */
void names_hang(bool hanging);

/* Returns the number of look-ups so far. */
int names_look_ups(void);

/* Waits until there were so many look-ups. */
void names_wait_for_look_ups(int count);

#endif
