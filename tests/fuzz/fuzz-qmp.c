/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The input is what the peer of a QMP client sends; a byte 0xff ends a piece,
 * after which the client's turn comes. The client attaches the nodes as soon
 * as it may, and detaches them when it has; whatever is said, it ends open or
 * closed, asks for no more than it may and leaks nothing. */

#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include "common/mem.h"
#include "daemon/guest/qmp-nodes.h"
#include "daemon/guest/qmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct peer {
        struct qmp *qmp;
        struct qmp_nodes *nodes;
        unsigned n_closed, n_done;
};

static void require(bool condition)
{
        if (!condition)
                abort();
}

static void on_nodes_done(const char *error, void *userdata)
{
        struct peer *p = userdata;

        require(!qmp_nodes_is_busy(p->nodes));
        require(!error || strlen(error) < 512);
        if (p->n_done++ == 0)
                qmp_nodes_detach(p->nodes);
}

static void on_status(struct json_object *result, const char *error, void *userdata)
{
        require(!result || !error);
}

static void on_ready(void *userdata)
{
        struct peer *p = userdata;
        static const struct route_nodes nodes = { .path = { "/dev/input/event900", "/dev/input/event901" } };

        p->nodes = qmp_nodes_new(p->qmp, "desk", 1000, GRAB_TOGGLE_META_META, on_nodes_done, p);
        qmp_nodes_attach(p->nodes, &nodes);
        require(qmp_call(p->qmp, "query-status", NULL, on_status, p) == 0);
}

static void on_event(const char *name, void *userdata)
{
        struct peer *p = userdata;

        require(p->nodes && name);
        if (streq(name, "D"))
                qmp_nodes_detach(p->nodes);
}

static void on_answers(bool answers, void *userdata)
{
}

static void on_closed(int error, const char *reason, void *userdata)
{
        struct peer *p = userdata;

        require(p->n_closed++ == 0 && error < 0 && *reason);
}

static const struct qmp_handler handler = {
        .ready = on_ready,
        .event = on_event,
        .answers = on_answers,
        .closed = on_closed,
};

static void run_out(sd_event *event)
{
        for (unsigned i = 0; i < 64 && sd_event_run(event, 0) > 0; i++)
                ;
}

static void play(sd_event *event, int fd, const uint8_t *data, size_t size)
{
        static char waste[65536];
        const uint8_t *end;
        size_t n;

        while (size > 0) {
                end = memchr(data, 0xff, size);
                n = end ? (size_t) (end - data) : size;
                (void) send(fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);
                run_out(event);
                (void) recv(fd, waste, sizeof(waste), MSG_DONTWAIT);
                data += n + !!end;
                size -= n + !!end;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        sd_event *event = NULL;
        struct peer p = { 0 };
        int fds[2];

        require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
        require(sd_event_new(&event) >= 0);
        require(qmp_new(event, fds[0], 60 * 1000000ULL, &handler, &p, &p.qmp) == 0);
        play(event, fds[1], data, size);
        (void) safe_close(fds[1]);
        run_out(event);
        require(p.n_closed == 1);
        qmp_nodes_free(p.nodes);
        qmp_free(p.qmp);
        sd_event_unref(event);
        return 0;
}
