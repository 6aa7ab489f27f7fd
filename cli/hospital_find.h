/* Which hospital a word means. */
#ifndef SCREENING_CLI_HOSPITAL_FIND_H
#define SCREENING_CLI_HOSPITAL_FIND_H

#include "session.h"

#include <stdbool.h>
#include <stddef.h>

#include "screening/v1/hospital.pb-c.h"

/* How a hospital answers to a word; the best of these that only one hospital has decides. */
enum hospital_match { MATCH_NONE, MATCH_NAME_PART, MATCH_ID_BEGIN, MATCH_NAME };

/* How `hospital` answers to `word`. The beginning of an id has MATCH_ID_DIGITS characters at least. Pure. */
enum { MATCH_ID_DIGITS = 4 };
enum hospital_match hospital_match(const Screening__V1__Hospital *hospital, const char *word);

/*
 * Puts the id of the hospital that *word means in its place; an id stays as it is, asked or not. With `whole`
 * a part of a name does not do. False after printing why not: none, or several, which are listed. `name` is
 * the argument's. Deleted hospitals answer to their ids only.
 */
bool hospital_find(struct session *session, const char *name, bool whole, char **word);

#endif
