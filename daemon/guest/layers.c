/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/layers.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/text.h"

const char *layer_to_string(enum layer layer)
{
        static const char *const names[LAYER_MAX_] = {
                [LAYER_NAMESPACE] = "namespace",
                [LAYER_DAC] = "dac",
                [LAYER_APPARMOR] = "apparmor",
                [LAYER_CGROUP] = "cgroup",
        };

        return names[layer];
}

const char *layer_state_to_string(enum layer_state state)
{
        static const char *const names[] = {
                [LAYER_UNKNOWN] = "unknown",
                [LAYER_OPEN] = "open",
                [LAYER_ABSENT] = "absent",
                [LAYER_SHUT] = "shut",
        };

        return names[state];
}

void layers_set(struct layers *l, enum layer layer, enum layer_state state, const char *format, ...)
{
        char raw[2 * LAYER_TEXT_MAX];
        _autofree_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(raw, sizeof(raw), format, ap);
        va_end(ap);
        text = text_printable(raw);
        text_cut(text, LAYER_TEXT_MAX);
        l->at[layer].state = state;
        (void) strcpy(l->at[layer].text, text);
}

char *layers_blocking(const struct layers *l)
{
        for (enum layer layer = 0; layer < LAYER_MAX_; layer++)
                if (l->at[layer].state == LAYER_SHUT)
                        return xasprintf("%s: %s", layer_to_string(layer), l->at[layer].text);
        return NULL;
}
