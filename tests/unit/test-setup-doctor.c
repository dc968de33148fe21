/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The doctor on machines that are broken in one way each: the first line that
 * is not well names the cause, and doing what it says mends it. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "client/setup/doctor.h"
#include "client/setup/kernel-token.h"
#include "tests/unit/setup-root.h"

#define MODPROBE "/etc/modprobe.d/vfio-inputd.conf"
#define IMAGE "/boot/initrd.img-6.1.0-56-amd64"
#define QEMU_CONF "/etc/libvirt/qemu.conf"
#define GPU "/sys/devices/pci0000:00/0000:00:03.0/0000:0a:00.0"
#define KERNEL "/usr/lib/modules/6.1.0-56-amd64"

static void examine(const struct setup_root *s, const char *gpu, struct checks *ret)
{
        _cleanup_(machine_freep) struct machine *m = NULL;

        assert_int_equal(machine_load(setup_root_open(s), &m), 0);
        assert_int_equal(doctor_run(m, &(const struct doctor_wish) { .gpu = gpu }, ret), 0);
}

/* The first check that is neither well nor skipped; NULL: none. */
static const struct check *first_bad(const struct checks *c)
{
        for (size_t i = 0; i < c->n_items; i++)
                if (c->items[i].status != CHECK_OK && c->items[i].status != CHECK_SKIP)
                        return &c->items[i];
        return NULL;
}

static void check_well(const struct setup_root *s)
{
        _cleanup_(checks_clear) struct checks c = { 0 };
        const struct check *bad;

        examine(s, NULL, &c);
        bad = first_bad(&c);
        if (bad)
                fail_msg("%s: %s", bad->id, bad->message);
}

static void check_contains(const char *text, const char *part)
{
        if (!text || !strstr(text, part))
                fail_msg("\"%s\" is not in \"%s\"", part, text ? text : "(null)");
}

static void test_desktop(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();

        check_well(s);
}

/* --- broken machines --------------------------------------------------------------- */

static void cpuinfo(struct setup_root *s, const char *vendor, const char *flags)
{
        _autofree_ char *text = xasprintf("vendor_id\t: %s\nflags\t\t: fpu %s\n", vendor, flags);

        setup_root_file(s, "/proc/cpuinfo", text);
}

static void cmdline(struct setup_root *s, const char *more)
{
        _autofree_ char *text = xasprintf("BOOT_IMAGE=/vmlinuz quiet %s\n", more);

        setup_root_file(s, "/proc/cmdline", text);
}

static void no_virtualisation(struct setup_root *s)
{
        cpuinfo(s, "AuthenticAMD", "sse");
        setup_root_remove(s, "/dev/kvm");
}
static void virtualisation(struct setup_root *s)
{
        cpuinfo(s, "AuthenticAMD", "svm");
        setup_root_file(s, "/dev/kvm", "");
}
static void no_kvm(struct setup_root *s) { setup_root_remove(s, "/dev/kvm"); }
static void kvm(struct setup_root *s) { setup_root_file(s, "/dev/kvm", ""); }

static void groups_gone(struct setup_root *s)
{
        setup_root_remove(s, "/sys/kernel/iommu_groups");
        setup_root_folder(s, "/sys/kernel/iommu_groups");
        setup_root_remove(s, "/sys/class/iommu");
}
static void groups_back(struct setup_root *s)
{
        setup_root_folder(s, "/sys/kernel/iommu_groups/5");
}
static void no_table(struct setup_root *s)
{
        groups_gone(s);
        setup_root_remove(s, "/sys/firmware/acpi/tables/IVRS");
}
static void table_back(struct setup_root *s)
{
        groups_back(s);
        setup_root_file(s, "/sys/firmware/acpi/tables/IVRS", "");
}
static void intel_default_off(struct setup_root *s)
{
        no_table(s);
        setup_root_file(s, "/sys/firmware/acpi/tables/DMAR", "");
        cpuinfo(s, "GenuineIntel", "vmx");
}
static void intel_on(struct setup_root *s)
{
        cmdline(s, "intel_iommu=on");
        groups_back(s);
}
static void iommu_off(struct setup_root *s)
{
        groups_gone(s);
        cmdline(s, "amd_iommu=off");
}
static void iommu_back(struct setup_root *s)
{
        groups_back(s);
        cmdline(s, "");
}
static void iommpu(struct setup_root *s) { cmdline(s, "iommpu=pt"); }
static void amd_iommu_on(struct setup_root *s) { cmdline(s, "amd_iommu=on iommu=pt"); }
static void ids_misspelt(struct setup_root *s) { cmdline(s, "vfio-pci.id=10de:1b80"); }
static void plain(struct setup_root *s) { cmdline(s, ""); }

