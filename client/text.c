/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <wchar.h>

/* Bytes of the character that this byte begins; 0 if it begins none. */
static unsigned length_of(unsigned char first)
{
        if (first < 0x80)
                return 1;
        if ((first & 0xe0) == 0xc0)
                return 2;
        if ((first & 0xf0) == 0xe0)
                return 3;
        return (first & 0xf8) == 0xf0 ? 4 : 0;
}

unsigned text_decode(const char *s, uint32_t *ret)
{
        static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
        const unsigned char *u = (const unsigned char *) s;
        unsigned n = length_of(u[0]);
        uint32_t c;

        if (n == 0)
                return 0;
        c = n == 1 ? u[0] : u[0] & (0x7fU >> n);
        for (unsigned i = 1; i < n; i++) {
                if ((u[i] & 0xc0) != 0x80)
                        return 0; /* also at the end of the string */
                c = c << 6 | (u[i] & 0x3f);
        }
        if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
                return 0;
        *ret = c;
        return n;
}

bool text_is_utf8(const char *s)
{
        uint32_t c;

        for (unsigned n; *s; s += n) {
                n = text_decode(s, &c);
                if (n == 0)
                        return false;
        }
        return true;
}

bool text_is_unsafe(uint32_t c)
{
        static const uint32_t ranges[][2] = {
                { 0x00, 0x1f },     { 0x7f, 0x9f }, /* control characters */
                { 0x061c, 0x061c }, { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f }, /* order, width */
                { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f }, /* invisible */
        };

        for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
                if (c >= ranges[i][0] && c <= ranges[i][1])
                        return true;
        return false;
}

char *text_clean(const char *s)
{
        char *clean = xstrdup(s ? s : "");
        uint32_t c = 0;

        for (char *p = clean; *p;) {
                unsigned n = text_decode(p, &c);

                if (n == 0 || text_is_unsafe(c)) {
                        n = MAX(n, 1U);
                        memset(p, '?', n);
                }
                p += n;
        }
        return clean;
}

unsigned text_width(const char *s)
{
        unsigned width = 0;
        uint32_t c = 0;

        for (unsigned n; *s; s += n) {
                int w;

                n = text_decode(s, &c);
                if (n == 0)
                        return width;
                w = wcwidth((wchar_t) c);
                width += w < 0 ? 1 : (unsigned) w; /* the C locale knows no width beyond ASCII */
        }
        return width;
}

static _printf_(2, 0) void say(const char *prefix, const char *format, va_list ap)
{
        _autofree_ char *raw = xvasprintf(format, ap), *clean = text_clean(raw);

        fprintf(stderr, "%s%s\n", prefix, clean);
}

void text_complain(const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        say("vfioctl: ", format, ap);
        va_end(ap);
}

void text_note(const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        say("", format, ap);
        va_end(ap);
}

static bool want_colour(void)
{
        static int cached = -1;

        if (cached < 0) {
                const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

                cached = isatty(STDOUT_FILENO) && !(none && *none) && term && !streq(term, "dumb");
        }
        return cached;
}

const char *text_begin(enum text_colour colour)
{
        static const char *const sequences[] = {
                [TEXT_PLAIN] = "",         [TEXT_BOLD] = "\033[1m",    [TEXT_RED] = "\033[1;31m",
                [TEXT_GREEN] = "\033[32m", [TEXT_YELLOW] = "\033[33m",
        };

        return want_colour() ? sequences[colour] : "";
}

const char *text_end(enum text_colour colour)
{
        return colour != TEXT_PLAIN && want_colour() ? "\033[0m" : "";
}

char *text_hotkey(char *const *keys)
{
        char *text;

        if (!keys || !keys[0])
                return xstrdup("none");
        if (keys[1] && !keys[2] && streq(keys[0], keys[1]))
                return xasprintf("%s twice", keys[0]);

        text = xstrdup(keys[0]);
        for (unsigned i = 1; keys[i]; i++) {
                _autofree_ char *shorter = text;

                text = xasprintf("%s + %s", shorter, keys[i]);
        }
        return text;
}
