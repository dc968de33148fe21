/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/bus.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "client/json.h"
#include "client/text.h"

const struct service inputd_service = {
        .program = "vfio-inputd",
        .json_key = "inputd",
        .bus_name = INPUTD_BUS_NAME,
        .root = INPUTD_ROOT_PATH,
        .manager = INPUTD_MANAGER_IFACE,
        .start = "systemctl enable --now vfio-inputd.service",
};

const struct service guestd_service = {
        .program = "vfio-guestd",
        .json_key = "guestd",
        .bus_name = GUESTD_BUS_NAME,
        .root = GUESTD_ROOT_PATH,
        .manager = GUESTD_MANAGER_IFACE,
        .start = "systemctl start vfio-guestd.service",
};

uint64_t bus_timeout(const struct client *c, uint64_t usual)
{
        return c->timeout_usec ? c->timeout_usec : usual;
}

static uint64_t now_usec(void)
{
        struct timespec ts = { 0 };

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

/* sd-bus connects in the background; this waits until it has, within our own time. */
static int wait_connected(sd_bus *bus, uint64_t timeout)
{
        uint64_t end = now_usec() + timeout;
        int r;

        while ((r = sd_bus_is_ready(bus)) == 0) {
                uint64_t now = now_usec();

                if (now >= end)
                        return -ETIMEDOUT;
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, end - now);
                if (r < 0 && r != -EINTR)
                        return r;
        }
        return r < 0 ? r : 0;
}

int bus_open(struct client *c)
{
        int r = sd_bus_open_system(&c->bus);

        return r < 0 ? r : wait_connected(c->bus, bus_timeout(c, TIMEOUT_READ));
}

enum outcome bus_connect(struct client *c)
{
        _autofree_ char *sentence = NULL;
        int r = bus_open(c);

        if (r >= 0)
                return OUTCOME_OK;

        switch (r) {
        case -EACCES:
        case -EPERM:
                sentence = xasprintf("The system bus does not let this user in: %s", strerror(-r));
                return bus_report(c, OUTCOME_REFUSED, SD_BUS_ERROR_ACCESS_DENIED, sentence);
        case -ETIMEDOUT:
                sentence = xasprintf("The system bus does not answer.");
                return bus_report(c, OUTCOME_UNREACHABLE, SD_BUS_ERROR_TIMEOUT, sentence);
        default:
                sentence = xasprintf("There is no system bus: %s. Is dbus.service running?", strerror(-r));
                return bus_report(c, OUTCOME_UNREACHABLE, SD_BUS_ERROR_NO_SERVER, sentence);
        }
}

int bus_new_read(struct client *c, const struct service *s, const char *iface, const char *member,
                 sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(c->bus, &m, s->bus_name, s->root, iface, member);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                *ret = TAKE_PTR(m);
        return r;
}

int bus_read(struct client *c, sd_bus_message *m, sd_bus_error *error, sd_bus_message **ret_reply)
{
        return sd_bus_call(c->bus, m, bus_timeout(c, TIMEOUT_READ), error, ret_reply);
}

int bus_change(struct client *c, const struct service *s, const char *member, sd_bus_error *error,
               sd_bus_message **ret_reply, const char *types, ...)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        bool ask = !(c->options & OPTION_NO_ASK_PASSWORD);
        va_list ap;
        int r;

        r = sd_bus_message_new_method_call(c->bus, &m, s->bus_name, s->root, s->manager, member);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, s != &inputd_service);
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(m, ask);
        if (r >= 0) {
                va_start(ap, types);
                r = sd_bus_message_appendv(m, types, ap);
                va_end(ap);
        }
        if (r < 0)
                return sd_bus_error_set_errno(error, r);
        return sd_bus_call(c->bus, m, bus_timeout(c, TIMEOUT_CHANGE), error, ret_reply);
}

/* What kind of sentence an error needs. */
enum meaning {
        MEANING_FAILED, /* the daemon's own words, as for every name not listed */
        MEANING_REFUSED, /* the same, but nothing is broken */
        MEANING_PAUSED,
        MEANING_ABSENT,
        MEANING_NOT_STARTED,
        MEANING_SILENT,
        MEANING_DIED,
        MEANING_BUS_LOST,
        MEANING_DENIED,
        MEANING_NEEDS_PASSWORD,
        MEANING_OTHER_VERSION,
};

