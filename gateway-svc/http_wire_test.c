#include "http_wire.h"

#include <string.h>

#include "base/unit_testing.h"

#define TEXT(literal)                                                                                        \
    {                                                                                                        \
        (literal), sizeof(literal) - 1                                                                       \
    }
#define GET  "GET / HTTP/1.1\r\nHost: x\r\n"
#define POST "POST / HTTP/1.1\r\nHost: x\r\n"

struct text {
    const char *bytes;
    size_t size;
};

/* Returns the result, which must be the same in one piece, byte by byte, and in two pieces split at every
 * position. */
static bool is_taken(const struct text *text)
{
    struct http_wire whole = {0}, single = {0};
    bool taken = http_wire_take(&whole, text->bytes, text->size);
    for (size_t i = 0; i < text->size; i++)
        (void)http_wire_take(&single, text->bytes + i, 1);
    assert_int_equal(single.state, whole.state);
    for (size_t cut = 1; cut < text->size; cut++) {
        struct http_wire halves = {0};
        (void)http_wire_take(&halves, text->bytes, cut);
        assert_int_equal(http_wire_take(&halves, text->bytes + cut, text->size - cut), taken);
    }
    return taken;
}

static void test_wire_good_requests_end_where_they_should(void **state)
{
    (void)state;
    static const struct text TEXTS[] = {
        TEXT(GET "\r\n"),
        TEXT("\r\n\r\n" GET "\r\n" GET "\r\n"),
        TEXT("GET /\xea\xb0\x80 HTTP/1.1\r\nX:\r\nY: \t a b\tc \r\nZ: \xea\xb0\x80\r\n\r\n"),
        TEXT(POST "Content-Length: 0\r\n\r\n" GET "\r\n"),
        TEXT(POST "Content-Length: 4\r\n\r\n\n\r\0\x01" GET "\r\n"),
        TEXT(POST "content-LENGTH:4 \r\n\r\nabcd" GET "\r\n"),
        TEXT(POST "Transfer-Encoding: chunked\r\n\r\n3\r\na\nb\r\n0\r\n\r\n" GET "\r\n"),
        TEXT(POST "transfer-encoding:\tChunked\r\n\r\n00A;x=\"y z\"\r\n0123456789\r\n1\r\n\r\r\n0\r\nX: y\r\n"
                  "Content-Length: 3\r\n\r\n" GET "\r\n"),
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        struct http_wire wire = {0};
        assert_true(is_taken(&TEXTS[i]));
        assert_true(http_wire_take(&wire, TEXTS[i].bytes, TEXTS[i].size));
        assert_int_equal(wire.state, WIRE_START);
    }
}

static void test_wire_what_is_read_in_two_ways_is_refused(void **state)
{
    (void)state;
    static const struct text TEXTS[] = {
        TEXT("GET / HTTP/1.1\nHost: x\r\n\r\n"),
        TEXT("\nGET / HTTP/1.1\r\n"),
        TEXT("GET /\0 HTTP/1.1\r\n"),
        TEXT("GET / HTTP/1.1\r\n Host: x\r\n"),
        TEXT("GET / HTTP/1.1\r\n: x\r\n"),
        TEXT(GET "\n"),
        TEXT(GET "X: a\nY: b\r\n"),
        TEXT(GET "X: a\rY: b\r\n"),
        TEXT(GET "X: a\r\n b\r\n"),
        TEXT(GET "X:\r\n\tb\r\n"),
        TEXT(POST "Transfer-Encoding:\r\n chunked\r\n"),
        TEXT(POST "Content-Length: 1\r\nContent-Length: 1\r\nX: a\n"),
        TEXT(GET "X: a\0b\r\n"),
        TEXT(GET "X\0: a\r\n"),
        TEXT(GET "X: \x0b\r\n"),
        TEXT(GET "X: \x7f\r\n"),
        TEXT(GET "no colon\r\n"),
        TEXT(POST "Transfer-Encoding: chunked\r\n\r\n\r\n"),
        TEXT(POST "Transfer-Encoding: chunked\r\n\r\n1\nx\r\n"),
        TEXT(POST "Transfer-Encoding: chunked\r\n\r\n1;a\nb\r\nx\r\n"),
        TEXT(POST "Transfer-Encoding: chunked\r\n\r\n1\r\nx\n"),
        TEXT(POST "Transfer-Encoding: chunked\r\n\r\n1\r\nxx"),
        TEXT(POST "Transfer-Encoding: chunked\r\n\r\n 1\r\nx\r\n"),
        TEXT(POST "Transfer-Encoding: chunked\r\n\r\n1 \r\nx\r\n"),
        TEXT(POST "Transfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n"),
        TEXT(POST "Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n"),
        TEXT(POST "Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\nx\r\n"),
        TEXT(POST "Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\nY: b\r\n"),
        TEXT(POST "Content-Length: 1\r\n\r\nxGET / HTTP/1.1\n"),
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++)
        assert_false(is_taken(&TEXTS[i]));
}

/* http_head.h refuses these with an explanation, and then their connections end. */
static void test_wire_doubtful_lengths_are_left_to_the_head(void **state)
{
    (void)state;
    static const struct text TEXTS[] = {
        TEXT(POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n\n"),
        TEXT(POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n\n"),
        TEXT(POST "Content-Length: +1\r\n\r\n\n"),
        TEXT(POST "Content-Length:\r\n\r\n\n"),
        TEXT(POST "Content-Length: 18446744073709551617\r\n\r\n\n"),
        TEXT(POST "Transfer-Encoding: gzip, chunked\r\n\r\n\n"),
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        struct http_wire wire = {0};
        assert_true(is_taken(&TEXTS[i]));
        (void)http_wire_take(&wire, TEXTS[i].bytes, TEXTS[i].size);
        assert_int_equal(wire.state, WIRE_UNCHECKED);
    }
}

/* However the bytes of a connection are split and changed, the result is the same. */
static void test_wire_ends_the_same_however_bytes_are_cut(void **state)
{
    (void)state;
    static const struct text SEEDS[] = {
        TEXT(GET "X: a\r\nContent-Length: 0\r\n\r\n" GET "\r\n"),
        TEXT(POST "Content-Length: 5\r\n\r\nabcde" GET "\r\n"),
        TEXT(POST "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX: a\r\n\r\n" GET "\r\n"),
    };
    static const char BYTES[] = "\r\n\0 \t:;0129afFx\x7f\xff,chunked";
    enum { ROUNDS = 20000, LONGEST = 256 };
    uint32_t random = 1;
    for (int round = 0; round < ROUNDS; round++) {
        const struct text *seed = &SEEDS[round % (int)(sizeof SEEDS / sizeof SEEDS[0])];
        char bytes[LONGEST];
        memcpy(bytes, seed->bytes, seed->size);
        for (int change = round % 4; change > 0; change--) {
            random = random * 1664525 + 1013904223; /* the same changes in every run */
            bytes[(random >> 16) % seed->size] = BYTES[(random >> 8) % sizeof BYTES];
        }
        struct http_wire whole = {0}, cut = {0};
        bool good = http_wire_take(&whole, bytes, seed->size);
        bool good_cut = true;
        for (size_t i = 0; i < seed->size; i++)
            good_cut = http_wire_take(&cut, bytes + i, 1);
        assert_int_equal(good, good_cut);
        assert_int_equal(whole.state, cut.state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_good_requests_end_where_they_should),
        cmocka_unit_test(test_wire_what_is_read_in_two_ways_is_refused),
        cmocka_unit_test(test_wire_doubtful_lengths_are_left_to_the_head),
        cmocka_unit_test(test_wire_ends_the_same_however_bytes_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
