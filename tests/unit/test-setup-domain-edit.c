/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Editing definitions of domains. Each result is checked against libvirt's own
 * schema and edited once more, which must change nothing; and what had a line
 * has it still, in the same order. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "client/setup/domain-edit.h"
#include "client/setup/machine.h"
#include "client/setup/xml-tree.h"
#include "tests/unit/setup-domain.h"
#include "tests/unit/setup-root.h"

static const char *const names[] = { "virt-manager", "guide", "secrets", "iothreads", "minimal" };

/* The desktop of setup-root.h, all of it loaded. */
struct world {
        struct setup_root *root;
        struct machine *machine;
        const struct pci_device *gpus[3];
        struct cpu_proposal cpus;
};

static struct world world;

static int set_up(void **state)
{
        world.root = setup_root_desktop();
        assert_int_equal(machine_load(setup_root_open(world.root), &world.machine), 0);
        world.gpus[0] = pci_find(&world.machine->pci, "0000:0a:00.0");
        world.gpus[1] = pci_find(&world.machine->pci, "0000:0a:00.1");
        assert_int_equal(cpu_propose(&world.machine->cpu, 2, &world.cpus), 0);
        return 0;
}

static int tear_down(void **state)
{
        (void) machine_free(world.machine);
        (void) setup_root_free(world.root);
        return 0;
}

static struct domain_edit nothing(void)
{
        return (struct domain_edit) { .pci = &world.machine->pci, .cpu = &world.machine->cpu };
}

static struct domain_edit everything(void)
{
        return (struct domain_edit) {
                .gpus = world.gpus,
                .pci = &world.machine->pci,
                .managed = true,
                .guest = "win10",
                .grab_toggle = GRAB_TOGGLE_META_META,
                .cpu = &world.machine->cpu,
                .cpus = &world.cpus,
                .pin = true,
                .hide_kvm = true,
                .remove_graphics = true,
                .cleanup = true,
        };
}

/* Owned by the caller; notes may be NULL. */
static char *edit(const char *xml, const struct domain_edit *e, struct plan *notes)
{
        _cleanup_(plan_clear) struct plan first = { 0 }, second = { 0 };
        _autofree_ char *error = NULL, *again = NULL;
        char *after = NULL;

        assert_int_equal(domain_edit(xml, e, notes ? notes : &first, &after, &error), 0);
        assert_null(error);
        assert_int_equal(domain_edit(after, e, &second, &again, &error), 0);
        assert_string_equal(again, after);
        for (size_t i = 0; i < second.n_notes; i++) {
                if (second.notes[i].verdict == PLAN_CHANGES)
                        print_error("changes once more: %s\n", second.notes[i].text);
                assert_int_not_equal(second.notes[i].verdict, PLAN_CHANGES);
        }
        setup_domain_validate(after);
        return after;
}

static char *edit_file(const char *name, const struct domain_edit *e, struct plan *notes)
{
        _autofree_ char *before = setup_domain_read(name);

        return edit(before, e, notes);
}

/* --- what is not touched -------------------------------------------------------------------- */

static void test_format(void **state)
{
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                _autofree_ char *before = setup_domain_read(names[i]), *after = NULL, *error = NULL;
                _cleanup_(xmlFreeDocp) xmlDoc *doc = NULL;

                assert_int_equal(xml_parse(before, &doc, &error), 0);
                after = xml_format(doc);
                assert_string_equal(after, before);
        }
}

static void test_nothing(void **state)
{
        const struct domain_edit e = nothing();

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                _autofree_ char *before = setup_domain_read(names[i]), *after = edit(before, &e, NULL);

                assert_string_equal(after, before);
        }
}

