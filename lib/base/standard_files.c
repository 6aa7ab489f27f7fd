#include "base/standard_files.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { EXIT_WRONG_START = 2 };

void standard_files_open(void)
{
    for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++) {
        if (fcntl(file, F_GETFD) >= 0 || errno != EBADF) {
            continue;
        }
        /* The lowest free number is given: those below are open. Without O_CLOEXEC, so that it stays open
         * over exec. */
        if (open("/dev/null", O_RDWR) != file) {
            _exit(EXIT_WRONG_START);
        }
    }
}
