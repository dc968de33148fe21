/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/hotkey.h"

#include <ctype.h>
#include <libevdev/libevdev.h>
#include <stdio.h>

#include "common/mem.h"

int hotkey_key_from_name(const char *name)
{
        char full[HOTKEY_NAME_SIZE];
        size_t i;
        int code;

        if (strlen(name) + sizeof("KEY_") > sizeof(full))
                return -EINVAL;
        for (i = 0; name[i]; i++)
                full[i] = (char) toupper((unsigned char) name[i]);
        full[i] = '\0';

        code = libevdev_event_code_from_name(EV_KEY, full);
        if (code < 0) {
                memmove(full + 4, full, i + 1);
                memcpy(full, "KEY_", 4);
                code = libevdev_event_code_from_name(EV_KEY, full);
        }
        return code > KEY_RESERVED && code < KEY_MAX ? code : -EINVAL;
}

int hotkey_key_name(uint16_t key, char *ret, size_t size)
{
        const char *name = libevdev_event_code_get_name(EV_KEY, key);
        int n;

        if (!name)
                n = snprintf(ret, size, "key%u", key);
        else
                n = snprintf(ret, size, "%s", startswith(name, "KEY_") ? name + 4 : name);
        if (n < 0 || (size_t) n >= size)
                return -ENOBUFS;
        for (; *ret; ret++)
                *ret = (char) tolower((unsigned char) *ret);
        return 0;
}

int hotkey_parse(const char *const *names, unsigned n, struct hotkey *ret, unsigned *ret_bad)
{
        struct hotkey h = { 0 };

        if (n < 1 || n > HOTKEY_KEYS_MAX)
                goto combination;
        for (unsigned i = 0; i < n; i++) {
                int code = hotkey_key_from_name(names[i]);

                if (code < 0) {
                        *ret_bad = i;
                        return -EINVAL;
                }
                for (unsigned k = 0; k < h.n_keys; k++)
                        if (h.keys[k] == code)
                                h.double_tap = true;
                if (!h.double_tap)
                        h.keys[h.n_keys++] = (uint16_t) code;
        }
        if (h.double_tap && n != 2)
                goto combination;
        *ret = h;
        return 0;

combination:
        *ret_bad = n;
        return -EINVAL;
}

unsigned hotkey_format(const struct hotkey *h, char names[HOTKEY_KEYS_MAX][HOTKEY_NAME_SIZE])
{
        unsigned n = h->n_keys;

        for (unsigned i = 0; i < n; i++)
                (void) hotkey_key_name(h->keys[i], names[i], HOTKEY_NAME_SIZE);
        if (h->double_tap)
                memcpy(names[n++], names[0], HOTKEY_NAME_SIZE);
        return n;
}

bool hotkey_equal(const struct hotkey *a, const struct hotkey *b)
{
        if (a->n_keys != b->n_keys || a->double_tap != b->double_tap)
                return false;
        for (unsigned i = 0; i < a->n_keys; i++) {
                bool found = false;

                for (unsigned k = 0; k < b->n_keys; k++)
                        found |= a->keys[i] == b->keys[k];
                if (!found)
                        return false;
        }
        return true;
}

bool hotkey_is_in_panic(const struct hotkey *h)
{
        for (unsigned i = 0; i < h->n_keys; i++) {
                bool found = false;

                for (unsigned k = 0; k < HOTKEY_PANIC.n_keys; k++)
                        found |= h->keys[i] == HOTKEY_PANIC.keys[k];
                if (!found)
                        return false;
        }
        return h->n_keys > 0 && !h->double_tap;
}
