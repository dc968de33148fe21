/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Changes nothing: says whether the hardware can do it, and closes the gates
 * behind which somebody loses the picture or the disk. */

#include "client/setup/pci-name.h"
#include "client/setup/step.h"

#define STEP "hardware"

/* --- what the machine can do ---------------------------------------------------------------- */

static void note_cpu(const struct machine *m, struct plan *p)
{
        if (!m->cpu.known)
                plan_note(p, STEP, PLAN_BY_HAND, "the processor cannot be told from here: see that virtualisation is "
                                                 "switched on in the firmware");
        else if (m->cpu.virt)
                plan_note(p, STEP, PLAN_DONE, "the processor can run guests");
        else
                plan_note(p, STEP, PLAN_BY_HAND, "virtualisation is switched off: switch \"VT-x\" or \"SVM\" on in the "
                                                 "set-up of the firmware");
}

static void note_iommu(const struct machine *m, struct plan *p)
{
        if (m->iommu.enabled)
                plan_note(p, STEP, PLAN_DONE, "the IOMMU is at work, with %u groups", m->iommu.n_groups);
        else if (!m->iommu.known || !m->iommu.acpi_known)
                plan_note(p, STEP, PLAN_BY_HAND, "whether the firmware offers an IOMMU cannot be told from here");
        else if (!iommu_in_firmware(&m->iommu))
                plan_note(p, STEP, PLAN_BY_HAND, "the firmware offers no IOMMU: switch \"VT-d\" or \"IOMMU\" on in its "
                                                 "set-up");
        else
                plan_note(p, STEP, PLAN_CHANGES, "the firmware offers an IOMMU that the kernel does not use: see cmdline");
}

/* Of SMBIOS: portable, laptop, notebook, sub notebook, convertible, detachable. */
static bool is_laptop(const struct root *r)
{
        static const char *const types[] = { "8", "9", "10", "14", "31", "32" };
        _autofree_ char *text = NULL;

        if (root_read(r, "/sys/class/dmi/id/chassis_type", &text, NULL) < 0)
                return false;
        text[strcspn(text, "\n")] = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(types); i++)
                if (streq(text, types[i]))
                        return true;
        return false;
}

static void note_laptop(const struct machine *m, struct plan *p)
{
        if (is_laptop(m->root))
                plan_note(p, STEP, PLAN_BY_HAND, "this is a laptop: its second GPU mostly shows its picture through the first "
                                                 "one, so see that an output is wired to it before it goes to a guest");
}

/* --- gates ------------------------------------------------------------------------------------ */

static bool is_chosen(const struct setup *s, const struct pci_device *d)
{
        for (const struct pci_device **other = s->gpus; other && *other; other++)
                if (*other == d)
                        return true;
        return false;
}

static unsigned count_gpus(const struct pci *p)
{
        unsigned n = 0;

        for (const struct pci_device *d = NULL; (d = pci_next_gpu(p, d));)
                n++;
        return n;
}

static void guard_display(const struct setup *s, const struct pci_device *d, struct plan *p)
{
        if (!pci_is_gpu(d))
                return;
        if (count_gpus(&s->machine->pci) == 1)
                plan_gate(p, s->choices, "only-gpu",
                          "%s is the only GPU of this machine: the host has no picture while the guest has it",
                          d->address);
        else if (pci_drives_display(d))
                plan_gate(p, s->choices, "display-gpu",
                          "%s shows this machine's picture: the host loses it to the guest", d->address);
}

static void guard_group(const struct setup *s, const struct pci_device *d, struct plan *p)
{
        const struct pci *pci = &s->machine->pci;

        if (d->root_disk)
                plan_gate(p, s->choices, "root-disk", "the disk of this system hangs on %s", d->address);
        for (const struct pci_device *other = NULL; (other = iommu_next_foreign(pci, d, other));) {
                if (is_chosen(s, other))
                        continue;
                if (other->root_disk)
                        plan_gate(p, s->choices, "root-disk",
                                  "the disk of this system hangs on %s, in the IOMMU group of %s", other->address,
                                  d->address);
                else
                        plan_gate(p, s->choices, "group-foreign",
                                  "%s is in the IOMMU group of %s, and the host loses it too", other->address, d->address);
        }
}

static void guard_twins(const struct setup *s, const struct pci_device *d, struct plan *p)
{
        if (s->choices->bind != BIND_IDS)
                return;
        for (const struct pci_device *twin = NULL; (twin = pci_next_twin(&s->machine->pci, d, twin));)
                if (!is_chosen(s, twin))
                        plan_gate(p, s->choices, "twin-ids",
                                  "--bind=ids takes %s, too, which has the same ids as %s: use --bind=address",
                                  twin->address, d->address);
}

/* --- cards --------------------------------------------------------------------------------------- */

static void note_card(const struct pci_device *d, struct plan *p)
{
        _autofree_ char *name = pci_name(d);

        plan_note(p, STEP, PLAN_DONE, "%s %s goes to the guest (IOMMU group %d, now %s)", d->address, name, d->group,
                  d->driver ? d->driver : "without driver");
}

static void note_no_card(const struct setup *s, struct plan *p)
{
        if (s->choices->no_gpu)
                plan_note(p, STEP, PLAN_OPTIONAL, "no card is passed through, as was asked for");
        else if (!s->machine->pci.known)
                plan_note(p, STEP, PLAN_BY_HAND, "the cards cannot be told from here");
        else
                plan_note(p, STEP, PLAN_BY_HAND, "no card is clearly spare: name one with --gpu=ADDRESS (\"vfioctl setup "
                                                 "detect\" lists them)");
}

int step_hardware_plan(const struct setup *s, struct plan *p, char **ret_error)
{
        note_cpu(s->machine, p);
        note_iommu(s->machine, p);
        if (!s->choices->no_gpu)
                note_laptop(s->machine, p);
        if (!s->gpus)
                note_no_card(s, p);
        for (const struct pci_device **d = s->gpus; d && *d; d++) {
                note_card(*d, p);
                guard_display(s, *d, p);
                guard_group(s, *d, p);
                guard_twins(s, *d, p);
        }
        return 0;
}
