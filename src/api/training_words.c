/* SPDX-License-Identifier: Apache-2.0
 *
 * training_words.c - the transformer of a model whose tokenizer gets other codes: a word begins as
 * the mean of the words of those codes that stand where its own does, in pictures that both
 * tokenizers have read. */
#include "api/training_run.h"
#include "train/start.h"

enum { READ = 64 }; /* objects of the store: a photo of each, and a drawing where there are any */

/* The model's own tokenizer, at work. */
typedef struct reader {
  const msk_vqgan *tokenizer;
  msk_stream stream;
  msk_arena arena;
  void *memory;
  size_t side, cells;
  float *latents;
  int32_t *codes;
} reader;

static void read_codes(reader *r, const float *pixels) {
  msk_vqgan_encode(r->tokenizer, &r->stream, &r->arena, pixels, 1, r->side, r->side, r->latents,
                   NULL);
  msk_vqgan_quantise(r->tokenizer, &r->stream, r->latents, r->cells, r->codes);
}

static void lay_results(reader *r, msk_arena *arena) {
  size_t dim = msk_vqgan_get_config(r->tokenizer)->dim;
  r->latents = msk_arena_take(arena, r->cells * dim, sizeof(float));
  r->codes = msk_arena_take(arena, r->cells, sizeof(int32_t));
}

static msk_status open_reader(reader *r, const training_run *run) {
  msk_arena results = {0};
  *r = (reader){.tokenizer = run->model->tokenizer,
                .stream = {.device = run->model->device, .pool = run->pool, .measuring = true},
                .side = run->painter->plan.side,
                .cells = (size_t)run->model->positions - 1};
  lay_results(r, &results);
  read_codes(r, run->painter->pictures);
  r->stream.measuring = false;
  size_t scratch = (r->stream.scratch_bytes + MSK_ALIGNMENT - 1) & ~(MSK_ALIGNMENT - 1),
         peak = (r->arena.peak + MSK_ALIGNMENT - 1) & ~(MSK_ALIGNMENT - 1);
  r->memory = msk_allocate(NULL, scratch + peak + results.peak, 1);
  if (r->memory == NULL)
    return msk_fail(run->error, MSK_ERROR_MEMORY, "no memory for reading pictures");
  r->stream.scratch = r->memory;
  r->arena = (msk_arena){.base = (char *)r->memory + scratch, .capacity = peak};
  results = (msk_arena){.base = (char *)r->memory + scratch + peak, .capacity = results.peak};
  lay_results(r, &results);
  return MSK_OK;
}

/* Adds up how often each of the painter's codes stands where each of the model's does. */
static void count_together(training_run *run, reader *r, bool drawn, float *together) {
  msk_picture_trainer *painter = run->painter;
  const msk_pictures *pictures = run->pictures[MSK_TRAIN_SET];
  size_t batch = msk_pace_share(&painter->plan.pace), known = (size_t)run->model->codes,
         count = msk_pictures_count(pictures), values = r->side * r->side * 3;
  if (count > READ) count = READ;
  for (size_t first = 0; first < count; first += batch) {
    size_t here = count - first < batch ? count - first : batch;
    msk_picture_trainer_encode(painter, pictures, first, here, drawn);
    for (size_t i = 0; i < here; i++) {
      read_codes(r, painter->pictures + i * values);
      for (size_t c = 0; c < r->cells; c++)
        together[(size_t)painter->codes[i * r->cells + c] * known + (size_t)r->codes[c]] += 1;
    }
  }
}

static msk_status write_transformer(const training_run *run, const float *together,
                                    const char *path) {
  const msk_codebook_shape shape = run->painter->codebook;
  msk_maskgit_config config = *msk_maskgit_get_config(run->model->transformer);
  size_t labels = (size_t)run->model->class_count;
  const msk_start_vocabulary vocabulary = {.codes = shape.codes,
                                           .file_codes = (size_t)run->model->codes,
                                           .together = together,
                                           .labels = labels,
                                           .file_labels = labels};
  const msk_metadata_entry metadata[] = {
      {"classes", msk_weight_file_metadata(run->model->file, "classes")},
      {"defaults", msk_weight_file_metadata(run->model->file, "defaults")}};
  float *average = run->course->optimiser->average, *block = NULL;
  msk_params *params = NULL;
  config.vocabulary = shape.codes + labels + 1;
  msk_status status = msk_params_create(&params, &config, NULL, run->error);
  if (status != MSK_OK) return status;
  block = msk_allocate_zeroed(NULL, params->floats, sizeof *block);
  if (block == NULL)
    status = msk_fail(run->error, MSK_ERROR_MEMORY, "no memory for the model's transformer");
  if (status == MSK_OK)
    status = msk_params_start(params,
                              msk_params_find(run->course->params, average, "quantizer.codebook"),
                              shape.codes, shape.dim, run->options->seed, block, run->error);
  if (status == MSK_OK)
    status = msk_params_start_from(params, run->model->file, MSK_MODEL_TRANSFORMER, &vocabulary,
                                   run->options->seed, block, run->error);
  if (status == MSK_OK)
    status = msk_params_write(params, block, path, metadata, metadata[1].value == NULL ? 1 : 2,
                              run->error);
  msk_free(NULL, block);
  msk_params_destroy(params);
  return status;
}

msk_status training_write_words(training_run *run, const char *path) {
  reader r = {0};
  float *together = NULL;
  msk_status status = MSK_OK;
  if (run->painter->quantising) {
    status = open_reader(&r, run);
    if (status == MSK_OK) {
      together = msk_allocate_zeroed(NULL, run->painter->codebook.codes,
                                     (size_t)run->model->codes * sizeof *together);
      if (together == NULL)
        status = msk_fail(run->error, MSK_ERROR_MEMORY, "no memory for counting codes");
    }
    if (status == MSK_OK) count_together(run, &r, false, together);
    if (status == MSK_OK && msk_pictures_get_shape(run->pictures[MSK_TRAIN_SET])->drawings > 0)
      count_together(run, &r, true, together);
  }
  if (status == MSK_OK) status = write_transformer(run, together, path);
  msk_free(NULL, together);
  msk_free(NULL, r.memory);
  return status;
}
