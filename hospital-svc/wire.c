#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/digest.h"
#include "base/instant.h"
#include "base/page_token.h"
#include "base/text.h"
#include "base/unicode.h"

enum { FIELD_SIZE = 40, FIRST_ROOM = 16 };

/* ---- requests ---- */

static enum status parse_date(const char *field, const char *text, int32_t *out, struct error *error)
{
    if (!civil_parse(text, out))
        return error_invalid(error, "%s: must be a date that exists, YYYY-MM-DD", field);
    return STATUS_OK;
}

/* Checks a capacity. `may_be_absent` is true if an absent capacity means 0. */
static enum status check_capacity(const char *field, bool given, bool may_be_absent, uint32_t capacity,
                                  struct error *error)
{
    if (!given && !may_be_absent)
        return error_invalid(error, "%s: must be given", field);
    if (capacity > CAPACITY_MAX)
        return error_invalid(error, "%s: must be 0 to %d", field, CAPACITY_MAX);
    return STATUS_OK;
}

enum status wire_read_hospital_id(const char *text, struct uuid *out, struct error *error)
{
    return text_check_uuid("hospital_id", text, out, error);
}

static bool has_capacity(const Screening__V1__ScreeningDay *day)
{
    return day->capacity_presence_case == SCREENING__V1__SCREENING_DAY__CAPACITY_PRESENCE_CAPACITY;
}

static enum status parse_day(const Screening__V1__ScreeningDay *day, size_t index, bool explicit_presence,
                             struct day_wanted *out, struct error *error)
{
    char field[FIELD_SIZE];
    (void)snprintf(field, sizeof field, "days[%zu].date", index);
    TRY(parse_date(field, day->date, &out->date, error));
    (void)snprintf(field, sizeof field, "days[%zu].capacity", index);
    out->capacity = has_capacity(day) ? day->capacity : 0;
    TRY(check_capacity(field, has_capacity(day), !explicit_presence, out->capacity, error));
    if (day->remaining != 0 || day->version != 0) {
        return error_invalid(error, "days[%zu].%s: must be 0 in a request", index,
                             day->remaining != 0 ? "remaining" : "version");
    }
    return STATUS_OK;
}

static enum status parse_days(const Screening__V1__RegisterHospitalRequest *request, bool explicit_presence,
                              struct arena *arena, struct registration *out, struct error *error)
{
    if (request->n_days > HOSPITAL_DAYS_MAX)
        return error_invalid(error, "days: must be at most %d", HOSPITAL_DAYS_MAX);
    struct day_wanted *days = arena_alloc(arena, request->n_days * sizeof *days);
    if (days == NULL)
        return error_no_memory(error);
    for (size_t i = 0; i < request->n_days; i++) {
        TRY(parse_day(request->days[i], i, explicit_presence, &days[i], error));
        for (size_t before = 0; before < i; before++)
            if (days[before].date == days[i].date)
                return error_invalid(error, "days[%zu].date: must not repeat", i);
    }
    out->days = days;
    out->day_count = request->n_days;
    return STATUS_OK;
}

static int compare_days(const void *a, const void *b)
{
    const Screening__V1__ScreeningDay *const *left = a;
    const Screening__V1__ScreeningDay *const *right = b;
    return strcmp((*left)->date, (*right)->date);
}

/*
 * Copies the days in order of date. Omits a capacity of 0, because earlier versions did so and their digests
 * are stored. Returns NULL when out of memory.
 */
static Screening__V1__ScreeningDay **normal_days(const Screening__V1__RegisterHospitalRequest *request,
                                                 struct arena *arena)
{
    Screening__V1__ScreeningDay *copies = arena_alloc(arena, request->n_days * sizeof *copies);
    Screening__V1__ScreeningDay **days = arena_alloc(arena, request->n_days * sizeof(void *));
    if (copies == NULL || days == NULL)
        return NULL;
    for (size_t i = 0; i < request->n_days; i++) {
        copies[i] = *request->days[i];
        if (copies[i].capacity == 0)
            copies[i].capacity_presence_case = SCREENING__V1__SCREENING_DAY__CAPACITY_PRESENCE__NOT_SET;
        days[i] = &copies[i];
    }
    if (request->n_days > 0)
        qsort(days, request->n_days, sizeof *days, compare_days);
    return days;
}

/* Computes the digest of a normalized request. Returns false when out of memory. */
static bool digest_content(const Screening__V1__RegisterHospitalRequest *normal, struct arena *arena,
                           uint8_t content[DIGEST_SIZE])
{
    uint8_t *packed = arena_alloc(arena, screening__v1__register_hospital_request__get_packed_size(normal));
    if (packed == NULL)
        return false;
    digest_sha256_128(packed, screening__v1__register_hospital_request__pack(normal, packed), content);
    return true;
}

