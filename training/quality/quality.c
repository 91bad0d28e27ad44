/* SPDX-License-Identifier: Apache-2.0
 *
 * quality.c - `./run quality`: how good the pictures of a model are, by the judge. Makes
 * pictures of unseen renders' drawings and of the sketches by hand, in every way that is
 * compared, and writes a table and contact sheets (docs/quality.md says what the figures mean).
 * Everything made is kept in the work folder, so a run that was stopped goes on, and another run
 * with the same model and recipe only adds what it needs. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "app/report.h"
#include "masksketch_tools.h"
#include "quality_report.h"

enum {
  MAX_ROWS = 64,
  MAX_SETTINGS = 32,
  LAMBDAS = 4,
  MAX_VARIATIONS = 16,
  REFERENCE_DRAWINGS = 25
};

struct options {
  const char *model, *judge, *device, *work, *strokes, *recipe, *only;
  const char *settings[MAX_SETTINGS];
  int setting_count, drawings, sweep, robust, threads;
  bool floor; /* plain MaskGIT too */
  enum half half;
  enum world_style style;
  int fit; /* -1: the model's */
  msk_precision precision;
  uint64_t seed;
};

struct run {
  struct options options;
  msk_model *model;
  msk_judge *judge;
  struct painter *painter;
  kind_list kinds;
  item_list renders, few_renders, sketches, reference, variations[MAX_VARIATIONS];
  struct row rows[MAX_ROWS];
  int row_count;
  char folder[300], cache[300];
  float *reference_values;
  msk_features reference_features;
  int to_paint, painted;
  double started;
};

static const char usage[] =
    "usage: quality [OPTION ...]\n"
    "  --model FILE         default: models/default.safetensors\n"
    "  --judge FILE         default: training/judge/judge.safetensors\n"
    "  --recipe NAME        default: balanced\n"
    "  --set KEY=VALUE      sets one field of the recipe (generate.KEY: of plain MaskGIT's); "
    "repeatable\n"
    "  --tuning             the tuning half of the sketches by hand\n"
    "  --reporting          the reporting half (default: both)\n"
    "  --drawings N         unseen renders of each class (25)\n"
    "  --sweep N            renders of each class for the other lambdas (all; 0: none)\n"
    "  --robust N           sketches of each class for every variation (all; -1: none)\n"
    "  --quick              --drawings 2 --sweep 0 --robust -1, and no plain MaskGIT: for "
    "comparing recipes\n"
    "  --only PART          renders, sketches or robustness\n"
    "  --fit HOW            how the sketches by hand are fitted: stretch or ink (the model's)\n"
    "  --style STYLE        plain (default) or rich: the renders' world\n"
    "  --seed N             of the pictures (1)\n"
    "  --precision TYPE     arithmetic of the transformer: fp32 (default) or int8\n"
    "  --device NAME        of the networks, the judge's too: cpu (default), gpu, ... "
    "(docs/gpu.md)\n"
    "  --threads N          0: all processors\n"
    "  --work FOLDER        where everything is kept (build/quality)\n";

/* ---- options ---- */

static bool take_number(const char *text, long least, long most, long *value) {
  char *end;
  errno = 0;
  *value = strtol(text, &end, 10);
  return errno == 0 && end != text && *end == 0 && *value >= least && *value <= most;
}

static bool take_flag(struct options *o, const char *name) {
  if (strcmp(name, "--tuning") == 0) return o->half = HALF_TUNING, true;
  if (strcmp(name, "--reporting") == 0) return o->half = HALF_REPORTING, true;
  if (strcmp(name, "--quick") == 0)
    return o->drawings = 2, o->sweep = 0, o->robust = -1, o->floor = false, true;
  return false;
}

