/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Single steps on a machine made of files: what only part of the machines needs. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/setup/step.h"
#include "tests/unit/setup-root.h"

#define GPU "0000:0a:00.0"
#define DRACUT "/etc/dracut.conf.d/60-vfio-inputd.conf"
#define HOOK "/etc/libvirt/hooks/qemu.d/60-vfio-inputd"

typedef int (*planner)(const struct setup *s, struct plan *p, char **ret_error);

/* One step's plan; the result is what it returned. */
static int plan_step(struct setup_root *root, const struct choices *c, planner plan, struct plan *ret, char **ret_error)
{
        _cleanup_(machine_freep) struct machine *m = NULL;
        _cleanup_(setup_clear) struct setup s = { 0 };

        assert_int_equal(machine_load(setup_root_open(root), &m), 0);
        if (c->initramfs)
                initramfs_choose(m->root, &m->initramfs,
                                 streq(c->initramfs, "dracut") ? INITRAMFS_DRACUT : INITRAMFS_MKINITCPIO);
        assert_int_equal(setup_prepare(m, c, &s, ret_error), 0);
        return plan(&s, ret, ret_error);
}

/* One that is not planned has no content. */
static const struct plan_file *find_file(const struct plan *p, const char *path)
{
        static const struct plan_file none = { .after = (char *) "" };

        for (size_t i = 0; i < p->n_files; i++)
                if (streq(p->files[i].path, path))
                        return &p->files[i];
        return &none;
}

static const struct plan_note *find_note(const struct plan *p, const char *part)
{
        for (size_t i = 0; i < p->n_notes; i++)
                if (strstr(p->notes[i].text, part))
                        return &p->notes[i];
        return NULL;
}

static bool is_done(const struct plan *p, const char *part)
{
        const struct plan_note *n = find_note(p, part);

        return n && n->verdict == PLAN_DONE;
}

static bool has_gate(const struct plan *p, const char *id)
{
        for (size_t i = 0; i < p->n_gates; i++)
                if (streq(p->gates[i].id, id))
                        return true;
        return false;
}

/* --- initramfs --------------------------------------------------------------------------------- */

/* Without hostonly it takes no options of /etc along, and ids= was not there at boot. */
static void test_dracut_image_without_modprobe_d(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *root = setup_root_desktop();
        const struct choices c = { .bind = BIND_IDS, .initramfs = (char *) "dracut" };
        _cleanup_(plan_clear) struct plan p = { 0 };
        _autofree_ char *error = NULL;
        const struct plan_file *f;

        assert_int_equal(plan_step(root, &c, step_initramfs_plan, &p, &error), 0);
        f = find_file(&p, DRACUT);
        assert_non_null(strstr(f->after, "\ninstall_optional_items+=\" /etc/modprobe.d/vfio-inputd.conf \"\n"));
}

static void expect_modconf_note(const char *hooks, bool expected)
{
        _cleanup_(setup_root_freep) struct setup_root *root = setup_root_desktop();
        const struct choices c = { .bind = BIND_IDS, .initramfs = (char *) "mkinitcpio" };
        _cleanup_(plan_clear) struct plan p = { 0 };
        _autofree_ char *error = NULL;

        setup_root_file(root, "/etc/mkinitcpio.conf", hooks);
        assert_int_equal(plan_step(root, &c, step_initramfs_plan, &p, &error), 0);
        assert_int_equal(find_note(&p, "modconf") != NULL, expected);
}

static void test_mkinitcpio_without_modconf(void **state)
{
        expect_modconf_note("HOOKS=(base udev modconf block)\n", false);
        expect_modconf_note("HOOKS=(base udev block)\n", true);
        expect_modconf_note("#HOOKS=(base udev modconf block)\nHOOKS=(base udev block)\n", true);
}

/* --- cmdline ------------------------------------------------------------------------------------ */

static void expect_ids(const char *cmdline, bool written)
{
        _cleanup_(setup_root_freep) struct setup_root *root = setup_root_desktop();
        const struct choices c = { .iommu_pt = true, .no_framebuffer = true };
        _cleanup_(plan_clear) struct plan p = { 0 };
        _autofree_ char *error = NULL;

        setup_root_file(root, "/proc/cmdline", cmdline);
        assert_int_equal(plan_step(root, &c, step_cmdline_plan, &p, &error), 0);
        assert_int_equal(p.n_files > 0, written);
}

static void test_name_with_dash_or_underscore(void **state)
{
        expect_ids("iommu=pt initcall_blacklist=sysfb_init\n", false);
        expect_ids("iommu=pt initcall-blacklist=sysfb_init\n", false);
        /* in the value it is not the same */
        expect_ids("iommu=pt initcall_blacklist=sysfb-init\n", true);
        expect_ids("iommu=pt\n", true);
}

/* --- hardware ----------------------------------------------------------------------------------- */

static void add_twin(struct setup_root *root)
{
        setup_root_pci(root, &(struct setup_pci) { "0000:0b:00.0", "", 0x030000, 0x10de, 0x1b80, "nouveau", 40, 0 });
}

