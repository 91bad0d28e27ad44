/* SPDX-License-Identifier: Apache-2.0
 * options.c - see options.h. */
#include "options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app/input.h"
#include "app/nearest.h"
#include "app/output.h"

typedef enum option_kind {
  KIND_FLAG,    /* int: 1 */
  KIND_TEXT,    /* const char * */
  KIND_INT,     /* int within minimum..maximum */
  KIND_REAL,    /* double within minimum..maximum */
  KIND_SEED,    /* uint64_t */
  KIND_CHOICE,  /* int: index of the word in `choices` */
  KIND_SETTING, /* KEY=VALUE of the recipe */
  KIND_AT,      /* one more text for at[] */
  KIND_FIELD    /* value of the recipe's key `choices` */
} option_kind;

/* One bit a command, in the order of cli_commands. */
enum {
  DRAW = 1,
  GENERATE = 2,
  EDIT = 4,
  REPLAY = 8,
  CONVERT = 16,
  INFO = 32,
  CLASSES = 64,
  TOKENIZE = 128,
  DETOKENIZE = 256,
  ATTENTION = 512,
  SHEET = 1024,
  SCORE = 2048,
  BENCH = 4096,
  EVAL = 8192,
  DISTANCE = 16384,
  SERVE = 32768,
  MAKE = DRAW | GENERATE | EDIT,
  PICTURES = MAKE | REPLAY,
  NETWORKS = PICTURES | TOKENIZE | DETOKENIZE | ATTENTION | EVAL,
  ALL = 65535
};

typedef struct option {
  const char *name;
  char letter; /* 0: none */
  option_kind kind;
  const char *argument, *choices, *help;
  int commands;
  size_t offset;
  int minimum, maximum;
} option;

#define TO(field) offsetof(cli_options, field), 0, 0
#define IN(field, minimum, maximum) offsetof(cli_options, field), minimum, maximum

