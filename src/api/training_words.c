/* SPDX-License-Identifier: Apache-2.0
 *
 * training_words.c - the transformer of a model whose tokenizer gets other codes: a word begins as
 * the mean of the words of those codes that stand where its own does, in pictures that both
 * tokenizers have read. */
#include "api/training_run.h"
#include "train/reader.h"
#include "train/start.h"

enum { READ = 64 }; /* objects of the store: a photo of each, and a drawing where there are any */

/* Adds up how often each of the painter's codes stands where each of the model's does. */
static void count_together(training_run *run, msk_token_reader *reader, bool drawn,
                           float *together) {
  msk_picture_trainer *painter = run->painter;
  const msk_pictures *pictures = run->pictures[MSK_TRAIN_SET];
  size_t batch = msk_pace_share(&painter->plan.pace), known = (size_t)run->model->codes,
         count = msk_pictures_count(pictures), values = reader->side * reader->side * 3;
  if (count > READ) count = READ;
  for (size_t first = 0; first < count; first += batch) {
    size_t here = count - first < batch ? count - first : batch;
    msk_picture_trainer_encode(painter, pictures, first, here, drawn);
    for (size_t i = 0; i < here; i++) {
      msk_token_reader_read(reader, painter->pictures + i * values);
      for (size_t c = 0; c < reader->cells; c++)
        together[(size_t)painter->codes[i * reader->cells + c] * known +
                 (size_t)reader->codes[c]] += 1;
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

/* The counts of both, to be freed; where the painter has no codes yet there are none. */
static msk_status read_together(training_run *run, float **together) {
  msk_token_reader reader;
  size_t drawings = msk_pictures_get_shape(run->pictures[MSK_TRAIN_SET])->drawings;
  if (!run->painter->quantising) return MSK_OK;
  *together = msk_allocate_zeroed(NULL, run->painter->codebook.codes,
                                  (size_t)run->model->codes * sizeof **together);
  if (*together == NULL)
    return msk_fail(run->error, MSK_ERROR_MEMORY, "no memory for counting codes");
  msk_status status = msk_token_reader_open(&reader, run->model->tokenizer, run->model->device,
                                            run->pool, run->painter->plan.side, run->error);
  if (status == MSK_OK) count_together(run, &reader, false, *together);
  if (status == MSK_OK && drawings > 0) count_together(run, &reader, true, *together);
  msk_token_reader_close(&reader);
  return status;
}

msk_status training_write_words(training_run *run, const char *path) {
  float *together = NULL;
  msk_status status = read_together(run, &together);
  if (status == MSK_OK) status = write_transformer(run, together, path);
  msk_free(NULL, together);
  return status;
}
