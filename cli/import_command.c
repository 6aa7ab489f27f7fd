/*
 * screenctl hospital import FILE.csv: executes the plan of import_plan.h or, with --dry-run, counts its
 * changes
 */
#include "client.h"
#include "command.h"
#include "import_plan.h"
#include "message.h"
#include "output.h"
#include "progress.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/civil.h"

/* An import in progress, and its results. */
struct import {
    struct session *session;
    const char *file;
    struct progress progress;
    size_t registered;
    size_t found; /* number of hospitals that already exist with the same name and address */
    size_t days_opened;
    size_t days_changed; /* number of days changed with --update */
    size_t days_differ;  /* number of differing days left unchanged */
    size_t failed;       /* number of hospitals that were refused, or whose id belongs to another hospital */
    protobuf_c_boolean update;
    protobuf_c_boolean dry_run; /* whether to count the changes without making them */
};

/* ---- the file ---- */

/*
 * Reads the whole file ("-" = stdin) into memory, which the caller frees. Returns NULL after printing an
 * error.
 */
static char *read_file(const char *path, size_t *size)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
    if (file == NULL) {
        fprintf(stderr, "screenctl: %s: %s\n", path, strerror(errno));
        return NULL;
    }
    char *bytes = NULL;
    size_t room = 0, used = 0, count = 1;
    while (count > 0 && array_reserve(&bytes, &room, used + 1) == STATUS_OK) {
        count = fread(bytes + used, 1, room - used, file);
        used += count;
    }
    bool whole = feof(file) != 0;
    if (!whole) {
        fprintf(stderr, "screenctl: %s: %s\n", path, strerror(errno));
        free(bytes);
    }
    if (file != stdin)
        fclose(file);
    *size = used;
    return whole ? bytes : NULL;
}

static void complain(void *context, size_t line, const char *complaint)
{
    struct import *import = context;
    progress_clear(&import->progress);
    fprintf(stderr, "%s:%zu: %s\n", import->file, line, complaint);
}

/* ---- one hospital ---- */

/* Makes a change, or does nothing with --dry-run. */
static enum status change(struct import *import, const char *method, ProtobufCMessage *request,
                          struct error *error)
{
    if (import->dry_run || client_call(import->session, method, request, error) != NULL)
        return STATUS_OK;
    return error->status;
}

/*
 * Prints a note if a hospital of the same name exists, because a typo in an address would register a second
 * hospital.
 */
static void warn_of_namesake(struct import *import, const struct import_hospital *hospital)
{
    Screening__V1__ListHospitalsRequest request = SCREENING__V1__LIST_HOSPITALS_REQUEST__INIT;
    struct error error;
    request.name_contains = arena_strdup(&import->session->arena, hospital->name);
    const Screening__V1__ListHospitalsResponse *list =
        request.name_contains == NULL ? NULL
                                      : client_call(import->session, "ListHospitals", &request.base, &error);
    for (size_t i = 0; list != NULL && i < list->n_hospitals; i++) {
        const char *note =
            strcmp(list->hospitals[i]->name, hospital->name) != 0
                ? NULL
                : arena_printf(&import->session->arena,
                               _("note: a hospital of this name already exists, at \"%s\" (%s)"),
                               list->hospitals[i]->address, list->hospitals[i]->hospital_id);
        if (note != NULL) {
            complain(import, hospital->line, note);
            return;
        }
    }
}

static enum status register_hospital(struct import *import, const struct import_hospital *hospital, char *id,
                                     struct error *error)
{
    struct arena *arena = &import->session->arena;
    Screening__V1__RegisterHospitalRequest request = SCREENING__V1__REGISTER_HOSPITAL_REQUEST__INIT;
    Screening__V1__ScreeningDay *days = arena_alloc(arena, hospital->day_count * sizeof *days);
    char(*dates)[CIVIL_TEXT_SIZE] = arena_alloc(arena, hospital->day_count * sizeof *dates);
    request.days = arena_alloc(arena, hospital->day_count * sizeof(struct Screening__V1__ScreeningDay *));
    request.name = arena_strdup(arena, hospital->name);
    request.address = arena_strdup(arena, hospital->address);
    if (days == NULL || dates == NULL || request.days == NULL || request.name == NULL ||
        request.address == NULL)
        return client_no_memory(error);
    request.hospital_id = id;
    request.n_days = hospital->day_count;
    for (size_t i = 0; i < hospital->day_count; i++) {
        screening__v1__screening_day__init(&days[i]);
        days[i].date = civil_format(hospital->days[i].day, dates[i]);
        days[i].capacity_presence_case = SCREENING__V1__SCREENING_DAY__CAPACITY_PRESENCE_CAPACITY;
        days[i].capacity = hospital->days[i].capacity;
        request.days[i] = &days[i];
    }
    warn_of_namesake(import, hospital);
    enum status status = change(import, "RegisterHospital", &request.base, error);
    import->registered += status == STATUS_OK ? 1 : 0;
    return status;
}