static enum meaning meaning_of(const sd_bus_error *error)
{
        static const struct {
                const char *name;
                enum meaning meaning;
        } known[] = {
                { VFIO_ERROR_NOT_READY, MEANING_REFUSED },
                { VFIO_ERROR_IN_USE, MEANING_REFUSED },
                { VFIO_ERROR_PAUSED, MEANING_PAUSED },
                { SD_BUS_ERROR_SERVICE_UNKNOWN, MEANING_ABSENT },
                { SD_BUS_ERROR_NAME_HAS_NO_OWNER, MEANING_ABSENT },
                { SD_BUS_ERROR_TIMEOUT, MEANING_SILENT },
                { "org.freedesktop.DBus.Error.TimedOut", MEANING_SILENT },
                { SD_BUS_ERROR_NO_REPLY, MEANING_DIED },
                { SD_BUS_ERROR_DISCONNECTED, MEANING_BUS_LOST },
                { SD_BUS_ERROR_ACCESS_DENIED, MEANING_DENIED },
                { SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, MEANING_NEEDS_PASSWORD },
                { SD_BUS_ERROR_UNKNOWN_METHOD, MEANING_OTHER_VERSION },
                { SD_BUS_ERROR_UNKNOWN_INTERFACE, MEANING_OTHER_VERSION },
                { SD_BUS_ERROR_UNKNOWN_OBJECT, MEANING_OTHER_VERSION },
                { SD_BUS_ERROR_INVALID_SIGNATURE, MEANING_OTHER_VERSION },
        };
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                if (sd_bus_error_has_name(error, known[i].name))
                        return known[i].meaning;
        if (error->name && (startswith(error->name, "org.freedesktop.DBus.Error.Spawn.") ||
                            startswith(error->name, "org.freedesktop.systemd1.")))
                return MEANING_NOT_STARTED;
        r = sd_bus_error_get_errno(error);
        return r == ECONNRESET || r == ENOTCONN || r == EPIPE ? MEANING_BUS_LOST : MEANING_FAILED;
}

enum outcome bus_explain(const struct client *c, const struct service *s, const sd_bus_error *error,
                         char **ret_sentence)
{
        const char *words = error->message && *error->message ? error->message : error->name;
        const char *dot = *words && words[strlen(words) - 1] == '.' ? "" : ".";

        switch (meaning_of(error)) {
        case MEANING_FAILED:
                *ret_sentence = xstrdup(words);
                return OUTCOME_FAILED;
        case MEANING_REFUSED:
                *ret_sentence = xstrdup(words);
                return OUTCOME_REFUSED;
        case MEANING_PAUSED:
                *ret_sentence = xasprintf("%s%s Resume with: vfioctl resume", words, dot);
                return OUTCOME_REFUSED;
        case MEANING_ABSENT:
                *ret_sentence = xasprintf("%s is not running. Start it with: %s", s->program, s->start);
                return OUTCOME_UNREACHABLE;
        case MEANING_NOT_STARTED:
                *ret_sentence = xasprintf("%s could not be started: %s", s->program, words);
                return OUTCOME_UNREACHABLE;
        case MEANING_SILENT:
                *ret_sentence = xasprintf("%s did not answer in time. See: systemctl status %s.service", s->program,
                                          s->program);
                return OUTCOME_UNREACHABLE;
        case MEANING_DIED:
                *ret_sentence = xasprintf("%s ended without an answer. See: journalctl -u %s.service", s->program,
                                          s->program);
                return OUTCOME_UNREACHABLE;
        case MEANING_BUS_LOST:
                *ret_sentence = xasprintf("The connection to the system bus was lost: %s", words);
                return OUTCOME_UNREACHABLE;
        case MEANING_DENIED:
                *ret_sentence = xasprintf("Not authorised: %s%s Try it as root.", words, dot);
                return OUTCOME_REFUSED;
        case MEANING_NEEDS_PASSWORD:
                *ret_sentence = xasprintf("Not authorised without a password, and nobody could be asked for it%s. "
                                          "Try it as root.",
                                          c->options & OPTION_NO_ASK_PASSWORD ? " (--no-ask-password)" : "");
                return OUTCOME_REFUSED;
        case MEANING_OTHER_VERSION:
                *ret_sentence = xasprintf("%s and this vfioctl are of different versions: %s", s->program, words);
                return OUTCOME_FAILED;
        }
        return OUTCOME_FAILED; /* not reached */
}

enum outcome bus_report(const struct client *c, enum outcome outcome, const char *error_name, const char *sentence)
{
        text_complain("%s", sentence);
        if (client_json(c)) {
                _cleanup_(json_putp) json_object *o = json_object_new_object();

                json_object_object_add(o, "ok", json_object_new_boolean(false));
                json_add_string(o, "error", error_name);
                json_add_string(o, "message", sentence);
                json_print(o, true);
        }
        return outcome;
}

enum outcome bus_fail(const struct client *c, const struct service *s, const sd_bus_error *error)
{
        _autofree_ char *sentence = NULL;
        enum outcome outcome = bus_explain(c, s, error, &sentence);

        return bus_report(c, outcome, error->name, sentence);
}
