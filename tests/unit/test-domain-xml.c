/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/text.h"
#include "daemon/guest/domain-xml.h"

#define UUID "0a1b2c3d-1111-4222-8333-00000000abcd"

static struct domain_xml *parse(const char *text, size_t size, char **ret_error)
{
        struct domain_xml *d = NULL;
        int r;

        *ret_error = NULL;
        r = domain_xml_parse(text, size, &d, ret_error);
        assert_int_equal(r < 0, !d);
        assert_int_equal(r < 0, !!*ret_error);
        return d;
}

static struct domain_xml *parse_good(const char *text)
{
        _autofree_ char *error = NULL;
        struct domain_xml *d = parse(text, strlen(text), &error);

        if (error)
                fail_msg("%s: %s", text, error);
        return d;
}

static void assert_refused(const char *text, const char *expected)
{
        _autofree_ char *error = NULL, *printable = NULL;
        _cleanup_(domain_xml_freep) struct domain_xml *d = parse(text, strlen(text), &error);

        if (d)
                fail_msg("accepted: %s", text);
        printable = text_printable(error);
        assert_string_equal(error, printable);
        if (!startswith(error, expected))
                fail_msg("\"%s\" instead of \"%s\"", error, expected);
}

/* What libvirt 9 says of a running domain, shortened only where it repeats. */
static const char running[] =
        "<domain type='kvm' id='3' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n"
        "  <name>Windows 11 (GPU)</name>\n"
        "  <uuid>0A1B2C3D-1111-4222-8333-00000000ABCD</uuid>\n"
        "  <metadata>\n"
        "    <libosinfo:libosinfo xmlns:libosinfo='http://libosinfo.org/xmlns/libvirt/domain/1.0'>\n"
        "      <libosinfo:os id='http://microsoft.com/win/11'/>\n"
        "    </libosinfo:libosinfo>\n"
        "    <vfio:guest xmlns:vfio='urn:vfio-inputd:guest:1' adopt='yes' name='win' toggle='leftctrl f1'\n"
        "        route='virtio' grab-toggle='alt-alt' focus-on-start='yes' timeout-ms='2500'/>\n"
        "  </metadata>\n"
        "  <memory unit='KiB'>16777216</memory>\n"
        "  <vcpu placement='static'>8</vcpu>\n"
        "  <resource>\n    <partition>/machine</partition>\n  </resource>\n"
        "  <os>\n    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>\n  </os>\n"
        "  <features>\n    <acpi/>\n    <kvm>\n      <hidden state='on'/>\n    </kvm>\n  </features>\n"
        "  <devices>\n"
        "    <emulator>/usr/bin/qemu-system-x86_64</emulator>\n"
        "    <input type='tablet' bus='usb'>\n      <alias name='input0'/>\n"
        "      <address type='usb' bus='0' port='1'/>\n    </input>\n"
        "    <input type='mouse' bus='ps2'>\n      <alias name='input1'/>\n    </input>\n"
        "    <input type='evdev'>\n"
        "      <source dev='/dev/input/by-id/vfio-inputd-win-event-kbd' grab='all' grabToggle='alt-alt' repeat='on'/>\n"
        "      <alias name='input2'/>\n    </input>\n"
        "    <input type='evdev'>\n"
        "      <source dev='/dev/input/by-id/vfio-inputd-win-event-mouse'/>\n"
        "      <alias name='input3'/>\n    </input>\n"
        "    <input type='passthrough' bus='virtio'>\n"
        "      <source evdev='/dev/input/event7'/>\n"
        "      <alias name='ua-vfio-inputd-kbd'/>\n"
        "      <address type='pci' domain='0x0000' bus='0x07' slot='0x00' function='0x0'/>\n    </input>\n"
        "    <hostdev mode='subsystem' type='usb' managed='yes'>\n"
        "      <source>\n        <vendor id='0x046d'/>\n        <product id='0xc52b'/>\n      </source>\n"
        "    </hostdev>\n"
        "    <hostdev mode='subsystem' type='pci' managed='yes'>\n"
        "      <driver name='vfio'/>\n"
        "      <source>\n        <address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>\n      </source>\n"
        "      <alias name='hostdev0'/>\n"
        "    </hostdev>\n"
        "    <memballoon model='none'/>\n"
        "  </devices>\n"
        "  <seclabel type='dynamic' model='dac' relabel='yes'>\n    <label>+64055:+64055</label>\n  </seclabel>\n"
        "  <qemu:commandline>\n    <qemu:arg value='-foo'/>\n  </qemu:commandline>\n"
        "</domain>\n";

