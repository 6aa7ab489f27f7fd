/* Finds the hospital that a word denotes. */
#ifndef SCREENING_CLI_HOSPITAL_FIND_H
#define SCREENING_CLI_HOSPITAL_FIND_H

#include "session.h"

#include <stdbool.h>
#include <stddef.h>

#include "screening/v1/hospital.pb-c.h"

/*
 * How a hospital matches a word, from worst to best. The hospital with the best match is chosen. If several
 * share it, the word is ambiguous.
 */
enum hospital_match { MATCH_NONE, MATCH_NAME_PART, MATCH_ID_BEGIN, MATCH_NAME };

/*
 * Returns how well `hospital` matches `word`. The beginning of an id needs at least MATCH_ID_DIGITS
 * characters. Pure.
 */
enum { MATCH_ID_DIGITS = 4 };
enum hospital_match hospital_match(const Screening__V1__Hospital *hospital, const char *word);

/*
 * Replaces *word with the id of the hospital that it denotes. Keeps an id unchanged, without a lookup. With
 * `whole`, part of a name is not enough. Returns false after printing the reason, which is that there is no
 * match, or that there are several, which it lists. `name` is the argument's name. Deleted hospitals match
 * only by their full ids.
 */
bool hospital_find(struct session *session, const char *name, bool whole, char **word);

#endif
