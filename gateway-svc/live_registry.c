#include "live_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* ---- customers ---- */

static void customer_key(const char *customer_id, uint8_t key[DIGEST_SIZE])
{
    digest_sha256_128(customer_id, strlen(customer_id), key);
}

struct live_customer *live_registry_customer(const struct live *live, const char *customer_id)
{
    uint8_t key[DIGEST_SIZE];
    if (live->customers.count == 0)
        return NULL;
    customer_key(customer_id, key);
    return map_get(&live->customers, key);
}

static struct live_customer *find_or_add_customer(struct live *live, const char *customer_id)
{
    struct live_customer *customer = live_registry_customer(live, customer_id);
    if (customer != NULL)
        return customer;
    customer = calloc(1, sizeof *customer);
    if (customer == NULL)
        return NULL;
    customer_key(customer_id, customer->key);
    if (map_put(&live->customers, customer->key, customer) == STATUS_OK)
        return customer;
    free(customer);
    return NULL;
}

static void leave_customer(struct live *live, struct live_listener *listener)
{
    struct live_customer *customer = listener->customer;
    list_remove(&listener->of_customer);
    if (customer->listeners.first == NULL) {
        map_remove(&live->customers, customer->key);
        free(customer);
    }
    free(listener->customer_id);
}

static bool join_customer(struct live *live, struct live_listener *listener, const char *customer_id)
{
    listener->customer_id = strdup(customer_id);
    if (listener->customer_id == NULL)
        return false;
    struct live_customer *customer = find_or_add_customer(live, customer_id);
    if (customer == NULL) {
        free(listener->customer_id);
        return false;
    }
    CHECK(listener->customer == NULL);
    listener->customer = customer;
    list_add(&customer->listeners, &listener->of_customer);
    return true;
}

/* ---- hospitals ---- */

struct live_hospital *live_registry_hospital(const struct live *live, const char *hospital_id)
{
    struct uuid id;
    if (live->hospitals.count == 0 || !uuid_parse(hospital_id, &id))
        return NULL;
    return map_get(&live->hospitals, &id);
}

static struct live_hospital *find_or_add_hospital(struct live *live, const struct uuid *id)
{
    struct live_hospital *hospital = map_get(&live->hospitals, id);
    if (hospital != NULL)
        return hospital;
    hospital = calloc(1, sizeof *hospital);
    if (hospital == NULL)
        return NULL;
    *hospital = (struct live_hospital){.id = *id,
                                       .wanted = LIVE_RANGE_EMPTY,
                                       .due_ns = INT64_MAX,
                                       .touched = LIVE_RANGE_EMPTY,
                                       .again_ns = INT64_MAX,
                                       .again = LIVE_RANGE_EMPTY};
    if (map_put(&live->hospitals, id, hospital) == STATUS_OK)
        return hospital;
    free(hospital);
    return NULL;
}

void live_registry_measure(struct live_hospital *hospital)
{
    hospital->wanted = LIVE_RANGE_EMPTY;
    LIST_EACH(const struct live_listener, l, &hospital->listeners, of_hospital)
        live_range_cover(&hospital->wanted, l->window.from, l->window.to);
}

static bool join_hospital(struct live *live, struct live_listener *listener, const struct live_filter *filter)
{
    struct live_hospital *hospital = find_or_add_hospital(live, &filter->hospital_id);
    if (hospital == NULL)
        return false;
    CHECK(listener->hospital == NULL);
    listener->hospital = hospital;
    listener->window = filter->days;
    listener->fresh_from = INT32_MAX;
    list_add(&hospital->listeners, &listener->of_hospital);
    live_range_cover(&hospital->wanted, listener->window.from, listener->window.to);
    return true;
}

static void leave_hospital(struct live *live, struct live_listener *listener)
{
    struct live_hospital *hospital = listener->hospital;
    list_remove(&listener->of_hospital);
    live_registry_measure(hospital);
    if (hospital->listeners.first == NULL) {
        live_days_forget(hospital);
        map_remove(&live->hospitals, &hospital->id);
        free(hospital);
    }
}

/* ---- listeners ---- */

enum status live_registry_add(struct live *live, struct live_listener *listener,
                              const struct live_filter *filter)
{
    if (filter->customer_id != NULL && !join_customer(live, listener, filter->customer_id))
        return STATUS_RESOURCE_EXHAUSTED;
    if (filter->has_hospital && !join_hospital(live, listener, filter)) {
        if (listener->customer != NULL)
            leave_customer(live, listener);
        return STATUS_RESOURCE_EXHAUSTED;
    }
    CHECK((live->listeners.first == NULL) == (live->listener_count == 0));
    list_add(&live->listeners, &listener->node);
    live->listener_count++;
    return STATUS_OK;
}

void live_registry_remove(struct live *live, struct live_listener *listener)
{
    if (listener->customer != NULL)
        leave_customer(live, listener);
    if (listener->hospital != NULL)
        leave_hospital(live, listener);
    CHECK(live->listener_count > 0);
    list_remove(&listener->node);
    live->listener_count--;
}