static void assert_input(const struct domain_input *i, const char *path, bool passthrough, const char *alias)
{
        assert_string_equal(i->path, path);
        assert_int_equal(i->passthrough, passthrough);
        assert_true(streq_null(i->alias, alias));
}

static void test_running(void **state)
{
        _cleanup_(domain_xml_freep) struct domain_xml *d = parse_good(running);

        assert_string_equal(d->name, "Windows 11 (GPU)");
        assert_string_equal(d->uuid, UUID);
        assert_true(d->is_kvm_or_qemu);
        assert_true(d->has_pci_hostdev);
        assert_int_equal(d->n_inputs, 3);
        assert_input(&d->inputs[0], "/dev/input/by-id/vfio-inputd-win-event-kbd", false, "input2");
        assert_input(&d->inputs[1], "/dev/input/by-id/vfio-inputd-win-event-mouse", false, "input3");
        assert_input(&d->inputs[2], "/dev/input/event7", true, "ua-vfio-inputd-kbd");
}

static void test_metadata(void **state)
{
        static const struct hotkey toggle = { 2, { KEY_LEFTCTRL, KEY_F1 }, false };
        _cleanup_(domain_xml_freep) struct domain_xml *d = parse_good(running);
        const struct domain_metadata *m = &d->metadata;

        assert_null(m->error);
        assert_true(m->present);
        assert_int_equal(m->adopt, DOMAIN_ADOPT_YES);
        assert_true(m->set_name && m->set_toggle && m->set_route && m->set_grab_toggle && m->set_focus_on_start &&
                    m->set_timeout_ms);
        assert_string_equal(m->guest.name, "win");
        assert_true(hotkey_equal(&m->guest.toggle, &toggle));
        assert_int_equal(m->guest.route, ROUTE_VIRTIO);
        assert_int_equal(m->guest.grab_toggle, GRAB_TOGGLE_ALT_ALT);
        assert_true(m->guest.focus_on_start);
        assert_int_equal(m->guest.timeout_ms, 2500);
        assert_null(m->guest.qmp);
        assert_null(m->guest.domain);
}

#define DOMAIN_OF(type, inside)                                                                    \
        "<domain type='" type "'><name>a</name><uuid>" UUID "</uuid>" inside "</domain>"
#define DOMAIN(inside) DOMAIN_OF("qemu", inside)
#define DEVICES(inside) DOMAIN("<devices>" inside "</devices>")
#define METADATA(inside) DOMAIN("<metadata>" inside "</metadata>")
#define GUEST(attributes) METADATA("<guest xmlns='urn:vfio-inputd:guest:1' " attributes "/>")

static void test_least(void **state)
{
        _cleanup_(domain_xml_freep) struct domain_xml *d = parse_good(DOMAIN(""));
        struct guest_config defaults;

        guest_config_init(&defaults);
        assert_string_equal(d->name, "a");
        assert_true(d->is_kvm_or_qemu);
        assert_false(d->has_pci_hostdev);
        assert_int_equal(d->n_inputs, 0);
        assert_false(d->metadata.present);
        assert_int_equal(d->metadata.adopt, DOMAIN_ADOPT_BY_RULE);
        assert_null(d->metadata.error);
        assert_true(guest_config_equal(&d->metadata.guest, &defaults));
}

static void test_domain_type(void **state)
{
        static const struct {
                const char *text;
                bool expected;
        } cases[] = {
                { DOMAIN_OF("kvm", ""), true },
                { DOMAIN_OF("qemu", ""), true },
                { DOMAIN_OF("xen", ""), false },
                { DOMAIN_OF("", ""), false },
                { "<domain><name>a</name><uuid>" UUID "</uuid></domain>", false },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_(domain_xml_freep) struct domain_xml *d = parse_good(cases[i].text);

                assert_int_equal(d->is_kvm_or_qemu, cases[i].expected);
        }
}

static void test_hostdev(void **state)
{
        static const struct {
                const char *text;
                bool expected;
        } cases[] = {
                { DEVICES("<hostdev mode='subsystem' type='pci'/>"), true },
                { DEVICES("<hostdev mode='subsystem' type='mdev' model='vfio-pci'/>"), true },
                { DEVICES("<hostdev mode='subsystem' type='usb'/><hostdev mode='subsystem' type='scsi'/>"), false },
                { DEVICES("<hostdev mode='subsystem' type='usb'/><hostdev mode='subsystem' type='mdev'/>"), true },
                { DEVICES("<hostdev mode='capabilities' type='pci'/>"), false },
                { DEVICES("<hostdev mode='subsystem'/>"), false },
                { DEVICES("<x xmlns='urn:x'><hostdev mode='subsystem' type='pci'/></x>"), false },
                { DEVICES("<hostdev xmlns='urn:x' mode='subsystem' type='pci'/>"), false },
                { DOMAIN("<hostdev mode='subsystem' type='pci'/>"), false },
                { METADATA("<devices><hostdev mode='subsystem' type='pci'/></devices>"), false },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_(domain_xml_freep) struct domain_xml *d = parse_good(cases[i].text);

                if (d->has_pci_hostdev != cases[i].expected)
                        fail_msg("%s", cases[i].text);
        }
}

