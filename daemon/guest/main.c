/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "common/log.h"
#include "common/names.h"
#include "daemon/guest/bus.h"
#include "daemon/guest/manager.h"

#define EXIT_USAGE 2

static const char help_text[] = "Usage: vfio-guestd [OPTION...]\n"
                                "\n"
                                "Gives virtual machines the keyboard and pointer that vfio-inputd makes for them.\n"
                                "\n"
                                "  -c, --config=FILE  read FILE instead of " VFIO_CONFIG_FILE "\n"
                                "  -h, --help         show this help\n"
                                "      --version      show the version\n";

/* 0 to go on, 1 if there is nothing left to do, -EINVAL. */
static int parse_arguments(int argc, char **argv, const char **ret_config)
{
        static const struct option options[] = {
                { "config", required_argument, NULL, 'c' },
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'V' },
                { 0 },
        };
        int option;

        while ((option = getopt_long(argc, argv, "c:h", options, NULL)) >= 0) {
                switch (option) {
                case 'c':
                        *ret_config = optarg;
                        break;
                case 'h':
                        (void) fputs(help_text, stdout);
                        return 1;
                case 'V':
                        (void) puts("vfio-guestd " PACKAGE_VERSION);
                        return 1;
                default:
                        return -EINVAL;
                }
        }
        if (optind < argc) {
                (void) fprintf(stderr, "vfio-guestd: unexpected argument \"%s\"\n", argv[optind]);
                return -EINVAL;
        }
        return 0;
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
        manager_stop(userdata);
        return 0;
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
        manager_reload(userdata);
        return 0;
}

static int block_signals(void)
{
        sigset_t mask;

        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigaddset(&mask, SIGINT);
        (void) sigaddset(&mask, SIGHUP);
        return sigprocmask(SIG_BLOCK, &mask, NULL) < 0 ? -errno : 0;
}

static int add_signals(sd_event *event, struct manager *manager)
{
        int r;

        r = sd_event_add_signal(event, NULL, SIGTERM, on_stop, manager);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGINT, on_stop, manager);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGHUP, on_hangup, manager);
        return r;
}

static int open_bus(sd_event *event, sd_bus **ret)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r;

        r = sd_bus_open_system_with_description(&bus, "guestd");
        if (r < 0)
                return r;
        r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;
        /* Like a kill: systemd starts us again, and we find out what there is. */
        r = sd_bus_set_exit_on_disconnect(bus, true);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(bus);
        return 0;
}

/* systemd makes it, and keeps it while the service is started again. */
static const char *state_directory(void)
{
        return getenv("RUNTIME_DIRECTORY") ?: "/run/vfio-guestd";
}

static int run(const char *config_path)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(manager_freep) struct manager *manager = NULL;
        _cleanup_(guest_bus_freep) struct guest_bus *objects = NULL;
        int r;

        r = block_signals();
        if (r >= 0)
                r = sd_event_default(&event);
        if (r < 0)
                return log_error_errno(r, "Cannot set up the event loop");
        r = open_bus(event, &bus);
        if (r < 0)
                return log_error_errno(r, "Cannot connect to the system bus");
        r = manager_new(event, bus, config_path, state_directory(), &manager);
        if (r >= 0)
                r = add_signals(event, manager);
        if (r >= 0)
                r = guest_bus_new(bus, manager, &objects);
        if (r < 0)
                return log_error_errno(r, "Cannot set up the guests");
        /* A second vfio-guestd must touch nothing. Calls wait until the loop runs. */
        r = sd_bus_request_name(bus, GUESTD_BUS_NAME, 0);
        if (r < 0)
                return log_error_errno(r, "Cannot own " GUESTD_BUS_NAME " (is vfio-guestd running already?)");
        r = manager_start(manager);
        if (r < 0)
                return log_error_errno(r, "Cannot begin");
        r = sd_event_set_watchdog(event, true);
        if (r < 0)
                (void) log_warning_errno(r, "Cannot set up the watchdog");
        (void) sd_notify(false, "READY=1");
        return sd_event_loop(event);
}

int main(int argc, char **argv)
{
        const char *config_path = VFIO_CONFIG_FILE;
        int r;

        r = parse_arguments(argc, argv, &config_path);
        if (r != 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        log_init("vfio-guestd");
        return run(config_path) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
