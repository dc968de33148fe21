/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/ask.h"

#include <stdarg.h>

#include "client/setup/pci-name.h"
#include "common/text.h"

#define TRIES 3

/* --- one question ------------------------------------------------------------------- */

/* What may be answered: a number below n_answers, or what free_form takes. */
struct question {
        const char *option; /* that says the same */
        unsigned n_answers, preselected;
        bool (*takes)(const char *text, const void *userdata); /* any other answer; NULL: none */
        const void *userdata;
};

/* A line without its end, owned by the caller; NULL: there is none. */
static char *read_answer(FILE *in)
{
        _autofree_ char *line = NULL;
        size_t room = 0;
        ssize_t n = getline(&line, &room, in);

        if (n < 0)
                return NULL;
        while (n > 0 && strchr(" \t\r\n", line[n - 1]))
                line[--n] = '\0';
        memmove(line, line + strspn(line, " \t"), (size_t) n - strspn(line, " \t") + 1);
        return TAKE_PTR(line);
}

static bool is_number(const char *answer, unsigned n_answers, unsigned *ret)
{
        char *end;
        unsigned long n = strtoul(answer, &end, 10);

        if (*answer < '0' || *answer > '9' || *end || n >= n_answers)
                return false;
        *ret = (unsigned) n;
        return true;
}

/* ret_text: the other answer, owned by the caller, or NULL if it was a number. */
static int ask(const struct question *q, FILE *in, FILE *out, unsigned *ret, char **ret_text)
{
        *ret_text = NULL;
        for (unsigned i = 0; i < TRIES; i++) {
                _autofree_ char *answer = NULL;

                (void) fprintf(out, "Number [%u]: ", q->preselected);
                (void) fflush(out);
                answer = read_answer(in);
                if (!answer)
                        return -ECANCELED;
                *ret = q->preselected;
                if (!*answer || is_number(answer, q->n_answers, ret))
                        return 0;
                if (q->takes && q->takes(answer, q->userdata)) {
                        *ret_text = TAKE_PTR(answer);
                        return 0;
                }
                (void) fprintf(out, "A number from 0 to %u, please, or just Enter for %u. (The same without "
                                    "questions: %s)\n",
                               q->n_answers - 1, q->preselected, q->option);
        }
        return -EINVAL;
}

static void offer(FILE *out, unsigned number, unsigned preselected, const char *format, ...) _printf_(4, 5);
static void offer(FILE *out, unsigned number, unsigned preselected, const char *format, ...)
{
        va_list args;

        (void) fprintf(out, "%s %2u  ", number == preselected ? "*" : " ", number);
        va_start(args, format);
        (void) vfprintf(out, format, args);
        va_end(args);
        (void) fputc('\n', out);
}

int ask_yes(FILE *in, FILE *out, const char *question)
{
        _autofree_ char *answer = NULL;

        (void) fprintf(out, "%s [y/N] ", question);
        (void) fflush(out);
        answer = read_answer(in);
        return answer && (!strcasecmp(answer, "y") || !strcasecmp(answer, "yes"));
}

/* --- the machine -------------------------------------------------------------------- */

static void show_machine(const struct machine *m, FILE *out)
{
        const char *vendor = m->cpu.vendor == CPU_VENDOR_AMD     ? "AMD"
                             : m->cpu.vendor == CPU_VENDOR_INTEL ? "Intel"
                                                                 : "other";

        (void) fprintf(out, "This machine\n  processor  %s, %zu cores, %u CPUs%s\n", vendor, m->cpu.n_cores,
                       cpu_set_count(&m->cpu.online), m->cpu.virt ? "" : "; cannot run guests as it is");
        if (m->iommu.enabled)
                (void) fprintf(out, "  IOMMU      at work, %u groups\n", m->iommu.n_groups);
        else
                (void) fputs("  IOMMU      not at work: see \"vfioctl doctor\"\n", out);
        (void) fprintf(out, "  starts by  %s; %s makes its initramfs\n\n", bootloader_name(m->bootloader.kind),
                       initramfs_name(m->initramfs.kind));
}

/* --- which card ---------------------------------------------------------------------- */

static void offer_gpu(const struct machine *m, const struct pci_device *d, unsigned number, unsigned preselected,
                      FILE *out)
{
        _autofree_ char *name = pci_name(d), *driver = text_printable(d->driver ? d->driver : "no driver");
        _autofree_ char *group = d->group >= 0 ? xasprintf("group %d", d->group) : xstrdup("no group");
        const char *display = pci_drives_display(d) ? ", shows this machine's picture" : "";
        const char *foreign = iommu_next_foreign(&m->pci, d, NULL) ? ", shared with other devices" : "";

        offer(out, number, preselected, "%s  %s (%s, %s%s%s)", d->address, name, driver, group, foreign, display);
        for (const struct pci_device *other = NULL; (other = pci_next_companion(&m->pci, d, other));) {
                _autofree_ char *companion = pci_name(other);

                (void) fprintf(out, "      %s  %s goes along\n", other->address, companion);
        }
}

