/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/qmp.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "daemon/guest/qmp-stream.h"

/*
 *              greeting     reply to ours  other reply  event     deadline   EOF, nonsense
 * GREETING     NEGOTIATING  CLOSED         CLOSED       CLOSED    CLOSED     CLOSED
 * NEGOTIATING  CLOSED       OPEN           CLOSED       -         CLOSED     CLOSED
 * OPEN         CLOSED       -              CLOSED       tell      tell       CLOSED
 * CLOSED       -            -              -            -         -          -
 */
enum qmp_phase {
        QMP_GREETING, /* connected, nothing heard yet */
        QMP_NEGOTIATING, /* qmp_capabilities sent */
        QMP_OPEN,
        QMP_CLOSED,
};

#define CALLS_MAX 8U
#define OUT_MAX (16U * 1024U) /* all commands that may be due at once fit in easily */
#define READ_SIZE (16U * 1024U)
#define READS_A_TURN 4 /* then the other guests have theirs */
#define ERROR_TEXT_MAX 200U
#define GREETING_MIN_USEC 500000ULL

DEFINE_CLEANUP(struct json_object *, json_object_put);

struct qmp_pending {
        int64_t id;
        qmp_reply_fn fn;
        void *userdata;
};

struct qmp {
        unsigned n_ref; /* the owner's, and one for a running dispatch */
        enum qmp_phase phase;
        int fd; /* owned */
        int major;
        bool silent;
        int64_t last_id;
        uint64_t timeout_usec;

        sd_event *event; /* referenced */
        sd_event_source *io; /* owned */
        sd_event_source *deadline; /* owned; on while something is due */

        struct qmp_stream *in; /* owned */
        char out[OUT_MAX];
        size_t n_out;
        struct qmp_pending pending[CALLS_MAX]; /* oldest first */
        unsigned n_pending;

        const struct qmp_handler *handler;
        void *userdata;
};

static struct qmp *qmp_unref(struct qmp *q)
{
        if (!q || --q->n_ref > 0)
                return NULL;
        qmp_stream_free(q->in);
        sd_event_unref(q->event);
        free(q);
        return NULL;
}

DEFINE_CLEANUP(struct qmp *, qmp_unref);

static struct qmp *qmp_ref(struct qmp *q)
{
        q->n_ref++;
        return q;
}

static void qmp_shut(struct qmp *q)
{
        q->phase = QMP_CLOSED;
        q->n_pending = 0;
        q->n_out = 0;
        q->io = sd_event_source_disable_unref(q->io);
        q->deadline = sd_event_source_disable_unref(q->deadline);
        q->fd = safe_close(q->fd);
}

struct qmp *qmp_free(struct qmp *q)
{
        if (!q)
                return NULL;
        qmp_shut(q);
        return qmp_unref(q);
}

static void qmp_close(struct qmp *q, int error, const char *reason)
{
        if (q->phase == QMP_CLOSED)
                return;
        qmp_shut(q);
        q->handler->closed(error, reason, q->userdata);
}

int qmp_major(const struct qmp *q)
{
        return q->major;
}

bool qmp_answers(const struct qmp *q)
{
        return !q->silent;
}

bool qmp_is_idle(const struct qmp *q)
{
        return q->phase == QMP_OPEN && q->n_pending == 0;
}

/* Waits for the peer's next word, or for nothing if none is due. */
static int qmp_arm(struct qmp *q)
{
        uint64_t usec = q->timeout_usec;
        int r;

        if (q->phase == QMP_OPEN && q->n_pending == 0)
                return sd_event_source_set_enabled(q->deadline, SD_EVENT_OFF);
        if (q->phase != QMP_OPEN)
                usec = MAX(usec, GREETING_MIN_USEC);
        r = sd_event_source_set_time_relative(q->deadline, usec);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(q->deadline, SD_EVENT_ONESHOT);
}

void qmp_set_timeout(struct qmp *q, uint64_t timeout_usec)
{
        q->timeout_usec = timeout_usec;
}

