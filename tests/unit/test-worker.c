/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Mail to the event loop, and jobs on a thread. */

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/guest/worker.h"

#define TURN_USEC (60 * 1000 * 1000ULL) /* longer than anything here takes */
#define JOBS 5U

/* What all jobs and letters of a test write into. */
struct tape {
        sem_t begun, go; /* of a job that waits */
        sem_t dropped;
        atomic_uint at_work;
        unsigned worked[JOBS], n_worked; /* by the worker; read when it is done */
        unsigned delivered[JOBS], n_delivered;
        atomic_uint n_dropped;
        bool overlapped, strayed; /* two jobs at once; not on the loop */
        pthread_t loop;
        struct worker *to_free; /* by the first delivery */
        struct mailbox *to_close;
        sd_event *event;
        unsigned n_threads; /* of the process, before the test */
};

static unsigned count_threads(void)
{
        DIR *d = opendir("/proc/self/task");
        unsigned n = 0;

        assert_non_null(d);
        while (readdir(d))
                n++;
        (void) closedir(d);
        return n;
}

/* A thread that nobody joins is to be gone before the test is. */
static void wait_for_threads(const struct tape *t)
{
        while (count_threads() > t->n_threads)
                (void) sched_yield();
}

static int set_up(void **state)
{
        struct tape *t = xnew0(struct tape, 1);

        (void) sem_init(&t->begun, 0, 0);
        (void) sem_init(&t->go, 0, 0);
        (void) sem_init(&t->dropped, 0, 0);
        t->loop = pthread_self();
        t->n_threads = count_threads();
        *state = t;
        return sd_event_new(&t->event);
}

static int tear_down(void **state)
{
        struct tape *t = *state;

        wait_for_threads(t);
        (void) sem_destroy(&t->begun);
        (void) sem_destroy(&t->go);
        (void) sem_destroy(&t->dropped);
        sd_event_unref(t->event);
        free(t);
        return 0;
}

/* One turn; false if nothing at all is waiting to be done. */
static bool turn(struct tape *t, uint64_t usec)
{
        int r = sd_event_run(t->event, usec);

        assert_true(r >= 0);
        return r > 0;
}

static void until_delivered(struct tape *t, unsigned n)
{
        while (t->n_delivered < n)
                assert_true(turn(t, TURN_USEC));
}

static void until_idle(struct tape *t)
{
        while (turn(t, 0))
                ;
}

/* --- jobs and letters --- */

struct note {
        struct job job;
        struct tape *tape;
        unsigned number;
        bool waits;
        char *heap; /* what a job that is dropped has to free as well */
};

static struct note *note_of(struct mail *mail)
{
        return CONTAINER_OF(CONTAINER_OF(mail, struct job, mail), struct note, job);
}

static void note_free(struct note *n)
{
        free(n->heap);
        free(n);
}

static void note_drop(struct mail *mail)
{
        struct note *n = note_of(mail);
        struct tape *t = n->tape;

        note_free(n);
        (void) atomic_fetch_add(&t->n_dropped, 1);
        (void) sem_post(&t->dropped);
}

static void note_deliver(struct mail *mail)
{
        struct note *n = note_of(mail);
        struct tape *t = n->tape;

        t->strayed |= !pthread_equal(pthread_self(), t->loop);
        t->delivered[t->n_delivered++] = n->number;
        note_free(n);
        t->to_free = worker_free(t->to_free);
        t->to_close = mailbox_close(t->to_close);
}

static void note_work(struct job *job)
{
        struct note *n = CONTAINER_OF(job, struct note, job);
        struct tape *t = n->tape;

        t->overlapped |= atomic_fetch_add(&t->at_work, 1) != 0;
        t->strayed |= pthread_equal(pthread_self(), t->loop);
        t->worked[t->n_worked++] = n->number;
        if (n->waits) {
                (void) sem_post(&t->begun);
                (void) sem_wait(&t->go);
        }
        (void) atomic_fetch_sub(&t->at_work, 1);
}

static struct note *note_new(struct tape *t, unsigned number, bool waits)
{
        struct note *n = xnew0(struct note, 1);

        *n = (struct note){
                .job = { .mail = { .deliver = note_deliver, .drop = note_drop }, .work = note_work },
                .tape = t,
                .number = number,
                .waits = waits,
                .heap = xstrdup("heap"),
        };
        return n;
}

static void submit(struct worker *w, struct tape *t, unsigned number, bool waits)
{
        worker_submit(w, &note_new(t, number, waits)->job);
}