static void test_inputs(void **state)
{
        _cleanup_(domain_xml_freep) struct domain_xml *d =
                parse_good(DEVICES("<input type='evdev'/>"
                                   "<input type='evdev'><source/></input>"
                                   "<input type='evdev'><source dev=''/></input>"
                                   "<input type='evdev'><source evdev='/dev/a'/></input>"
                                   "<input type='passthrough' bus='virtio'><source dev='/dev/b'/></input>"
                                   "<input type='passthrough' bus='usb'><source evdev='/dev/c'/></input>"
                                   "<input type='keyboard' bus='virtio'><source evdev='/dev/d'/></input>"
                                   "<input type='evdev'><alias/><source dev='/dev/&lt;&#xe9;&gt;'/></input>"));

        assert_int_equal(d->n_inputs, 1);
        assert_input(&d->inputs[0], "/dev/<\xc3\xa9>", false, NULL);
}

/* before, then n times item, then after; owned by the caller. */
static char *repeat(const char *before, const char *item, size_t n, const char *after)
{
        size_t length = strlen(item);
        char *text = xnew0(char, strlen(before) + n * length + strlen(after) + 1);
        char *end = stpcpy(text, before);

        for (size_t i = 0; i < n; i++)
                end = stpcpy(end, item);
        strcpy(end, after);
        return text;
}

#define AN_INPUT "<input type='evdev'><source dev='/d'/></input>"
#define BEFORE(inside) "<domain><name>a</name><uuid>" UUID "</uuid>" inside

static void test_bounds(void **state)
{
        _autofree_ char *inputs = repeat(BEFORE("<devices>"), AN_INPUT, 256, "</devices></domain>");
        _autofree_ char *too_many = repeat(BEFORE("<devices>"), AN_INPUT, 257, "</devices></domain>");
        _autofree_ char *large = repeat(BEFORE(""), " ", 1024 * 1024, "</domain>");
        _autofree_ char *ends = repeat("", "</x>", 1000, "</domain>");
        _autofree_ char *deep = repeat(BEFORE(""), "<x>", 1000, ends);
        _autofree_ char *name = repeat("<domain><name>", "n", 256, "</name></domain>");
        _cleanup_(domain_xml_freep) struct domain_xml *d = parse_good(inputs);

        assert_int_equal(d->n_inputs, 256);
        assert_refused(too_many, "the domain has more than 256 input devices");
        assert_refused(large, "it is larger than 1048576 bytes");
        assert_refused(deep, "line 1: ");
        assert_refused(name, "the domain has too long a name");
}

static void test_refused(void **state)
{
        static const char *const texts[][2] = {
                { "", "" },
                { "<domain>", "line 1: " },
                { "\n<domain></domian>", "line 2: " },
                { "<domain/><domain/>", "line 1: " },
                { "<domainsnapshot/>", "it is no domain" },
                { "<x:domain xmlns:x='urn:x'/>", "it is no domain" },
                { "<domain/>", "the domain has no name" },
                { "<domain><name/></domain>", "the domain has no name" },
                { "<domain><name>a</name></domain>", "the domain has no UUID" },
                { "<domain><name>a</name><uuid>0a1b2c3d</uuid></domain>", "the domain has no UUID" },
                { "<domain><name>a</name><uuid>0a1b2c3d-1111-4222-8333-00000000abcg</uuid></domain>",
                  "\"0a1b2c3d-1111-4222-8333-00000000abcg\" is no UUID" },
                { "<domain><name>a</name><uuid>0a1b2c3d111104222083330000000000abcd</uuid></domain>",
                  "\"0a1b2c3d111104222083330000000000abcd\" is no UUID" },
                { DOMAIN("&amp;&unknown;"), "line 1: " },
                { DOMAIN("\xff"), "line 1: " },
                { "<?xml version='1.0' encoding='ISO-8859-1'?>" DOMAIN("\xe9"), "line 1: " },
                { DOMAIN("\x1b"), "line 1: " },
                { "<domain></\xe2\x80\xae>", "line 1: " },
        };

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                assert_refused(texts[i][0], texts[i][1]);
}

