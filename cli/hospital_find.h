/* Finds the hospital that a word identifies. */
#ifndef SCREENING_CLI_HOSPITAL_FIND_H
#define SCREENING_CLI_HOSPITAL_FIND_H

#include "session.h"

#include <stdbool.h>
#include <stddef.h>

#include "screening/v1/hospital.pb-c.h"

/*
 * How a hospital matches a word, from worst to best. The hospital with the best match is chosen. If several
 * hospitals share the best match, the word is ambiguous.
 */
enum hospital_match { MATCH_NONE, MATCH_NAME_PART, MATCH_ID_BEGIN, MATCH_NAME };

/*
 * Returns how well `hospital` matches `word`. To match as the beginning of an id, `word` must have at least
 * MATCH_ID_DIGITS characters. Pure.
 */
enum { MATCH_ID_DIGITS = 4 };
enum hospital_match hospital_match(const Screening__V1__Hospital *hospital, const char *word);

/*
 * Replaces *word with the id of the hospital that it identifies. Keeps an id unchanged, without a lookup. If
 * `whole`, part of a name is not sufficient. If no hospital matches, or if several match equally well, prints
 * an error, which lists up to ten matches, and returns false. If hospital-svc fails, prints the error and
 * returns false. `name` is the argument's name. Deleted hospitals match only by their full ids.
 */
bool hospital_find(struct session *session, const char *name, bool whole, char **word);

#endif