static void expect_twin_gate(enum choice_bind bind, bool expected)
{
        _cleanup_(setup_root_freep) struct setup_root *root = setup_root_desktop();
        char *gpus[] = { (char *) GPU, NULL };
        const struct choices c = { .gpus = gpus, .bind = bind };
        _cleanup_(plan_clear) struct plan p = { 0 };
        _autofree_ char *error = NULL;

        add_twin(root);
        assert_int_equal(plan_step(root, &c, step_hardware_plan, &p, &error), 0);
        assert_int_equal(has_gate(&p, "twin-ids"), expected);
}

static void test_twin_is_taken_by_ids_alone(void **state)
{
        expect_twin_gate(BIND_IDS, true);
        expect_twin_gate(BIND_ADDRESS, false);
        expect_twin_gate(BIND_MANAGED, false);
}

static void test_card_of_the_display_is_guarded_for_libvirt_too(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *root = setup_root_desktop();
        char *gpus[] = { (char *) "0000:00:02.0", NULL };
        const struct choices c = { .gpus = gpus };
        _cleanup_(plan_clear) struct plan p = { 0 };
        _autofree_ char *error = NULL;

        assert_int_equal(plan_step(root, &c, step_hardware_plan, &p, &error), 0);
        assert_true(has_gate(&p, "display-gpu"));
}

static void expect_laptop(const char *type, bool expected)
{
        _cleanup_(setup_root_freep) struct setup_root *root = setup_root_desktop();
        const struct choices c = { 0 };
        _cleanup_(plan_clear) struct plan p = { 0 };
        _autofree_ char *error = NULL;

        setup_root_file(root, "/sys/class/dmi/id/chassis_type", type);
        assert_int_equal(plan_step(root, &c, step_hardware_plan, &p, &error), 0);
        assert_int_equal(find_note(&p, "laptop") != NULL, expected);
}

static void test_laptop_is_told(void **state)
{
        expect_laptop("10\n", true);
        expect_laptop("3\n", false);
}

/* --- modprobe ----------------------------------------------------------------------------------- */

static void test_twin_is_told_by_address_at_boot(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *root = setup_root_desktop();
        char *gpus[] = { (char *) GPU, NULL };
        const struct choices c = { .gpus = gpus, .bind = BIND_ADDRESS };
        _cleanup_(plan_clear) struct plan p = { 0 };
        _autofree_ char *error = NULL;
        const struct plan_file *f;

        add_twin(root);
        assert_int_equal(plan_step(root, &c, step_modprobe_plan, &p, &error), 0);
        f = find_file(&p, "/etc/modprobe.d/vfio-inputd.conf");
        assert_non_null(strstr(f->after, GPU));
        assert_null(strstr(f->after, "0000:0b:00.0"));
        assert_null(strstr(f->after, "ids="));
}

/* --- isolation ---------------------------------------------------------------------------------- */

static void test_hook_wants_the_name_of_a_domain(void **state)
{
        static const char *const bad[] = { NULL, "it's", "6f1c8bd6-1d6c-4c0e-9b39-5f8f1a2f7d11" };

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                _cleanup_(setup_root_freep) struct setup_root *root = setup_root_desktop();
                const struct choices c = { .isolate = ISOLATE_SLICES, .domain = (char *) bad[i] };
                _cleanup_(plan_clear) struct plan p = { 0 };
                _autofree_ char *error = NULL;

                assert_int_equal(plan_step(root, &c, step_isolation_plan, &p, &error), -EINVAL);
                assert_non_null(error);
                assert_int_equal(p.n_files, 0);
        }
}

static void test_hook_is_a_program_and_made_once(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *root = setup_root_desktop();
        const struct choices c = { .isolate = ISOLATE_SLICES, .cpus = (char *) "auto", .domain = (char *) "win10" };
        _cleanup_(plan_clear) struct plan p = { 0 }, again = { 0 };
        _autofree_ char *error = NULL;
        const struct plan_file *f;

        assert_int_equal(plan_step(root, &c, step_isolation_plan, &p, &error), 0);
        f = find_file(&p, HOOK);
        assert_int_equal(f->mode & 0111, 0111);
        setup_root_file(root, HOOK, f->after);
        assert_int_equal(plan_step(root, &c, step_isolation_plan, &again, &error), 0);
        assert_int_equal(again.n_files, 0);
        assert_non_null(find_note(&again, "while it runs"));
        assert_true(is_done(&again, "while it runs"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_dracut_image_without_modprobe_d),
                cmocka_unit_test(test_mkinitcpio_without_modconf),
                cmocka_unit_test(test_name_with_dash_or_underscore),
                cmocka_unit_test(test_twin_is_taken_by_ids_alone),
                cmocka_unit_test(test_card_of_the_display_is_guarded_for_libvirt_too),
                cmocka_unit_test(test_laptop_is_told),
                cmocka_unit_test(test_twin_is_told_by_address_at_boot),
                cmocka_unit_test(test_hook_wants_the_name_of_a_domain),
                cmocka_unit_test(test_hook_is_a_program_and_made_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