static const option option_table[] = {
    {"class", 'c', KIND_TEXT, "CLASS", NULL,
     "what the picture shows: a number, a name, or the beginning of one (see masksketch classes)",
     MAKE | ATTENTION | SCORE, TO(class_text)},
    {"output", 'o', KIND_TEXT, "FILE", NULL, "where the result goes; - is standard output",
     ALL & ~(INFO | CLASSES | SCORE | DISTANCE | SERVE), TO(output)},
    {"model", 'm', KIND_TEXT, "PATH|NAME", NULL,
     "the model file (default: $MASKSKETCH_MODEL, else the model that comes with the program)",
     NETWORKS | CLASSES | SERVE, TO(model)},
    {"recipe", 'r', KIND_TEXT, "NAME", NULL, "a named row of settings (default: balanced)",
     MAKE | BENCH, TO(recipe)},
    {"set", 's', KIND_SETTING, "KEY=VALUE", NULL, "sets one field of the recipe; repeatable", MAKE,
     TO(settings)},
    {"lambda", 0, KIND_FIELD, "F", "lambda_structure",
     "how strictly the sketch is followed, 0 to 1", DRAW, TO(settings)},
    {"guidance", 0, KIND_FIELD, "F", "guidance", "how strongly the class is insisted on, 0 to 100",
     MAKE, TO(settings)},
    {"steps", 0, KIND_FIELD, "N", "steps", "decoding steps, 1 to 10000", MAKE, TO(settings)},
    {"lambda-map", 0, KIND_TEXT, "MAP", NULL,
     "picture that scales lambda over the sketch: white follows it, black is free", DRAW,
     TO(lambda_map)},
    {"seed", 0, KIND_SEED, "N", NULL, "which of the possible pictures (default: 0)", MAKE,
     TO(seed)},
    {"count", 'n', KIND_INT, "N", NULL,
     "how many pictures (default: 1); they are named OUT-1, OUT-2, ...", MAKE,
     IN(count, 1, MAX_COUNT)},
    {"candidates", 0, KIND_INT, "N", NULL,
     "draw N candidates (for each of --guidance F,F,...), and write the best by structure and CLIP",
     DRAW, IN(candidates, 1, 64)},
    {"keep", 0, KIND_INT, "N", NULL,
     "how many of the candidates are written, the best first (default: 1)", DRAW, IN(keep, 1, 64)},
    {"finish", 0, KIND_INT, "N", NULL,
     "drop the weaker half of the candidates by and by, so that N are drawn to the end (default: "
     "all)",
     DRAW, IN(finish, 1, 64)},
    {"drop-from", 0, KIND_REAL, "SHARE", NULL,
     "share of the steps that all candidates take before any is dropped, 0 to 1 (default: 0.75)",
     DRAW, IN(drop_from, 0, 1)},
    {"first-item", 0, KIND_INT, "N", NULL,
     "number of the first picture of the seed, from 0; not with the recipe official", MAKE,
     IN(first_item, 0, 1000000)},
    {"fit", 0, KIND_CHOICE, "HOW", "stretch pad crop",
     "how the picture comes to the model's square: stretch, pad or crop",
     DRAW | EDIT | TOKENIZE | ATTENTION, TO(fit)},
    {"invert", 0, KIND_CHOICE, "WHEN", "auto yes no",
     "turn light lines on dark ground over: auto, yes or no", DRAW, TO(invert)},
    {"photo-of-paper", 0, KIND_FLAG, NULL, NULL,
     "the sketch is a photograph of a drawing: even out the light, keep the lines", DRAW,
     TO(photo_of_paper)},
    {"box", 0, KIND_TEXT, "T,L,H,W", NULL,
     "the box to repaint, in pixels of the photo: top, left, height, width", EDIT, TO(box)},
    {"mask", 0, KIND_TEXT, "MASK", NULL, "picture that is white where the photo is repainted", EDIT,
     TO(mask)},
    {"extend", 0, KIND_TEXT, "T,L,B,R", NULL,
     "paint outside the frame: pixels to add at the top, left, bottom and right", EDIT, TO(extend)},
    {"rng", 0, KIND_CHOICE, "LAYOUT", "original partitionable",
     "bit layout of the random numbers: original (default) or partitionable", MAKE, TO(rng)},
    {"preview", 'p', KIND_FLAG, NULL, NULL, "show the picture in the terminal as it comes",
     PICTURES, TO(preview)},
    {"sheet", 0, KIND_TEXT, "FILE", NULL,
     "also write a contact sheet: what was given, then the pictures", MAKE, TO(sheet)},
    {"quality", 0, KIND_INT, "N", NULL,
     "of JPEG and WebP, 1 to 100 (default: 92 for JPEG, lossless WebP)",
     PICTURES | DETOKENIZE | SHEET, IN(quality, 1, 100)},
    {"no-metadata", 0, KIND_FLAG, NULL, NULL, "leave the request out of the PNG", PICTURES,
     TO(no_metadata)},
    {"tokens-out", 0, KIND_TEXT, "FILE.npy", NULL, "also write the tokens, class token first",
     PICTURES, TO(tokens_out)},
    {"trace", 0, KIND_TEXT, "FOLDER", NULL, "also write every step's quantities as .npy", PICTURES,
     TO(trace)},
    {"film", 0, KIND_TEXT, "FILE", NULL,
     "also write a picture of every step: what is drawn, and the structure score of each token",
     DRAW | REPLAY, TO(film)},
    {"at", 0, KIND_AT, "X,Y", NULL,
     "show what the token at this pixel of the model's square attends to; repeatable", ATTENTION,
     TO(at)},
    {"latents", 0, KIND_TEXT, "FILE.npy", NULL, "also write the encoder's output before quantising",
     TOKENIZE, TO(latents)},
    {"layers", 0, KIND_TEXT, "L,L", NULL,
     "transformer layers, from 0 (default: those of the recipe)", ATTENTION, TO(layers)},
    {"tokenizer", 0, KIND_TEXT, "FILE", NULL, "tokenizer checkpoint: Flax msgpack or safetensors",
     CONVERT, TO(tokenizer)},
    {"transformer", 0, KIND_TEXT, "FILE", NULL,
     "transformer checkpoint: Flax msgpack or safetensors", CONVERT, TO(transformer)},
    {"classes", 0, KIND_TEXT, "NAMES.txt", NULL,
     "class names, one a line (default: the ImageNet names if there are 1000 classes)", CONVERT,
     TO(classes)},
    {"defaults", 0, KIND_TEXT, "FILE.json", NULL, "the model's own defaults", CONVERT,
     TO(defaults)},
    {"name", 0, KIND_TEXT, "NAME", NULL, "name of the model (default: the output's)", CONVERT,
     TO(name)},
    {"dtype", 0, KIND_CHOICE, "TYPE", "f32 f16 bf16",
     "type of the stored matrices: f32 (default), f16 or bf16", CONVERT, TO(dtype)},
    {"int8", 0, KIND_FLAG, NULL, NULL,
     "store the transformer's layers in 8 bits, for --precision int8", CONVERT, TO(int8)},
    {"memory", 0, KIND_FLAG, NULL, NULL,
     "tell how much memory weights and work will take, before it is taken", MAKE | INFO,
     TO(memory)},
    {"tensors", 0, KIND_FLAG, NULL, NULL, "list every tensor", INFO, TO(tensors)},
    {"columns", 0, KIND_INT, "N", NULL, "pictures beside each other (default: 1)", SHEET,
     IN(columns, 1, 64)},
    {"text", 0, KIND_TEXT, "TEXT", NULL,
     "what the pictures should show; {class} stands for --class (default: a photo of a {class})",
     SCORE | DRAW, TO(text)},
    {"sketch", 0, KIND_TEXT, "SKETCH", NULL, "the drawing that the pictures should be like", SCORE,
     TO(sketch)},
    {"clip", 0, KIND_TEXT, "DIR", NULL,
     "folder of a CLIP: model.safetensors, config.json, vocab.json, merges.txt (default: "
     "models/clip)",
     SCORE | EVAL | DISTANCE | SERVE | DRAW, TO(clip)},
    {"judge", 0, KIND_TEXT, "FILE", NULL,
     "the judge's file (default: the one that comes with the program)", EVAL | DISTANCE, TO(judge)},
    {"features", 0, KIND_CHOICE, "OF", "judge clip",
     "what stands for a picture: the judge's features (default) or CLIP's embeddings", DISTANCE,
     TO(features)},
    {"weight-text", 0, KIND_REAL, "F", NULL,
     "weight of the text in the score, 0 to 100 (default: 1)", SCORE | DRAW,
     IN(weight_text, 0, 100)},
    {"weight-sketch", 0, KIND_REAL, "F", NULL,
     "weight of the sketch in the score, 0 to 100 (default: 1)", SCORE | DRAW,
     IN(weight_sketch, 0, 100)},
    {"weight-structure", 0, KIND_REAL, "F", NULL,
     "weight of the structure among candidates, 0 to 100 (default: 1)", DRAW,
     IN(weight_structure, 0, 100)},
    {"weight-confidence", 0, KIND_REAL, "F", NULL,
     "weight of confidence beside structure where --finish drops, 0 to 100 (default: 0)", DRAW,
     IN(weight_confidence, 0, 100)},
    {"size", 0, KIND_TEXT, "SIZE|MODEL", NULL,
     "what is measured: official sizes with random weights (default), the default model, or a "
     "model file",
     BENCH, TO(bench_size)},
    {"rounds", 0, KIND_INT, "N", NULL, "times that everything is measured, 1 to 1000 (default: 5)",
     BENCH, IN(rounds, 1, 1000)},
    {"seconds", 0, KIND_REAL, "S", NULL,
     "no new round begins after S seconds for each precision (default: 60)", BENCH,
     IN(seconds, 0, 100000)},
    {"kernels", 0, KIND_FLAG, NULL, NULL, "also tell where the time of each pass goes", BENCH,
     TO(kernels)},
    {"against", 0, KIND_TEXT, "PROGRAM", NULL,
     "run another build of masksketch in turn with this one, and compare", BENCH, TO(against)},
    {"listen", 0, KIND_TEXT, "ADDRESS", NULL,
     "numeric address to listen on (default: 127.0.0.1, this machine alone)", SERVE, TO(listen)},
    {"port", 0, KIND_INT, "N", NULL, "port (default: 8188, or the next free one up to 8199)", SERVE,
     IN(port, 1, 65535)},
    {"open", 0, KIND_FLAG, NULL, NULL, "open the page in the browser", SERVE, TO(open_page)},
    {"www", 0, KIND_TEXT, "DIR", NULL, "take the page's files from a folder, for working on them",
     SERVE, TO(www)},
    {"gallery", 0, KIND_TEXT, "DIR", NULL, "also write every finished picture there", SERVE,
     TO(gallery)},
    {"workers", 0, KIND_INT, "N", NULL,
     "jobs that run at once (default: 1); they share the threads", SERVE, IN(workers, 1, 64)},
    {"queue", 0, KIND_INT, "N", NULL, "jobs that may wait (default: 64)", SERVE,
     IN(queue, 1, 10000)},
    {"connections", 0, KIND_INT, "N", NULL, "open connections at most (default: 256)", SERVE,
     IN(connections, 4, 10000)},
    {"keep", 0, KIND_INT, "SECONDS", NULL, "how long finished jobs are kept (default: 600)", SERVE,
     IN(keep, 1, 1000000)},
    {"request-time", 0, KIND_INT, "SECONDS", NULL,
     "how long a request may take to arrive, and an answer to be fetched (default: 30)", SERVE,
     IN(request_time, 1, 3600)},
    {"body-limit", 0, KIND_INT, "MB", NULL, "size of a request at most (default: 24)", SERVE,
     IN(body_limit, 1, 256)},
    {"api-key", 0, KIND_TEXT, "KEY", NULL, "ask for this key; also from $MASKSKETCH_API_KEY", SERVE,
     TO(api_key)},
    {"api-key-file", 0, KIND_TEXT, "FILE", NULL, "ask for the key in this file", SERVE,
     TO(api_key_file)},
    {"insecure", 0, KIND_FLAG, NULL, NULL, "listen beyond this machine without a key", SERVE,
     TO(insecure)},
    {"allow-host", 0, KIND_TEXT, "NAME,NAME", NULL,
     "names by which the server is reached, beside localhost and numbers", SERVE, TO(allow_host)},
    {"allow-origin", 0, KIND_TEXT, "URL,URL", NULL,
     "other sites whose pages may ask (CORS), as in https://example.org", SERVE, TO(allow_origin)},
    {"threads", 't', KIND_INT, "N", NULL,
     "processors to use (default: all that there are); the result is the same",
     NETWORKS | SCORE | BENCH | DISTANCE | SERVE, IN(threads, 1, MAX_THREADS)},
    {"precision", 0, KIND_CHOICE, "TYPE", "fp32 int8",
     "arithmetic of the transformer: fp32 (default) or int8, which is faster (default of a model "
     "stored so)",
     NETWORKS | BENCH | SERVE, TO(precision)},
    {"decode-precision", 0, KIND_CHOICE, "TYPE", "fp32 int8",
     "arithmetic that turns tokens into pixels: fp32 (default) or int8: faster, pixels a little "
     "off",
     NETWORKS | BENCH | SERVE, TO(decode_precision)},
    {"isa", 0, KIND_TEXT, "NAME", NULL,
     "instruction set of the kernels (default: the best that this machine has)",
     NETWORKS | SCORE | BENCH | DISTANCE | SERVE, TO(isa)},
    {"json", 0, KIND_FLAG, NULL, NULL,
     "one JSON object a result on standard output; of score one array",
     PICTURES | INFO | CLASSES | SCORE | BENCH | DISTANCE, TO(json)},
    {"quiet", 'q', KIND_FLAG, NULL, NULL, "no progress and no report on standard error",
     ALL & ~(INFO | CLASSES), TO(quiet)},
    {"help", 'h', KIND_FLAG, NULL, NULL, "this text", ALL, TO(help)},
    {"version", 0, KIND_FLAG, NULL, NULL, "the program's version", ALL, TO(version)},
};
enum { OPTION_COUNT = sizeof option_table / sizeof option_table[0] };

