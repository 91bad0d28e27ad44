/* SPDX-License-Identifier: Apache-2.0
 *
 * test_photos.c - photos as a source of training: which are trained on and which held out, squares
 * cut from photo and drawing alike, what is left out and what is refused; and a run on them, with
 * drawings and without, whose model has their classes. */
#include <math.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "masksketch_tools.h"
#include "support.h"

enum { SIZE = 128, EACH = 12, CLASSES = 2, PHOTOS = EACH * CLASSES };

static const char *const names[CLASSES] = {"box", "pole"};
static char *folder;
static char photos[PHOTOS][4200], drawings[PHOTOS][4200];

static void save(const msk_image *image, const char *path) {
  void *bytes = NULL;
  size_t count = 0;
  assert_int_equal(msk_image_encode(image, MSK_FORMAT_PNG, 0, NULL, 0, &bytes, &count, NULL, NULL),
                   MSK_OK);
  assert_int_equal(msk_file_write(path, bytes, count, NULL), MSK_OK);
  msk_free(NULL, bytes);
}

/* A grey thing on white, of a photo's own size and place; its drawing is half as large. */
static void make_pair(int i) {
  int width = 160 + 10 * (i % 3), height = 200 - 10 * (i % 4), left = 40 + i, top = 50,
      wide = i < EACH ? 70 : 20;
  msk_image photo, drawing;
  snprintf(photos[i], sizeof photos[i], "%s/%02d.png", folder, i);
  snprintf(drawings[i], sizeof drawings[i], "%s/%02d.sketch.png", folder, i);
  assert_int_equal(msk_image_create(&photo, width, height, NULL, NULL), MSK_OK);
  assert_int_equal(msk_image_create(&drawing, width / 2, height / 2, NULL, NULL), MSK_OK);
  for (int p = 0; p < width * height; p++) {
    int x = p % width, y = p / width;
    bool inside = x >= left && x < left + wide && y >= top && y < top + 80;
    memset(photo.pixels + 3 * p, inside ? 20 : 255, 3);
  }
  for (int p = 0; p < width / 2 * (height / 2); p++) {
    int x = 2 * (p % (width / 2)), y = 2 * (p / (width / 2));
    bool inside = x >= left && x < left + wide && y >= top && y < top + 80,
         hollow = x >= left + 8 && x < left + wide - 8 && y >= top + 8 && y < top + 72;
    memset(drawing.pixels + 3 * p, inside && !hollow ? 0 : 255, 3);
  }
  save(&photo, photos[i]);
  save(&drawing, drawings[i]);
  msk_image_free(&photo);
  msk_image_free(&drawing);
}

static int make_all(void **state) {
  (void)state;
  folder = test_make_folder();
  for (int i = 0; i < PHOTOS; i++) make_pair(i);
  return 0;
}

static int remove_all(void **state) {
  (void)state;
  test_remove_folder(folder);
  return 0;
}

struct listed {
  const char *photos[PHOTOS], *drawings[PHOTOS];
  int classes[PHOTOS];
  msk_photo_source_options options;
};

static void list_all(struct listed *list, bool with_drawings) {
  for (int i = 0; i < PHOTOS; i++) {
    list->photos[i] = photos[i];
    list->drawings[i] = with_drawings && i % 2 == 0 ? drawings[i] : NULL;
    list->classes[i] = i / EACH;
  }
  msk_photo_source_options_init(&list->options);
  list->options.image_size = SIZE;
  list->options.photos = list->photos;
  list->options.drawings = list->drawings;
  list->options.classes = list->classes;
  list->options.class_names = names;
  list->options.photo_count = PHOTOS;
  list->options.class_count = CLASSES;
  list->options.crops = 3;
}

static msk_train_options attach(const struct listed *list, msk_photo_source **source) {
  msk_train_options options;
  msk_error error = {0};
  msk_train_options_init(&options);
  if (msk_photo_source_open(source, &list->options, &error) != MSK_OK)
    fail_msg("%s", error.message);
  msk_photo_source_attach(*source, &options);
  return options;
}

/* ---- squares ---- */

/* Of a class every tenth is held out; what a drawing encloses lies where its photo is dark, in
 * every square, and what lies outside is background. */
static void test_squares(void **state) {
  struct listed list;
  msk_photo_source *source;
  static uint8_t photo[SIZE * SIZE * 3], drawing[SIZE * SIZE], parts[SIZE * SIZE],
      again[SIZE * SIZE * 3];
  (void)state;
  list_all(&list, true);
  msk_train_options options = attach(&list, &source);
  const msk_train_source *from = &options.source;
  assert_int_equal(options.held_out_objects, 4);
  assert_int_equal(options.objects, 3 * (PHOTOS - 4));
  assert_int_equal(from->hands, 1);
  int of_class[CLASSES] = {0}, drawn = 0, moved = 0;
  for (size_t i = 0; i < options.objects; i++) {
    int label = from->render(from->user, MSK_TRAIN_SET, i, photo, drawing, parts), wrong = 0,
        dark = 0;
    assert_in_range(label, 0, CLASSES - 1);
    of_class[label]++;
    for (size_t p = 0; p < SIZE * SIZE; p++) dark += photo[3 * p] < 128;
    bool blank = true;
    for (size_t p = 0; p < SIZE * SIZE; p++) blank = blank && drawing[p] == 255;
    for (size_t p = 0; !blank && p < SIZE * SIZE; p++) wrong += (photo[3 * p] < 128) != parts[p];
    if (wrong > 9 * SIZE) fail_msg("object %zu: %d pixels are elsewhere in the drawing", i, wrong);
    assert_true(dark > 200);
    if (i == 0) assert_false(blank);
    drawn += !blank;
    if (i < PHOTOS - 4) continue;
    from->render(from->user, MSK_TRAIN_SET, i - (PHOTOS - 4), again, drawing, parts);
    moved += memcmp(photo, again, sizeof photo) != 0;
  }
  assert_int_equal(of_class[0], of_class[1]);
  assert_int_equal(drawn, 3 * 8);
  assert_int_equal(moved, 2 * (PHOTOS - 4));
  msk_photo_source_close(source);
}