static void no_vfio(struct setup_root *s) { setup_root_file(s, KERNEL "/modules.dep", "kernel/fs/x.ko:\n"); }
static void vfio(struct setup_root *s)
{
        setup_root_file(s, KERNEL "/modules.dep", "kernel/drivers/vfio/pci/vfio-pci.ko.xz:\n");
}
static void builtin(struct setup_root *s)
{
        setup_root_file(s, KERNEL "/modules.builtin", "kernel/drivers/vfio/pci/vfio-pci.ko\n");
}
static void ids_to_cmdline(struct setup_root *s)
{
        setup_root_remove(s, MODPROBE);
        cmdline(s, "vfio-pci.ids=10de:1b80,10de:10f0");
}
static void ids_differ(struct setup_root *s) { cmdline(s, "vfio-pci.ids=10de:1b80"); }
static void ids_twice(struct setup_root *s) { cmdline(s, "vfio_pci.ids=10de:1b80,10de:10f0"); }
static void ids_in_two_files(struct setup_root *s)
{
        setup_root_file(s, "/etc/modprobe.d/vfio.conf", "# guide\noptions vfio_pci disable_vga=1 \\\n ids=10de:1b80\n");
}
static void ids_in_one_file(struct setup_root *s) { setup_root_remove(s, "/etc/modprobe.d/vfio.conf"); }
static void misnamed(struct setup_root *s)
{
        setup_root_file(s, "/etc/modprobe.d/vfio", "options vfio-pci ids=10de:1b80\n");
}
static void renamed(struct setup_root *s) { setup_root_remove(s, "/etc/modprobe.d/vfio"); }
static void no_ids(struct setup_root *s) { setup_root_file(s, MODPROBE, "options vfio-pci ids=0000:0a:00.0\n"); }
static void ids(struct setup_root *s) { setup_root_file(s, MODPROBE, "options vfio-pci ids=10DE:1B80,10de:10f0\n"); }

static void no_builder(struct setup_root *s) { setup_root_remove(s, "/usr/sbin/update-initramfs"); }
static void builder(struct setup_root *s) { setup_root_file(s, "/usr/bin/dracut", ""); }
static void no_grub(struct setup_root *s) { setup_root_remove(s, "/usr/sbin/grub-mkconfig"); }
static void cmdline_file(struct setup_root *s) { setup_root_file(s, "/etc/kernel/cmdline", "quiet\n"); }
static void no_libvirt(struct setup_root *s) { setup_root_remove(s, "/usr/sbin/libvirtd"); }
static void modular(struct setup_root *s)
{
        setup_root_file(s, "/usr/sbin/virtqemud", "");
        setup_root_link(s, "/etc/systemd/system/sockets.target.wants/virtqemud.socket", "/x");
}
static void libvirt_disabled(struct setup_root *s) { setup_root_remove(s, "/etc/systemd/system/sockets.target.wants"); }
static void libvirt_enabled(struct setup_root *s)
{
        setup_root_link(s, "/etc/systemd/system/sockets.target.wants/libvirtd.socket", "/x");
}
static void both_daemons(struct setup_root *s)
{
        libvirt_enabled(s);
        modular(s);
}

static void only_gpu(struct setup_root *s)
{
        setup_root_remove(s, "/sys/bus/pci/devices/0000:0a:00.0");
        setup_root_remove(s, "/sys/bus/pci/devices/0000:0a:00.1");
}
static void second_gpu(struct setup_root *s)
{
        setup_root_link(s, "/sys/bus/pci/devices/0000:0a:00.0", "../../.." "/devices/pci0000:00/0000:00:03.0/0000:0a:00.0");
}
static void no_gpu(struct setup_root *s)
{
        only_gpu(s);
        setup_root_remove(s, "/sys/bus/pci/devices/0000:00:02.0");
}
static void two_spare(struct setup_root *s)
{
        static const struct setup_pci other = { "0000:0b:00.0", "", 0x030000, 0x1002, 0x73bf, "vfio-pci", 6, 0 };

        setup_root_pci(s, &other);
}
static void one_spare(struct setup_root *s) { setup_root_remove(s, "/sys/bus/pci/devices/0000:0b:00.0"); }
static void boot_vga(struct setup_root *s) { setup_root_file(s, GPU "/boot_vga", "1\n"); }
static void no_boot_vga(struct setup_root *s) { setup_root_file(s, GPU "/boot_vga", "0\n"); }
static void screen(struct setup_root *s)
{
        setup_root_link(s, "/sys/class/drm/card1-DP-1", "../.." "/devices/pci0000:00/0000:00:03.0/0000:0a:00.0/drm/card1/card1-DP-1");
        setup_root_file(s, GPU "/drm/card1/card1-DP-1/status", "connected\n");
}
static void no_screen(struct setup_root *s) { setup_root_remove(s, "/sys/class/drm/card1-DP-1"); }
static void shared_group(struct setup_root *s)
{
        static const struct setup_pci usb = { "0000:0c:00.0", "", 0x0c0330, 0x1022, 0x149c, "xhci_hcd", 5, -1 };

        setup_root_pci(s, &usb);
}
static void own_group(struct setup_root *s) { setup_root_remove(s, "/sys/bus/pci/devices/0000:0c:00.0"); }
static void no_group(struct setup_root *s) { setup_root_remove(s, GPU "/iommu_group"); }
static void group_back(struct setup_root *s)
{
        setup_root_link(s, GPU "/iommu_group", "../../../../kernel/iommu_groups/5");
}
static void twin(struct setup_root *s)
{
        static const struct setup_pci sound = { "0000:0c:00.1", "", 0x040300, 0x10de, 0x10f0, "snd_hda_intel", 7, -1 };

        setup_root_pci(s, &sound);
}
static void no_twin(struct setup_root *s) { setup_root_remove(s, "/sys/bus/pci/devices/0000:0c:00.1"); }
static void nouveau(struct setup_root *s) { setup_root_link(s, GPU "/driver", "../../bus/pci/drivers/nouveau"); }
static void nvidia(struct setup_root *s)
{
        setup_root_link(s, GPU "/driver", "../../bus/pci/drivers/nvidia");
        setup_root_file(s, MODPROBE, "");
}
static void vfio_driver(struct setup_root *s) { setup_root_link(s, GPU "/driver", "../../bus/pci/drivers/vfio-pci"); }
static void no_driver(struct setup_root *s) { setup_root_remove(s, GPU "/driver"); }

