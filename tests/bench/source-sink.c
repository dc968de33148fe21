/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Both ends of a forwarder, with one clock: makes a mouse and a keyboard, sends
 * frames with them, and reads the forwarder's node.
 *
 *   source-sink
 *
 * prints {"mouse": PATH, "keyboard": PATH}, then obeys the lines of its standard
 * input and answers each one with a line of JSON. Times are nanoseconds.
 *
 *   run motion|keys PACE WARM-UP FRAMES POLICY NODE PID
 *       PACE    frames a second, sent whether the last one has come or not; or 0,
 *               ping-pong: each one is sent when the last one has been read
 *       POLICY  other, or rt: the sender above the forwarder's priority and the
 *               reader below it, as interrupt and application are
 *       NODE    where the frames come out; "-": the source's own node
 *       PID     the forwarder, whose use of the machine is reported; 0: none
 *   chord together|after POINTER KEYBOARD PID
 *       plays left Ctrl + right Ctrl and one frame of motion. POINTER: of the
 *       target that becomes active; KEYBOARD: of the one that was.
 *       together: the motion is there when the forwarder reads the chord;
 *       after: it is sent by an ordinary process that goes on when it can
 *   press KEY...
 *       presses keys (numbers of input-event-codes.h), releases them in reverse
 *
 * The reader grabs what it reads, so that no other reader is woken, and counted. */

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>

#include "common/mem.h"
#include "tests/bench/node.h"
#include "tests/bench/sink.h"
#include "tests/bench/usage.h"

#define SENDER_PRIORITY 20
#define READER_PRIORITY 5
#define PATIENCE 10 /* seconds until a frame that has not come is lost */
#define NSEC_PER_SEC UINT64_C(1000000000)

struct run {
        enum traffic traffic;
        unsigned hz, warm_up, frames;
        bool realtime;
        char output[64];
        int pid;
};

struct bench {
        struct node mouse, keyboard;
        uint64_t sent_ns[TRAFFIC_FRAMES_MAX], got_ns[TRAFFIC_FRAMES_MAX];
};

static void set_ordinary(void)
{
        const struct sched_param param = { 0 };

        (void) sched_setscheduler(0, SCHED_OTHER, &param);
}

static void send_frame(const struct node *n, const struct input_event *events, size_t count)
{
        if (write(n->fd, events, count * sizeof(events[0])) < 0)
                die(-errno, n->path);
}

static void send_numbered(struct bench *b, enum traffic t, unsigned seq)
{
        struct input_event events[TRAFFIC_EVENTS];

        traffic_frame(t, seq, events);
        b->sent_ns[seq] = now_ns();
        send_frame(t == TRAFFIC_MOTION ? &b->mouse : &b->keyboard, events, TRAFFIC_EVENTS);
}

/* The signal does nothing but end a read(2) that waits for ever. */
static void on_alarm(int signal_number _unused_)
{
}

static void ping_pong(struct bench *b, struct sink *s)
{
        (void) alarm(PATIENCE);
        for (unsigned seq = 0; seq < s->n_frames; seq++) {
                send_numbered(b, s->traffic, seq);
                while (s->next <= seq)
                        if (sink_read(s) < 0)
                                return;
        }
        (void) alarm(0);
}

struct reader {
        struct sink *sink;
        bool realtime;
};

static void *read_all(void *userdata)
{
        struct reader *r = userdata;

        if (r->realtime)
                (void) set_realtime(READER_PRIORITY);
        while (r->sink->next < r->sink->n_frames)
                if (sink_read(r->sink) < 0)
                        break;
        return NULL;
}

static void paced(struct bench *b, struct sink *s, const struct run *run)
{
        struct reader reader = { .sink = s, .realtime = run->realtime };
        const uint64_t start = now_ns() + NSEC_PER_SEC / 100;
        struct timespec deadline;
        pthread_t thread;

        if (pthread_create(&thread, NULL, read_all, &reader) != 0)
                die(-EAGAIN, "thread");
        for (unsigned seq = 0; seq < s->n_frames; seq++) {
                const uint64_t due = start + seq * NSEC_PER_SEC / run->hz;
                const struct timespec t = { .tv_sec = (time_t) (due / NSEC_PER_SEC),
                                            .tv_nsec = (long) (due % NSEC_PER_SEC) };

                (void) clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
                send_numbered(b, s->traffic, seq);
        }
        (void) clock_gettime(CLOCK_REALTIME, &deadline);
        deadline.tv_sec += PATIENCE;
        if (pthread_timedjoin_np(thread, NULL, &deadline) == 0)
                return;
        (void) pthread_kill(thread, SIGALRM);
        (void) pthread_join(thread, NULL);
}

