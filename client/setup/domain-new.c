/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/domain-new.h"

#include <fcntl.h>
#include <stdio.h>

#include "client/setup/domain-create.h"
#include "client/setup/domain-part.h"
#include "client/setup/program.h"

#define IMAGES "/var/lib/libvirt/images"
#define DISK_GIB_DEFAULT 64U

/* --- processor and memory --------------------------------------------------------------------- */

static bool use_kvm(const struct setup *s)
{
        return s->machine->cpu.kvm_device && s->machine->cpu.virt;
}

int domain_new_cpus(const struct setup *s, struct cpu_proposal *ret, char **ret_error)
{
        if (s->choices->cpus)
                return cpu_choose(&s->machine->cpu, s->choices->cpus, ret, ret_error);
        if (cpu_propose(&s->machine->cpu, 0, ret) == 0)
                return 0;
        *ret = (struct cpu_proposal) { .cores = cpu_set_count(&s->machine->cpu.online) > 3 ? 2 : 1, .threads = 1 };
        return 0;
}

static unsigned total_mib(const struct root *r)
{
        _autofree_ char *text = NULL;
        const char *line;

        if (root_read(r, "/proc/meminfo", &text, NULL) < 0)
                return 0;
        line = strstr(text, "MemTotal:");
        return line ? (unsigned) (strtoull(line + strlen("MemTotal:"), NULL, 10) / 1024) : 0;
}

static int choose_memory(const struct setup *s, unsigned *ret, char **ret_error)
{
        unsigned total = total_mib(s->machine->root), wanted = s->choices->memory_mib;

        *ret = wanted ? wanted : domain_default_memory(total);
        if (total == 0 || *ret < total)
                return 0;
        *ret_error = xasprintf("--memory=%u: the host has %u MiB, and needs some of it itself", wanted, total);
        return -EINVAL;
}

/* --- what is installed ------------------------------------------------------------------------ */

static bool has_descriptor(const struct root *r, const char *folder)
{
        _cleanup_(strv_freep) char **names = NULL;
        bool found = false;

        if (root_list(r, folder, &names) < 0)
                return false;
        for (char **name = names; *name; name++) {
                _autofree_ char *path = xasprintf("%s/%s", folder, *name), *text = NULL;

                found |= root_read(r, path, &text, NULL) == 0 && strstr(text, "\"uefi\"") && strstr(text, "x86_64");
        }
        return found;
}

/* A boot sector is for a BIOS: UEFI starts nothing from a floppy disk. */
static bool choose_firmware(const struct setup *s, enum medium kind, struct plan *p)
{
        const struct root *r = s->machine->root;
        struct plan_note *note;

        if (kind == MEDIUM_FLOPPY) {
                plan_note(p, DOMAIN_STEP, PLAN_NOT_NEEDED, "the new domain has a BIOS: UEFI does not start from a floppy disk");
                return false;
        }
        if (has_descriptor(r, "/usr/share/qemu/firmware") || has_descriptor(r, "/etc/qemu/firmware") ||
            s->choices->install_packages) {
                note = plan_note(p, DOMAIN_STEP, PLAN_CHANGES,
                                 "the new domain has UEFI; libvirt finds the image by its descriptor, so that the guide's "
                                 "nvram list in qemu.conf is not needed. The first of many distributions has Secure Boot, "
                                 "which starts signed media only; without it, this is for virsh edit:");
                words_add(&note->lines, "<os firmware='efi'> <firmware> <feature enabled='no' name='secure-boot'/> </firmware>");
                return true;
        }
        plan_note(p, DOMAIN_STEP, PLAN_BY_HAND,
                  "the new domain gets a BIOS: no UEFI image has a descriptor in /usr/share/qemu/firmware; install OVMF "
                  "(--install-packages) before, as most GPUs want UEFI");
        return false;
}

static bool choose_network(struct domain_store *store, struct plan *p)
{
        int active = domain_store_find_network(store, "default", NULL);

        if (active < 0)
                plan_note(p, DOMAIN_STEP, PLAN_BY_HAND,
                          "the new domain has no network: libvirt has none that is called default");
        else if (active == 0)
                plan_note(p, DOMAIN_STEP, PLAN_BY_HAND,
                          "libvirt's network default does not run, and without it the new domain does not start: "
                          "virsh net-start default; virsh net-autostart default");
        return active >= 0;
}

/* --- disk and medium -------------------------------------------------------------------------- */