static void no_uinput(struct setup_root *s) { setup_root_remove(s, "/dev/uinput"); }
static void uinput(struct setup_root *s) { setup_root_file(s, "/dev/uinput", ""); }
static void no_unit(struct setup_root *s) { setup_root_remove(s, "/usr/lib/systemd/system/vfio-inputd.service"); }
static void unit(struct setup_root *s) { setup_root_file(s, "/usr/lib/systemd/system/vfio-inputd.service", ""); }
static void masked(struct setup_root *s) { setup_root_link(s, "/etc/systemd/system/vfio-inputd.service", "/dev/null"); }
static void unmasked(struct setup_root *s) { setup_root_remove(s, "/etc/systemd/system/vfio-inputd.service"); }
static void disabled(struct setup_root *s) { setup_root_remove(s, "/etc/systemd/system/multi-user.target.wants"); }
static void enabled(struct setup_root *s)
{
        setup_root_link(s, "/etc/systemd/system/multi-user.target.wants/vfio-inputd.service", "/x");
}
static void input_group(struct setup_root *s)
{
        setup_root_file(s, "/etc/group", "xinput:x:9:qemu\ninput:x:104:me,libvirt-qemu\n");
}
static void input_own_group(struct setup_root *s)
{
        setup_root_file(s, "/etc/passwd", "guide:x:1001:104::/:/bin/sh\n");
        setup_root_file(s, "/etc/group", "input:x:104:\nkvm:x:106:guide\n");
        setup_root_file(s, QEMU_CONF, "user = \"guide\"\n");
}
static void no_input_group(struct setup_root *s) { setup_root_file(s, "/etc/group", "input:x:104:me\n"); }
static void passwd(struct setup_root *s) { setup_root_file(s, "/etc/passwd", "guide:x:1001:1001::/:/bin/sh\n"); }
static void event_in_conf(struct setup_root *s)
{
        setup_root_file(s, QEMU_CONF, "cgroup_device_acl = [\n\"/dev/null\",\n\"/dev/input/event10\"\n]\n");
}
static void event_in_apparmor(struct setup_root *s)
{
        setup_root_file(s, "/etc/apparmor.d/local/abstractions/libvirt-qemu", "# mine\n  /dev/input/event* rw,\n");
}
static void event_in_folder(struct setup_root *s)
{
        setup_root_file(s, "/etc/apparmor.d/abstractions/libvirt-qemu.d/guide", "/dev/input/event7 rw,\n");
}
static void no_event(struct setup_root *s)
{
        setup_root_file(s, QEMU_CONF, "#\"/dev/input/event10\"\n");
        setup_root_remove(s, "/etc/apparmor.d/local/abstractions/libvirt-qemu");
        setup_root_remove(s, "/etc/apparmor.d/abstractions/libvirt-qemu.d");
}
static void unquoted_user(struct setup_root *s) { setup_root_file(s, QEMU_CONF, "user_x = 1\n  user = vfio\n"); }
static void quoted_user(struct setup_root *s) { setup_root_file(s, QEMU_CONF, "# user = vfio\nuser = 'libvirt-qemu'\n"); }

