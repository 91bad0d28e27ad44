/* SPDX-License-Identifier: Apache-2.0
 * rows.c - see rows.h. */
#include "rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/report.h"
#include "app/run.h"

enum { LEAST_FOR_FRECHET = 120 };

static msk_status no_memory(msk_error *error) {
  return app_fail(error, MSK_ERROR_MEMORY, "quality: not enough memory");
}

static void picture_path(char path[640], const struct row *row, const char *folder, int index) {
  snprintf(path, 640, "%s/%s/%s-%s.png", folder, row->set, row->list->items[index].name, row->name);
}

int row_missing(const struct row *row, const char *folder) {
  int missing = 0;
  struct stat found;
  char path[640];
  for (int i = 0; row->way != WAY_PHOTO && i < row->list->count; i++) {
    picture_path(path, row, folder, i);
    missing += stat(path, &found) != 0;
  }
  return missing;
}

/* ---- making pictures ---- */

struct painter {
  painter_options options;
  order draw, generate; /* what all pictures have in common */
  order_run run;
  int class_ids[WORLD_SHAPES]; /* the model's, of the kinds that are drawn */
  char key[48];
};

static void hash_text(uint64_t *hash, const char *text) { /* FNV-1a */
  for (; *text != 0; text++) *hash = (*hash ^ (uint8_t)*text) * 0x100000001B3u;
}

static void hash_recipe(uint64_t *hash, const msk_recipe *recipe, msk_job job) {
  const char *key, *help;
  char value[256];
  for (int i = 0; (key = msk_recipe_key(i, job, &help)) != NULL; i++) {
    if (msk_recipe_get(recipe, key, value, sizeof value, NULL) != MSK_OK) continue;
    hash_text(hash, key);
    hash_text(hash, value);
  }
}

/* [generate.]KEY=VALUE */
static msk_status apply_settings(struct painter *painter, msk_error *error) {
  static const char prefix[] = "generate.";
  msk_status status = MSK_OK;
  for (int i = 0; status == MSK_OK && i < painter->options.setting_count; i++) {
    char key[64];
    const char *text = painter->options.settings[i];
    const bool generate = strncmp(text, prefix, sizeof prefix - 1) == 0;
    if (generate) text += sizeof prefix - 1;
    const char *equals = strchr(text, '=');
    if (equals == NULL || (size_t)(equals - text) >= sizeof key)
      return app_fail(error, MSK_ERROR_ARGUMENT, "--set was given %.80s, expected KEY=VALUE", text);
    snprintf(key, sizeof key, "%.*s", (int)(equals - text), text);
    status =
        msk_recipe_set(generate ? &painter->generate.request.recipe : &painter->draw.request.recipe,
                       generate ? MSK_JOB_GENERATE : MSK_JOB_DRAW, key, equals + 1, error);
  }
  return status;
}

msk_status painter_open(struct painter **made, const msk_model *model,
                        const painter_options *options, msk_error *error) {
  struct painter *p = calloc(1, sizeof *p);
  uint64_t hash = 0xCBF29CE484222325u;
  if (p == NULL) return no_memory(error);
  *made = p;
  p->options = *options;
  p->run.threads = options->threads;
  msk_status status = order_begin(&p->draw, model, MSK_JOB_DRAW, options->recipe, error);
  if (status == MSK_OK)
    status = order_begin(&p->generate, model, MSK_JOB_GENERATE, options->recipe, error);
  if (status == MSK_OK) status = apply_settings(p, error);
  for (int i = 0; status == MSK_OK && i < options->kinds->count; i++) {
    int kind = options->kinds->kinds[i];
    status = msk_model_class_find(model, world_class_name(kind), &p->class_ids[kind], error);
  }
  if (status != MSK_OK) return status;
  const msk_model_info *info = &p->draw.info;
  hash_recipe(&hash, &p->draw.request.recipe, MSK_JOB_DRAW);
  hash_recipe(&hash, &p->generate.request.recipe, MSK_JOB_GENERATE);
  if (strcmp(info->device, "cpu") != 0) hash_text(&hash, info->device);
  snprintf(p->key, sizeof p->key, "%.8s-%08x-%llu%s", info->hash, (unsigned)(hash ^ (hash >> 32)),
           (unsigned long long)options->seed, info->precision == MSK_PRECISION_INT8 ? "-int8" : "");
  return MSK_OK;
}

void painter_close(struct painter *painter) {
  if (painter == NULL) return;
  run_end(&painter->run);
  free(painter);
}

const char *painter_key(const struct painter *painter) { return painter->key; }

static msk_status keep(const msk_image *image, const char *path, double seconds, msk_error *error) {
  char text[32];
  void *bytes;
  size_t count;
  snprintf(text, sizeof text, "%.4f", seconds);
  msk_text texts[] = {{"seconds", text}};
  msk_status status =
      msk_image_encode(image, MSK_FORMAT_PNG, 0, texts, 1, &bytes, &count, NULL, error);
  if (status != MSK_OK) return status;
  status = msk_file_write(path, bytes, count, error);
  msk_free(NULL, bytes);
  return status;
}

