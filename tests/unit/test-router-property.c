/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Random stories. Events, switches, unplugging, losses, pauses in any order;
 * after each step the witness looks at everything that must always hold. A story
 * that fails is cut down to the steps it takes and printed as a scenario, ready
 * to be put into tests/scenario/.
 *
 *   PROPERTY_STEPS   how many (default 3000000)
 *   PROPERTY_SEED    where to begin (default 1) */

#include <inttypes.h>
#include <stdio.h>

#include "common/mem.h"
#include "tests/scenario/notation.h"
#include "tests/scenario/witness.h"

#define STORY_STEPS 1000
#define READ_EVENTS_MAX 5
#define SOURCES 4
#define GUESTS 3

/* Few keys, so that they meet: all chords, a guard pair, buttons, letters. Those
 * of the panic chord are the last ones. */
static const uint16_t keys[] = {
        KEY_LEFTCTRL, KEY_RIGHTCTRL, KEY_LEFTMETA, KEY_RIGHTMETA, KEY_F1,  KEY_A,         KEY_S,
        KEY_SCROLLLOCK, BTN_LEFT,    BTN_SIDE,     KEY_BACKSPACE, KEY_ESC, KEY_ENTER,
};
#define PANIC_KEYS 3

enum step_kind {
        STEP_READ,
        STEP_PLUG,
        STEP_UNPLUG,
        STEP_GUEST,
        STEP_REMOVE,
        STEP_READY,
        STEP_LOST,
        STEP_SWITCH,
        STEP_TOGGLE,
        STEP_NEXT,
        STEP_PAUSE,
        STEP_RESUME,
        STEP_IDENTIFY,
        STEP_WAIT,
        STEP_KINDS,
};

/* Of a hundred steps that are no read, how many are of the kind. Guests come
 * more often than they go. */
static const unsigned weights[STEP_KINDS] = {
        [STEP_PLUG] = 14,   [STEP_UNPLUG] = 4, [STEP_GUEST] = 10, [STEP_REMOVE] = 2, [STEP_READY] = 14,
        [STEP_LOST] = 3,    [STEP_SWITCH] = 12, [STEP_TOGGLE] = 5, [STEP_NEXT] = 5,  [STEP_PAUSE] = 1,
        [STEP_RESUME] = 20, [STEP_IDENTIFY] = 2, [STEP_WAIT] = 8,
};

struct step {
        enum step_kind kind;
        unsigned who; /* source, or guest; STEP_SWITCH: GUESTS is the host */
        unsigned usec; /* STEP_WAIT */
        unsigned actual; /* STEP_READ, STEP_PLUG: what is down, bits of keys[] */
        struct input_event events[READ_EVENTS_MAX + 1];
        unsigned n;
};

static const char *const source_names[SOURCES] = { "kb1", "kb2", "kb3", "mouse1" };
static const char *const guest_names[GUESTS] = { "win", "lin", "bsd" };

/* --- chance ------------------------------------------------------------------ */

/* xorshift64*, Vigna 2016 */
static uint64_t chance_state;

static unsigned chance(unsigned n)
{
        chance_state ^= chance_state >> 12;
        chance_state ^= chance_state << 25;
        chance_state ^= chance_state >> 27;
        return (unsigned) ((chance_state * UINT64_C(2685821657736338717)) >> 33) % n;
}

static struct input_event chance_event(void)
{
        unsigned dice = chance(100);
        uint16_t key = keys[chance(ARRAY_SIZE(keys) - (chance(4) ? PANIC_KEYS : 0))];

        if (dice < 46)
                return (struct input_event) { .type = EV_KEY, .code = key, .value = 1 };
        if (dice < 80)
                return (struct input_event) { .type = EV_KEY, .code = key, .value = 0 };
        if (dice < 84)
                return (struct input_event) { .type = EV_KEY, .code = key, .value = 2 };
        if (dice < 90)
                return (struct input_event) { .type = EV_REL, .code = REL_X, .value = 1 + (int) chance(9) };
        if (dice < 94)
                return (struct input_event) { .type = EV_MSC, .code = MSC_SCAN, .value = (int) chance(255) };
        if (dice < 95)
                return (struct input_event) { .type = EV_LED, .code = LED_CAPSL, .value = 1 };
        if (dice < 96)
                return (struct input_event) { .type = EV_SYN, .code = SYN_DROPPED };
        return (struct input_event) { .type = EV_SYN, .code = SYN_REPORT };
}

static unsigned chance_actual(void)
{
        unsigned few = chance(1u << ARRAY_SIZE(keys));

        few &= (1u << (ARRAY_SIZE(keys) - (chance(4) ? PANIC_KEYS : 0))) - 1;
        return few & chance(1u << ARRAY_SIZE(keys)) & chance(1u << ARRAY_SIZE(keys));
}

static struct step chance_step(void)
{
        struct step s = { .kind = STEP_READ, .actual = chance_actual() };
        unsigned dice = chance(100);