/* Every line of before is in after, in the same order, but for those that have one of the words. */
static void check_kept(const char *before, const char *after, const char *const *gone)
{
        _autofree_ char *copy = xstrdup(before);
        char *state = NULL;

        for (char *line = strtok_r(copy, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
                _autofree_ char *whole = xasprintf("%s\n", line);
                const char *found = strstr(after, whole);
                bool may_go = false;

                for (size_t i = 0; gone && gone[i]; i++)
                        may_go |= strstr(line, gone[i]) != NULL;
                if (!found && !may_go) {
                        print_error("lost: %s\nin: %s\n", line, after);
                        fail();
                }
                if (found)
                        after = found;
        }
}

static void test_kept(void **state)
{
        static const char *const processor[] = { "<vcpu ", "<vcpu>", "<cpu ", "<topology ", "pin ", "<model fallback",
                                                 "<vendor>", "</devices>", "managed='no'", "<vcpusched ", NULL };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                _autofree_ char *before = setup_domain_read(names[i]), *after = NULL, *pinned = NULL;
                struct domain_edit e = everything();

                e.remove_graphics = e.cleanup = false;
                pinned = edit(before, &e, NULL);
                if (!streq(names[i], "secrets") && !streq(names[i], "minimal"))
                        check_kept(before, pinned, processor);
                e.cpus = NULL;
                e.managed = false;
                after = edit(before, &e, NULL);
                if (!streq(names[i], "secrets") && !streq(names[i], "minimal"))
                        check_kept(before, after, NULL);
        }
}

static void test_secrets(void **state)
{
        static const char *const replaced[] = { "vfio-inputd-old", "<input type='evdev'>", "</input>",
                                                "<source dev='/dev/input/by-id/vfio-inputd-lab-event-kbd'/>", NULL };
        _autofree_ char *before = setup_domain_read("secrets"), *after = NULL;
        struct domain_edit e = everything();

        e.guest = "lab";
        e.cpus = NULL;
        e.remove_graphics = false;
        after = edit(before, &e, NULL);
        check_kept(before, after, replaced);
        assert_non_null(strstr(after, "passwd='p&lt;&amp;&quot;w&apos;d'"));
        assert_non_null(strstr(after, "<!-- made by hand; do not lose this -->"));
        assert_non_null(strstr(after, "<!-- the keyboard of before -->"));
        assert_null(strstr(after, "vfio-inputd-old"));
        assert_int_equal(setup_domain_count(after, "vfio-inputd-lab-event-kbd"), 1);
        assert_int_equal(setup_domain_count(after, "vfio-inputd-lab-event-mouse"), 1);
}

/* --- each part ---------------------------------------------------------------------------------- */

static void test_hostdevs(void **state)
{
        _cleanup_(plan_clear) struct plan notes = { 0 };
        _autofree_ char *fresh = NULL, *guide = NULL, *decimal = NULL, *left = NULL, *none = NULL;
        struct domain_edit e = nothing();

        e.gpus = world.gpus;
        e.managed = true;
        fresh = edit_file("virt-manager", &e, &notes);
        assert_non_null(strstr(fresh, "    <hostdev mode='subsystem' type='pci' managed='yes'>\n"
                                      "      <source>\n"
                                      "        <address domain='0x0000' bus='0x0a' slot='0x00' function='0x1'/>\n"
                                      "      </source>\n"
                                      "    </hostdev>\n"));
        assert_int_equal(setup_domain_count(fresh, "<hostdev "), 2);
        assert_true(setup_domain_has_note(&notes, PLAN_CHANGES, "0000:0a:00.1"));
        guide = edit_file("guide", &e, NULL);
        assert_int_equal(setup_domain_count(guide, "<hostdev "), 2);
        assert_null(strstr(guide, "managed='no'"));
        assert_non_null(strstr(guide, "<rom file="));
        decimal = edit_file("iothreads", &e, NULL);
        assert_int_equal(setup_domain_count(decimal, "type='pci'"), 2);
        e.managed = false;
        left = edit_file("guide", &e, NULL);
        e.gpus = NULL;
        plan_clear(&notes);
        none = edit_file("guide", &e, &notes);
        assert_int_equal(setup_domain_count(none, "<hostdev "), 1);
        assert_true(setup_domain_has_note(&notes, PLAN_DONE, "a GPU is passed through"));
        assert_int_equal(setup_domain_count(left, "managed='no'"), 1);
}

