/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/log.h"
#include "daemon/guest/adoption.h"

#define UUID "0a1b2c3d-1111-4222-8333-00000000abcd"

/* A domain, a configuration, the names that others have, and what comes of them. */
struct world {
        struct config *config;
        struct domain_xml *domain;
        const char *taken; /* "a,b," */
        struct guest_config guest;
        const char *reason;
        bool adopted;
};

static bool is_taken(const char *name, void *userdata)
{
        const struct world *w = userdata;
        _autofree_ char *item = xasprintf(",%s,", name), *list = xasprintf(",%s", w->taken);

        return strstr(list, item) != NULL;
}

static void world_clear(struct world *w)
{
        if (w->adopted)
                guest_config_clear(&w->guest);
        (void) config_free(w->config);
        (void) domain_xml_free(w->domain);
}

/* name, config: text; metadata: attributes of our element, or NULL; devices: XML. */
static struct world decide(const char *config, const char *name, const char *metadata, const char *devices,
                           const char *taken)
{
        _autofree_ char *error = NULL, *element = NULL, *xml = NULL;
        struct world w = { .taken = taken };

        element = metadata ? xasprintf("<guest xmlns='" DOMAIN_METADATA_URI "' %s/>", metadata) : xstrdup("");
        xml = xasprintf("<domain type='kvm'><name>%s</name><uuid>" UUID "</uuid><metadata>%s</metadata>"
                        "<devices>%s</devices></domain>",
                        name, element, devices);
        if (domain_xml_parse(xml, strlen(xml), &w.domain, &error) < 0 || w.domain->metadata.error)
                fail_msg("%s: %s", xml, error ? error : w.domain->metadata.error);
        if (config_parse(config, strlen(config), "t.conf", NULL, &w.config, &error) < 0)
                fail_msg("%s", error);
        w.adopted = adoption_decide(w.config, w.domain, is_taken, &w, &w.guest, &w.reason);
        return w;
}

#define PCI "<hostdev mode='subsystem' type='pci'/>"
#define _world_ _cleanup_(world_clear) struct world

/* Which domains. */

