/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_model.c - libFuzzer: any header over a small model's data, opened as a model; what opens
 * draws a picture. */
#include "fuzz.h"
#include "masksketch_tools.h"

enum { MOST_HEADER = 1 << 20 };

static uint8_t *data;
static size_t data_bytes;

static void load_data(void) {
  void *bytes;
  size_t count;
  msk_error error;
  uint64_t header;
  if (msk_file_read(fuzz_model_path(), MSK_MAX_FILE_BYTES, &bytes, &count, NULL, &error) != MSK_OK)
    exit(1);
  memcpy(&header, bytes, 8);
  data = (uint8_t *)bytes + 8 + header;
  data_bytes = count - 8 - (size_t)header;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
  char path[64];
  msk_model *model = NULL;
  msk_request request;
  msk_error error;
  if (data == NULL) load_data();
  if (count > MOST_HEADER) return 0;
  uint8_t *whole = malloc(8 + count + data_bytes);
  uint64_t length = count;
  memcpy(whole, &length, 8);
  memcpy(whole + 8, bytes, count);
  memcpy(whole + 8 + count, data, data_bytes);
  int file = fuzz_file(path, whole, 8 + count + data_bytes);
  free(whole);
  if (msk_model_open(&model, path, NULL, &error) == MSK_OK) {
    if (msk_request_init(&request, model, MSK_JOB_GENERATE, "balanced", &error) == MSK_OK) {
      request.recipe.steps = 1;
      fuzz_run(model, &request);
    }
    msk_model_close(model);
  }
  close(file);
  return 0;
}
