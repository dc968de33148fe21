/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/polkit.h"

#include <stdio.h>

/* A question is a method call that waits to be authorised:
 *
 *   stage      waits for                     goes on with
 *   who        the bus: uid of the sender    root: act; anybody else: asked, or refused if too many are
 *   asked      polkit: may the sender?       act, or refused
 *   (any)      the sender leaves the bus     dropped; polkit is told to close its dialog
 *
 * The bus is asked before polkit so that root gets in where polkit is absent,
 * hung or overrun. It is asked by a message of our own because
 * sd_bus_query_sender_creds() waits for the answer, and a daemon that waits
 * stops the keyboard. The uid is the one with which the sender connected. */

#define QUESTIONS_MAX 1024 /* not yet asked ones are answered by the bus at once, so few of them add up */
#define ASKED_MAX 64

#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_IFACE "org.freedesktop.PolicyKit1.Authority"
#define POLKIT_ALLOW_USER_INTERACTION 1u
#define NO_TIMEOUT UINT64_MAX

struct question {
        struct polkit *polkit;
        struct question *next;
        sd_bus_message *message; /* a reference */
        char *action;
        polkit_act_fn act;
        void *userdata;
        unsigned id; /* polkit knows the question by it */
        bool asked;
        sd_bus_slot *call; /* to the bus or to polkit, whichever is under way */
        sd_bus_slot *gone; /* tells when the sender leaves the bus */
};

struct polkit {
        struct question *questions;
        unsigned n_questions, n_asked;
        unsigned last_id;
};

struct polkit *polkit_new(void)
{
        return xnew0(struct polkit, 1);
}

static struct question *question_new(struct polkit *p, sd_bus_message *m)
{
        struct question *q = xnew0(struct question, 1);

        q->polkit = p;
        q->message = sd_bus_message_ref(m);
        q->id = ++p->last_id;
        q->next = p->questions;
        p->questions = q;
        p->n_questions++;
        return q;
}

static struct question *question_free(struct question *q)
{
        struct question **link = &q->polkit->questions;

        while (*link != q)
                link = &(*link)->next;
        *link = q->next;
        q->polkit->n_questions--;
        q->polkit->n_asked -= q->asked;

        sd_bus_slot_unref(q->call);
        sd_bus_slot_unref(q->gone);
        sd_bus_message_unref(q->message);
        free(q->action);
        free(q);
        return NULL;
}
DEFINE_CLEANUP(struct question *, question_free);

struct polkit *polkit_free(struct polkit *p)
{
        if (!p)
                return NULL;
        while (p->questions)
                (void) question_free(p->questions);
        free(p);
        return NULL;
}

/* The end of every question: the answer to its method call. The question is
 * gone before act is called, which may do anything, polkit_free() included. */
static void question_finish(struct question *question, sd_bus_error *error)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = sd_bus_message_ref(question->message);
        polkit_act_fn act = question->act;
        void *userdata = question->userdata;
        int r = 0;

        (void) question_free(question);
        if (!sd_bus_error_is_set(error)) {
                r = sd_bus_message_rewind(m, true);
                if (r >= 0)
                        r = act(m, userdata, error);
        }
        if (r < 0 || sd_bus_error_is_set(error))
                (void) sd_bus_reply_method_errno(m, r, error);
}

static void question_refuse(struct question *q, const char *name, const char *message)
{
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        (void) sd_bus_error_set(&error, name, message);
        question_finish(q, &error);
}

static void question_allow(struct question *q)
{
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        question_finish(q, &error);
}