static void test_inputs(void **state)
{
        _cleanup_(plan_clear) struct plan notes = { 0 };
        _autofree_ char *after = NULL;
        struct domain_edit e = nothing();

        e.guest = "win10";
        e.grab_toggle = GRAB_TOGGLE_ALT_ALT;
        after = edit_file("virt-manager", &e, &notes);
        assert_non_null(strstr(after,
                               "    <input type='keyboard' bus='ps2'/>\n"
                               "    <input type='evdev'>\n"
                               "      <source dev='/dev/input/by-id/vfio-inputd-win10-event-kbd' grab='all' "
                               "grabToggle='alt-alt' repeat='on'/>\n"
                               "    </input>\n"
                               "    <input type='evdev'>\n"
                               "      <source dev='/dev/input/by-id/vfio-inputd-win10-event-mouse'/>\n"
                               "    </input>\n"
                               "    <input type='keyboard' bus='virtio'/>\n"
                               "    <input type='mouse' bus='virtio'/>\n"
                               "    <graphics type='spice'"));
        assert_true(setup_domain_has_note(&notes, PLAN_CHANGES, "guest win10"));
        assert_true(setup_domain_has_note(&notes, PLAN_CHANGES, "virtio mouse"));
}

/* Another guest's name, and another hotkey of QEMU's: no node is left behind. */
static void test_inputs_replaced(void **state)
{
        struct domain_edit e = nothing();
        _autofree_ char *first = NULL, *second = NULL;

        e.guest = "win10";
        first = edit_file("virt-manager", &e, NULL);
        e.guest = "games";
        e.grab_toggle = GRAB_TOGGLE_SHIFT_SHIFT;
        second = edit(first, &e, NULL);
        assert_null(strstr(second, "vfio-inputd-win10"));
        assert_int_equal(setup_domain_count(second, "type='evdev'"), 2);
        assert_int_equal(setup_domain_count(second, "grabToggle='shift-shift'"), 1);
        assert_int_equal(setup_domain_count(second, "bus='virtio'"), 2);
}

static void test_guide(void **state)
{
        _cleanup_(plan_clear) struct plan kept = { 0 }, cleaned = { 0 };
        struct domain_edit e = nothing();
        _autofree_ char *left = NULL, *after = NULL;

        e.guest = "windows-10";
        left = edit_file("guide", &e, &kept);
        assert_int_equal(setup_domain_count(left, "input-linux"), 2);
        assert_non_null(strstr(left, "usb-Logitech_G502"));
        assert_true(setup_domain_has_note(&kept, PLAN_OPTIONAL, "--cleanup"));
        e.cleanup = true;
        after = edit_file("guide", &e, &cleaned);
        assert_int_equal(setup_domain_count(after, "input-linux"), 0);
        assert_null(strstr(after, "usb-Logitech_G502"));
        assert_null(strstr(after, "<qemu:arg value='-object'/>"));
        assert_non_null(strstr(after, "    <qemu:arg value='-audiodev'/>\n"
                                      "    <qemu:arg value='pa,id=hda,server=/run/user/1000/pulse/native'/>\n"
                                      "    <qemu:env name='QEMU_AUDIO_DRV' value='pa'/>\n"));
        assert_true(setup_domain_has_note(&cleaned, PLAN_CHANGES, "2 by qemu:commandline, 1 by"));
}

/* Nothing else was in it: the element goes, too. And as JSON, which newer guides have. */
static void test_only_input_linux(void **state)
{
        static const char domain[] =
                "<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n"
                "  <name>x</name>\n  <memory>65536</memory>\n  <os>\n    <type>hvm</type>\n  </os>\n"
                "  <devices/>\n"
                "  <qemu:commandline>\n    <qemu:arg value='-object'/>\n"
                "    <qemu:arg value='{&quot;qom-type&quot;:&quot;input-linux&quot;,&quot;id&quot;:&quot;k&quot;}'/>\n"
                "  </qemu:commandline>\n</domain>\n";
        struct domain_edit e = nothing();
        _autofree_ char *after = NULL;

        e.guest = "x";
        e.cleanup = true;
        after = edit(domain, &e, NULL);
        assert_null(strstr(after, "commandline"));
        assert_non_null(strstr(after, "  </devices>\n</domain>\n"));
}