        if (chance(100) < 82) {
                s.who = chance(SOURCES);
                for (s.n = 0; s.n == 0 || (s.n < READ_EVENTS_MAX && chance(3) == 0); s.n++)
                        s.events[s.n] = chance_event();
                if (chance(40) > 0)
                        s.events[s.n++] = (struct input_event) { .type = EV_SYN, .code = SYN_REPORT };
                return s;
        }
        while (dice >= weights[s.kind])
                dice -= weights[s.kind++];
        s.who = s.kind == STEP_PLUG || s.kind == STEP_UNPLUG ? chance(SOURCES) : chance(GUESTS + (s.kind == STEP_SWITCH));
        s.usec = 1000 * chance(500);
        return s;
}

/* --- playing a story --------------------------------------------------------- */

static struct keyset actual_keys(unsigned bits)
{
        struct keyset set = { 0 };

        for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
                if (bits >> i & 1)
                        keyset_add(&set, keys[i]);
        return set;
}

static void set_up(struct witness *w)
{
        witness_init(w);
        w->router.double_tap_usec = 300000;
        w->router.toggle.hotkey = (struct hotkey) { 2, { KEY_LEFTCTRL, KEY_RIGHTCTRL }, false };
        w->router.next.hotkey = (struct hotkey) { 1, { KEY_SCROLLLOCK }, true };
        w->host.target.chord.hotkey = (struct hotkey) { 2, { KEY_F1, BTN_SIDE }, false };
        for (unsigned i = 0; i < SOURCES; i++)
                (void) snprintf(w->sources[i].name, sizeof(w->sources[i].name), "%s", source_names[i]);
}

static void add_guest(struct witness *w, unsigned i)
{
        static const struct hotkey hotkeys[GUESTS] = {
                { 2, { KEY_LEFTMETA, KEY_F1 }, false },
                { 3, { KEY_LEFTMETA, KEY_LEFTCTRL, KEY_S }, false },
                { 1, { KEY_RIGHTMETA }, true },
        };
        struct witness_target *t = &w->guests[i];

        w->usec += 1000000; /* its chord has not seen the last tap, the model has */
        (void) witness_add_guest(w, t, guest_names[i]);
        t->target.chord.hotkey = hotkeys[i];
        t->target.guard[0] = i == 2 ? KEY_LEFTCTRL : KEY_LEFTMETA;
        t->target.guard[1] = i == 2 ? KEY_RIGHTCTRL : KEY_RIGHTMETA;
}

/* False if the step makes no sense where it stands; then nothing is done. */
static bool play_on_source(struct witness *w, const struct step *step)
{
        struct witness_source *s = &w->sources[step->who];
        struct keyset actual = actual_keys(step->actual);

        if (s->plugged != (step->kind != STEP_PLUG))
                return false;
        if (step->kind == STEP_PLUG)
                witness_plug(w, s, &actual);
        else if (step->kind == STEP_UNPLUG)
                witness_unplug(w, s);
        else
                witness_read(w, s, step->events, step->n, &actual);
        return true;
}

static bool play_on_guest(struct witness *w, const struct step *step)
{
        struct witness_target *t = step->who == GUESTS ? &w->host : &w->guests[step->who];

        if (t->known != (step->kind != STEP_GUEST))
                return false;
        if (step->kind == STEP_GUEST)
                add_guest(w, step->who);
        else if (step->kind == STEP_REMOVE)
                witness_remove_guest(w, t, "removed");
        else if (step->kind == STEP_SWITCH)
                (void) router_switch(&w->router, &t->target, "request");
        else
                router_set_ready(&w->router, &t->target, step->kind == STEP_READY, "chance");
        return true;
}

static bool play_step(struct witness *w, const struct step *step)
{
        switch (step->kind) {
        case STEP_READ:
        case STEP_PLUG:
        case STEP_UNPLUG:
                return play_on_source(w, step);
        case STEP_GUEST:
        case STEP_REMOVE:
        case STEP_READY:
        case STEP_LOST:
        case STEP_SWITCH:
                return play_on_guest(w, step);
        case STEP_TOGGLE:
                (void) router_toggle(&w->router, "request");
                return true;
        case STEP_NEXT:
                (void) router_switch_next(&w->router, "request");
                return true;
        case STEP_PAUSE:
                witness_pause(w, "request");
                return true;
        case STEP_RESUME:
                router_resume(&w->router);
                return true;
        case STEP_IDENTIFY:
                router_identify(&w->router);
                return true;
        case STEP_WAIT:
                w->usec += step->usec;
                return true;
        case STEP_KINDS:
                break;
        }
        return false;
}

/* How many steps went well: all, or up to the one after which w->complaint is set.
 * The letting go of everything at the end counts to the last one. */
static unsigned play_story(struct witness *w, const struct step *steps, unsigned n)
{
        set_up(w);
        for (unsigned i = 0; i < n; i++) {
                (void) play_step(w, &steps[i]);
                w->router.n_notices = 0;
                if (!witness_check(w))
                        return i;
        }
        return n > 0 && !witness_finish(w) ? n - 1 : n;
}

/* --- a story that failed ----------------------------------------------------- */

