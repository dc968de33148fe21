/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/core/chord.h"

static bool double_tap_press(struct chord *c, unsigned key, uint64_t usec, uint64_t limit_usec)
{
        bool second = c->tap_usec && usec >= c->tap_usec && usec - c->tap_usec <= limit_usec;

        if (key != c->hotkey.keys[0]) {
                c->tap_usec = 0;
                return false;
        }
        /* A third tap starts anew, so that four taps are two double taps. */
        c->tap_usec = second ? 0 : usec;
        return second;
}

bool chord_press(struct chord *c, const struct keyset *down, unsigned key, uint64_t usec, uint64_t limit_usec)
{
        bool member = false;

        if (c->hotkey.n_keys == 0)
                return false;
        if (c->hotkey.double_tap)
                return double_tap_press(c, key, usec, limit_usec);

        for (unsigned i = 0; i < c->hotkey.n_keys; i++) {
                if (c->hotkey.keys[i] == key)
                        member = true;
                else if (!keyset_has(down, c->hotkey.keys[i]))
                        return false;
        }
        return member;
}
