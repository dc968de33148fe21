/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* qemu.conf as libvirt reads it, and one list in it made longer. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "client/setup/virconf.h"

#define NAME "cgroup_device_acl"
#define NODE "/dev/input/by-id/usb-a-event-kbd"

static void good(const char *text, const char *name, const char *expected)
{
        _cleanup_(virconf_clear) struct virconf c = { 0 };
        _autofree_ char *error = NULL, *all = NULL;
        const struct virconf_entry *e;

        if (virconf_parse(text, &c, &error) < 0)
                fail_msg("%s", error);
        e = virconf_get(&c, name);
        assert_non_null(e);
        all = words_join(e->words, "|");
        assert_string_equal(all, expected);
}

static void bad(const char *text, const char *expected)
{
        _cleanup_(virconf_clear) struct virconf c = { 0 };
        _autofree_ char *error = NULL;

        assert_int_equal(virconf_parse(text, &c, &error), -EBADMSG);
        assert_string_equal(error, expected);
        assert_int_equal(c.n_entries, 0);
}

static void test_values(void **state)
{
        good("user = \"vfio\"\n", "user", "vfio");
        good("user='a\"b' # mine\n", "user", "a\"b");
        good("a=1;b=-2", "b", "-2");
        good("a = \"\"\"one\n\"two\"\n\"\"\"\nb = 3\n", "a", "one\n\"two\"\n");
        good("l = [ \"a\", 'b',\n\n  3 ]\n", "l", "a|b|3");
        good("l = [\n  \"a\",\n]\n", "l", "a");
        good("l = []\r\n# end", "l", "");
        good("# none\n\n\tu = \"x\"", "u", "x");
}

static void test_first_counts(void **state)
{
        good("user = \"a\"\nuser = \"b\"\n", "user", "a");
}

static void test_mistakes(void **state)
{
        bad("# one\nuser = vfio\n", "line 2: there should be a number, or a value in quotes, not \"vfio\"");
        bad("l = [ \"a\",\n# two\n\"b\" ]\n", "line 2: there should be a number, or a value in quotes, not \"# two\"");
        bad("l = [ \"a\" \"b\" ]", "line 1: there should be a comma or the end of the list, not \"\"b\" ]\"");
        bad("l = [ \"a\",", "line 1: there should be a number, or a value in quotes, not \"\"");
        bad("l = [ , ]", "line 1: there should be a number, or a value in quotes, not \", ]\"");
        bad("u = \"a\nb\"\n", "line 1: there should be a string that ends, not \"\"a\"");
        bad("u = \"\"\"a\n", "line 1: there should be a string that ends, not \"\"\"\"a\"");
        bad("u \"a\"\n", "line 1: there should be an equals sign, not \"\"a\"\"");
        bad("u = \"a\" v = \"b\"\n", "line 1: there should be the end of the line, not \"v = \"b\"\"");
        bad("a = \"\"\"\n\n\"\"\"\n]\n", "line 4: there should be a name, not \"]\"");
        bad("a = -\n", "line 1: there should be a number, not \"\"");
}

/* --- adding ------------------------------------------------------------------------------------ */

static char *add(const char *text, const char *const *fallback)
{
        char *const words[] = { (char *) "/dev/null", (char *) NODE, NULL };
        _autofree_ char *again = NULL;
        char *after = NULL, *error = NULL;

        if (virconf_add(text, NAME, words, fallback, &after, &error) < 0)
                fail_msg("%s", error);
        assert_int_equal(virconf_add(after, NAME, words, fallback, &again, &error), 0);
        assert_string_equal(again, after);
        return after;
}

static void check(const char *text, const char *expected)
{
        static const char *const fallback[] = { "/dev/full", NULL };
        _autofree_ char *after = add(text, fallback);

        assert_string_equal(after, expected);
}

static void test_longer(void **state)
{
        check("x = 1\n" NAME " = [ \"/dev/null\" ] # mine\n", "x = 1\n" NAME " = [ \"/dev/null\", \"" NODE "\" ] # mine\n");
        check(NAME " = [\n    '/dev/null',\n]\n", NAME " = [\n    '/dev/null',\n    \"" NODE "\",\n]\n");
        check(NAME "=[]", NAME "=[\"/dev/null\", \"" NODE "\"]");
        check(NAME " = [ \"" NODE "\", \"/dev/null\" ]\n", NAME " = [ \"" NODE "\", \"/dev/null\" ]\n");
}

static void test_only_the_first_is_made_longer(void **state)
{
        check(NAME " = [ \"/dev/null\" ]\n" NAME " = [ \"b\" ]\n",
              NAME " = [ \"/dev/null\", \"" NODE "\" ]\n" NAME " = [ \"b\" ]\n");
}

#define SHIPPED "# Devices.\n#" NAME " = [\n#    \"/dev/null\", \"/dev/zero\",\n#    \"/dev/kvm\"\n#]\n"

static void test_shipped_default(void **state)
{
        check(SHIPPED "#\nuser = \"a\"\n",
              SHIPPED NAME " = [\n    \"/dev/null\",\n    \"/dev/zero\",\n    \"/dev/kvm\",\n    \"" NODE "\"\n]\n"
                           "#\nuser = \"a\"\n");
}

static void test_default_that_does_not_end(void **state)
{
        check("#" NAME " = [\n#    \"/dev/zero\",\n\na = 1",
              "#" NAME " = [\n#    \"/dev/zero\",\n\na = 1\n" NAME " = [\n    \"/dev/full\",\n    \"/dev/null\",\n    \"" NODE
              "\"\n]\n");
        check("", NAME " = [\n    \"/dev/full\",\n    \"/dev/null\",\n    \"" NODE "\"\n]\n");
}

static void refuse(const char *text, char *word, const char *expected)
{
        char *const words[] = { word, NULL };
        _autofree_ char *after = NULL, *error = NULL;

        assert_int_equal(virconf_add(text, NAME, words, NULL, &after, &error), -EBADMSG);
        assert_null(after);
        assert_string_equal(error, expected);
}

static void test_refused(void **state)
{
        char node[] = NODE, quoted[] = "a\"b";

        refuse("\n" NAME " = \"a\"\n", node, "line 2: " NAME " should be a list");
        refuse("user = vfio\n", node, "line 1: there should be a number, or a value in quotes, not \"vfio\"");
        refuse("", quoted, NAME ": a word cannot be put in quotes");
        refuse("x = \"\"\"\n" SHIPPED "\"\"\"\n", node, NAME " cannot be added: what looks like a comment is none");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_first_counts),
                cmocka_unit_test(test_mistakes),
                cmocka_unit_test(test_longer),
                cmocka_unit_test(test_only_the_first_is_made_longer),
                cmocka_unit_test(test_shipped_default),
                cmocka_unit_test(test_default_that_does_not_end),
                cmocka_unit_test(test_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