static void test_processor(void **state)
{
        _cleanup_(plan_clear) struct plan notes = { 0 };
        struct domain_edit e = nothing();
        _autofree_ char *after = NULL, *fewer = NULL;

        e.cpus = &world.cpus;
        e.pin = true;
        after = edit_file("virt-manager", &e, &notes);
        assert_non_null(strstr(after, "  <vcpu placement='static'>2</vcpu>\n"
                                      "  <cputune>\n"
                                      "    <vcpupin vcpu='0' cpuset='1'/>\n"
                                      "    <vcpupin vcpu='1' cpuset='3'/>\n"
                                      "    <emulatorpin cpuset='0,2'/>\n"
                                      "  </cputune>\n"));
        assert_non_null(strstr(after, "  <cpu mode='host-passthrough' check='none'>\n"
                                      "    <topology sockets='1' dies='1' cores='1' threads='2'/>\n"
                                      "    <feature policy='disable' name='svm'/>\n"
                                      "    <feature policy='require' name='topoext'/>\n"
                                      "  </cpu>\n"));
        fewer = edit_file("guide", &e, NULL);
        assert_non_null(strstr(fewer, "    <emulatorpin cpuset='0,2'/>\n    <vcpusched vcpus='0-1' scheduler='fifo'"));
        assert_int_equal(setup_domain_count(fewer, "<vcpupin "), 2);
        assert_true(setup_domain_has_note(&notes, PLAN_CHANGES, "1 core of 2 threads"));
        assert_true(setup_domain_has_note(&notes, PLAN_CHANGES, "run on 0,2"));
}

/* TCG has no processor of the host's to pass through. */
static void test_processor_emulated(void **state)
{
        struct domain_edit e = nothing();
        _autofree_ char *after = NULL;

        e.cpus = &world.cpus;
        after = edit_file("minimal", &e, NULL);
        assert_non_null(strstr(after, "<cpu mode='maximum'>"));
        assert_null(strstr(after, "topoext"));
        assert_null(strstr(after, "vcpupin"));
        assert_non_null(strstr(after, "<vcpu placement='static'>2</vcpu>"));
}

static void test_iothreads(void **state)
{
        struct cpu_proposal four = { .cores = 4, .threads = 1 };
        _cleanup_(plan_clear) struct plan refused = { 0 };
        _autofree_ char *before = setup_domain_read("iothreads"), *after = NULL, *same = NULL;
        struct domain_edit e = nothing();

        assert_int_equal(cpu_set_parse("0-3", &four.guest), 0);
        assert_int_equal(cpu_set_parse("4,5", &four.host), 0);
        e.cpus = &four;
        e.pin = true;
        after = edit(before, &e, NULL);
        assert_non_null(strstr(after, "    <shares>2048</shares>\n"
                                      "    <vcpupin vcpu='0' cpuset='0'/>\n"
                                      "    <vcpupin vcpu='1' cpuset='1'/>\n"
                                      "    <vcpupin vcpu='2' cpuset='2'/>\n"
                                      "    <vcpupin vcpu='3' cpuset='3'/>\n"
                                      "    <emulatorpin cpuset='4-5'/>\n"));
        assert_int_equal(setup_domain_count(after, "<iothreadpin "), 3);
        assert_non_null(strstr(after, "<iothreadpin iothread='7' cpuset='4-5'/>"));
        assert_non_null(strstr(after, "<iothreadpin iothread='1' cpuset='4-5'/>"));
        assert_non_null(strstr(after, "<cell id='0' cpus='0-3'"));
        e.cpus = &world.cpus;
        same = edit(before, &e, &refused);
        assert_string_equal(same, before);
        assert_true(setup_domain_has_note(&refused, PLAN_BY_HAND, "<numa>"));
}

static void test_hide_kvm(void **state)
{
        _cleanup_(plan_clear) struct plan notes = { 0 }, passthrough = { 0 }, emulated = { 0 };
        struct domain_edit e = nothing();
        _autofree_ char *after = NULL, *guide = NULL, *before = setup_domain_read("guide"), *other = NULL, *tcg = NULL;

        e.hide_kvm = true;
        after = edit_file("virt-manager", &e, &notes);
        assert_non_null(strstr(after, "      <vendor_id state='on' value='AuthenticAMD'/>\n    </hyperv>\n"));
        assert_non_null(strstr(after, "    <kvm>\n      <hidden state='on'/>\n    </kvm>\n"));
        assert_true(setup_domain_has_note(&notes, PLAN_CHANGES, "--hide-kvm"));
        guide = edit(before, &e, NULL);
        assert_string_equal(guide, before);
        other = edit_file("iothreads", &e, &passthrough);
        assert_true(setup_domain_has_note(&passthrough, PLAN_BY_HAND, "hyperv"));
        assert_null(strstr(other, "hidden"));
        tcg = edit_file("minimal", &e, &emulated);
        assert_true(setup_domain_has_note(&emulated, PLAN_NOT_NEEDED, "no KVM"));
}