/*
 * Computes the digest of the request with its id in lower case, its strings normalized and its days in order
 * of date, so that two spellings of the same content have the same digest. Also computes the digests with the
 * strings in the forms that earlier versions may have stored.
 */
static enum status digest_registration(const Screening__V1__RegisterHospitalRequest *request,
                                       struct arena *arena, struct registration *out, struct error *error)
{
    char id[UUID_TEXT_SIZE];
    Screening__V1__RegisterHospitalRequest normal = SCREENING__V1__REGISTER_HOSPITAL_REQUEST__INIT;
    normal.hospital_id = uuid_format(&out->hospital_id, id);
    normal.name = (char *)out->name; /* only read */
    normal.address = (char *)out->address;
    normal.n_days = request->n_days;
    normal.days = normal_days(request, arena);
    if (normal.days == NULL)
        return error_no_memory(error);
    if (!digest_content(&normal, arena, out->content))
        return error_no_memory(error);
    normal.name = request->name;
    normal.address = request->address;
    if (!digest_content(&normal, arena, out->content_as_sent))
        return error_no_memory(error);
    normal.name = (char *)unicode_decompose(out->name, arena);
    normal.address = (char *)unicode_decompose(out->address, arena);
    bool made = normal.name != NULL && normal.address != NULL;
    return made && digest_content(&normal, arena, out->content_decomposed) ? STATUS_OK
                                                                           : error_no_memory(error);
}

/*
 * Normalizes name and address. A violation of unicode_check_shown only sets out->refusal, because it is a
 * reason to refuse a new hospital but not a repetition.
 */
static enum status read_texts(const Screening__V1__RegisterHospitalRequest *request, struct arena *arena,
                              struct registration *out, struct error *error)
{
    TRY(unicode_read("name", request->name, 1, HOSPITAL_NAME_MAX, arena, &out->name, error));
    TRY(unicode_read("address", request->address, 0, HOSPITAL_ADDRESS_MAX, arena, &out->address, error));
    struct error shown;
    if (unicode_check_shown("name", request->name, &shown) == STATUS_OK &&
        unicode_check_shown("address", out->address, &shown) == STATUS_OK)
        return STATUS_OK;
    out->refusal = arena_strdup(arena, shown.message);
    return out->refusal != NULL ? STATUS_OK : error_no_memory(error);
}

enum status wire_read_registration(const Screening__V1__RegisterHospitalRequest *request,
                                   bool explicit_presence, struct arena *arena, struct registration *out,
                                   struct error *error)
{
    struct registration made = {.name = "", .address = ""};
    enum status status = STATUS_OK;
    if (request->hospital_id[0] == '\0')
        made.hospital_id = uuid_v7();
    else
        status = wire_read_hospital_id(request->hospital_id, &made.hospital_id, error);
    if (status == STATUS_OK)
        status = read_texts(request, arena, &made, error);
    if (status == STATUS_OK)
        status = parse_days(request, explicit_presence, arena, &made, error);
    if (status == STATUS_OK)
        status = digest_registration(request, arena, &made, error);
    if (status == STATUS_OK)
        *out = made;
    return status;
}

enum status wire_read_capacity(const Screening__V1__SetCapacityRequest *request, bool explicit_presence,
                               struct capacity_wanted *out, struct error *error)
{
    bool given =
        request->capacity_presence_case == SCREENING__V1__SET_CAPACITY_REQUEST__CAPACITY_PRESENCE_CAPACITY;
    struct capacity_wanted made = {.capacity = given ? request->capacity : 0,
                                   .expected_version = request->expected_version};
    TRY(wire_read_hospital_id(request->hospital_id, &made.hospital_id, error));
    TRY(parse_date("date", request->date, &made.date, error));
    TRY(check_capacity("capacity", given, !explicit_presence, made.capacity, error));
    *out = made;
    return STATUS_OK;
}

enum status wire_read_reserve(const Screening__V1__ReserveRequest *request, struct reserve *out,
                              struct error *error)
{
    struct reserve made = {.headcount = request->headcount};
    TRY(text_check_uuid("booking_id", request->booking_id, &made.booking_id, error));
    TRY(wire_read_hospital_id(request->hospital_id, &made.hospital_id, error));
    TRY(parse_date("date", request->date, &made.date, error));
    if (request->headcount < 1 || request->headcount > HEADCOUNT_MAX)
        return error_invalid(error, "headcount: must be 1 to %d", HEADCOUNT_MAX);
    *out = made;
    return STATUS_OK;
}

static enum status parse_date_or(const char *field, const char *text, int32_t otherwise, int32_t *out,
                                 struct error *error)
{
    if (text[0] != '\0')
        return parse_date(field, text, out, error);
    *out = otherwise;
    return STATUS_OK;
}

