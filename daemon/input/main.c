/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/names.h"
#include "daemon/input/manager.h"

static const char usage[] =
        "Usage: vfio-inputd [OPTION]...\n"
        "Shares keyboards and mice between this host and its virtual machines.\n"
        "\n"
        "  -c, --config=FILE  read FILE instead of " VFIO_CONFIG_FILE "\n"
        "      --check        read the configuration, say what is wrong with it, and exit\n"
        "  -h, --help         show this help\n"
        "      --version      show the version\n"
        "\n"
        "It is meant to be run by systemd: systemctl enable --now vfio-inputd.service\n";

enum { OPTION_CHECK = 0x100, OPTION_VERSION };

struct arguments {
        const char *config;
        bool check;
};

/* > 0: go on; else the exit status, negated. */
static int parse_arguments(int argc, char **argv, struct arguments *ret)
{
        static const struct option options[] = {
                { "config", required_argument, NULL, 'c' },
                { "check", no_argument, NULL, OPTION_CHECK },
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, OPTION_VERSION },
                { 0 },
        };
        int c;

        while ((c = getopt_long(argc, argv, "c:h", options, NULL)) >= 0)
                switch (c) {
                case 'c':
                        ret->config = optarg;
                        break;
                case OPTION_CHECK:
                        ret->check = true;
                        break;
                case 'h':
                        (void) fputs(usage, stdout);
                        return -EXIT_SUCCESS;
                case OPTION_VERSION:
                        (void) puts("vfio-inputd " PACKAGE_VERSION);
                        return -EXIT_SUCCESS;
                default:
                        return -2;
                }
        if (optind < argc) {
                (void) fprintf(stderr, "vfio-inputd: takes no argument, got '%s'\n", argv[optind]);
                return -2;
        }
        return 1;
}

static int check_config(const char *path)
{
        _cleanup_(config_freep) struct config *c = NULL;
        _autofree_ char *error = NULL;

        if (config_load(path, &c, &error) >= 0)
                return EXIT_SUCCESS;
        (void) fprintf(stderr, "%s\n", error);
        return EXIT_FAILURE;
}

/* What passes through this process is what the user types: it is neither
 * dumped nor swapped. */
static void protect_memory(void)
{
        (void) prctl(PR_SET_DUMPABLE, 0);
        if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
                (void) log_warning_errno(-errno, "memory is not locked");
}

int main(int argc, char **argv)
{
        struct arguments arguments = { .config = VFIO_CONFIG_FILE };
        struct manager *m = NULL;
        int r;

        r = parse_arguments(argc, argv, &arguments);
        if (r <= 0)
                return -r;
        if (arguments.check)
                return check_config(arguments.config);

        log_init("vfio-inputd");
        protect_memory();
        r = manager_new(&m, arguments.config);
        if (r >= 0)
                r = manager_run(m);
        (void) manager_free(m);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
