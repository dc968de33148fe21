/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Words in assignments of /etc/default/grub and its like, each named after what
 * other tools have made of such a file. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/setup/shell-assign.h"

#define NAME "GRUB_CMDLINE_LINUX_DEFAULT"

static void expect(const char *before, const char *after)
{
        char *words[] = { (char *) "iommu=pt", NULL };
        _autofree_ char *text = NULL, *again = NULL;

        assert_int_equal(shell_assign_add(before, NAME, words, &text), 0);
        assert_string_equal(text, after);
        assert_int_equal(shell_assign_add(text, NAME, words, &again), 0);
        assert_string_equal(again, after);
}

static void expect_refused(const char *text)
{
        char *words[] = { (char *) "iommu=pt", NULL };
        _autofree_ char *after = NULL;

        assert_int_equal(shell_assign_add(text, NAME, words, &after), -EBADMSG);
        assert_null(after);
}

static void test_quotes_of_either_kind_or_none(void **state)
{
        expect(NAME "=\"quiet\"\n", NAME "=\"quiet iommu=pt\"\n");
        expect(NAME "='quiet'\n", NAME "='quiet iommu=pt'\n");
        expect(NAME "=quiet\n", NAME "=\"quiet iommu=pt\"\n");
}

static void test_value_that_is_empty(void **state)
{
        expect(NAME "=\"\"\n", NAME "=\"iommu=pt\"\n");
        expect(NAME "=''\n", NAME "='iommu=pt'\n");
        expect(NAME "=\n", NAME "=\"iommu=pt\"\n");
        expect(NAME "= # none\n", NAME "=\"iommu=pt\" # none\n");
}

static void test_comment_behind_the_value(void **state)
{
        expect(NAME "=\"quiet\" # \"nosplash\"\n", NAME "=\"quiet iommu=pt\" # \"nosplash\"\n");
        expect(NAME "=quiet # don't\nX=1\n", NAME "=\"quiet iommu=pt\" # don't\nX=1\n");
}

static void test_assignment_in_a_comment_is_none(void **state)
{
        expect("#" NAME "=\"a\"\n", "#" NAME "=\"a\"\n" NAME "=\"iommu=pt\"\n");
        expect("# don't\n" NAME "=\"a\"\n", "# don't\n" NAME "=\"a iommu=pt\"\n");
}

static void test_last_assignment_counts(void **state)
{
        expect(NAME "=\"a\"\n" NAME "+=\" b\"\n", NAME "=\"a\"\n" NAME "+=\" b iommu=pt\"\n");
        expect(NAME "=\"iommu=pt\"\n" NAME "=b\n", NAME "=\"iommu=pt\"\n" NAME "=\"b iommu=pt\"\n");
}

static void test_name_that_only_begins_so(void **state)
{
        expect(NAME "_XEN=\"a\"\n" NAME "=\"b\"\n", NAME "_XEN=\"a\"\n" NAME "=\"b iommu=pt\"\n");
        expect("MY_" NAME "=\"a\"\n", "MY_" NAME "=\"a\"\n" NAME "=\"iommu=pt\"\n");
}

static void test_continued_lines(void **state)
{
        expect(NAME "=\"quiet \\\n  splash\"\n", NAME "=\"quiet \\\n  splash iommu=pt\"\n");
        expect("X=\"\\\"\"\n" NAME "=a\n", "X=\"\\\"\"\n" NAME "=\"a iommu=pt\"\n");
}

static void test_word_that_is_there_is_not_doubled(void **state)
{
        expect(NAME "=\"iommu=pt quiet\"\n", NAME "=\"iommu=pt quiet\"\n");
        /* but a longer one is another word */
        expect(NAME "=\"iommu=ptx\"\n", NAME "=\"iommu=ptx iommu=pt\"\n");
}

static void test_no_line_end_at_the_end(void **state)
{
        expect(NAME "='quiet'", NAME "='quiet iommu=pt'");
        expect("X=1", "X=1\n" NAME "=\"iommu=pt\"\n");
        expect("", NAME "=\"iommu=pt\"\n");
        expect_refused("X=1\\");
}

