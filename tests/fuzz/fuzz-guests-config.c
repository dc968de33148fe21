/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any text of a configuration gets its guest, has it already, or is refused
 * with a sentence; what it had in it, it has still, in the same order. */

#include <stdint.h>

#include "client/setup/guests-config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig (1.5) loses the string it was reading when it meets a mistake. */
const char *__lsan_default_suppressions(void)
{
        return "leak:libconfig.so\n";
}

static void require(bool condition)
{
        if (!condition)
                abort();
}

/* Without what was put in: all of before comes in after, byte by byte. */
static void require_kept(const char *before, const char *after)
{
        for (; *before; before++, after++)
                while (*after != *before)
                        require(*after++ != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _autofree_ char *text = xcalloc(size + 1, 1), *after = NULL, *error = NULL, *more = NULL;
        struct guest_config g = { .qmp = NULL }, again = { .qmp = NULL };
        int r;

        memcpy(text, data, size);
        r = guests_config_add(text, NULL, "win10", NULL, "win10", &after, &g, &error);
        require((r > 0) == !!after && (r < 0) == !!error);
        if (r > 0) {
                require_kept(text, after);
                require(guests_config_add(after, NULL, "win10", NULL, "win10", &more, &again, &error) == 0);
                require(streq(again.name, g.name));
                guest_config_clear(&again);
        }
        if (r >= 0)
                guest_config_clear(&g);
        return 0;
}
