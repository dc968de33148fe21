/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libevdev/libevdev.h>

#include "common/hotkey.h"
#include "common/mem.h"

static void test_key_from_name(void **state)
{
        assert_int_equal(hotkey_key_from_name("leftctrl"), KEY_LEFTCTRL);
        assert_int_equal(hotkey_key_from_name("LeftCtrl"), KEY_LEFTCTRL);
        assert_int_equal(hotkey_key_from_name("KEY_LEFTCTRL"), KEY_LEFTCTRL);
        assert_int_equal(hotkey_key_from_name("key_leftctrl"), KEY_LEFTCTRL);
        assert_int_equal(hotkey_key_from_name("BTN_SIDE"), BTN_SIDE);
        assert_int_equal(hotkey_key_from_name("btn_side"), BTN_SIDE);
        assert_int_equal(hotkey_key_from_name("102nd"), KEY_102ND);
        assert_int_equal(hotkey_key_from_name("1"), KEY_1);
}

static void test_key_from_wrong_name(void **state)
{
        static const char *const names[] = {
                "",      "KEY_",    "BTN_",  "leftc", "leftctrl ", " leftctrl", "side",    "ABS_X",
                "REL_X", "LED_CAPSL", "max",   "KEY_MAX", "cnt",     "reserved",  "KEY_RESERVED", "29",
                "KEY_LEFTCTRLLEFTCTRLLEFTCTRLLEFTCTRLLEFTCTRLLEFTCTRLLEFTCTRL",
        };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                assert_int_equal(hotkey_key_from_name(names[i]), -EINVAL);
}

/* Whatever status shows can be written into the configuration. */
static void test_names_of_all_keys(void **state)
{
        unsigned n = 0;

        for (unsigned code = 1; code < KEY_MAX; code++) {
                const char *full = libevdev_event_code_get_name(EV_KEY, code);
                char name[HOTKEY_NAME_SIZE];

                assert_int_equal(hotkey_key_name((uint16_t) code, name, sizeof(name)), 0);
                if (!full)
                        continue;
                assert_int_equal(hotkey_key_from_name(name), code);
                assert_int_equal(hotkey_key_from_name(full), code);
                n++;
        }
        assert_true(n > 500);
}

static void test_key_name(void **state)
{
        char name[HOTKEY_NAME_SIZE];

        assert_int_equal(hotkey_key_name(KEY_LEFTCTRL, name, sizeof(name)), 0);
        assert_string_equal(name, "leftctrl");
        assert_int_equal(hotkey_key_name(BTN_SIDE, name, sizeof(name)), 0);
        assert_string_equal(name, "btn_side");
        assert_int_equal(hotkey_key_name(KEY_MAX - 1, name, sizeof(name)), 0);
        assert_string_equal(name, "key766");
        assert_int_equal(hotkey_key_name(KEY_LEFTCTRL, name, strlen("leftctrl")), -ENOBUFS);
        assert_int_equal(hotkey_key_name(KEY_LEFTCTRL, name, strlen("leftctrl") + 1), 0);
}

static void assert_parses(const char *a, const char *b, const char *c, struct hotkey expected)
{
        const char *names[] = { a, b, c };
        unsigned bad, n = c ? 3 : b ? 2 : 1;
        struct hotkey h;

        assert_int_equal(hotkey_parse(names, n, &h, &bad), 0);
        assert_int_equal(h.n_keys, expected.n_keys);
        assert_int_equal(h.double_tap, expected.double_tap);
        assert_memory_equal(h.keys, expected.keys, sizeof(h.keys));
}

static void test_parse(void **state)
{
        assert_parses("f12", NULL, NULL, (struct hotkey) { .n_keys = 1, .keys = { KEY_F12 } });
        assert_parses("leftctrl", "rightctrl", NULL,
                      (struct hotkey) { .n_keys = 2, .keys = { KEY_LEFTCTRL, KEY_RIGHTCTRL } });
        assert_parses("leftctrl", "leftalt", "f1",
                      (struct hotkey) { .n_keys = 3, .keys = { KEY_LEFTCTRL, KEY_LEFTALT, KEY_F1 } });
        assert_parses("scrolllock", "KEY_SCROLLLOCK", NULL,
                      (struct hotkey) { .n_keys = 1, .keys = { KEY_SCROLLLOCK }, .double_tap = true });
}