/* The photo through its tokens and back, in the memory of an order that draws from it. */
static msk_status paint_tokens(order_run *r, const msk_image *photo, const char *path,
                               msk_error *error) {
  int32_t *tokens = NULL;
  float *pixels = NULL;
  msk_image image = {0};
  int rows, columns, width, height;
  msk_status status = msk_tokenize(r->session, photo, &tokens, NULL, &rows, &columns, error);
  if (status == MSK_OK)
    status = msk_detokenize(r->session, tokens, rows, columns, &pixels, &width, &height, error);
  if (status == MSK_OK) status = msk_image_from_float(&image, pixels, width, height, NULL, error);
  if (status == MSK_OK) status = keep(&image, path, NAN, error);
  msk_image_free(&image);
  msk_free(NULL, tokens);
  msk_free(NULL, pixels);
  return status;
}

static msk_status paint(struct painter *painter, const struct row *row, int index, const char *path,
                        msk_error *error) {
  const struct item *item = &row->list->items[index];
  const order_picture *p = NULL;
  order o = row->way == WAY_PLAIN ? painter->generate : painter->draw;
  if (row->way != WAY_PLAIN) o.picture = row->way == WAY_TOKENS ? item->photo : item->sketch;
  if (row->way == WAY_LAMBDA) o.request.recipe.lambda_structure = row->lambda;
  o.request.class_id = painter->class_ids[item->kind];
  o.request.seed = painter->options.seed + (uint64_t)index;
  msk_status status = run_start(&painter->run, &o, NULL, error);
  if (status == MSK_OK && row->way == WAY_TOKENS) {
    status = paint_tokens(&painter->run, &item->photo, path, error);
  } else {
    if (status == MSK_OK) status = run_next(&painter->run, &p, error);
    if (status == MSK_OK) status = keep(&p->image, path, p->result->times.total, error);
  }
  o.picture = (msk_image){0}; /* the item's */
  order_free(&o);
  return status;
}

msk_status row_paint(struct painter *painter, const struct row *row, row_done *done, void *user,
                     msk_error *error) {
  msk_status status = MSK_OK;
  for (int i = 0; row->way != WAY_PHOTO && status == MSK_OK && i < row->list->count; i++) {
    struct stat found;
    char path[640];
    picture_path(path, row, painter->options.folder, i);
    if (stat(path, &found) == 0) continue;
    status = paint(painter, row, i, path, error);
    done(user);
  }
  return status;
}

/* ---- figures ---- */

static msk_status load_picture(msk_image *image, double *seconds, const char *path,
                               msk_error *error) {
  void *bytes;
  size_t count;
  char *text = NULL;
  msk_status status = msk_file_read(path, MSK_MAX_FILE_BYTES, &bytes, &count, NULL, error);
  if (status != MSK_OK) return status;
  status = msk_image_decode(image, bytes, count, MSK_ALPHA_WHITE, path, NULL, error);
  if (status == MSK_OK && msk_png_text(bytes, count, "seconds", &text, NULL, NULL) == MSK_OK &&
      text != NULL)
    *seconds = strtod(text, NULL);
  msk_free(NULL, text);
  msk_free(NULL, bytes);
  return status;
}

static msk_status load_item(msk_image *image, double *seconds, const struct row *row,
                            const char *folder, int index, msk_error *error) {
  char path[640];
  const msk_image *photo = &row->list->items[index].photo;
  *seconds = NAN;
  picture_path(path, row, folder, index);
  if (row->way != WAY_PHOTO) return load_picture(image, seconds, path, error);
  msk_status status = msk_image_create(image, photo->width, photo->height, NULL, error);
  if (status == MSK_OK)
    memcpy(image->pixels, photo->pixels, (size_t)photo->width * (size_t)photo->height * 3);
  return status;
}

msk_status row_picture(msk_image *image, const struct row *row, const char *folder, int index,
                       msk_error *error) {
  double seconds;
  return load_item(image, &seconds, row, folder, index, error);
}

/* What the judge saw in a row's pictures. */
struct seen {
  msk_judge_info info;
  uint8_t *shapes; /* count x side x side */
  float *wholes, *features;
  int *classes;
  double *seconds;
};

static void look_free(struct seen *seen) {
  free(seen->shapes);
  free(seen->wholes);
  free(seen->features);
  free(seen->classes);
  free(seen->seconds);
}

