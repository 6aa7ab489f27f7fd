/*
 * Plans the import of hospitals from CSV: converts text and today's date to hospitals and complaints. Pure.
 *
 * The text has one line per screening day, under the header hospital_id,name,address,date,capacity. The lines
 * of one hospital must be adjacent. Names and addresses are normalized (unicode.h), so that different
 * spellings of the same text are equal. An empty hospital_id becomes the version 5 UUID of "NAME\nADDRESS" in
 * the namespace 5b6a2d0e-91c4-4f0b-8d57-3a1e6c9f42b8, which belongs to this program and never changes.
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
    size_t line; /* number of its first line */
    struct uuid id;
    /*
     * The ids under which earlier versions, which did not normalize text, may have registered the hospital.
     * The nil UUID marks an unused slot.
     */
    struct uuid former_ids[IMPORT_FORMER_IDS];
    const char *name;
    const char *address;
    struct import_day *days; /* in the order of the file */
    size_t day_count;
};

struct import_plan {
    struct import_hospital *hospitals; /* in the order of the file */
    size_t hospital_count;
    size_t bad_lines;
};

/* Reports a complaint about one line, such as "date: must be ...". */
typedef void (*import_complain_fn)(void *context, size_t line, const char *complaint);

/*
 * Reads `size` bytes of CSV. Valid lines form the plan, which is allocated in `arena`. Each invalid line
 * causes one complaint and is skipped. Returns RESOURCE_EXHAUSTED when out of memory. Returns
 * INVALID_ARGUMENT with "header: ..." for a wrong header, and with "encoding: ..." for a file that a
 * spreadsheet has saved in an encoding other than UTF-8.
 */
MUST_CHECK enum status import_plan_read(const char *bytes, size_t size, int32_t today, struct arena *arena,
                                        import_complain_fn complain, void *context, struct import_plan *plan,
                                        struct error *error);

/*
 * Finds the wanted days that the stored hospital `there` lacks. Stores pointers to these days, in the order
 * of `wanted`, in `missing`, which must have room for all days. Returns the number of these days. A wanted
 * capacity of 0 opens no day.
 */
size_t import_missing_days(const struct import_hospital *wanted, const Screening__V1__Hospital *there,
                           const struct import_day **missing);

/*
 * Finds the wanted days whose stored capacity differs, and returns their number. Stores the days in
 * `differing`, as import_missing_days does, and their current capacities in `capacities`, which must have
 * room for as many.
 */
size_t import_differing_days(const struct import_hospital *wanted, const Screening__V1__Hospital *there,
                             const struct import_day **differing, uint32_t *capacities);

/*
 * Returns INVALID_ARGUMENT "name: ..." (or "address: ...", "hospital_id: ...") unless the stored hospital
 * `there` is the wanted one. The stored hospital must not be deleted, and must have the same name and address
 * after normalization. Returns RESOURCE_EXHAUSTED when out of memory.
 */
MUST_CHECK enum status import_same_hospital(const struct import_hospital *wanted,
                                            const Screening__V1__Hospital *there, struct arena *arena,
                                            struct error *error);

#endif
