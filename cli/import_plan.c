#include "import_plan.h"

#include "command.h"
#include "csv.h"
#include "date.h"
#include "message.h"

#include <string.h>

#include "base/civil.h"
#include "base/map.h"
#include "base/text.h"
#include "base/unicode.h"

enum {
    FIELD_ID,
    FIELD_NAME,
    FIELD_ADDRESS,
    FIELD_DATE,
    FIELD_CAPACITY,
    FIELD_COUNT,
    NAME_MAX_CHARACTERS = 200,
    ADDRESS_MAX_CHARACTERS = 300,
    DAYS_MAX = 400,
    HOSPITALS_FIRST = 64
};

static const char *const HEADER[FIELD_COUNT] = {"hospital_id", "name", "address", "date", "capacity"};

static const struct uuid NAMESPACE = {
    {0x5b, 0x6a, 0x2d, 0x0e, 0x91, 0xc4, 0x4f, 0x0b, 0x8d, 0x57, 0x3a, 0x1e, 0x6c, 0x9f, 0x42, 0xb8}};

/* A valid line. */
struct row {
    struct uuid id;
    struct uuid former_ids[IMPORT_FORMER_IDS];
    const char *name;
    const char *address;
    struct import_day day;
};

/* The plan under construction. */
struct planner {
    struct arena *arena;
    struct import_plan *plan;
    size_t hospital_room;
    struct map seen; /* the ids of the plan's hospitals, with any pointer as the value */
    int32_t today;
    import_complain_fn complain;
    void *context;
};

/* ---- one line ---- */

static enum status out_of_memory(struct error *error)
{
    return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, _("out of memory"));
}

static bool make_id(const char *name, const char *address, struct arena *arena, struct uuid *id)
{
    const char *key = arena_printf(arena, "%s\n%s", name, address);
    if (key != NULL)
        *id = uuid_v5(&NAMESPACE, key, strlen(key));
    return key != NULL;
}

/*
 * Derives the former ids from name and address, decomposed and as in the file. Returns false when out of
 * memory.
 */
static bool make_former_ids(const struct csv_record *record, struct row *row, struct arena *arena)
{
    const char *name = unicode_decompose(row->name, arena);
    const char *address = unicode_decompose(row->address, arena);
    struct uuid *former = row->former_ids;
    if (name == NULL || address == NULL || !make_id(name, address, arena, &former[0]) ||
        !make_id(record->fields[FIELD_NAME], record->fields[FIELD_ADDRESS], arena, &former[1]))
        return false;
    if (uuid_equal(&former[1], &former[0]) || uuid_equal(&former[1], &row->id))
        former[1] = (struct uuid){{0}};
    if (uuid_equal(&former[0], &row->id))
        former[0] = (struct uuid){{0}};
    return true;
}

static enum status read_id(const struct csv_record *record, struct row *row, struct arena *arena,
                           struct error *error)
{
    const char *text = record->fields[FIELD_ID];
    if (text[0] != '\0') {
        return uuid_parse(text, &row->id) ? STATUS_OK
                                          : error_invalid(error, _("hospital_id: must be a UUID or empty"));
    }
    return make_id(row->name, row->address, arena, &row->id) && make_former_ids(record, row, arena)
               ? STATUS_OK
               : out_of_memory(error);
}

/* Normalizes the text and checks it against hospital-svc's rules. */
static enum status read_text(const char *field, const char *text, size_t min, size_t max, struct arena *arena,
                             const char **out, struct error *error)
{
    TRY(unicode_read(field, text, min, max, arena, out, error));
    return unicode_check_shown(field, *out, error);
}

static enum status read_day(const struct csv_record *record, int32_t today, struct import_day *day,
                            struct error *error)
{
    day->line = record->line;
    if (!date_read(record->fields[FIELD_DATE], today, &day->day))
        return error_invalid(error, _("date: %s, not \"%.40s\""), _(DATE_RULE), record->fields[FIELD_DATE]);
    if (day->day < today) {
        return error_invalid(error, _("date: must not lie in the past, as \"%.40s\" does"),
                             record->fields[FIELD_DATE]);
    }
    if (!number_read(record->fields[FIELD_CAPACITY], CAPACITY_MAX, &day->capacity)) {
        return error_invalid(error, _("capacity: must be a whole number from 0 to %d, not \"%.40s\""),
                             CAPACITY_MAX, record->fields[FIELD_CAPACITY]);
    }
    return STATUS_OK;
}

