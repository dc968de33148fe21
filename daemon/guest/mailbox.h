/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Brings what other threads have to say to the event loop, in order. */

#include <systemd/sd-event.h>

#include "common/mem.h"

/* The head of every letter, which is one block of memory (and what it owns). */
struct mail {
        void (*deliver)(struct mail *mail); /* on the event loop, which takes it */
        void (*drop)(struct mail *mail); /* instead of that, on any thread: frees it */
        struct mail *next;
};

struct mailbox;

/* Two references at first, the owner's and the sender's. */
int mailbox_new(sd_event *event, struct mailbox **ret);
/* For the sender, on any thread. mail is delivered, or dropped once the owner has closed. */
void mailbox_post(struct mailbox *m, struct mail *mail);
/* By the sender, when it has nothing more to say. */
void mailbox_leave(struct mailbox *m);
/* By the owner, on the event loop: nothing is delivered any more. */
struct mailbox *mailbox_close(struct mailbox *m);

/* Letters in their order. */
struct mail_queue {
        struct mail *first, **end;
};

void mail_queue_init(struct mail_queue *q);
void mail_queue_push(struct mail_queue *q, struct mail *mail);
struct mail *mail_queue_pop(struct mail_queue *q); /* NULL: it is empty */
void mail_queue_drop(struct mail_queue *q); /* all of it */
