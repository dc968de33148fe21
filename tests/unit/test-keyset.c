/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/core/keyset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/mem.h"

static void test_empty(void **state)
{
        const struct keyset s = { 0 };

        assert_true(keyset_is_empty(&s));
        assert_int_equal(keyset_count(&s), 0);
        assert_int_equal(keyset_next(&s, 0), KEY_CNT);
        KEYSET_FOREACH (key, &s)
                fail();
}

static void test_every_key_by_itself(void **state)
{
        for (unsigned key = 0; key < KEY_CNT; key++) {
                struct keyset s = { 0 };

                keyset_add(&s, key);
                assert_false(keyset_is_empty(&s));
                assert_int_equal(keyset_count(&s), 1);
                for (unsigned other = 0; other < KEY_CNT; other++)
                        assert_int_equal(keyset_has(&s, other), other == key);
                assert_int_equal(keyset_next(&s, 0), key);
                assert_int_equal(keyset_next(&s, key), key);
                assert_int_equal(keyset_next(&s, key + 1), KEY_CNT);
                keyset_remove(&s, key);
                assert_true(keyset_is_empty(&s));
        }
}

static void test_twice_is_once(void **state)
{
        struct keyset s = { 0 };

        keyset_add(&s, KEY_A);
        keyset_add(&s, KEY_A);
        assert_int_equal(keyset_count(&s), 1);
        keyset_remove(&s, KEY_A);
        keyset_remove(&s, KEY_A);
        assert_true(keyset_is_empty(&s));
}

static void test_neighbours_stay(void **state)
{
        struct keyset s = { 0 };

        for (unsigned key = 0; key < KEY_CNT; key++)
                keyset_add(&s, key);
        assert_int_equal(keyset_count(&s), KEY_CNT);
        for (unsigned key = 0; key < KEY_CNT; key += 64) {
                keyset_remove(&s, key);
                assert_int_equal(keyset_next(&s, key), key + 1);
                keyset_add(&s, key);
        }
        assert_int_equal(keyset_count(&s), KEY_CNT);
}

static void test_in_order(void **state)
{
        static const unsigned keys[] = { 0, 1, 62, 63, 64, 127, 128, BTN_LEFT, KEY_MAX };
        struct keyset s = { 0 };
        size_t i = 0;

        for (size_t k = ARRAY_SIZE(keys); k-- > 0;)
                keyset_add(&s, keys[k]);
        KEYSET_FOREACH (key, &s)
                assert_int_equal(key, keys[i++]);
        assert_int_equal(i, ARRAY_SIZE(keys));
}

/* Walking while the key at hand is taken out. */
static void test_removed_while_walking(void **state)
{
        struct keyset s = { 0 };
        unsigned n = 0;

        for (unsigned key = 3; key < KEY_CNT; key += 7)
                keyset_add(&s, key);
        KEYSET_FOREACH (key, &s) {
                keyset_remove(&s, key);
                n++;
        }
        assert_true(keyset_is_empty(&s));
        assert_int_equal(n, (KEY_CNT - 3 + 6) / 7);
}

static void test_layout_of_the_kernel(void **state)
{
        struct keyset s = { 0 };
        unsigned char bytes[sizeof(s)];

        assert_int_equal(sizeof(s) * 8, KEY_CNT);
        keyset_add(&s, KEY_A);
        keyset_add(&s, BTN_LEFT);
        memcpy(bytes, &s, sizeof(s));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        for (unsigned key = 0; key < KEY_CNT; key++)
                assert_int_equal(bytes[key / 8] >> (key % 8) & 1, key == KEY_A || key == BTN_LEFT);
#endif
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_empty),
                cmocka_unit_test(test_every_key_by_itself),
                cmocka_unit_test(test_twice_is_once),
                cmocka_unit_test(test_neighbours_stay),
                cmocka_unit_test(test_in_order),
                cmocka_unit_test(test_removed_while_walking),
                cmocka_unit_test(test_layout_of_the_kernel),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
