#include "hospital_find.h"

#include "client.h"
#include "message.h"
#include "pages.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/uuid.h"

enum hospital_match hospital_match(const Screening__V1__Hospital *hospital, const char *word)
{
    size_t length = strlen(word);
    if (strcmp(hospital->name, word) == 0)
        return MATCH_NAME;
    if (length >= MATCH_ID_DIGITS && strncasecmp(hospital->hospital_id, word, length) == 0)
        return MATCH_ID_BEGIN;
    return length > 0 && strstr(hospital->name, word) != NULL ? MATCH_NAME_PART : MATCH_NONE;
}

static const Screening__V1__ListHospitalsResponse *ask_all(struct session *session)
{
    Screening__V1__ListHospitalsRequest request = SCREENING__V1__LIST_HOSPITALS_REQUEST__INIT;
    return pages_ask(session, "ListHospitals", "hospitals", &request.base);
}

/*
 * Returns the last hospital whose match with `word` is `match`. Sets *count to the number of such hospitals.
 */
static const Screening__V1__Hospital *answering(const Screening__V1__ListHospitalsResponse *list,
                                                const char *word, enum hospital_match match, size_t *count)
{
    const Screening__V1__Hospital *found = NULL;
    *count = 0;
    for (size_t i = 0; i < list->n_hospitals; i++) {
        if (hospital_match(list->hospitals[i], word) == match) {
            found = list->hospitals[i];
            (*count)++;
        }
    }
    return found;
}

/* Prints the error on one line, then up to SHOWN_MAX of the matching hospitals, one per line. */
static void list_them(const Screening__V1__ListHospitalsResponse *list, const char *name, const char *word,
                      enum hospital_match match, size_t count)
{
    enum { SHOWN_MAX = 10 };
    size_t shown = 0;
    fprintf(stderr, _("screenctl: %s %s: matches %zu hospitals; give an id:\n"), name, word, count);
    for (size_t i = 0; i < list->n_hospitals && shown < SHOWN_MAX; i++) {
        const Screening__V1__Hospital *hospital = list->hospitals[i];
        if (hospital_match(hospital, word) == match) {
            fprintf(stderr, "  %s  %s  %s\n", hospital->hospital_id, hospital->name, hospital->address);
            shown++;
        }
    }
    if (shown < count)
        fprintf(stderr, _("  and %zu more\n"), count - shown);
}

bool hospital_find(struct session *session, const char *name, bool whole, char **word)
{
    struct uuid id;
    if (uuid_parse(*word, &id))
        return true;
    const Screening__V1__ListHospitalsResponse *list = ask_all(session);
    if (list == NULL)
        return false;
    enum hospital_match least = whole ? MATCH_ID_BEGIN : MATCH_NAME_PART;
    for (enum hospital_match match = MATCH_NAME; match >= least; match--) {
        size_t count;
        const Screening__V1__Hospital *found = answering(list, *word, match, &count);
        if (count == 1) {
            *word = found->hospital_id;
            return true;
        }
        if (count > 1) {
            list_them(list, name, *word, match, count);
            return false;
        }
    }
    fprintf(stderr,
            _("screenctl: %s %s: no hospital has this name or an id that begins so; see screenctl "
              "hospital list\n"),
            name, *word);
    return false;
}