/* Of one that is there. A whole disk of the host is not taken: it could be the host's own. */
static int find_format(const struct root *r, const char *path, const char **ret, char **ret_error)
{
        _autoclose_ int fd = root_open_file(r, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        struct stat st;
        char magic[4];

        if (fd < 0 || fstat(fd, &st) < 0) {
                int e = fd < 0 ? fd : -errno;

                *ret_error = xasprintf("the disk %s is there already and cannot be read: %s", path, strerror(-e));
                return e;
        }
        if (!S_ISREG(st.st_mode)) {
                *ret_error = xasprintf("--disk=%s: expected the path of a file, or of one to be made", path);
                return -EINVAL;
        }
        *ret = pread(fd, magic, 4, 0) == 4 && memcmp(magic, "QFI\xfb", 4) == 0 ? "qcow2" : "raw";
        return 0;
}

/* So that find takes the name as it is, not as a pattern. */
static char *quote_pattern(const char *name)
{
        char *quoted = xcalloc(2 * strlen(name) + 1, 1), *end = quoted;

        for (; *name; name++) {
                if (strchr("*?[]\\", *name))
                        *end++ = '\\';
                *end++ = *name;
        }
        *end = '\0';
        return quoted;
}

/* An image without any data has less than four clusters of 64 KiB, up to 4 TiB.
 * The first write of a guest makes it larger for good, so that the size tells
 * whether somebody's data is in it; then undoing leaves it alone. It is looked
 * for in its folder, as one that could not even be made is no failure. */
static char **remove_disk(const char *find, const char *path)
{
        const char *slash = strrchr(path, '/');
        _autofree_ char *folder = xasprintf("%.*s/", (int) (slash - path), path), *name = quote_pattern(slash + 1);

        return program_command(find, folder, "-mindepth", "1", "-maxdepth", "1", "-name", name, "-type", "f", "-size",
                               "-257k", "-delete", NULL);
}

static int plan_disk(const struct setup *s, struct plan *p, const char *path, char **ret_error)
{
        const struct root *r = s->machine->root;
        const unsigned gib = s->choices->disk_gib ? s->choices->disk_gib : DISK_GIB_DEFAULT;
        _autofree_ char *size = xasprintf("%uG", gib), *find = program_find(r, "find");
        struct plan_command *command;

        if (!program_exists(r, "qemu-img") && !s->choices->install_packages) {
                *ret_error = xasprintf("the disk %s cannot be made without qemu-img: install it (--install-packages), or "
                                       "name an image that is there with --disk=PATH", path);
                return -ENOENT;
        }
        command = plan_add_command(p, DOMAIN_STEP,
                                   program_command("qemu-img", "create", "-q", "-f", "qcow2", path, size, NULL),
                                   "the disk of the new domain, which takes up room as it is written to");
        words_take(&command->changed, xasprintf("%s; undo removes it only while nothing has been written to it", path));
        if (find)
                command->undo = remove_disk(find, path);
        else
                command->no_undo = true;
        return 0;
}

static int choose_disk(const struct setup *s, struct plan *p, char **ret_path, const char **ret_format, char **ret_error)
{
        const struct choices *c = s->choices;
        _autofree_ char *path = c->disk ? xstrdup(c->disk) : xasprintf(IMAGES "/%s.qcow2", c->domain);

        if (*path != '/') {
                *ret_error = xasprintf("--disk=%s: expected an absolute path, /...", path);
                return -EINVAL;
        }
        if (root_exists(s->machine->root, path)) {
                int e = find_format(s->machine->root, path, ret_format, ret_error);

                if (e < 0)
                        return e;
                plan_note(p, DOMAIN_STEP, PLAN_DONE, "the disk %s is there already, and used as it is", path);
        } else {
                int e = plan_disk(s, p, path, ret_error);

                if (e < 0)
                        return e;
                *ret_format = "qcow2";
        }
        *ret_path = TAKE_PTR(path);
        return 0;
}

/* QEMU runs as a user of its own, who must get through all folders above. */
static void check_reachable(const struct root *r, struct plan *p, const char *path)
{
        _autofree_ char *folder = xstrdup(path);

        for (char *slash = strrchr(folder, '/'); slash && slash > folder; slash = strrchr(folder, '/')) {
                struct stat st;

                *slash = '\0';
                if (root_stat(r, folder, &st) < 0 || (st.st_mode & S_IXOTH))
                        continue;
                plan_note(p, DOMAIN_STEP, PLAN_BY_HAND,
                          "QEMU's user may not look into %s, where %s is: move the file to " IMAGES, folder, path);
                return;
        }
}

static int fail_name(char **ret_error)
{
        *ret_error = xstrdup("--create: the name of a domain cannot be empty, and a / or a line break cannot be in it");
        return -EINVAL;
}

int domain_new(const struct setup *s, struct domain_store *store, struct plan *p, char **ret_xml, char **ret_error)
{
        const struct choices *c = s->choices;
        struct domain_create n = { .name = c->domain, .kvm = use_kvm(s), .medium = c->medium };
        _autofree_ char *disk = NULL;
        int e = !*c->domain || strpbrk(c->domain, "/\n") ? fail_name(ret_error) : 0;

        if (e == 0 && c->medium)
                e = domain_medium_detect(s->machine->root, c->medium, &n.kind, ret_error);
        if (e == 0)
                e = choose_memory(s, &n.memory_mib, ret_error);
        if (e == 0)
                e = choose_disk(s, p, &disk, &n.disk_format, ret_error);
        if (e < 0)
                return e;
        n.disk = disk;
        n.efi = choose_firmware(s, n.kind, p);
        n.tpm = program_exists(s->machine->root, "swtpm");
        n.network = choose_network(store, p);
        if (c->medium)
                check_reachable(s->machine->root, p, c->medium);
        if (!n.kvm)
                plan_note(p, DOMAIN_STEP, PLAN_BY_HAND,
                          "the new domain is emulated, and slow: %s; when that is mended, virsh edit can make its type kvm",
                          s->machine->cpu.virt ? "there is no /dev/kvm" : "the processor does not offer virtualisation");
        plan_note(p, DOMAIN_STEP, PLAN_CHANGES, "the new domain has %u MiB of memory, a virtio disk%s%s; Windows finds disk and "
                                                "network with the drivers of virtio-win", n.memory_mib,
                  n.network ? ", a virtio network" : "", n.tpm ? ", a TPM" : "");
        *ret_xml = domain_create(&n);
        return 0;
}