static bool take_value(struct options *o, const char *name, const char *value) {
  long number = 0;
  const struct {
    const char *name, **text;
  } texts[] = {{"--model", &o->model},   {"--judge", &o->judge}, {"--device", &o->device},
               {"--recipe", &o->recipe}, {"--only", &o->only},   {"--work", &o->work}};
  const struct {
    const char *name;
    long least, most;
    int *number;
  } numbers[] = {{"--drawings", 1, 300, &o->drawings},
                 {"--sweep", 0, 300, &o->sweep},
                 {"--robust", -1, 5, &o->robust},
                 {"--threads", 0, 1024, &o->threads}};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    if (strcmp(name, texts[i].name) == 0) return *texts[i].text = value, true;
  }
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    if (strcmp(name, numbers[i].name) != 0) continue;
    bool fine = take_number(value, numbers[i].least, numbers[i].most, &number);
    *numbers[i].number = (int)number;
    return fine;
  }
  if (strcmp(name, "--seed") == 0)
    return take_number(value, 0, INT32_MAX, &number) && (o->seed = (uint64_t)number, true);
  if (strcmp(name, "--style") == 0) {
    o->style = strcmp(value, "rich") == 0 ? WORLD_RICH : WORLD_PLAIN;
    return o->style == WORLD_RICH || strcmp(value, "plain") == 0;
  }
  if (strcmp(name, "--fit") == 0) {
    o->fit = strcmp(value, msk_fit_name(MSK_FIT_INK)) == 0 ? MSK_FIT_INK : MSK_FIT_STRETCH;
    return strcmp(value, msk_fit_name(o->fit)) == 0;
  }
  if (strcmp(name, "--precision") == 0) {
    for (int p = 0; msk_precision_name(p) != NULL; p++) {
      if (strcmp(value, msk_precision_name(p)) == 0) return o->precision = (msk_precision)p, true;
    }
    return false;
  }
  if (strcmp(name, "--set") != 0 || o->setting_count == MAX_SETTINGS) return false;
  o->settings[o->setting_count++] = value;
  return true;
}

static bool parse(struct options *o, int count, char **words) {
  for (int i = 1; i < count; i++) {
    if (take_flag(o, words[i])) continue;
    if (i + 1 >= count || !take_value(o, words[i], words[i + 1])) {
      fprintf(stderr, "quality: %s is no option, or its value is missing or wrong\n%s", words[i],
              usage);
      return false;
    }
    i++;
  }
  if (o->only == NULL || strcmp(o->only, "renders") == 0 || strcmp(o->only, "sketches") == 0 ||
      strcmp(o->only, "robustness") == 0)
    return true;
  fprintf(stderr, "quality: --only was given %s, expected renders, sketches or robustness\n",
          o->only);
  return false;
}

/* ---- the plan ---- */

static bool wanted(const struct run *run, const char *part) {
  return run->options.only == NULL || strcmp(run->options.only, part) == 0;
}

static void add_row(struct run *run, const char *set, const char *name, enum way way, double lambda,
                    const item_list *list, const char *title) {
  struct row *row = &run->rows[run->row_count++];
  *row = (struct row){.set = set, .name = name, .way = way, .lambda = lambda, .list = list};
  snprintf(row->title, sizeof row->title, "%s", title);
}

static void add_lambdas(struct run *run, const char *set, const item_list *list) {
  static const struct {
    double value;
    const char *name, *title;
  } lambdas[LAMBDAS] = {{0, "lambda-0", "lambda 0"},
                        {0.5, "lambda-0.5", "lambda 0.5"},
                        {0.9, "lambda-0.9", "lambda 0.9"},
                        {1, "lambda-1", "lambda 1"}};
  for (int i = 0; i < LAMBDAS; i++)
    add_row(run, set, lambdas[i].name, WAY_LAMBDA, lambdas[i].value, list, lambdas[i].title);
}

static void plan(struct run *run) {
  const char *name, *meaning;
  bool sweep = run->options.sweep != 0;
  if (wanted(run, "renders")) {
    add_row(run, "renders", "photo", WAY_PHOTO, 0, &run->renders, "the true photo");
    add_row(run, "renders", "tokens", WAY_TOKENS, 0, &run->renders,
            "the true photo's tokens (ceiling)");
    add_row(run, "renders", "draw", WAY_DRAW, 0, &run->renders, "**drawn**");
    if (run->options.floor)
      add_row(run, "renders", "plain", WAY_PLAIN, 0, &run->renders, "plain MaskGIT (floor)");
    if (sweep) add_lambdas(run, "renders", &run->few_renders);
  }
  if (wanted(run, "sketches")) {
    add_row(run, "sketches", "draw", WAY_DRAW, 0, &run->sketches, "**drawn**");
    if (run->options.floor)
      add_row(run, "sketches", "plain", WAY_PLAIN, 0, &run->sketches, "plain MaskGIT (floor)");
    if (sweep) add_lambdas(run, "sketches", &run->sketches);
  }
  for (int i = 0;
       wanted(run, "robustness") && run->options.robust >= 0 && items_variation(i, &name, &meaning);
       i++)
    add_row(run, name, "draw", WAY_DRAW, 0, &run->variations[i], meaning);
}

