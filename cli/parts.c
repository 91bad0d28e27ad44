/* SPDX-License-Identifier: Apache-2.0
 * parts.c - see parts.h. */
#include "parts.h"

#include <string.h>

#include "app/input.h"
#include "masksketch_tools.h"

msk_status parts_open(parts *p, const model_choice *choice, msk_error *error) {
  msk_request request;
  msk_session_options options;
  msk_status status = model_path_open(&p->model, choice, error);
  if (status != MSK_OK) return status;
  msk_model_get_info(p->model, &p->info);
  msk_session_options_init(&options);
  if (choice->threads > 0) options.threads = choice->threads;
  status = msk_request_init(&request, p->model, MSK_JOB_GENERATE, "balanced", error);
  return status == MSK_OK ? msk_session_open(&p->session, p->model, &request, &options, error)
                          : status;
}

void parts_close(parts *p) {
  msk_session_close(p->session);
  msk_model_close(p->model);
}

bool parts_is_array(const char *path) {
  static const char suffix[] = ".npy";
  size_t length = strlen(path), n = strlen(suffix);
  return length > n && strcmp(path + length - n, suffix) == 0;
}

msk_status parts_load_array(msk_array *array, const char *path, msk_error *error) {
  void *bytes = NULL;
  size_t byte_count = 0;
  msk_status status = input_read(path, MSK_MAX_FILE_BYTES, &bytes, &byte_count, error);
  if (status == MSK_OK) status = msk_npy_decode(array, bytes, byte_count, path, NULL, error);
  msk_free(NULL, bytes);
  return status;
}

msk_status parts_load(msk_image *image, const char *path, const parts *p, int fit,
                      msk_error *error) {
  msk_image read = {0};
  msk_prepare_options preparation;
  msk_status status = input_picture(&read, path, MSK_ALPHA_WHITE, error);
  if (status != MSK_OK || fit < 0) {
    *image = read;
    return status;
  }
  msk_prepare_plain(&preparation);
  preparation.fit = (msk_fit)fit;
  status = msk_image_prepare(image, &read, p->info.image_size, p->info.image_size, &preparation,
                             NULL, error);
  msk_image_free(&read);
  return status;
}
