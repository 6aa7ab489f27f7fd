/*
 * Import of hospitals from CSV, the part that thinks. Pure: text and today in, hospitals and complaints out.
 *
 * One line per screening day, under the header hospital_id,name,address,date,capacity; the lines of one
 * hospital stand together. Names and addresses are made tidy (unicode.h), so that two spellings of one are
 * the same. An empty hospital_id becomes the version 5 UUID of "NAME\nADDRESS" in the namespace
 * 5b6a2d0e-91c4-4f0b-8d57-3a1e6c9f42b8, which is ours and never changes.
 */
#ifndef SCREENING_CLI_IMPORT_PLAN_H
#define SCREENING_CLI_IMPORT_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/uuid.h"

#include "screening/v1/hospital.pb-c.h"

struct import_day {
    size_t line;
    int32_t day;
    uint32_t capacity;
};

enum { IMPORT_FORMER_IDS = 2 };

struct import_hospital {
    size_t line; /* its first */
    struct uuid id;
    /* Under which earlier versions, which took texts as they came, may have registered it; the nil UUID: none
     * other than those before. */
    struct uuid former_ids[IMPORT_FORMER_IDS];
    const char *name;
    const char *address;
    struct import_day *days; /* in the file's order */
    size_t day_count;
};

struct import_plan {
    struct import_hospital *hospitals; /* in the file's order */
    size_t hospital_count;
    size_t bad_lines;
};

/* A complaint about one line: "date: must be ...". */
typedef void (*import_complain_fn)(void *context, size_t line, const char *complaint);

/*
 * Reads `size` bytes of CSV. Good lines become the plan, which lives in `arena`; each bad one is complained
 * about once and left out. RESOURCE_EXHAUSTED when memory runs out; INVALID_ARGUMENT with "header: ..." for
 * another header, with "encoding: ..." for a file that a spreadsheet saved in another encoding than UTF-8.
 */
MUST_CHECK enum status import_plan_read(const char *bytes, size_t size, int32_t today, struct arena *arena,
                                        import_complain_fn complain, void *context, struct import_plan *plan,
                                        struct error *error);

/*
 * The days that a hospital of this id lacks, as pointers into `wanted` and in its order, into `missing`,
 * which has room for all of them; returns how many. A wanted capacity of 0 opens nothing.
 */
size_t import_missing_days(const struct import_hospital *wanted, const Screening__V1__Hospital *there,
                           const struct import_day **missing);

/*
 * The days whose capacity is another one there, into `differing` as above; how many. Writes the stored
 * capacities to `capacities`, which has the same size.
 */
size_t import_differing_days(const struct import_hospital *wanted, const Screening__V1__Hospital *there,
                             const struct import_day **differing, uint32_t *capacities);

/* INVALID_ARGUMENT "name: ..." unless the hospital of this id is the wanted one: same name and address,
 * however they are written, not deleted. RESOURCE_EXHAUSTED when `arena` is. */
MUST_CHECK enum status import_same_hospital(const struct import_hospital *wanted,
                                            const Screening__V1__Hospital *there, struct arena *arena,
                                            struct error *error);

#endif