/* The first renders of each kind, as a list of their own that owns nothing. */
static void take_few(struct run *run) {
  int count = run->options.sweep * run->kinds.count;
  run->few_renders = run->renders;
  if (count < run->renders.count) run->few_renders.count = count;
}

static msk_status make_folder(const char *path, msk_error *error) {
  if (mkdir(path, 0777) == 0 || errno == EEXIST) return MSK_OK;
  error->code = MSK_ERROR_OUTPUT;
  snprintf(error->message, sizeof error->message, "%s: the folder cannot be made: %s", path,
           strerror(errno));
  return MSK_ERROR_OUTPUT;
}

static msk_status make_folders(struct run *run, msk_error *error) {
  msk_model_info info;
  msk_model_get_info(run->model, &info);
  if (run->options.fit < 0) run->options.fit = (int)info.fit;
  int cache = snprintf(run->cache, sizeof run->cache, "%s/world-%s-%d", run->options.work,
                       run->options.style == WORLD_PLAIN ? "plain" : "rich", info.image_size);
  int folder = snprintf(run->folder, sizeof run->folder, "%s/%s%s", run->options.work,
                        painter_key(run->painter), run->options.fit == MSK_FIT_INK ? "-ink" : "");
  if (cache >= (int)sizeof run->cache || folder >= (int)sizeof run->folder) {
    *error =
        (msk_error){.code = MSK_ERROR_ARGUMENT, .message = "the work folder's name is too long"};
    return error->code;
  }
  msk_status status = make_folder(run->options.work, error);
  if (status == MSK_OK) status = make_folder(run->cache, error);
  if (status == MSK_OK) status = make_folder(run->folder, error);
  for (int r = 0; status == MSK_OK && r < run->row_count; r++) {
    char path[400];
    snprintf(path, sizeof path, "%s/%s", run->folder, run->rows[r].set);
    status = make_folder(path, error);
  }
  return status;
}

static msk_status make_items(struct run *run, msk_error *error) {
  msk_model_info model;
  msk_judge_info judge;
  const char *name, *meaning;
  msk_model_get_info(run->model, &model);
  msk_judge_get_info(run->judge, &judge);
  item_options options = {.size = model.image_size,
                          .side = judge.image_size,
                          .style = run->options.style,
                          .kinds = &run->kinds,
                          .drawings = run->options.drawings,
                          .half = run->options.half,
                          .per_kind = run->options.robust,
                          .fit = (msk_fit)run->options.fit,
                          .strokes = run->options.strokes,
                          .cache = run->cache};
  msk_status status = MSK_OK;
  if (wanted(run, "renders")) status = items_render(&run->renders, &options, false, error);
  take_few(run);
  if (status == MSK_OK) status = items_sketches(&run->sketches, &options, error);
  for (int i = 0; status == MSK_OK && i < MAX_VARIATIONS && wanted(run, "robustness") &&
                  run->options.robust >= 0;
       i++) {
    if (items_variation(i, &name, &meaning))
      status = items_vary(&run->variations[i], &options, i, error);
  }
  options.drawings =
      run->options.drawings < REFERENCE_DRAWINGS ? run->options.drawings : REFERENCE_DRAWINGS;
  if (options.drawings < 10) options.drawings = 10;
  if (status == MSK_OK) status = items_render(&run->reference, &options, true, error);
  if (status == MSK_OK)
    status = photo_features(&run->reference_features, &run->reference_values, &run->reference,
                            run->judge, error);
  return status;
}

/* ---- running ---- */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void show_progress(void *user) {
  struct run *run = user;
  double each = (now() - run->started) / ++run->painted;
  int left = (int)(each * (run->to_paint - run->painted));
  fprintf(stderr, "\rpicture %d of %d, %d:%02d left   ", run->painted, run->to_paint, left / 60,
          left % 60);
}

static msk_status paint_all(struct run *run, msk_error *error) {
  msk_status status = MSK_OK;
  for (int r = 0; r < run->row_count; r++) run->to_paint += row_missing(&run->rows[r], run->folder);
  run->started = now();
  for (int r = 0; status == MSK_OK && r < run->row_count; r++)
    status = row_paint(run->painter, &run->rows[r], show_progress, run, error);
  if (run->painted > 0) fprintf(stderr, "\n");
  return status;
}