static const struct {
        const char *config, *metadata, *devices;
        const char *expected; /* the name, or why not after "!" */
} rules[] = {
        /* the rule */
        { "", NULL, PCI, "win-11" },
        { "", NULL, "", "!no PCI device is passed through to it" },
        { "", NULL, "<hostdev mode='subsystem' type='usb'/>", "!no PCI device is passed through to it" },
        { "", NULL, "<hostdev mode='subsystem' type='mdev'/>", "win-11" },
        { "libvirt = { adopt = \"all\"; };", NULL, "", "win-11" },
        { "libvirt = { adopt = \"none\"; };", NULL, PCI, "!libvirt.adopt is \"none\"" },
        { "libvirt = { only = [ \"lin*\" ]; };", NULL, PCI, "!libvirt.only does not match it" },
        { "libvirt = { only = [ \"lin*\", \"Win*\" ]; };", NULL, PCI, "win-11" },
        { "libvirt = { only = [ \"Win*\" ]; };", NULL, "", "!no PCI device is passed through to it" },
        { "libvirt = { only = [ \"win*\" ]; };", NULL, PCI, "!libvirt.only does not match it" },
        { "libvirt = { only = [ \"0A1B*\" ]; };", NULL, PCI, "win-11" },
        { "libvirt = { ignore = [ \"lin*\" ]; };", NULL, PCI, "win-11" },
        { "libvirt = { ignore = [ \"lin*\", \"Win ??\" ]; };", NULL, PCI, "!libvirt.ignore matches it" },
        { "libvirt = { ignore = [ \"" UUID "\" ]; };", NULL, PCI, "!libvirt.ignore matches it" },
        { "libvirt = { only = [ \"Win*\" ]; ignore = [ \"*11\" ]; };", NULL, PCI, "!libvirt.ignore matches it" },
        /* the metadata */
        { "", "adopt='yes'", "", "win-11" },
        { "libvirt = { adopt = \"none\"; };", "adopt='yes'", "", "win-11" },
        { "libvirt = { ignore = [ \"*\" ]; };", "adopt='yes'", "", "win-11" },
        { "libvirt = { adopt = \"all\"; };", "adopt='no'", PCI, "!its metadata says adopt='no'" },
        { "", "route='grant'", PCI, "win-11" },
        { "", "route='grant'", "", "!no PCI device is passed through to it" },
        /* sections */
        { "guests = ( { name = \"w\"; domain = \"Win 11\"; } );", NULL, "", "w" },
        { "guests = ( { name = \"w\"; domain = \"win 11\"; } );", NULL, "", "!no PCI device is passed through to it" },
        { "guests = ( { name = \"w\"; domain = \"0A1B2C3D-1111-4222-8333-00000000abcd\"; } );", NULL, "", "w" },
        { "guests = ( { name = \"win-11\"; } );", NULL, "", "win-11" },
        { "guests = ( { name = \"win-11\"; domain = \"x\"; } );", NULL, "", "!no PCI device is passed through to it" },
        { "guests = ( { name = \"win-11\"; qmp = \"/q\"; } );", NULL, "", "!no PCI device is passed through to it" },
        { "guests = ( { name = \"win-11\"; domain = \"x\"; } );", NULL, PCI, "win-11-2" },
        { "guests = ( { name = \"win-11\"; qmp = \"/q\"; } );", NULL, PCI, "win-11-2" },
        { "guests = ( { name = \"a\"; }, { name = \"w\"; domain = \"Win 11\"; } ); libvirt = { adopt = \"none\"; };",
          NULL, "", "w" },
        { "guests = ( { name = \"w\"; domain = \"Win 11\"; } ); libvirt = { ignore = [ \"Win*\" ]; };", NULL, "", "w" },
        { "guests = ( { name = \"w\"; domain = \"Win 11\"; } );", "adopt='no'", "", "w" },
        { "guests = ( { name = \"win-11\"; }, { name = \"w\"; domain = \"Win 11\"; } );", NULL, "", "w" },
        /* names */
        { "", "name='desk'", PCI, "desk" },
        { "", "name='desk' adopt='yes'", "", "desk" },
        { "guests = ( { name = \"w\"; domain = \"Win 11\"; } );", "name='desk'", "", "w" },
        { "guests = ( { name = \"desk\"; } );", "name='desk'", "", "desk" },
        { "guests = ( { name = \"desk\"; qmp = \"/q\"; } );", "name='desk'", PCI, "desk-2" },
};

static void test_rules(void **state)
{
        for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
                _world_ w = decide(rules[i].config, "Win 11", rules[i].metadata, rules[i].devices, "");
                _autofree_ char *result = xasprintf("%s%s", w.adopted ? "" : "!", w.adopted ? w.guest.name : w.reason);

                if (!streq(result, rules[i].expected))
                        fail_msg("%zu: \"%s\" instead of \"%s\"", i, result, rules[i].expected);
        }
}

static void test_not_qemu(void **state)
{
        static const char xml[] = "<domain type='lxc'><name>a</name><uuid>" UUID "</uuid></domain>";
        static const char all[] = "libvirt = { adopt = \"all\"; };", *reason = NULL;
        _autofree_ char *error = NULL;
        struct world w = { .taken = "" };

        assert_int_equal(domain_xml_parse(xml, strlen(xml), &w.domain, &error), 0);
        assert_int_equal(config_parse(all, strlen(all), "t.conf", NULL, &w.config, &error), 0);
        assert_false(adoption_decide(w.config, w.domain, is_taken, &w, &w.guest, &reason));
        assert_string_equal(reason, "it is not a QEMU domain");
        world_clear(&w);
}

