/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/options.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>

#include "client/setup/step.h"
#include "client/text.h"

enum option_id {
        OPT_GPU = 256, OPT_NO_GPU, OPT_BIND, OPT_IOMMU_PT, OPT_NO_FRAMEBUFFER, OPT_IGNORE_MSRS, OPT_CPUS, OPT_ISOLATE,
        OPT_DOMAIN, OPT_CREATE, OPT_MEDIUM, OPT_MEMORY, OPT_DISK, OPT_DISK_SIZE, OPT_NO_INPUT, OPT_HIDE_KVM, OPT_GRAPHICS,
        OPT_CONNECT, OPT_LEGACY_INPUT, OPT_INSTALL_PACKAGES, OPT_CLEANUP, OPT_BOOTLOADER, OPT_INITRAMFS, OPT_NO_REBUILD,
        OPT_ROOT, OPT_ACCEPT_RISK, OPT_NO_ASK, OPT_FORCE, OPT_ALL, OPT_EXIT_CODE, OPT_JSON, OPT_VERSION,
};

static const struct option_line {
        const char *name, *arg, *summary;
        int id; /* a letter is also the short option */
} lines[] = {
        { "gpu", "ADDRESS", "The card that goes to the guest, 0a:00.0 or 10de:1b80", OPT_GPU },
        { "no-gpu", NULL, "No card: keyboard and mouse only", OPT_NO_GPU },
        { "bind", "WHEN", "When it leaves the host: managed, ids or address", OPT_BIND },
        { "iommu-pt", NULL, "Add iommu=pt", OPT_IOMMU_PT },
        { "no-framebuffer", NULL, "Add initcall_blacklist=sysfb_init", OPT_NO_FRAMEBUFFER },
        { "ignore-msrs", NULL, "Have KVM ignore registers that it does not know", OPT_IGNORE_MSRS },
        { "cpus", "WHICH", "Pin the guest to CPUs: auto, a number or a list", OPT_CPUS },
        { "isolate", "HOW", "Keep the host off them: none, slices or isolcpus", OPT_ISOLATE },
        { "domain", "NAME", "The domain of libvirt to edit", OPT_DOMAIN },
        { "create", "NAME", "Make a domain with that name", OPT_CREATE },
        { "medium", "PATH", "What it is installed from", OPT_MEDIUM },
        { "memory", "MIB", "Its memory", OPT_MEMORY },
        { "disk", "PATH", "Its disk", OPT_DISK },
        { "disk-size", "GIB", "The size of its disk", OPT_DISK_SIZE },
        { "no-input", NULL, "Leave our input nodes out of the domain", OPT_NO_INPUT },
        { "hide-kvm", NULL, "Hide the hypervisor from the guest", OPT_HIDE_KVM },
        { "graphics", "WHAT", "keep, or remove what the card makes superfluous", OPT_GRAPHICS },
        { "connect", "URI", "The address of libvirt", OPT_CONNECT },
        { "legacy-input", "NODE", "Let QEMU open this node in the way of the guides", OPT_LEGACY_INPUT },
        { "install-packages", NULL, "Install what is missing", OPT_INSTALL_PACKAGES },
        { "cleanup", NULL, "Also take out what a guide done by hand has left", OPT_CLEANUP },
        { "bootloader", "KIND", "Instead of what is found", OPT_BOOTLOADER },
        { "initramfs", "KIND", "Instead of what is found", OPT_INITRAMFS },
        { "no-rebuild", NULL, "Only print the commands that rebuild from files", OPT_NO_REBUILD },
        { "root", "DIR", "A system that is mounted there", OPT_ROOT },
        { "accept-risk", "ID", "Open a gate", OPT_ACCEPT_RISK },
        { "yes", NULL, "Do not ask before applying; opens no gate", 'y' },
        { "dry-run", NULL, "Only show what apply and undo would do", 'n' },
        { "no-ask", NULL, "Ask nothing", OPT_NO_ASK },
        { "force", NULL, "Undo also what was changed since, and over commands that fail", OPT_FORCE },
        { "all", NULL, "Undo everything", OPT_ALL },
        { "exit-code", NULL, "End with 3 if a plan has something to do", OPT_EXIT_CODE },
        { "json", NULL, "Print JSON", OPT_JSON },
        { "quiet", NULL, "Print only what is wrong", 'q' },
        { "help", NULL, "Show this help", 'h' },
        { "version", NULL, "Show the version", OPT_VERSION },
};

void options_clear(struct options *o)
{
        choices_clear(&o->choices);
        free(o->verb);
        free(o->id);
        free(o->root);
        *o = (struct options) { 0 };
}

