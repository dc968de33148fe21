/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A client of QEMU's machine protocol on a connected socket.
 *
 * Commands are answered in order, each with the id we gave it; whatever else
 * the peer says than its greeting, replies to our ids and names of events is
 * no QMP, and ends the connection. Nothing here blocks. See qmp-stream.h for
 * what a hostile peer is held to.
 *
 * A peer that is silent while a command waits for its reply is reported, not
 * cut off: QEMU may be stopped in a debugger and come back. */

#include <json-c/json.h>
#include <systemd/sd-event.h>

#include "common/mem.h"

struct qmp;

/* What the client tells its owner. Any of them may call qmp_free. */
struct qmp_handler {
        /* The greeting is read and commands may be sent. */
        void (*ready)(void *userdata);
        /* Something happened in QEMU; name is the peer's and not to be shown. */
        void (*event)(const char *name, void *userdata);
        /* A command has been waiting longer than the time-out; or no longer. */
        void (*answers)(bool answers, void *userdata);
        /* The connection is over; only qmp_free may follow. -ETIMEDOUT: no greeting
         * came; -ECONNRESET: the peer closed it; anything else: the peer speaks no
         * QMP. Replies still due are not coming. */
        void (*closed)(int error, const char *reason, void *userdata);
};

/* The reply to a command: result (borrowed), or NULL and what QEMU says is
 * wrong, fit to be shown. */
typedef void (*qmp_reply_fn)(struct json_object *result, const char *error, void *userdata);

/* Talks over fd, which it takes; a time-out of 0 would be none and is refused. */
int qmp_new(sd_event *event, int fd, uint64_t timeout_usec, const struct qmp_handler *handler, void *userdata,
            struct qmp **ret);
/* Closes the connection; nothing is called any more. */
struct qmp *qmp_free(struct qmp *q);
DEFINE_CLEANUP(struct qmp *, qmp_free);

/* Sends a command with arguments (taken; NULL: none). fn is called once, unless
 * the connection ends before. -EBUSY if too many replies are due, -ENOTCONN. */
int qmp_call(struct qmp *q, const char *command, struct json_object *arguments, qmp_reply_fn fn, void *userdata);

/* QEMU's major version as its greeting gave it; 0 before. */
int qmp_major(const struct qmp *q);
/* Whether no command waits longer than the time-out. */
bool qmp_answers(const struct qmp *q);
bool qmp_is_idle(const struct qmp *q);
void qmp_set_timeout(struct qmp *q, uint64_t timeout_usec);
