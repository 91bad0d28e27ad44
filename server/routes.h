/* SPDX-License-Identifier: Apache-2.0
 * routes.h - the handlers behind the table in routes.c. */
#ifndef SERVER_ROUTES_H
#define SERVER_ROUTES_H

#include "exchange.h"

/* routes_jobs.c */
route_handler route_draw, route_generate, route_edit, route_job, route_delete, route_events,
    route_image;
/* score.c */
route_handler route_score, route_guess;
/* examples.c */
route_handler route_examples, route_example;
/* routes_parts.c */
route_handler route_attention, route_prepare, route_restore;
/* The drawing of a form of `path`, prepared for a square of `side` pixels, into an order that
 * begins; order_free() is due in any case. */
bool route_read_drawing(exchange *e, const char *path, int side, order *o);
/* routes_openai.c */
route_handler route_openai_generate, route_openai_edit;
/* routes_a1111.c */
route_handler route_txt2img, route_img2img, route_progress, route_interrupt, route_png_info;
/* routes_a1111_lists.c */
route_handler route_options, route_set_options, route_sd_models, route_samplers, route_memory;
/* routes.c */
route_handler route_fixed, route_models, route_model, route_classes, route_recipes, route_health,
    route_metrics, route_openapi;
#endif
