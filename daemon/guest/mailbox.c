/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/mailbox.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

struct mailbox {
        pthread_mutex_t lock; /* of all but source */
        unsigned n_refs;
        bool closed;
        struct mail_queue queue;
        int fd; /* eventfd: there is mail */
        sd_event_source *source; /* owned */
};

void mail_queue_init(struct mail_queue *q)
{
        *q = (struct mail_queue){ .end = &q->first };
}

void mail_queue_push(struct mail_queue *q, struct mail *mail)
{
        mail->next = NULL;
        *q->end = mail;
        q->end = &mail->next;
}

struct mail *mail_queue_pop(struct mail_queue *q)
{
        struct mail *mail = q->first;

        if (!mail)
                return NULL;
        q->first = mail->next;
        if (!q->first)
                q->end = &q->first;
        return mail;
}

void mail_queue_drop(struct mail_queue *q)
{
        struct mail *mail;

        while ((mail = mail_queue_pop(q)))
                mail->drop(mail);
}

void mailbox_leave(struct mailbox *m)
{
        bool last;

        (void) pthread_mutex_lock(&m->lock);
        last = --m->n_refs == 0;
        (void) pthread_mutex_unlock(&m->lock);
        if (!last)
                return;
        mail_queue_drop(&m->queue);
        (void) pthread_mutex_destroy(&m->lock);
        (void) safe_close(m->fd);
        free(m);
}

struct mailbox *mailbox_close(struct mailbox *m)
{
        if (!m)
                return NULL;
        m->source = sd_event_source_disable_unref(m->source);
        (void) pthread_mutex_lock(&m->lock);
        m->closed = true;
        (void) pthread_mutex_unlock(&m->lock);
        mailbox_leave(m);
        return NULL;
}

void mailbox_post(struct mailbox *m, struct mail *mail)
{
        bool closed;

        (void) pthread_mutex_lock(&m->lock);
        closed = m->closed;
        if (!closed) {
                mail_queue_push(&m->queue, mail);
                (void) eventfd_write(m->fd, 1);
        }
        (void) pthread_mutex_unlock(&m->lock);
        if (closed)
                mail->drop(mail);
}

/* One letter a turn: the one that is delivered may close the box. */
static int on_mail(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct mailbox *m = userdata;
        struct mail *mail;
        eventfd_t n;

        (void) eventfd_read(fd, &n);
        (void) pthread_mutex_lock(&m->lock);
        mail = mail_queue_pop(&m->queue);
        if (m->queue.first)
                (void) eventfd_write(fd, 1);
        (void) pthread_mutex_unlock(&m->lock);
        if (mail)
                mail->deliver(mail);
        return 0;
}

int mailbox_new(sd_event *event, struct mailbox **ret)
{
        struct mailbox *m = xnew0(struct mailbox, 1);
        int r;

        (void) pthread_mutex_init(&m->lock, NULL);
        m->n_refs = 1;
        mail_queue_init(&m->queue);
        m->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = m->fd < 0 ? -errno : sd_event_add_io(event, &m->source, m->fd, EPOLLIN, on_mail, m);
        if (r < 0) {
                (void) mailbox_close(m);
                return r;
        }
        m->n_refs++;
        *ret = m;
        return 0;
}
