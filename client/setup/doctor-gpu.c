/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Checks of the GPU that a guest gets, and of what comes along with it. */

#include "client/setup/doctor.h"
#include "client/setup/words.h"

/* Most checks are about one GPU. False, and skipped, if there is none. */
static bool has_gpu(const struct doctor *d, struct check *c)
{
        if (!d->gpu)
                check_set(c, CHECK_SKIP, "no GPU to look at");
        return d->gpu != NULL;
}

static char *list_gpus(const struct pci *p)
{
        _cleanup_(strv_freep) char **names = NULL;

        for (const struct pci_device *g = NULL; (g = pci_next_gpu(p, g));)
                words_take(&names, xasprintf("%s (%s)", g->address,
                                             pci_drives_display(g) ? "the host's picture"
                                                                   : g->driver ? g->driver : "no driver"));
        return words_join(names, ", ");
}

static size_t count_gpus(const struct pci *p)
{
        size_t n = 0;

        for (const struct pci_device *g = NULL; (g = pci_next_gpu(p, g));)
                n++;
        return n;
}

/* --- which ------------------------------------------------------------------------ */

static void check_wanted(const struct doctor *d, struct check *c)
{
        _autofree_ char *gpus = list_gpus(&d->machine->pci);

        if (!d->gpu) {
                check_set(c, CHECK_FAIL, "there is no PCI function %s", d->wish->gpu);
                check_evidence(c, "GPUs here: %s", *gpus ? gpus : "none");
                check_fix(c, "give the address of one of them, as lspci -D has it");
        } else if (!pci_is_gpu(d->gpu)) {
                check_set(c, CHECK_FAIL, "%s is no GPU", d->gpu->address);
                check_evidence(c, "class %06x; GPUs here: %s", d->gpu->class, *gpus ? gpus : "none");
                check_fix(c, "give the address of one of them, as lspci -D has it");
        } else {
                check_set(c, CHECK_OK, "%s, %04x:%04x", d->gpu->address, d->gpu->vendor, d->gpu->device);
        }
}

static void check_present(const struct doctor *d, struct check *c)
{
        const struct pci *p = &d->machine->pci;
        _autofree_ char *gpus = list_gpus(p);
        size_t n = count_gpus(p);

        if (!p->known) {
                check_set(c, CHECK_SKIP, DOCTOR_NOT_RUNNING);
        } else if (d->wish->gpu) {
                check_wanted(d, c);
        } else if (d->gpu) {
                check_set(c, CHECK_OK, "%s, %04x:%04x", d->gpu->address, d->gpu->vendor, d->gpu->device);
        } else if (n == 0) {
                check_set(c, CHECK_FAIL, "there is no GPU");
                check_evidence(c, "no function of class 03 in /sys/bus/pci/devices");
                check_fix(c, "put a graphics card in, or switch it on in the set-up of the firmware");
        } else if (n == 1) {
                check_set(c, CHECK_FAIL, "the only GPU has the host's picture");
                check_evidence(c, "%s", gpus);
                check_fix(c, "put a second one in, or switch the processor's own on in the set-up of the firmware");
        } else {
                check_set(c, CHECK_UNKNOWN, "not clear which GPU a guest shall get");
                check_evidence(c, "%s", gpus);
                check_fix(c, "name it: vfioctl doctor --gpu=ADDRESS");
        }
}

static void check_boot_vga(const struct doctor *d, struct check *c)
{
        if (!has_gpu(d, c))
                return;
        if (d->gpu->connected) {
                check_set(c, CHECK_WARN, "the host draws on %s", d->gpu->address);
                check_evidence(c, "a screen is plugged into it, and %s drives it",
                               d->gpu->driver ? d->gpu->driver : "the host");
                check_fix(c, "plug the host's screen into the other GPU");
        } else if (d->gpu->boot_vga) {
                check_set(c, CHECK_WARN, "the firmware starts on %s", d->gpu->address);
                check_evidence(c, "boot_vga of it is 1: the boot's framebuffer may hold its memory");
                check_fix(c, "choose the other GPU as the first one (\"primary display\") in the set-up of the "
                             "firmware");
        } else {
                check_set(c, CHECK_OK, "the host's picture is not on %s", d->gpu->address);
        }
}

/* --- group and ids ---------------------------------------------------------------- */

static char *list_foreign(const struct pci *p, const struct pci_device *gpu)
{
        _cleanup_(strv_freep) char **names = NULL;

        for (const struct pci_device *o = NULL; (o = iommu_next_foreign(p, gpu, o));)
                words_take(&names, xasprintf("%s (%s%s)", o->address, o->driver ? o->driver : "no driver",
                                             o->root_disk ? ", the disk of /" : ""));
        return words_join(names, ", ");
}