static msk_status look(struct seen *seen, const struct row *row, const char *folder,
                       msk_judge *judge, msk_error *error) {
  msk_status status = MSK_OK;
  msk_judge_get_info(judge, &seen->info);
  size_t count = (size_t)row->list->count,
         area = (size_t)seen->info.image_size * (size_t)seen->info.image_size;
  float *chances = calloc((size_t)seen->info.class_count, sizeof *chances),
        *silhouette = calloc(area, sizeof *silhouette);
  seen->shapes = malloc(count * area + 1);
  seen->features = calloc(count + 1, (size_t)seen->info.feature_count * sizeof *seen->features);
  seen->wholes = calloc(count + 1, sizeof *seen->wholes);
  seen->classes = calloc(count + 1, sizeof *seen->classes);
  seen->seconds = calloc(count + 1, sizeof *seen->seconds);
  if (!chances || !silhouette || !seen->shapes || !seen->wholes || !seen->features ||
      !seen->classes || !seen->seconds)
    status = no_memory(error);
  for (size_t i = 0; status == MSK_OK && i < count; i++) {
    msk_image image = {0};
    status = load_item(&image, &seen->seconds[i], row, folder, (int)i, error);
    if (status == MSK_OK)
      status = msk_judge_look(judge, &image, 1, chances, silhouette, seen->wholes + i,
                              seen->features + i * (size_t)seen->info.feature_count, error);
    for (int c = 1; c < seen->info.class_count; c++) {
      if (chances[c] > chances[seen->classes[i]]) seen->classes[i] = c;
    }
    for (size_t k = 0; k < area; k++) seen->shapes[i * area + k] = silhouette[k] > 0.5f;
    if (row->list->solid) shape_fill(seen->shapes + i * area, seen->info.image_size);
    msk_image_free(&image);
  }
  free(chances);
  free(silhouette);
  return status;
}

static int compare_doubles(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values, int count) {
  int used = 0;
  for (int i = 0; i < count; i++) {
    if (!isnan(values[i])) values[used++] = values[i];
  }
  if (used == 0) return NAN;
  qsort(values, (size_t)used, sizeof *values, compare_doubles);
  return values[used / 2];
}

/* IoU of picture i with the drawn shapes of the others of its group; NaN: it has none. */
static double others_iou(const item_list *list, int i, const uint8_t *shape, int side) {
  double sum = 0;
  int count = 0;
  for (int j = 0; j < list->count; j++) {
    if (j == i || list->items[j].group != list->items[i].group || list->items[j].shape == NULL)
      continue;
    sum += shape_iou(shape, list->items[j].shape, side);
    count++;
  }
  return count == 0 ? NAN : sum / count;
}

static void shape_figures(struct figures *figures, const item_list *list, const struct seen *seen) {
  double iou = 0, specificity = 0;
  int shapes = 0, compared = 0, side = seen->info.image_size;
  for (int i = 0; i < list->count; i++) {
    const uint8_t *shape = seen->shapes + (size_t)i * (size_t)side * (size_t)side;
    if (list->items[i].shape == NULL) continue;
    double own = shape_iou(shape, list->items[i].shape, side),
           others = others_iou(list, i, shape, side);
    iou += own;
    shapes++;
    if (!isnan(others)) specificity += own - others, compared++;
  }
  figures->iou = shapes == 0 ? NAN : iou / shapes;
  figures->specificity = compared == 0 ? NAN : specificity / compared;
}

static void note_mistake(struct figures *figures, const char *wanted, const char *found) {
  int at = 0;
  while (at < figures->mistake_count && (strcmp(figures->mistakes[at].wanted, wanted) != 0 ||
                                         strcmp(figures->mistakes[at].found, found) != 0))
    at++;
  if (at == MAX_MISTAKES) return;
  if (at == figures->mistake_count)
    figures->mistakes[figures->mistake_count++] = (struct mistake){wanted, found, 0};
  figures->mistakes[at].count++;
}

msk_status row_figures(struct figures *figures, const struct row *row, const char *folder,
                       msk_judge *judge, const msk_features *reference, msk_error *error) {
  struct seen seen = {.shapes = NULL};
  const item_list *list = row->list;
  int right = 0;
  msk_status status = look(&seen, row, folder, judge, error);
  *figures = (struct figures){.count = list->count, .frechet = NAN, .kernel = NAN};
  if (status == MSK_OK) {
    msk_features features = {seen.features, list->count, seen.info.feature_count};
    for (int i = 0; i < list->count; i++) {
      const char *wanted = world_class_name(list->items[i].kind),
                 *found = msk_judge_class_name(judge, seen.classes[i]);
      if (strcmp(wanted, found) == 0) {
        right++;
      } else {
        note_mistake(figures, wanted, found);
      }
      figures->whole += (double)seen.wholes[i] / list->count;
    }
    figures->class_share = (double)right / list->count;
    shape_figures(figures, list, &seen);
    figures->seconds = median(seen.seconds, list->count);
    if (reference->count > 1 && list->count > 1)
      status = msk_features_kernel(&features, reference, &figures->kernel, error);
    if (status == MSK_OK && reference->count >= LEAST_FOR_FRECHET &&
        list->count >= LEAST_FOR_FRECHET)
      status = msk_features_frechet(&features, reference, &figures->frechet, NULL, error);
  }
  look_free(&seen);
  return status;
}

msk_status photo_features(msk_features *features, float **values, const item_list *list,
                          msk_judge *judge, msk_error *error) {
  struct seen seen = {.shapes = NULL};
  struct row row = {.way = WAY_PHOTO, .list = list};
  msk_status status = look(&seen, &row, "", judge, error);
  if (status == MSK_OK) {
    *values = seen.features;
    *features = (msk_features){seen.features, list->count, seen.info.feature_count};
    seen.features = NULL;
  }
  look_free(&seen);
  return status;
}
