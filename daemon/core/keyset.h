/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A set of keys and buttons, laid out like the bitmap of EVIOCGKEY. */

#include <linux/input.h>
#include <stdbool.h>
#include <stdint.h>

#define KEYSET_WORDS (KEY_CNT / 64)

struct keyset {
        uint64_t words[KEYSET_WORDS]; /* little-endian bit order, as EVIOCGKEY on a little-endian machine */
};

static inline bool keyset_has(const struct keyset *s, unsigned key)
{
        return s->words[key / 64] >> (key % 64) & 1;
}

static inline void keyset_add(struct keyset *s, unsigned key)
{
        s->words[key / 64] |= UINT64_C(1) << (key % 64);
}

static inline void keyset_remove(struct keyset *s, unsigned key)
{
        s->words[key / 64] &= ~(UINT64_C(1) << (key % 64));
}

static inline bool keyset_is_empty(const struct keyset *s)
{
        uint64_t any = 0;

        for (unsigned i = 0; i < KEYSET_WORDS; i++)
                any |= s->words[i];
        return any == 0;
}

static inline unsigned keyset_count(const struct keyset *s)
{
        unsigned n = 0;

        for (unsigned i = 0; i < KEYSET_WORDS; i++)
                n += (unsigned) __builtin_popcountll(s->words[i]);
        return n;
}

/* The lowest key of the set that is at least `from`, or KEY_CNT. */
static inline unsigned keyset_next(const struct keyset *s, unsigned from)
{
        for (unsigned w = from / 64; w < KEYSET_WORDS; w++) {
                uint64_t bits = s->words[w];

                if (w == from / 64)
                        bits &= ~UINT64_C(0) << (from % 64);
                if (bits)
                        return w * 64 + (unsigned) __builtin_ctzll(bits);
        }
        return KEY_CNT;
}

#define KEYSET_FOREACH(key, s) for (unsigned key = keyset_next((s), 0); key < KEY_CNT; key = keyset_next((s), key + 1))
