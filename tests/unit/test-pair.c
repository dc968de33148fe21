/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How a frame is split between the keyboard and the pointer of a guest. */

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "daemon/input/pair.h"

#define GUARD 0x5a5a

/* Both halves of a split frame, with room that must stay untouched behind. */
struct halves {
        struct input_event keyboard[PAIR_EVENTS_MAX + 1], pointer[PAIR_EVENTS_MAX + 1];
        unsigned n_keyboard, n_pointer;
};

static struct input_event event(unsigned type, unsigned code, int value)
{
        return (struct input_event) { .type = (uint16_t) type, .code = (uint16_t) code, .value = value };
}

static const struct input_event report = { .type = EV_SYN, .code = SYN_REPORT };

/* Each frame has something in it and one SYN_REPORT, at its end. */
static void check_frames(const struct input_event *events, unsigned n)
{
        unsigned length = 0;

        if (n == 0)
                return;
        for (unsigned i = 0; i < n; i++) {
                if (events[i].type != EV_SYN) {
                        length++;
                        continue;
                }
                assert_int_equal(events[i].code, SYN_REPORT);
                assert_true(length > 0);
                length = 0;
        }
        assert_int_equal(events[n - 1].type, EV_SYN);
}

static void split(const struct input_event *events, unsigned n, struct halves *ret)
{
        *ret = (struct halves) { .n_keyboard = UINT_MAX, .n_pointer = UINT_MAX };
        ret->keyboard[PAIR_EVENTS_MAX].type = ret->pointer[PAIR_EVENTS_MAX].type = GUARD;
        pair_split(events, n, ret->keyboard, &ret->n_keyboard, ret->pointer, &ret->n_pointer);
        assert_in_range(ret->n_keyboard, 0, PAIR_EVENTS_MAX);
        assert_in_range(ret->n_pointer, 0, PAIR_EVENTS_MAX);
        assert_int_equal(ret->keyboard[PAIR_EVENTS_MAX].type, GUARD);
        assert_int_equal(ret->pointer[PAIR_EVENTS_MAX].type, GUARD);
        check_frames(ret->keyboard, ret->n_keyboard);
        check_frames(ret->pointer, ret->n_pointer);
}

static void assert_events(const struct input_event *got, unsigned n_got, const struct input_event *want, unsigned n_want)
{
        assert_int_equal(n_got, n_want);
        for (unsigned i = 0; i < n_want; i++) {
                assert_int_equal(got[i].type, want[i].type);
                assert_int_equal(got[i].code, want[i].code);
                assert_int_equal(got[i].value, want[i].value);
        }
}

#define SPLIT(ret, ...)                                                                            \
        do {                                                                                       \
                const struct input_event in_[] = { __VA_ARGS__ };                                  \
                split(in_, (unsigned) ARRAY_SIZE(in_), (ret));                                     \
        } while (0)
#define ASSERT_KEYBOARD(h, ...)                                                                    \
        do {                                                                                       \
                const struct input_event want_[] = { __VA_ARGS__ };                                \
                assert_events((h).keyboard, (h).n_keyboard, want_, (unsigned) ARRAY_SIZE(want_));  \
        } while (0)
#define ASSERT_POINTER(h, ...)                                                                     \
        do {                                                                                       \
                const struct input_event want_[] = { __VA_ARGS__ };                                \
                assert_events((h).pointer, (h).n_pointer, want_, (unsigned) ARRAY_SIZE(want_));    \
        } while (0)

static void test_key_goes_to_keyboard(void **state)
{
        struct halves h;

        SPLIT(&h, event(EV_KEY, KEY_A, 1), report);
        ASSERT_KEYBOARD(h, event(EV_KEY, KEY_A, 1), report);
        assert_int_equal(h.n_pointer, 0);
}

static void test_button_and_motion_go_to_pointer(void **state)
{
        struct halves h;

        SPLIT(&h, event(EV_KEY, BTN_LEFT, 0), event(EV_REL, REL_X, -7), event(EV_REL, REL_Y, 300), report);
        ASSERT_POINTER(h, event(EV_KEY, BTN_LEFT, 0), event(EV_REL, REL_X, -7), event(EV_REL, REL_Y, 300), report);
        assert_int_equal(h.n_keyboard, 0);
}