static int ask_gpu(const struct machine *m, FILE *in, FILE *out, struct choices *c)
{
        const struct pci_device *spare = machine_guest_gpu(m), *d = NULL;
        struct question q = { .option = "--gpu=ADDRESS or --no-gpu", .n_answers = 1 };
        _autofree_ char *text = NULL;
        unsigned number;
        int e;

        while ((d = pci_next_gpu(&m->pci, d)))
                if (++q.n_answers && d == spare)
                        q.preselected = q.n_answers - 1;
        (void) fputs("Which graphics card goes to the guest?\n", out);
        offer(out, 0, q.preselected, "none: the guest gets keyboard and mouse only");
        number = 1;
        while ((d = pci_next_gpu(&m->pci, d)))
                offer_gpu(m, d, number++, q.preselected, out);
        e = ask(&q, in, out, &number, &text);
        if (e < 0)
                return e;
        c->no_gpu = number == 0;
        while (number > 0 && (d = pci_next_gpu(&m->pci, d)))
                if (--number == 0)
                        words_add(&c->gpus, d->address);
        return 0;
}

/* --- when ----------------------------------------------------------------------------- */

static int ask_bind(const struct machine *m, FILE *in, FILE *out, struct choices *c)
{
        const struct pci_device *d = c->gpus ? pci_find(&m->pci, c->gpus[0]) : NULL;
        bool twin = d && pci_next_twin(&m->pci, d, NULL);
        struct question q = { .option = "--bind=managed, ids or address", .n_answers = 2 };
        _autofree_ char *text = NULL;
        unsigned number;
        int e;

        if (!d)
                return 0;
        (void) fputs("\nWhen does the card leave the host?\n", out);
        offer(out, 0, 0, "when the domain starts: the host can use it otherwise, nothing is written for it");
        offer(out, 1, 0, "when the host boots%s: for drivers that do not let go of a card",
              twin ? ", by its address, as there is another one with the same ids" : "");
        e = ask(&q, in, out, &number, &text);
        if (e == 0 && number == 1)
                c->bind = twin ? BIND_ADDRESS : BIND_IDS;
        return e;
}

/* --- which domain ---------------------------------------------------------------------- */

static int ask_domain(char *const *domains, FILE *in, FILE *out, struct choices *c)
{
        size_t n = words_count(domains);
        struct question q = { .option = "--domain=NAME, or --create=NAME --medium=PATH for a new one" };
        _autofree_ char *text = NULL;
        unsigned number;
        int e;

        if (n == 0)
                return 0;
        q.n_answers = (unsigned) n + 1;
        q.preselected = n == 1;
        (void) fputs("\nWhich domain of libvirt is the guest?\n", out);
        offer(out, 0, q.preselected, "none of them: no domain is edited");
        for (size_t i = 0; i < n; i++) {
                _autofree_ char *name = text_printable(domains[i]);

                offer(out, (unsigned) i + 1, q.preselected, "%s", name);
        }
        e = ask(&q, in, out, &number, &text);
        if (e == 0 && number > 0)
                c->domain = xstrdup(domains[number - 1]);
        return e;
}

/* --- which CPUs -------------------------------------------------------------------------- */

/* Some of those that are online, and not all of them. */
static bool is_cpu_list(const char *text, const void *userdata)
{
        const struct machine *m = userdata;
        struct cpu_set set, rest = m->cpu.online;

        if (cpu_set_parse(text, &set) < 0 || cpu_set_count(&set) == 0)
                return false;
        cpu_set_remove(&rest, &set);
        return cpu_set_count(&rest) > 0 && cpu_set_count(&rest) + cpu_set_count(&set) == cpu_set_count(&m->cpu.online);
}

static int ask_cpus(const struct machine *m, FILE *in, FILE *out, struct choices *c)
{
        struct question q = { "--cpus=auto or a list such as 2-7", 2, 0, is_cpu_list, m };
        _autofree_ char *text = NULL, *guest = NULL;
        struct cpu_proposal p;
        unsigned number;
        int e;

        if (!c->domain || cpu_propose(&m->cpu, 0, &p) < 0)
                return 0;
        guest = cpu_set_format(&p.guest);
        (void) fputs("\nWhich CPUs are the guest's?\n", out);
        offer(out, 0, 0, "as the domain has it now");
        offer(out, 1, 0, "%s: %u core%s with %u thread%s each%s; the host keeps the rest", guest, p.cores,
              p.cores == 1 ? "" : "s", p.threads, p.threads == 1 ? "" : "s", p.one_cache ? ", in one level 3 cache" : "");
        (void) fputs("     or a list of your own, such as 2-3,6-7\n", out);
        e = ask(&q, in, out, &number, &text);
        if (e < 0)
                return e;
        if (text)
                c->cpus = TAKE_PTR(text);
        else if (number == 1)
                c->cpus = xstrdup("auto");
        return 0;
}

int ask_choices(const struct machine *m, char *const *domains, FILE *in, FILE *out, struct choices *c)
{
        bool bind_said = c->bind != BIND_MANAGED || c->gpus || c->no_gpu;
        int e = 0;

        show_machine(m, out);
        if (!c->gpus && !c->no_gpu)
                e = ask_gpu(m, in, out, c);
        if (e == 0 && !bind_said)
                e = ask_bind(m, in, out, c);
        if (e == 0 && !c->domain)
                e = ask_domain(domains, in, out, c);
        if (e == 0 && !c->cpus)
                e = ask_cpus(m, in, out, c);
        return e;
}
