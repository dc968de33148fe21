/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any text is either a configuration or a mistake with a message. No files are
 * read: @include is a mistake here. */

#include <stdint.h>

#include "common/config.h"

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

static void check_config(const struct config *c)
{
        require(c->n_guests <= CONFIG_GUESTS_MAX);
        require(c->double_tap_ms >= 50 && c->double_tap_ms <= 2000 && c->grab_wait_ms <= 60000);
        for (unsigned i = 0; i < c->n_guests; i++) {
                const struct guest_config *g = &c->guests[i];

                require(target_name_is_valid(g->name) && config_find_guest(c, g->name) == g);
                require(!g->qmp || g->qmp[0] == '/');
                require(!g->qmp == !!guest_config_domain(g) && (g->qmp || !g->user));
                for (unsigned k = 0; k < i; k++)
                        require(!guest_config_same_domain(g, &c->guests[k]));
                require(!!route_choice_to_string(g->route) && !!adopt_to_string(c->libvirt.adopt));
                require(g->timeout_ms >= 100 && g->timeout_ms <= 60000);
                require(g->toggle.n_keys <= HOTKEY_KEYS_MAX);
                require(!!grab_toggle_to_string(g->grab_toggle));
                require(!g->toggle.n_keys || !hotkey_equal(&g->toggle, &c->toggle));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(config_freep) struct config *c = NULL;
        _autofree_ char *error = NULL;
        int r = config_parse((const char *) data, size, "fuzz", NULL, &c, &error);

        require((r < 0) == !c && (r < 0) == !!error);
        if (c)
                check_config(c);
        else
                require(startswith(error, "fuzz:") && strstr(error, "; expected "));
        return 0;
}
