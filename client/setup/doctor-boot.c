/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Checks of what happens while the machine boots: who holds the GPU's memory,
 * which driver comes first, and whether the initramfs is as the files say. */

#include <fcntl.h>

#include "client/setup/doctor.h"
#include "client/setup/program.h"
#include "client/setup/run.h"
#include "client/setup/words.h"

/* --- framebuffer ---------------------------------------------------------------------- */

/* Who has a piece of that function's memory, owned by the caller; NULL: nobody.
 * A line of /proc/iomem that is indented further is inside the one above it. */
static char *find_owner(const char *iomem, const char *address)
{
        static const char *const names[] = { "BOOTFB", "simplefb", "simpledrm", "simple-framebuffer", "efifb", "vesafb" };
        _cleanup_(strv_freep) char **lines = words_split(iomem, "\n");
        size_t inside = SIZE_MAX;

        for (char **line = lines; *line; line++) {
                size_t depth = strspn(*line, " ");
                const char *name = strstr(*line, " : ");

                if (!name)
                        continue;
                name += 3;
                if (depth <= inside)
                        inside = streq(name, address) ? depth : SIZE_MAX;
                for (size_t i = 0; inside != SIZE_MAX && i < ARRAY_SIZE(names); i++)
                        if (streq(name, names[i]))
                                return xstrdup(name);
        }
        return NULL;
}

static void check_bar_owner(const struct doctor *d, struct check *c)
{
        _autofree_ char *iomem = NULL, *owner = NULL;
        bool bound;
        int e;

        if (!d->gpu) {
                check_set(c, CHECK_SKIP, "no GPU to look at");
                return;
        }
        e = doctor_read(d, c, "/proc/iomem", &iomem);
        if (e == -ENOENT)
                check_set(c, CHECK_SKIP, DOCTOR_NOT_RUNNING);
        if (e < 0)
                return;
        owner = find_owner(iomem, d->gpu->address);
        if (!owner) {
                check_set(c, CHECK_OK, "no framebuffer of the boot holds memory of %s", d->gpu->address);
                return;
        }
        bound = streq_null(d->gpu->driver, "vfio-pci");
        check_set(c, bound ? CHECK_FAIL : CHECK_WARN, "the framebuffer of the boot (%s) holds memory of %s", owner,
                  d->gpu->address);
        check_evidence(c, bound ? "/proc/iomem; vfio-pci has not driven it away: \"BAR 0: can't reserve\" follows"
                                : "/proc/iomem; vfio-pci of recent kernels drives it away");
        check_fix(c, "choose the other GPU as the first one (\"primary display\") in the set-up of the firmware");
        if (bound)
                check_fix(c, "or, and then the boot shows nothing: vfioctl setup apply --no-framebuffer, then reboot");
}

/* --- modprobe --------------------------------------------------------------------------- */

static bool ids_are_in_modprobe(const struct doctor *d)
{
        for (size_t i = 0; i < d->ids.n_sources; i++)
                if (!d->ids.sources[i].on_cmdline && d->ids.sources[i].state == VFIO_IDS_EFFECTIVE)
                        return true;
        return false;
}

static bool line_is_softdep(const char *line, const char *module)
{
        _cleanup_(strv_freep) char **words = words_split(line, " \t");
        bool pre = false;

        if (words_count(words) < 4 || !streq(words[0], "softdep") || !streq(words[1], module))
                return false;
        for (char **word = words + 2; *word; word++) {
                if (startswith(*word, "pre:"))
                        pre = true;
                else if (startswith(*word, "post:"))
                        pre = false;
                else if (pre && (streq(*word, "vfio-pci") || streq(*word, "vfio_pci")))
                        return true;
        }
        return false;
}

static bool has_softdep(const struct root *r, const char *module)
{
        static const char *const folders[] = { "/etc/modprobe.d", "/usr/lib/modprobe.d" };

        for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
                _cleanup_(strv_freep) char **names = NULL;

                if (root_list(r, folders[i], &names) < 0)
                        continue;
                for (char **name = names; *name; name++) {
                        _autofree_ char *path = xasprintf("%s/%s", folders[i], *name), *text = NULL;
                        _cleanup_(strv_freep) char **lines = NULL;

                        if (root_read(r, path, &text, NULL) < 0)
                                continue;
                        lines = words_split(text, "\n");
                        for (char **line = lines; *line; line++)
                                if (line_is_softdep(*line, module))
                                        return true;
                }
        }
        return false;
}

