/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include "client/bus.h"
#include "client/text.h"
#include "client/verbs.h"
#include "client/watch.h"

/* Ends the loop when a line could not be printed. The reader has gone, as
 * with "vfioctl monitor | head": that is an end like any other. */
static void on_write_failed(void *userdata, int error)
{
        sd_event *event = userdata;

        if (error == -EPIPE)
                clearerr(stdout);
        (void) sd_event_exit(event, error == -EPIPE ? OUTCOME_OK : OUTCOME_FAILED);
}

static int on_reader_gone(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        return sd_event_exit(sd_event_source_get_event(source), OUTCOME_OK);
}

static int on_bus_lost(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        sd_event *event = userdata;

        text_complain("The connection to the system bus was lost.");
        return sd_event_exit(event, OUTCOME_UNREACHABLE);
}

static int prepare(struct client *c, sd_event *event)
{
        sigset_t mask;
        int r;

        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGINT);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);
        (void) signal(SIGPIPE, SIG_IGN);

        r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = sd_bus_match_signal(c->bus, NULL, NULL, "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                                        "Disconnected", on_bus_lost, event);
        if (r >= 0)
                r = sd_bus_attach_event(c->bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;
        /* A pipe whose reader goes says so even when there is nothing to write. A file cannot be watched. */
        r = sd_event_add_io(event, NULL, STDOUT_FILENO, EPOLLERR, on_reader_gone, NULL);
        return r == -EPERM || r == -EBADF ? 0 : r;
}

enum outcome verb_monitor(struct client *c, char **args)
{
        _cleanup_(watch_freep) struct watch *inputd = NULL, *guestd = NULL;
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_event_new(&event);
        if (r >= 0)
                r = prepare(c, event);
        if (r < 0)
                sd_bus_error_set_errno(&error, r);
        if (r >= 0)
                r = watch_new(c, &inputd_service, on_write_failed, event, &inputd, &error);
        if (r >= 0)
                r = watch_new(c, &guestd_service, on_write_failed, event, &guestd, &error);
        if (r < 0)
                return bus_fail(c, &inputd_service, &error);

        r = sd_event_loop(event);
        if (r < 0)
                return bus_report(c, OUTCOME_FAILED, VFIO_ERROR_FAILED, strerror(-r));
        return (enum outcome) r;
}