static void test_mixed_frame_goes_to_both(void **state)
{
        struct halves h;

        SPLIT(&h, event(EV_KEY, KEY_LEFTSHIFT, 0), event(EV_REL, REL_X, 1), event(EV_KEY, KEY_Q, 0),
              event(EV_KEY, BTN_SIDE, 0), report);
        ASSERT_KEYBOARD(h, event(EV_KEY, KEY_LEFTSHIFT, 0), event(EV_KEY, KEY_Q, 0), report);
        ASSERT_POINTER(h, event(EV_REL, REL_X, 1), event(EV_KEY, BTN_SIDE, 0), report);
}

/* Every code goes one way, the same for press and release, or nowhere. */
static void test_every_code(void **state)
{
        unsigned keyboard = 0, pointer = 0;

        for (unsigned code = 0; code < KEY_CNT; code++) {
                struct halves press, release;

                SPLIT(&press, event(EV_KEY, code, 1), report);
                SPLIT(&release, event(EV_KEY, code, 0), report);
                assert_int_equal(press.n_keyboard, release.n_keyboard);
                assert_int_equal(press.n_pointer, release.n_pointer);
                assert_false(press.n_keyboard > 0 && press.n_pointer > 0);
                keyboard += press.n_keyboard > 0;
                pointer += press.n_pointer > 0;
        }
        assert_true(keyboard > 400);
        assert_true(pointer >= 16);
}

static void test_edges_between_keys_and_buttons(void **state)
{
        static const struct {
                unsigned code;
                bool keyboard, pointer;
        } cases[] = {
                { KEY_MICMUTE, true, false },    { BTN_MISC, false, true },          { BTN_LEFT, false, true },
                { BTN_TASK, false, true },       { BTN_JOYSTICK, false, false },     { BTN_SOUTH, false, false },
                { BTN_TOOL_PEN, false, false },  { BTN_TOUCH, false, false },        { BTN_GEAR_UP, false, false },
                { KEY_OK, true, false },         { KEY_FN_ESC, true, false },        { BTN_DPAD_UP, false, false },
                { BTN_DPAD_RIGHT, false, false }, { KEY_ALS_TOGGLE, true, false },   { KEY_MACRO1, true, false },
                { BTN_TRIGGER_HAPPY, false, false }, { KEY_MAX, false, false },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct halves h;

                SPLIT(&h, event(EV_KEY, cases[i].code, 1), report);
                assert_int_equal(h.n_keyboard, cases[i].keyboard ? 2 : 0);
                assert_int_equal(h.n_pointer, cases[i].pointer ? 2 : 0);
        }
}

static void test_nothing_for_a_guest(void **state)
{
        struct halves h;

        SPLIT(&h, event(EV_MSC, MSC_SCAN, 0x70004), event(EV_ABS, ABS_X, 100), event(EV_ABS, ABS_VOLUME, 3),
              event(EV_LED, LED_CAPSL, 1), event(EV_SW, SW_LID, 1), event(EV_KEY, BTN_SOUTH, 1), report);
        assert_int_equal(h.n_keyboard, 0);
        assert_int_equal(h.n_pointer, 0);

        SPLIT(&h, report);
        assert_int_equal(h.n_keyboard, 0);
        assert_int_equal(h.n_pointer, 0);
}

static void test_scan_codes_are_left_out(void **state)
{
        struct halves h;

        SPLIT(&h, event(EV_MSC, MSC_SCAN, 0x70004), event(EV_KEY, KEY_A, 1), event(EV_MSC, MSC_SCAN, 0x90001),
              event(EV_KEY, BTN_LEFT, 1), report);
        ASSERT_KEYBOARD(h, event(EV_KEY, KEY_A, 1), report);
        ASSERT_POINTER(h, event(EV_KEY, BTN_LEFT, 1), report);
}

static void test_one_click_is_one_frame(void **state)
{
        struct halves h;

        SPLIT(&h, event(EV_REL, REL_WHEEL, 1), event(EV_REL, REL_WHEEL_HI_RES, 120), report);
        ASSERT_POINTER(h, event(EV_REL, REL_WHEEL, 1), event(EV_REL, REL_WHEEL_HI_RES, 120), report);

        SPLIT(&h, event(EV_REL, REL_HWHEEL, -1), report);
        ASSERT_POINTER(h, event(EV_REL, REL_HWHEEL, -1), report);
}