static void nouveau_wins(struct setup_root *s)
{
        nouveau(s);
        setup_root_file(s, "/etc/modprobe.d/soft.conf", "softdep nouveau pre: drm vfio-pci post: x\n");
}
static void framebuffer(struct setup_root *s)
{
        setup_root_file(s, "/proc/iomem", "d0000000-f0ffffff : PCI Bus 0000:00\n  d0000000-e1ffffff : PCI Bus 0000:0a\n"
                                          "    d0000000-dfffffff : 0000:0a:00.0\n      d0000000-d02fffff : BOOTFB\n");
}
static void no_framebuffer(struct setup_root *s)
{
        setup_root_file(s, "/proc/iomem", "    d0000000-dfffffff : 0000:0a:00.0\n      d0000000-dfffffff : vfio-pci\n"
                                          "    e0000000-e0ffffff : 0000:00:02.0\n      e0000000-e02fffff : BOOTFB\n");
}
static void set_time(struct setup_root *s, const char *path, time_t when)
{
        const struct timespec times[2] = { { .tv_sec = when }, { .tv_sec = when } };
        _autofree_ char *full = xasprintf("%s%s", setup_root_path(s), path);

        assert_int_equal(utimensat(AT_FDCWD, full, times, 0), 0);
}
static void stale(struct setup_root *s)
{
        setup_root_file(s, IMAGE, "");
        set_time(s, IMAGE, 1000);
        set_time(s, MODPROBE, 2000);
}
static void fresh(struct setup_root *s) { set_time(s, IMAGE, 3000); }
static void isolated_half(struct setup_root *s) { setup_root_file(s, "/sys/devices/system/cpu/isolated", "2-3\n"); }
static void isolated_core(struct setup_root *s) { setup_root_file(s, "/sys/devices/system/cpu/isolated", "1,3\n"); }
static void old_libvirt(struct setup_root *s)
{
        setup_root_remove(s, "/usr/lib/x86_64-linux-gnu/libvirt.so.0.9000.0");
        setup_root_file(s, "/usr/lib64/libvirt.so.0.7000.0", "");
}
static void new_libvirt(struct setup_root *s)
{
        setup_root_remove(s, "/usr/lib64/libvirt.so.0.7000.0");
        setup_root_file(s, "/usr/lib64/libvirt.so.0.11003.0", "");
}
static void comment_in_list(struct setup_root *s)
{
        setup_root_file(s, QEMU_CONF, "cgroup_device_acl = [\n\"/dev/null\",\n# mine\n\"/dev/kvm\"\n]\n");
}
static void set_twice(struct setup_root *s) { setup_root_file(s, QEMU_CONF, "user = \"libvirt-qemu\"\nuser = \"x\"\n"); }
static void unknown_user(struct setup_root *s) { setup_root_file(s, QEMU_CONF, "user = \"nobody-here\"\n"); }
static void root_user(struct setup_root *s) { setup_root_file(s, QEMU_CONF, "user = \"root\"\n"); }
static void no_kvm_group(struct setup_root *s)
{
        setup_root_file(s, "/etc/passwd", "guide:x:1001:1001::/:/bin/sh\n");
        setup_root_file(s, QEMU_CONF, "user = 'guide' # of mine\n");
}
static void kvm_group(struct setup_root *s) { setup_root_file(s, "/etc/group", "kvm:x:106:guide\n"); }
static void no_firmware(struct setup_root *s) { setup_root_remove(s, "/usr/share/qemu"); }
static void firmware(struct setup_root *s)
{
        setup_root_file(s, "/etc/qemu/firmware/1.json", "{ \"interface-types\": [ \"uefi\" ] }\n");
}
static void unconfined(struct setup_root *s) { setup_root_file(s, QEMU_CONF, "security_driver = \"none\"\n"); }
static void denied(struct setup_root *s, const char *profile, const char *name)
{
        _autofree_ char *log = xasprintf("kernel: audit: type=1400 apparmor=\"DENIED\" operation=\"open\" class=\"file\" "
                                         "profile=\"%s\" name=%s pid=9 comm=\"qemu-system-x86\"\n"
                                         "kernel: apparmor=\"DENIED\" profile=\"firefox\" name=\"/etc/shadow\"\n",
                                         profile, name);

        setup_root_file(s, "/var/log/kern.log", log);
}
static void denied_input(struct setup_root *s) { denied(s, "libvirt-c7a5fdbd-edaf-9455", "\"/dev/input/event5\""); }
static void denied_hex(struct setup_root *s) { denied(s, "libvirt-c7a5fdbd-edaf-9455", "2F746D702F6120621B5B33316D"); }
static void denied_ours(struct setup_root *s) { denied(s, "vfio-guestd", "\"/proc/1/root/\""); }
static void no_denials(struct setup_root *s) { setup_root_file(s, "/var/log/kern.log", "kernel: hello\n"); }