static void check_group(const struct doctor *d, struct check *c)
{
        _autofree_ char *foreign = NULL;

        if (!has_gpu(d, c))
                return;
        if (!d->machine->iommu.enabled) {
                check_set(c, CHECK_SKIP, "the IOMMU is off");
                return;
        }
        if (d->gpu->group < 0) {
                check_set(c, CHECK_FAIL, "%s is in no group of the IOMMU", d->gpu->address);
                check_evidence(c, "the kernel may leave graphics out of it");
                if (d->machine->cpu.vendor == CPU_VENDOR_AMD)
                        check_fix(c, "look for AMD-Vi in the kernel's log: journalctl -k -g AMD-Vi");
                else
                        check_fix(c, "add intel_iommu=on to the kernel's parameters: sudo vfioctl setup apply");
                return;
        }
        foreign = list_foreign(&d->machine->pci, d->gpu);
        if (!*foreign) {
                check_set(c, CHECK_OK, "%s is alone with its functions in group %d", d->gpu->address,
                          d->gpu->group);
                return;
        }
        check_set(c, CHECK_FAIL, "%s shares group %d with other devices", d->gpu->address, d->gpu->group);
        check_evidence(c, "%s: all of a group goes to the guest, or nothing", foreign);
        check_fix(c, "put the card into another slot, or switch ACS on in the set-up of the firmware");
}

/* Twins of the GPU and of its companions; of bridges there are many in any machine. */
static char *list_twins(const struct pci *p, const struct pci_device *gpu)
{
        _cleanup_(strv_freep) char **names = NULL;

        for (size_t i = 0; i < p->n_devices; i++) {
                const struct pci_device *of = &p->devices[i];

                if (!pci_same_slot(of, gpu) || pci_is_bridge(of))
                        continue;
                for (const struct pci_device *t = NULL; (t = pci_next_twin(p, of, t));)
                        words_take(&names, xasprintf("%s (%04x:%04x)", t->address, t->vendor, t->device));
        }
        return words_join(names, ", ");
}

static void check_duplicate(const struct doctor *d, struct check *c)
{
        _autofree_ char *twins = NULL;
        bool by_ids;

        if (!has_gpu(d, c))
                return;
        twins = list_twins(&d->machine->pci, d->gpu);
        by_ids = vfio_ids_take(&d->ids, d->gpu);
        if (!*twins) {
                check_set(c, CHECK_OK, "no other device has its ids");
                return;
        }
        check_set(c, by_ids ? CHECK_FAIL : CHECK_WARN,
                  by_ids ? "vfio-pci's ids take devices of the host, too: %s"
                         : "other devices have the same ids: %s", twins);
        check_evidence(c, "ids= goes by vendor and device, not by the place");
        check_fix(c, "bind by address: vfioctl setup apply --gpu=%s --bind=address", d->gpu->address);
}

/* --- driver ----------------------------------------------------------------------- */

static bool is_for_vfio(const struct doctor *d, const struct pci_device *f)
{
        return vfio_ids_take(&d->ids, f) || streq_null(f->overridden, "vfio-pci");
}

/* The first function of the slot that vfio-pci should have at boot, and has not. */
static const struct pci_device *find_lost(const struct doctor *d)
{
        const struct pci *p = &d->machine->pci;

        for (size_t i = 0; i < p->n_devices; i++) {
                const struct pci_device *f = &p->devices[i];

                if (pci_same_slot(f, d->gpu) && is_for_vfio(d, f) && !streq_null(f->driver, "vfio-pci"))
                        return f;
        }
        return NULL;
}

static void fail_driver(const struct doctor *d, struct check *c, const struct pci_device *lost)
{
        _autofree_ char *rebuild = words_join(d->machine->initramfs.command, " ");

        check_set(c, CHECK_FAIL, "%s is bound to %s, and vfio-pci was told to take it", lost->address,
                  lost->driver ? lost->driver : "no driver");
        if (!lost->driver) {
                check_evidence(c, "vfio-pci is not loaded at boot, or came too early");
                check_fix(c, "sudo modprobe vfio-pci");
        } else {
                check_evidence(c, "%s was loaded first: vfio-pci is missing in the initramfs, or a softdep is",
                               lost->driver);
                check_fix(c, "vfioctl setup apply --gpu=%s (adds \"softdep %s pre: vfio-pci\")", d->gpu->address,
                          lost->driver);
        }
        if (*rebuild)
                check_fix(c, "sudo %s, then reboot", rebuild);
}

static void check_driver(const struct doctor *d, struct check *c)
{
        const struct pci_device *lost;
        const char *driver;

        if (!has_gpu(d, c))
                return;
        driver = d->gpu->driver;
        lost = find_lost(d);
        if (lost) {
                fail_driver(d, c, lost);
        } else if (streq_null(driver, "vfio-pci")) {
                check_set(c, CHECK_OK, "%s is bound to vfio-pci", d->gpu->address);
        } else if (streq_null(driver, "nvidia")) {
                check_set(c, CHECK_WARN, "%s is bound to nvidia, which hangs when it has to let go in use",
                          d->gpu->address);
                check_fix(c, "bind it at boot: vfioctl setup apply --gpu=%s --bind=ids", d->gpu->address);
        } else {
                check_set(c, CHECK_OK, "%s is bound to %s; libvirt takes it when the guest starts",
                          d->gpu->address, driver ? driver : "no driver");
        }
}

const struct doctor_check doctor_gpu_checks[] = {
        { "gpu.present", "there is a GPU for a guest", check_present, 0 },
        { "gpu.boot-vga", "the host's picture is on another one", check_boot_vga, 0 },
        { "gpu.group", "its IOMMU group has nothing else in it", check_group, 0 },
        { "gpu.duplicate-id", "no device of the host has the same ids", check_duplicate, 0 },
        { NULL, NULL, NULL, 0 },
};

const struct doctor_check doctor_driver_checks[] = {
        { "gpu.driver", "it is bound as it was meant to be", check_driver, 0 },
        { NULL, NULL, NULL, 0 },
};
