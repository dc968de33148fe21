/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* text_printable: whatever a device calls itself becomes harmless UTF-8. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/mem.h"
#include "common/text.h"

struct text_case {
        const char *in, *out;
};

static void check(const struct text_case *cases, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                _autofree_ char *out = text_printable(cases[i].in);

                assert_string_equal(out, cases[i].out);
        }
}

static void test_plain(void **state)
{
        static const struct text_case cases[] = {
                { "", "" },
                { "AT Translated Set 2 keyboard", "AT Translated Set 2 keyboard" },
                { " ~", " ~" },
                { "Tastatur für Größe", "Tastatur für Größe" },
                { "日本語 キーボード", "日本語 キーボード" },
                { "\xf0\x9f\x8e\xae", "\xf0\x9f\x8e\xae" },
        };

        check(cases, ARRAY_SIZE(cases));
}

static void test_controls(void **state)
{
        static const struct text_case cases[] = {
                { "a\nb", "a?b" },
                { "\x1b[31mred", "?[31mred" },
                { "\t\r\x01\x1f", "????" },
                { "\x7f", "?" },
                { "\xc2\x80", "?" }, /* the first of C1 */
                { "\xc2\x9b", "?" }, /* CSI */
                { "\xc2\x9f", "?" },
                { "\xc2\xa0", "\xc2\xa0" },
        };

        check(cases, ARRAY_SIZE(cases));
}

static void test_what_reorders_text(void **state)
{
        static const struct text_case cases[] = {
                { "\xd8\x9b", "\xd8\x9b" },                 { "\xd8\x9c", "?" },         /* U+061B, U+061C */
                { "\xe2\x80\x8d", "\xe2\x80\x8d" },         { "\xe2\x80\x8e", "?" },     /* U+200D, U+200E */
                { "\xe2\x80\x8f", "?" },                    { "\xe2\x80\x90", "\xe2\x80\x90" },
                { "\xe2\x80\xa7", "\xe2\x80\xa7" },         { "\xe2\x80\xa8", "?" },     /* U+2027, U+2028 */
                { "\xe2\x80\xae", "?" },                    { "\xe2\x80\xaf", "\xe2\x80\xaf" },
                { "\xe2\x81\xa5", "\xe2\x81\xa5" },         { "\xe2\x81\xa6", "?" },     /* U+2065, U+2066 */
                { "\xe2\x81\xa9", "?" },                    { "\xe2\x81\xaa", "\xe2\x81\xaa" },
        };

        check(cases, ARRAY_SIZE(cases));
}

static void test_no_characters(void **state)
{
        static const struct text_case cases[] = {
                { "\xef\xb7\x8f", "\xef\xb7\x8f" },         { "\xef\xb7\x90", "?" },     /* U+FDCF, U+FDD0 */
                { "\xef\xb7\xaf", "?" },                    { "\xef\xb7\xb0", "\xef\xb7\xb0" },
                { "\xef\xbf\xbd", "\xef\xbf\xbd" },         { "\xef\xbf\xbe", "?" },     /* U+FFFD, U+FFFE */
                { "\xef\xbf\xbf", "?" },                    { "\xf0\x90\x80\x80", "\xf0\x90\x80\x80" },
                { "\xf0\x9f\xbf\xbe", "?" },                { "\xf0\x9f\xbf\xbf", "?" }, /* U+1FFFE */
                { "\xf4\x8f\xbf\xbd", "\xf4\x8f\xbf\xbd" }, { "\xf4\x8f\xbf\xbf", "?" }, /* U+10FFFF */
        };

        check(cases, ARRAY_SIZE(cases));
}