static void test_unquoted_words_are_a_command(void **state)
{
        expect_refused(NAME "=quiet splash\n");
}

static void test_quotes_that_do_not_end(void **state)
{
        expect_refused(NAME "=\"quiet\nX=1\n");
        expect_refused(NAME "=\"quiet\nX=\"1\"\n");
        expect_refused("X=1 \\");
        expect_refused("X=1 \\\n");
        expect_refused("X='1\n" NAME "=a\n");
}

static void test_value_in_pieces(void **state)
{
        expect_refused(NAME "='quiet'\"$x\"\n");
        expect_refused(NAME "=\"$(cat \"/x\")\"\n");
        expect_refused(NAME "=$(cat)\n");
        expect_refused(NAME "=(a)\n");
        expect_refused(NAME "=a\\ b\n");
}

/* One more at the end would win over it, and its words were lost. */
static void test_assignment_under_a_condition(void **state)
{
        expect_refused("[ -e /x ] && " NAME "=\"quiet\"\n");
        expect_refused("if x; then " NAME "=\"quiet\"; fi\n");
        expect_refused(NAME "=\"a\"\n[ -e /x ] || " NAME "+=\" b\"\n");
}

static void test_assignment_within_another_value(void **state)
{
        expect_refused("HELP=\"\n" NAME "=quiet\n\"\n");
}

static void test_words_that_a_shell_would_change(void **state)
{
        static const char *const bad[] = { "", "a b", "a\"b", "a'b", "$x", "`x`", "a;b", "a#b", "a\\b" };

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                char *words[] = { (char *) bad[i], NULL };
                _autofree_ char *after = NULL;

                assert_int_equal(shell_assign_add(NAME "=\"a\"\n", NAME, words, &after), -EINVAL);
                assert_null(after);
        }
}

static void test_nothing_to_add(void **state)
{
        _autofree_ char *text = NULL;

        assert_int_equal(shell_assign_add("X=1", NAME, NULL, &text), 0);
        assert_string_equal(text, "X=1");
}

static void test_limine_index(void **state)
{
        static const char before[] = "KERNEL_CMDLINE[fallback]=\"x\"\nKERNEL_CMDLINE[default]+='nvme_load=YES'\n";
        char *words[] = { (char *) "a", (char *) "b", NULL };
        _autofree_ char *text = NULL;
        _cleanup_(strv_freep) char **there = NULL;

        assert_int_equal(shell_assign_add(before, "KERNEL_CMDLINE[default]", words, &text), 0);
        assert_string_equal(text, "KERNEL_CMDLINE[fallback]=\"x\"\nKERNEL_CMDLINE[default]+='nvme_load=YES a b'\n");
        assert_int_equal(shell_assign_words(text, "KERNEL_CMDLINE[default]", &there), 0);
        assert_int_equal(words_count(there), 3);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_quotes_of_either_kind_or_none),
                cmocka_unit_test(test_value_that_is_empty),
                cmocka_unit_test(test_comment_behind_the_value),
                cmocka_unit_test(test_assignment_in_a_comment_is_none),
                cmocka_unit_test(test_last_assignment_counts),
                cmocka_unit_test(test_name_that_only_begins_so),
                cmocka_unit_test(test_continued_lines),
                cmocka_unit_test(test_word_that_is_there_is_not_doubled),
                cmocka_unit_test(test_no_line_end_at_the_end),
                cmocka_unit_test(test_unquoted_words_are_a_command),
                cmocka_unit_test(test_quotes_that_do_not_end),
                cmocka_unit_test(test_value_in_pieces),
                cmocka_unit_test(test_assignment_under_a_condition),
                cmocka_unit_test(test_assignment_within_another_value),
                cmocka_unit_test(test_words_that_a_shell_would_change),
                cmocka_unit_test(test_nothing_to_add),
                cmocka_unit_test(test_limine_index),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