/* ---- Looking up ---- */

static int command_bit(const cli_command *command) { return 1 << (int)(command - cli_commands); }

/* The option of that name that one of `commands` takes, else one that any command takes. */
static const option *find_option(const char *name, size_t length, int commands) {
  const option *found = NULL;
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    const option *o = &option_table[i];
    if (strlen(o->name) != length || memcmp(o->name, name, length) != 0) continue;
    if (o->commands & commands) return o;
    if (found == NULL) found = o;
  }
  return found;
}

static const option *find_letter(char letter) {
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (letter != 0 && option_table[i].letter == letter) return &option_table[i];
  }
  return NULL;
}

static const char *nearest_option(int commands, const char *name, size_t length) {
  const char *best = "help";
  int least = 1000;
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    const option *candidate = &option_table[i];
    if ((candidate->commands & commands) == 0) continue;
    int distance = nearest_edits(name, length, candidate->name);
    if (distance < least) {
      least = distance;
      best = candidate->name;
    }
  }
  return best;
}

static const cli_command *find_command(const char *name) {
  for (int i = 0; i < cli_command_count; i++) {
    if (strcmp(cli_commands[i].name, name) == 0) return &cli_commands[i];
  }
  return NULL;
}

static msk_status unknown_command(const char *name, msk_error *error) {
  const char *best = cli_commands[0].name;
  int least = 1000;
  for (int i = 0; i < cli_command_count; i++) {
    int distance = nearest_edits(name, strlen(name), cli_commands[i].name);
    if (distance < least) {
      least = distance;
      best = cli_commands[i].name;
    }
  }
  return app_fail(error, MSK_ERROR_ARGUMENT,
                  "there is no command %s; the nearest is %s: masksketch --help lists them all",
                  name, best);
}

