/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/text.h"

#include <stdint.h>

#include "common/mem.h"

/* Length of the well-formed UTF-8 character at s, *ret its code point; 0 if it is none. */
static unsigned utf8_character(const unsigned char *s, uint32_t *ret)
{
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        unsigned length = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : 4;
        uint32_t c = s[0];

        if (length == 4 && (s[0] & 0xf8) != 0xf0)
                return 0;
        if (length > 1)
                c &= 0x7fu >> length;
        for (unsigned i = 1; i < length; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (s[i] & 0x3f);
        }
        if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
                return 0;
        *ret = c;
        return length;
}

/* C0, C1, DEL, line separators, and the marks that reorder text. */
static bool is_printable(uint32_t c)
{
        if (c < 0x20 || (c >= 0x7f && c < 0xa0))
                return false;
        if (c == 0x061c || (c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
                return false;
        return (c & 0xfffe) != 0xfffe && !(c >= 0xfdd0 && c <= 0xfdef);
}

char *text_printable(const char *s)
{
        const unsigned char *in = (const unsigned char *) s;
        char *copy = xnew0(char, strlen(s) + 1), *out = copy;

        while (*in) {
                uint32_t c = 0;
                unsigned length = utf8_character(in, &c);

                if (length > 0 && is_printable(c)) {
                        memcpy(out, in, length);
                        out += length;
                } else {
                        *out++ = '?';
                }
                in += MAX(length, 1u);
        }
        return copy;
}

void text_cut(char *s, size_t max)
{
        if (strlen(s) <= max)
                return;
        while (max > 0 && ((unsigned char) s[max] & 0xc0) == 0x80)
                max--;
        s[max] = 0;
}
