/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A hotkey as the user writes it: one to three keys held together, or one key
 * tapped twice (written as the same key two times). */

#include <linux/input-event-codes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOTKEY_KEYS_MAX 3

struct hotkey {
        unsigned n_keys; /* 0: no hotkey */
        uint16_t keys[HOTKEY_KEYS_MAX]; /* KEY_* of linux/input-event-codes.h, each once */
        bool double_tap; /* then n_keys is 1 */
};

/* Releases everything, whatever the configuration says. */
#define HOTKEY_PANIC                                                                               \
        ((struct hotkey) { .n_keys = 3, .keys = { KEY_BACKSPACE, KEY_ESC, KEY_ENTER } })

/* Key code of a name: "leftctrl", "KEY_LEFTCTRL", "BTN_SIDE"; -EINVAL if there is none. */
int hotkey_key_from_name(const char *name);
/* Writes the short lower-case name of a key ("leftctrl"; "key123" where it has none); 0 or -ENOBUFS. */
int hotkey_key_name(uint16_t key, char *ret, size_t size);

/* Builds a hotkey from names. 0, or -EINVAL with *ret_bad set to the index of
 * the name that is at fault (n: the combination itself is). */
int hotkey_parse(const char *const *names, unsigned n, struct hotkey *ret, unsigned *ret_bad);

/* The hotkey as names, a double tap as the same name twice. names[i] points
 * into buffers of NAME_SIZE bytes that the caller provides. Returns how many. */
#define HOTKEY_NAME_SIZE 40
unsigned hotkey_format(const struct hotkey *h, char names[HOTKEY_KEYS_MAX][HOTKEY_NAME_SIZE]);

bool hotkey_equal(const struct hotkey *a, const struct hotkey *b);

/* Its keys are all down during the panic chord. A double tap never happens then. */
bool hotkey_is_in_panic(const struct hotkey *h);