static msk_status unknown_option(const cli_command *command, const char *written, const char *name,
                                 size_t length, msk_error *error) {
  const option *other = find_option(name, length, 0);
  if (other == NULL) {
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "%s has no option %s; the nearest is --%s: masksketch %s --help lists them all",
                    command->name, written, nearest_option(command_bit(command), name, length),
                    command->name);
  }
  char takers[160] = "";
  for (int i = 0; i < cli_command_count; i++) {
    if ((other->commands & 1 << i) == 0) continue;
    size_t used = strlen(takers);
    snprintf(takers + used, sizeof takers - used, "%s%s", used == 0 ? "" : ", ",
             cli_commands[i].name);
  }
  return app_fail(error, MSK_ERROR_ARGUMENT,
                  "--%s has no effect in %s; it belongs to %s: leave it out", other->name,
                  command->name, takers);
}

/* ---- Values ---- */

static bool parse_integer(const char *text, long long *value) {
  char *end = NULL;
  if ((*text < '0' || *text > '9') && *text != '-') return false;
  errno = 0;
  *value = strtoll(text, &end, 10);
  return end != text && *end == 0 && errno == 0;
}

static msk_status take_int(const option *o, const char *value, int *out, msk_error *error) {
  long long number = 0;
  if (!parse_integer(value, &number) || number < o->minimum || number > o->maximum) {
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--%s was given %s, expected a whole number from %d to %d", o->name, value,
                    o->minimum, o->maximum);
  }
  *out = (int)number;
  return MSK_OK;
}