static void assert_fails(const char *const *names, unsigned n, unsigned expected_bad)
{
        struct hotkey h = { .n_keys = 1, .keys = { KEY_F9 } };
        unsigned bad = 99;

        assert_int_equal(hotkey_parse(names, n, &h, &bad), -EINVAL);
        assert_int_equal(bad, expected_bad);
        assert_int_equal(h.n_keys, 1);
        assert_int_equal(h.keys[0], KEY_F9);
}

static void test_parse_failures(void **state)
{
        assert_fails((const char *const[]) { "nokey" }, 1, 0);
        assert_fails((const char *const[]) { "f1", "nokey", "f2" }, 3, 1);
        assert_fails((const char *const[]) { "f1", "f2", "nokey" }, 3, 2);
        assert_fails((const char *const[]) { "f1", "f1", "nokey" }, 3, 2);
        assert_fails((const char *const[]) { "f1" }, 0, 0);
        assert_fails((const char *const[]) { "f1", "f2", "f3", "f4" }, 4, 4);
        assert_fails((const char *const[]) { "f1", "f1", "f2" }, 3, 3);
        assert_fails((const char *const[]) { "f1", "f2", "f1" }, 3, 3);
        assert_fails((const char *const[]) { "f1", "f1", "f1" }, 3, 3);
}

static void test_format(void **state)
{
        const struct hotkey none = { 0 };
        const struct hotkey held = { .n_keys = 3, .keys = { KEY_LEFTCTRL, KEY_LEFTALT, KEY_F1 } };
        const struct hotkey twice = { .n_keys = 1, .keys = { KEY_SCROLLLOCK }, .double_tap = true };
        char names[HOTKEY_KEYS_MAX][HOTKEY_NAME_SIZE];

        assert_int_equal(hotkey_format(&none, names), 0);
        assert_int_equal(hotkey_format(&held, names), 3);
        assert_string_equal(names[0], "leftctrl");
        assert_string_equal(names[1], "leftalt");
        assert_string_equal(names[2], "f1");
        assert_int_equal(hotkey_format(&twice, names), 2);
        assert_string_equal(names[0], "scrolllock");
        assert_string_equal(names[1], "scrolllock");
}

static void test_equal(void **state)
{
        const struct hotkey none = { 0 };
        const struct hotkey ab = { .n_keys = 2, .keys = { KEY_A, KEY_B } };
        const struct hotkey ba = { .n_keys = 2, .keys = { KEY_B, KEY_A } };
        const struct hotkey ac = { .n_keys = 2, .keys = { KEY_A, KEY_C } };
        const struct hotkey abc = { .n_keys = 3, .keys = { KEY_A, KEY_B, KEY_C } };
        const struct hotkey a = { .n_keys = 1, .keys = { KEY_A } };
        const struct hotkey aa = { .n_keys = 1, .keys = { KEY_A }, .double_tap = true };

        assert_true(hotkey_equal(&none, &none));
        assert_true(hotkey_equal(&ab, &ba));
        assert_true(hotkey_equal(&aa, &aa));
        assert_false(hotkey_equal(&ab, &ac));
        assert_false(hotkey_equal(&ab, &abc));
        assert_false(hotkey_equal(&a, &ab));
        assert_false(hotkey_equal(&a, &aa));
        assert_false(hotkey_equal(&a, &none));
}

static void test_in_panic(void **state)
{
        const struct hotkey none = { 0 };
        const struct hotkey esc = { .n_keys = 1, .keys = { KEY_ESC } };
        const struct hotkey twice = { .n_keys = 1, .keys = { KEY_ESC }, .double_tap = true };
        const struct hotkey part = { .n_keys = 2, .keys = { KEY_ENTER, KEY_BACKSPACE } };
        const struct hotkey more = { .n_keys = 2, .keys = { KEY_ENTER, KEY_A } };

        assert_true(hotkey_is_in_panic(&HOTKEY_PANIC));
        assert_true(hotkey_is_in_panic(&esc));
        assert_true(hotkey_is_in_panic(&part));
        assert_false(hotkey_is_in_panic(&none));
        assert_false(hotkey_is_in_panic(&twice));
        assert_false(hotkey_is_in_panic(&more));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_key_from_name),     cmocka_unit_test(test_key_from_wrong_name),
                cmocka_unit_test(test_names_of_all_keys), cmocka_unit_test(test_key_name),
                cmocka_unit_test(test_parse),             cmocka_unit_test(test_parse_failures),
                cmocka_unit_test(test_format),            cmocka_unit_test(test_equal),
                cmocka_unit_test(test_in_panic),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
