/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Checks of the machine itself: processor, IOMMU, kernel, boot, libvirt. */

#include "client/setup/doctor.h"
#include "client/setup/kernel-token.h"
#include "client/setup/program.h"
#include "client/setup/words.h"

/* --- processor -------------------------------------------------------------------- */

static void check_cpu(const struct doctor *d, struct check *c)
{
        const struct cpu *cpu = &d->machine->cpu;

        if (!cpu->known) {
                check_set(c, CHECK_SKIP, DOCTOR_NOT_RUNNING);
        } else if (cpu->virt) {
                check_set(c, CHECK_OK, "the processor can run guests%s",
                          cpu->virtual ? " (nested: this is a virtual machine itself)" : "");
        } else {
                check_set(c, CHECK_FAIL, "the processor cannot run guests, or the firmware keeps it from that");
                check_evidence(c, "neither vmx nor svm among the flags in /proc/cpuinfo");
                check_fix(c, cpu->virtual ? "switch nested virtualisation on in the host of this virtual machine"
                                          : "switch Intel VT-x (\"Virtualization Technology\") or AMD SVM on in "
                                            "the set-up of the firmware");
        }
}

static void check_kvm(const struct doctor *d, struct check *c)
{
        const struct cpu *cpu = &d->machine->cpu;
        const char *module = cpu->vendor == CPU_VENDOR_AMD ? "kvm_amd" : "kvm_intel";
        _autofree_ char *loaded = xasprintf("/sys/module/%s", module);

        if (!cpu->known) {
                check_set(c, CHECK_SKIP, DOCTOR_NOT_RUNNING);
        } else if (cpu->kvm_device) {
                check_set(c, CHECK_OK, "/dev/kvm is there");
        } else if (!cpu->virt) {
                check_set(c, CHECK_SKIP, "the processor cannot run guests");
        } else {
                bool is_loaded = root_exists(d->machine->root, loaded);

                check_set(c, CHECK_FAIL, "no /dev/kvm");
                check_evidence(c, is_loaded ? "%s is loaded, udev has not made the node" : "%s is not loaded",
                               module);
                if (!is_loaded)
                        check_fix(c, "sudo modprobe %s", module);
                check_fix(c, "if the kernel's log says \"disabled by BIOS\", switch virtualisation on in the "
                             "set-up of the firmware");
        }
}

/* --- IOMMU ------------------------------------------------------------------------ */

static void check_iommu_firmware(const struct doctor *d, struct check *c)
{
        const struct iommu *i = &d->machine->iommu;

        if (iommu_in_firmware(i)) {
                check_set(c, CHECK_OK, "the firmware offers an IOMMU (ACPI table %s)", i->dmar ? "DMAR" : "IVRS");
        } else if (i->enabled) {
                check_set(c, CHECK_OK, "the kernel found an IOMMU");
        } else if (!i->acpi_known) {
                check_set(c, i->known ? CHECK_UNKNOWN : CHECK_SKIP,
                          i->known ? "the ACPI tables cannot be seen" : DOCTOR_NOT_RUNNING);
        } else {
                check_set(c, CHECK_FAIL, "the IOMMU is switched off in the firmware, or there is none");
                check_evidence(c, "neither DMAR nor IVRS in /sys/firmware/acpi/tables");
                check_fix(c, d->machine->cpu.vendor == CPU_VENDOR_AMD
                                     ? "switch \"IOMMU\" (not \"Auto\") on in the set-up of the firmware"
                                     : "switch \"VT-d\" on in the set-up of the firmware");
        }
}

/* The word on the command line that switches it off, owned by the caller; NULL: none. */
static char *find_iommu_off(const struct machine *m)
{
        static const char *const off[] = { "iommu=off", "intel_iommu=off", "amd_iommu=off" };
        _cleanup_(strv_freep) char **words = words_split(m->kernels.cmdline ? m->kernels.cmdline : "", " ");

        for (size_t i = 0; i < ARRAY_SIZE(off); i++)
                if (words_have(words, off[i]))
                        return xstrdup(off[i]);
        return NULL;
}

