/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/setup-root.h"

#include <fcntl.h>
#include <ftw.h>
#include <linux/openat2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "client/setup/cpu-set.h"

struct setup_root {
        char path[32];
        struct root *root;
};

/* valgrind 3.19 knows no openat2(2), without which no root can be looked at: then
 * the whole test is skipped, which TAP says before anything else. */
static void need_openat2(void) __attribute__((constructor));
static void need_openat2(void)
{
        struct open_how how = { .flags = O_PATH | O_CLOEXEC };
        long fd = syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how));

        if (fd >= 0) {
                (void) close((int) fd);
        } else if (errno == ENOSYS) {
                (void) puts("1..0 # SKIP there is no openat2(2) here");
                exit(0);
        }
}

struct setup_root *setup_root_new(void)
{
        struct setup_root *s = xnew0(struct setup_root, 1);

        (void) snprintf(s->path, sizeof(s->path), "/tmp/test-setup-XXXXXX");
        assert_non_null(mkdtemp(s->path));
        assert_int_equal(root_open(s->path, &s->root), 0);
        return s;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
        return type == FTW_DP ? rmdir(path) : unlink(path);
}

static void remove_tree(const char *path)
{
        (void) nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

struct setup_root *setup_root_free(struct setup_root *s)
{
        if (!s)
                return NULL;
        (void) root_free(s->root);
        remove_tree(s->path);
        free(s);
        return NULL;
}

const char *setup_root_path(const struct setup_root *s)
{
        return s->path;
}

const struct root *setup_root_open(const struct setup_root *s)
{
        return s->root;
}

/* --- files ------------------------------------------------------------------------ */

static char *outside(const struct setup_root *s, const char *path)
{
        return xasprintf("%s%s", s->path, path);
}

/* All folders above the last part. */
static void make_parents(const char *path)
{
        _autofree_ char *copy = xstrdup(path);

        for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                assert_true(mkdir(copy, 0755) == 0 || errno == EEXIST);
                *slash = '/';
        }
}

void setup_root_folder(struct setup_root *s, const char *path)
{
        _autofree_ char *full = outside(s, path);

        make_parents(full);
        assert_true(mkdir(full, 0755) == 0 || errno == EEXIST);
}

void setup_root_bytes(struct setup_root *s, const char *path, const void *data, size_t size)
{
        _autofree_ char *full = outside(s, path);
        _autoclose_ int fd = -EBADF;

        make_parents(full);
        fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, data, size), size);
}

void setup_root_file(struct setup_root *s, const char *path, const char *text)
{
        setup_root_bytes(s, path, text, strlen(text));
}

void setup_root_link(struct setup_root *s, const char *path, const char *target)
{
        _autofree_ char *full = outside(s, path);

        make_parents(full);
        (void) unlink(full);
        assert_int_equal(symlink(target, full), 0);
}

void setup_root_remove(struct setup_root *s, const char *path)
{
        _autofree_ char *full = outside(s, path);

        remove_tree(full);
}

/* --- hardware --------------------------------------------------------------------- */

static void put(struct setup_root *s, const char *folder, const char *name, const char *text)
{
        _autofree_ char *path = xasprintf("%s/%s", folder, name), *line = xasprintf("%s\n", text);

        setup_root_file(s, path, line);
}

static void put_hex(struct setup_root *s, const char *folder, const char *name, unsigned value, int digits)
{
        _autofree_ char *text = xasprintf("0x%0*x", digits, value);

        put(s, folder, name, text);
}

static void put_link(struct setup_root *s, const char *folder, const char *name, const char *target)
{
        _autofree_ char *path = xasprintf("%s/%s", folder, name);

        setup_root_link(s, path, target);
}

static void put_group(struct setup_root *s, const struct setup_pci *d, const char *folder)
{
        _autofree_ char *group = xasprintf("../../../../kernel/iommu_groups/%d", d->group);
        _autofree_ char *member = xasprintf("/sys/kernel/iommu_groups/%d/devices", d->group);

        put_link(s, folder, "iommu_group", group);
        setup_root_folder(s, member);
        put_link(s, member, d->address, "../../../../devices");
}

