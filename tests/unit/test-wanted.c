/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which guests there are to be, of a configuration and libvirt's domains. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/log.h"
#include "daemon/guest/wanted.h"

#define DOMAINS_MAX 40U

/* domains.c is not linked. */
struct domains {
        struct domain domains[DOMAINS_MAX], *order[DOMAINS_MAX];
        unsigned n;
};

unsigned domains_count(const struct domains *d)
{
        return d->n;
}

const struct domain *domains_at(const struct domains *d, unsigned i)
{
        return d->order[i];
}

static void domains_clear(struct domains *d)
{
        for (unsigned i = 0; i < d->n; i++)
                (void) domain_xml_free(d->domains[i].xml);
        free(d);
}

#define PCI "<hostdev mode='subsystem' type='pci'/>"

/* metadata: attributes of our element. */
static void add_domain(struct domains *d, const char *name, const char *metadata, const char *devices)
{
        struct domain *domain = &d->domains[d->n];
        _autofree_ char *xml = NULL, *error = NULL;

        assert_true(d->n < DOMAINS_MAX);
        xml = xasprintf("<domain type='kvm'><name>%s</name><uuid>0a1b2c3d-1111-4222-8333-%012u</uuid><metadata>"
                        "<guest xmlns='" DOMAIN_METADATA_URI "' %s/></metadata><devices>%s</devices></domain>",
                        name, d->n, metadata, devices);
        if (domain_xml_parse(xml, strlen(xml), &domain->xml, &error) < 0)
                fail_msg("%s: %s", xml, error);
        d->order[d->n++] = domain;
}

/* Names separated by spaces, each with a PCI device. */
static struct domains *domains_of(const char *names)
{
        struct domains *d = xnew0(struct domains, 1);
        char copy[256], *rest = copy, *name;

        (void) snprintf(copy, sizeof(copy), "%s", names);
        while ((name = strsep(&rest, " ")))
                if (*name)
                        add_domain(d, name, "", PCI);
        return d;
}

/* held: "NAME=DOMAIN ": a guest of that name exists, for that domain. */
static bool is_held(const char *name, const char *domain, void *userdata)
{
        _autofree_ char *list = xasprintf(" %s ", (const char *) userdata);
        _autofree_ char *any = xasprintf(" %s=", name), *same = xasprintf(" %s=%s ", name, domain);

        return strstr(list, any) && !strstr(list, same);
}

static struct wanted *want(const char *config, const struct domains *d, const char *held)
{
        _cleanup_(config_freep) struct config *c = NULL;
        _autofree_ char *error = NULL;

        if (config_parse(config, strlen(config), "t.conf", NULL, &c, &error) < 0)
                fail_msg("%s", error);
        return wanted_new(c, d, is_held, (void *) held);
}

/* "NAME=DOMAIN", "*" before what is configured, "/SOCKET" for qmp; in their order. */
static char *show(const struct wanted *w)
{
        char *text = xstrdup("");

        for (unsigned i = 0; i < w->n_guests; i++) {
                const struct wanted_guest *g = &w->guests[i];
                _autofree_ char *before = text;

                text = xasprintf("%s%s%s%s=%s", before, i ? " " : "", g->configured ? "*" : "", g->config.name,
                                 g->config.qmp ?: g->config.domain ?: "-");
                assert_ptr_equal(wanted_find(w, g->config.name), g);
        }
        return text;
}

static void check(const char *config, const struct domains *d, const char *held, const char *expected)
{
        _cleanup_(wanted_freep) struct wanted *w = want(config, d, held);
        _autofree_ char *shown = show(w);

        assert_string_equal(shown, expected);
}