static const struct broken {
        void (*break_it)(struct setup_root *s);
        void (*mend_it)(struct setup_root *s); /* as the fix says */
        const char *id;
        enum check_status status;
        const char *message, *fix; /* parts of them */
} machines[] = {
        { no_virtualisation, virtualisation, "cpu.virt", CHECK_FAIL, "cannot run guests", "AMD SVM" },
        { no_kvm, kvm, "kvm.device", CHECK_FAIL, "/dev/kvm", "modprobe kvm_amd" },
        { no_table, table_back, "iommu.firmware", CHECK_FAIL, "switched off in the firmware", "IOMMU" },
        { intel_default_off, intel_on, "iommu.enabled", CHECK_FAIL, "kernel does not use it", "intel_iommu=on" },
        { iommu_off, iommu_back, "iommu.enabled", CHECK_FAIL, "kernel does not use it", "take amd_iommu=off off" },
        { iommpu, plain, "cmdline.unknown-token", CHECK_FAIL, "iommpu=pt", "meant is probably \"iommu\"" },
        { amd_iommu_on, plain, "cmdline.unknown-token", CHECK_WARN, "amd_iommu=on", "take amd_iommu=on off" },
        { ids_misspelt, plain, "cmdline.unknown-token", CHECK_FAIL, "vfio-pci.id=", "\"vfio-pci.ids\"" },
        { no_vfio, vfio, "vfio.builtin", CHECK_FAIL, "6.1.0-56-amd64 has no vfio-pci", "CONFIG_VFIO_PCI" },
        { builtin, ids_to_cmdline, "vfio.builtin", CHECK_FAIL, "no effect", "kernel command line" },
        { ids_differ, plain, "modprobe.effective", CHECK_FAIL, "differ", "one place" },
        { ids_twice, plain, "modprobe.effective", CHECK_WARN, "more than once", "one place" },
        { ids_in_two_files, ids_in_one_file, "modprobe.effective", CHECK_FAIL, "differ", "one place" },
        { misnamed, renamed, "modprobe.effective", CHECK_FAIL, "/etc/modprobe.d/vfio:", "end in .conf" },
        { no_ids, ids, "modprobe.effective", CHECK_FAIL, "no list of vendor:device", "hexadecimal" },
        { no_builder, builder, "initramfs.known", CHECK_WARN, "nothing known", "--initramfs" },
        { no_grub, cmdline_file, "bootloader.known", CHECK_WARN, "not clear where", "--bootloader" },
        { no_libvirt, modular, "libvirt.daemon", CHECK_FAIL, "not installed", "libvirt-daemon-system" },
        { libvirt_disabled, libvirt_enabled, "libvirt.daemon", CHECK_FAIL, "not enabled", "libvirtd.socket" },
        { both_daemons, libvirt_disabled, "libvirt.daemon", CHECK_WARN, "both", "disable --now" },
        { only_gpu, second_gpu, "gpu.present", CHECK_FAIL, "only GPU", "second one" },
        { no_gpu, second_gpu, "gpu.present", CHECK_FAIL, "no GPU", "graphics card" },
        { two_spare, one_spare, "gpu.present", CHECK_UNKNOWN, "not clear which", "--gpu=" },
        { boot_vga, no_boot_vga, "gpu.boot-vga", CHECK_WARN, "firmware starts on", "primary display" },
        { screen, no_screen, "gpu.boot-vga", CHECK_WARN, "the host draws on", "other GPU" },
        { shared_group, own_group, "gpu.group", CHECK_FAIL, "shares group 5", "another slot" },
        { no_group, group_back, "gpu.group", CHECK_FAIL, "in no group", "journalctl -k" },
        { twin, no_twin, "gpu.duplicate-id", CHECK_FAIL, "0000:0c:00.1", "--bind=address" },
        { nouveau, vfio_driver, "modprobe.softdeps", CHECK_FAIL, "nouveau is loaded before", "--bind=ids" },
        { nouveau_wins, vfio_driver, "gpu.driver", CHECK_FAIL, "bound to nouveau", "softdep nouveau pre: vfio-pci" },
        { framebuffer, no_framebuffer, "fb.bar-owner", CHECK_FAIL, "(BOOTFB) holds memory of 0000:0a:00.0", "--no-framebuffer" },
        { stale, fresh, "initramfs.stale", CHECK_WARN, "is older than " MODPROBE, "update-initramfs -u -k all" },
        { isolated_half, isolated_core, "cpu.isolated", CHECK_WARN, "splits the core of CPUs 0,2", "whole cores" },
        { old_libvirt, new_libvirt, "libvirt.version", CHECK_FAIL, "libvirt 7.0.0 is too old", "newer libvirt" },
        { comment_in_list, no_event, "libvirt.conf-parse", CHECK_FAIL, "line 3: there should be", "mend" },
        { set_twice, no_event, "libvirt.conf-parse", CHECK_FAIL, "line 2: libvirt passes over this user", "other out" },
        { unknown_user, no_event, "libvirt.qemu-user", CHECK_FAIL, "run as nobody-here, and there is no such", "take user" },
        { root_user, no_event, "libvirt.qemu-user", CHECK_WARN, "runs as root", "take user" },
        { no_kvm_group, kvm_group, "libvirt.qemu-user", CHECK_FAIL, "may not open /dev/kvm", "usermod -aG kvm guide" },
        { no_firmware, firmware, "ovmf.descriptor", CHECK_FAIL, "no UEFI firmware", "ovmf" },
        { unconfined, no_event, "lsm.profile", CHECK_WARN, "not confined", "take that line out" },
        { denied_input, no_denials, "lsm.denials", CHECK_WARN, "from /dev/input/event5", "<input type='evdev'>" },
        { denied_hex, no_denials, "lsm.denials", CHECK_WARN, "from /tmp/a b?[31m", "name that path" },
        { denied_ours, no_denials, "lsm.denials", CHECK_WARN, "kept vfio-guestd from", "apparmor_parser -r" },
        { no_driver, vfio_driver, "gpu.driver", CHECK_FAIL, "no driver", "modprobe vfio-pci" },
        { nvidia, vfio_driver, "gpu.driver", CHECK_WARN, "hangs", "--bind=ids" },
        { no_uinput, uinput, "input.uinput", CHECK_FAIL, "/dev/uinput", "modprobe uinput" },
        { no_unit, unit, "input.service", CHECK_FAIL, "not installed", "install the package" },
        { masked, unmasked, "input.service", CHECK_FAIL, "masked", "systemctl unmask" },
        { disabled, enabled, "input.service", CHECK_FAIL, "not enabled", "systemctl enable" },
        { input_group, no_input_group, "input.group-overreach", CHECK_WARN, "libvirt-qemu may read", "gpasswd -d libvirt-qemu" },
        { input_own_group, passwd, "input.group-overreach", CHECK_WARN, "guide may read", "gpasswd -d guide" },
        { event_in_conf, no_event, "guide.acl", CHECK_WARN, "qemu.conf: input nodes", "--cleanup" },
        { event_in_apparmor, no_event, "guide.apparmor", CHECK_WARN, "local/abstractions/libvirt-qemu: rules", "--cleanup" },
        { event_in_folder, no_event, "guide.apparmor", CHECK_WARN, "libvirt-qemu.d/guide: rules", "--cleanup" },
        { unquoted_user, quoted_user, "libvirt.conf-parse", CHECK_FAIL, "line 2: there should be a number, or a value in quotes, not \"vfio\"", "take out that line" },
};