/* Leaves out whatever can be left out, larger pieces first; returns how many stay. */
static unsigned shorten(struct witness *w, struct step *steps, unsigned n)
{
        static struct step tried[STORY_STEPS];

        for (unsigned piece = n / 2; piece > 0; piece /= 2)
                for (unsigned at = 0; at + piece <= n;) {
                        unsigned rest = n - piece, bad;

                        memcpy(tried, steps, at * sizeof(*steps));
                        memcpy(tried + at, steps + at + piece, (rest - at) * sizeof(*steps));
                        bad = play_story(w, tried, rest);
                        if (bad == rest) {
                                at += piece;
                                continue;
                        }
                        n = bad + 1;
                        memcpy(steps, tried, n * sizeof(*steps));
                }
        return n;
}

static void print_actual(unsigned bits)
{
        const char *comma = "";

        for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
                char name[HOTKEY_NAME_SIZE];

                if (!(bits >> i & 1))
                        continue;
                (void) hotkey_key_name(keys[i], name, sizeof(name));
                printf("%s%s", comma, name);
                comma = ",";
        }
}

static void print_read(const struct step *s)
{
        const struct input_event *last = &s->events[s->n - 1];

        printf("%s", source_names[s->who]);
        for (unsigned i = 0; i < s->n; i++) {
                const struct input_event *ev = &s->events[i];
                char word[NOTATION_EVENT_MAX];

                notation_format(ev, word);
                if (ev->type == EV_SYN && ev->code == SYN_DROPPED)
                        printf(" dropped");
                else if (ev->type != EV_SYN)
                        printf(" %s", word);
                else if (ev != last)
                        printf(" syn");
        }
        if (last->type != EV_SYN || last->code != SYN_REPORT)
                printf(" ...");
        printf(" now:");
        print_actual(s->actual);
}

static void print_guest(unsigned i)
{
        static const char *const hotkeys[GUESTS] = { "leftmeta f1", "leftmeta leftctrl s", "rightmeta rightmeta" };

        printf("wait 1000ms\nguest %s\nhotkey %s %s\nguard %s %s\nlost %s never seen", guest_names[i], guest_names[i],
               hotkeys[i], guest_names[i], i == 2 ? "leftctrl rightctrl" : "leftmeta rightmeta", guest_names[i]);
}

static void print_words(const struct step *s)
{
        static const char *const verbs[STEP_KINDS] = {
                [STEP_REMOVE] = "remove", [STEP_READY] = "ready", [STEP_SWITCH] = "switch",   [STEP_TOGGLE] = "toggle",
                [STEP_NEXT] = "next",     [STEP_PAUSE] = "pause", [STEP_RESUME] = "resume",   [STEP_IDENTIFY] = "identify",
        };

        switch (s->kind) {
        case STEP_READ:
                print_read(s);
                break;
        case STEP_PLUG:
                printf("plug %s ", source_names[s->who]);
                print_actual(s->actual);
                break;
        case STEP_UNPLUG:
                printf("unplug %s", source_names[s->who]);
                break;
        case STEP_GUEST:
                print_guest(s->who);
                break;
        case STEP_LOST:
                printf("lost %s chance", guest_names[s->who]);
                break;
        case STEP_REMOVE:
        case STEP_READY:
        case STEP_SWITCH:
                printf("%s %s", verbs[s->kind], s->who == GUESTS ? TARGET_HOST : guest_names[s->who]);
                break;
        case STEP_WAIT:
                printf("wait %ums", s->usec / 1000);
                break;
        case STEP_TOGGLE:
        case STEP_NEXT:
        case STEP_PAUSE:
        case STEP_RESUME:
        case STEP_IDENTIFY:
                printf("%s", verbs[s->kind]);
                break;
        case STEP_KINDS:
                break;
        }
}

static void report(struct witness *w, struct step *steps, unsigned n)
{
        printf("Failed: %s\n", w->complaint);
        n = shorten(w, steps, n);
        (void) play_story(w, steps, n);
        printf("In %u steps: %s\n\n== found by chance\ndoubletap 300ms\nhotkey toggle leftctrl rightctrl\n"
               "hotkey next scrolllock scrolllock\nhotkey host f1 btn_side\n",
               n, w->complaint);
        for (unsigned i = 0; i < n; i++) {
                print_words(&steps[i]);
                printf(" => *\n");
        }
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
        const char *s = getenv(name);

        return s && *s ? strtoull(s, NULL, 0) : otherwise;
}

int main(void)
{
        static struct witness w;
        static struct step steps[STORY_STEPS];
        uint64_t seed = from_environment("PROPERTY_SEED", 1), left = from_environment("PROPERTY_STEPS", 3000000);

        printf("1..1\n# PROPERTY_SEED=%" PRIu64 " PROPERTY_STEPS=%" PRIu64 "\n", seed, left);
        for (chance_state = seed * 2 + 1; left > 0;) {
                unsigned n = (unsigned) MIN(left, (uint64_t) STORY_STEPS), well;

                for (unsigned i = 0; i < n; i++)
                        steps[i] = chance_step();
                well = play_story(&w, steps, n);
                if (well < n) {
                        report(&w, steps, well + 1);
                        printf("not ok 1 - random stories\n");
                        return 1;
                }
                left -= n;
        }
        printf("ok 1 - random stories\n");
        return 0;
}