static enum status set_capacity(struct import *import, const struct import_day *day, char *id,
                                struct error *error)
{
    Screening__V1__SetCapacityRequest request = SCREENING__V1__SET_CAPACITY_REQUEST__INIT;
    char date[CIVIL_TEXT_SIZE];
    request.hospital_id = id;
    request.date = civil_format(day->day, date);
    request.capacity_presence_case = SCREENING__V1__SET_CAPACITY_REQUEST__CAPACITY_PRESENCE_CAPACITY;
    request.capacity = day->capacity;
    return change(import, "SetCapacity", &request.base, error);
}

static enum status open_missing_days(struct import *import, const struct import_hospital *hospital,
                                     const Screening__V1__Hospital *there, struct error *error)
{
    const struct import_day **missing =
        arena_alloc(&import->session->arena, hospital->day_count * sizeof(const struct import_day *));
    if (missing == NULL)
        return client_no_memory(error);
    size_t count = import_missing_days(hospital, there, missing);
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        status = set_capacity(import, missing[i], there->hospital_id, error);
        import->days_opened += status == STATUS_OK ? 1 : 0;
    }
    return status;
}

/*
 * With --update, applies the capacities of the file. Otherwise only reports the differences. A day whose
 * capacity cannot change, because more places are reserved, does not prevent the other changes.
 */
static enum status settle_differences(struct import *import, const struct import_hospital *hospital,
                                      const Screening__V1__Hospital *there, struct error *error)
{
    struct arena *arena = &import->session->arena;
    const struct import_day **days = arena_alloc(arena, hospital->day_count * sizeof *days);
    uint32_t *capacities = arena_alloc(arena, hospital->day_count * sizeof *capacities);
    if (days == NULL || capacities == NULL)
        return client_no_memory(error);
    size_t count = import_differing_days(hospital, there, days, capacities);
    for (size_t i = 0; i < count; i++) {
        enum status status =
            import->update ? set_capacity(import, days[i], there->hospital_id, error) : STATUS_OK;
        if (status_is_transient(status))
            return status;
        if (import->update && status == STATUS_OK) {
            import->days_changed++;
            continue;
        }
        const char *text =
            import->update
                ? arena_printf(arena, "capacity: %s %s", error->reason, error->message)
                : arena_printf(arena, _("capacity: %u in the file, but %u is set (--update changes it)"),
                               days[i]->capacity, capacities[i]);
        import->days_differ++;
        complain(import, days[i]->line, text == NULL ? "capacity" : text);
    }
    return STATUS_OK;
}

static const Screening__V1__Hospital *get_hospital(struct import *import, const struct uuid *id,
                                                   struct error *error)
{
    char text[UUID_TEXT_SIZE];
    Screening__V1__GetHospitalRequest request = SCREENING__V1__GET_HOSPITAL_REQUEST__INIT;
    request.hospital_id = uuid_format(id, text);
    return client_call(import->session, "GetHospital", &request.base, error);
}

/*
 * Finds the hospital by any id under which it may be registered. On failure, returns NULL with *error set:
 * NOT_FOUND if there is none.
 */
static const Screening__V1__Hospital *
find_hospital(struct import *import, const struct import_hospital *hospital, struct error *error)
{
    const Screening__V1__Hospital *there = get_hospital(import, &hospital->id, error);
    for (size_t i = 0; there == NULL && error->status == STATUS_NOT_FOUND && i < IMPORT_FORMER_IDS; i++)
        if (!uuid_is_zero(&hospital->former_ids[i]))
            there = get_hospital(import, &hospital->former_ids[i], error);
    return there;
}

static enum status import_hospital(struct import *import, const struct import_hospital *hospital,
                                   struct error *error)
{
    const Screening__V1__Hospital *there = find_hospital(import, hospital, error);
    if (there == NULL && error->status == STATUS_NOT_FOUND) {
        char id[UUID_TEXT_SIZE];
        (void)uuid_format(&hospital->id, id);
        return register_hospital(import, hospital, id, error);
    }
    if (there == NULL)
        return error->status;
    TRY(import_same_hospital(hospital, there, &import->session->arena, error));
    import->found++;
    TRY(open_missing_days(import, hospital, there, error));
    return settle_differences(import, hospital, there, error);
}