static msk_status take_real(const option *o, const char *value, double *out, msk_error *error) {
  char *end = NULL;
  double number = (*value >= '0' && *value <= '9') || *value == '.' ? strtod(value, &end) : 0;
  if (end == NULL || end == value || *end != 0 || !(number >= o->minimum && number <= o->maximum)) {
    return app_fail(error, MSK_ERROR_ARGUMENT, "--%s was given %s, expected a number from %d to %d",
                    o->name, value, o->minimum, o->maximum);
  }
  *out = number;
  return MSK_OK;
}

static msk_status take_seed(const option *o, const char *value, uint64_t *out, msk_error *error) {
  char *end = NULL;
  errno = 0;
  unsigned long long number = *value >= '0' && *value <= '9' ? strtoull(value, &end, 10) : 0;
  if (end == NULL || *end != 0 || errno != 0) {
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--%s was given %s, expected a whole number from 0 to 18446744073709551615",
                    o->name, value);
  }
  *out = number;
  return MSK_OK;
}

static msk_status take_choice(const option *o, const char *value, int *out, msk_error *error) {
  const char *word = o->choices;
  for (int index = 0; *word != 0; index++) {
    size_t length = strcspn(word, " ");
    if (strlen(value) == length && memcmp(word, value, length) == 0) {
      *out = index;
      return MSK_OK;
    }
    word += length + (word[length] == ' ');
  }
  return app_fail(error, MSK_ERROR_ARGUMENT, "--%s was given %s, expected one of: %s", o->name,
                  value, o->choices);
}