static void test_three_clicks_are_three_frames(void **state)
{
        struct halves h;

        SPLIT(&h, event(EV_REL, REL_X, 5), event(EV_REL, REL_WHEEL, 3), event(EV_REL, REL_WHEEL_HI_RES, 360), report);
        ASSERT_POINTER(h, event(EV_REL, REL_X, 5), event(EV_REL, REL_WHEEL, 1), event(EV_REL, REL_WHEEL_HI_RES, 360),
                       report, event(EV_REL, REL_WHEEL, 1), report, event(EV_REL, REL_WHEEL, 1), report);

        SPLIT(&h, event(EV_REL, REL_WHEEL, -3), report);
        ASSERT_POINTER(h, event(EV_REL, REL_WHEEL, -1), report, event(EV_REL, REL_WHEEL, -1), report,
                       event(EV_REL, REL_WHEEL, -1), report);
}

/* Clicks of one wheel in the half, and that each is a single step. */
static int clicks(const struct halves *h, unsigned axis)
{
        int sum = 0;

        for (unsigned i = 0; i < h->n_pointer; i++)
                if (h->pointer[i].type == EV_REL && h->pointer[i].code == axis) {
                        assert_in_range(abs(h->pointer[i].value), 0, 1);
                        sum += h->pointer[i].value;
                }
        return sum;
}

static void test_wild_clicks_are_bounded(void **state)
{
        static const int values[] = { 15, 16, 17, 1000, INT_MAX };
        struct halves h;

        for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
                int want = MIN(values[i], PAIR_WHEEL_CLICKS_MAX);

                SPLIT(&h, event(EV_REL, REL_WHEEL, values[i]), report);
                assert_int_equal(clicks(&h, REL_WHEEL), want);
                SPLIT(&h, event(EV_REL, REL_HWHEEL, -values[i]), report);
                assert_int_equal(clicks(&h, REL_HWHEEL), -want);
        }
        SPLIT(&h, event(EV_REL, REL_WHEEL, INT_MIN), report);
        assert_int_equal(clicks(&h, REL_WHEEL), -PAIR_WHEEL_CLICKS_MAX);
}

/* No click of either wheel is lost, whichever comes first. */
static void test_both_wheels_in_a_frame(void **state)
{
        struct halves h;

        SPLIT(&h, event(EV_REL, REL_WHEEL, 3), event(EV_REL, REL_HWHEEL, -2), report);
        assert_int_equal(clicks(&h, REL_WHEEL), 3);
        assert_int_equal(clicks(&h, REL_HWHEEL), -2);

        SPLIT(&h, event(EV_REL, REL_HWHEEL, 4), event(EV_REL, REL_WHEEL, -3), report);
        assert_int_equal(clicks(&h, REL_WHEEL), -3);
        assert_int_equal(clicks(&h, REL_HWHEEL), 4);

        SPLIT(&h, event(EV_REL, REL_WHEEL, 1), event(EV_REL, REL_HWHEEL, 1), report);
        ASSERT_POINTER(h, event(EV_REL, REL_WHEEL, 1), event(EV_REL, REL_HWHEEL, 1), report);

        SPLIT(&h, event(EV_REL, REL_HWHEEL, INT_MAX), event(EV_REL, REL_WHEEL, INT_MIN), report);
        assert_int_equal(clicks(&h, REL_WHEEL), -PAIR_WHEEL_CLICKS_MAX);
        assert_int_equal(clicks(&h, REL_HWHEEL), PAIR_WHEEL_CLICKS_MAX);
}

