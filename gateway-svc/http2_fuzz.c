/*
 * Fuzzes the HTTP server from the bytes of a connection to its answers, with the real router and played
 * services. The first two bytes of an input choose how the client and the services behave (enum option);
 * the rest is what the client sends.
 */
#include "played_backend_testing.h"
#include "played_server_testing.h"
#include "played_socket_testing.h"

#include <string.h>

#include "base/check.h"

/*
 * WITH_PREFACE: the fuzzer sends the preface and SETTINGS before the input. AS_RECORDS: the input consists of
 * records instead of frames, whose lengths always fit: type, flags, stream, size of the payload, payload.
 */
enum option {
    WITH_PREFACE = 1,
    AS_RECORDS = 2,
    ANSWERS_LATER = 4,
    ANSWERS_ERRORS = 8,
    READS_SLOWLY = 16,
    STALLS = 32,
    TIME_PASSES = 64,
    RESETS = 128,
};

enum { HEAD_SIZE = 9, RECORD_HEAD = 4, FRAMES_MAX = 65536, OPTION_BYTES = 2 };
enum { FRAME_MAX = 16384, SLOW_ROOM = 700, STALL_ROOM = 3000, STREAMS_SEEN = 512 };
enum {
    DATA,
    HEADERS,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    PUSH_PROMISE,
    PING,
    GOAWAY,
    WINDOW_UPDATE,
    CONTINUATION,
    KINDS
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* ---- what the server sends ---- */

/* Reads the frames of the server as they come. */
struct frames {
    uint8_t head[HEAD_SIZE];
    size_t head_size, left; /* bytes of the current head, and of the payload that are still to come */
    size_t count;
    bool ended[STREAMS_SEEN]; /* streams that the server has ended, by their id */
};

/* Checks a frame's place among the others: libnghttp2 makes it, but our code decides when. */
static void check_head(struct frames *frames)
{
    enum { END_STREAM = 1 };
    const uint8_t *head = frames->head;
    int kind = head[3];
    size_t id = (size_t)head[5] << 24 | (size_t)head[6] << 16 | (size_t)head[7] << 8 | head[8];
    bool is_answer = kind == DATA || kind == HEADERS;
    CHECK(frames->count > 0 || kind == SETTINGS);
    CHECK(frames->left <= FRAME_MAX && kind < KINDS && kind != PUSH_PROMISE);
    CHECK(id == 0 ? !is_answer && kind != RST_STREAM : id % 2 == 1);
    if (id >= STREAMS_SEEN)
        return;
    CHECK(!is_answer || !frames->ended[id]);
    frames->ended[id] = frames->ended[id] || kind == RST_STREAM || (is_answer && (head[4] & END_STREAM) != 0);
}

static void receive(void *context, const uint8_t *bytes, size_t size)
{
    struct frames *frames = context;
    while (size > 0) {
        if (frames->left > 0) {
            size_t taken = frames->left < size ? frames->left : size;
            frames->left -= taken;
            bytes += taken;
            size -= taken;
            continue;
        }
        frames->head[frames->head_size++] = *bytes++;
        size--;
        if (frames->head_size < HEAD_SIZE)
            continue;
        const uint8_t *head = frames->head;
        frames->left = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        check_head(frames);
        frames->head_size = 0;
        frames->count++;
    }
}

/* ---- what the client sends ---- */

/* Makes frames of records. Returns their size. */
static size_t make_frames(const uint8_t *records, size_t size, uint8_t *out)
{
    size_t used = 0;
    while (size >= RECORD_HEAD) {
        size_t length = records[3] < size - RECORD_HEAD ? records[3] : size - RECORD_HEAD;
        if (used + HEAD_SIZE + length > FRAMES_MAX)
            break;
        const uint8_t head[HEAD_SIZE] = {0, 0, (uint8_t)length, records[0], records[1], 0, 0, 0, records[2]};
        memcpy(out + used, head, HEAD_SIZE);
        memcpy(out + used + HEAD_SIZE, records + RECORD_HEAD, length);
        used += HEAD_SIZE + length;
        records += RECORD_HEAD + length;
        size -= RECORD_HEAD + length;
    }
    return used;
}

static void send_input(unsigned options, const uint8_t *bytes, size_t size)
{
    static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    static uint8_t frames[FRAMES_MAX];
    if ((options & WITH_PREFACE) != 0)
        played_send(preface, sizeof preface - 1);
    if ((options & AS_RECORDS) != 0)
        played_send(frames, make_frames(bytes, size, frames));
    else
        played_send(bytes, size);
}

/* The deadlines pass: first those of heads, bodies and streams that have ended, then all. */
static void pass_time(void)
{
    static const uint32_t steps_ms[] = {400, 1100, 10000, 51000, 60000, 1100};
    for (size_t i = 0; i < sizeof steps_ms / sizeof steps_ms[0] && !played_is_closed(); i++)
        played_pass_time(steps_ms[i]);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    played_server_open();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < OPTION_BYTES)
        return 0;
    unsigned options = bytes[0];
    struct frames frames = {.count = 0};
    const struct played_client client = {
        .piece = bytes[1],
        .room = (options & STALLS) != 0         ? STALL_ROOM
                : (options & READS_SLOWLY) != 0 ? SLOW_ROOM
                                                : 0,
        .stalls = (options & STALLS) != 0,
        .receive = receive,
        .context = &frames,
    };
    played_backend_begin((options & ANSWERS_ERRORS) != 0 ? PLAYED_ERROR : PLAYED_MESSAGE,
                         (options & ANSWERS_LATER) != 0, size);
    played_connect(&client);
    send_input(options, bytes + OPTION_BYTES, size - OPTION_BYTES);
    if ((options & RESETS) == 0) { /* otherwise calls and streams outlive the connection */
        played_backend_go_on();
        played_settle();
    }
    if ((options & TIME_PASSES) != 0)
        pass_time();
    CHECK((options & STALLS) != 0 || played_is_closed() ||
          (frames.count > 0 && frames.head_size + frames.left == 0));
    played_disconnect((options & RESETS) != 0);
    played_backend_go_on();
    played_settle();
    played_server_check_idle();
    return 0;
}