static void fail_iommu(const struct doctor *d, struct check *c)
{
        _autofree_ char *off = find_iommu_off(d->machine);

        check_set(c, CHECK_FAIL, "the firmware offers an IOMMU, and the kernel does not use it");
        if (off) {
                check_evidence(c, "%s on the kernel command line", off);
                check_fix(c, "take %s off the kernel's parameters", off);
        } else if (d->machine->cpu.vendor == CPU_VENDOR_INTEL) {
                check_evidence(c, "no group in /sys/kernel/iommu_groups; this kernel wants to be told");
                check_fix(c, "vfioctl setup apply (adds intel_iommu=on to the kernel's parameters), then reboot");
        } else {
                check_evidence(c, "no group in /sys/kernel/iommu_groups");
                check_fix(c, "look for AMD-Vi or IOMMU in the kernel's log: journalctl -k -g 'AMD-Vi|DMAR|IOMMU'");
        }
}

static void check_iommu_enabled(const struct doctor *d, struct check *c)
{
        const struct iommu *i = &d->machine->iommu;

        if (i->enabled)
                check_set(c, CHECK_OK, "%s is at work, %u groups", i->unit ? i->unit : "the IOMMU", i->n_groups);
        else if (!i->known && !i->acpi_known)
                check_set(c, CHECK_SKIP, DOCTOR_NOT_RUNNING);
        else if (i->acpi_known && !iommu_in_firmware(i))
                check_set(c, CHECK_SKIP, "the firmware offers none");
        else
                fail_iommu(d, c);
}

/* --- kernel ----------------------------------------------------------------------- */

static void judge_tokens(const struct doctor *d, struct check *c, char *const *words)
{
        _cleanup_(strv_freep) char **bad = NULL;
        _autofree_ char *all = NULL, *why = NULL;
        enum check_status status = CHECK_WARN;

        for (; *words; words++) {
                _autofree_ char *reason = NULL;
                enum kernel_token verdict = kernel_token_judge(*words, d->machine->cpu.vendor, &reason);

                if (verdict == KERNEL_TOKEN_FINE)
                        continue;
                if (verdict == KERNEL_TOKEN_MISSPELT)
                        status = CHECK_FAIL;
                words_add(&bad, *words);
                why = why ? why : xstrdup(reason);
                check_fix(c, "take %s off the kernel's parameters: %s", *words, reason);
        }
        if (!bad)
                return;
        all = words_join(bad, " ");
        check_set(c, status, "without effect on the kernel command line: %s", all);
        check_evidence(c, "%s", why);
}

static void check_cmdline(const struct doctor *d, struct check *c)
{
        const char *cmdline = d->machine->kernels.cmdline;
        _cleanup_(strv_freep) char **words = words_split(cmdline ? cmdline : "", " \t");

        if (!cmdline) {
                check_set(c, CHECK_SKIP, DOCTOR_NOT_RUNNING);
                return;
        }
        check_set(c, CHECK_OK, "the kernel knows all parameters that are meant for passthrough");
        judge_tokens(d, c, words);
}

static void check_builtin(const struct doctor *d, struct check *c)
{
        const struct kernel *kernel = kernels_current(&d->machine->kernels);
        size_t ignored = vfio_ids_count(&d->ids, VFIO_IDS_IGNORED_BUILT_IN);

        if (!kernel) {
                check_set(c, CHECK_UNKNOWN, "no kernel in /lib/modules");
        } else if (kernel->vfio_pci == KERNEL_MODULE_NONE) {
                check_set(c, CHECK_FAIL, "kernel %s has no vfio-pci", kernel->release);
                check_evidence(c, "neither modules.builtin nor modules.dep of it lists vfio-pci.ko");
                check_fix(c, "install a kernel with CONFIG_VFIO_PCI, or the package with the rest of its modules");
        } else if (ignored && vfio_ids_count(&d->ids, VFIO_IDS_EFFECTIVE) == 0) {
                check_set(c, CHECK_FAIL, "vfio-pci is built into kernel %s: its ids in modprobe.d have no effect",
                          kernel->release);
                check_evidence(c, "modules.builtin lists vfio-pci.ko");
                check_fix(c, "vfioctl setup apply (moves the ids to vfio-pci.ids= on the kernel command line)");
        } else {
                check_set(c, CHECK_OK, "vfio-pci of kernel %s: %s", kernel->release,
                          kernel_module_name(kernel->vfio_pci));
        }
}

