/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/doctor-main.h"

#include <getopt.h>
#include <stdio.h>

#include "client/setup/doctor.h"
#include "client/setup/words.h"
#include "client/text.h"

#define USAGE 2

enum {
        OPT_LIST = 256,
        OPT_JSON,
        OPT_STRICT,
        OPT_GPU,
        OPT_DOMAIN,
        OPT_CONNECT,
        OPT_ROOT,
        OPT_VERSION,
};

static const struct option longs[] = {
        { "list", no_argument, NULL, OPT_LIST },     { "json", no_argument, NULL, OPT_JSON },
        { "strict", no_argument, NULL, OPT_STRICT }, { "gpu", required_argument, NULL, OPT_GPU },
        { "domain", required_argument, NULL, OPT_DOMAIN }, { "connect", required_argument, NULL, OPT_CONNECT },
        { "root", required_argument, NULL, OPT_ROOT }, { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, OPT_VERSION }, { NULL, 0, NULL, 0 },
};

struct wish {
        const char *gpu, *domain, *connect, *root; /* borrowed from argv */
        char **checks;                             /* NULL: all */
        bool list, json, strict;
};

static void wish_clear(struct wish *w)
{
        (void) strv_free(w->checks);
}

static void print_help(void)
{
        puts("Usage: vfioctl doctor [OPTION]... [CHECK]...\n\n"
             "Says what stands between this machine and a guest with its own GPU and our input, and\n"
             "what mends it. Changes nothing; see vfioctl-setup(1).\n\nOptions:\n"
             "      --list           List the checks\n"
             "      --json           Print JSON\n"
             "      --strict         Warnings and unknowns count as failures\n"
             "      --gpu=ADDRESS    The card that the guest is to get\n"
             "      --domain=NAME    The libvirt domain that it is about (default: all)\n"
             "      --connect=URI    Where libvirt is (default: qemu:///system)\n"
             "      --root=DIR       A system that is mounted there\n"
             "  -h, --help           Show this help\n"
             "      --version        Show the version\n\n"
             "Exit status: 0 nothing has failed, 1 something has, 2 wrong usage.");
}

static void print_list(void)
{
        for (size_t i = 0; doctor_check_at(i); i++)
                printf("%-24s %s\n", doctor_check_at(i)->id, doctor_check_at(i)->summary);
}

static bool is_check(const char *id)
{
        for (size_t i = 0; doctor_check_at(i); i++)
                if (streq(doctor_check_at(i)->id, id))
                        return true;
        text_complain("There is no check \"%s\"; see \"vfioctl doctor --list\"", id);
        return false;
}

static int look(const struct wish *w)
{
        _cleanup_(checks_clear) struct checks all = { 0 };
        _cleanup_(machine_freep) struct machine *m = NULL;
        _cleanup_(root_freep) struct root *r = NULL;
        struct doctor_wish wish = { .gpu = w->gpu, .domain = w->domain, .connect = w->connect, .checks = w->checks };
        int e = root_open(w->root, &r);

        if (e == 0)
                e = machine_load(r, &m);
        if (e == 0)
                e = doctor_run(m, &wish, &all);
        if (e < 0) {
                text_complain("%s cannot be looked at: %s", w->root ? w->root : "This machine", strerror(-e));
                return 1;
        }
        if (w->json) {
                json_object *o = checks_to_json(&all);

                puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
                (void) json_object_put(o);
        } else {
                checks_print(&all, stdout);
        }
        return checks_exit_code(&all, w->strict);
}

/* False: said why. ret_done: --help or --version was answered. */
static bool parse(int argc, char **argv, struct wish *w, bool *ret_done)
{
        int id;

        *ret_done = false;
        while ((id = getopt_long(argc, argv, "-h", longs, NULL)) != -1) {
                switch (id) {
                case 1:
                        if (!is_check(optarg))
                                return false;
                        words_add(&w->checks, optarg);
                        break;
                case OPT_LIST: w->list = true; break;
                case OPT_JSON: w->json = true; break;
                case OPT_STRICT: w->strict = true; break;
                case OPT_GPU: w->gpu = optarg; break;
                case OPT_DOMAIN: w->domain = optarg; break;
                case OPT_CONNECT: w->connect = optarg; break;
                case OPT_ROOT: w->root = optarg; break;
                case 'h': print_help(); *ret_done = true; return true;
                case OPT_VERSION: puts("vfioctl-setup " PACKAGE_VERSION); *ret_done = true; return true;
                default: return false;
                }
        }
        return true;
}

int doctor_main(int argc, char **argv)
{
        _cleanup_(wish_clear) struct wish w = { 0 };
        bool done;

        if (!parse(argc, argv, &w, &done)) {
                fputs("See: vfioctl doctor --help\n", stderr);
                return USAGE;
        }
        if (done)
                return 0;
        if (w.list) {
                print_list();
                return 0;
        }
        return look(&w);
}
