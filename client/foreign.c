/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/foreign.h"

#include "client/text.h"
#include "common/mem.h"

#define PROGRAM LIBEXECDIR "/vfioctl-setup"

/* For tests, which run from the build folder. */
static const char *program(void)
{
        const char *other = secure_getenv("VFIOCTL_SETUP");

        return other ? other : PROGRAM;
}

enum outcome foreign_run(const char *verb, char **args)
{
        _autofree_ const char **argv = NULL;
        size_t n = 0;

        while (args[n])
                n++;
        argv = xnew0(const char *, n + 3);
        argv[0] = program();
        argv[1] = verb;
        memcpy(argv + 2, args, n * sizeof(*args));
        (void) execv(argv[0], (char **) argv);
        text_complain("Cannot run %s: %s", argv[0], strerror(errno));
        return OUTCOME_FAILED;
}