/* ---- importing all hospitals ---- */

/*
 * Imports all hospitals. Stops at the first transient error, which would probably affect the next hospital
 * too.
 */
static enum status import_all(struct import *import, const struct import_plan *plan, struct error *error)
{
    progress_begin(&import->progress, plan->hospital_count);
    for (size_t i = 0; i < plan->hospital_count; i++) {
        enum status status = import_hospital(import, &plan->hospitals[i], error);
        if (status_is_transient(status))
            return status;
        if (status != STATUS_OK) {
            import->failed++;
            complain(import, plan->hospitals[i].line, error->message);
        }
        progress_step(&import->progress);
    }
    return STATUS_OK;
}

static int show_json(const struct import *import, const struct import_plan *plan)
{
    return output_document(json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "file", import->file, "hospitals",
        (json_int_t)plan->hospital_count, "registered", (json_int_t)import->registered, "found",
        (json_int_t)import->found, "daysOpened", (json_int_t)import->days_opened, "daysChanged",
        (json_int_t)import->days_changed, "daysDiffer", (json_int_t)import->days_differ, "failed",
        (json_int_t)import->failed, "badLines", (json_int_t)plan->bad_lines, "dryRun", import->dry_run != 0));
}

/* Shows a part of the result, unless the count is zero. */
static void show_part(size_t count, const char *one, const char *many)
{
    const char *text = count > 0 ? output_plural(count, one, many) : "";
    const char *number = strstr(text, "%zu");
    if (number != NULL)
        printf("%.*s%zu%s", (int)(number - text), text, count, number + strlen("%zu"));
}

static int show_summary(const struct import *import, const struct import_plan *plan)
{
    if (import->session->json)
        return show_json(import, plan);
    printf("%s: ", import->file);
    show_part(plan->hospital_count, N_("%zu hospital: "), N_("%zu hospitals: "));
    printf(_("%zu registered, %zu already there"), import->registered, import->found);
    show_part(import->days_opened, N_(", %zu day opened"), N_(", %zu days opened"));
    show_part(import->days_changed, N_(", %zu capacity changed"), N_(", %zu capacities changed"));
    show_part(import->days_differ, N_(", %zu day differs"), N_(", %zu days differ"));
    show_part(import->failed, N_(", %zu failed"), N_(", %zu failed"));
    show_part(plan->bad_lines, N_(", %zu bad line"), N_(", %zu bad lines"));
    puts(import->dry_run ? _(" (dry run: nothing was done)") : "");
    return EXIT_DONE;
}

static int import_bytes(struct import *import, const char *bytes, size_t size, int32_t today)
{
    struct import_plan plan;
    struct error error;
    if (import_plan_read(bytes, size, today, &import->session->arena, complain, import, &plan, &error) !=
        STATUS_OK) {
        complain(import, 1, error.message);
        return EXIT_FAILED;
    }
    if (plan.hospital_count == 0 && plan.bad_lines == 0) {
        complain(import, 1, _("the file has a header but no hospitals"));
        return EXIT_FAILED;
    }
    enum status status = import_all(import, &plan, &error);
    progress_clear(&import->progress);
    if (status != STATUS_OK)
        client_fail(&error);
    int exit_code = show_summary(import, &plan);
    bool all_well =
        status == STATUS_OK && plan.bad_lines == 0 && import->failed == 0 && import->days_differ == 0;
    return all_well ? exit_code : EXIT_FAILED;
}

static int hospital_import(struct session *session, const struct command *command, int argc, char **argv)
{
    char *file = NULL;
    struct import import = {.session = session};
    const struct argument arguments[] = {
        {"FILE.csv", &file, ARGUMENT_TEXT, true},
        {"--update", &import.update, ARGUMENT_SWITCH, false},
        {"--dry-run", &import.dry_run, ARGUMENT_SWITCH, false},
    };
    int exit_code;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    int32_t today;
    struct error error;
    if (session_today(session, &today, &error) != STATUS_OK)
        return usage_error(command, "%s", error.message);
    size_t size;
    char *bytes = read_file(file, &size);
    if (bytes == NULL)
        return EXIT_FAILED;
    import.file = file;
    exit_code = import_bytes(&import, bytes, size, today);
    free(bytes);
    return exit_code;
}

const struct command HOSPITAL_IMPORT = {
    "hospital", "import", "FILE.csv [--update] [--dry-run]",
    N_("registers the hospitals of a file and opens missing days; --update: also changes capacities"),
    hospital_import};
