/* screenctl hospital register|list|show|set-capacity */
#include "client.h"
#include "command.h"
#include "date.h"
#include "message.h"
#include "output.h"
#include "pages.h"

#include <string.h>

#include "base/civil.h"

#include "screening/v1/hospital.pb-c.h"

static const char *status_text(Screening__V1__HospitalStatus status)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&screening__v1__hospital_status__descriptor, (int)status);
    return value == NULL ? "UNRECOGNISED" : message(value->name);
}

/* ---- output ---- */

static int show_days(struct session *session, Screening__V1__ScreeningDay *const *days, size_t count)
{
    static const struct table_column columns[] = {
        {N_("DATE"), false}, {N_("CAPACITY"), true}, {N_("REMAINING"), true}, {N_("VERSION"), true}};
    struct table table;
    table_init(&table, &session->arena, columns, COUNT_OF(columns));
    for (size_t i = 0; i < count; i++) {
        table_text(&table, days[i]->date);
        table_number(&table, days[i]->capacity);
        table_number(&table, days[i]->remaining);
        table_number(&table, days[i]->version);
    }
    return output_table(&table);
}

int hospital_output(struct session *session, const Screening__V1__Hospital *hospital)
{
    if (hospital == NULL)
        return EXIT_FAILED;
    if (session->json)
        return output_message(&hospital->base);
    struct table table;
    output_begin_pairs(&table, session);
    output_pair(&table, "hospital", hospital->hospital_id);
    output_pair(&table, "name", hospital->name);
    output_pair(&table, "address", hospital->address);
    output_pair(&table, "status", status_text(hospital->status));
    output_pair(&table, "created", output_instant(session, hospital->created_at));
    int exit_code = output_table(&table);
    if (exit_code == EXIT_DONE && hospital->n_days > 0) {
        putchar('\n');
        exit_code = show_days(session, hospital->days, hospital->n_days);
    }
    return exit_code;
}

/*
 * Shows hospitals. Unless deleted hospitals are listed, hides the status column, which would be the same in
 * every row.
 */
static int show_hospitals(struct session *session, const Screening__V1__ListHospitalsResponse *list,
                          bool with_day, bool with_deleted)
{
    static const struct table_column columns[] = {{N_("HOSPITAL"), false}, {N_("NAME"), false},
                                                  {N_("ADDRESS"), false},  {N_("STATUS"), false},
                                                  {N_("CAPACITY"), true},  {N_("REMAINING"), true}};
    enum { DAY_COLUMNS = 2 };
    struct table table;
    table_init(&table, &session->arena, columns, COUNT_OF(columns) - (with_day ? 0 : DAY_COLUMNS));
    table.layout = (struct table_layout){.hidden = with_deleted ? 0 : TABLE_COLUMN(3),
                                         .if_filled = TABLE_COLUMN(2),
                                         .ids = TABLE_COLUMN(0),
                                         .flexible = TABLE_COLUMN(1) | TABLE_COLUMN(2)};
    for (size_t i = 0; i < list->n_hospitals; i++) {
        const Screening__V1__Hospital *hospital = list->hospitals[i];
        table_text(&table, hospital->hospital_id);
        table_text(&table, hospital->name);
        table_text(&table, hospital->address);
        table_text(&table, status_text(hospital->status));
        if (with_day) {
            table_number(&table, hospital->n_days > 0 ? hospital->days[0]->capacity : 0);
            table_number(&table, hospital->n_days > 0 ? hospital->days[0]->remaining : 0);
        }
    }
    return output_list(session, &table, N_("no hospitals"));
}

/* ---- register ---- */

/* Reads a day in the form DATE=CAPACITY. */
static enum status read_day(struct session *session, char *text, int32_t today,
                            Screening__V1__ScreeningDay *day, struct error *error)
{
    char *equals = strchr(text, '=');
    int32_t number;
    day->date = arena_alloc(&session->arena, CIVIL_TEXT_SIZE);
    if (day->date == NULL)
        return client_no_memory(error);
    if (equals == NULL)
        return error_invalid(error, _("--day %s: must be DATE=CAPACITY"), text);
    if (!number_read(equals + 1, CAPACITY_MAX, &day->capacity)) {
        return error_invalid(error, _("--day %s: capacity: must be a whole number from 0 to %d"), text,
                             CAPACITY_MAX);
    }
    day->capacity_presence_case = SCREENING__V1__SCREENING_DAY__CAPACITY_PRESENCE_CAPACITY;
    *equals = '\0';
    if (!date_read(text, today, &number))
        return error_invalid(error, _("--day %s=%s: date: %s"), text, equals + 1, _(DATE_RULE));
    civil_format(number, day->date);
    return STATUS_OK;
}