static bool is_variation(const struct row *row) {
  return strcmp(row->set, "renders") != 0 && strcmp(row->set, "sketches") != 0;
}

static const char *set_title(const struct run *run, const struct row *row) {
  static const char *const halves[] = {"", "Tuning half of the sketches by hand",
                                       "Reporting half of the sketches by hand",
                                       "Sketches by hand"};
  if (strcmp(row->set, "renders") == 0) return "Drawings of unseen renders";
  return is_variation(row) ? "Robustness, sketches by hand" : halves[run->options.half];
}

static msk_status write_table(struct run *run, FILE *out, msk_error *error) {
  msk_status status = MSK_OK;
  msk_model_info info;
  msk_model_get_info(run->model, &info);
  fprintf(out, "Model %.16s, kernels %s, ", info.hash, info.isa);
  if (strcmp(info.device, "cpu") != 0) fprintf(out, "device %s, ", info.device);
  fprintf(out, "%s, recipe %s", msk_precision_name((int)info.precision), run->options.recipe);
  for (int i = 0; i < run->options.setting_count; i++)
    fprintf(out, " %s", run->options.settings[i]);
  fprintf(out, ", fit %s, seed %llu.\n", msk_fit_name(run->options.fit),
          (unsigned long long)run->options.seed);
  struct figures figures, drawn = {0};
  for (int r = 0; status == MSK_OK && r < run->row_count; r++) {
    const char *title = set_title(run, &run->rows[r]);
    if (r == 0 || strcmp(title, set_title(run, &run->rows[r - 1])) != 0) {
      report_mistakes(out, &drawn);
      report_head(out, title);
      drawn.mistake_count = 0;
    }
    status = row_figures(&figures, &run->rows[r], run->folder, run->judge, &run->reference_features,
                         error);
    if (status != MSK_OK) break;
    report_row(out, &run->rows[r], &figures);
    /* variations that ask for another class, or show nothing, are mistaken on purpose */
    if (run->rows[r].way == WAY_DRAW && !is_variation(&run->rows[r])) drawn = figures;
  }
  report_mistakes(out, &drawn);
  return status;
}

static const struct row *find_row(const struct run *run, const char *set, const char *name) {
  for (int r = 0; r < run->row_count; r++) {
    if (strcmp(run->rows[r].set, set) == 0 && strcmp(run->rows[r].name, name) == 0)
      return &run->rows[r];
  }
  return NULL;
}

/* A sheet of the named rows of a set; nothing where one of them was not asked for. */
static msk_status write_sheet(const struct run *run, const char *file, const char *set,
                              const char *const *names, int name_count, int cells, int columns,
                              msk_error *error) {
  const struct row *rows[8];
  char path[400];
  for (int i = 0; i < name_count; i++) {
    rows[i] = find_row(run, set, names[i]);
    if (rows[i] == NULL) return MSK_OK;
  }
  snprintf(path, sizeof path, "%s/%s.jpg", run->folder, file);
  fprintf(stderr, "%s\n", path);
  return report_sheet(path, rows, name_count, run->folder, cells, columns, error);
}

/* One sheet, a line for each variation. */
static msk_status write_variations(const struct run *run, msk_error *error) {
  const struct row *rows[MAX_VARIATIONS];
  const char *name, *meaning;
  char path[400];
  int count = 0;
  for (int i = 0; i < MAX_VARIATIONS && items_variation(i, &name, &meaning); i++) {
    rows[count] = find_row(run, name, "draw");
    count += rows[count] != NULL;
  }
  if (count == 0) return MSK_OK;
  snprintf(path, sizeof path, "%s/robustness.jpg", run->folder);
  fprintf(stderr, "%s\n", path);
  return report_lines(path, rows, count, run->folder, 6, error);
}

static msk_status write_sheets(const struct run *run, msk_error *error) {
  static const char *const ways[] = {"draw", "plain", "tokens", "photo"}, *const lambdas[] = {
                                                                              "lambda-0",
                                                                              "lambda-0.5",
                                                                              "lambda-0.9",
                                                                              "lambda-1"};
  msk_status status = write_sheet(run, "renders", "renders", ways, 4, 24, 2, error);
  if (status == MSK_OK)
    status = write_sheet(run, "renders-lambda", "renders", lambdas, 4, 12, 2, error);
  if (status == MSK_OK) status = write_sheet(run, "sketches", "sketches", ways, 1, 60, 5, error);
  if (status == MSK_OK)
    status = write_sheet(run, "sketches-lambda", "sketches", lambdas, 4, 12, 2, error);
  if (status == MSK_OK) status = write_variations(run, error);
  return status;
}

