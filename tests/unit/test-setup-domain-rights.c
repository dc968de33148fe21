/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The step "domain" with a libvirt that answers as told: one that lets us look
 * only, one whose domain rests, one that fails. The functions of domain-store.h
 * are here, so that the linker does not take them from the library. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/setup/domain-store.h"
#include "client/setup/step.h"
#include "tests/unit/setup-domain.h"
#include "tests/unit/setup-root.h"

struct domain_store {
        bool is_read_only;
        int running; /* as domain_store_is_running() */
        int read;    /* 0, or what reading fails with */
};

static struct domain_store now;

int domain_store_open(const char *uri, struct domain_store **ret, char **ret_error)
{
        *ret = &now;
        return 0;
}

struct domain_store *domain_store_free(struct domain_store *s)
{
        return NULL;
}

bool domain_store_is_read_only(const struct domain_store *s)
{
        return s->is_read_only;
}

int domain_store_read(struct domain_store *s, const char *name, char **ret_xml, char **ret_error)
{
        if (s->read < 0)
                *ret_error = xstrdup("the monitor is on fire");
        else
                *ret_xml = setup_domain_read("virt-manager");
        return s->read;
}

int domain_store_define(struct domain_store *s, const char *xml, char **ret_error)
{
        fail_msg("planning defines nothing");
        return -EIO;
}

int domain_store_undefine(struct domain_store *s, const char *name, char **ret_error)
{
        fail_msg("planning undefines nothing");
        return -EIO;
}

int domain_store_is_running(struct domain_store *s, const char *name, char **ret_error)
{
        if (s->running < 0)
                *ret_error = xstrdup("the monitor is on fire");
        return s->running;
}

int domain_store_list(struct domain_store *s, char ***ret, char **ret_error)
{
        *ret = NULL;
        return 0;
}

int domain_store_find_network(struct domain_store *s, const char *name, char **ret_error)
{
        return 0;
}

static int plan_it(struct domain_store store, struct plan *p, char **ret_error)
{
        _cleanup_(setup_root_freep) struct setup_root *root = setup_root_desktop();
        _cleanup_(machine_freep) struct machine *m = NULL;
        _cleanup_(setup_clear) struct setup s = { .machine = NULL };
        char uri[] = "told:///", name[] = "win10";
        const struct choices c = { .connect = uri, .domain = name };

        now = store;
        assert_int_equal(machine_load(setup_root_open(root), &m), 0);
        assert_int_equal(setup_prepare(m, &c, &s, ret_error), 0);
        return step_domain_plan(&s, p, ret_error);
}

/* It would be defined without its passwords: they were not shown. */
static void test_read_only(void **state)
{
        _cleanup_(plan_clear) struct plan p = { 0 };
        _autofree_ char *error = NULL;

        assert_int_equal(plan_it((struct domain_store) { .is_read_only = true, .running = 1 }, &p, &error), 0);
        assert_int_equal(p.n_domains, 0);
        assert_int_equal(p.n_gates, 0);
        assert_true(setup_domain_has_note(&p, PLAN_BY_HAND, "without its passwords"));
        assert_true(setup_domain_has_note(&p, PLAN_CHANGES, "0000:0a:00.0"));
}

static void test_not_running(void **state)
{
        _cleanup_(plan_clear) struct plan p = { 0 };
        _autofree_ char *error = NULL;

        assert_int_equal(plan_it((struct domain_store) { .running = 0 }, &p, &error), 0);
        assert_int_equal(p.n_domains, 1);
        assert_int_equal(p.n_gates, 0);
}

static void test_failures(void **state)
{
        static const struct domain_store stores[] = { { .read = -EIO }, { .running = -EIO }, { .read = -ENOENT } };

        for (size_t i = 0; i < ARRAY_SIZE(stores); i++) {
                _cleanup_(plan_clear) struct plan p = { 0 };
                _autofree_ char *error = NULL;

                assert_true(plan_it(stores[i], &p, &error) < 0);
                assert_non_null(strstr(error, "on fire"));
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_read_only),
                cmocka_unit_test(test_not_running),
                cmocka_unit_test(test_failures),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