static msk_status take_setting(cli_options *options, const option *o, const char *value,
                               msk_error *error) {
  if (options->setting_count == MAX_SETTINGS) {
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "more than %d recipe settings were given: keep the last of each key",
                    MAX_SETTINGS);
  }
  cli_setting setting = {o->name, o->choices, 0, value};
  if (o->kind == KIND_SETTING) {
    const char *equals = strchr(value, '=');
    if (equals == NULL || equals == value) {
      return app_fail(error, MSK_ERROR_ARGUMENT,
                      "--set was given %s, expected KEY=VALUE, as in --set steps=32", value);
    }
    setting.key = value;
    setting.value = equals + 1;
    setting.key_length = (int)(equals - value);
  } else {
    setting.key_length = (int)strlen(setting.key);
  }
  options->settings[options->setting_count++] = setting;
  return MSK_OK;
}

static msk_status take(cli_options *options, const option *o, const char *value, msk_error *error) {
  char *field = (char *)options + o->offset;
  switch (o->kind) {
    case KIND_FLAG: *(int *)(void *)field = 1; return MSK_OK;
    case KIND_TEXT:
      if (*value == 0)
        return app_fail(error, MSK_ERROR_ARGUMENT, "--%s was given an empty text, expected %s",
                        o->name, o->argument);
      *(const char **)(void *)field = value;
      return MSK_OK;
    case KIND_INT: return take_int(o, value, (int *)(void *)field, error);
    case KIND_REAL: return take_real(o, value, (double *)(void *)field, error);
    case KIND_SEED: return take_seed(o, value, (uint64_t *)(void *)field, error);
    case KIND_CHOICE: return take_choice(o, value, (int *)(void *)field, error);
    case KIND_AT:
      if (options->at_count == MAX_POINTS)
        return app_fail(error, MSK_ERROR_ARGUMENT,
                        "--at was given more than %d times: make several pictures", MAX_POINTS);
      options->at[options->at_count++] = value;
      return MSK_OK;
    case KIND_SETTING:
    case KIND_FIELD: return take_setting(options, o, value, error);
  }
  return MSK_OK;
}

/* ---- The command line ---- */

/* One argument that begins with '-'. *index moves on over a value that stands in the next
 * argument. */
static msk_status parse_option(cli_options *options, int argc, char **argv, int *index,
                               msk_error *error) {
  const char *written = argv[*index], *name = written + 2, *value = NULL;
  const cli_command *command = options->command;
  const option *o = NULL;
  if (written[1] == '-') {
    size_t length = strcspn(name, "=");
    o = find_option(name, length, command_bit(command));
    if (name[length] == '=') value = name + length + 1;
    if (o == NULL || (o->commands & command_bit(command)) == 0)
      return unknown_option(command, written, name, length, error);
  } else {
    o = find_letter(written[1]);
    if (o == NULL) return unknown_option(command, written, written + 1, strlen(written + 1), error);
    if ((o->commands & command_bit(command)) == 0)
      return unknown_option(command, written, o->name, strlen(o->name), error);
    if (written[2] != 0) value = written + 2;
  }
  if (o->kind == KIND_FLAG) {
    if (value != NULL)
      return app_fail(error, MSK_ERROR_ARGUMENT, "--%s takes no value, but %s was given", o->name,
                      value);
    return take(options, o, NULL, error);
  }
  if (value == NULL) {
    const char *next = *index + 1 < argc ? argv[*index + 1] : NULL;
    bool is_option = next != NULL && next[0] == '-' && next[1] == '-' &&
                     find_option(next + 2, strcspn(next + 2, "="), 0) != NULL;
    if (next == NULL || is_option) {
      return app_fail(error, MSK_ERROR_ARGUMENT, "--%s needs a value (%s), but %s follows", o->name,
                      o->argument, next == NULL ? "nothing" : next);
    }
    value = next;
    *index += 1;
  }
  return take(options, o, value, error);
}