/* The kernel never repeats an axis in a frame; a longer one must not overflow. */
static void test_longest_frame(void **state)
{
        struct input_event in[FRAME_EVENTS_MAX];
        struct halves h;

        for (unsigned i = 0; i < FRAME_EVENTS_MAX - 1; i++)
                in[i] = event(EV_REL, i % 2 ? REL_WHEEL : REL_HWHEEL, INT_MAX);
        in[FRAME_EVENTS_MAX - 1] = report;
        split(in, FRAME_EVENTS_MAX, &h);

        for (unsigned i = 0; i < FRAME_EVENTS_MAX - 1; i++)
                in[i] = event(EV_KEY, KEY_A + i % 8, 0);
        split(in, FRAME_EVENTS_MAX, &h);
        assert_int_equal(h.n_keyboard, FRAME_EVENTS_MAX);
}

/* ---- random frames ---- */

static uint32_t next_random(uint32_t *seed)
{
        *seed = *seed * 1664525u + 1013904223u;
        return *seed >> 8;
}

static struct input_event random_event(uint32_t *seed, unsigned *wheels)
{
        static const unsigned types[] = { EV_KEY, EV_KEY, EV_KEY, EV_REL, EV_MSC, EV_ABS, EV_LED };
        unsigned type = types[next_random(seed) % ARRAY_SIZE(types)], code;

        if (type == EV_KEY)
                return event(type, next_random(seed) % KEY_CNT, (int) (next_random(seed) % 2));
        code = next_random(seed) % REL_CNT;
        if (type == EV_REL && (code == REL_WHEEL || code == REL_HWHEEL)) {
                if (*wheels & (1u << code))
                        code = REL_X;
                *wheels |= 1u << code;
        }
        return event(type, code, (int) (next_random(seed) % 64) - 32);
}

static unsigned count(const struct input_event *events, unsigned n, const struct input_event *what)
{
        unsigned found = 0;

        for (unsigned i = 0; i < n; i++)
                found += events[i].type == what->type && events[i].code == what->code && events[i].value == what->value;
        return found;
}

/* What the nodes have comes out as often as it went in, in the same half. */
static void check_complete(const struct input_event *in, unsigned n, const struct halves *h)
{
        for (unsigned i = 0; i < n; i++) {
                bool wheel = in[i].type == EV_REL && (in[i].code == REL_WHEEL || in[i].code == REL_HWHEEL);
                unsigned want = count(in, n, &in[i]);
                unsigned keyboard = count(h->keyboard, h->n_keyboard, &in[i]);
                unsigned pointer = count(h->pointer, h->n_pointer, &in[i]);

                if (wheel)
                        assert_int_equal(abs(clicks(h, in[i].code)), MIN(abs(in[i].value), PAIR_WHEEL_CLICKS_MAX));
                else if (in[i].type == EV_REL)
                        assert_int_equal(pointer, want);
                else if (in[i].type == EV_KEY)
                        assert_true((keyboard == want && pointer == 0) || (pointer == want && keyboard == 0) ||
                                    (keyboard == 0 && pointer == 0 && in[i].code >= BTN_JOYSTICK));
                else if (in[i].type != EV_SYN)
                        assert_int_equal(keyboard + pointer, 0);
        }
}

static void test_random_frames(void **state)
{
        struct input_event in[FRAME_EVENTS_MAX];
        uint32_t seed = 1;

        for (unsigned round = 0; round < 5000; round++) {
                unsigned n = next_random(&seed) % FRAME_EVENTS_MAX, wheels = 0;
                struct halves h;

                for (unsigned i = 0; i < n; i++)
                        in[i] = random_event(&seed, &wheels);
                in[n++] = report;
                split(in, n, &h);
                check_complete(in, n, &h);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_key_goes_to_keyboard),
                cmocka_unit_test(test_button_and_motion_go_to_pointer),
                cmocka_unit_test(test_mixed_frame_goes_to_both),
                cmocka_unit_test(test_every_code),
                cmocka_unit_test(test_edges_between_keys_and_buttons),
                cmocka_unit_test(test_nothing_for_a_guest),
                cmocka_unit_test(test_scan_codes_are_left_out),
                cmocka_unit_test(test_one_click_is_one_frame),
                cmocka_unit_test(test_three_clicks_are_three_frames),
                cmocka_unit_test(test_wild_clicks_are_bounded),
                cmocka_unit_test(test_both_wheels_in_a_frame),
                cmocka_unit_test(test_longest_frame),
                cmocka_unit_test(test_random_frames),
        };

        return cmocka_run_group_tests_name("pair", tests, NULL, NULL);
}
