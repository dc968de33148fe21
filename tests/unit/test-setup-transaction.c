/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Domains and files in one transaction, with libvirt's test driver: its domains
 * live as long as somebody is connected, so each test stays so. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "client/setup/domain-store.h"
#include "client/setup/transaction.h"
#include "tests/unit/setup-root.h"

#define FILE_PATH "/etc/new/folder/file"
#define CONNECT "test:///default"

struct world {
        struct setup_root *root;
        struct domain_store *domains;
        struct store *store;
        struct plan plan;
        char *before; /* definition */
};

/* --- the world ---------------------------------------------------------------------- */

static char *definition(struct world *w)
{
        char *xml = NULL;

        assert_int_equal(domain_store_read(w->domains, "test", &xml, NULL), 0);
        return xml;
}

/* Owned by the caller. */
static char *with_title(const char *xml, const char *title)
{
        const char *end = strstr(xml, "</name>");

        assert_non_null(end);
        end += strlen("</name>");
        return xasprintf("%.*s<title>%s</title>%s", (int) (end - xml), xml, title, end);
}

/* As somebody else would. */
static void set_title(struct world *w, const char *title)
{
        _autofree_ char *xml = with_title(w->before, title), *error = NULL;

        assert_int_equal(domain_store_define(w->domains, xml, &error), 0);
}

static int open_world(void **state)
{
        struct world *w = xnew0(struct world, 1);
        _autofree_ char *after = NULL;
        char *error = NULL;

        w->root = setup_root_new();
        setup_root_folder(w->root, "/etc");
        assert_int_equal(domain_store_open(CONNECT, &w->domains, &error), 0);
        assert_int_equal(store_open(setup_root_open(w->root), true, &w->store), 0);
        assert_int_equal(domain_store_read(w->domains, "test", &w->before, NULL), 0);
        after = with_title(w->before, "ours");
        assert_int_equal(plan_set_file(&w->plan, setup_root_open(w->root), "test", FILE_PATH, "ours\n", 0644,
                                       VALIDATE_NONE, "a file"), 0);
        plan_add_domain(&w->plan, "test", "test", w->before, after, "a title");
        *state = w;
        return 0;
}

static int close_world(void **state)
{
        struct world *w = *state;

        plan_clear(&w->plan);
        (void) store_free(w->store);
        (void) domain_store_free(w->domains);
        (void) setup_root_free(w->root);
        free(w->before);
        free(w);
        return 0;
}

static enum transaction_result apply(struct world *w, char **ret_error)
{
        char connect[] = CONNECT;
        struct choices c = { .connect = connect };
        struct transaction_options o = { .no_rebuild = true };

        return transaction_apply(w->store, &w->plan, &c, &o, ret_error);
}

static enum transaction_result undo(struct world *w, bool force, char **ret_error)
{
        _cleanup_(record_clear) struct record r = { 0 };
        struct transaction_options o = { .no_rebuild = true, .force = force };

        assert_int_equal(store_newest(w->store, &r), 0);
        return transaction_undo(w->store, &r, &o, ret_error);
}

static void assert_as_before(struct world *w)
{
        _autofree_ char *now = definition(w);

        assert_string_equal(now, w->before);
        assert_false(root_exists(setup_root_open(w->root), "/etc/new"));
}

static void assert_applied(struct world *w, const char *title)
{
        _autofree_ char *now = definition(w), *expected = xasprintf("<title>%s</title>", title), *text = NULL;

        assert_non_null(strstr(now, expected));
        assert_int_equal(root_read(setup_root_open(w->root), FILE_PATH, &text, NULL), 0);
        assert_string_equal(text, "ours\n");
}

/* --- tests -------------------------------------------------------------------------- */

static void test_apply_and_undo(void **state)
{
        struct world *w = *state;
        _autofree_ char *error = NULL;

        assert_int_equal(apply(w, &error), TRANSACTION_DONE);
        assert_applied(w, "ours");
        assert_int_equal(undo(w, false, &error), TRANSACTION_DONE);
        assert_as_before(w);
}

/* A command that the machine made of files does not have. */
static void test_failure_before_domains(void **state)
{
        struct world *w = *state;
        _autofree_ char *error = NULL;
        char **argv = xnew0(char *, 2);

        argv[0] = xstrdup("/does/not/exist");
        plan_add_command(&w->plan, "test", argv, "it fails")->no_undo = true;
        assert_int_equal(apply(w, &error), TRANSACTION_FAILED);
        assert_non_null(strstr(error, "/does/not/exist"));
        assert_as_before(w);
}

static void test_failure_of_a_domain(void **state)
{
        struct world *w = *state;
        _autofree_ char *error = NULL;

        plan_add_domain(&w->plan, "test", "other", NULL, "<domain type='test'><name>other</name></domain>", "it fails");
        assert_int_equal(apply(w, &error), TRANSACTION_FAILED);
        assert_non_null(strstr(error, "other"));
        assert_as_before(w);
}

/* Edited in virt-manager, say: that must not be lost without a word. */
static void test_domain_changed_since(void **state)
{
        struct world *w = *state;
        _autofree_ char *error = NULL, *forced = NULL;

        assert_int_equal(apply(w, &error), TRANSACTION_DONE);
        set_title(w, "theirs");
        assert_int_equal(undo(w, false, &error), TRANSACTION_REFUSED);
        assert_non_null(strstr(error, "the domain test"));
        assert_applied(w, "theirs");
        assert_int_equal(undo(w, true, &forced), TRANSACTION_DONE);
        assert_as_before(w);
}

/* Nothing was done to the domain, so there is nothing to ask libvirt for when it is taken back. */
static void test_no_libvirt(void **state)
{
        struct world *w = *state;
        struct choices c = { 0 };
        struct transaction_options o = { 0 };
        _autofree_ char *error = NULL;

        assert_int_equal(transaction_apply(w->store, &w->plan, &c, &o, &error), TRANSACTION_FAILED);
        assert_non_null(strstr(error, "libvirt of"));
        assert_as_before(w);
}

/* In a rescue system: the files are taken back there, the domain once its own system is up again. */
static void test_rescue(void **state)
{
        struct world *w = *state;
        _autofree_ char *error = NULL, *rest = NULL, *now = NULL;
        _cleanup_(record_clear) struct record r = { 0 };
        struct transaction_options o = { .no_rebuild = true };

        assert_int_equal(apply(w, &error), TRANSACTION_DONE);
        assert_int_equal(store_newest(w->store, &r), 0);
        json_object_object_del(r.plan, "connect");
        assert_int_equal(transaction_undo(w->store, &r, &o, &error), TRANSACTION_INCOMPLETE);
        assert_non_null(strstr(error, "libvirt of")); /* not one that is not to be had by chance */
        assert_false(root_exists(setup_root_open(w->root), "/etc/new"));
        now = definition(w);
        assert_non_null(strstr(now, "<title>ours</title>"));
        assert_int_equal(undo(w, false, &rest), TRANSACTION_DONE);
        assert_as_before(w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_apply_and_undo, open_world, close_world),
                cmocka_unit_test_setup_teardown(test_failure_before_domains, open_world, close_world),
                cmocka_unit_test_setup_teardown(test_failure_of_a_domain, open_world, close_world),
                cmocka_unit_test_setup_teardown(test_domain_changed_since, open_world, close_world),
                cmocka_unit_test_setup_teardown(test_no_libvirt, open_world, close_world),
                cmocka_unit_test_setup_teardown(test_rescue, open_world, close_world),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
