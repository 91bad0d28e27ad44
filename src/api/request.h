/* SPDX-License-Identifier: Apache-2.0
 * request.h - judging a request before memory is taken for it. */
#ifndef MSK_API_REQUEST_H
#define MSK_API_REQUEST_H

#include "api/bundle.h"

enum { MSK_MAX_COUNT = 65536 };

/* Every field against the model and against each other; MSK_ERROR_ARGUMENT says what was found
 * and what was expected. */
msk_status msk_request_check(const msk_request *request, const msk_model *model, msk_error *error);

#endif
