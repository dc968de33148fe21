/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "client/setup/pci-name.h"
#include "client/setup/session.h"

static json_object *text(const char *s)
{
        return s ? json_object_new_string(s) : NULL;
}

static json_object *gpu_to_json(const struct machine *m, const struct pci_device *d)
{
        _autofree_ char *name = pci_name(d), *ids = xasprintf("%04x:%04x", d->vendor, d->device);
        json_object *o = json_object_new_object(), *companions = json_object_new_array();

        for (const struct pci_device *other = NULL; (other = pci_next_companion(&m->pci, d, other));)
                json_object_array_add(companions, json_object_new_string(other->address));
        json_object_object_add(o, "address", text(d->address));
        json_object_object_add(o, "name", text(name));
        json_object_object_add(o, "ids", text(ids));
        json_object_object_add(o, "driver", text(d->driver));
        json_object_object_add(o, "iommu_group", d->group < 0 ? NULL : json_object_new_int(d->group));
        json_object_object_add(o, "display", json_object_new_boolean(pci_drives_display(d)));
        json_object_object_add(o, "spare", json_object_new_boolean(d == machine_guest_gpu(m)));
        json_object_object_add(o, "companions", companions);
        return o;
}

static json_object *machine_to_json(const struct machine *m)
{
        const struct kernel *kernel = kernels_current(&m->kernels);
        _autofree_ char *online = cpu_set_format(&m->cpu.online);
        json_object *o = json_object_new_object(), *gpus = json_object_new_array();

        for (const struct pci_device *d = NULL; (d = pci_next_gpu(&m->pci, d));)
                json_object_array_add(gpus, gpu_to_json(m, d));
        json_object_object_add(o, "schema", json_object_new_int(1));
        json_object_object_add(o, "bootloader", text(bootloader_name(m->bootloader.kind)));
        json_object_object_add(o, "initramfs", text(initramfs_name(m->initramfs.kind)));
        json_object_object_add(o, "kernel", text(kernel ? kernel->release : NULL));
        json_object_object_add(o, "vfio_pci", text(kernel ? kernel_module_name(kernel->vfio_pci) : NULL));
        json_object_object_add(o, "cpus", text(online));
        json_object_object_add(o, "cores", json_object_new_int64((int64_t) m->cpu.n_cores));
        json_object_object_add(o, "virtualisation", json_object_new_boolean(m->cpu.virt));
        json_object_object_add(o, "iommu", json_object_new_boolean(m->iommu.enabled));
        json_object_object_add(o, "iommu_groups", json_object_new_int64(m->iommu.n_groups));
        json_object_object_add(o, "gpus", gpus);
        return o;
}

static void print(const struct machine *m)
{
        const struct kernel *kernel = kernels_current(&m->kernels);
        _autofree_ char *online = cpu_set_format(&m->cpu.online);

        printf("boot loader   %s\ninitramfs     %s\nkernel        %s, vfio-pci: %s\n", bootloader_name(m->bootloader.kind),
               initramfs_name(m->initramfs.kind), kernel ? kernel->release : "not found",
               kernel ? kernel_module_name(kernel->vfio_pci) : "unknown");
        printf("CPUs          %s in %zu cores%s\nIOMMU         %s, %u groups\n", online, m->cpu.n_cores,
               m->cpu.virt ? "" : ", without virtualisation", m->iommu.enabled ? "at work" : "not at work",
               m->iommu.n_groups);
        for (const struct pci_device *d = NULL; (d = pci_next_gpu(&m->pci, d));) {
                _autofree_ char *name = pci_name(d);

                printf("card          %s  %s, %s, group %d%s%s\n", d->address, name, d->driver ? d->driver : "no driver",
                       d->group, pci_drives_display(d) ? ", shows the picture" : "",
                       d == machine_guest_gpu(m) ? ", spare" : "");
        }
        fputs("\nKinds for --bootloader:", stdout);
        for (enum bootloader_kind k = BOOTLOADER_GRUB_DROPIN; k <= BOOTLOADER_NIXOS; k++)
                printf("%s \"%s\"", k == BOOTLOADER_GRUB_DROPIN ? "" : ",", bootloader_name(k));
        fputs("\nKinds for --initramfs:", stdout);
        for (enum initramfs_kind k = INITRAMFS_TOOLS; k <= INITRAMFS_BOOSTER; k++)
                printf("%s %s", k == INITRAMFS_TOOLS ? "" : ",", initramfs_name(k));
        putchar('\n');
}

enum exit_code setup_detect(struct session *s)
{
        enum exit_code code = session_look(s);

        if (code != EXIT_DONE)
                return code;
        if (s->options->json)
                session_print_json(machine_to_json(s->machine));
        else
                print(s->machine);
        return EXIT_DONE;
}
