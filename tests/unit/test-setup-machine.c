/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the set-up program sees of a machine, on machines made of files. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "client/setup/machine.h"
#include "client/setup/words.h"
#include "tests/unit/setup-root.h"

static struct machine *load(const struct setup_root *s)
{
        struct machine *m = NULL;

        assert_int_equal(machine_load(setup_root_open(s), &m), 0);
        return m;
}

static void check_words(char *const *words, const char *expected)
{
        _autofree_ char *all = words_join(words, " ");

        assert_string_equal(all, expected);
}

/* --- PCI -------------------------------------------------------------------------- */

static void test_addresses(void **state)
{
        static const struct {
                const char *path, *address;
        } cases[] = {
                { "../../devices/pci0000:00/0000:00:1d.0/0000:02:00.0/nvme/nvme0/nvme0n1", "0000:02:00.0" },
                { "../../devices/pci0000:00/0000:00:02.0/virtio1/block/vda", "0000:00:02.0" },
                { "../../devices/pci10000:e0/10000:e0:06.0/10000:e1:00.0/nvme/nvme0/nvme0n1", "10000:e1:00.0" },
                { "0000:0a:00.1", "0000:0a:00.1" },
                { "/sys/devices/virtual/block/dm-0", NULL },
                { "../../devices/platform/simple-framebuffer.0/drm/card0", NULL },
                { "0000:0a:00.8", NULL },
                { "0000:0a:00.11", NULL },
                { "000:0a:00.1", NULL },
                { "0000:0a:0g.1", NULL },
                { "", NULL },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                char address[PCI_ADDRESS_MAX] = "";

                assert_int_equal(pci_address_in_path(cases[i].path, address), cases[i].address != NULL);
                assert_string_equal(address, cases[i].address ? cases[i].address : "");
        }
}

static void test_functions(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        _cleanup_(machine_freep) struct machine *m = load(s);
        const struct pci_device *gpu = pci_find(&m->pci, "0000:0a:00.0"), *sound;

        assert_true(m->pci.known);
        assert_int_equal(m->pci.n_devices, 7);
        assert_non_null(gpu);
        assert_ptr_equal(pci_find(&m->pci, "0a:00.0"), gpu);
        assert_ptr_equal(pci_find(&m->pci, "0000:0A:00.0"), gpu);
        assert_null(pci_find(&m->pci, "0000:0b:00.0"));
        assert_int_equal(gpu->class, 0x030000);
        assert_int_equal(gpu->vendor, 0x10de);
        assert_int_equal(gpu->device, 0x1b80);
        assert_int_equal(gpu->group, 5);
        assert_string_equal(gpu->driver, "vfio-pci");
        assert_null(gpu->overridden);
        assert_false(pci_drives_display(gpu));
        check_words(gpu->modules, "nouveau");
        sound = pci_next_companion(&m->pci, gpu, NULL);
        assert_string_equal(sound->address, "0000:0a:00.1");
        assert_false(pci_is_gpu(sound));
        check_words(sound->modules, "snd_hda_intel");
        assert_null(pci_next_companion(&m->pci, gpu, sound));
        assert_null(pci_next_twin(&m->pci, gpu, NULL));
}

static void test_gpus(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        static const struct setup_pci twin = { "0000:0b:00.0", "", 0x030200, 0x10de, 0x1b80, NULL, 6, -1 };
        _cleanup_(machine_freep) struct machine *m = NULL;
        const struct pci_device *first, *second, *third;

        setup_root_pci(s, &twin);
        setup_root_file(s, "/sys/devices/pci0000:00/0000:0b:00.0/driver_override", "vfio-pci\n");
        m = load(s);
        first = pci_next_gpu(&m->pci, NULL);
        second = pci_next_gpu(&m->pci, first);
        third = pci_next_gpu(&m->pci, second);
        assert_string_equal(first->address, "0000:00:02.0");
        assert_true(first->boot_vga && first->connected && pci_drives_display(first));
        assert_string_equal(second->address, "0000:0a:00.0");
        assert_string_equal(third->address, "0000:0b:00.0");
        assert_string_equal(third->overridden, "vfio-pci");
        assert_null(third->driver);
        assert_null(pci_next_gpu(&m->pci, third));
        assert_ptr_equal(pci_next_twin(&m->pci, second, NULL), third);
        assert_null(pci_next_twin(&m->pci, second, third));
        assert_ptr_equal(machine_guest_gpu(m), second);
}