enum status wire_read_availability(const Screening__V1__GetAvailabilityRequest *request, int32_t today,
                                   struct availability_wanted *out, struct error *error)
{
    struct availability_wanted made = {0};
    TRY(wire_read_hospital_id(request->hospital_id, &made.hospital_id, error));
    TRY(parse_date_or("from_date", request->from_date, today, &made.from, error));
    TRY(parse_date_or("to_date", request->to_date, made.from + AVAILABILITY_DAYS_DEFAULT, &made.to, error));
    if (made.to < made.from)
        return error_invalid(error, "to_date: must not be before from_date");
    if (made.to - made.from >= AVAILABILITY_DAYS_MAX) {
        return error_invalid(error, "to_date: must be at most %d days after from_date",
                             AVAILABILITY_DAYS_MAX - 1);
    }
    *out = made;
    return STATUS_OK;
}

/* Reads page_size and the start of the page. The token must be from the same query; page_size may differ. */
static enum status parse_page(const Screening__V1__ListHospitalsRequest *request, struct arena *arena,
                              struct list_wanted *made, struct error *error)
{
    made->query = arena_printf(arena, "hospitals;%s;%d;%s", request->date, request->include_deleted != 0,
                               request->name_contains);
    if (made->query == NULL)
        return error_no_memory(error);
    TRY(page_size_check(request->page_size, &made->page_size, error));
    if (request->page_token[0] == '\0')
        return STATUS_OK;
    struct page_position position;
    TRY(page_token_parse(request->page_token, made->query, &position, error));
    made->first_id = position.id;
    return STATUS_OK;
}

/*
 * Sets the alternative forms of name_contains. Earlier versions may have stored names decomposed, or with
 * their white space as sent.
 */
static enum status read_other_forms(const char *as_sent, struct arena *arena, struct list_wanted *made,
                                    struct error *error)
{
    made->decomposed = unicode_decompose(made->name_contains, arena);
    if (made->decomposed == NULL)
        return error_no_memory(error);
    made->as_sent = as_sent;
    return STATUS_OK;
}

enum status wire_read_list(const Screening__V1__ListHospitalsRequest *request, struct arena *arena,
                           struct list_wanted *out, struct error *error)
{
    struct list_wanted made = {.on_date = request->date[0] != '\0',
                               .include_deleted = request->include_deleted != 0};
    TRY(unicode_read("name_contains", request->name_contains, 0, HOSPITAL_NAME_MAX, arena,
                     &made.name_contains, error));
    TRY(read_other_forms(request->name_contains, arena, &made, error));
    TRY(parse_date_or("date", request->date, 0, &made.date, error));
    TRY(parse_page(request, arena, &made, error));
    *out = made;
    return STATUS_OK;
}

/* ---- messages ---- */

bool wire_append(struct arena *arena, struct wire_list *list, void *message)
{
    if (message == NULL)
        return false;
    if (list->count == list->room) {
        size_t room = list->room > 0 ? 2 * list->room : FIRST_ROOM;
        void **items = arena_alloc(arena, room * sizeof *items);
        if (items == NULL)
            return false;
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = message;
    return true;
}

Screening__V1__ScreeningDay *wire_day(struct arena *arena, const struct screening_day *day)
{
    Screening__V1__ScreeningDay *message = arena_alloc(arena, sizeof *message);
    char *date = arena_alloc(arena, CIVIL_TEXT_SIZE);
    if (message == NULL || date == NULL)
        return NULL;
    screening__v1__screening_day__init(message);
    message->date = civil_format(day->date, date);
    message->capacity_presence_case = SCREENING__V1__SCREENING_DAY__CAPACITY_PRESENCE_CAPACITY;
    message->capacity = day->capacity;
    message->remaining = screening_day_remaining(day);
    message->version = day->version;
    return message;
}

Screening__V1__Hospital *wire_hospital(struct arena *arena, const struct hospital *hospital)
{
    Screening__V1__Hospital *message = arena_alloc(arena, sizeof *message);
    char *id = arena_alloc(arena, UUID_TEXT_SIZE);
    Google__Protobuf__Timestamp *created_at = arena_alloc(arena, sizeof *created_at);
    if (message == NULL || id == NULL || created_at == NULL)
        return NULL;
    screening__v1__hospital__init(message);
    message->hospital_id = uuid_format(&hospital->id, id);
    /* protobuf-c's strings are not const, but packing only reads them. */
    message->name = (char *)hospital->name;
    message->address = (char *)hospital->address;
    message->status = (Screening__V1__HospitalStatus)hospital->state;
    instant_write(hospital->created_at_us, created_at);
    message->created_at = created_at;
    return message;
}

void wire_set_days(Screening__V1__Hospital *hospital, const struct wire_list *days)
{
    hospital->days = (Screening__V1__ScreeningDay **)days->items;
    hospital->n_days = days->count;
}