static bool has_fix(const struct check *c, const char *part)
{
        for (char **fix = c->fix; fix && *fix; fix++)
                if (strstr(*fix, part))
                        return true;
        return false;
}

static void check_broken(const struct broken *b, const struct setup_root *s)
{
        _cleanup_(checks_clear) struct checks c = { 0 };
        const struct check *bad;

        examine(s, NULL, &c);
        bad = first_bad(&c);
        if (!bad) {
                fail_msg("%s: nothing found", b->id);
                return;
        }
        assert_string_equal(bad->id, b->id);
        assert_int_equal(bad->status, b->status);
        check_contains(bad->message, b->message);
        if (!has_fix(bad, b->fix))
                fail_msg("%s: no fix has \"%s\"", b->id, b->fix);
        assert_int_equal(checks_exit_code(&c, false), b->status == CHECK_FAIL);
        assert_int_equal(checks_exit_code(&c, true), 1);
}

static void test_broken(void **state)
{
        for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
                _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();

                machines[i].break_it(s);
                check_broken(&machines[i], s);
        }
}

static void test_mended(void **state)
{
        for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
                _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();

                machines[i].break_it(s);
                machines[i].mend_it(s);
                if (streq(machines[i].id, "libvirt.daemon") && machines[i].mend_it == libvirt_disabled)
                        modular(s);
                check_well(s);
        }
}

/* --- one GPU by name ---------------------------------------------------------------- */

static void check_one(const struct setup_root *s, const char *gpu, const char *id, enum check_status status,
                      const char *message)
{
        _cleanup_(checks_clear) struct checks c = { 0 };
        const struct check *check;

        examine(s, gpu, &c);
        check = checks_find(&c, id);
        assert_non_null(check);
        check_contains(check->message, message);
        assert_int_equal(check->status, status);
}

static void test_wanted_gpu(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();

        check_one(s, "0a:00.0", "gpu.present", CHECK_OK, "0000:0a:00.0, 10de:1b80");
        check_one(s, "0000:00:02.0", "gpu.boot-vga", CHECK_WARN, "the host draws on 0000:00:02.0");
        check_one(s, "0000:00:02.0", "gpu.driver", CHECK_OK, "bound to amdgpu; libvirt takes it");
        check_one(s, "0000:77:00.0", "gpu.present", CHECK_FAIL, "no PCI function 0000:77:00.0");
        check_one(s, "0000:77:00.0", "gpu.driver", CHECK_SKIP, "no GPU");
        check_one(s, "0000:01:00.0", "gpu.present", CHECK_FAIL, "0000:01:00.0 is no GPU");
        check_one(s, "\x1b[31mred", "gpu.present", CHECK_FAIL, "?[31mred");
}

/* ids that match a companion are missing: its own driver keeps it, and that is libvirt's to change. */
static void test_driver_of_companion(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();

        setup_root_link(s, "/sys/devices/pci0000:00/0000:00:03.0/0000:0a:00.1/driver", "../snd_hda_intel");
        check_one(s, NULL, "gpu.driver", CHECK_FAIL, "0000:0a:00.1 is bound to snd_hda_intel");
        setup_root_file(s, MODPROBE, "options vfio-pci ids=10de:1b80\n");
        check_one(s, NULL, "gpu.driver", CHECK_OK, "bound to vfio-pci");
        nouveau(s);
        setup_root_file(s, MODPROBE, "");
        check_one(s, NULL, "gpu.driver", CHECK_OK, "bound to nouveau; libvirt takes it");
        setup_root_file(s, GPU "/driver_override", "vfio-pci\n");
        check_one(s, NULL, "gpu.driver", CHECK_FAIL, "bound to nouveau");
}

static void test_group_names_root_disk(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        _cleanup_(checks_clear) struct checks c = { 0 };

        setup_root_link(s, "/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/iommu_group",
                        "../../../../kernel/iommu_groups/5");
        examine(s, NULL, &c);
        check_contains(checks_find(&c, "gpu.group")->evidence, "0000:01:00.0 (nvme, the disk of /)");
}

/* --- what may not be read ------------------------------------------------------------ */