/* A disconnected connector, and one of a framebuffer that is no PCI function. */
static void test_connectors(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        _cleanup_(machine_freep) struct machine *m = NULL;

        setup_root_link(s, "/sys/class/drm/card1-DP-1",
                        "../../devices/pci0000:00/0000:00:03.0/0000:0a:00.0/drm/card1/card1-DP-1");
        setup_root_file(s, "/sys/devices/pci0000:00/0000:00:03.0/0000:0a:00.0/drm/card1/card1-DP-1/status",
                        "disconnected\n");
        setup_root_link(s, "/sys/class/drm/card2-Unknown-1", "../../devices/platform/simple/drm/card2-Unknown-1");
        setup_root_file(s, "/sys/devices/platform/simple/drm/card2-Unknown-1/status", "connected\n");
        m = load(s);
        assert_false(pci_find(&m->pci, "0000:0a:00.0")->connected);
        assert_true(pci_find(&m->pci, "0000:00:02.0")->connected);
}

/* --- the disk of / ------------------------------------------------------------------- */

static void check_root_disks(const struct setup_root *s, const char *expected)
{
        _cleanup_(machine_freep) struct machine *m = load(s);
        _cleanup_(strv_freep) char **found = NULL;

        for (size_t i = 0; i < m->pci.n_devices; i++)
                if (m->pci.devices[i].root_disk)
                        words_add(&found, m->pci.devices[i].address);
        check_words(found, expected);
        assert_int_equal(m->pci.root_disk_known, *expected != '\0');
}

static void put_block(struct setup_root *s, const char *name, const char *path)
{
        _autofree_ char *link = xasprintf("/sys/class/block/%s", name);
        _autofree_ char *target = xasprintf("../../devices/%s/%s", path, name);

        setup_root_link(s, link, target);
}

static void put_slave(struct setup_root *s, const char *path, const char *slave)
{
        _autofree_ char *link = xasprintf("/sys/devices/%s/slaves/%s", path, slave);

        setup_root_link(s, link, "../../nowhere");
}

static void put_sata(struct setup_root *s)
{
        static const struct setup_pci sata = { "0000:00:17.0", "", 0x010601, 0x8086, 0xa352, "ahci", 9, -1 };

        setup_root_pci(s, &sata);
        put_block(s, "sda1", "pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda");
}

static void put_mount(struct setup_root *s, const char *line)
{
        _autofree_ char *text = xasprintf("1 1 0:1 / / rw - rootfs rootfs rw\n%s\n", line);

        setup_root_file(s, "/proc/self/mountinfo", text);
}

static void test_root_disk_partition(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();

        check_root_disks(s, "0000:01:00.0");
}

static void test_root_disk_below_mapper_and_raid(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();

        put_sata(s);
        put_mount(s, "27 1 253:0 / / rw shared:1 - xfs /dev/mapper/vg-root rw");
        setup_root_link(s, "/sys/dev/block/253:0", "../../devices/virtual/block/dm-0");
        put_block(s, "dm-0", "virtual/block");
        put_block(s, "md0", "virtual/block");
        put_block(s, "md0p1", "virtual/block/md0");
        put_slave(s, "virtual/block/dm-0", "md0p1");
        put_slave(s, "virtual/block/md0", "sda1");
        put_slave(s, "virtual/block/md0", "nvme0n1p2");
        check_root_disks(s, "0000:00:17.0 0000:01:00.0");
}