static struct sink play(struct bench *b, const struct run *run, int fd, unsigned frames)
{
        struct sink s = { .fd = fd, .traffic = run->traffic, .n_frames = frames, .got_ns = b->got_ns };

        memset(b->got_ns, 0, frames * sizeof(b->got_ns[0]));
        if (run->hz == 0)
                ping_pong(b, &s);
        else
                paced(b, &s, run);
        return s;
}

static int compare(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

/* Turns got_ns into sorted latencies; returns how many. */
static unsigned latencies(struct bench *b, unsigned frames)
{
        unsigned n = 0;

        for (unsigned seq = 0; seq < frames; seq++)
                if (b->got_ns[seq] > 0)
                        b->got_ns[n++] = b->got_ns[seq] - b->sent_ns[seq];
        qsort(b->got_ns, n, sizeof(b->got_ns[0]), compare);
        return n;
}

static uint64_t percentile(const uint64_t *sorted, unsigned n, unsigned percent)
{
        return n == 0 ? 0 : sorted[MIN((uint64_t) n - 1, (uint64_t) n * percent / 100)];
}

static void report(struct bench *b, const struct sink *s, const struct usage *before, const struct usage *after)
{
        unsigned n = latencies(b, s->n_frames);

        (void) printf("{\"sent\": %u, \"received\": %u, \"lost\": %u, \"split\": %u, \"disorder\": %u, "
                      "\"reader_dropped\": %u, \"p50\": %" PRIu64 ", \"p90\": %" PRIu64 ", \"p99\": %" PRIu64
                      ", \"max\": %" PRIu64 ", ",
                      s->n_frames, s->received, s->n_frames - s->received, s->split, s->disorder, s->dropped,
                      percentile(b->got_ns, n, 50), percentile(b->got_ns, n, 90), percentile(b->got_ns, n, 99),
                      percentile(b->got_ns, n, 100));
        (void) printf("\"cpu\": %" PRIu64 ", \"waits\": %" PRIu64 ", \"preempted\": %" PRIu64 ", \"rss_kb\": %" PRIu64
                      "}\n",
                      after->cpu_ns - before->cpu_ns, after->waits - before->waits,
                      after->preempted - before->preempted, after->rss_kb);
}

static void command_run(struct bench *b, const struct run *run)
{
        const struct node *own = run->traffic == TRAFFIC_MOTION ? &b->mouse : &b->keyboard;
        const char *path = strcmp(run->output, "-") == 0 ? own->path : run->output;
        _autoclose_ int fd = node_grab(path, 0);
        struct usage before, after;
        struct sink s;

        if (fd < 0)
                die(fd, path);
        if (run->realtime && set_realtime(SENDER_PRIORITY) < 0)
                die(-errno, "SCHED_RR");
        s = play(b, run, fd, run->warm_up);
        before = usage_read(run->pid);
        if (s.received == run->warm_up)
                s = play(b, run, fd, run->frames);
        after = usage_read(run->pid);
        set_ordinary();
        report(b, &s, &before, &after);
}

static void send_key(struct bench *b, unsigned key, int value)
{
        const struct input_event events[] = {
                { .type = EV_MSC, .code = MSC_SCAN, .value = (int) key },
                { .type = EV_KEY, .code = (uint16_t) key, .value = value },
                { .type = EV_SYN, .code = SYN_REPORT },
        };

        send_frame(&b->keyboard, events, ARRAY_SIZE(events));
}

static void wait_key(int fd, unsigned key, int value)
{
        struct input_event events[64];

        (void) alarm(PATIENCE);
        for (;;) {
                ssize_t size = read(fd, events, sizeof(events));

                if (size < 0)
                        die(-errno, "waiting for a key");
                for (size_t i = 0; i < (size_t) size / sizeof(events[0]); i++)
                        if (events[i].type == EV_KEY && events[i].code == key && events[i].value == value) {
                                (void) alarm(0);
                                return;
                        }
        }
}

static unsigned count_keys_down(int fd)
{
        unsigned char bits[KEY_CNT / 8] = { 0 };
        unsigned n = 0;

        if (ioctl(fd, EVIOCGKEY(sizeof(bits)), bits) < 0)
                die(-errno, "EVIOCGKEY");
        for (size_t i = 0; i < sizeof(bits); i++)
                n += (unsigned) __builtin_popcount(bits[i]);
        return n;
}

static void command_chord(struct bench *b, bool together, const char *pointer_path, const char *keyboard_path,
                          pid_t pid)
{
        _autoclose_ int pointer = node_grab(pointer_path, 0), keyboard = node_grab(keyboard_path, 0);
        struct sink s = { .fd = pointer, .traffic = TRAFFIC_MOTION, .n_frames = 1, .got_ns = b->got_ns };
        struct usage before, after;
        uint64_t start;
        int r = 0;

        if (pointer < 0 || keyboard < 0)
                die(MIN(pointer, keyboard), "cannot grab a target's nodes");
        send_key(b, KEY_LEFTCTRL, 1);
        wait_key(keyboard, KEY_LEFTCTRL, 1);
        before = usage_read(pid);
        if (together && set_realtime(SENDER_PRIORITY) < 0)
                die(-errno, "SCHED_RR");

        start = now_ns();
        send_key(b, KEY_RIGHTCTRL, 1);
        send_numbered(b, TRAFFIC_MOTION, 0);
        (void) alarm(PATIENCE);
        while (s.received == 0 && r == 0)
                r = sink_read(&s);
        (void) alarm(0);
        set_ordinary();
        if (r < 0)
                die(r, "no frame on the new target");

        wait_key(keyboard, KEY_LEFTCTRL, 0);
        send_key(b, KEY_RIGHTCTRL, 0);
        send_key(b, KEY_LEFTCTRL, 0);
        after = usage_read(pid);
        (void) printf("{\"first_frame\": %" PRIu64 ", \"split\": %u, \"keys_left\": %u, \"cpu\": %" PRIu64 "}\n",
                      b->got_ns[0] - start, s.split, count_keys_down(keyboard), after.cpu_ns - before.cpu_ns);
}

#define PRESS_MAX 8

static bool command_press(struct bench *b, const char *line)
{
        unsigned keys[PRESS_MAX], n = 0;
        int length;

        for (; n < PRESS_MAX && sscanf(line, "%u%n", &keys[n], &length) == 1; n++)
                line += length;
        for (unsigned i = 0; i < n; i++)
                send_key(b, keys[i], 1);
        for (unsigned i = n; i-- > 0;)
                send_key(b, keys[i], 0);
        (void) printf("{\"pressed\": %u}\n", n);
        return n > 0;
}

static bool obey(struct bench *b, const char *line)
{
        char word[16], policy[16], pointer[64], keyboard[64];
        struct run run = { 0 };

        if (sscanf(line, "run %15s %u %u %u %15s %63s %d", word, &run.hz, &run.warm_up, &run.frames, policy, run.output,
                   &run.pid) == 7) {
                run.traffic = strcmp(word, "keys") == 0 ? TRAFFIC_KEYS : TRAFFIC_MOTION;
                run.realtime = strcmp(policy, "rt") == 0;
                if (MAX(run.frames, run.warm_up) > TRAFFIC_FRAMES_MAX || run.warm_up % 2 != 0)
                        return false; /* odd: a key would stay down */
                command_run(b, &run);
                return true;
        }
        if (sscanf(line, "chord %15s %63s %63s %d", word, pointer, keyboard, &run.pid) == 4) {
                command_chord(b, strcmp(word, "together") == 0, pointer, keyboard, run.pid);
                return true;
        }
        return strncmp(line, "press ", strlen("press ")) == 0 && command_press(b, line + strlen("press "));
}

int main(void)
{
        static struct bench b;
        const struct sigaction alarmed = { .sa_handler = on_alarm };
        char line[256];
        int r;

        (void) sigaction(SIGALRM, &alarmed, NULL);
        r = node_create(NODE_MOUSE, "bench mouse", "bench/0", &b.mouse);
        if (r >= 0)
                r = node_create(NODE_KEYBOARD, "bench keyboard", "bench/1", &b.keyboard);
        if (r < 0)
                die(r, "uinput");
        (void) printf("{\"mouse\": \"%s\", \"keyboard\": \"%s\"}\n", b.mouse.path, b.keyboard.path);
        (void) fflush(stdout);
        while (fgets(line, sizeof(line), stdin)) {
                if (!obey(&b, line)) {
                        (void) fprintf(stderr, "source-sink: not understood: %s", line);
                        return 2;
                }
                (void) fflush(stdout);
        }
        return EXIT_SUCCESS;
}
