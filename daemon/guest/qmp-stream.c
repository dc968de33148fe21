/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/qmp-stream.h"

#define SECOND_USEC 1000000ULL

DEFINE_CLEANUP(struct json_object *, json_object_put);

struct qmp_stream {
        struct json_tokener *tokener; /* owned */
        /* of the message that is being read */
        size_t bytes;
        unsigned containers;
        unsigned values;
        bool midway;
        /* of the running second */
        uint64_t second_usec;
        size_t second_bytes;
        unsigned second_messages;
};

struct qmp_stream *qmp_stream_new(void)
{
        struct qmp_stream *s = xnew0(struct qmp_stream, 1);

        s->tokener = json_tokener_new_ex(QMP_MESSAGE_DEPTH_MAX);
        if (!s->tokener)
                abort();
        json_tokener_set_flags(s->tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
        return s;
}

struct qmp_stream *qmp_stream_free(struct qmp_stream *s)
{
        if (!s)
                return NULL;
        json_tokener_free(s->tokener);
        free(s);
        return NULL;
}

bool qmp_stream_is_midway(const struct qmp_stream *s)
{
        return s->midway;
}

static int stream_account(struct qmp_stream *s, uint64_t now_usec, size_t bytes, unsigned messages)
{
        if (now_usec - s->second_usec >= SECOND_USEC) {
                s->second_usec = now_usec;
                s->second_bytes = 0;
                s->second_messages = 0;
        }
        s->second_bytes += bytes;
        s->second_messages += messages;
        if (s->second_bytes > QMP_RATE_BYTES_MAX || s->second_messages > QMP_RATE_MESSAGES_MAX)
                return -EOVERFLOW;
        return 0;
}

/* How much of data may belong to this message before it is too large. Counts
 * brackets and commas inside strings too: real messages are far from the limit. */
static size_t stream_measure(struct qmp_stream *s, const char *data, size_t size)
{
        size_t i;

        for (i = 0; i < size; i++) {
                if (data[i] == '{' || data[i] == '[')
                        s->containers++;
                else if (data[i] == ',')
                        s->values++;
                s->bytes++;
                if (s->bytes > QMP_MESSAGE_MAX || s->containers > QMP_MESSAGE_CONTAINERS_MAX ||
                    s->values > QMP_MESSAGE_VALUES_MAX)
                        break;
        }
        return i;
}

static void stream_message_ends(struct qmp_stream *s)
{
        s->bytes = 0;
        s->containers = 0;
        s->values = 0;
        s->midway = false;
}

static bool is_blank(const char *data, size_t size)
{
        for (size_t i = 0; i < size; i++)
                if (!strchr(" \t\r\n", data[i]) || !data[i])
                        return false;
        return true;
}

/* Reads on in the current message. Returns how many bytes were used, with *ret
 * (owned by the caller) if they complete it, or a negative errno. */
static ssize_t stream_parse(struct qmp_stream *s, const char *data, size_t size, struct json_object **ret)
{
        _cleanup_(json_object_putp) struct json_object *message = NULL;
        enum json_tokener_error e;
        size_t fits;

        fits = stream_measure(s, data, size);
        if (fits == 0 && size > 0)
                return -EMSGSIZE;
        message = json_tokener_parse_ex(s->tokener, data, (int) fits);
        e = json_tokener_get_error(s->tokener);
        if (e == json_tokener_continue) {
                s->midway = s->midway || !is_blank(data, fits);
                return fits < size ? -EMSGSIZE : (ssize_t) fits;
        }
        if (e != json_tokener_success || !json_object_is_type(message, json_type_object))
                return -EBADMSG;
        stream_message_ends(s);
        *ret = TAKE_PTR(message);
        return (ssize_t) json_tokener_get_parse_end(s->tokener);
}

int qmp_stream_feed(struct qmp_stream *s, uint64_t now_usec, const char *data, size_t size, qmp_message_fn fn,
                    void *userdata)
{
        int r;

        r = stream_account(s, now_usec, size, 0);
        if (r < 0)
                return r;
        while (size > 0) {
                _cleanup_(json_object_putp) struct json_object *message = NULL;
                ssize_t n;

                n = stream_parse(s, data, size, &message);
                if (n < 0)
                        return (int) n;
                data += n;
                size -= (size_t) n;
                if (!message)
                        continue;
                r = stream_account(s, now_usec, 0, 1);
                if (r < 0)
                        return r;
                r = fn(message, userdata);
                if (r < 0)
                        return r;
        }
        return 0;
}