/* One question mark for each byte that does not belong to a character. */
static void test_malformed(void **state)
{
        static const struct text_case cases[] = {
                { "\x80", "?" },                            { "\xbf", "?" },
                { "\xc0\x80", "??" },                       { "\xc1\xbf", "??" }, /* overlong */
                { "\xe0\x80\x80", "???" },                  { "\xe0\x9f\xbf", "???" },
                { "\xe0\xa0\x80", "\xe0\xa0\x80" },         { "\xf0\x80\x80\x80", "????" },
                { "\xf0\x8f\xbf\xbf", "????" },             { "\xed\x9f\xbf", "\xed\x9f\xbf" },
                { "\xed\xa0\x80", "???" },                  { "\xed\xbf\xbf", "???" }, /* surrogates */
                { "\xee\x80\x80", "\xee\x80\x80" },         { "\xf4\x90\x80\x80", "????" },
                { "\xf5\x80\x80\x80", "????" },             { "\xf8\x88\x80\x80\x80", "?????" },
                { "\xfc\x84\x80\x80\x80\x80", "??????" },   { "\xfe", "?" },
                { "\xff", "?" },                            { "\xc3", "?" }, /* cut off */
                { "\xe2\x82", "??" },                       { "\xf0\x9f\x8e", "???" },
                { "\xc3z", "?z" },                          { "\xe2\x82z", "??z" },
                { "\xf0\x9f\x8ez", "???z" },                { "\xe2z\xac", "?z?" },
                { "\xc3\xc3\xbc", "?\xc3\xbc" },            { "a\xffz\xc3\xbc", "a?z\xc3\xbc" },
        };

        check(cases, ARRAY_SIZE(cases));
}

/* The table of the standard (3.9, table 3-7), as one test for each lead byte. */
static bool is_well_formed(unsigned a, unsigned b, unsigned c)
{
        if (c < 0x80 || c > 0xbf)
                return false;
        return (a == 0xe0 && b >= 0xa0 && b <= 0xbf) || (a >= 0xe1 && a <= 0xec && b >= 0x80 && b <= 0xbf) ||
               (a == 0xed && b >= 0x80 && b <= 0x9f) || (a >= 0xee && a <= 0xef && b >= 0x80 && b <= 0xbf);
}

static void test_all_of_three_bytes(void **state)
{
        for (unsigned a = 0xe0; a <= 0xef; a++)
                for (unsigned b = 0x70; b <= 0xff; b++)
                        for (unsigned c = 0x70; c <= 0xff; c++) {
                                const char in[] = { (char) a, (char) b, (char) c, 0 };
                                _autofree_ char *out = text_printable(in);

                                if (!is_well_formed(a, b, c))
                                        assert_int_equal(out[0], '?');
                                else if (!streq(out, "?"))
                                        assert_string_equal(out, in);
                        }
}

/* What has been made printable is not changed again, and is never longer. */
static void test_random_bytes(void **state)
{
        uint32_t seed = 1;

        for (unsigned round = 0; round < 20000; round++) {
                char in[33] = { 0 };
                _autofree_ char *once = NULL, *twice = NULL;

                for (unsigned i = 0; i < round % sizeof(in); i++) {
                        seed = seed * 1664525u + 1013904223u;
                        in[i] = (char) MAX(1u, seed >> 24);
                }
                once = text_printable(in);
                twice = text_printable(once);
                assert_string_equal(once, twice);
                assert_true(strlen(once) <= strlen(in));
        }
}

static void test_cut(void **state)
{
        static const struct {
                const char *in;
                size_t max;
                const char *out;
        } cases[] = {
                { "", 0, "" },
                { "abc", 3, "abc" },
                { "abc", 2, "ab" },
                { "abc", 0, "" },
                { "ab\xc3\xbc", 4, "ab\xc3\xbc" },
                { "ab\xc3\xbc", 3, "ab" },
                { "\xe6\x97\xa5\xe6\x97\xa5", 5, "\xe6\x97\xa5" },
                { "\xe6\x97\xa5\xe6\x97\xa5", 4, "\xe6\x97\xa5" },
                { "\xe6\x97\xa5\xe6\x97\xa5", 3, "\xe6\x97\xa5" },
                { "\xf0\x9f\x8e\xae", 3, "" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _autofree_ char *s = xstrdup(cases[i].in);

                text_cut(s, cases[i].max);
                assert_string_equal(s, cases[i].out);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain),
                cmocka_unit_test(test_controls),
                cmocka_unit_test(test_what_reorders_text),
                cmocka_unit_test(test_no_characters),
                cmocka_unit_test(test_malformed),
                cmocka_unit_test(test_all_of_three_bytes),
                cmocka_unit_test(test_random_bytes),
                cmocka_unit_test(test_cut),
        };

        return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
