/* SPDX-License-Identifier: Apache-2.0
 * routes.h - the handlers behind the table in routes.c. */
#ifndef SERVER_ROUTES_H
#define SERVER_ROUTES_H

#include "http.h"

route_handler route_draw, route_generate, route_edit, route_job, route_delete, route_events, route_image; /* routes_jobs.c */
route_handler route_score;                                                                                /* score.c */
route_handler route_attention, route_restore;                                                             /* routes_parts.c */
route_handler route_openai_generate, route_openai_edit;                                                   /* routes_openai.c */
route_handler route_models, route_classes, route_recipes, route_health, route_metrics, route_openapi;     /* routes.c */

/* "data:image/png;base64,..." or JSON null where there is no picture; NULL without memory. */
json_t *route_picture(const msk_image *image);
#endif