static void assert_in_order(const unsigned *numbers, unsigned n, unsigned expected)
{
        assert_int_equal(n, expected);
        for (unsigned i = 0; i < n; i++)
                assert_int_equal(numbers[i], i);
}

/* --- the worker --- */

static void test_order(void **state)
{
        struct tape *t = *state;
        struct worker *w;

        assert_int_equal(worker_new(t->event, &w), 0);
        for (unsigned i = 0; i < JOBS; i++)
                submit(w, t, i, false);
        until_delivered(t, JOBS);
        worker_free(w);
        wait_for_threads(t);
        assert_in_order(t->worked, t->n_worked, JOBS);
        assert_in_order(t->delivered, t->n_delivered, JOBS);
        assert_int_equal(t->n_dropped, 0);
        assert_false(t->overlapped);
        assert_false(t->strayed);
}

/* Two workers do not wait for each other, the jobs of one do. */
static void test_one_at_a_time(void **state)
{
        struct tape *t = *state;
        struct worker *w, *other;

        assert_int_equal(worker_new(t->event, &w), 0);
        assert_int_equal(worker_new(t->event, &other), 0);
        submit(w, t, 0, true);
        submit(w, t, 1, false);
        (void) sem_wait(&t->begun);
        assert_int_equal(t->n_worked, 1);
        t->at_work = 0;
        submit(other, t, 2, false);
        until_delivered(t, 1);
        assert_int_equal(t->delivered[0], 2);
        assert_int_equal(t->n_worked, 2);
        t->at_work = 1;
        (void) sem_post(&t->go);
        until_delivered(t, 3);
        assert_int_equal(t->delivered[1], 0);
        assert_int_equal(t->delivered[2], 1);
        assert_false(t->overlapped);
        worker_free(w);
        worker_free(other);
}

/* From an empty queue, again and again. */
static void test_one_after_the_other(void **state)
{
        struct tape *t = *state;
        struct worker *w;

        assert_int_equal(worker_new(t->event, &w), 0);
        for (unsigned i = 0; i < JOBS; i++) {
                submit(w, t, i, false);
                until_delivered(t, i + 1);
                until_idle(t);
        }
        worker_free(w);
        assert_in_order(t->delivered, t->n_delivered, JOBS);
}

static void test_free_without_jobs(void **state)
{
        struct tape *t = *state;
        struct worker *w;

        assert_int_equal(worker_new(t->event, &w), 0);
        assert_null(worker_free(w));
        assert_null(worker_free(NULL));
        wait_for_threads(t);
        assert_false(turn(t, 0));
}

/* Neither the job under way nor those behind it are ever delivered. */
static void test_free_with_a_job_under_way(void **state)
{
        struct tape *t = *state;
        struct worker *w;

        assert_int_equal(worker_new(t->event, &w), 0);
        submit(w, t, 0, true);
        submit(w, t, 1, false);
        submit(w, t, 2, false);
        (void) sem_wait(&t->begun);
        worker_free(w);
        until_idle(t);
        assert_int_equal(t->n_dropped, 0); /* the thread has them, and is at work */
        (void) sem_post(&t->go);
        for (unsigned i = 0; i < 3; i++)
                (void) sem_wait(&t->dropped);
        wait_for_threads(t);
        until_idle(t);
        assert_int_equal(t->n_dropped, 3);
        assert_int_equal(t->n_worked, 1);
        assert_int_equal(t->n_delivered, 0);
}

/* Done, but not brought yet: the same. */
static void test_free_with_a_job_that_is_done(void **state)
{
        struct tape *t = *state;
        struct worker *w;

        assert_int_equal(worker_new(t->event, &w), 0);
        submit(w, t, 0, false);
        submit(w, t, 1, true);
        (void) sem_wait(&t->begun); /* so the first one is in the box */
        worker_free(w);
        (void) sem_post(&t->go);
        wait_for_threads(t);
        until_idle(t);
        assert_int_equal(t->n_dropped, 2);
        assert_int_equal(t->n_delivered, 0);
}

static void test_freed_by_what_it_brings(void **state)
{
        struct tape *t = *state;

        assert_int_equal(worker_new(t->event, &t->to_free), 0);
        submit(t->to_free, t, 0, false);
        submit(t->to_free, t, 1, true);
        submit(t->to_free, t, 2, false);
        (void) sem_wait(&t->begun);
        until_delivered(t, 1);
        assert_null(t->to_free);
        (void) sem_post(&t->go);
        wait_for_threads(t);
        until_idle(t);
        assert_int_equal(t->n_delivered, 1);
        assert_int_equal(t->n_dropped, 2);
}

/* --- the mailbox --- */