/* --- help --------------------------------------------------------------------------------- */

static void print_help(void)
{
        puts("Usage: vfioctl setup [plan|apply|check|undo [ID]|list|detect] [OPTION]... [STEP]...\n\n"
             "Prepares a host and a domain for passing a GPU through. Writes nothing without\n"
             "\"apply\"; see vfioctl-setup(1).\n\nSteps:");
        for (const struct step *s = steps; s->name; s++)
                printf("  %-12s %s\n", s->name, s->summary);
        puts("\nOptions:");
        for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
                const struct option_line *l = &lines[i];
                _autofree_ char *left = xasprintf("%s%s%s", l->name, l->arg ? "=" : "", l->arg ? l->arg : "");

                if (l->id < 256)
                        printf("  -%c, --%-20s %s\n", l->id, left, l->summary);
                else
                        printf("      --%-20s %s\n", left, l->summary);
        }
        puts("\nExit status: 0 done, 1 failed and everything is as before, 2 wrong usage, 3 differences,\n"
             "4 refused, 5 failed and not everything could be taken back.");
}

static enum exit_code usage(void)
{
        fputs("See: vfioctl setup --help\n", stderr);
        return EXIT_USAGE;
}

/* --- values ---------------------------------------------------------------------------------- */

static bool take_enum(const char *option, const char *value, const char *const *names, unsigned *ret)
{
        for (unsigned i = 0; names[i]; i++)
                if (streq(names[i], value)) {
                        *ret = i;
                        return true;
                }
        text_complain("--%s knows no \"%s\"", option, value);
        return false;
}

static bool take_bind(struct choices *c, const char *value)
{
        static const char *const names[] = { "managed", "ids", "address", NULL };
        unsigned n = 0;

        if (!take_enum("bind", value, names, &n))
                return false;
        c->bind = (enum choice_bind) n;
        return true;
}

static bool take_isolate(struct choices *c, const char *value)
{
        static const char *const names[] = { "none", "slices", "isolcpus", NULL };
        unsigned n = 0;

        if (!take_enum("isolate", value, names, &n))
                return false;
        c->isolate = (enum choice_isolate) n;
        return true;
}

static bool take_graphics(struct choices *c, const char *value)
{
        static const char *const names[] = { "keep", "remove", NULL };
        unsigned n = 0;

        if (!take_enum("graphics", value, names, &n))
                return false;
        c->graphics = (enum choice_graphics) n;
        return true;
}

static bool take_number(const char *option, const char *value, unsigned *ret)
{
        char *end;
        unsigned long n = strtoul(value, &end, 10);

        if (*value < '0' || *value > '9' || *end || n == 0 || n > INT_MAX) {
                text_complain("--%s wants a number above 0, not \"%s\"", option, value);
                return false;
        }
        *ret = (unsigned) n;
        return true;
}

static bool take_path(const char *option, const char *value, char **ret)
{
        if (*value != '/') {
                text_complain("--%s wants an absolute path, not \"%s\"", option, value);
                return false;
        }
        free(*ret);
        *ret = xstrdup(value);
        return true;
}

static bool take_text(const char *value, char **ret)
{
        free(*ret);
        *ret = xstrdup(value);
        return true;
}

static bool take_word(const char *value, char ***ret)
{
        words_add(ret, value);
        return true;
}

static bool set(bool *ret)
{
        *ret = true;
        return true;
}

static bool take_cpus(struct choices *c, const char *value)
{
        struct cpu_set ignored;

        if (!streq(value, "auto") && cpu_set_parse(value, &ignored) < 0) {
                text_complain("--cpus wants \"auto\", a number or a list such as 2-7,10, not \"%s\"", value);
                return false;
        }
        return take_text(value, &c->cpus);
}