static void question_refuse_unanswered(struct question *q, const sd_bus_error *why)
{
        _autofree_ char *message = NULL;

        if (sd_bus_error_has_name(why, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
            sd_bus_error_has_name(why, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                message = xasprintf("There is no polkit; only root may do this without polkit");
        else
                message = xasprintf("polkit cannot say whether this is allowed: %s",
                                    why->message ? why->message : why->name);
        question_refuse(q, SD_BUS_ERROR_ACCESS_DENIED, message);
}

static int on_polkit_answer(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
        struct question *q = userdata;
        int r, authorized, challenge;

        if (sd_bus_message_is_method_error(reply, NULL)) {
                question_refuse_unanswered(q, sd_bus_message_get_error(reply));
                return 1;
        }
        r = sd_bus_message_enter_container(reply, 'r', "bba{ss}");
        if (r >= 0)
                r = sd_bus_message_read(reply, "bb", &authorized, &challenge);
        if (r <= 0)
                question_refuse(q, SD_BUS_ERROR_ACCESS_DENIED, "polkit's answer cannot be understood");
        else if (authorized)
                question_allow(q);
        else if (challenge)
                question_refuse(q, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                                "This needs a password, and nobody can be asked for it");
        else
                question_refuse(q, SD_BUS_ERROR_ACCESS_DENIED, "polkit does not allow this");
        return 1;
}

static int new_polkit_call(const struct question *q, const char *method, sd_bus_message **ret)
{
        return sd_bus_message_new_method_call(sd_bus_message_get_bus(q->message), ret, POLKIT_NAME, POLKIT_PATH,
                                              POLKIT_IFACE, method);
}

static int question_ask_polkit(struct question *q)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        bool interactive = sd_bus_message_get_allow_interactive_authorization(q->message) > 0;
        char id[16];
        int r;

        (void) snprintf(id, sizeof(id), "%u", q->id);
        r = new_polkit_call(q, "CheckAuthorization", &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s",
                                  sd_bus_message_get_sender(q->message), q->action, 0,
                                  interactive ? POLKIT_ALLOW_USER_INTERACTION : 0, id);
        if (r < 0)
                return r;

        q->call = sd_bus_slot_unref(q->call);
        r = sd_bus_call_async(sd_bus_message_get_bus(q->message), &q->call, m, on_polkit_answer, q,
                              interactive ? NO_TIMEOUT : 0);
        if (r < 0)
                return r;
        q->asked = true;
        q->polkit->n_asked++;
        return 0;
}

static int on_sender_uid(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
        struct question *q = userdata;
        uint32_t uid;

        if (sd_bus_message_is_method_error(reply, NULL) || sd_bus_message_read(reply, "u", &uid) <= 0)
                question_refuse(q, SD_BUS_ERROR_ACCESS_DENIED, "The bus does not know who asks for this");
        else if (uid == 0)
                question_allow(q);
        else if (q->polkit->n_asked >= ASKED_MAX)
                question_refuse(q, SD_BUS_ERROR_LIMITS_EXCEEDED, "Too many questions to polkit are open");
        else if (question_ask_polkit(q) < 0)
                question_refuse(q, SD_BUS_ERROR_ACCESS_DENIED, "polkit cannot be asked whether this is allowed");
        return 1;
}

static void question_cancel(const struct question *q)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        char id[16];

        (void) snprintf(id, sizeof(id), "%u", q->id);
        if (new_polkit_call(q, "CancelCheckAuthorization", &m) < 0 || sd_bus_message_append(m, "s", id) < 0 ||
            sd_bus_message_set_expect_reply(m, false) < 0)
                return;
        (void) sd_bus_send(NULL, m, NULL);
}

static int on_sender_gone(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        struct question *q = userdata;

        if (q->asked)
                question_cancel(q);
        (void) question_free(q);
        return 0;
}

/* Without the match a question only lasts until it is answered. sd-bus would
 * close the connection if there were no handler. */
static int on_match_installed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        return 0;
}

static int question_watch_sender(struct question *q, const char *sender)
{
        _autofree_ char *match = xasprintf("type='signal',sender='org.freedesktop.DBus',"
                                           "path='/org/freedesktop/DBus',interface='org.freedesktop.DBus',"
                                           "member='NameOwnerChanged',arg0='%s',arg2=''",
                                           sender);

        return sd_bus_add_match_async(sd_bus_message_get_bus(q->message), &q->gone, match, on_sender_gone,
                                      on_match_installed, q);
}

int polkit_guard(struct polkit *p, sd_bus_message *m, const char *action, polkit_act_fn act, void *userdata,
                 sd_bus_error *error)
{
        _cleanup_(question_freep) struct question *q = NULL;
        const char *sender = sd_bus_message_get_sender(m);
        int r;

        if (!sender)
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "Who asks for this is not known");
        if (p->n_questions >= QUESTIONS_MAX)
                return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "Too many requests are open");

        q = question_new(p, m);
        q->action = xstrdup(action);
        q->act = act;
        q->userdata = userdata;
        r = question_watch_sender(q, sender);
        if (r < 0)
                return r;
        r = sd_bus_call_method_async(sd_bus_message_get_bus(m), &q->call, "org.freedesktop.DBus",
                                     "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetConnectionUnixUser",
                                     on_sender_uid, q, "s", sender);
        if (r < 0)
                return r;
        TAKE_PTR(q);
        return 1;
}