static void test_graphics(void **state)
{
        static const char *const gone[] = { "spice", "qxl", "tablet", "redir", "<graphics", "<video" };
        _cleanup_(plan_clear) struct plan notes = { 0 }, alone = { 0 }, blind = { 0 }, asked = { 0 };
        struct domain_edit e = everything();
        _autofree_ char *after = edit_file("virt-manager", &e, &notes), *without = NULL, *deaf = NULL, *kept = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
                assert_null(strstr(after, gone[i]));
        assert_non_null(strstr(after, "<audio id='1' type='none'/>"));
        assert_non_null(strstr(after, "<sound model='ich9'>"));
        assert_non_null(strstr(after, "org.qemu.guest_agent.0"));
        assert_non_null(strstr(after, "<serial type='pty'>"));
        assert_non_null(strstr(after, "<input type='mouse' bus='ps2'/>"));
        assert_true(setup_domain_has_note(&notes, PLAN_CHANGES, "SPICE"));
        e.gpus = NULL;
        without = edit_file("virt-manager", &e, &alone);
        assert_non_null(strstr(without, "<graphics type='spice'"));
        assert_true(setup_domain_has_note(&alone, PLAN_NOT_NEEDED, "no GPU"));
        e = everything();
        e.guest = NULL;
        deaf = edit_file("virt-manager", &e, &blind);
        assert_non_null(strstr(deaf, "<graphics type='spice'"));
        assert_true(setup_domain_has_note(&blind, PLAN_NOT_NEEDED, "no input of ours"));
        e = everything();
        e.remove_graphics = false;
        kept = edit_file("virt-manager", &e, &asked);
        assert_non_null(strstr(kept, "<graphics type='spice'"));
        assert_true(setup_domain_has_note(&asked, PLAN_OPTIONAL, "--graphics=remove"));
}

/* --- what is no domain of ours --------------------------------------------------------------- */

static void test_refused(void **state)
{
        static const char *const texts[] = { "", "x", "<domain", "<network/>", "<domain xmlns='urn:x'/>",
                                             "<!DOCTYPE domain><domain/>", "<domain type='lxc'><name>x</name></domain>",
                                             "<domain type='kvm'>&unknown;</domain>" };
        const struct domain_edit e = everything();

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                _cleanup_(plan_clear) struct plan notes = { 0 };
                _autofree_ char *error = NULL;
                char *after = NULL;

                assert_true(domain_edit(texts[i], &e, &notes, &after, &error) < 0);
                assert_null(after);
                assert_true(startswith(error, "the "));
        }
}

static void test_facts(void **state)
{
        _autofree_ char *xml = setup_domain_read("secrets"), *other = setup_domain_read("guide"), *error = NULL;
        _cleanup_(domain_facts_clear) struct domain_facts lab = { 0 }, guide = { 0 };

        assert_int_equal(domain_facts_load(xml, &lab, &error), 0);
        assert_string_equal(lab.name, "lab.2");
        assert_string_equal(lab.guest, "lab");
        assert_int_equal(lab.grab_toggle, GRAB_TOGGLE_ALT_ALT);
        assert_int_equal(domain_facts_load(other, &guide, &error), 0);
        assert_string_equal(guide.name, "Windows 10");
        assert_string_equal(guide.uuid, "4b1c3e1e-0e0f-4d62-8e51-8c4d6f9a2b10");
        assert_null(guide.guest);
        assert_int_equal(guide.grab_toggle, GRAB_TOGGLE_INVALID);
}

static void test_schema(void **state)
{
        if (!setup_domain_has_schema()) {
                print_message("SKIP: libvirt's schema of domains is not installed\n");
                skip();
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_format),        cmocka_unit_test(test_nothing),
                cmocka_unit_test(test_kept),          cmocka_unit_test(test_secrets),
                cmocka_unit_test(test_hostdevs),      cmocka_unit_test(test_inputs),
                cmocka_unit_test(test_inputs_replaced), cmocka_unit_test(test_guide),
                cmocka_unit_test(test_only_input_linux), cmocka_unit_test(test_processor),
                cmocka_unit_test(test_processor_emulated), cmocka_unit_test(test_iothreads),
                cmocka_unit_test(test_hide_kvm),      cmocka_unit_test(test_graphics),
                cmocka_unit_test(test_refused),       cmocka_unit_test(test_facts),
                cmocka_unit_test(test_schema),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