static msk_status report(struct run *run, msk_error *error) {
  char path[400], line[256];
  snprintf(path, sizeof path, "%s/table.md", run->folder);
  FILE *out = fopen(path, "w+");
  if (out == NULL) {
    error->code = MSK_ERROR_OUTPUT;
    snprintf(error->message, sizeof error->message, "%s: cannot be written: %s", path,
             strerror(errno));
    return MSK_ERROR_OUTPUT;
  }
  msk_status status = write_table(run, out, error);
  rewind(out);
  while (status == MSK_OK && fgets(line, sizeof line, out) != NULL) fputs(line, stdout);
  fclose(out);
  fprintf(stderr, "\n%s\n", path);
  return status == MSK_OK ? write_sheets(run, error) : status;
}

static bool model_knows(const msk_model *model, const char *name) {
  int class_id;
  if (msk_model_class_find(model, name, &class_id, NULL) != MSK_OK) return false;
  const char *found = msk_model_class_name(model, class_id);
  size_t length = strlen(name);
  return strncmp(found, name, length) == 0 && (found[length] == 0 || found[length] == ',');
}

static bool judge_knows(const msk_judge *judge, const char *name) {
  const char *other;
  for (int i = 0; (other = msk_judge_class_name(judge, i)) != NULL; i++) {
    if (strcmp(other, name) == 0) return true;
  }
  return false;
}

/* Those of the world's objects that the model and the judge know. */
static msk_status choose_kinds(struct run *run, msk_error *error) {
  for (int kind = 0; kind < WORLD_SHAPES; kind++) {
    const char *name = world_class_name(kind);
    if (model_knows(run->model, name) && judge_knows(run->judge, name))
      run->kinds.kinds[run->kinds.count++] = kind;
  }
  if (run->kinds.count > 0) return MSK_OK;
  return app_fail(error, MSK_ERROR_ARGUMENT,
                  "%s knows none of the rendered world's objects that the judge knows",
                  run->options.model);
}

static msk_status execute(struct run *run, msk_error *error) {
  const struct options *o = &run->options;
  painter_options options = {.recipe = o->recipe,
                             .settings = o->settings,
                             .setting_count = o->setting_count,
                             .kinds = &run->kinds,
                             .seed = o->seed,
                             .threads = o->threads,
                             .folder = run->folder};
  msk_judge_options judge_options;
  msk_model_options model_options;
  msk_model_options_init(&model_options);
  model_options.precision = o->precision;
  msk_judge_options_init(&judge_options);
  model_options.device = judge_options.device = o->device;
  judge_options.threads = o->threads;
  msk_status status = msk_judge_open(&run->judge, o->judge, &judge_options, error);
  if (status == MSK_OK) status = msk_model_open(&run->model, o->model, &model_options, error);
  if (status == MSK_OK) status = choose_kinds(run, error);
  if (status == MSK_OK) status = painter_open(&run->painter, run->model, &options, error);
  plan(run);
  if (status == MSK_OK) status = make_folders(run, error);
  if (status == MSK_OK) status = make_items(run, error);
  if (status == MSK_OK) status = paint_all(run, error);
  return status == MSK_OK ? report(run, error) : status;
}

int main(int count, char **words) {
  static struct run run;
  msk_error error = {0};
  run.options = (struct options){.model = "models/default.safetensors",
                                 .judge = "training/judge/judge.safetensors",
                                 .work = "build/quality",
                                 .strokes = "training/sketches/strokes",
                                 .recipe = "balanced",
                                 .drawings = 25,
                                 .sweep = 300,
                                 .floor = true,
                                 .half = HALF_BOTH,
                                 .style = WORLD_PLAIN,
                                 .fit = -1,
                                 .seed = 1};
  if (!parse(&run.options, count, words)) return 2;
  msk_status status = execute(&run, &error);
  if (status != MSK_OK) fprintf(stderr, "\nquality: %s\n", error.message);
  for (int i = 0; i < MAX_VARIATIONS; i++) items_free(&run.variations[i]);
  items_free(&run.renders);
  items_free(&run.sketches);
  items_free(&run.reference);
  free(run.reference_values);
  painter_close(run.painter);
  msk_model_close(run.model);
  msk_judge_close(run.judge);
  return status == MSK_OK ? 0 : 1;
}
