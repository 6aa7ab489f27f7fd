#include <pthread.h>
#include <string.h>

#include "base/metrics.h"
#include "base/unit_test.h"

enum { THREADS = 4, ROUNDS = 10000 };

static struct metric counted = METRIC("test_counted_total", "Counted by several threads");
static struct metric gauge = METRIC("test_gauge", "Set and read");
static struct metric hidden = METRIC("test_hidden", "Never registered");

struct sighting {
    const char *name;
    int times;
    int64_t value;
};

static void note(void *context, const struct metric *metric, int64_t value)
{
    struct sighting *sighting = context;
    if (strcmp(metric->name, sighting->name) == 0) {
        sighting->times++;
        sighting->value = value;
    }
}

static struct sighting look_for(const char *name)
{
    struct sighting sighting = {.name = name};
    metrics_visit(note, &sighting);
    return sighting;
}

static void *count(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        metric_register(&counted);
        metric_add(&counted, 1);
    }
    return NULL;
}

static void test_metrics_many_threads_register_once_and_lose_no_count(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    struct sighting sighting = look_for("test_counted_total");
    assert_int_equal(sighting.times, 1);
    assert_int_equal(sighting.value, THREADS * ROUNDS);
}

static void test_metrics_gauge_shows_its_last_value(void **state)
{
    (void)state;
    metric_register(&gauge);
    metric_set(&gauge, 7);
    metric_set(&gauge, -3);
    assert_int_equal(metric_get(&gauge), -3);
    assert_int_equal(look_for("test_gauge").value, -3);
}

static void test_metrics_unregistered_stays_invisible(void **state)
{
    (void)state;
    metric_add(&hidden, 1);
    assert_int_equal(metric_get(&hidden), 1);
    assert_int_equal(look_for("test_hidden").times, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics_many_threads_register_once_and_lose_no_count),
        cmocka_unit_test(test_metrics_gauge_shows_its_last_value),
        cmocka_unit_test(test_metrics_unregistered_stays_invisible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