/* --- modprobe --------------------------------------------------------------------- */

static char *list_places(const struct vfio_ids *v, enum vfio_ids_state state)
{
        _cleanup_(strv_freep) char **places = NULL;

        for (size_t i = 0; i < v->n_sources; i++)
                if (v->sources[i].state == state && !words_have(places, v->sources[i].place))
                        words_add(&places, v->sources[i].place);
        return words_join(places, ", ");
}

static const struct vfio_ids_source *find_invalid(const struct vfio_ids *v)
{
        for (size_t i = 0; i < v->n_sources; i++)
                if (!v->sources[i].on_cmdline && !vfio_ids_are_valid(v->sources[i].ids))
                        return &v->sources[i];
        return NULL;
}

static bool all_same(const struct vfio_ids *v)
{
        const char *first = NULL;

        for (size_t i = 0; i < v->n_sources; i++) {
                if (v->sources[i].state != VFIO_IDS_EFFECTIVE)
                        continue;
                if (first && !streq(first, v->sources[i].ids))
                        return false;
                first = v->sources[i].ids;
        }
        return true;
}

static void check_modprobe(const struct doctor *d, struct check *c)
{
        const struct vfio_ids *v = &d->ids;
        const struct vfio_ids_source *invalid = find_invalid(v);
        _autofree_ char *effective = list_places(v, VFIO_IDS_EFFECTIVE);
        _autofree_ char *misnamed = list_places(v, VFIO_IDS_IGNORED_NAME);

        if (*misnamed) {
                check_set(c, CHECK_FAIL, "%s: modprobe does not read it", misnamed);
                check_evidence(c, "its name does not end in .conf");
                check_fix(c, "rename it to end in .conf, then rebuild the initramfs");
        } else if (invalid) {
                check_set(c, CHECK_FAIL, "%s: \"%s\" is no list of vendor:device", invalid->place, invalid->ids);
                check_fix(c, "write ids=vvvv:dddd,vvvv:dddd in hexadecimal, as lspci -nn has them");
        } else if (vfio_ids_count(v, VFIO_IDS_EFFECTIVE) > 1) {
                bool same = all_same(v);

                check_set(c, same ? CHECK_WARN : CHECK_FAIL, "vfio-pci's ids are set more than once%s",
                          same ? "" : ", and differ");
                check_evidence(c, "%s", effective);
                check_fix(c, "keep them in one place");
        } else if (v->incomplete) {
                check_set(c, CHECK_UNKNOWN, "a file in modprobe.d may not be read: needs root");
                check_fix(c, "sudo vfioctl doctor");
        } else {
                check_set(c, CHECK_OK, "vfio-pci's ids %s%s", *effective ? "come from " : "are not set",
                          effective);
        }
}

/* --- boot ------------------------------------------------------------------------- */

static void check_initramfs(const struct doctor *d, struct check *c)
{
        const struct initramfs *i = &d->machine->initramfs;
        _autofree_ char *command = words_join(i->command, " "), *found = words_join(i->found, ", ");

        if (i->kind != INITRAMFS_UNKNOWN) {
                check_set(c, CHECK_OK, "%s (%s)", initramfs_name(i->kind), command);
        } else if (!bootloader_is_writable(d->machine->bootloader.kind) &&
                   d->machine->bootloader.kind != BOOTLOADER_UNKNOWN) {
                check_set(c, CHECK_SKIP, "%s makes it", bootloader_name(d->machine->bootloader.kind));
        } else {
                check_set(c, CHECK_WARN, *found ? "not clear what makes the initramfs: %s"
                                                : "nothing known makes the initramfs%s", found);
                check_fix(c, "name it with --initramfs=, or follow by hand what vfioctl setup prints");
        }
}

