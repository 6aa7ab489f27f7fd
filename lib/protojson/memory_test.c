/*
 * Tests that running out of memory at any point is reported, leaks nothing, and returns no partial result.
 * The linker redirects malloc in our code to __wrap_malloc, and the test makes jansson use it too.
 */
#include "protojson/protojson_testing.h"

#include "protojson_test.pb-c.h"
#include "screening/v1/hospital.pb-c.h"

enum { ATTEMPTS_MAX = 1000 };

static size_t allocations_left = SIZE_MAX;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *__wrap_malloc(size_t size)
{
    if (allocations_left == 0)
        return NULL;
    allocations_left--;
    return __real_malloc(size);
}

/*
 * Makes a call with memory for `allocations_left` allocations. Sets *made to whether the call returned a
 * result.
 */
typedef enum status attempt(bool *made, struct error *error);

static enum status attempt_write(bool *made, struct error *error)
{
    uint8_t byte = 7;
    Protojson__Test__Scalars scalars = PROTOJSON__TEST__SCALARS__INIT;
    scalars.an_int64 = 3;
    scalars.a_colour = PROTOJSON__TEST__COLOUR__RED;
    scalars.a_string = "서울한빛검진센터";
    scalars.a_bytes = (ProtobufCBinaryData){.len = 1, .data = &byte};
    Protojson__Test__Scalars *elements[] = {&scalars, &scalars};
    Protojson__Test__Lists lists = PROTOJSON__TEST__LISTS__INIT;
    lists.n_scalars = 2;
    lists.scalars = elements;
    json_t *json = NULL;
    enum status status = protojson_from_message(&lists.base, 0, &json, error);
    *made = json != NULL;
    json_decref(json);
    return status;
}

/* Writes text longer than the arena's chunks, so that the output needs a new chunk each time it grows. */
static enum status attempt_write_long(bool *made, struct error *error)
{
    static char name[200000];
    memset(name, '"', sizeof name - 1);
    Screening__V1__RegisterHospitalRequest request = SCREENING__V1__REGISTER_HOSPITAL_REQUEST__INIT;
    request.name = name;
    request.address = name;
    struct arena arena;
    arena_init(&arena);
    char *text = NULL;
    size_t size = 0;
    enum status status = protojson_write(&request.base, 0, &arena, &text, &size, error);
    *made = text != NULL;
    arena_fini(&arena);
    return status;
}

static json_t *request_json;

static enum status attempt_read(bool *made, struct error *error)
{
    struct arena arena;
    arena_init(&arena);
    ProtobufCMessage *message = NULL;
    enum status status = protojson_to_message(
        request_json, &screening__v1__register_hospital_request__descriptor, 0, &arena, &message, error);
    *made = message != NULL;
    arena_fini(&arena);
    return status;
}

/* Repeats the attempt, each time with one more allocation, until it succeeds. Returns the number of
 * failures. */
static size_t count_failures(attempt *run)
{
    for (size_t failures = 0; failures < ATTEMPTS_MAX; failures++) {
        bool made = false;
        struct error error = {.status = STATUS_OK};
        allocations_left = failures;
        enum status status = run(&made, &error);
        allocations_left = SIZE_MAX;
        if (status == STATUS_OK) {
            assert_true(made);
            return failures;
        }
        assert_int_equal(status, STATUS_RESOURCE_EXHAUSTED);
        assert_string_equal(error.message, "out of memory");
        assert_false(made);
    }
    return ATTEMPTS_MAX;
}

static void test_memory_every_failing_allocation_of_writing_is_reported(void **state)
{
    (void)state;
    assert_in_range(count_failures(attempt_write), 10, ATTEMPTS_MAX - 1);
    assert_in_range(count_failures(attempt_write_long), 4, ATTEMPTS_MAX - 1);
}

/* Each text needs a chunk of its own in the arena, and all days together need another one. */
static void test_memory_every_failing_allocation_of_reading_is_reported(void **state)
{
    (void)state;
    json_t *days = json_array();
    for (size_t i = 0; i < 10000; i++)
        assert_int_equal(json_array_append_new(days, json_object()), 0);
    request_json = json_object();
    assert_int_equal(json_object_set_new(request_json, "name", json_sprintf("%0200000d", 0)), 0);
    assert_int_equal(json_object_set_new(request_json, "address", json_sprintf("%0200000d", 0)), 0);
    assert_int_equal(json_object_set_new(request_json, "days", days), 0);
    assert_in_range(count_failures(attempt_read), 4, ATTEMPTS_MAX - 1);
    json_decref(request_json);
}

int main(void)
{
    json_set_alloc_funcs(__wrap_malloc, free);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_every_failing_allocation_of_writing_is_reported),
        cmocka_unit_test(test_memory_every_failing_allocation_of_reading_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