static msk_status check_inputs(const cli_options *options, msk_error *error) {
  const cli_command *command = options->command;
  if (options->input_count < command->least_inputs) {
    return app_fail(error, MSK_ERROR_ARGUMENT, "%s was given no input, expected masksketch %s %s",
                    command->name, command->name, command->arguments);
  }
  if (options->input_count > command->most_inputs) {
    return app_fail(error, MSK_ERROR_ARGUMENT, "%s does not expect %s: masksketch %s %s",
                    command->name, options->inputs[command->most_inputs], command->name,
                    command->arguments);
  }
  if (options->quiet && options->preview) {
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--quiet and --preview contradict each other: leave one of them out");
  }
  if (options->quiet && options->memory) {
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--quiet and --memory contradict each other: leave one of them out");
  }
  if (options->isa == NULL) return MSK_OK;
  char names[160] = "";
  for (int i = 0; msk_isa_name(i) != NULL; i++) {
    if (strcmp(msk_isa_name(i), options->isa) == 0) return MSK_OK;
    size_t used = strlen(names);
    snprintf(names + used, sizeof names - used, " %s", msk_isa_name(i));
  }
  return app_fail(error, MSK_ERROR_ARGUMENT,
                  "--isa was given %s, expected one that this machine has:%s", options->isa, names);
}

/* True if an option that asks for a text stands among the arguments: then the text is all that
 * is wanted. */
static bool asks_for(int argc, char **argv, const char *word, const char *letter) {
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
    if (strcmp(argv[i], word) == 0 || (letter != NULL && strcmp(argv[i], letter) == 0)) return true;
  }
  return false;
}

msk_status cli_options_parse(cli_options *options, int argc, char **argv, msk_error *error) {
  *options = (cli_options){.count = -1,
                           .first_item = -1,
                           .threads = -1,
                           .quality = -1,
                           .port = -1,
                           .workers = -1,
                           .queue = -1,
                           .connections = -1,
                           .request_time = -1,
                           .body_limit = -1,
                           .columns = -1,
                           .precision = -1,
                           .decode_precision = -1,
                           .rng = -1,
                           .fit = -1,
                           .invert = -1,
                           .dtype = -1,
                           .features = -1,
                           .weight_text = -1,
                           .weight_sketch = -1,
                           .rounds = -1,
                           .weight_structure = -1,
                           .weight_confidence = -1,
                           .drop_from = -1,
                           .candidates = -1,
                           .keep = -1,
                           .finish = -1,
                           .seconds = -1,
                           .inputs = argv};
  options->help = asks_for(argc, argv, "--help", "-h");
  options->version = asks_for(argc, argv, "--version", NULL);
  if (argc >= 2 && argv[1][0] != '-') {
    options->command = find_command(argv[1]);
    if (options->command == NULL && !options->version) return unknown_command(argv[1], error);
  }
  if (options->help || options->version) return MSK_OK;
  if (options->command == NULL) {
    return app_fail(
        error, MSK_ERROR_ARGUMENT,
        "%s, expected a command, as in masksketch draw SKETCH --class CLASS: masksketch --help "
        "lists them all",
        argc < 2 ? "no command was given" : "an option stands where the command is expected");
  }
  bool only_inputs = false;
  for (int i = 2; i < argc; i++) {
    char *argument = argv[i];
    if (only_inputs || argument[0] != '-' || argument[1] == 0) {
      /* never ahead of i: argv[0] and the command have been read */
      options->inputs[options->input_count++] = argument;
    } else if (strcmp(argument, "--") == 0) {
      only_inputs = true;
    } else {
      msk_status status = parse_option(options, argc, argv, &i, error);
      if (status != MSK_OK) return status;
    }
  }
  return check_inputs(options, error);
}