static void check_bootloader(const struct doctor *d, struct check *c)
{
        const struct bootloader *b = &d->machine->bootloader;

        switch (b->kind) {
        case BOOTLOADER_UNKNOWN:
                check_set(c, CHECK_WARN, "not clear where the kernel's parameters are written");
                check_evidence(c, b->loader ? "started by %s" : "no boot loader that is known%s",
                               b->loader ? b->loader : "");
                check_fix(c, "name it with --bootloader=, or follow by hand what vfioctl setup prints");
                break;
        case BOOTLOADER_IMAGE:
        case BOOTLOADER_NIXOS:
                check_set(c, CHECK_OK, "%s: vfioctl setup prints what to do", bootloader_name(b->kind));
                break;
        case BOOTLOADER_GRUB_DROPIN:
        case BOOTLOADER_GRUB:
        case BOOTLOADER_GRUBBY:
        case BOOTLOADER_KERNELSTUB:
        case BOOTLOADER_SYSTEMD_BOOT:
        case BOOTLOADER_LIMINE:
                check_set(c, CHECK_OK, "%s", bootloader_name(b->kind));
                break;
        }
}

/* --- libvirt ---------------------------------------------------------------------- */

/* systemctl enable makes a link in one of these. */
static bool is_enabled(const struct root *r, const char *name)
{
        _autofree_ char *socket = xasprintf("/etc/systemd/system/sockets.target.wants/%s.socket", name);
        _autofree_ char *service = xasprintf("/etc/systemd/system/multi-user.target.wants/%s.service", name);
        _autofree_ char *target = NULL, *other = NULL;

        return root_readlink(r, socket, &target) == 0 || root_readlink(r, service, &other) == 0;
}

static void check_libvirt(const struct doctor *d, struct check *c)
{
        const struct root *r = d->machine->root;
        bool monolithic = program_exists(r, "libvirtd"), modular = program_exists(r, "virtqemud");
        bool monolithic_on = monolithic && (is_enabled(r, "libvirtd") || root_exists(r, "/run/libvirt/libvirt-sock"));
        bool modular_on = modular && (is_enabled(r, "virtqemud") || root_exists(r, "/run/libvirt/virtqemud-sock"));

        if (!monolithic && !modular) {
                check_set(c, CHECK_FAIL, "libvirt is not installed");
                check_evidence(c, "neither libvirtd nor virtqemud");
                check_fix(c, "install the package: libvirt-daemon-system (Debian, Ubuntu), @virtualization "
                             "(Fedora), libvirt (Arch, openSUSE)");
        } else if (monolithic_on && is_enabled(r, "libvirtd") && is_enabled(r, "virtqemud")) {
                check_set(c, CHECK_WARN, "both libvirtd and virtqemud are enabled");
                check_fix(c, "sudo systemctl disable --now libvirtd.service libvirtd.socket");
        } else if (monolithic_on || modular_on) {
                check_set(c, CHECK_OK, "%s", modular_on ? "modular (virtqemud)" : "monolithic (libvirtd)");
        } else {
                check_set(c, CHECK_FAIL, "libvirt is installed and not enabled");
                check_evidence(c, "no socket or service of it is started at boot");
                check_fix(c, "sudo systemctl enable --now %s", modular ? "virtqemud.socket" : "libvirtd.socket");
        }
}

const struct doctor_check doctor_host_checks[] = {
        { "cpu.virt", "the processor can run guests", check_cpu, 0 },
        { "kvm.device", "KVM is there", check_kvm, 0 },
        { "iommu.firmware", "the firmware offers an IOMMU", check_iommu_firmware, 0 },
        { "iommu.enabled", "the kernel uses it", check_iommu_enabled, 0 },
        { "cmdline.unknown-token", "no kernel parameter is misspelt or without effect", check_cmdline, 0 },
        { "vfio.builtin", "the kernel has vfio-pci, and reads its options where they are", check_builtin, 0 },
        { "modprobe.effective", "vfio-pci's ids are set once, where modprobe reads them", check_modprobe, 0 },
        { "initramfs.known", "it is known what makes the initramfs", check_initramfs, 0 },
        { "bootloader.known", "it is known where the kernel's parameters are", check_bootloader, 0 },
        { "libvirt.daemon", "libvirt is installed and enabled", check_libvirt, 0 },
        { NULL, NULL, NULL, 0 },
};
