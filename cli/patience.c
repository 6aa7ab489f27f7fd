/* Uses SIGALRM, because the main thread is in a blocking call. The handler may only write a prepared line. */
#include "patience.h"

#include "message.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { LINE_SIZE = 128, WAIT_S = 1 };

static char line[LINE_SIZE];
static size_t line_length;
static volatile sig_atomic_t shown;
static bool off;

static void show(int number)
{
    (void)number;
    shown = 1;
    if (write(STDERR_FILENO, line, line_length) < 0)
        shown = 0;
}

static void set_alarm(int seconds)
{
    const struct itimerval timer = {.it_value = {.tv_sec = seconds}};
    (void)setitimer(ITIMER_REAL, &timer, NULL); /* fails only for an invalid time */
}

void patience_begin(const char *program)
{
    if (off || !isatty(STDERR_FILENO))
        return;
    snprintf(line, sizeof line, _("waiting for %s ..."), program);
    line_length = strlen(line);
    struct sigaction action = {.sa_handler = show, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
    set_alarm(WAIT_S);
}

void patience_end(void)
{
    set_alarm(0);
    if (shown != 0) {
        shown = 0;
        fputs("\r\033[K", stderr);
    }
}

void patience_off(void)
{
    off = true;
}