static enum status read_row(const struct planner *planner, const struct csv_record *record, struct row *row,
                            struct error *error)
{
    if (record->count != FIELD_COUNT)
        return error_invalid(error, _("record: must have %d fields, not %zu"), FIELD_COUNT, record->count);
    TRY(read_text("name", record->fields[FIELD_NAME], 1, NAME_MAX_CHARACTERS, planner->arena, &row->name,
                  error));
    TRY(read_text("address", record->fields[FIELD_ADDRESS], 0, ADDRESS_MAX_CHARACTERS, planner->arena,
                  &row->address, error));
    TRY(read_id(record, row, planner->arena, error));
    return read_day(record, planner->today, &row->day, error);
}

/* ---- from lines to hospitals ---- */

/* Makes room for one more hospital. Returns false when out of memory. */
static bool make_room(struct planner *planner)
{
    struct import_plan *plan = planner->plan;
    if (plan->hospitals != NULL && plan->hospital_count < planner->hospital_room)
        return true;
    size_t room = planner->hospital_room == 0 ? HOSPITALS_FIRST : planner->hospital_room * 2;
    struct import_hospital *hospitals = arena_alloc(planner->arena, room * sizeof *hospitals);
    if (hospitals == NULL)
        return false;
    if (plan->hospitals != NULL)
        memcpy(hospitals, plan->hospitals, plan->hospital_count * sizeof *hospitals);
    plan->hospitals = hospitals;
    planner->hospital_room = room;
    return true;
}

/* Adds a hospital. On failure, returns NULL with *error set. */
static struct import_hospital *add_hospital(struct planner *planner, const struct row *row,
                                            struct error *error)
{
    struct import_plan *plan = planner->plan;
    if (map_get(&planner->seen, &row->id) != NULL) {
        error_invalid(error, _("hospital_id: the lines of one hospital must be consecutive"));
        return NULL;
    }
    struct import_day *days = arena_alloc(planner->arena, DAYS_MAX * sizeof *days);
    if (days == NULL || !make_room(planner) || map_put(&planner->seen, &row->id, planner) != STATUS_OK) {
        out_of_memory(error);
        return NULL;
    }
    struct import_hospital *hospital = &plan->hospitals[plan->hospital_count++];
    *hospital = (struct import_hospital){
        .line = row->day.line, .id = row->id, .name = row->name, .address = row->address, .days = days};
    memcpy(hospital->former_ids, row->former_ids, sizeof hospital->former_ids);
    return hospital;
}

static enum status add_day(struct import_hospital *hospital, const struct row *row, struct error *error)
{
    if (strcmp(row->name, hospital->name) != 0) {
        return error_invalid(error, _("name: must be that of the hospital's first line, %zu"),
                             hospital->line);
    }
    if (strcmp(row->address, hospital->address) != 0) {
        return error_invalid(error, _("address: must be that of the hospital's first line, %zu"),
                             hospital->line);
    }
    for (size_t i = 0; i < hospital->day_count; i++) {
        if (hospital->days[i].day == row->day.day) {
            return error_invalid(error, _("date: must not be that of line %zu again"),
                                 hospital->days[i].line);
        }
    }
    if (hospital->day_count == DAYS_MAX)
        return error_invalid(error, _("date: a hospital must have at most %d days"), DAYS_MAX);
    hospital->days[hospital->day_count++] = row->day;
    return STATUS_OK;
}

static enum status add_row(struct planner *planner, const struct row *row, struct error *error)
{
    struct import_plan *plan = planner->plan;
    struct import_hospital *last =
        plan->hospital_count > 0 ? &plan->hospitals[plan->hospital_count - 1] : NULL;
    if (last == NULL || !uuid_equal(&last->id, &row->id))
        last = add_hospital(planner, row, error);
    return last == NULL ? error->status : add_day(last, row, error);
}

/* ---- the file ---- */

/* Returns the beginning of the file's first line, as valid UTF-8. */
static const char *first_line(struct arena *arena, const char *bytes, size_t size)
{
    enum { SHOWN_MAX = 80 };
    size_t length = 0;
    while (length < size && length < SHOWN_MAX && bytes[length] != '\n' && bytes[length] != '\r')
        length++;
    char *line = arena_printf(arena, "%.*s", (int)length, bytes);
    if (line != NULL)
        text_make_utf8(line);
    return line == NULL ? "" : line;
}