/* A function of the slot that its own driver won; NULL: none. */
static const struct pci_device *find_won(const struct doctor *d)
{
        const struct pci *p = &d->machine->pci;

        for (size_t i = 0; i < p->n_devices; i++) {
                const struct pci_device *f = &p->devices[i];

                if (pci_same_slot(f, d->gpu) && vfio_ids_take(&d->ids, f) && f->driver &&
                    !streq(f->driver, "vfio-pci") && !has_softdep(d->machine->root, f->driver))
                        return f;
        }
        return NULL;
}

static void check_softdeps(const struct doctor *d, struct check *c)
{
        const struct pci_device *won;

        if (!d->gpu || !ids_are_in_modprobe(d)) {
                check_set(c, CHECK_SKIP, "modprobe.d binds no GPU at boot");
                return;
        }
        won = find_won(d);
        if (!won) {
                check_set(c, CHECK_OK, "no driver is loaded before vfio-pci");
                return;
        }
        check_set(c, CHECK_FAIL, "%s is loaded before vfio-pci and takes %s", won->driver, won->address);
        check_evidence(c, "no \"softdep %s pre: vfio-pci\" in modprobe.d", won->driver);
        check_fix(c, "sudo vfioctl setup apply --gpu=%s --bind=ids (adds it and makes the initramfs again), then reboot",
                  d->gpu->address);
}

/* --- initramfs ---------------------------------------------------------------------------- */

/* The image of the present kernel, owned by the caller; NULL: not found. */
static char *find_image(const struct machine *m)
{
        const struct kernel *kernel = kernels_current(&m->kernels);
        const char *release = kernel ? kernel->release : "";
        _cleanup_(strv_freep) char **paths = NULL;

        words_take(&paths, xasprintf("/boot/initrd.img-%s", release));
        words_take(&paths, xasprintf("/boot/initramfs-%s.img", release));
        words_take(&paths, xasprintf("/boot/initrd-%s", release));
        if (m->initramfs.kind == INITRAMFS_MKINITCPIO)
                words_add(&paths, "/boot/initramfs-linux.img");
        for (char **path = paths; *path; path++)
                if (root_exists(m->root, *path))
                        return xstrdup(*path);
        return NULL;
}

/* NULL, and the check is set: there is nothing to look at. Owned by the caller. */
static char *image_of_interest(const struct doctor *d, struct check *c)
{
        char *image;

        if (!ids_are_in_modprobe(d)) {
                check_set(c, CHECK_SKIP, "nothing is bound at boot by modprobe.d");
                return NULL;
        }
        image = find_image(d->machine);
        if (!image)
                check_set(c, CHECK_SKIP, "no image of the present kernel in /boot");
        return image;
}

static void rebuild(const struct doctor *d, struct check *c)
{
        _autofree_ char *command = words_join(d->machine->initramfs.command, " ");

        if (*command)
                check_fix(c, "sudo %s, then reboot", command);
        else
                check_fix(c, "make the initramfs again, then reboot");
}

static void check_stale(const struct doctor *d, struct check *c)
{
        static const char *const files[] = { "/etc/modprobe.d/vfio-inputd.conf", "/etc/modprobe.d/vfio.conf",
                                             "/etc/initramfs-tools/modules", "/etc/dracut.conf.d/60-vfio-inputd.conf",
                                             "/etc/mkinitcpio.conf.d/60-vfio-inputd.conf", "/etc/mkinitcpio.conf" };
        _autofree_ char *image = image_of_interest(d, c);
        struct stat made, file;

        if (!image || root_stat(d->machine->root, image, &made) < 0)
                return;
        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                if (root_stat(d->machine->root, files[i], &file) < 0 || file.st_mtime <= made.st_mtime)
                        continue;
                check_set(c, CHECK_WARN, "%s is older than %s, which goes into it", image, files[i]);
                check_evidence(c, "what was changed there has no effect at boot");
                rebuild(d, c);
                return;
        }
        check_set(c, CHECK_OK, "%s is newer than what goes into it", image);
}

