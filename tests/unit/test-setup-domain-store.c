/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Definitions of domains, with libvirt's own test driver behind the connection. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/setup/domain-store.h"
#include "client/setup/words.h"

static const char definition[] =
        "<domain type='test'><name>win10</name><uuid>11111111-2222-3333-4444-555555555555</uuid>"
        "<memory unit='KiB'>1048576</memory><vcpu>2</vcpu><os><type arch='i686'>hvm</type></os>"
        "<devices><graphics type='vnc' port='-1' passwd='s3cret'/></devices></domain>";

static struct domain_store *open_store(void)
{
        struct domain_store *s = NULL;
        _autofree_ char *error = NULL;

        assert_int_equal(domain_store_open("test:///default", &s, &error), 0);
        assert_null(error);
        assert_false(domain_store_is_read_only(s));
        return s;
}

static void define(struct domain_store *s)
{
        _autofree_ char *error = NULL;

        assert_int_equal(domain_store_define(s, definition, &error), 0);
        assert_null(error);
}

static void check_list(struct domain_store *s, const char *expected)
{
        _cleanup_(strv_freep) char **names = NULL;
        _autofree_ char *error = NULL, *all = NULL;

        assert_int_equal(domain_store_list(s, &names, &error), 0);
        all = words_join(names, " ");
        assert_string_equal(all, expected);
}

static void test_define_and_undefine(void **state)
{
        _cleanup_(domain_store_freep) struct domain_store *s = open_store();
        _autofree_ char *error = NULL, *xml = NULL, *by_uuid = NULL;

        check_list(s, "test");
        define(s);
        check_list(s, "test win10");
        assert_int_equal(domain_store_read(s, "win10", &xml, &error), 0);
        assert_int_equal(domain_store_read(s, "11111111-2222-3333-4444-555555555555", &by_uuid, &error), 0);
        assert_null(error);
        assert_string_equal(xml, by_uuid);
        assert_non_null(strstr(xml, "<name>win10</name>"));
        assert_int_equal(domain_store_is_running(s, "win10", &error), 0);
        assert_int_equal(domain_store_is_running(s, "test", &error), 1);
        assert_int_equal(domain_store_undefine(s, "win10", &error), 0);
        assert_null(error);
        check_list(s, "test");
}

/* What is defined again from it would lose the password otherwise. */
static void test_secrets(void **state)
{
        _cleanup_(domain_store_freep) struct domain_store *s = open_store();
        _autofree_ char *error = NULL, *xml = NULL;

        define(s);
        assert_int_equal(domain_store_read(s, "win10", &xml, &error), 0);
        assert_non_null(strstr(xml, "passwd='s3cret'"));
        assert_int_equal(domain_store_undefine(s, "win10", &error), 0);
}

static void check_refused(struct domain_store *s, const char *xml)
{
        _autofree_ char *error = NULL;

        assert_int_equal(domain_store_define(s, xml, &error), -EINVAL);
        assert_non_null(error);
        assert_true(strlen(error) > 10);
        assert_null(strchr(error, '\n'));
}

static void test_refused(void **state)
{
        _cleanup_(domain_store_freep) struct domain_store *s = open_store();

        check_refused(s, "no XML");
        check_refused(s, "<domain type='test'><name>x</name></domain>");
        check_refused(s, "<domain type='test'><name>x</name><memory unit='KiB'>1024</memory><vcpu>1</vcpu>"
                         "<os><type>hvm</type></os><devices><input type='evdev'/></devices></domain>");
        check_list(s, "test");
}

static void test_absent(void **state)
{
        _cleanup_(domain_store_freep) struct domain_store *s = open_store();
        char *error = NULL, *xml = NULL;

        assert_int_equal(domain_store_read(s, "nobody", &xml, &error), -ENOENT);
        assert_non_null(strstr(error, "nobody"));
        free(TAKE_PTR(error));
        assert_int_equal(domain_store_read(s, "nobody", &xml, NULL), -ENOENT);
        assert_null(xml);
        assert_int_equal(domain_store_is_running(s, "nobody", &error), -ENOENT);
        assert_non_null(error);
        free(TAKE_PTR(error));
        assert_int_equal(domain_store_undefine(s, "nobody", &error), -ENOENT);
        assert_non_null(error);
        free(error);
}

static void test_network(void **state)
{
        _cleanup_(domain_store_freep) struct domain_store *s = open_store();
        _autofree_ char *error = NULL;

        assert_int_equal(domain_store_find_network(s, "default", &error), 1);
        assert_null(error);
        assert_int_equal(domain_store_find_network(s, "other", &error), -ENOENT);
        assert_non_null(error);
}

static void test_no_libvirt(void **state)
{
        struct domain_store *s = NULL;
        _autofree_ char *error = NULL;

        assert_true(domain_store_open("qemu+unix:///system?socket=/nonexistent/socket", &s, &error) < 0);
        assert_null(s);
        assert_non_null(strstr(error, "/nonexistent/socket"));
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_define_and_undefine),
                cmocka_unit_test(test_secrets),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_absent),
                cmocka_unit_test(test_network),
                cmocka_unit_test(test_no_libvirt),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
