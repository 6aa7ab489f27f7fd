#include "watch_days.h"

#include "client.h"
#include "message.h"
#include "output.h"
#include "pages.h"
#include "terminal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "screening/v1/hospital.pb-c.h"

enum { BAR_COLUMNS = 24 };

/* One line of the view. */
struct row {
    const char *hospital;
    const char *date;
    uint32_t taken;
    uint32_t capacity;
};

/* ---- which date ---- */

static enum status is_open(struct watch_days *days, char *date, bool *open, struct error *error)
{
    Screening__V1__ListHospitalsRequest request = SCREENING__V1__LIST_HOSPITALS_REQUEST__INIT;
    request.date = date;
    request.page_size = 1;
    const Screening__V1__ListHospitalsResponse *list =
        client_call(days->session, "ListHospitals", &request.base, error);
    if (list == NULL)
        return error->status;
    *open = list->n_hospitals > 0;
    return STATUS_OK;
}

/*
 * Finds the first day with screenings from today to WATCH_AHEAD_DAYS later. Leaves days->date empty if there
 * is none.
 */
static enum status choose_date(struct watch_days *days, struct error *error)
{
    int32_t today;
    enum status status = session_today(days->session, &today, error);
    bool open = false;
    for (int32_t ahead = 0; status == STATUS_OK && !open && ahead <= WATCH_AHEAD_DAYS; ahead++) {
        char date[CIVIL_TEXT_SIZE];
        status = is_open(days, civil_format(today + ahead, date), &open, error);
        if (open)
            memcpy(days->date, date, sizeof date);
    }
    return status;
}

/* ---- the rows ---- */

static void put_row(struct row *row, const char *hospital, const Screening__V1__ScreeningDay *day)
{
    uint32_t remaining = day->remaining < day->capacity ? day->remaining : day->capacity;
    *row = (struct row){hospital, day->date, day->capacity - remaining, day->capacity};
}

static enum status ask_hospital(struct watch_days *days, struct row **rows, size_t *count,
                                struct error *error)
{
    Screening__V1__GetHospitalRequest request = SCREENING__V1__GET_HOSPITAL_REQUEST__INIT;
    request.hospital_id = days->hospital_id;
    const Screening__V1__Hospital *hospital = client_call(days->session, "GetHospital", &request.base, error);
    if (hospital == NULL)
        return error->status;
    *rows = arena_alloc(&days->session->arena, (hospital->n_days + 1) * sizeof **rows);
    for (size_t i = 0; *rows != NULL && i < hospital->n_days; i++)
        put_row(&(*rows)[(*count)++], hospital->name, hospital->days[i]);
    return STATUS_OK;
}

static int compare_rows(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    /* Compares taken/capacity by cross multiplication. A day without capacity counts as empty. */
    uint64_t fill_a = (uint64_t)a->taken * (b->capacity == 0 ? 1 : b->capacity);
    uint64_t fill_b = (uint64_t)b->taken * (a->capacity == 0 ? 1 : a->capacity);
    return fill_a != fill_b ? (fill_a < fill_b ? 1 : -1) : strcmp(a->hospital, b->hospital);
}

static enum status ask_hospitals(struct watch_days *days, struct row **rows, size_t *count,
                                 struct error *error)
{
    Screening__V1__ListHospitalsRequest request = SCREENING__V1__LIST_HOSPITALS_REQUEST__INIT;
    request.date = days->date;
    const Screening__V1__ListHospitalsResponse *hospitals =
        pages_collect(days->session, "ListHospitals", "hospitals", &request.base, error);
    if (hospitals == NULL)
        return error->status;
    *rows = arena_alloc(&days->session->arena, (hospitals->n_hospitals + 1) * sizeof **rows);
    for (size_t i = 0; *rows != NULL && i < hospitals->n_hospitals; i++)
        if (hospitals->hospitals[i]->n_days > 0)
            put_row(&(*rows)[(*count)++], hospitals->hospitals[i]->name, hospitals->hospitals[i]->days[0]);
    if (*count > 0)
        qsort(*rows, *count, sizeof **rows, compare_rows);
    return STATUS_OK;
}

/* ---- the table ---- */

static void add_row(struct table *table, const struct row *row)
{
    char bar[BAR_COLUMNS + 1];
    size_t filled = row->capacity == 0 ? 0 : (size_t)row->taken * BAR_COLUMNS / row->capacity;
    memset(bar, '.', BAR_COLUMNS);
    memset(bar, '#', filled);
    bar[BAR_COLUMNS] = '\0';
    table_text(table, row->hospital);
    table_text(table, row->date);
    table_number(table, row->taken);
    table_number(table, row->capacity);
    table_text(table, bar);
}

static void draw_rows(struct watch_days *days, const struct row *rows, size_t count, size_t lines,
                      FILE *frame)
{
    static const struct table_column columns[] = {{N_("HOSPITAL"), false},
                                                  {N_("DATE"), false},
                                                  {N_("TAKEN"), true},
                                                  {N_("CAPACITY"), true},
                                                  {"", false}};
    enum { AROUND = 2 }; /* the heading, and the line with the scroll position */
    struct table table;
    size_t shown = lines > AROUND ? lines - AROUND : 1;
    shown = count < shown ? count : shown;
    days->scroll = days->scroll + shown > count ? count - shown : days->scroll;
    table_init(&table, &days->session->arena, columns, COUNT_OF(columns));
    table.layout.flexible = TABLE_COLUMN(0);
    table.width_max = terminal_columns();
    for (size_t i = 0; i < shown; i++)
        add_row(&table, &rows[days->scroll + i]);
    table_print(&table, frame);
    if (shown < count) {
        fprintf(frame, _("%zu to %zu of %zu; the arrow keys scroll\n"), days->scroll + 1,
                days->scroll + shown, count);
    }
}

void watch_days_draw(struct watch_days *days, size_t lines, FILE *frame)
{
    struct error error;
    struct row *rows = NULL;
    size_t count = 0;
    enum status status = STATUS_OK;
    if (days->hospital_id == NULL && days->date[0] == '\0')
        status = choose_date(days, &error);
    if (status == STATUS_OK && days->hospital_id != NULL)
        status = ask_hospital(days, &rows, &count, &error);
    else if (status == STATUS_OK && days->date[0] != '\0')
        status = ask_hospitals(days, &rows, &count, &error);
    if (status != STATUS_OK)
        fprintf(frame, "%s: %s\n", status_name(status), error.message);
    else if (count > 0)
        draw_rows(days, rows, count, lines, frame);
    else if (days->hospital_id != NULL)
        fputs(_("this hospital has no days from today on\n"), frame);
    else if (days->date[0] != '\0')
        fprintf(frame, _("no hospital screens on %s\n"), days->date);
    else
        fprintf(frame, _("no hospital screens today or in the %d days after it\n"), WATCH_AHEAD_DAYS);
}
