/* SPDX-License-Identifier: Apache-2.0
 *
 * test_replay.c - the recipe `official` against the authors' code, with no network: logits and
 * structure scores are the recorded ones of tests/golden/{tiny,odd}/trace, and every key, count,
 * score, mask and token of every step must come out as recorded; the initial masks of every
 * recorded sketch case too. */
#include "support.h"

#include <jansson.h>
#include <math.h>

#include "masksketch_tools.h"
#include "sampling/sampler.h"
#include "sampling/recipe.h"
#include "sampling/sampler_state.h"

typedef struct replay {
  const char *network, *trace; /* "tiny", "masksketch" */
  golden_array logits, scores;
  size_t step; /* of the networks' next answer */
  int traced;  /* quantities compared so far */
  int32_t *sequence_seen;
} replay;

static msk_status recorded_logits(void *user, const int32_t *tokens, const int32_t *behind,
                                  const int32_t *unconditional, const float *guidance,
                                  uint8_t *rows, float *logits, float *difference,
                                  msk_error *error) {
  replay *r = user;
  (void)behind, (void)unconditional, (void)guidance, (void)rows, (void)difference, (void)error;
  size_t step = r->logits.elements / r->logits.shape[0];
  golden_array sequence =
      golden_load(golden_path("%s/trace/%s/sequence.npy", r->network, r->trace));
  size_t items = sequence.elements / sequence.shape[0];
  assert_memory_equal(tokens, (int32_t *)sequence.data + r->step * items, items * 4);
  golden_free(&sequence);
  memcpy(logits, (float *)r->logits.data + r->step * step, step * sizeof *logits);
  return MSK_OK;
}

static msk_status recorded_score(void *user, const int32_t *tokens, uint8_t *rows, float *score,
                                 msk_error *error) {
  replay *r = user;
  (void)tokens, (void)rows, (void)error;
  size_t items = r->scores.elements / r->scores.shape[0];
  memcpy(score, (float *)r->scores.data + r->step * items, items * sizeof *score);
  return MSK_OK;
}

/* Compares each quantity with the recorded one of that name, as far as it was recorded. */
static int compare_trace(void *user, const char *name, int step, const msk_array *array) {
  replay *r = user;
  char path[256];
  snprintf(path, sizeof path, "%s", golden_path("%s/trace/%s/%s.npy", r->network, r->trace, name));
  FILE *there = fopen(path, "rb");
  if (there == NULL) return 0;
  fclose(there);
  golden_array golden = golden_load(path);
  bool whole = strcmp(name, "unconditional_class_tokens") == 0; /* once a run */
  size_t elements = whole ? golden.elements : golden.elements / golden.shape[0],
         first = whole ? 0 : (size_t)step * elements, sides = 1;
  assert_int_equal(array->rank, whole ? golden.rank : golden.rank - 1);
  for (int i = 0; i < array->rank; i++) sides *= array->shape[i];
  assert_int_equal(sides, elements);
  if (golden.kind == 'f') {
    assert_int_equal(array->dtype, MSK_DTYPE_F32);
    bool count = strcmp(name, "structure_k") == 0 || strcmp(name, "confidence_k") == 0 ||
                 strcmp(name, "mask_len") == 0 || strcmp(name, "temperature") == 0;
    double difference = largest_difference(array->data, (float *)golden.data + first, elements);
    if (difference > (count ? 0 : 2e-5))
      fail_msg("%s of step %d differs by %g", name, step, difference);
  } else {
    size_t size = golden.kind == 'b' ? 1 : 4;
    assert_int_equal(array->dtype, golden.kind == 'b'   ? MSK_DTYPE_U8
                                   : golden.kind == 'u' ? MSK_DTYPE_U32
                                                        : MSK_DTYPE_I32);
    if (memcmp(array->data, (char *)golden.data + first * size, elements * size) != 0)
      fail_msg("%s of step %d differs", name, step);
  }
  golden_free(&golden);
  r->traced++;
  return 0;
}

static double setting(const json_t *entry, const char *name) {
  return json_number_value(json_object_get(entry, name));
}