static const struct {
        const char *config, *domains, *held, *expected;
} cases[] = {
        { "", "", "", "" },
        /* sections: with a socket, with a domain that is there or not, with neither */
        { "guests = ( { name = \"a\"; qmp = \"/q\"; } );", "", "", "*a=/q" },
        { "guests = ( { name = \"a\"; qmp = \"/q\"; } );", "a", "", "*a=/q a-2=a" },
        { "guests = ( { name = \"a\"; domain = \"x\"; } );", "", "", "*a=x" },
        { "guests = ( { name = \"a\"; domain = \"x\"; } );", "x", "", "*a=x" },
        { "guests = ( { name = \"a\"; } );", "", "", "*a=a" },
        { "guests = ( { name = \"a\"; } );", "a", "", "*a=a" },
        { "guests = ( { name = \"a\"; } );", "A", "", "*a=A" },
        { "guests = ( { name = \"a\"; domain = \"0A1B2C3D-1111-4222-8333-000000000000\"; } );", "x", "",
          "*a=0A1B2C3D-1111-4222-8333-000000000000" },
        /* the name of a section is its own even while its domain is not there */
        { "guests = ( { name = \"a\"; domain = \"x\"; } );", "a", "", "a-2=a *a=x" },
        /* sockets first, then the domains of sections, then adopted ones, then the absent */
        { "guests = ( { name = \"z\"; }, { name = \"b\"; }, { name = \"a\"; qmp = \"/q\"; } );", "m b k", "",
          "*a=/q *b=b k=k m=m *z=z" },
        /* adopted ones by the name of the domain */
        { "", "b a c", "", "a=a b=b c=c" },
        { "libvirt = { adopt = \"none\"; };", "a", "", "" },
        { "libvirt = { ignore = [ \"b\" ]; };", "a b", "", "a=a" },
        /* the section "win" is about the domain of that very name, if there is one */
        { "guests = ( { name = \"win\"; } );", "Win win", "", "*win=win win-2=Win" },
        { "guests = ( { name = \"win\"; } );", "WIN Win", "", "*win=WIN win-2=Win" },
        { "", "win Win WIN", "", "win=WIN win-2=Win win-3=win" },
        /* one that exists keeps its name, whoever comes */
        { "", "win Win", "win=win", "win-2=Win win=win" },
        { "", "win Win", "win=Win", "win=Win win-2=win" },
        { "", "win Win", "win=gone", "win-2=Win win-3=win" },
        { "", "a", "a=gone", "a-2=a" },
        { "", "a", "a=a", "a=a" },
};

static void test_cases(void **state)
{
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_(wanted_freep) struct wanted *w = NULL;
                _autofree_ char *shown = NULL;
                struct domains *d = domains_of(cases[i].domains);

                w = want(cases[i].config, d, cases[i].held);
                shown = show(w);
                if (!streq(shown, cases[i].expected))
                        fail_msg("case %zu, [%s] with %s: %s; expected %s", i, cases[i].domains, cases[i].config,
                                 shown, cases[i].expected);
                domains_clear(d);
        }
}

static void swap(struct domains *d, unsigned i, unsigned k)
{
        struct domain *domain = d->order[i];

        d->order[i] = d->order[k];
        d->order[k] = domain;
}

/* Every order of the first n (Heap's algorithm). */
static void permute(struct domains *d, unsigned n, const char *config, const char *held, const char *expected)
{
        if (n <= 1) {
                check(config, d, held, expected);
                return;
        }
        for (unsigned i = 0; i < n; i++) {
                permute(d, n - 1, config, held, expected);
                swap(d, n % 2 ? 0 : i, n - 1);
        }
}

static void test_order_of_libvirts_list(void **state)
{
        struct domains *d = domains_of("win Win WIN lin Lin");

        permute(d, d->n, "", "", "lin=Lin win=WIN win-2=Win lin-2=lin win-3=win");
        permute(d, d->n, "", "win=win", "lin=Lin win-2=WIN win-3=Win lin-2=lin win=win");
        permute(d, d->n, "guests = ( { name = \"win\"; }, { name = \"lin\"; domain = \"lin\"; } );", "",
                "*lin=lin *win=win lin-2=Lin win-2=WIN win-3=Win");
        domains_clear(d);
}

