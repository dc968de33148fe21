/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A guest more in /etc/vfio-inputd.conf, and nothing else changed in it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "client/setup/guests-config.h"
#include "client/setup/root.h"

#define UUID "c7a5fdbd-edaf-9455-926a-d65c16db1809"

/* Adds it, checks that it is there then, and gives the text; NULL: it was there. */
static char *add(const char *text, const char *domain, const char *wanted, const char *expected_name)
{
        struct guest_config g = { .qmp = NULL }, again = { .qmp = NULL };
        char *after = NULL, *more = NULL, *error = NULL;
        int r = guests_config_add(text, NULL, domain, UUID, wanted, &after, &g, &error);

        if (error)
                print_error("%s\n", error);
        assert_null(error);
        assert_int_equal(r, after ? 1 : 0);
        assert_string_equal(g.name, expected_name);
        assert_int_equal(guests_config_add(after ? after : text, NULL, domain, UUID, wanted, &more, &again, &error), 0);
        assert_null(more);
        assert_string_equal(again.name, expected_name);
        guest_config_clear(&g);
        guest_config_clear(&again);
        return after;
}

static void check(const char *text, const char *expected)
{
        _autofree_ char *after = add(text, "win10", "win10", "win10");

        assert_non_null(after);
        assert_string_equal(after, expected);
}

#define NEW "{ name = \"win10\"; domain = \"win10\"; }"
#define WHOLE "# By vfioctl setup.\nguests = (\n    " NEW "\n);\n"

static void test_no_list(void **state)
{
        check(NULL, WHOLE);
        check("", WHOLE);
        check("next = [ \"f1\" ];\n", "next = [ \"f1\" ];\n\n" WHOLE);
        check("next = [ \"f1\" ]", "next = [ \"f1\" ]\n\n" WHOLE);
        check("next = [ \"f1\" ]; # guests = ( )\n", "next = [ \"f1\" ]; # guests = ( )\n\n" WHOLE);
        check("/* guests = (\n */\n// guests = ()\n", "/* guests = (\n */\n// guests = ()\n\n" WHOLE);
        check("devices = { ignore = ( { name = \"guests = (\"; } ); };\n",
              "devices = { ignore = ( { name = \"guests = (\"; } ); };\n\n" WHOLE);
}

static void test_list(void **state)
{
        check("guests = ();\n", "guests = (\n    " NEW "\n);\n");
        check("guests = (\n);\n", "guests = (\n    " NEW "\n);\n");
        check("guests = ( { name = \"a\"; } );\nnext = [ ];\n",
              "guests = ( { name = \"a\"; }, \n    " NEW "\n);\nnext = [ ];\n");
        check("guests : (\n    {\n        name = \"a\";\n    } # the ) first\n);\n",
              "guests : (\n    {\n        name = \"a\";\n    }, # the ) first\n    " NEW "\n);\n");
        check("guests = (\n  { name = \"a\"; toggle = [ \"f1\" ]; },\n  { name = \"b\"; domain = \"x)\\\"\"; }\n  )\n",
              "guests = (\n  { name = \"a\"; toggle = [ \"f1\" ]; },\n  { name = \"b\"; domain = \"x)\\\"\"; },\n    " NEW
              "\n  )\n");
}

/* Newer releases of libconfig allow a comma behind the last element. */
static void test_trailing_comma(void **state)
{
        static const char text[] = "guests = (\n    { name = \"a\"; },\n);\n";
        _cleanup_(config_freep) struct config *c = NULL;
        _autofree_ char *error = NULL;

        if (config_parse(text, strlen(text), "x", NULL, &c, &error) < 0) {
                print_message("SKIP: this libconfig refuses a comma behind the last element\n");
                skip();
        }
        check(text, "guests = (\n    { name = \"a\"; },\n    " NEW "\n);\n");
}

static void test_shipped(void **state)
{
        const char *top = getenv("top_srcdir");
        _cleanup_(root_freep) struct root *r = NULL;
        _autofree_ char *text = NULL, *after = NULL, *expected = NULL;

        assert_int_equal(root_open(top ? top : ".", &r), 0);
        assert_int_equal(root_read(r, "/systemd/vfio-inputd.conf", &text, NULL), 0);
        after = add(text, "win10", "win10", "win10");
        expected = xasprintf("%s\n" WHOLE, text);
        assert_string_equal(after, expected);
}

static void test_present(void **state)
{
        assert_null(add("guests = ( { name = \"games\"; domain = \"win10\"; } );", "win10", "win10", "games"));
        assert_null(add("guests = ( { name = \"win10\"; } );", "win10", "win10", "win10"));
        assert_null(add("guests = ( { name = \"windows-10\"; } );", "Windows 10", "windows-10", "windows-10"));
        assert_null(add("guests = ( { name = \"w\"; domain = \"" UUID "\"; } );", "win10", "win10", "w"));
}

/* The name is another domain's, or that of a QEMU without libvirt. */
static void test_name_taken(void **state)
{
        static const char two[] = "guests = ( { name = \"win10\"; domain = \"other\"; }, { name = \"win10-2\"; "
                                  "qmp = \"/run/qmp\"; } );\n";
        _autofree_ char *after = add(two, "win10", "win10", "win10-3"), *longest = NULL;

        assert_non_null(strstr(after, "{ name = \"win10-3\"; domain = \"win10\"; }"));
        longest = add("guests = ( { name = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"; domain = \"other\"; } );\n",
                      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-2");
        assert_non_null(longest);
}

static void test_quoted(void **state)
{
        _autofree_ char *quoted = add(NULL, "a \"b\" \\c", "a-b-c", "a-b-c"), *uuid = NULL;

        assert_non_null(strstr(quoted, "domain = \"a \\\"b\\\" \\\\c\";"));
        uuid = add(NULL, "a\nb", "a-b", "a-b");
        assert_non_null(strstr(uuid, "domain = \"" UUID "\";"));
}

static void test_refused(void **state)
{
        static const char *const texts[] = { "guests = ( { name = \"A\"; } );", "guests = (", "gests = ( );",
                                             "guests = [ ];", "next = \"\x01" };

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                struct guest_config g;
                _autofree_ char *error = NULL;
                char *after = NULL;

                assert_true(guests_config_add(texts[i], NULL, "x", NULL, "x", &after, &g, &error) < 0);
                assert_null(after);
                assert_non_null(strstr(error, "/vfio-inputd.conf"));
        }
}

/* The list is where we do not write: a second one would be a mistake. */
static void test_included(void **state)
{
        char folder[] = "/tmp/test-guests-XXXXXX";
        _autofree_ char *path = NULL, *error = NULL;
        struct guest_config g;
        char *after = NULL;
        FILE *f;

        assert_non_null(mkdtemp(folder));
        path = xasprintf("%s/guests.conf", folder);
        f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs("guests = ( { name = \"a\"; } );\n", f) >= 0);
        assert_int_equal(fclose(f), 0);
        assert_true(guests_config_add("@include \"guests.conf\"\n", folder, "x", NULL, "x", &after, &g, &error) < 0);
        assert_null(after);
        assert_non_null(strstr(error, "by hand"));
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_no_list),    cmocka_unit_test(test_list),    cmocka_unit_test(test_shipped),
                cmocka_unit_test(test_trailing_comma),
                cmocka_unit_test(test_present),    cmocka_unit_test(test_name_taken), cmocka_unit_test(test_quoted),
                cmocka_unit_test(test_refused),    cmocka_unit_test(test_included),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