static void set_number(msk_recipe *recipe, msk_job job, const json_t *entry, const char *name,
                       const char *key) {
  char text[40];
  snprintf(text, sizeof text, "%.17g", setting(entry, name));
  assert_int_equal(msk_recipe_set(recipe, job, key, text, NULL), MSK_OK);
}

/* The case's settings over the recipe official, as the command's --set would make them. */
static msk_sampler_spec spec_of(const json_t *entry, const json_t *config) {
  const char *kind = json_string_value(json_object_get(entry, "kind"));
  msk_sampler_spec spec = {.job = strcmp(kind, "masksketch") == 0 ? MSK_JOB_DRAW
                                  : strcmp(kind, "edit") == 0     ? MSK_JOB_EDIT
                                                                  : MSK_JOB_GENERATE};
  msk_recipe *recipe = &spec.recipe;
  assert_int_equal(msk_recipe_from_defaults(recipe, NULL, 4, spec.job, "official", NULL), MSK_OK);
  set_number(recipe, spec.job, entry, "steps", "steps");
  assert_int_equal(msk_recipe_set(recipe, spec.job, "schedule",
                                  json_string_value(json_object_get(entry, "schedule")), NULL),
                   MSK_OK);
  if (spec.job == MSK_JOB_DRAW) {
    static const char *const keys[] = {
        "guidance",      "lambda_structure",      "min_mask_rate",
        "max_mask_rate", "temperature_structure", "temperature_confidence"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
      set_number(recipe, spec.job, entry, keys[i], keys[i]);
  } else {
    set_number(recipe, spec.job, entry, "temperature", "choice_temperature");
    set_number(recipe, spec.job, entry, "start_iter", "start_step");
  }
  spec.seed = (uint64_t)setting(entry, "seed");
  spec.batch = (int)setting(entry, "batch");
  spec.class_id = (int)setting(entry, "label");
  spec.tokens = (int)setting(config, "positions");
  spec.codes = (int)setting(config, "codebook_size");
  spec.class_count = (int)setting(config, "num_class");
  spec.null_class = -1;
  return spec;
}

static msk_sampler *place(const msk_sampler_spec *spec, void **memory) {
  msk_arena arena = {0};
  assert_null(msk_sampler_place(&arena, spec));
  *memory = aligned_alloc(64, arena.peak);
  memset(*memory, 0xA5, arena.peak);
  msk_arena real = {.base = *memory, .capacity = arena.peak};
  msk_sampler *sampler = msk_sampler_place(&real, spec);
  assert_non_null(sampler);
  assert_int_equal(real.used, arena.used);
  return sampler;
}

static const json_t *find_case(const json_t *cases, const char *id) {
  size_t index;
  json_t *entry;
  json_array_foreach(cases, index, entry) {
    if (strcmp(json_string_value(json_object_get(entry, "id")), id) == 0) return entry;
  }
  fail_msg("no case %s", id);
  return NULL;
}

static void replay_case(const char *network, const char *trace) {
  char id[64];
  snprintf(id, sizeof id, "%s_main", trace);
  json_t *cases = json_load_file(golden_path("%s/decode/cases.json", network), 0, NULL),
         *config = json_load_file(golden_path("%s/config.json", network), 0, NULL);
  const json_t *entry = find_case(cases, id);
  msk_sampler_spec spec = spec_of(entry, config);
  replay r = {.network = network,
              .trace = trace,
              .logits = golden_load(golden_path("%s/trace/%s/logits.npy", network, trace))};
  golden_array input = golden_load(golden_path("%s/decode/%s/input_tokens.npy", network, id));
  golden_array tokens = golden_load(golden_path("%s/decode/%s/tokens.npy", network, id));
  if (spec.job == MSK_JOB_DRAW) {
    r.scores = golden_load(golden_path("%s/trace/%s/structure_score.npy", network, trace));
    spec.input = (int32_t *)input.data + 1;
  }
  spec.callbacks = (msk_callbacks){.user = &r, .on_trace = compare_trace};
  msk_denoiser denoiser = {&r, recorded_logits, recorded_score};
  void *memory;
  msk_sampler *sampler = place(&spec, &memory);
  msk_error error;
  msk_sampler_begin(sampler, &spec, &denoiser);
  assert_int_equal(msk_sampler_step_count(&spec), spec.recipe.steps);
  size_t row = (size_t)spec.tokens;
  for (bool done = false; !done; r.step++) {
    assert_int_equal(msk_sampler_step_index(sampler), r.step);
    assert_int_equal(msk_sampler_step(sampler, &done, &error), MSK_OK);
    for (size_t b = 0; b < (size_t)spec.batch && spec.job != MSK_JOB_DRAW; b++) {
      const int32_t *golden =
          (int32_t *)tokens.data + (b * (size_t)spec.recipe.steps + r.step) * row;
      assert_memory_equal(msk_sampler_completed(sampler) + b * row, golden, row * 4);
    }
  }
  assert_int_equal(r.step, spec.recipe.steps);
  if (spec.job == MSK_JOB_DRAW)
    assert_memory_equal(msk_sampler_completed(sampler), tokens.data, tokens.elements * 4);
  assert_int_equal(r.traced,
                   spec.job == MSK_JOB_DRAW ? 1 + 11 * spec.recipe.steps : 7 * spec.recipe.steps);
  free(memory);
  golden_free(&input), golden_free(&tokens), golden_free(&r.logits), golden_free(&r.scores);
  json_decref(cases), json_decref(config);
}

static void test_tiny_masksketch(void **state) { (void)state, replay_case("tiny", "masksketch"); }
static void test_odd_masksketch(void **state) { (void)state, replay_case("odd", "masksketch"); }
static void test_tiny_maskgit(void **state) { (void)state, replay_case("tiny", "maskgit"); }
static void test_odd_maskgit(void **state) { (void)state, replay_case("odd", "maskgit"); }

/* What stands at the start of every recorded case: sketch tokens partly hidden, a box to
 * repaint, or nothing. */
static void check_start(const char *network, const json_t *entry, const json_t *config) {
  const char *id = json_string_value(json_object_get(entry, "id"));
  msk_sampler_spec spec = spec_of(entry, config);
  golden_array input = golden_load(golden_path("%s/decode/%s/input_tokens.npy", network, id));
  golden_array start = spec.job == MSK_JOB_DRAW
                           ? golden_load(golden_path("%s/decode/%s/masked_tokens.npy", network, id))
                           : (golden_array){0};
  int32_t *photo = calloc((size_t)spec.tokens, sizeof *photo);
  uint8_t *mask = calloc((size_t)spec.tokens, 1);
  for (int i = 1; i < spec.tokens; i++) {
    int32_t token = ((int32_t *)input.data)[i];
    photo[i - 1] = token < 0 ? 0 : token;
    mask[i - 1] = token < 0;
  }
  if (spec.job != MSK_JOB_GENERATE) spec.input = photo;
  if (spec.job == MSK_JOB_EDIT) spec.edit_mask = mask;
  void *memory;
  msk_sampler *sampler = place(&spec, &memory);
  msk_sampler_begin(sampler, &spec, &(msk_denoiser){0});
  assert_memory_equal(sampler->current, start.data != NULL ? start.data : input.data,
                      input.elements * 4);
  free(memory), free(photo), free(mask);
  golden_free(&input), golden_free(&start);
}

static void test_starts(void **state) {
  (void)state;
  static const char *const networks[] = {"tiny", "odd"};
  size_t seen = 0;
  for (size_t n = 0; n < 2; n++) {
    json_t *cases = json_load_file(golden_path("%s/decode/cases.json", networks[n]), 0, NULL),
           *entry;
    json_t *config = json_load_file(golden_path("%s/config.json", networks[n]), 0, NULL);
    size_t index;
    json_array_foreach(cases, index, entry) {
      check_start(networks[n], entry, config);
      seen++;
    }
    json_decref(cases), json_decref(config);
  }
  assert_true(seen >= 29);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tiny_masksketch), cmocka_unit_test(test_odd_masksketch),
      cmocka_unit_test(test_tiny_maskgit),    cmocka_unit_test(test_odd_maskgit),
      cmocka_unit_test(test_starts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
