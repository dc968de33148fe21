/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/worker.h"

#include <pthread.h>

/* Freed by the thread, which ends when it sees closing. */
struct shared {
        pthread_mutex_t lock;
        pthread_cond_t more;
        struct mail_queue todo;
        bool closing;
        struct mailbox *box;
};

struct worker {
        struct shared *shared;
        struct mailbox *box;
};

static struct shared *shared_new(struct mailbox *box)
{
        struct shared *s = xnew0(struct shared, 1);

        (void) pthread_mutex_init(&s->lock, NULL);
        (void) pthread_cond_init(&s->more, NULL);
        mail_queue_init(&s->todo);
        s->box = box;
        return s;
}

static void shared_free(struct shared *s)
{
        mail_queue_drop(&s->todo);
        mailbox_leave(s->box);
        (void) pthread_mutex_destroy(&s->lock);
        (void) pthread_cond_destroy(&s->more);
        free(s);
}

static struct job *next_job(struct shared *s)
{
        struct mail *mail;

        (void) pthread_mutex_lock(&s->lock);
        while (!s->closing && !s->todo.first)
                (void) pthread_cond_wait(&s->more, &s->lock);
        mail = s->closing ? NULL : mail_queue_pop(&s->todo);
        (void) pthread_mutex_unlock(&s->lock);
        return mail ? CONTAINER_OF(mail, struct job, mail) : NULL;
}

static void *run(void *userdata)
{
        struct shared *s = userdata;
        struct job *job;

        while ((job = next_job(s))) {
                job->work(job);
                mailbox_post(s->box, &job->mail);
        }
        shared_free(s);
        return NULL;
}

static int start_thread(struct shared *s)
{
        pthread_attr_t attributes;
        pthread_t thread;
        int r;

        (void) pthread_attr_init(&attributes);
        (void) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        r = -pthread_create(&thread, &attributes, run, s);
        (void) pthread_attr_destroy(&attributes);
        return r;
}

int worker_new(sd_event *event, struct worker **ret)
{
        struct mailbox *box;
        struct shared *s;
        int r;

        r = mailbox_new(event, &box);
        if (r < 0)
                return r;
        s = shared_new(box);
        r = start_thread(s);
        if (r < 0) {
                shared_free(s);
                (void) mailbox_close(box);
                return r;
        }
        *ret = xnew0(struct worker, 1);
        **ret = (struct worker){ .shared = s, .box = box };
        return 0;
}

struct worker *worker_free(struct worker *w)
{
        struct shared *s;

        if (!w)
                return NULL;
        s = w->shared;
        (void) mailbox_close(w->box);
        (void) pthread_mutex_lock(&s->lock);
        s->closing = true;
        (void) pthread_cond_signal(&s->more);
        (void) pthread_mutex_unlock(&s->lock);
        free(w);
        return NULL;
}

void worker_submit(struct worker *w, struct job *job)
{
        struct shared *s = w->shared;

        (void) pthread_mutex_lock(&s->lock);
        mail_queue_push(&s->todo, &job->mail);
        (void) pthread_cond_signal(&s->more);
        (void) pthread_mutex_unlock(&s->lock);
}