static void test_needs_root(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        _autofree_ char *conf = xasprintf("%s" QEMU_CONF, setup_root_path(s));
        _cleanup_(checks_clear) struct checks c = { 0 };
        bool root = geteuid() == 0;

        assert_int_equal(chmod(setup_root_path(s), 0755), 0);
        assert_int_equal(chmod(conf, 0), 0);
        assert_int_equal(root ? seteuid(65534) : 0, 0);
        examine(s, NULL, &c);
        assert_int_equal(root ? seteuid(0) : 0, 0);
        assert_int_equal(checks_count(&c, CHECK_UNKNOWN), 5);
        assert_int_equal(checks_find(&c, "guide.user")->status, CHECK_UNKNOWN);
        check_contains(checks_find(&c, "guide.user")->message, "needs root");
        check_contains(checks_find(&c, "guide.acl")->message, "needs root");
        assert_int_equal(checks_worst(&c), CHECK_UNKNOWN);
        assert_int_equal(checks_exit_code(&c, false), 0);
}

/* A mounted system tells of its files, and of no hardware. */
static void test_mounted(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        _cleanup_(checks_clear) struct checks c = { 0 };

        setup_root_remove(s, "/proc");
        setup_root_remove(s, "/sys");
        setup_root_remove(s, "/dev");
        examine(s, NULL, &c);
        assert_null(first_bad(&c));
        assert_int_equal(checks_find(&c, "iommu.enabled")->status, CHECK_SKIP);
        assert_int_equal(checks_find(&c, "bootloader.known")->status, CHECK_OK);
}

/* --- words of the command line ------------------------------------------------------- */

static void test_tokens(void **state)
{
        static const struct {
                const char *token;
                enum cpu_vendor vendor;
                enum kernel_token verdict;
        } cases[] = {
                { "quiet", CPU_VENDOR_AMD, KERNEL_TOKEN_FINE },
                { "iommu=pt", CPU_VENDOR_AMD, KERNEL_TOKEN_FINE },
                { "iommpu=pt", CPU_VENDOR_AMD, KERNEL_TOKEN_MISSPELT },
                { "iommu.passthrough=1", CPU_VENDOR_AMD, KERNEL_TOKEN_FINE },
                { "intel_iommu=on", CPU_VENDOR_INTEL, KERNEL_TOKEN_FINE },
                { "intel-iommu=on", CPU_VENDOR_INTEL, KERNEL_TOKEN_FINE },
                { "intel_iommu=on", CPU_VENDOR_AMD, KERNEL_TOKEN_USELESS },
                { "intel_iomu=on", CPU_VENDOR_INTEL, KERNEL_TOKEN_MISSPELT },
                { "amd_iommu=on", CPU_VENDOR_AMD, KERNEL_TOKEN_USELESS },
                { "amd_iommu=off", CPU_VENDOR_AMD, KERNEL_TOKEN_FINE },
                { "amd_iommu_intr=legacy", CPU_VENDOR_AMD, KERNEL_TOKEN_FINE },
                { "vfio-pci.ids=10de:1b80", CPU_VENDOR_AMD, KERNEL_TOKEN_FINE },
                { "vfio_pci.ids=10de:1b80,10de:10f0:ffffffff", CPU_VENDOR_AMD, KERNEL_TOKEN_MISSPELT },
                { "vfio_pci.ids=10de:1b80:1043:8510:030000:ffff00", CPU_VENDOR_AMD, KERNEL_TOKEN_FINE },
                { "vfio-pci.ids=", CPU_VENDOR_AMD, KERNEL_TOKEN_MISSPELT },
                { "vfio-pci.ids=10de", CPU_VENDOR_AMD, KERNEL_TOKEN_MISSPELT },
                { "vfio-pci.ids=10de::1b80", CPU_VENDOR_AMD, KERNEL_TOKEN_MISSPELT },
                { "vfio-pci.ids=0a:00.0", CPU_VENDOR_AMD, KERNEL_TOKEN_MISSPELT },
                { "vfio-pci.id=10de:1b80", CPU_VENDOR_AMD, KERNEL_TOKEN_MISSPELT },
                { "vfio_pci=10de:1b80", CPU_VENDOR_AMD, KERNEL_TOKEN_MISSPELT },
                { "vfio.ids=10de:1b80", CPU_VENDOR_AMD, KERNEL_TOKEN_MISSPELT },
                { "vfio_pci.disable_idle_d3=1", CPU_VENDOR_AMD, KERNEL_TOKEN_FINE },
                { "vfio_pci.disable_vga=1", CPU_VENDOR_AMD, KERNEL_TOKEN_FINE },
                { "rd.driver.pre=vfio-pci", CPU_VENDOR_AMD, KERNEL_TOKEN_FINE },
                { "isolcpu=8-15", CPU_VENDOR_AMD, KERNEL_TOKEN_MISSPELT },
                { "rcu_nocb_poll", CPU_VENDOR_AMD, KERNEL_TOKEN_FINE },
                { "video=efifb:off", CPU_VENDOR_AMD, KERNEL_TOKEN_FINE },
                { "=", CPU_VENDOR_AMD, KERNEL_TOKEN_FINE },
                { "a-name-that-is-longer-than-any-parameter-could-ever-be=1", CPU_VENDOR_AMD, KERNEL_TOKEN_FINE },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _autofree_ char *reason = NULL;
                enum kernel_token verdict = kernel_token_judge(cases[i].token, cases[i].vendor, &reason);

                if (verdict != cases[i].verdict)
                        fail_msg("%s: %d", cases[i].token, (int) verdict);
                assert_int_equal(reason != NULL, verdict != KERNEL_TOKEN_FINE);
        }
}

