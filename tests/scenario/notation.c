/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/scenario/notation.h"

#include <stdio.h>

#include "common/hotkey.h"
#include "common/mem.h"

static const struct {
        const char *name;
        uint16_t type, code;
        bool hex;
} axes[] = {
        { "x", EV_REL, REL_X, false },
        { "y", EV_REL, REL_Y, false },
        { "wheel", EV_REL, REL_WHEEL, false },
        { "hwheel", EV_REL, REL_HWHEEL, false },
        { "hires", EV_REL, REL_WHEEL_HI_RES, false },
        { "hhires", EV_REL, REL_HWHEEL_HI_RES, false },
        { "abs_x", EV_ABS, ABS_X, false },
        { "abs_y", EV_ABS, ABS_Y, false },
        { "scan", EV_MSC, MSC_SCAN, true },
        { "numl", EV_LED, LED_NUML, false },
        { "capsl", EV_LED, LED_CAPSL, false },
        { "scrolll", EV_LED, LED_SCROLLL, false },
        { "bell", EV_SND, SND_BELL, false },
};

/* What a key event begins with, by value. */
static const char key_marks[] = { '-', '+', '*' };

static int parse_key(const char *word, struct input_event *ret)
{
        for (int value = 0; value < (int) ARRAY_SIZE(key_marks); value++) {
                int code = word[0] == key_marks[value] ? hotkey_key_from_name(word + 1) : -EINVAL;

                if (code < 0)
                        continue;
                *ret = (struct input_event) { .type = EV_KEY, .code = (uint16_t) code, .value = value };
                return 0;
        }
        return -EINVAL;
}

int notation_parse(const char *word, struct input_event *ret)
{
        const char *colon = strchr(word, ':');
        char *end;
        long value;

        if (!colon)
                return parse_key(word, ret);
        value = strtol(colon + 1, &end, 0);
        if (end == colon + 1 || *end)
                return -EINVAL;
        for (size_t i = 0; i < ARRAY_SIZE(axes); i++) {
                if (strlen(axes[i].name) != (size_t) (colon - word) || !startswith(word, axes[i].name))
                        continue;
                *ret = (struct input_event) { .type = axes[i].type, .code = axes[i].code, .value = (int) value };
                return 0;
        }
        return -EINVAL;
}

void notation_format(const struct input_event *ev, char ret[NOTATION_EVENT_MAX])
{
        if (ev->type == EV_KEY && ev->value >= 0 && ev->value < (int) ARRAY_SIZE(key_marks)) {
                ret[0] = key_marks[ev->value];
                if (hotkey_key_name(ev->code, ret + 1, NOTATION_EVENT_MAX - 1) == 0)
                        return;
        }
        for (size_t i = 0; i < ARRAY_SIZE(axes); i++)
                if (ev->type == axes[i].type && ev->code == axes[i].code) {
                        (void) snprintf(ret, NOTATION_EVENT_MAX, axes[i].hex ? "%s:0x%x" : "%s:%d", axes[i].name,
                                        ev->value);
                        return;
                }
        (void) snprintf(ret, NOTATION_EVENT_MAX, "type%u/code%u:%d", ev->type, ev->code, ev->value);
}

void notation_format_frame(const struct input_event *events, unsigned n, char *ret, size_t size)
{
        size_t used = 0;

        ret[0] = '\0';
        for (unsigned i = 0; i < n && used < size; i++) {
                char word[NOTATION_EVENT_MAX];

                if (events[i].type == EV_SYN && events[i].code == SYN_REPORT)
                        continue;
                notation_format(&events[i], word);
                used += (size_t) snprintf(ret + used, size - used, "%s%s", used ? " " : "", word);
        }
}