void setup_root_pci(struct setup_root *s, const struct setup_pci *d)
{
        _autofree_ char *folder = xasprintf("/sys/devices/pci0000:00%s/%s", d->parents, d->address);
        _autofree_ char *target = xasprintf("../../..%s", folder + strlen("/sys"));
        _autofree_ char *modalias =
                xasprintf("pci:v%08Xd%08Xsv00001043sd00008510bc%02Xsc%02Xi%02X", d->vendor, d->device,
                          d->class >> 16, d->class >> 8 & 0xff, d->class & 0xff);

        put_hex(s, folder, "class", d->class, 6);
        put_hex(s, folder, "vendor", d->vendor, 4);
        put_hex(s, folder, "device", d->device, 4);
        put(s, folder, "modalias", modalias);
        put(s, folder, "driver_override", "(null)");
        if (d->boot_vga >= 0)
                put(s, folder, "boot_vga", d->boot_vga ? "1" : "0");
        if (d->driver) {
                _autofree_ char *driver = xasprintf("../../../bus/pci/drivers/%s", d->driver);

                put_link(s, folder, "driver", driver);
        }
        if (d->group >= 0)
                put_group(s, d, folder);
        put_link(s, "/sys/bus/pci/devices", d->address, target);
}

void setup_root_core(struct setup_root *s, const char *threads, const char *l3)
{
        struct cpu_set set;

        assert_int_equal(cpu_set_parse(threads, &set), 0);
        for (unsigned cpu = 0; cpu < 256; cpu++) {
                _autofree_ char *folder = xasprintf("/sys/devices/system/cpu/cpu%u", cpu);

                if (!cpu_set_has(&set, cpu))
                        continue;
                put(s, folder, "topology/thread_siblings_list", threads);
                put(s, folder, "cache/index0/level", "1");
                put(s, folder, "cache/index0/shared_cpu_list", threads);
                if (l3) {
                        put(s, folder, "cache/index1/level", "3");
                        put(s, folder, "cache/index1/shared_cpu_list", l3);
                }
        }
}

/* --- a whole machine --------------------------------------------------------------- */

