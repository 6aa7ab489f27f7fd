#include "terminal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { LINES_DEFAULT = 24 };

/* ENTER switches to the alternate screen, and turns the cursor and line wrapping off. LEAVE undoes this. */
static const char ENTER[] = "\033[?1049h\033[?25l\033[?7l\033[2J";
static const char LEAVE[] = "\033[?7h\033[?25h\033[?1049l";

static volatile sig_atomic_t end_asked;

static void ask_to_end(int number)
{
    (void)number;
    end_asked = 1;
}

/* Blocks SIGINT, SIGTERM and SIGHUP, so that only terminal_wait receives them. */
static void take_signals(struct terminal *terminal)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = ask_to_end};
    sigset_t blocked;
    sigemptyset(&action.sa_mask);
    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        sigaction(numbers[i], &action, NULL);
        sigaddset(&blocked, numbers[i]);
    }
    sigprocmask(SIG_BLOCK, &blocked, &terminal->mask_before);
}

void terminal_open(struct terminal *terminal)
{
    take_signals(terminal);
    terminal->keys = tcgetattr(STDIN_FILENO, &terminal->before) == 0;
    if (terminal->keys) {
        struct termios raw = terminal->before;
        raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
        /* The signals of these keys would leave the terminal in raw mode. */
        raw.c_cc[VSUSP] = _POSIX_VDISABLE;
        raw.c_cc[VQUIT] = _POSIX_VDISABLE;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    }
    fputs(ENTER, stdout);
    fflush(stdout);
}

void terminal_close(struct terminal *terminal)
{
    fputs(LEAVE, stdout);
    fflush(stdout);
    if (terminal->keys)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal->before);
}

size_t terminal_lines(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : LINES_DEFAULT;
}

size_t terminal_columns(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void terminal_show(const char *text)
{
    fputs("\033[H", stdout);
    for (size_t left = terminal_lines(); left > 0 && *text != '\0'; left--) {
        size_t length = strcspn(text, "\n");
        printf("%.*s\033[K%s", (int)length, text, left > 1 ? "\r\n" : "");
        text += length + (text[length] == '\n' ? 1 : 0);
    }
    fputs("\033[J", stdout);
    fflush(stdout);
}

/*
 * Reads a key. An arrow key sends ESC, then [ or O, then a letter, all read together. Ignores unknown keys.
 */
static enum terminal_key take_key(void)
{
    char keys[8] = "";
    ssize_t count = read(STDIN_FILENO, keys, sizeof keys - 1);
    if (count <= 0)
        return count < 0 && errno == EINTR ? TERMINAL_NONE : TERMINAL_QUIT;
    if (strcmp(keys, "\033[A") == 0 || strcmp(keys, "\033OA") == 0 || keys[0] == 'k')
        return TERMINAL_UP;
    if (strcmp(keys, "\033[B") == 0 || strcmp(keys, "\033OB") == 0 || keys[0] == 'j')
        return TERMINAL_DOWN;
    return strpbrk(keys, "qQ") != NULL ? TERMINAL_QUIT : TERMINAL_NONE;
}

enum terminal_key terminal_wait(const struct terminal *terminal, uint32_t wait_ms)
{
    int64_t end_ns = clock_monotonic_ns() + (int64_t)wait_ms * NS_PER_MS;
    for (;;) {
        int32_t left_ms = clock_remaining_ms(end_ns);
        const struct timespec timeout = {.tv_sec = left_ms / MS_PER_S,
                                         .tv_nsec = (long)(left_ms % MS_PER_S) * NS_PER_MS};
        struct pollfd input = {.fd = terminal->keys ? STDIN_FILENO : -1, .events = POLLIN};
        int ready = ppoll(&input, 1, &timeout, &terminal->mask_before);
        enum terminal_key key = end_asked != 0 ? TERMINAL_QUIT : ready > 0 ? take_key() : TERMINAL_NONE;
        if (key != TERMINAL_NONE || ready == 0)
            return key;
    }
}