static enum status check_header(struct csv_reader *reader, const char *bytes, size_t size,
                                struct arena *arena, struct error *error)
{
    struct csv_record record;
    struct error unused;
    bool right = csv_next(reader, arena, &record, &unused) == CSV_RECORD && record.count == FIELD_COUNT;
    for (size_t i = 0; right && i < FIELD_COUNT; i++)
        right = strcmp(record.fields[i], HEADER[i]) == 0;
    if (right)
        return STATUS_OK;
    const char *line = first_line(arena, bytes, size);
    return error_invalid(
        error,
        strchr(line, ';') != NULL
            ? _("header: must be hospital_id,name,address,date,capacity with commas, not \"%s\"")
            : _("header: must be hospital_id,name,address,date,capacity, not \"%s\""),
        line);
}

static bool is_empty(const struct csv_record *record)
{
    size_t i = 0;
    while (i < record->count && record->fields[i][strspn(record->fields[i], " \t")] == '\0')
        i++;
    return i == record->count;
}

static enum status read_records(struct planner *planner, struct csv_reader *reader, struct error *error)
{
    for (;;) {
        struct csv_record record;
        struct row row = {.name = "", .address = ""};
        struct error complaint = {.status = STATUS_OK};
        enum csv_result result = csv_next(reader, planner->arena, &record, &complaint);
        if (result == CSV_END)
            return STATUS_OK;
        enum status status = complaint.status;
        if (result == CSV_RECORD && is_empty(&record))
            continue; /* spreadsheets write an empty row as a line of commas */
        if (result == CSV_RECORD) {
            status = read_row(planner, &record, &row, &complaint);
            if (status == STATUS_OK)
                status = add_row(planner, &row, &complaint);
        }
        if (status == STATUS_RESOURCE_EXHAUSTED)
            return out_of_memory(error);
        if (status != STATUS_OK) {
            planner->plan->bad_lines++;
            planner->complain(planner->context, record.line, complaint.message);
        }
    }
}

enum status import_plan_read(const char *bytes, size_t size, int32_t today, struct arena *arena,
                             import_complain_fn complain, void *context, struct import_plan *plan,
                             struct error *error)
{
    struct csv_reader reader;
    struct planner planner = {
        .arena = arena, .plan = plan, .today = today, .complain = complain, .context = context};
    *plan = (struct import_plan){.hospitals = NULL};
    csv_init(&reader, bytes, size);
    TRY(csv_check_encoding(bytes, size, error));
    TRY(check_header(&reader, reader.at, (size_t)(reader.end - reader.at), arena, error));
    map_init(&planner.seen, sizeof(struct uuid));
    enum status status = read_records(&planner, &reader, error);
    map_fini(&planner.seen);
    return status;
}

/* ---- comparison with the stored hospital ---- */

enum status import_same_hospital(const struct import_hospital *wanted, const Screening__V1__Hospital *there,
                                 struct arena *arena, struct error *error)
{
    const char *name = unicode_tidy(there->name, arena);
    const char *address = unicode_tidy(there->address, arena);
    if (name == NULL || address == NULL)
        return out_of_memory(error);
    if (there->status == SCREENING__V1__HOSPITAL_STATUS__DELETED)
        return error_invalid(error, _("hospital_id: this hospital is deleted"));
    if (strcmp(name, wanted->name) != 0)
        return error_invalid(error, _("name: a hospital of this id exists with another name"));
    if (strcmp(address, wanted->address) != 0)
        return error_invalid(error, _("address: a hospital of this id exists with another address"));
    return STATUS_OK;
}

/* Returns the stored day, or NULL if it is not open. */
static const Screening__V1__ScreeningDay *find_day(const Screening__V1__Hospital *hospital, int32_t day)
{
    char text[CIVIL_TEXT_SIZE];
    civil_format(day, text);
    for (size_t i = 0; i < hospital->n_days; i++)
        if (strcmp(hospital->days[i]->date, text) == 0)
            return hospital->days[i];
    return NULL;
}

size_t import_missing_days(const struct import_hospital *wanted, const Screening__V1__Hospital *there,
                           const struct import_day **missing)
{
    size_t count = 0;
    for (size_t i = 0; i < wanted->day_count; i++)
        if (wanted->days[i].capacity > 0 && find_day(there, wanted->days[i].day) == NULL)
            missing[count++] = &wanted->days[i];
    return count;
}

size_t import_differing_days(const struct import_hospital *wanted, const Screening__V1__Hospital *there,
                             const struct import_day **differing, uint32_t *capacities)
{
    size_t count = 0;
    for (size_t i = 0; i < wanted->day_count; i++) {
        const Screening__V1__ScreeningDay *day = find_day(there, wanted->days[i].day);
        if (day != NULL && day->capacity != wanted->days[i].capacity) {
            capacities[count] = day->capacity;
            differing[count++] = &wanted->days[i];
        }
    }
    return count;
}