static bool take_option(struct options *o, int id, const char *value)
{
        struct choices *c = &o->choices;

        switch (id) {
        case OPT_GPU: return take_word(value, &c->gpus);
        case OPT_NO_GPU: return set(&c->no_gpu);
        case OPT_BIND: return take_bind(c, value);
        case OPT_IOMMU_PT: return set(&c->iommu_pt);
        case OPT_NO_FRAMEBUFFER: return set(&c->no_framebuffer);
        case OPT_IGNORE_MSRS: return set(&c->ignore_msrs);
        case OPT_CPUS: return take_cpus(c, value);
        case OPT_ISOLATE: return take_isolate(c, value);
        case OPT_CREATE: return set(&c->create) && set(&o->create_named) && take_text(value, &c->domain);
        case OPT_DOMAIN: return take_text(value, &c->domain);
        case OPT_MEDIUM: return take_path("medium", value, &c->medium);
        case OPT_MEMORY: return take_number("memory", value, &c->memory_mib);
        case OPT_DISK: return take_path("disk", value, &c->disk);
        case OPT_DISK_SIZE: return take_number("disk-size", value, &c->disk_gib);
        case OPT_NO_INPUT: return set(&c->no_input);
        case OPT_HIDE_KVM: return set(&c->hide_kvm);
        case OPT_GRAPHICS: return take_graphics(c, value);
        case OPT_CONNECT: return take_text(value, &c->connect);
        case OPT_LEGACY_INPUT: return set(&c->legacy_input) && take_word(value, &c->legacy_nodes);
        case OPT_INSTALL_PACKAGES: return set(&c->install_packages);
        case OPT_CLEANUP: return set(&c->cleanup);
        case OPT_BOOTLOADER: return take_text(value, &c->bootloader);
        case OPT_INITRAMFS: return take_text(value, &c->initramfs);
        case OPT_NO_REBUILD: return set(&c->no_rebuild);
        case OPT_ROOT: return take_path("root", value, &o->root);
        case OPT_ACCEPT_RISK: return take_word(value, &c->accepted);
        case 'y': return set(&o->yes);
        case 'n': return set(&o->dry_run);
        case OPT_NO_ASK: return set(&o->no_ask);
        case OPT_FORCE: return set(&o->force);
        case OPT_ALL: return set(&o->all);
        case OPT_EXIT_CODE: return set(&o->exit_code);
        case OPT_JSON: return set(&o->json);
        case 'q': return set(&o->quiet);
        default: return false; /* getopt has complained */
        }
}

/* --- words ------------------------------------------------------------------------------------ */

static bool is_verb(const char *word)
{
        static const char *const verbs[] = { "plan", "apply", "check", "undo", "list", "detect" };

        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
                if (streq(verbs[i], word))
                        return true;
        return false;
}

static bool is_step(const char *word)
{
        for (const struct step *s = steps; s->name; s++)
                if (streq(s->name, word))
                        return true;
        return false;
}

static bool take_argument(struct options *o, const char *word)
{
        if (!o->verb && is_verb(word))
                return take_text(word, &o->verb);
        if (o->verb && streq(o->verb, "undo") && !o->id)
                return take_text(word, &o->id);
        if (is_step(word) && (!o->verb || streq(o->verb, "plan") || streq(o->verb, "apply") || streq(o->verb, "check")))
                return take_word(word, &o->choices.steps);
        text_complain("There is no verb or step \"%s\"", word);
        return false;
}

static bool agrees(const struct options *o)
{
        const struct choices *c = &o->choices;
        const char *wrong = NULL;

        if (c->no_gpu && c->gpus)
                wrong = "--no-gpu and --gpu exclude each other";
        else if (c->no_gpu && c->bind != BIND_MANAGED)
                wrong = "--bind needs a card";
        else if (c->medium && !c->create)
                wrong = "--medium is for --create";
        else if (c->create && !c->medium)
                wrong = "--create wants --medium=PATH, what the guest is installed from";
        else if (c->isolate != ISOLATE_NONE && !c->cpus)
                wrong = "--isolate wants --cpus: which are the guest's?";
        else if (o->all && o->id)
                wrong = "--all and an ID exclude each other";
        if (wrong)
                text_complain("%s", wrong);
        return !wrong;
}

static void fill_longs(struct option *longs)
{
        for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
                longs[i] = (struct option) {
                        .name = lines[i].name,
                        .has_arg = lines[i].arg ? required_argument : no_argument,
                        .val = lines[i].id,
                };
}

enum exit_code options_parse(int argc, char **argv, struct options *ret, bool *ret_go_on)
{
        struct option longs[ARRAY_SIZE(lines) + 1] = { 0 };
        struct options *o = ret;
        int id;

        *o = (struct options) { 0 };
        *ret_go_on = false;
        fill_longs(longs);
        while ((id = getopt_long(argc, argv, "-ynqh", longs, NULL)) != -1) {
                if (id == 'h') {
                        print_help();
                        return EXIT_DONE;
                }
                if (id == OPT_VERSION) {
                        puts("vfioctl-setup " PACKAGE_VERSION);
                        return EXIT_DONE;
                }
                if (id == 1 ? !take_argument(o, optarg) : !take_option(o, id, optarg))
                        return usage();
                o->any |= id != 1;
        }
        if (optind < argc)
                text_complain("One word too many: \"%s\"", argv[optind]);
        if (optind < argc || !agrees(o))
                return usage();
        *ret_go_on = true;
        return EXIT_DONE;
}