/* A mistake in the metadata is as if there were none. */
static void test_metadata_with_mistake(void **state)
{
        static const char xml[] = "<domain type='kvm'><name>a</name><uuid>" UUID "</uuid><metadata>"
                                  "<guest xmlns='" DOMAIN_METADATA_URI "' adopt='yes' x=''/></metadata></domain>";
        _autofree_ char *error = NULL;
        struct world w = { .taken = "", .config = config_new() };

        assert_int_equal(domain_xml_parse(xml, strlen(xml), &w.domain, &error), 0);
        assert_false(adoption_decide(w.config, w.domain, is_taken, &w, &w.guest, &w.reason));
        assert_string_equal(w.reason, "no PCI device is passed through to it");
        world_clear(&w);
}

/* Names. */

static void test_make_name(void **state)
{
        static const char *const names[][2] = {
                { "win11", "win11" },
                { "a.b_c-d-", "a.b_c-d-" },
                { "a--b", "a--b" },
                { "Windows 11 (GPU)", "windows-11-gpu" },
                { "  .-_Win", "win" },
                { "a / b", "a-b" },
                { "W\xc3\xa4rme", "w-rme" },
                { "\xd0\x9e\xd0\xba\xd0\xbd\xd0\xb0", "guest" },
                { "", "guest" },
                { "---", "guest" },
                { "Host", "guest-host" },
                { "abcdefghijklmnopqrstuvwxyz012345", "abcdefghijklmnopqrstuvwxyz012345" },
                { "abcdefghijklmnopqrstuvwxyz0123456", "abcdefghijklmnopqrstuvwxyz012345" },
                { "abcdefghijklmnopqrstuvwxyz01234 56", "abcdefghijklmnopqrstuvwxyz01234" },
                { "abcdefghijklmnopqrstuvwxyz0123 456", "abcdefghijklmnopqrstuvwxyz0123-4" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                char name[TARGET_NAME_MAX + 1];

                target_name_make(names[i][0], name);
                assert_string_equal(name, names[i][1]);
                assert_true(target_name_is_valid(name));
        }
}

static void test_numbers(void **state)
{
        static const char *const cases[][3] = {
                { "win", "win,", "win-2" },
                { "win", "win,win-2,win-3,", "win-4" },
                { "abcdefghijklmnopqrstuvwxyz012345", "abcdefghijklmnopqrstuvwxyz012345,",
                  "abcdefghijklmnopqrstuvwxyz0123-2" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _world_ w = decide("", cases[i][0], NULL, PCI, cases[i][1]);
                _autofree_ char *metadata = xasprintf("name='%s'", cases[i][0]);
                _world_ v = decide("", "x", metadata, PCI, cases[i][1]);

                assert_string_equal(w.guest.name, cases[i][2]);
                assert_string_equal(v.guest.name, cases[i][2]);
        }
}

static bool is_always_taken(const char *name, void *userdata)
{
        assert_true(target_name_is_valid(name));
        return true;
}

static void test_no_name_left(void **state)
{
        _world_ w = decide("", "a", NULL, PCI, "");
        struct guest_config guest;
        const char *reason;

        assert_false(adoption_decide(w.config, w.domain, is_always_taken, NULL, &guest, &reason));
        assert_string_equal(reason, "there is no name left for it");
}

/* "Win" came first and has the section; "win" is adopted by the rule, or not. */
static void test_section_of_another(void **state)
{
        static const char config[] = "guests = ( { name = \"win\"; route = \"grant\"; } );";
        _world_ w = decide(config, "win", NULL, PCI, "win,");
        _world_ v = decide(config, "win", NULL, "", "win,");
        _world_ u = decide(config, "Win", NULL, "", "");

        assert_true(w.adopted);
        assert_string_equal(w.guest.name, "win-2");
        assert_int_equal(w.guest.route, ROUTE_AUTO);
        assert_false(v.adopted);
        assert_true(u.adopted);
        assert_string_equal(u.guest.name, "win");
        assert_string_equal(u.guest.domain, "Win");
        assert_int_equal(u.guest.route, ROUTE_GRANT);
}

/* Settings. */

#define ALL_METADATA                                                                               \
        "name='m' toggle='f1' route='virtio' grab-toggle='alt-alt' focus-on-start='yes' timeout-ms='5000'"

static void test_settings_of_metadata(void **state)
{
        static const struct hotkey f1 = { 1, { KEY_F1 }, false };
        static const char *const configs[] = { "", "guests = ( { name = \"m\"; domain = \"" UUID "\"; } );" };

        for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
                _world_ w = decide(configs[i], "Win 11", ALL_METADATA, PCI, "");

                assert_true(w.adopted);
                assert_string_equal(w.guest.name, "m");
                assert_string_equal(w.guest.domain, i ? UUID : "Win 11");
                assert_true(i ? w.guest.toggle.n_keys == 0 : hotkey_equal(&w.guest.toggle, &f1));
                assert_int_equal(w.guest.route, ROUTE_VIRTIO);
                assert_int_equal(w.guest.grab_toggle, GRAB_TOGGLE_ALT_ALT);
                assert_true(w.guest.focus_on_start);
                assert_int_equal(w.guest.timeout_ms, 5000);
                assert_null(w.guest.qmp);
                assert_null(w.guest.user);
        }
}

static void test_settings_of_section(void **state)
{
        static const struct hotkey f2 = { 1, { KEY_F2 }, false };
        _world_ w = decide("guests = ( { name = \"s\"; domain = \"Win 11\"; toggle = [ \"f2\" ]; route = \"attach\";"
                           "grab-toggle = \"shift-shift\"; focus-on-start = true; timeout-ms = 300; } );",
                           "Win 11",
                           "name='m' toggle='f1' route='virtio' grab-toggle='alt-alt' focus-on-start='no' "
                           "timeout-ms='5000'",
                           PCI, "");

        assert_string_equal(w.guest.name, "s");
        assert_string_equal(w.guest.domain, "Win 11");
        assert_true(hotkey_equal(&w.guest.toggle, &f2));
        assert_int_equal(w.guest.route, ROUTE_ATTACH);
        assert_int_equal(w.guest.grab_toggle, GRAB_TOGGLE_SHIFT_SHIFT);
        assert_true(w.guest.focus_on_start);
        assert_int_equal(w.guest.timeout_ms, 300);
}

static void test_settings_by_default(void **state)
{
        _world_ w = decide("", "a", "timeout-ms='700'", PCI, "");
        struct guest_config expected;

        guest_config_init(&expected);
        expected.name[0] = 'a';
        expected.domain = (char[]) { "a" };
        expected.timeout_ms = 700;
        assert_true(guest_config_equal(&w.guest, &expected));
}

static void test_used_hotkey(void **state)
{
        static const struct {
                const char *config;
                bool kept;
        } cases[] = {
                { "", true },
                { "toggle = [ \"f1\" ];", false },
                { "next = [ \"f1\" ];", false },
                { "host = [ \"f1\" ];", false },
                { "host = [ \"f1\", \"f1\" ];", true },
                { "guests = ( { name = \"b\"; toggle = [ \"f1\" ]; } );", false },
                { "guests = ( { name = \"b\"; qmp = \"/q\"; toggle = [ \"f1\" ]; } );", false },
                { "guests = ( { name = \"a\"; toggle = [ \"f1\" ]; } );", true },
                { "guests = ( { name = \"a\"; }, { name = \"b\"; toggle = [ \"f1\" ]; } );", false },
        };

        log_set_level(LOG_LEVEL_ERROR);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _world_ w = decide(cases[i].config, "a", "toggle='f1'", PCI, "");

                assert_true(w.adopted);
                if (w.guest.toggle.n_keys != cases[i].kept)
                        fail_msg("%s", cases[i].config);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rules),
                cmocka_unit_test(test_not_qemu),
                cmocka_unit_test(test_metadata_with_mistake),
                cmocka_unit_test(test_make_name),
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_no_name_left),
                cmocka_unit_test(test_section_of_another),
                cmocka_unit_test(test_settings_of_metadata),
                cmocka_unit_test(test_settings_of_section),
                cmocka_unit_test(test_settings_by_default),
                cmocka_unit_test(test_used_hotkey),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