static void test_nul(void **state)
{
        static const char text[] = DOMAIN("") "\0<x/>";
        _autofree_ char *error = NULL;
        _cleanup_(domain_xml_freep) struct domain_xml *d = parse(text, sizeof(text) - 1, &error);

        assert_null(d);
        assert_string_equal(error, "there is a NUL byte in it");
}

/* Neither does an entity grow, nor is a file read. */
static void test_dtd(void **state)
{
        static const char expected[] = "it has a document type declaration";

        assert_refused("<!DOCTYPE domain>" DOMAIN(""), expected);
        assert_refused("<!DOCTYPE domain SYSTEM 'file:///etc/passwd'>" DOMAIN(""), expected);
        assert_refused("<!DOCTYPE d [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"
                       "<domain><name>&a;</name><uuid>" UUID "</uuid></domain>",
                       expected);
        assert_refused("<!DOCTYPE d [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>]>"
                       "<domain><name>&b;</name><uuid>" UUID "</uuid></domain>",
                       expected);
        assert_refused("<!DOCTYPE d [<!ATTLIST domain type CDATA 'kvm'>", expected);
        (void) domain_xml_free(parse_good(DOMAIN("<description>&lt;!DOCTYPE <![CDATA[<!DOCTYPE d>]]></description>")));
}

static void test_messages_are_printable(void **state)
{
        _cleanup_(domain_xml_freep) struct domain_xml *d = parse_good(GUEST("name='&#x202e;&#x85;\xc3\xa9&#10;'"));

        assert_true(startswith(d->metadata.error, "\"name\" is \"??\xc3\xa9?\"; expected "));
}

/* One attribute, no other is set by it. */
static void test_one_attribute(void **state)
{
        static const struct hotkey tap = { 1, { KEY_SCROLLLOCK }, true };
        static const struct hotkey three = { 3, { KEY_F1, KEY_F2, BTN_SIDE }, false };
        _cleanup_(domain_xml_freep) struct domain_xml *d = parse_good(GUEST("adopt='no'"));
        _cleanup_(domain_xml_freep) struct domain_xml *e = parse_good(GUEST("toggle=' scrolllock  SCROLLLOCK '"));
        _cleanup_(domain_xml_freep) struct domain_xml *f = parse_good(GUEST("toggle='f1+KEY_F2 + btn_side'"));
        _cleanup_(domain_xml_freep) struct domain_xml *g = parse_good(GUEST("toggle=''"));

        assert_true(d->metadata.present);
        assert_int_equal(d->metadata.adopt, DOMAIN_ADOPT_NO);
        assert_false(d->metadata.set_name || d->metadata.set_toggle || d->metadata.set_route);
        assert_false(d->metadata.set_grab_toggle || d->metadata.set_focus_on_start || d->metadata.set_timeout_ms);
        assert_int_equal(e->metadata.adopt, DOMAIN_ADOPT_BY_RULE);
        assert_true(e->metadata.set_toggle);
        assert_true(hotkey_equal(&e->metadata.guest.toggle, &tap));
        assert_true(hotkey_equal(&f->metadata.guest.toggle, &three));
        assert_true(g->metadata.set_toggle);
        assert_int_equal(g->metadata.guest.toggle.n_keys, 0);
}

static void test_not_ours(void **state)
{
        static const char *const texts[] = {
                METADATA(""),
                METADATA("<guest adopt='yes' x='y'/>"),
                METADATA("<guest xmlns='urn:vfio-inputd:guest:2' adopt='yes' x='y'/>"),
                METADATA("<x xmlns='urn:x'><guest xmlns='urn:vfio-inputd:guest:1' adopt='yes' x='y'/></x>"),
                DOMAIN("<guest xmlns='urn:vfio-inputd:guest:1' adopt='yes' x='y'/>"),
        };

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                _cleanup_(domain_xml_freep) struct domain_xml *d = parse_good(texts[i]);

                assert_false(d->metadata.present);
                assert_null(d->metadata.error);
                assert_int_equal(d->metadata.adopt, DOMAIN_ADOPT_BY_RULE);
        }
}

#define KEYS "one to three different names of keys, such as \"leftctrl f1\", or the same one twice"
#define NAME_RULE "one to 32 of a-z 0-9 . _ -, a letter or digit first, and not \"host\""
#define ATTRIBUTES "adopt, name, toggle, route, grab-toggle, focus-on-start or timeout-ms"
#define TIMEOUTS "a whole number from 100 to 60000"