static void test_root_disk_with_nvme_multipath(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();

        setup_root_link(s, "/sys/dev/block/259:2",
                        "../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p2");
        put_block(s, "nvme0n1p2", "virtual/nvme-subsystem/nvme-subsys0/nvme0n1");
        setup_root_link(s, "/sys/class/nvme-subsystem/nvme-subsys0",
                        "../../devices/virtual/nvme-subsystem/nvme-subsys0");
        setup_root_link(s, "/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0",
                        "../../../pci0000:00/0000:00:01.0/0000:01:00.0/nvme/nvme0");
        check_root_disks(s, "0000:01:00.0");
}

static void test_root_disk_of_btrfs(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();

        put_sata(s);
        put_mount(s, "27 1 0:33 /@ / rw shared:1 - btrfs /dev/nvme0n1p2 rw,subvol=/@");
        check_root_disks(s, "0000:01:00.0");
        setup_root_link(s, "/sys/fs/btrfs/11-22/devices/nvme0n1p2", "../../nowhere");
        setup_root_link(s, "/sys/fs/btrfs/11-22/devices/sda1", "../../nowhere");
        check_root_disks(s, "0000:00:17.0 0000:01:00.0");
}

static void test_root_disk_unknown(void **state)
{
        static const char *const lines[] = {
                "27 1 0:33 / / rw - zfs rpool/ROOT rw",
                "27 1 0:33 / / rw - overlay overlay rw",
                "27 1 7:0 / / rw - squashfs /dev/loop0 ro",
                "nonsense",
                "27 1 0:33 / /home rw - btrfs /dev/nvme0n1p2 rw",
        };
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();

        for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
                put_mount(s, lines[i]);
                check_root_disks(s, "");
        }
}

/* A loop of mappers must end. */
static void test_root_disk_loop(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();

        put_mount(s, "27 1 0:33 / / rw - btrfs /dev/dm-0 rw");
        put_block(s, "dm-0", "virtual/block");
        put_slave(s, "virtual/block/dm-0", "dm-0");
        check_root_disks(s, "");
}

/* --- IOMMU ------------------------------------------------------------------------ */

static void test_iommu(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        _cleanup_(machine_freep) struct machine *m = load(s);

        assert_true(m->iommu.known && m->iommu.enabled && m->iommu.ivrs && !m->iommu.dmar);
        assert_int_equal(m->iommu.n_groups, 6);
        assert_string_equal(m->iommu.unit, "ivhd0");
}

static void test_iommu_foreign(void **state)
{
        static const struct setup_pci bridge = { "0000:00:04.0", "", 0x060400, 1, 1, "pcieport", 5, -1 };
        static const struct setup_pci sata = { "0000:00:17.0", "", 0x010601, 1, 1, "ahci", 5, -1 };
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        _cleanup_(machine_freep) struct machine *m = NULL;
        const struct pci_device *gpu, *foreign;

        setup_root_pci(s, &bridge);
        setup_root_pci(s, &sata);
        m = load(s);
        gpu = pci_find(&m->pci, "0a:00.0");
        foreign = iommu_next_foreign(&m->pci, gpu, NULL);
        assert_string_equal(foreign->address, "0000:00:17.0");
        assert_null(iommu_next_foreign(&m->pci, gpu, foreign));
}

static void test_iommu_off(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        _cleanup_(machine_freep) struct machine *m = NULL;

        setup_root_remove(s, "/sys/kernel/iommu_groups");
        setup_root_folder(s, "/sys/kernel/iommu_groups/0");
        setup_root_file(s, "/sys/kernel/iommu_groups/0/name", "vfio-noiommu\n");
        m = load(s);
        assert_true(m->iommu.known);
        assert_false(m->iommu.enabled);
        assert_true(m->iommu.acpi_known && iommu_in_firmware(&m->iommu));
}

/* --- processors ------------------------------------------------------------------- */

