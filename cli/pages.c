#include "pages.h"

#include "client.h"

#include <string.h>

/* The items collected so far, in the session's arena. */
struct items {
    void **all;
    size_t count;
    size_t room;
};

static void *field_of(void *message, const ProtobufCMessageDescriptor *descriptor, const char *name)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(descriptor, name);
    return (char *)message + field->offset;
}

static bool append(struct arena *arena, struct items *items, void **page, size_t count)
{
    if (items->count + count > items->room) {
        size_t room = (items->count + count) * 2;
        void **all = arena_alloc(arena, room * sizeof *all);
        if (all == NULL)
            return false;
        if (items->count > 0)
            memcpy(all, items->all, items->count * sizeof *all);
        items->all = all;
        items->room = room;
    }
    if (count > 0)
        memcpy(items->all + items->count, page, count * sizeof *page);
    items->count += count;
    return true;
}

void *pages_collect(struct session *session, const char *method, const char *items, ProtobufCMessage *request,
                    struct error *error)
{
    struct items all = {.all = NULL};
    *(uint32_t *)field_of(request, request->descriptor, "page_size") = PAGE_SIZE;
    char **page_token = field_of(request, request->descriptor, "page_token");
    for (;;) {
        ProtobufCMessage *page = client_call(session, method, request, error);
        if (page == NULL)
            return NULL;
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(page->descriptor, items);
        size_t *count = (size_t *)(void *)((char *)page + field->quantifier_offset);
        void ***page_items = (void ***)(void *)((char *)page + field->offset);
        if (!append(&session->arena, &all, *page_items, *count)) {
            client_no_memory(error);
            return NULL;
        }
        *page_token = *(char **)field_of(page, page->descriptor, "next_page_token");
        if ((*page_token)[0] == '\0') {
            *count = all.count;
            *page_items = all.all;
            return page;
        }
    }
}

void *pages_ask(struct session *session, const char *method, const char *items, ProtobufCMessage *request)
{
    struct error error;
    void *response = pages_collect(session, method, items, request, &error);
    if (response == NULL)
        client_fail(&error);
    return response;
}