/* ---- what is left out and refused ---- */

struct told {
  char path[4200];
  int times, stop_at;
};

static void note_left_out(void *user, const char *path, const char *reason) {
  struct told *told = user;
  assert_non_null(strstr(reason, "README.md"));
  snprintf(told->path, sizeof told->path, "%s", path);
  told->times++;
}

static int stop(void *user, int done, int all) {
  assert_int_equal(all, PHOTOS);
  return done == ((struct told *)user)->stop_at;
}

static void refuse(const struct listed *list, msk_status expected, const char *word) {
  msk_error error = {0};
  msk_photo_source *source = NULL;
  assert_int_equal(msk_photo_source_open(&source, &list->options, &error), expected);
  assert_null(source);
  if (strstr(error.message, word) == NULL) fail_msg("'%s' does not say '%s'", error.message, word);
}

static void test_bad_photos(void **state) {
  static const char *const numbered[CLASSES] = {"box", "12"};
  struct listed list;
  struct told told = {.stop_at = -1};
  msk_photo_source *source;
  (void)state;
  list_all(&list, true);
  list.photos[3] = "README.md";
  list.options.user = &told;
  list.options.on_left_out = note_left_out;
  list.options.on_progress = stop;
  msk_train_options options = attach(&list, &source);
  assert_int_equal(told.times, 1);
  assert_string_equal(told.path, "README.md");
  assert_int_equal(options.objects, 3 * (PHOTOS - 5));
  msk_photo_source_close(source);
  list.drawings[6] = "README.md";
  options = attach(&list, &source);
  assert_string_equal(told.path, photos[6]);
  msk_photo_source_close(source);
  told.stop_at = 5;
  refuse(&list, MSK_ERROR_CANCELLED, "stopped");
  told.stop_at = -1;
  for (int i = 0; i < EACH - 3; i++) list.classes[i] = 1;
  refuse(&list, MSK_ERROR_ARGUMENT, "class box has 3 pictures");
  list.options.class_count = 1;
  refuse(&list, MSK_ERROR_ARGUMENT, "1 class,");
  list.options.class_count = CLASSES;
  list.options.class_names = numbered;
  refuse(&list, MSK_ERROR_ARGUMENT, "'12' is no name");
  list.options.size = 1;
  refuse(&list, MSK_ERROR_ARGUMENT, "msk_photo_source_options_init");
}

/* ---- a run ---- */

static const char *inside(const char *name) {
  static char paths[4][4200];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static void run_on(bool with_drawings, const char *tokenizer, const char *output) {
  struct listed list;
  msk_photo_source *source;
  msk_error error = {0};
  list_all(&list, with_drawings);
  list.options.crops = 1;
  msk_train_options options = attach(&list, &source);
  char work[4200];
  snprintf(work, sizeof work, "%s.work", output);
  assert_int_equal(mkdir(work, 0777), 0);
  options.tokenizer_path = tokenizer;
  options.work_path = work;
  options.output_path = output;
  options.layers = 2, options.width = 32, options.heads = 2;
  options.structure_layers[0] = 1, options.structure_layer_count = 1;
  options.batch = 2, options.pair_batch = 1;
  options.pair_every = with_drawings ? 2 : 0;
  options.sequences = 8, options.warmup_sequences = 2, options.decay_sequences = 4;
  options.first_objects = 4, options.threads = 1;
  if (msk_train(&options, &error) != MSK_OK) fail_msg("%s", error.message);
  if (!with_drawings) {
    options.hint_share = 0.5;
    assert_int_equal(msk_train(&options, &error), MSK_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "hint_share is 0.5"));
  }
  msk_photo_source_close(source);
}

static void test_models(void **state) {
  msk_convert_options convert;
  (void)state;
  msk_convert_options_init(&convert);
  convert.tokenizer_path = "tests/golden/tiny/tokenizer_imagenet128_checkpoint";
  convert.transformer_path = "tests/golden/tiny/maskgit_imagenet128_checkpoint";
  convert.output_path = inside("tiny.safetensors");
  assert_int_equal(msk_convert(&convert, NULL), MSK_OK);
  for (int with = 0; with < 2; with++) {
    const char *output = inside(with ? "drawn.safetensors" : "plain.safetensors");
    msk_model *model = NULL;
    msk_model_info info;
    run_on(with, convert.output_path, output);
    assert_int_equal(msk_model_open(&model, output, NULL, NULL), MSK_OK);
    msk_model_get_info(model, &info);
    assert_int_equal(info.class_count, CLASSES + 1 + with);
    assert_int_equal(info.null_class, CLASSES);
    for (int c = 0; c < CLASSES; c++) assert_string_equal(msk_model_class_name(model, c), names[c]);
    assert_int_equal(msk_model_class_hidden(model, CLASSES - 1), 0);
    for (int c = CLASSES; c < info.class_count; c++)
      assert_int_equal(msk_model_class_hidden(model, c), 1);
    msk_model_close(model);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_squares),
                                     cmocka_unit_test(test_bad_photos),
                                     cmocka_unit_test(test_models)};
  return cmocka_run_group_tests(tests, make_all, remove_all);
}
