#include "https.h"

#include "client.h"
#include "message.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <string.h>

/* The functions of libcurl that are used here. */
struct curl {
    CURL *(*init)(void);
    CURLcode (*set)(CURL *, CURLoption, ...);
    CURLcode (*perform)(CURL *);
    CURLcode (*info)(CURL *, CURLINFO, ...);
    const char *(*text)(CURLcode);
    void (*cleanup)(CURL *);
};

/* The body as it arrives. */
struct body {
    char *bytes;
    size_t size, max_bytes;
    bool too_large;
};

bool https_url_is_valid(const char *url)
{
    static const char scheme[] = "https://";
    const char *host = url + sizeof scheme - 1;
    return strncmp(url, scheme, sizeof scheme - 1) == 0 && host[0] != '\0' && host[0] != '/' &&
           url[strcspn(url, "?#@\\ \t\r\n")] == '\0';
}

/* Ends the transfer if the body is too large, because a server need not announce its size. */
static size_t take(char *bytes, size_t one, size_t size, void *context)
{
    (void)one; /* always 1 */
    struct body *body = context;
    if (size > body->max_bytes - body->size) {
        body->too_large = true;
        return 0;
    }
    memcpy(body->bytes + body->size, bytes, size);
    body->size += size;
    return size;
}

static bool find(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);
    memcpy(function, &found,
           sizeof found); /* C has no conversion from an object pointer to a function pointer */
    return found != NULL;
}

/*
 * Loads libcurl. It brings 30 libraries, which would make every other command five times slower to start, so
 * the program is not linked with it. It stays loaded.
 */
static enum status load(struct curl *curl, struct error *error)
{
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL || !find(library, "curl_easy_init", &curl->init) ||
        !find(library, "curl_easy_setopt", &curl->set) ||
        !find(library, "curl_easy_perform", &curl->perform) ||
        !find(library, "curl_easy_getinfo", &curl->info) ||
        !find(library, "curl_easy_strerror", &curl->text) ||
        !find(library, "curl_easy_cleanup", &curl->cleanup)) {
        const char *why = dlerror();
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL, _("%s; install libcurl"),
                         why == NULL ? "libcurl.so.4" : why);
    }
    return STATUS_OK;
}

static bool set_options(const struct curl *curl, CURL *handle, const char *url,
                        const struct https_options *options, struct body *body, char *why)
{
    return curl->set(handle, CURLOPT_ERRORBUFFER, why) == CURLE_OK &&
           curl->set(handle, CURLOPT_URL, url) == CURLE_OK &&
           curl->set(handle, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
           curl->set(handle, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           (options->ca_file == NULL || (curl->set(handle, CURLOPT_CAINFO, options->ca_file) == CURLE_OK &&
                                         curl->set(handle, CURLOPT_CAPATH, (char *)NULL) == CURLE_OK)) &&
           curl->set(handle, CURLOPT_TIMEOUT_MS, (long)options->timeout_ms) == CURLE_OK &&
           curl->set(handle, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl->set(handle, CURLOPT_USERAGENT, "screenctl/" SCREENING_VERSION) == CURLE_OK &&
           curl->set(handle, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
           curl->set(handle, CURLOPT_WRITEDATA, body) == CURLE_OK;
}

static enum status transfer(const struct curl *curl, CURL *handle, const char *url,
                            const struct https_options *options, struct body *body, struct error *error)
{
    char why[CURL_ERROR_SIZE] = "";
    long code = 0;
    if (!set_options(curl, handle, url, options, body, why))
        return client_no_memory(error);
    CURLcode result = curl->perform(handle);
    if (body->too_large)
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL, _("%s: must be at most %zu bytes"), url,
                         body->max_bytes);
    if (result != CURLE_OK) {
        return error_set(error, STATUS_UNAVAILABLE, NULL, "%s: %s", url,
                         why[0] != '\0' ? why : curl->text(result));
    }
    curl->info(handle, CURLINFO_RESPONSE_CODE, &code);
    if (code != 200)
        return error_set(error, STATUS_FAILED_PRECONDITION, NULL, _("%s: answered with HTTP status %ld"), url,
                         code);
    return STATUS_OK;
}

enum status https_get(struct arena *arena, const char *url, const struct https_options *options, char **out,
                      size_t *size, struct error *error)
{
    struct curl curl;
    struct body body = {.bytes = arena_alloc(arena, options->max_bytes + 1), .max_bytes = options->max_bytes};
    TRY(load(&curl, error));
    CURL *handle = body.bytes == NULL ? NULL : curl.init();
    if (handle == NULL)
        return client_no_memory(error);
    enum status status = transfer(&curl, handle, url, options, &body, error);
    curl.cleanup(handle);
    if (status != STATUS_OK)
        return status;
    *out = body.bytes; /* arena memory is zeroed, so the NUL is already there */
    *size = body.size;
    return STATUS_OK;
}