static void test_cpu_sets(void **state)
{
        static const char *const good[] = { "", "0", "0-3", "0,2,4-7", "8191", "63-64" };
        static const char *const bad[] = { ",", "1,", "a", "3-1", "1--2", "8192", "1 ", "-1", "99999999999999999999" };
        struct cpu_set set;

        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                _autofree_ char *text = NULL;

                assert_int_equal(cpu_set_parse(good[i], &set), 0);
                text = cpu_set_format(&set);
                assert_string_equal(text, good[i]);
        }
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(cpu_set_parse(bad[i], &set), -EINVAL);
        assert_int_equal(cpu_set_parse("1,0-1", &set), 0);
        assert_int_equal(cpu_set_count(&set), 2);
}

static void test_cpu(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        _cleanup_(machine_freep) struct machine *m = load(s);

        assert_int_equal(m->cpu.vendor, CPU_VENDOR_AMD);
        assert_true(m->cpu.known && m->cpu.virt && m->cpu.kvm_device);
        assert_false(m->cpu.virtual);
        assert_int_equal(m->cpu.n_cores, 2);
        assert_int_equal(m->cpu.cores[1].l3, 0);
        setup_root_file(s, "/proc/cpuinfo", "vendor_id : GenuineIntel\nflags : fpu hypervisor\nvmx flags : svm\n");
        (void) machine_free(m);
        m = load(s);
        assert_int_equal(m->cpu.vendor, CPU_VENDOR_INTEL);
        assert_false(m->cpu.virt);
        assert_true(m->cpu.virtual);
}

/* cores: pairs of threads and cache, NULL at the end. */
static void check_proposal(const char *online, const char *const *cores, unsigned wanted, const char *guest,
                           const char *host)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_new();
        _autofree_ char *guest_text = NULL, *host_text = NULL;
        struct cpu_proposal p;
        struct cpu cpu = { 0 };

        setup_root_file(s, "/sys/devices/system/cpu/online", online);
        for (; *cores; cores += 2)
                setup_root_core(s, cores[0], cores[1][0] ? cores[1] : NULL);
        assert_int_equal(cpu_load(setup_root_open(s), &cpu), 0);
        assert_int_equal(cpu_propose(&cpu, wanted, &p), 0);
        guest_text = cpu_set_format(&p.guest);
        host_text = cpu_set_format(&p.host);
        assert_string_equal(guest_text, guest);
        assert_string_equal(host_text, host);
        assert_int_equal(p.cores * p.threads, cpu_set_count(&p.guest));
        cpu_clear(&cpu);
}

static void test_propose_one_cache(void **state)
{
        static const char *const far[] = { "0,4", "0-7", "1,5", "0-7", "2,6", "0-7", "3,7", "0-7", NULL };
        static const char *const near[] = { "0-1", "0-7", "2-3", "0-7", "4-5", "0-7", "6-7", "0-7", NULL };
        static const char *const single[] = { "0", "", "1", "", "2", "", "3", "", NULL };

        check_proposal("0-7", far, 0, "1-3,5-7", "0,4");
        check_proposal("0-7", far, 4, "2-3,6-7", "0-1,4-5");
        check_proposal("0-7", far, 5, "2-3,6-7", "0-1,4-5");
        check_proposal("0-7", far, 1, "3,7", "0-2,4-6");
        check_proposal("0-7", near, 0, "2-7", "0-1");
        check_proposal("0-7", near, 4, "4-7", "0-3");
        check_proposal("0-3", single, 0, "1-3", "0");
        check_proposal("0-3", single, 2, "2-3", "0-1");
}

/* Two chips: the one without the host's core is taken whole, and no more than it if that is enough. */
static void test_propose_two_caches(void **state)
{
        static const char *const chips[] = { "0,8",  "0-3,8-11",  "1,9",  "0-3,8-11",  "2,10", "0-3,8-11",  "3,11", "0-3,8-11",
                                             "4,12", "4-7,12-15", "5,13", "4-7,12-15", "6,14", "4-7,12-15", "7,15", "4-7,12-15",
                                             NULL };

        check_proposal("0-15", chips, 0, "4-7,12-15", "0-3,8-11");
        check_proposal("0-15", chips, 6, "5-7,13-15", "0-4,8-12");
        check_proposal("0-15", chips, 12, "2-7,10-15", "0-1,8-9");
}

