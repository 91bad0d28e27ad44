/* SPDX-License-Identifier: Apache-2.0
 *
 * masksketch_recipe.h - what a recipe is made of. Part of masksketch.h, which has the functions;
 * apart from it because it grows with every key, and because most programs set a key by its name.
 * docs/recipes.md says what each does. */
#ifndef MASKSKETCH_RECIPE_H
#define MASKSKETCH_RECIPE_H

#include <stddef.h>

#define MSK_MAX_LAYERS 64    /* structure layers that a recipe can name */
#define MSK_MAX_STEPS 10000  /* of a recipe, and of its tail */
#define MSK_MAX_GUIDANCE 100 /* guidance scale */

/* How the mask rate falls over the steps. */
typedef enum msk_schedule {
  MSK_SCHEDULE_UNIFORM = 0,
  MSK_SCHEDULE_COSINE,
  MSK_SCHEDULE_POW,
  MSK_SCHEDULE_LOG,
  MSK_SCHEDULE_EXP
} msk_schedule;
/* What the passes that draw see at masked places: the mask token (the published way), or the
 * sketch's own token, for models trained to read it there. */
typedef enum msk_placeholder { MSK_PLACEHOLDER_MASK = 0, MSK_PLACEHOLDER_SKETCH } msk_placeholder;
/* Of two attention rows; CROSS_ENTROPY is the authors', symmetric too. */
typedef enum msk_distance {
  MSK_DISTANCE_CROSS_ENTROPY = 0,
  MSK_DISTANCE_SYMMETRIC_KL,
  MSK_DISTANCE_JENSEN_SHANNON
} msk_distance;
/* What guidance moves away from: a random other class for each item and step; the null class; the
 * null class without the sketch at masked places. */
typedef enum msk_unconditional {
  MSK_UNCONDITIONAL_RANDOM = 0,
  MSK_UNCONDITIONAL_NULL,
  MSK_UNCONDITIONAL_NOTHING
} msk_unconditional;
/* The share of the guidance scale that acts when a share p of the steps is taken: 1; p;
 * (1 - cos(pi p^2)) / 2; 0 in the first half and 1 in the second. */
typedef enum msk_guidance_schedule {
  MSK_GUIDANCE_CONSTANT = 0,
  MSK_GUIDANCE_LINEAR,
  MSK_GUIDANCE_POWER_COSINE,
  MSK_GUIDANCE_LATE
} msk_guidance_schedule;
/* What chooses the places to keep: confidence, the Halton sequence, lots. */
typedef enum msk_order { MSK_ORDER_CONFIDENCE = 0, MSK_ORDER_HALTON, MSK_ORDER_RANDOM } msk_order;
/* What draw may mask again: any token, by its present probability; only those that the step drew;
 * any, by the probability that it had when drawn. */
typedef enum msk_remask { MSK_REMASK_ANY = 0, MSK_REMASK_DRAWN, MSK_REMASK_RECORDED } msk_remask;
/* The noise of the tokens that one step draws: of its own at every place, or the same at all of
 * them (common random numbers), so that places with like logits draw alike. */
typedef enum msk_token_noise {
  MSK_TOKEN_NOISE_INDEPENDENT = 0,
  MSK_TOKEN_NOISE_COMMON
} msk_token_noise;
/* A named row of settings, set directly or by key with msk_recipe_set(). */
typedef struct msk_recipe {
  size_t size;
  char name[32];
  int official;   /* 1: the authors' code to the token, its defects included */
  int steps;      /* 1..MSK_MAX_STEPS */
  int start_step; /* 0..steps-1: first step taken (editing) */
  msk_schedule schedule;
  double schedule_power;                                /* X of "powX" */
  double lambda_structure;                              /* 0..1: share re-masked by structure */
  double min_mask_rate, max_mask_rate;                  /* 0..1 */
  double temperature_structure, temperature_confidence; /* Gumbel noise on the scores, 0..100 */
  double token_temperature;                             /* of the categorical, > 0 .. 10 */
  double start_temperature;    /* token_temperature of the first step, falling linearly ... */
  int start_temperature_steps; /* ... over so many steps; 0 and 0: the same in all */
  double choice_temperature;   /* MaskGIT's tau, 0..100 */
  double guidance;             /* 0..MSK_MAX_GUIDANCE */
  msk_guidance_schedule guidance_schedule;
  double guidance_skip;    /* 0..1: no unconditional pass where a smaller share of guidance acts */
  int unconditional_every; /* 1..1000: made in every k-th step; its logits serve the others */
  msk_unconditional unconditional;
  int structure_every; /* 1..1000: likewise the structure pass and its score */
  int refresh;         /* 1..1000: whole passes in every k-th step; light ones in the others, */
  double light_margin; /* 0..1000: of so many times as many masked tokens as are kept; 0: of all */
  msk_order order;
  /* 0..MSK_MAX_STEPS: first steps, at most half of all, that keep two tokens each: the least
   * certain, and order's next */
  int anchor_steps;
  msk_remask remask;
  msk_distance distance;
  int layers[MSK_MAX_LAYERS], layer_count; /* structure layers, 0-based, ascending */
  int visible_sketch;  /* 1: 1 - max_mask_rate of the sketch's tokens are visible at the start */
  double sketch_share; /* 0..1: so many of them instead; 0: visible_sketch decides */
  msk_placeholder placeholder;
  int sketch_steps; /* steps over which these are masked again; 0: as any other token */
  int tail;         /* extra MaskGIT steps from the last mask rate to 0; 0: stop there */
  /* 0..100: steps behind all others, each of which draws again the tokens that, with all of them in
   * view, are less likely than this share of the likeliest at their place; 0: none */
  int revise_steps;
  double revise_below; /* 0..1 */
  msk_token_noise token_noise;
} msk_recipe;

#endif
