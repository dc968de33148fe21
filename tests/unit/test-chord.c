/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/core/chord.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/mem.h"

#define LIMIT 300000
#define START 1000000

/* Presses key and keeps it down. */
static bool press(struct chord *c, struct keyset *down, unsigned key)
{
        bool complete = chord_press(c, down, key, START, LIMIT);

        keyset_add(down, key);
        return complete;
}

static bool tap(struct chord *c, unsigned key, uint64_t usec)
{
        const struct keyset down = { 0 };

        return chord_press(c, &down, key, usec, LIMIT);
}

static void test_none(void **state)
{
        struct chord c = { 0 };
        struct keyset down = { 0 };

        for (unsigned key = 0; key < KEY_CNT; key++)
                assert_false(press(&c, &down, key));
}

static void test_one_key(void **state)
{
        struct chord c = { .hotkey = { .n_keys = 1, .keys = { KEY_PAUSE } } };

        for (unsigned key = 0; key < KEY_CNT; key++) {
                struct keyset down = { 0 };

                assert_int_equal(press(&c, &down, key), key == KEY_PAUSE);
        }
}

static void test_two_keys(void **state)
{
        struct chord c = { .hotkey = { .n_keys = 2, .keys = { KEY_LEFTCTRL, KEY_RIGHTCTRL } } };

        for (int turned = 0; turned < 2; turned++) {
                struct keyset down = { 0 };

                assert_false(press(&c, &down, KEY_A));
                assert_false(press(&c, &down, turned ? KEY_RIGHTCTRL : KEY_LEFTCTRL));
                assert_false(press(&c, &down, KEY_S));
                assert_true(press(&c, &down, turned ? KEY_LEFTCTRL : KEY_RIGHTCTRL));
        }
}

static void test_three_keys_in_every_order(void **state)
{
        static const unsigned orders[][3] = {
                { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
        };
        struct chord c = { .hotkey = { .n_keys = 3, .keys = { KEY_BACKSPACE, KEY_ESC, KEY_ENTER } } };

        for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
                struct keyset down = { 0 };

                for (unsigned k = 0; k < 3; k++)
                        assert_int_equal(press(&c, &down, c.hotkey.keys[orders[i][k]]), k == 2);
        }
}

static void test_another_key_while_complete(void **state)
{
        struct chord c = { .hotkey = { .n_keys = 2, .keys = { KEY_LEFTCTRL, KEY_RIGHTCTRL } } };
        struct keyset down = { 0 };

        (void) press(&c, &down, KEY_LEFTCTRL);
        assert_true(press(&c, &down, KEY_RIGHTCTRL));
        assert_false(press(&c, &down, KEY_A));
}

static void test_let_go_and_pressed_again(void **state)
{
        struct chord c = { .hotkey = { .n_keys = 2, .keys = { KEY_LEFTCTRL, KEY_RIGHTCTRL } } };
        struct keyset down = { 0 };

        (void) press(&c, &down, KEY_LEFTCTRL);
        assert_true(press(&c, &down, KEY_RIGHTCTRL));
        keyset_remove(&down, KEY_RIGHTCTRL);
        assert_true(press(&c, &down, KEY_RIGHTCTRL));
        keyset_remove(&down, KEY_LEFTCTRL);
        keyset_remove(&down, KEY_RIGHTCTRL);
        assert_false(press(&c, &down, KEY_RIGHTCTRL));
}

static void test_double_tap(void **state)
{
        static const struct {
                uint64_t after;
                bool complete;
        } cases[] = { { 0, true }, { 1, true }, { LIMIT, true }, { LIMIT + 1, false }, { 100 * LIMIT, false } };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct chord c = { .hotkey = { .n_keys = 1, .keys = { KEY_LEFTSHIFT }, .double_tap = true } };

                assert_false(tap(&c, KEY_LEFTSHIFT, START));
                assert_int_equal(tap(&c, KEY_LEFTSHIFT, START + cases[i].after), cases[i].complete);
        }
}

static void test_double_tap_with_another_key_between(void **state)
{
        struct chord c = { .hotkey = { .n_keys = 1, .keys = { KEY_LEFTSHIFT }, .double_tap = true } };

        assert_false(tap(&c, KEY_LEFTSHIFT, START));
        assert_false(tap(&c, KEY_A, START + 1));
        assert_false(tap(&c, KEY_LEFTSHIFT, START + 2));
        assert_true(tap(&c, KEY_LEFTSHIFT, START + 3));
}

static void test_slow_tap_begins_anew(void **state)
{
        struct chord c = { .hotkey = { .n_keys = 1, .keys = { KEY_LEFTSHIFT }, .double_tap = true } };

        assert_false(tap(&c, KEY_LEFTSHIFT, START));
        assert_false(tap(&c, KEY_LEFTSHIFT, START + 2 * LIMIT));
        assert_true(tap(&c, KEY_LEFTSHIFT, START + 3 * LIMIT));
}

static void test_many_taps(void **state)
{
        struct chord c = { .hotkey = { .n_keys = 1, .keys = { KEY_LEFTSHIFT }, .double_tap = true } };

        for (unsigned i = 0; i < 10; i++)
                assert_int_equal(tap(&c, KEY_LEFTSHIFT, START + i), i % 2);
}

static void test_clock_that_goes_back(void **state)
{
        struct chord c = { .hotkey = { .n_keys = 1, .keys = { KEY_LEFTSHIFT }, .double_tap = true } };

        assert_false(tap(&c, KEY_LEFTSHIFT, START));
        assert_false(tap(&c, KEY_LEFTSHIFT, START - 1));
        assert_true(tap(&c, KEY_LEFTSHIFT, START));
}

static void test_no_limit_no_double_tap(void **state)
{
        struct chord c = { .hotkey = { .n_keys = 1, .keys = { KEY_LEFTSHIFT }, .double_tap = true } };
        const struct keyset down = { 0 };

        assert_false(chord_press(&c, &down, KEY_LEFTSHIFT, START, 0));
        assert_false(chord_press(&c, &down, KEY_LEFTSHIFT, START + 1, 0));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_none),
                cmocka_unit_test(test_one_key),
                cmocka_unit_test(test_two_keys),
                cmocka_unit_test(test_three_keys_in_every_order),
                cmocka_unit_test(test_another_key_while_complete),
                cmocka_unit_test(test_let_go_and_pressed_again),
                cmocka_unit_test(test_double_tap),
                cmocka_unit_test(test_double_tap_with_another_key_between),
                cmocka_unit_test(test_slow_tap_begins_anew),
                cmocka_unit_test(test_many_taps),
                cmocka_unit_test(test_clock_that_goes_back),
                cmocka_unit_test(test_no_limit_no_double_tap),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