/* --- modprobe's order ---------------------------------------------------------------- */

/* A file in /etc replaces the one with its name elsewhere. */
static void test_modprobe_order(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();

        setup_root_file(s, "/usr/lib/modprobe.d/vfio-inputd.conf", "options vfio-pci ids=1:1\n");
        check_one(s, NULL, "modprobe.effective", CHECK_OK, "come from " MODPROBE);
        setup_root_file(s, "/usr/lib/modprobe.d/a.conf", "options vfio-pci ids=10de:1b80,10de:10f0\n");
        check_one(s, NULL, "modprobe.effective", CHECK_WARN, "more than once");
        setup_root_remove(s, "/usr/lib/modprobe.d");
        setup_root_file(s, MODPROBE, "#options vfio-pci ids=1:1\noptions vfio ids=1:1\noptions vfio-pci\n");
        check_one(s, NULL, "modprobe.effective", CHECK_OK, "are not set");
}

/* --- the list itself ----------------------------------------------------------------- */

static void test_table(void **state)
{
        size_t n = 0;

        for (const struct doctor_check *a; (a = doctor_check_at(n)); n++) {
                assert_true(strchr(a->id, '.') && *a->summary && a->run);
                for (size_t j = 0; j < n; j++)
                        assert_string_not_equal(a->id, doctor_check_at(j)->id);
        }
        assert_true(n > 20);
}

static void fill(struct checks *c)
{
        struct check *check = checks_add(c, "a.one");

        check_set(check, CHECK_OK, "all is %s", "well");
        check = checks_add(c, "a.longer-one");
        check_set(check, CHECK_FAIL, "bad\x1b[2J");
        check_evidence(check, "line\nbreak");
        check_fix(check, "sudo %s", "mend");
        check_fix(check, "or so");
        (void) checks_add(c, "a.two");
}

static void test_text(void **state)
{
        _cleanup_(checks_clear) struct checks c = { 0 };
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);

        fill(&c);
        checks_print(&c, out);
        assert_int_equal(fclose(out), 0);
        assert_string_equal(text, " ok      a.one         all is well\n"
                                  " FAIL    a.longer-one  bad?[2J\n"
                                  "           why: line?break\n"
                                  "           fix: sudo mend\n"
                                  "           fix: or so\n"
                                  " unknown a.two         not looked at\n"
                                  "1 ok, 1 fail, 1 unknown\n");
        free(text);
}

static void test_json(void **state)
{
        _cleanup_(checks_clear) struct checks c = { 0 };
        json_object *o;

        fill(&c);
        o = checks_to_json(&c);
        assert_string_equal(
                json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                "{\"schema\":1,\"checks\":["
                "{\"id\":\"a.one\",\"status\":\"ok\",\"message\":\"all is well\",\"evidence\":\"\",\"fix\":[]},"
                "{\"id\":\"a.longer-one\",\"status\":\"fail\",\"message\":\"bad?[2J\",\"evidence\":\"line?break\","
                "\"fix\":[\"sudo mend\",\"or so\"]},"
                "{\"id\":\"a.two\",\"status\":\"unknown\",\"message\":\"not looked at\",\"evidence\":\"\",\"fix\":[]}],"
                "\"summary\":{\"ok\":1,\"warn\":0,\"fail\":1,\"skip\":0,\"unknown\":1}}");
        json_object_put(o);
}

static void test_worst(void **state)
{
        static const enum check_status order[] = { CHECK_OK, CHECK_SKIP, CHECK_UNKNOWN, CHECK_WARN, CHECK_FAIL };
        _cleanup_(checks_clear) struct checks c = { 0 };

        assert_int_equal(checks_worst(&c), CHECK_OK);
        assert_int_equal(checks_exit_code(&c, true), 0);
        for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
                check_set(checks_add(&c, "x"), order[i], "x");
                assert_int_equal(checks_worst(&c), order[i]);
                check_set(checks_add(&c, "x"), CHECK_OK, "x");
                assert_int_equal(checks_worst(&c), order[i]);
                assert_int_equal(checks_exit_code(&c, false), i == 4);
                assert_int_equal(checks_exit_code(&c, true), i >= 2);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_desktop),
                cmocka_unit_test(test_broken),
                cmocka_unit_test(test_mended),
                cmocka_unit_test(test_wanted_gpu),
                cmocka_unit_test(test_driver_of_companion),
                cmocka_unit_test(test_group_names_root_disk),
                cmocka_unit_test(test_needs_root),
                cmocka_unit_test(test_mounted),
                cmocka_unit_test(test_tokens),
                cmocka_unit_test(test_modprobe_order),
                cmocka_unit_test(test_table),
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_json),
                cmocka_unit_test(test_worst),
        };

        return cmocka_run_group_tests_name("setup-doctor", tests, NULL, NULL);
}