static void post(struct mailbox *m, struct tape *t, unsigned number)
{
        mailbox_post(m, &note_new(t, number, false)->job.mail);
}

static void test_mail_in_order(void **state)
{
        struct tape *t = *state;
        struct mailbox *m;

        assert_int_equal(mailbox_new(t->event, &m), 0);
        for (unsigned i = 0; i < JOBS; i++)
                post(m, t, i);
        until_delivered(t, JOBS);
        until_idle(t);
        assert_in_order(t->delivered, t->n_delivered, JOBS);
        mailbox_leave(m);
        assert_null(mailbox_close(m));
}

static void test_close_with_mail_pending(void **state)
{
        struct tape *t = *state;
        struct mailbox *m;

        assert_int_equal(mailbox_new(t->event, &m), 0);
        post(m, t, 0);
        post(m, t, 1);
        mailbox_close(m);
        until_idle(t);
        assert_int_equal(t->n_delivered, 0);
        post(m, t, 2); /* refused at once */
        assert_true(t->n_dropped >= 1);
        mailbox_leave(m);
        assert_int_equal(t->n_dropped, 3);
        assert_int_equal(t->n_delivered, 0);
}

/* The sender may go first: what it has sent still comes. */
static void test_leave_with_mail_pending(void **state)
{
        struct tape *t = *state;
        struct mailbox *m;

        assert_int_equal(mailbox_new(t->event, &m), 0);
        post(m, t, 0);
        post(m, t, 1);
        mailbox_leave(m);
        until_delivered(t, 2);
        assert_int_equal(t->n_dropped, 0);
        mailbox_close(m);
        assert_null(mailbox_close(NULL));
}

static void test_closed_by_the_first_letter(void **state)
{
        struct tape *t = *state;
        struct mailbox *m;

        assert_int_equal(mailbox_new(t->event, &m), 0);
        post(m, t, 0);
        post(m, t, 1);
        mailbox_leave(m);
        t->to_close = m;
        until_delivered(t, 1);
        until_idle(t);
        assert_int_equal(t->n_delivered, 1);
        assert_int_equal(t->n_dropped, 1);
}

static void *send_many(void *userdata)
{
        struct mailbox **m = userdata;
        struct tape *t = (struct tape *) m[1];

        for (unsigned i = 0; i < JOBS; i++)
                post(m[0], t, i);
        mailbox_leave(m[0]);
        return NULL;
}

/* Each letter is delivered or dropped, whenever the owner closes. */
static void test_close_while_it_is_sent(void **state)
{
        struct tape *t = *state;

        for (unsigned round = 0; round < 50; round++) {
                struct mailbox *both[2] = { NULL, (struct mailbox *) t };
                pthread_t sender;

                t->n_delivered = 0;
                t->n_dropped = 0;
                assert_int_equal(mailbox_new(t->event, &both[0]), 0);
                assert_int_equal(pthread_create(&sender, NULL, send_many, both), 0);
                until_delivered(t, round % (JOBS + 1));
                mailbox_close(both[0]);
                (void) pthread_join(sender, NULL);
                assert_int_equal(t->n_delivered, round % (JOBS + 1));
                assert_int_equal(t->n_delivered + t->n_dropped, JOBS);
        }
}

static void test_queue(void **state)
{
        struct tape *t = *state;
        struct mail_queue q;
        struct mail *mail;

        mail_queue_init(&q);
        assert_null(mail_queue_pop(&q));
        for (unsigned i = 0; i < 3; i++)
                mail_queue_push(&q, &note_new(t, i, false)->job.mail);
        mail = mail_queue_pop(&q);
        assert_int_equal(note_of(mail)->number, 0);
        mail_queue_push(&q, mail);
        mail_queue_drop(&q);
        assert_int_equal(t->n_dropped, 3);
        assert_null(mail_queue_pop(&q));
        mail_queue_push(&q, &note_new(t, 9, false)->job.mail);
        mail_queue_drop(&q);
        assert_int_equal(t->n_dropped, 4);
}

#define tape_test(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                tape_test(test_order),
                tape_test(test_one_at_a_time),
                tape_test(test_one_after_the_other),
                tape_test(test_free_without_jobs),
                tape_test(test_free_with_a_job_under_way),
                tape_test(test_free_with_a_job_that_is_done),
                tape_test(test_freed_by_what_it_brings),
                tape_test(test_queue),
                tape_test(test_mail_in_order),
                tape_test(test_close_with_mail_pending),
                tape_test(test_leave_with_mail_pending),
                tape_test(test_closed_by_the_first_letter),
                tape_test(test_close_while_it_is_sent),
        };

        return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