/* Performance cores have two threads, efficient ones one: a guest gets one kind. */
static void test_propose_hybrid(void **state)
{
        static const char *const cores[] = { "0-1", "0-11", "2-3", "0-11", "4-5", "0-11", "6-7", "0-11",
                                             "8",   "0-11", "9",   "0-11", "10",  "0-11", "11",  "0-11", NULL };

        check_proposal("0-11", cores, 0, "2-7", "0-1,8-11");
        check_proposal("0-11", cores, 4, "4-7", "0-3,8-11");
}

/* A thread that is offline is nobody's. */
static void test_propose_offline(void **state)
{
        static const char *const cores[] = { "0,3", "", "1,4", "", "2,5", "", NULL };

        check_proposal("0-2", cores, 2, "1-2", "0");
}

static void test_propose_impossible(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        _cleanup_(machine_freep) struct machine *m = load(s);
        struct cpu none = { 0 };
        struct cpu_proposal p;

        assert_int_equal(cpu_propose(&m->cpu, 4, &p), -ERANGE);
        assert_int_equal(cpu_propose(&m->cpu, 2, &p), 0);
        assert_true(p.one_cache);
        assert_int_equal(cpu_propose(&none, 0, &p), -ENODATA);
        m->cpu.n_cores = 1;
        assert_int_equal(cpu_propose(&m->cpu, 0, &p), -ERANGE);
}

/* --- kernels ---------------------------------------------------------------------- */

static void test_kernels(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        _cleanup_(machine_freep) struct machine *m = NULL;

        setup_root_file(s, "/usr/lib/modules/6.12.0/modules.builtin", "kernel/drivers/vfio/pci/vfio-pci.ko\n");
        setup_root_file(s, "/usr/lib/modules/6.9.0/modules.dep",
                        "kernel/drivers/vfio/x/mlx5-vfio-pci.ko.zst: kernel/drivers/vfio/pci/vfio-pci.ko.zst\n");
        setup_root_folder(s, "/usr/lib/modules/5.10.0/updates");
        m = load(s);
        assert_int_equal(m->kernels.n_items, 3);
        assert_string_equal(m->kernels.items[1].release, "6.9.0");
        assert_int_equal(m->kernels.items[1].vfio_pci, KERNEL_MODULE_NONE);
        assert_string_equal(m->kernels.items[2].release, "6.12.0");
        assert_int_equal(m->kernels.items[2].vfio_pci, KERNEL_MODULE_BUILT_IN);
        assert_int_equal(m->kernels.items[2].virqfd, KERNEL_MODULE_NONE);
        assert_string_equal(kernels_current(&m->kernels)->release, "6.1.0-56-amd64");
        assert_int_equal(kernels_current(&m->kernels)->vfio_pci, KERNEL_MODULE_LOADABLE);
        assert_int_equal(kernels_current(&m->kernels)->virqfd, KERNEL_MODULE_LOADABLE);
        setup_root_remove(s, "/proc");
        (void) machine_free(m);
        m = load(s);
        assert_null(m->kernels.running);
        assert_string_equal(kernels_current(&m->kernels)->release, "6.12.0");
}

/* --- boot ------------------------------------------------------------------------- */

#define LOADER_INFO "/sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"

struct boot_case {
        const char *const *files; /* that are there, NULL at the end */
        const char *loader;       /* that the firmware started, NULL: not told */
        int kind;
        const char *config, *command;
};

static void put_loader(struct setup_root *s, const char *name)
{
        char data[128] = { 6, 0, 0, 0 };
        size_t n = 4;

        for (; *name; name++, n += 2)
                data[n] = *name;
        setup_root_bytes(s, LOADER_INFO, data, n + 2);
}

static void put_files(struct setup_root *s, const char *const *files)
{
        for (; *files; files++)
                setup_root_file(s, *files, "");
}

