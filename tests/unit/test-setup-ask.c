/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The questions: what Enter alone chooses, what each answer chooses, and what is
 * shown beside them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "client/setup/ask.h"
#include "tests/unit/setup-root.h"

static char *two[] = { (char *) "debian", (char *) "win\033[31m10", NULL };
static char *one[] = { (char *) "win10", NULL };

struct talk {
        struct choices choices;
        char *shown; /* owned */
        int result;
};

static void talk_clear(struct talk *t)
{
        choices_clear(&t->choices);
        free(t->shown);
}

/* t->choices: what options have said before. */
static void talk(const struct setup_root *s, char *const *domains, const char *answers, struct talk *t)
{
        _cleanup_(machine_freep) struct machine *m = NULL;
        size_t size;
        FILE *in = fmemopen((void *) answers, strlen(answers), "r"), *out = open_memstream(&t->shown, &size);

        assert_non_null(in);
        assert_non_null(out);
        assert_int_equal(machine_load(setup_root_open(s), &m), 0);
        t->result = ask_choices(m, domains, in, out, &t->choices);
        (void) fclose(in);
        (void) fclose(out);
}

static void check_contains(const char *text, const char *part)
{
        if (!strstr(text, part))
                fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static void test_enter_chooses_what_is_safe(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        _cleanup_(talk_clear) struct talk t = { .result = 0 };

        talk(s, two, "\n\n\n\n", &t);
        assert_int_equal(t.result, 0);
        assert_int_equal(words_count(t.choices.gpus), 1);
        assert_string_equal(t.choices.gpus[0], "0000:0a:00.0");
        assert_int_equal(t.choices.bind, BIND_MANAGED);
        assert_null(t.choices.domain);
        assert_null(t.choices.cpus);
        check_contains(t.shown, "AMD, 2 cores, 4 CPUs");
        check_contains(t.shown, "GRUB with /etc/default/grub.d");
        check_contains(t.shown, "shows this machine's picture");
        check_contains(t.shown, "*  2  0000:0a:00.0");
        check_contains(t.shown, "0000:0a:00.1");
        check_contains(t.shown, "goes along");
        assert_null(strchr(t.shown, '\033'));
}

static void test_the_only_domain_is_preselected(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        _cleanup_(talk_clear) struct talk t = { .result = 0 };

        talk(s, one, "\n1\n\n1\n", &t);
        assert_int_equal(t.result, 0);
        assert_int_equal(t.choices.bind, BIND_IDS);
        assert_string_equal(t.choices.domain, "win10");
        assert_string_equal(t.choices.cpus, "auto");
        check_contains(t.shown, "1,3: 1 core with 2 threads each");
}

static void test_no_card(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        _cleanup_(talk_clear) struct talk t = { .result = 0 };

        talk(s, NULL, "0\n", &t);
        assert_int_equal(t.result, 0);
        assert_true(t.choices.no_gpu);
        assert_null(t.choices.gpus);
        assert_null(strstr(t.shown, "leave the host"));
}

static void test_no_spare_card(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        _cleanup_(talk_clear) struct talk t = { .result = 0 };

        setup_root_remove(s, "/sys/bus/pci/devices/0000:0a:00.0");
        talk(s, NULL, "\n", &t);
        assert_int_equal(t.result, 0);
        assert_true(t.choices.no_gpu);
}

static void test_twins_go_by_address(void **state)
{
        static const struct setup_pci twin = { "0000:0b:00.0", "/0000:00:03.0", 0x030000, 0x10de, 0x1b80,
                                               "nouveau",      6,               0 };
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        _cleanup_(talk_clear) struct talk t = { .result = 0 };

        setup_root_pci(s, &twin);
        talk(s, NULL, "2\n1\n", &t);
        assert_int_equal(t.result, 0);
        assert_string_equal(t.choices.gpus[0], "0000:0a:00.0");
        assert_int_equal(t.choices.bind, BIND_ADDRESS);
        check_contains(t.shown, "by its address");
}

static void test_own_list_of_cpus(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        _cleanup_(talk_clear) struct talk t = { .result = 0 };

        /* All of them, and one that is not there, are refused. */
        talk(s, one, "\n\n\n0-3\n4\n1,3\n", &t);
        assert_int_equal(t.result, 0);
        assert_string_equal(t.choices.cpus, "1,3");
}

static void test_nonsense(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        _cleanup_(talk_clear) struct talk t = { .result = 0 };

        talk(s, one, "-1\n99999999999999999999\nyes\n", &t);
        assert_int_equal(t.result, -EINVAL);
        check_contains(t.shown, "A number from 0 to 2, please");
        check_contains(t.shown, "--gpu=ADDRESS");
}

static void test_end_of_answers(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        _cleanup_(talk_clear) struct talk t = { .result = 0 };

        talk(s, one, "2\n", &t);
        assert_int_equal(t.result, -ECANCELED);
}

static void test_options_are_not_asked(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        _cleanup_(talk_clear) struct talk t = { .choices = { .no_gpu = true, .domain = xstrdup("win10") } };

        talk(s, two, "1\n", &t);
        assert_int_equal(t.result, 0);
        assert_string_equal(t.choices.cpus, "auto");
        assert_null(strstr(t.shown, "Which graphics card"));
        assert_null(strstr(t.shown, "Which domain"));
}

static void check_yes(const char *answer, int expected)
{
        FILE *in = fmemopen((void *) answer, strlen(answer), "r"), *out = fopen("/dev/null", "w");

        assert_int_equal(ask_yes(in, out, "Apply this?"), expected);
        (void) fclose(in);
        (void) fclose(out);
}

static void test_yes(void **state)
{
        check_yes("y\n", 1);
        check_yes(" Yes \n", 1);
        check_yes("\n", 0);
        check_yes("yeah\n", 0);
        check_yes("n", 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_enter_chooses_what_is_safe),
                cmocka_unit_test(test_the_only_domain_is_preselected),
                cmocka_unit_test(test_no_card),
                cmocka_unit_test(test_no_spare_card),
                cmocka_unit_test(test_twins_go_by_address),
                cmocka_unit_test(test_own_list_of_cpus),
                cmocka_unit_test(test_nonsense),
                cmocka_unit_test(test_end_of_answers),
                cmocka_unit_test(test_options_are_not_asked),
                cmocka_unit_test(test_yes),
        };

        return cmocka_run_group_tests_name("setup-ask", tests, NULL, NULL);
}
