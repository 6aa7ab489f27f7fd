#include "base/standard_files.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { EXIT_WRONG_START = 2 };

void standard_files_open(void)
{
    for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++) {
        if (fcntl(file, F_GETFD) >= 0 || errno != EBADF)
            continue;
        /*
         * open returns the lowest free number, and those below are in use. There is no O_CLOEXEC, because the
         * file must stay open across exec.
         */
        if (open("/dev/null", O_RDWR) != file)
            _exit(EXIT_WRONG_START);
    }
}