msk_status cli_parse_list(const char *text, const char *what, int minimum, int maximum,
                          int *numbers, int limit, int *count, msk_error *error) {
  int found = 0;
  for (const char *p = text;; p++) {
    char *end = NULL;
    errno = 0;
    long value = *p >= '0' && *p <= '9' ? strtol(p, &end, 10) : 0;
    if (end == NULL || errno != 0 || value < minimum || value > maximum || found == limit ||
        (*end != ',' && *end != 0)) {
      return app_fail(error, MSK_ERROR_ARGUMENT,
                      "%s was given %s, expected at most %d whole numbers from %d to %d with "
                      "commas between them",
                      what, text, limit, minimum, maximum);
    }
    numbers[found++] = (int)value;
    if (*end == 0) break;
    p = end;
  }
  *count = found;
  return MSK_OK;
}

/* ---- Help ---- */

static void print_option(const option *o) {
  char left[64];
  if (o->letter != 0) {
    snprintf(left, sizeof left, "-%c, --%s %s", o->letter, o->name,
             o->argument == NULL ? "" : o->argument);
  } else {
    snprintf(left, sizeof left, "    --%s %s", o->name, o->argument == NULL ? "" : o->argument);
  }
  printf("  %-28s %s\n", left, o->help);
}

static void print_recipes(msk_job job) {
  printf("\nRecipes (--recipe):\n");
  for (int i = 0; msk_recipe_name(i) != NULL; i++)
    printf("  %-28s %s\n", msk_recipe_name(i), msk_recipe_description(i));
  printf("\nKeys of a recipe (--set KEY=VALUE):\n");
  const char *help = NULL;
  for (int i = 0; msk_recipe_key(i, job, &help) != NULL; i++)
    printf("  %-28s %s\n", msk_recipe_key(i, job, &help), help);
}

void cli_options_help(const cli_command *command) {
  if (command == NULL) {
    printf(
        "masksketch %s: a sketch and a class in, a photo out\n\nUsage: masksketch COMMAND "
        "...\n\nCommands:\n",
        msk_version());
    for (int i = 0; i < cli_command_count; i++)
      printf("  %-12s %s\n", cli_commands[i].name, cli_commands[i].summary);
    printf(
        "\nmasksketch COMMAND --help tells more about each; masksketch --version prints the "
        "version.\n");
    return;
  }
  printf("masksketch %s: %s\n\nUsage: masksketch %s %s\n\nOptions:\n", command->name,
         command->summary, command->name, command->arguments);
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (option_table[i].commands & command_bit(command)) print_option(&option_table[i]);
  }
  if (command->job >= 0) print_recipes((msk_job)command->job);
}

/* ---- What the commands make of them ---- */

msk_status cli_check_output(const char *path, const cli_options *options, msk_error *error) {
  if (output_is_stdout(path)) return MSK_OK;
  const char *others[] = {options->model,     options->lambda_map,  options->mask,
                          options->tokenizer, options->transformer, options->classes,
                          options->defaults};
  for (int i = 0; i < options->input_count; i++) {
    if (input_same_file(path, options->inputs[i])) {
      return app_fail(
          error, MSK_ERROR_ARGUMENT,
          "the output %s is the input itself, expected another file: choose one with -o", path);
    }
  }
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    if (others[i] != NULL && input_same_file(path, others[i])) {
      return app_fail(
          error, MSK_ERROR_ARGUMENT,
          "the output %s is also read by this command, expected another file: choose one with -o",
          path);
    }
  }
  return output_check(path, error);
}

model_choice cli_model_choice(const cli_options *options) {
  return (model_choice){.name = options->model,
                        .isa = options->isa,
                        .precision = options->precision,
                        .decode_precision = options->decode_precision,
                        .threads = options->threads > 0 ? options->threads : 0,
                        .tell_memory = options->memory != 0};
}