static enum status read_days(struct session *session, const struct text_list *texts,
                             Screening__V1__RegisterHospitalRequest *request, struct error *error)
{
    Screening__V1__ScreeningDay *days = arena_alloc(&session->arena, (texts->count + 1) * sizeof *days);
    request->days =
        arena_alloc(&session->arena, (texts->count + 1) * sizeof(struct Screening__V1__ScreeningDay *));
    int32_t today;
    enum status status = session_today(session, &today, error);
    if (days == NULL || request->days == NULL)
        return client_no_memory(error);
    for (size_t i = 0; status == STATUS_OK && i < texts->count; i++) {
        screening__v1__screening_day__init(&days[i]);
        status = read_day(session, texts->texts[i], today, &days[i], error);
        request->days[i] = &days[i];
    }
    request->n_days = texts->count;
    return status;
}

static int hospital_register(struct session *session, const struct command *command, int argc, char **argv)
{
    Screening__V1__RegisterHospitalRequest request = SCREENING__V1__REGISTER_HOSPITAL_REQUEST__INIT;
    struct text_list days = {.count = 0};
    const struct argument arguments[] = {
        {"--name", &request.name, ARGUMENT_TEXT, true},
        {"--address", &request.address, ARGUMENT_TEXT, false},
        {"--id", &request.hospital_id, ARGUMENT_TEXT, false},
        {"--day", &days, ARGUMENT_LIST, false},
    };
    int exit_code;
    struct error error;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    if (read_days(session, &days, &request, &error) != STATUS_OK)
        return usage_error(command, "%s", error.message);
    return hospital_output(session, client_ask(session, "RegisterHospital", &request.base));
}

const struct command HOSPITAL_REGISTER = {
    "hospital", "register", "--name NAME [--address TEXT] [--id UUID] [--day DATE=CAPACITY]...",
    N_("registers a hospital and its screening days"), hospital_register};

/* ---- list, show, set-capacity ---- */

static int hospital_list(struct session *session, const struct command *command, int argc, char **argv)
{
    Screening__V1__ListHospitalsRequest request = SCREENING__V1__LIST_HOSPITALS_REQUEST__INIT;
    const struct argument arguments[] = {
        {"--name", &request.name_contains, ARGUMENT_TEXT, false},
        {"--date", &request.date, ARGUMENT_DATE, false},
        {"--deleted", &request.include_deleted, ARGUMENT_SWITCH, false},
        {"--csv", &session->csv, ARGUMENT_SWITCH, false},
    };
    int exit_code;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    const Screening__V1__ListHospitalsResponse *hospitals =
        pages_ask(session, "ListHospitals", "hospitals", &request.base);
    if (hospitals == NULL)
        return EXIT_FAILED;
    return session->json
               ? output_message(&hospitals->base)
               : show_hospitals(session, hospitals, request.date[0] != '\0', request.include_deleted);
}

const struct command HOSPITAL_LIST = {"hospital", "list", "[--name PART] [--date DATE] [--deleted] [--csv]",
                                      N_("lists hospitals; --date: only those that screen on that day"),
                                      hospital_list};

static int hospital_show(struct session *session, const struct command *command, int argc, char **argv)
{
    Screening__V1__GetHospitalRequest request = SCREENING__V1__GET_HOSPITAL_REQUEST__INIT;
    const struct argument arguments[] = {{"HOSPITAL", &request.hospital_id, ARGUMENT_HOSPITAL, true}};
    int exit_code;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    return hospital_output(session, client_ask(session, "GetHospital", &request.base));
}

const struct command HOSPITAL_SHOW = {"hospital", "show", "HOSPITAL",
                                      N_("shows a hospital and its days from today on"), hospital_show};

static int hospital_set_capacity(struct session *session, const struct command *command, int argc,
                                 char **argv)
{
    Screening__V1__SetCapacityRequest request = SCREENING__V1__SET_CAPACITY_REQUEST__INIT;
    uint32_t version = 0;
    const struct argument arguments[] = {
        {"HOSPITAL", &request.hospital_id, ARGUMENT_HOSPITAL, true},
        {"DATE", &request.date, ARGUMENT_DATE, true},
        {"CAPACITY", &request.capacity, ARGUMENT_CAPACITY, true},
        {"--version", &version, ARGUMENT_NUMBER, false},
    };
    int exit_code;
    if (!command_read(session, command, arguments, COUNT_OF(arguments), argc, argv, &exit_code))
        return exit_code;
    request.capacity_presence_case = SCREENING__V1__SET_CAPACITY_REQUEST__CAPACITY_PRESENCE_CAPACITY;
    request.expected_version = version;
    Screening__V1__ScreeningDay *day = client_ask(session, "SetCapacity", &request.base);
    if (day == NULL)
        return EXIT_FAILED;
    return session->json ? output_message(&day->base) : show_days(session, &day, 1);
}

const struct command HOSPITAL_SET_CAPACITY = {
    "hospital", "set-capacity", "HOSPITAL DATE CAPACITY [--version N]",
    N_("sets a day's capacity, or opens the day"), hospital_set_capacity};
