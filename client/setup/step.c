/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/step.h"

const struct step steps[] = {
        { "hardware", "processor, IOMMU and cards; changes nothing", step_hardware_plan },
        { "packages", "QEMU, libvirt and the guest's firmware", step_packages_plan },
        { "cmdline", "parameters of the kernel", step_cmdline_plan },
        { "modprobe", "options of vfio-pci and kvm", step_modprobe_plan },
        { "initramfs", "vfio-pci in the images of all kernels", step_initramfs_plan },
        { "libvirt", "what guides change there, and why it is not needed", step_libvirt_plan },
        { "input", "vfio-inputd.service", step_input_plan },
        { "isolation", "what keeps the host off the guest's CPUs", step_isolation_plan },
        { "cleanup", "what a guide that was followed by hand has left", step_cleanup_plan },
        { "domain", "the definition of the guest's domain, and its guest in our configuration", step_domain_plan },
        { NULL, NULL, NULL },
};

/* --- which functions go to the guest ------------------------------------------------ */

static void take(const struct pci_device ***list, const struct pci_device *d)
{
        size_t n = 0;

        for (; *list && (*list)[n]; n++)
                if ((*list)[n] == d)
                        return;
        *list = xreallocarray(*list, n + 2, sizeof(**list));
        (*list)[n] = d;
        (*list)[n + 1] = NULL;
}

/* By "vendor:device": NULL with *ret_error if none or more than one GPU has it. */
static const struct pci_device *find_by_ids(const struct pci *p, const char *ids, char **ret_error)
{
        const struct pci_device *found = NULL;

        for (const struct pci_device *d = NULL; (d = pci_next_gpu(p, d));) {
                _autofree_ char *own = xasprintf("%04x:%04x", d->vendor, d->device);

                if (strcasecmp(own, ids) != 0)
                        continue;
                if (found) {
                        *ret_error = xasprintf("%s is both %s and %s: name one by its address", ids, found->address,
                                               d->address);
                        return NULL;
                }
                found = d;
        }
        if (!found)
                *ret_error = xasprintf("there is no GPU %s", ids);
        return found;
}

static int take_chosen(const struct machine *m, const char *name, struct setup *s, char **ret_error)
{
        bool by_ids = strlen(name) == 9 && name[4] == ':';
        const struct pci_device *d = by_ids ? find_by_ids(&m->pci, name, ret_error) : pci_find(&m->pci, name);

        if (!d && !by_ids)
                *ret_error = xasprintf("there is no PCI device %s", name);
        if (!d)
                return -EINVAL;
        take(&s->gpus, d);
        return 0;
}

static void take_companions(const struct machine *m, struct setup *s)
{
        for (size_t i = 0; s->gpus && s->gpus[i]; i++)
                for (const struct pci_device *d = NULL; (d = pci_next_companion(&m->pci, s->gpus[i], d));)
                        take(&s->gpus, d);
}

int setup_prepare(const struct machine *m, const struct choices *c, struct setup *ret, char **ret_error)
{
        _cleanup_(setup_clear) struct setup s = { .machine = m, .choices = c };
        const struct pci_device *spare = machine_guest_gpu(m);
        int e = 0;

        for (char **name = c->gpus; name && *name && e == 0; name++)
                e = take_chosen(m, *name, &s, ret_error);
        if (e < 0)
                return e;
        if (!c->gpus && !c->no_gpu && spare)
                take(&s.gpus, spare);
        take_companions(m, &s);
        e = vfio_ids_load(m, &s.ids);
        if (e < 0)
                return e;
        *ret = s;
        s = (struct setup) { 0 };
        return 0;
}

void setup_clear(struct setup *s)
{
        free(s->gpus);
        vfio_ids_clear(&s->ids);
        *s = (struct setup) { 0 };
}

/* --- all steps ------------------------------------------------------------------------ */

int setup_plan(const struct setup *s, struct plan *ret, char **ret_error)
{
        _cleanup_(plan_clear) struct plan p = { 0 };
        int e;

        for (const struct step *step = steps; step->name; step++) {
                if (s->choices->steps && !words_have(s->choices->steps, step->name))
                        continue;
                e = step->plan(s, &p, ret_error);
                if (e < 0)
                        return e;
        }
        *ret = p;
        p = (struct plan) { 0 };
        return 0;
}