/* The section that names a domain by its UUID is not another one's whatever that is called. */
static void test_section_by_uuid(void **state)
{
        struct domains *d = domains_of("x win");

        permute(d, 2, "guests = ( { name = \"win\"; domain = \"0a1b2c3d-1111-4222-8333-000000000000\"; } );", "",
                "win-2=win *win=0a1b2c3d-1111-4222-8333-000000000000");
        domains_clear(d);
}

static void test_metadata(void **state)
{
        struct domains *d = xnew0(struct domains, 1);
        _cleanup_(wanted_freep) struct wanted *w = NULL;

        add_domain(d, "no", "adopt='no'", PCI);
        add_domain(d, "yes", "adopt='yes' name='desk' toggle='f1'", "");
        add_domain(d, "same", "adopt='yes' toggle='f2'", "");
        add_domain(d, "wrong", "toggle='nosuchkey'", PCI);
        w = want("guests = ( { name = \"b\"; toggle = [ \"f2\" ]; } );", d, "");
        assert_int_equal(w->n_guests, 4);
        assert_null(wanted_find(w, "no"));
        assert_null(wanted_find(w, "desk")->note);
        assert_int_equal(wanted_find(w, "desk")->config.toggle.n_keys, 1);
        assert_non_null(strstr(wanted_find(w, "same")->note, "left out"));
        assert_int_equal(wanted_find(w, "same")->config.toggle.n_keys, 0);
        assert_null(wanted_find(w, "wrong")->note); /* domains.c says it, once */
        assert_int_equal(wanted_find(w, "wrong")->config.toggle.n_keys, 0);
        domains_clear(d);
}

static unsigned count_configured(const struct wanted *w)
{
        unsigned n = 0;

        for (unsigned i = 0; i < w->n_guests; i++)
                n += w->guests[i].configured;
        return n;
}

/* No more than a router takes; sections and those that come first by name are among them. */
static void test_limit(void **state)
{
        struct domains *d = xnew0(struct domains, 1);
        _cleanup_(wanted_freep) struct wanted *w = NULL;
        char name[16];

        for (unsigned i = DOMAINS_MAX; i > 0; i--) {
                (void) snprintf(name, sizeof(name), "d%02u", i);
                add_domain(d, name, "", PCI);
        }
        w = want("guests = ( { name = \"d40\"; }, { name = \"q\"; qmp = \"/q\"; } );", d, "");
        assert_int_equal(w->n_guests, CONFIG_GUESTS_MAX);
        assert_int_equal(count_configured(w), 2);
        assert_string_equal(w->guests[0].config.name, "q");
        assert_string_equal(w->guests[1].config.name, "d40");
        assert_string_equal(w->guests[2].config.name, "d01");
        assert_string_equal(w->guests[CONFIG_GUESTS_MAX - 1].config.name, "d29");
        domains_clear(d);
}

/* A section has its place whether its domain is there or not. */
static void test_limit_and_absent_sections(void **state)
{
        struct domains *d = xnew0(struct domains, 1);
        _cleanup_(wanted_freep) struct wanted *w = NULL;
        char name[16];

        for (unsigned i = 0; i < DOMAINS_MAX; i++) {
                (void) snprintf(name, sizeof(name), "d%02u", i);
                add_domain(d, name, "", PCI);
        }
        w = want("guests = ( { name = \"x\"; }, { name = \"y\"; } );", d, "");
        assert_non_null(wanted_find(w, "x"));
        assert_non_null(wanted_find(w, "y"));
        assert_int_equal(w->n_guests, CONFIG_GUESTS_MAX);
        domains_clear(d);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cases),
                cmocka_unit_test(test_order_of_libvirts_list),
                cmocka_unit_test(test_section_by_uuid),
                cmocka_unit_test(test_metadata),
                cmocka_unit_test(test_limit),
                cmocka_unit_test(test_limit_and_absent_sections),
        };

        log_set_level(LOG_LEVEL_ERROR);
        return cmocka_run_group_tests_name("wanted", tests, NULL, NULL);
}
