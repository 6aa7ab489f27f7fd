#include <pthread.h>
#include <string.h>

#include "base/metrics.h"
#include "base/unit_testing.h"

enum { THREADS = 4, ROUNDS = 10000 };

static struct metric counted = METRIC("test_counted_total", "Counted by several threads");
static struct metric gauge = METRIC("test_gauge", "Set and read");
static struct metric hidden = METRIC("test_hidden", "Never registered");

struct sighting {
    int times;
    int64_t value;
};

static struct sighting look_for(const char *name)
{
    struct sighting sighting = {.times = 0};
    for (struct metric *metric = metrics_newest(); metric != NULL; metric = metric->next) {
        if (strcmp(metric->name, name) == 0) {
            sighting.times++;
            sighting.value = metric_get(metric);
        }
    }
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
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
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

static struct histogram sizes = HISTOGRAM("test_sizes", "Sizes", 10, 1);

static int64_t counted_in(int bucket)
{
    return atomic_load(&sizes.counts[bucket]);
}

static void test_histogram_value_on_a_bound_belongs_to_the_lower_bucket(void **state)
{
    (void)state;
    assert_int_equal(histogram_bound(&sizes, 0), 10);
    assert_int_equal(histogram_bound(&sizes, 3), 80);
    histogram_add(&sizes, 0);
    histogram_add(&sizes, 10);
    histogram_add(&sizes, 11);
    histogram_add(&sizes, 20);
    histogram_add(&sizes, 21);
    histogram_add(&sizes, INT64_C(1) << 40);
    assert_int_equal(counted_in(0), 2);
    assert_int_equal(counted_in(1), 2);
    assert_int_equal(counted_in(2), 1);
    assert_int_equal(counted_in(HISTOGRAM_BUCKETS), 1);
    assert_int_equal(atomic_load(&sizes.sum), 62 + (INT64_C(1) << 40));
}

static void test_histogram_registered_twice_is_visited_once(void **state)
{
    (void)state;
    int seen = 0;
    histogram_register(&sizes);
    histogram_register(&sizes);
    for (struct histogram *histogram = histograms_newest(); histogram != NULL; histogram = histogram->next)
        seen += histogram == &sizes;
    assert_int_equal(seen, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics_many_threads_register_once_and_lose_no_count),
        cmocka_unit_test(test_metrics_gauge_shows_its_last_value),
        cmocka_unit_test(test_metrics_unregistered_stays_invisible),
        cmocka_unit_test(test_histogram_value_on_a_bound_belongs_to_the_lower_bucket),
        cmocka_unit_test(test_histogram_registered_twice_is_visited_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
