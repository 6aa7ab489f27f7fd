/* Keeps what a process knows off the disk when it crashes. */
#ifndef SCREENING_BASE_CORE_DUMP_H
#define SCREENING_BASE_CORE_DUMP_H

#include <stdbool.h>

/*
 * Makes sure that a crash leaves no memory on a disk, because memory holds names, keys, tokens and passwords.
 * Sets the limit for a core file to 0. A program that takes the core from the kernel ignores the limit, so a
 * core would also have none of the memory. The process stays readable for its own user, whom a debugger and
 * our tools need. Returns false with errno if the kernel refuses.
 */
bool core_dump_disable(void);

#endif