/* Writes what the socket takes. A peer that has gone is noticed by reading. */
static void qmp_flush(struct qmp *q)
{
        ssize_t n;

        if (q->n_out > 0) {
                n = send(q->fd, q->out, q->n_out, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n > 0) {
                        q->n_out -= (size_t) n;
                        memmove(q->out, q->out + n, q->n_out);
                } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
                        q->n_out = 0;
                }
        }
        (void) sd_event_source_set_io_events(q->io, q->n_out > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static int qmp_send(struct qmp *q, struct json_object *message)
{
        size_t length;
        const char *text;

        text = json_object_to_json_string_length(message, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE,
                                                 &length);
        if (!text)
                return -ENOMEM;
        if (length + 1 > sizeof(q->out) - q->n_out)
                return -ENOBUFS;
        memcpy(q->out + q->n_out, text, length);
        q->out[q->n_out + length] = '\n';
        q->n_out += length + 1;
        qmp_flush(q);
        return 0;
}

int qmp_call(struct qmp *q, const char *command, struct json_object *arguments, qmp_reply_fn fn, void *userdata)
{
        _cleanup_(json_object_putp) struct json_object *message = json_object_new_object();
        int r;

        json_object_object_add(message, "execute", json_object_new_string(command));
        if (arguments)
                json_object_object_add(message, "arguments", arguments);
        if (q->phase == QMP_GREETING || q->phase == QMP_CLOSED)
                return -ENOTCONN;
        if (q->n_pending == CALLS_MAX)
                return -EBUSY;

        json_object_object_add(message, "id", json_object_new_int64(q->last_id + 1));
        r = qmp_send(q, message);
        if (r < 0)
                return r;
        q->pending[q->n_pending++] = (struct qmp_pending){ .id = ++q->last_id, .fn = fn, .userdata = userdata };
        return q->n_pending == 1 ? qmp_arm(q) : 0;
}

static void qmp_on_negotiated(struct json_object *result, const char *error, void *userdata)
{
        struct qmp *q = userdata;

        if (error) {
                qmp_close(q, -EPROTO, "QEMU refuses to negotiate capabilities");
                return;
        }
        q->phase = QMP_OPEN;
        q->handler->ready(q->userdata);
}

static int qmp_on_greeting(struct qmp *q, struct json_object *message)
{
        struct json_object *o;

        if (!json_object_object_get_ex(message, "QMP", &o) || !json_object_object_get_ex(o, "version", &o) ||
            !json_object_object_get_ex(o, "qemu", &o) || !json_object_object_get_ex(o, "major", &o) ||
            !json_object_is_type(o, json_type_int))
                return -EPROTO;
        q->major = json_object_get_int(o);
        q->phase = QMP_NEGOTIATING;
        return qmp_call(q, "qmp_capabilities", NULL, qmp_on_negotiated, q);
}

/* QEMU's description of an error, cut to something that a log line can bear. */
static void error_text(struct json_object *error, char ret[ERROR_TEXT_MAX])
{
        struct json_object *desc;
        const char *s = "an error without a description";
        size_t i;

        if (json_object_object_get_ex(error, "desc", &desc) && json_object_is_type(desc, json_type_string))
                s = json_object_get_string(desc);
        for (i = 0; s[i] && i < ERROR_TEXT_MAX - 1; i++)
                ret[i] = s[i];
        ret[i] = '\0';
        for (char *p = ret; *p; p++)
                if (*p < ' ' || *p > '~')
                        *p = '?';
}

static int qmp_on_reply(struct qmp *q, struct json_object *message)
{
        struct json_object *id, *result = NULL, *error = NULL;
        struct qmp_pending call;
        char text[ERROR_TEXT_MAX];

        (void) json_object_object_get_ex(message, "error", &error);
        if (!json_object_object_get_ex(message, "return", &result) == !error)
                return -EPROTO;
        if (!json_object_object_get_ex(message, "id", &id) || !json_object_is_type(id, json_type_int) ||
            q->n_pending == 0 || json_object_get_int64(id) != q->pending[0].id)
                return -EPROTO;

        call = q->pending[0];
        q->n_pending--;
        memmove(q->pending, q->pending + 1, q->n_pending * sizeof(q->pending[0]));
        (void) qmp_arm(q);
        if (error)
                error_text(error, text);
        if (q->silent) {
                q->silent = false;
                q->handler->answers(true, q->userdata);
        }
        if (q->phase != QMP_CLOSED)
                call.fn(error ? NULL : result, error ? text : NULL, call.userdata);
        return 0;
}

static int qmp_on_message(struct json_object *message, void *userdata)
{
        struct qmp *q = userdata;
        struct json_object *event;
        int r = 0;

        switch (q->phase) {
        case QMP_GREETING:
                r = qmp_on_greeting(q, message);
                break;
        case QMP_NEGOTIATING:
        case QMP_OPEN:
                if (!json_object_object_get_ex(message, "event", &event))
                        r = qmp_on_reply(q, message);
                else if (!json_object_is_type(event, json_type_string))
                        r = -EPROTO;
                else if (q->phase == QMP_OPEN)
                        q->handler->event(json_object_get_string(event), q->userdata);
                break;
        case QMP_CLOSED:
                break;
        }
        return r < 0 ? r : q->phase == QMP_CLOSED ? -ECANCELED : 0;
}

static const char *nonsense_text(int error)
{
        switch (error) {
        case -EMSGSIZE:
                return "the QMP socket's other end sent a message larger than any of QEMU's";
        case -EOVERFLOW:
                return "the QMP socket's other end sends too much too fast";
        case -EPROTO:
                return "the QMP socket's other end sent a message that answers nothing";
        default:
                return "the QMP socket's other end does not speak QMP";
        }
}

static void qmp_on_eof(struct qmp *q)
{
        qmp_close(q, -ECONNRESET,
                  qmp_stream_is_midway(q->in) ? "QEMU has closed the QMP socket in the middle of a message"
                                              : "QEMU has closed the QMP socket");
}

static void qmp_read(struct qmp *q)
{
        uint64_t now = 0;
        char data[READ_SIZE];
        ssize_t n;
        int r;

        (void) sd_event_now(q->event, CLOCK_MONOTONIC, &now);
        for (unsigned i = 0; i < READS_A_TURN && q->phase != QMP_CLOSED; i++) {
                n = recv(q->fd, data, sizeof(data), MSG_DONTWAIT);
                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        return;
                if (n <= 0) {
                        qmp_on_eof(q);
                        return;
                }
                r = qmp_stream_feed(q->in, now, data, (size_t) n, qmp_on_message, q);
                if (r < 0)
                        qmp_close(q, r == -ECANCELED ? -ECONNRESET : r, nonsense_text(r));
        }
}

static int qmp_on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        _cleanup_(qmp_unrefp) struct qmp *q = qmp_ref(userdata);

        if (revents & EPOLLOUT)
                qmp_flush(q);
        if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
                qmp_read(q);
        return 0;
}

static int qmp_on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
        _cleanup_(qmp_unrefp) struct qmp *q = qmp_ref(userdata);

        if (q->phase != QMP_OPEN) {
                qmp_close(q, -ETIMEDOUT, "no greeting from QEMU: another program may be using this QMP socket");
                return 0;
        }
        q->silent = true;
        q->handler->answers(false, q->userdata);
        return 0;
}

int qmp_new(sd_event *event, int fd, uint64_t timeout_usec, const struct qmp_handler *handler, void *userdata,
            struct qmp **ret)
{
        _cleanup_(qmp_freep) struct qmp *q = xnew0(struct qmp, 1);
        int r;

        q->n_ref = 1;
        q->fd = fd;
        q->event = sd_event_ref(event);
        q->timeout_usec = timeout_usec;
        q->handler = handler;
        q->userdata = userdata;
        q->in = qmp_stream_new();
        if (timeout_usec == 0)
                return -EINVAL;
        r = sd_event_add_io(event, &q->io, fd, EPOLLIN, qmp_on_io, q);
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(event, &q->deadline, CLOCK_MONOTONIC,
                                       MAX(timeout_usec, GREETING_MIN_USEC), 0, qmp_on_deadline, q);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(q);
        return 0;
}
