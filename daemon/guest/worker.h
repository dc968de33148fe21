/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A thread that does what waits (libvirt, apparmor_parser), one job after the
 * other, while the event loop goes on. A libvirt call about a QEMU that hangs
 * takes as long as QEMU does: hence a worker for each guest. */

#include "daemon/guest/mailbox.h"

struct worker;

/* The head of every job: passed to the thread, and back as a letter. */
struct job {
        struct mail mail;
        void (*work)(struct job *job); /* on the thread; touches nothing but the job */
};

int worker_new(sd_event *event, struct worker **ret);
/* Never waits. What has not begun is dropped; what is under way goes on, and is
 * dropped when it ends, which may be after this process has. */
struct worker *worker_free(struct worker *w);
DEFINE_CLEANUP(struct worker *, worker_free);

void worker_submit(struct worker *w, struct job *job);