static void test_mistakes(void **state)
{
        static const char *const texts[][2] = {
                { GUEST("adopt='true'"), "\"adopt\" is \"true\"; expected \"yes\" or \"no\"" },
                { GUEST("adopt='yes' name=''"), "\"name\" is \"\"; expected " NAME_RULE },
                { GUEST("name='host'"), "\"name\" is \"host\"; expected " NAME_RULE },
                { GUEST("name='abcdefghijklmnopqrstuvwxyz0123456'"),
                  "\"name\" is \"abcdefghijklmnopqrstuvwxyz0123456\"; expected " NAME_RULE },
                { GUEST("toggle='nokey'"), "\"toggle\" is \"nokey\"; expected " KEYS },
                { GUEST("toggle='f1 f1 f2'"), "\"toggle\" is \"f1 f1 f2\"; expected " KEYS },
                { GUEST("toggle='f1,f2'"), "\"toggle\" is \"f1,f2\"; expected " KEYS },
                { GUEST("toggle='f1 f2 f3 f4'"), "\"toggle\" is \"f1 f2 f3 f4\"; expected one to three keys" },
                { GUEST("toggle='enter+esc'"), "\"toggle\" is \"enter+esc\"; expected a key that is not part of the "
                                               "panic chord backspace+esc+enter" },
                { GUEST("route='evdev'"),
                  "\"route\" is \"evdev\"; expected \"auto\", \"attach\", \"grant\" or \"virtio\"" },
                { GUEST("grab-toggle='scrolllock'"), "\"grab-toggle\" is \"scrolllock\"; expected "
                                                     "\"ctrl-ctrl\", \"alt-alt\", \"shift-shift\" or \"meta-meta\"" },
                { GUEST("focus-on-start=''"), "\"focus-on-start\" is \"\"; expected \"yes\" or \"no\"" },
                { GUEST("timeout-ms='99'"), "\"timeout-ms\" is \"99\"; expected " TIMEOUTS },
                { GUEST("timeout-ms='60001'"), "\"timeout-ms\" is \"60001\"; expected " TIMEOUTS },
                { GUEST("timeout-ms='-1'"), "\"timeout-ms\" is \"-1\"; expected " TIMEOUTS },
                { GUEST("timeout-ms=' 500'"), "\"timeout-ms\" is \" 500\"; expected " TIMEOUTS },
                { GUEST("timeout-ms='99999999999999999999999'"),
                  "\"timeout-ms\" is \"99999999999999999999999\"; expected " TIMEOUTS },
                { GUEST("adopt='yes' name='x' Toggle='f1'"), "unknown attribute \"Toggle\"; expected " ATTRIBUTES },
                { GUEST("xmlns:x='urn:x' x:adopt='yes'"), "unknown attribute \"adopt\"; expected " ATTRIBUTES },
                { METADATA("<settings xmlns='urn:vfio-inputd:guest:1' adopt='yes'/>"),
                  "unknown element \"settings\"; expected \"guest\"" },
                { METADATA("<g:guest xmlns:g='urn:vfio-inputd:guest:1' adopt='yes'><x/></g:guest>"),
                  "there are elements in \"guest\"; expected attributes only" },
                { METADATA("<guest xmlns='urn:vfio-inputd:guest:1' adopt='yes'/>"
                           "<guest xmlns='urn:vfio-inputd:guest:1'/>"),
                  "a second element of urn:vfio-inputd:guest:1; expected one" },
        };
        struct guest_config defaults;

        guest_config_init(&defaults);
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                _cleanup_(domain_xml_freep) struct domain_xml *d = parse_good(texts[i][0]);
                const struct domain_metadata *m = &d->metadata;

                if (!m->error)
                        fail_msg("accepted: %s", texts[i][0]);
                assert_string_equal(m->error, texts[i][1]);
                assert_true(m->present);
                assert_int_equal(m->adopt, DOMAIN_ADOPT_BY_RULE);
                assert_false(m->set_name || m->set_toggle || m->set_route || m->set_grab_toggle ||
                             m->set_focus_on_start || m->set_timeout_ms);
                assert_true(guest_config_equal(&m->guest, &defaults));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_running),
                cmocka_unit_test(test_metadata),
                cmocka_unit_test(test_least),
                cmocka_unit_test(test_domain_type),
                cmocka_unit_test(test_hostdev),
                cmocka_unit_test(test_inputs),
                cmocka_unit_test(test_bounds),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_nul),
                cmocka_unit_test(test_dtd),
                cmocka_unit_test(test_messages_are_printable),
                cmocka_unit_test(test_one_attribute),
                cmocka_unit_test(test_not_ours),
                cmocka_unit_test(test_mistakes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