/* The program that lists an image; NULL: none. */
static const char *lister(const struct machine *m)
{
        static const char *const programs[] = { "lsinitramfs", "lsinitrd", "lsinitcpio" };

        for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
                if (program_exists(m->root, programs[i]))
                        return programs[i];
        return NULL;
}

static void judge_content(const struct doctor *d, struct check *c, const char *image, const char *list)
{
        bool module = strstr(list, "/vfio-pci.ko") || strstr(list, "/vfio_pci.ko");

        if (module && strstr(list, "etc/modprobe.d/")) {
                check_set(c, CHECK_OK, "%s has vfio-pci and its options", image);
                return;
        }
        check_set(c, CHECK_WARN, "%s lacks %s", image, module ? "the files of /etc/modprobe.d" : "vfio-pci.ko");
        check_evidence(c, "the GPU's own driver may be in it and come first");
        check_fix(c, "sudo vfioctl setup apply --bind=ids initramfs");
        rebuild(d, c);
}

static void check_content(const struct doctor *d, struct check *c)
{
        _autofree_ char *image = image_of_interest(d, c), *list = NULL;
        const char *program = lister(d->machine);
        _cleanup_(strv_freep) char **argv = NULL;
        _autoclose_ int fd = -EBADF;

        if (!image)
                return;
        if (!root_is_live(d->machine->root) || !program) {
                check_set(c, CHECK_SKIP, program ? DOCTOR_NOT_RUNNING : "nothing here lists images");
                return;
        }
        fd = root_open_file(d->machine->root, image, O_RDONLY);
        if (fd < 0) {
                doctor_need_root(c, image);
                return;
        }
        argv = program_command("timeout", "20", program, image, NULL);
        if (run_and_read(argv, &list) == 0)
                judge_content(d, c, image, list);
        else
                check_set(c, CHECK_UNKNOWN, "%s cannot list %s", program, image);
}

/* --- isolation ------------------------------------------------------------------------------ */

static void check_isolated(const struct doctor *d, struct check *c)
{
        const struct cpu *cpu = &d->machine->cpu;
        _autofree_ char *line = NULL;
        struct cpu_set isolated;

        if (root_read_line(d->machine->root, "/sys/devices/system/cpu/isolated", &line) < 0 ||
            cpu_set_parse(line, &isolated) < 0) {
                check_set(c, CHECK_SKIP, DOCTOR_NOT_RUNNING);
                return;
        }
        for (size_t i = 0; i < cpu->n_cores; i++) {
                struct cpu_set part = cpu->cores[i].threads;
                _autofree_ char *threads = cpu_set_format(&part);

                cpu_set_intersect(&part, &isolated);
                if (cpu_set_count(&part) == 0 || cpu_set_count(&part) == cpu->cores[i].n_threads)
                        continue;
                check_set(c, CHECK_WARN, "isolcpus=%s splits the core of CPUs %s", line, threads);
                check_evidence(c, "host and guest share that core's caches and units");
                check_fix(c, "isolate whole cores: vfioctl setup apply --domain=NAME --cpus=auto --isolate=slices");
                return;
        }
        check_set(c, CHECK_OK, *line ? "isolated: %s, whole cores" : "no CPU is isolated by the kernel%s", line);
}

const struct doctor_check doctor_boot_checks[] = {
        { "cpu.isolated", "the kernel isolates whole cores, if any", check_isolated, 0 },
        { "fb.bar-owner", "no framebuffer of the boot holds the GPU's memory", check_bar_owner, 0 },
        { "modprobe.softdeps", "no driver is loaded before vfio-pci", check_softdeps, 0 },
        { "initramfs.stale", "the initramfs is newer than what goes into it", check_stale, 0 },
        { "initramfs.content", "the initramfs has vfio-pci and its options", check_content, 0 },
        { NULL, NULL, NULL, 0 },
};
