#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

enum { BAR_COLUMNS = 40, DRAW_EVERY_MS = 50 };

static void draw(const struct progress *progress)
{
    char bar[BAR_COLUMNS + 1];
    size_t filled = progress->done * BAR_COLUMNS / progress->total;
    for (size_t i = 0; i < BAR_COLUMNS; i++)
        bar[i] = i < filled ? '#' : '.';
    bar[BAR_COLUMNS] = '\0';
    fprintf(stderr, "\r[%s] %zu/%zu", bar, progress->done, progress->total);
}

void progress_begin(struct progress *progress, size_t total)
{
    *progress = (struct progress){.total = total, .on = total > 0 && isatty(STDERR_FILENO)};
    if (progress->on)
        draw(progress);
}

void progress_step(struct progress *progress)
{
    progress->done++;
    if (!progress->on)
        return;
    int64_t now_ns = clock_monotonic_ns();
    if (now_ns >= progress->draw_at_ns || progress->done == progress->total) {
        draw(progress);
        progress->draw_at_ns = now_ns + (int64_t)DRAW_EVERY_MS * NS_PER_MS;
    }
}

void progress_clear(struct progress *progress)
{
    if (progress->on) {
        fputs("\r\033[K", stderr);
        progress->draw_at_ns = 0;
    }
}
