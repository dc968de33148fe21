/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Plays one step of a scenario: words in, outputs out. README.md has the words. */

#include "tests/scenario/witness.h"

#define PLAY_WORDS_MAX 160
#define PLAY_OUTPUTS_MAX 64
#define PLAY_TEXT_MAX 8192 /* of one step, or one output */

/* Outputs of a step, one string each; all owned. */
struct outputs {
        char *items[PLAY_OUTPUTS_MAX];
        unsigned n;
};

/* Takes the string over. */
void outputs_add(struct outputs *o, char *s);
void outputs_clear(struct outputs *o);

struct play {
        struct witness witness;
        struct outputs got; /* of the last step */
        int result; /* of its request; 0: none, or done */
};

void play_init(struct play *p);
void play_clear(struct play *p);
/* 0; -EINVAL if the step makes no sense. The text is cut up. */
int play_step(struct play *p, char *text);

/* Cuts the text into words; returns how many. */
unsigned play_split(char *text, char *words[PLAY_WORDS_MAX]);
/* The words with one space between them. */
void play_join(char **words, unsigned n, char *ret, size_t size);
