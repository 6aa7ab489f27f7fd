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
         * open returns the lowest free number, which is `file`, because all lower ones are in use. The file
         * must stay open across exec, so O_CLOEXEC is not set.
         */
        if (open("/dev/null", O_RDWR) != file)
            _exit(EXIT_WRONG_START);
    }
}