#define FILES(...) (const char *const[]){ __VA_ARGS__, NULL }

static void test_bootloaders(void **state)
{
        static const char *const nothing[] = { NULL };
        const struct boot_case cases[] = {
                { nothing, NULL, BOOTLOADER_UNKNOWN, "", "" },
                { FILES("/usr/bin/grub-mkconfig", "/etc/default/grub"), NULL, BOOTLOADER_GRUB,
                  "/etc/default/grub", "grub-mkconfig -o /boot/grub/grub.cfg" },
                { FILES("/usr/sbin/grub2-mkconfig", "/etc/default/grub"), NULL, BOOTLOADER_GRUB,
                  "/etc/default/grub", "grub2-mkconfig -o /boot/grub2/grub.cfg" },
                { FILES("/usr/sbin/grub2-mkconfig", "/etc/default/grub", "/usr/sbin/grubby", "/etc/kernel/cmdline"),
                  NULL, BOOTLOADER_GRUBBY, "", "" },
                { FILES("/usr/bin/kernelstub", "/etc/kernel/cmdline"), "systemd-boot 255.4", BOOTLOADER_KERNELSTUB,
                  "/etc/kernelstub/configuration", "" },
                { FILES("/etc/kernel/cmdline", "/usr/bin/kernel-install"), NULL, BOOTLOADER_SYSTEMD_BOOT,
                  "/etc/kernel/cmdline", "kernel-install add-all" },
                { FILES("/etc/kernel/cmdline", "/usr/bin/kernel-install", "/etc/mkinitcpio.d/linux.preset"), NULL,
                  BOOTLOADER_SYSTEMD_BOOT, "/etc/kernel/cmdline", "mkinitcpio -P" },
                { FILES("/etc/kernel/cmdline", "/usr/bin/sdbootutil", "/usr/sbin/grub2-mkconfig", "/etc/default/grub"),
                  "GRUB 2.12", BOOTLOADER_SYSTEMD_BOOT, "/etc/kernel/cmdline", "sdbootutil update-all-entries" },
                { FILES("/etc/kernel/cmdline", "/usr/bin/grub-mkconfig", "/etc/default/grub"), "GRUB 2.12",
                  BOOTLOADER_GRUB, "/etc/default/grub", "grub-mkconfig -o /boot/grub/grub.cfg" },
                { FILES("/etc/kernel/cmdline", "/usr/bin/grub-mkconfig", "/etc/default/grub", "/usr/bin/kernel-install"),
                  "systemd-boot 256", BOOTLOADER_SYSTEMD_BOOT, "/etc/kernel/cmdline", "kernel-install add-all" },
                /* Entries by hand: GRUB is installed and does not start anything. */
                { FILES("/usr/bin/grub-mkconfig", "/etc/default/grub"), "systemd-boot 256", BOOTLOADER_UNKNOWN, "", "" },
                { FILES("/etc/default/limine", "/usr/bin/limine-mkinitcpio", "/etc/kernel/cmdline"), "Limine 9.3",
                  BOOTLOADER_LIMINE, "/etc/default/limine", "limine-mkinitcpio" },
                { FILES("/etc/default/limine", "/usr/bin/limine-update"), NULL, BOOTLOADER_LIMINE,
                  "/etc/default/limine", "limine-update" },
                { FILES("/etc/default/limine"), NULL, BOOTLOADER_UNKNOWN, "", "" },
                { FILES("/run/ostree-booted", "/usr/bin/rpm-ostree", "/usr/sbin/grubby", "/etc/default/grub"), NULL,
                  BOOTLOADER_IMAGE, "", "" },
                { FILES("/sysroot/ostree/repo/config", "/usr/bin/bootc"), NULL, BOOTLOADER_IMAGE, "", "" },
                { FILES("/etc/NIXOS", "/etc/default/grub"), NULL, BOOTLOADER_NIXOS, "/etc/nixos/configuration.nix",
                  "nixos-rebuild boot" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_(setup_root_freep) struct setup_root *s = setup_root_new();
                struct bootloader b;

                put_files(s, cases[i].files);
                if (cases[i].loader)
                        put_loader(s, cases[i].loader);
                assert_int_equal(bootloader_detect(setup_root_open(s), &b), 0);
                assert_int_equal(b.kind, cases[i].kind);
                assert_string_equal(b.config ? b.config : "", cases[i].config);
                check_words(b.command, cases[i].command);
                assert_true(streq_null(b.loader, cases[i].loader));
                bootloader_clear(&b);
        }
}

static void test_grub_dropin(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        _cleanup_(machine_freep) struct machine *m = load(s);

        assert_int_equal(m->bootloader.kind, BOOTLOADER_GRUB_DROPIN);
        assert_string_equal(m->bootloader.config, "/etc/default/grub.d");
        check_words(m->bootloader.command, "update-grub");
}

/* A variable that is cut off, empty or not ASCII. */
static void test_loader_info_nonsense(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_new();
        static const struct {
                const char *data;
                size_t size;
                const char *loader;
        } cases[] = {
                { "", 0, NULL },
                { "\6\0\0", 3, NULL },
                { "\6\0\0\0", 4, NULL },
                { "\6\0\0\0A", 5, NULL },
                { "\6\0\0\0A\0B", 7, "A" },
                { "\6\0\0\0\xe4\0\x0d\x20Z\0", 10, "??Z" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct bootloader b;

                setup_root_bytes(s, LOADER_INFO, cases[i].data, cases[i].size);
                assert_int_equal(bootloader_detect(setup_root_open(s), &b), 0);
                assert_true(streq_null(b.loader, cases[i].loader));
                bootloader_clear(&b);
        }
}

static void test_initramfs(void **state)
{
        static const char *const nothing[] = { NULL };
        const struct {
                const char *const *files;
                const char *update; /* text of update-initramfs, NULL: none */
                int kind;
                const char *command, *found;
        } cases[] = {
                { nothing, NULL, INITRAMFS_UNKNOWN, "", "" },
                { FILES("/usr/sbin/mkinitramfs"), "run mkinitramfs", INITRAMFS_TOOLS, "update-initramfs -u -k all",
                  "initramfs-tools" },
                /* Debian: dracut-core is beside initramfs-tools. */
                { FILES("/usr/sbin/mkinitramfs", "/usr/bin/dracut"), "run mkinitramfs", INITRAMFS_TOOLS,
                  "update-initramfs -u -k all", "initramfs-tools" },
                /* Ubuntu 25.10: dracut's wrapper of that name, and the old tools' files. */
                { FILES("/usr/bin/dracut", "/usr/sbin/mkinitramfs", "/etc/initramfs-tools/modules"),
                  "exec dracut --force", INITRAMFS_DRACUT, "dracut --regenerate-all --force", "dracut" },
                { FILES("/usr/bin/dracut"), NULL, INITRAMFS_DRACUT, "dracut --regenerate-all --force", "dracut" },
                { FILES("/usr/bin/dracut", "/usr/bin/dracut-rebuild"), NULL, INITRAMFS_DRACUT, "dracut-rebuild",
                  "dracut" },
                { FILES("/usr/bin/dracut", "/usr/bin/reinstall-kernels"), NULL, INITRAMFS_DRACUT,
                  "reinstall-kernels", "dracut" },
                { FILES("/usr/bin/mkinitcpio", "/etc/mkinitcpio.d/linux.preset"), NULL, INITRAMFS_MKINITCPIO,
                  "mkinitcpio -P", "mkinitcpio" },
                { FILES("/usr/bin/mkinitcpio", "/usr/bin/limine-mkinitcpio"), NULL, INITRAMFS_MKINITCPIO,
                  "limine-mkinitcpio", "mkinitcpio" },
                { FILES("/usr/bin/mkinitcpio", "/usr/bin/dracut"), NULL, INITRAMFS_DRACUT,
                  "dracut --regenerate-all --force", "dracut" },
                { FILES("/usr/bin/mkinitcpio", "/usr/bin/dracut", "/etc/mkinitcpio.d/linux.preset"), NULL,
                  INITRAMFS_UNKNOWN, "", "dracut mkinitcpio" },
                { FILES("/usr/bin/booster", "/usr/lib/booster/regenerate_images"), NULL, INITRAMFS_BOOSTER,
                  "/usr/lib/booster/regenerate_images", "booster" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_(setup_root_freep) struct setup_root *s = setup_root_new();
                struct initramfs found;

                put_files(s, cases[i].files);
                if (cases[i].update)
                        setup_root_file(s, "/usr/sbin/update-initramfs", cases[i].update);
                assert_int_equal(initramfs_detect(setup_root_open(s), &found), 0);
                assert_int_equal(found.kind, cases[i].kind);
                check_words(found.command, cases[i].command);
                check_words(found.found, cases[i].found);
                initramfs_clear(&found);
        }
}

/* --- a root without /proc and /sys -------------------------------------------------- */

static void test_empty_root(void **state)
{
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_new();
        _cleanup_(machine_freep) struct machine *m = load(s);

        assert_false(m->pci.known || m->cpu.known || m->iommu.known || m->iommu.acpi_known);
        assert_null(m->kernels.cmdline);
        assert_null(machine_guest_gpu(m));
        assert_null(kernels_current(&m->kernels));
}

static void test_guest_gpu(void **state)
{
        static const struct setup_pci spare = { "0000:0b:00.0", "", 0x030000, 0x1002, 0x73bf, "amdgpu", 6, 0 };
        _cleanup_(setup_root_freep) struct setup_root *s = setup_root_desktop();
        _cleanup_(machine_freep) struct machine *m = NULL;

        setup_root_link(s, "/sys/devices/pci0000:00/0000:00:03.0/0000:0a:00.0/driver", "../drivers/nouveau");
        m = load(s);
        assert_string_equal(machine_guest_gpu(m)->address, "0000:0a:00.0");
        setup_root_pci(s, &spare);
        (void) machine_free(m);
        m = load(s);
        assert_null(machine_guest_gpu(m));
        setup_root_link(s, "/sys/devices/pci0000:00/0000:0b:00.0/driver", "../drivers/vfio-pci");
        (void) machine_free(m);
        m = load(s);
        assert_string_equal(machine_guest_gpu(m)->address, "0000:0b:00.0");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_addresses),
                cmocka_unit_test(test_functions),
                cmocka_unit_test(test_gpus),
                cmocka_unit_test(test_connectors),
                cmocka_unit_test(test_root_disk_partition),
                cmocka_unit_test(test_root_disk_below_mapper_and_raid),
                cmocka_unit_test(test_root_disk_with_nvme_multipath),
                cmocka_unit_test(test_root_disk_of_btrfs),
                cmocka_unit_test(test_root_disk_unknown),
                cmocka_unit_test(test_root_disk_loop),
                cmocka_unit_test(test_iommu),
                cmocka_unit_test(test_iommu_foreign),
                cmocka_unit_test(test_iommu_off),
                cmocka_unit_test(test_cpu_sets),
                cmocka_unit_test(test_cpu),
                cmocka_unit_test(test_propose_one_cache),
                cmocka_unit_test(test_propose_two_caches),
                cmocka_unit_test(test_propose_hybrid),
                cmocka_unit_test(test_propose_offline),
                cmocka_unit_test(test_propose_impossible),
                cmocka_unit_test(test_kernels),
                cmocka_unit_test(test_bootloaders),
                cmocka_unit_test(test_grub_dropin),
                cmocka_unit_test(test_loader_info_nonsense),
                cmocka_unit_test(test_initramfs),
                cmocka_unit_test(test_empty_root),
                cmocka_unit_test(test_guest_gpu),
        };

        return cmocka_run_group_tests_name("setup-machine", tests, NULL, NULL);
}