static void desktop_hardware(struct setup_root *s)
{
        static const struct setup_pci functions[] = {
                { "0000:00:00.0", "", 0x060000, 0x1022, 0x1480, NULL, 0, -1 },
                { "0000:00:01.0", "", 0x060400, 0x1022, 0x1483, "pcieport", 1, -1 },
                { "0000:00:02.0", "", 0x030000, 0x1002, 0x164e, "amdgpu", 2, 1 },
                { "0000:00:03.0", "", 0x060400, 0x1022, 0x1483, "pcieport", 3, -1 },
                { "0000:01:00.0", "/0000:00:01.0", 0x010802, 0x144d, 0xa808, "nvme", 4, -1 },
                { "0000:0a:00.0", "/0000:00:03.0", 0x030000, 0x10de, 0x1b80, "vfio-pci", 5, 0 },
                { "0000:0a:00.1", "/0000:00:03.0", 0x040300, 0x10de, 0x10f0, "vfio-pci", 5, -1 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
                setup_root_pci(s, &functions[i]);
        setup_root_file(s, "/sys/firmware/acpi/tables/IVRS", "");
        setup_root_link(s, "/sys/class/iommu/ivhd0", "../../devices/virtual/iommu/ivhd0");
        setup_root_link(s, "/sys/class/drm/card0-HDMI-A-1",
                        "../../devices/pci0000:00/0000:00:02.0/drm/card0/card0-HDMI-A-1");
        setup_root_file(s, "/sys/devices/pci0000:00/0000:00:02.0/drm/card0/card0-HDMI-A-1/status", "connected\n");
        setup_root_file(s, "/sys/devices/system/cpu/online", "0-3\n");
        setup_root_core(s, "0,2", "0-3");
        setup_root_core(s, "1,3", "0-3");
}

static void desktop_kernel(struct setup_root *s)
{
        setup_root_file(s, "/proc/cpuinfo",
                        "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu vme svm sse\nbugs\t\t: vmx\n");
        setup_root_file(s, "/proc/cmdline",
                        "BOOT_IMAGE=/vmlinuz-6.1.0-56-amd64 root=/dev/nvme0n1p2 ro quiet iommu=pt\n");
        setup_root_file(s, "/proc/sys/kernel/osrelease", "6.1.0-56-amd64\n");
        setup_root_file(s, "/proc/self/mountinfo",
                        "22 27 0:21 / /proc rw - proc proc rw\n"
                        "27 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw\n");
        setup_root_link(s, "/sys/dev/block/259:2",
                        "../../devices/pci0000:00/0000:00:01.0/0000:01:00.0/nvme/nvme0/nvme0n1/nvme0n1p2");
        setup_root_link(s, "/sys/class/block/nvme0n1p2",
                        "../../devices/pci0000:00/0000:00:01.0/0000:01:00.0/nvme/nvme0/nvme0n1/nvme0n1p2");
        setup_root_file(s, "/dev/kvm", "");
        setup_root_file(s, "/dev/uinput", "");
        setup_root_link(s, "/lib", "usr/lib");
        setup_root_file(s, "/usr/lib/modules/6.1.0-56-amd64/modules.builtin", "kernel/fs/ext4/ext4.ko\n");
        setup_root_file(s, "/usr/lib/modules/6.1.0-56-amd64/modules.dep",
                        "kernel/drivers/vfio/pci/vfio-pci.ko: kernel/drivers/vfio/vfio_virqfd.ko\n"
                        "kernel/drivers/vfio/vfio_virqfd.ko:\n");
        setup_root_file(s, "/usr/lib/modules/6.1.0-56-amd64/modules.alias",
                        "# Aliases extracted from modules themselves.\n"
                        "alias pci:v000010DEd*sv*sd*bc03sc*i* nouveau\n"
                        "alias pci:v*d*sv*sd*bc04sc03i00* snd_hda_intel\n"
                        "alias pci:v00001002d0000164Esv*sd*bc*sc*i* amdgpu\n"
                        "alias usb:v0001p* usbthing\n");
}

static void desktop_system(struct setup_root *s)
{
        setup_root_file(s, "/etc/modprobe.d/vfio-inputd.conf", "options vfio-pci ids=10de:1b80,10de:10f0\n");
        setup_root_file(s, "/usr/sbin/grub-mkconfig", "for x in ${sysconfdir}/default/grub.d/*.cfg ; do\n");
        setup_root_file(s, "/usr/sbin/update-grub", "exec grub-mkconfig -o /boot/grub/grub.cfg \"$@\"\n");
        setup_root_file(s, "/etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n");
        setup_root_file(s, "/usr/sbin/update-initramfs", "mkinitramfs -o x\n");
        setup_root_file(s, "/usr/sbin/mkinitramfs", "");
        setup_root_file(s, "/usr/sbin/libvirtd", "");
        setup_root_file(s, "/usr/lib/x86_64-linux-gnu/libvirt.so.0.9000.0", "");
        setup_root_file(s, "/usr/share/qemu/firmware/60-edk2-x86_64.json", "{ \"interface-types\": [ \"uefi\" ] }\n");
        setup_root_link(s, "/etc/systemd/system/sockets.target.wants/libvirtd.socket",
                        "/lib/systemd/system/libvirtd.socket");
        setup_root_file(s, "/usr/lib/systemd/system/vfio-inputd.service", "[Unit]\n");
        setup_root_link(s, "/etc/systemd/system/multi-user.target.wants/vfio-inputd.service",
                        "/usr/lib/systemd/system/vfio-inputd.service");
        setup_root_file(s, "/etc/group", "root:x:0:\ninput:x:104:\nkvm:x:106:libvirt-qemu\n");
        setup_root_file(s, "/etc/passwd", "root:x:0:0::/root:/bin/sh\n"
                                          "libvirt-qemu:x:64055:106:,,,:/var/lib/libvirt:/usr/sbin/nologin\n");
        setup_root_file(s, "/etc/libvirt/qemu.conf", "#user = root\n#cgroup_device_acl = [\n#    \"/dev/null\"\n#]\n");
        setup_root_file(s, "/etc/apparmor.d/abstractions/libvirt-qemu", "  /dev/net/tun rw,\n");
}

struct setup_root *setup_root_desktop(void)
{
        struct setup_root *s = setup_root_new();

        desktop_hardware(s);
        desktop_kernel(s);
        desktop_system(s);
        return s;
}
