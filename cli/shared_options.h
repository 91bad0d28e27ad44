/* SPDX-License-Identifier: Apache-2.0
 * shared_options.h - tables of options that several commands include. */
#ifndef CLI_SHARED_OPTIONS_H
#define CLI_SHARED_OPTIONS_H

#include "app/model_path.h"
#include "app/order.h"
#include "masksketch_tools.h"
#include "options.h"

enum { MAX_SETTINGS = 64 };

/* Which model, and how it computes: fills a model_choice. */
extern const cli_table model_table;

/* Of commands that run other networks. */
typedef struct machine_options {
  const char *isa;
  int threads; /* 0: all */
} machine_options;
extern const cli_table machine_table;

/* clang-format off: rows that read as rows */

/* The rows of both, for structures of another shape. */
#define CLI_MODEL_ROW(s, f)                                                                 \
  {                                                                                         \
    "model", 'm', "PATH|NAME", CLI_AN_INPUT(s, f),                                          \
        .help = "the model file, or the name of an installed one, or what it calls itself", \
        .otherwise = "$MASKSKETCH_MODEL, else the model that comes with the program"        \
  }
#define CLI_PRECISION_ROWS(s)                                                                     \
  {"precision",                                                                                   \
   0,                                                                                             \
   "TYPE",                                                                                        \
   CLI_A_NAME(s, precision, msk_precision_name),                                                  \
   .help = "arithmetic of the transformer, of which int8 is faster, and encodes in 16 bits",      \
   .otherwise = "fp32, or int8 of a model stored so"},                                            \
  {                                                                                               \
    "decode-precision", 0, "TYPE", CLI_A_NAME(s, decode_precision, msk_precision_name),           \
        .help =                                                                                   \
            "arithmetic that turns tokens into pixels, of which int8 is faster and a little off", \
        .otherwise = "fp32"                                                                       \
  }
#define CLI_MACHINE_ROWS(s, at)                                                                 \
  {"threads",                                                                                   \
   't',                                                                                         \
   "N",                                                                                         \
   CLI_AN_INT(s, at threads, 1, MSK_MAX_THREADS),                                               \
   .help = "processors to use; the result is the same",                                         \
   .otherwise = "all that there are"},                                                          \
  {                                                                                             \
    "isa", 0, "NAME", CLI_A_CALL(s, at isa, cli_take_isa),                                      \
        .help = "instruction set of the kernels", .otherwise = "the best that this machine has" \
  }
#define CLI_DEVICE_OTHERWISE "$MASKSKETCH_DEVICE, else cpu"
#define CLI_DEVICE_ROW(s, f, without)                                                       \
  {                                                                                         \
    "device", 0, "NAME", CLI_A_TEXT(s, f),                                                  \
        .otherwise = without, .word = cli_device_word,                                      \
        .help =                                                                             \
            "where the networks compute: cpu; gpu, the first one; auto, the same if it is " \
            "faster; or a name or number of --device list, which lists them (docs/gpu.md)"  \
  }
#define CLI_ADAPTER_ROW(s, f)                                                           \
  {                                                                                     \
    "adapter", 0, "FILE[:WEIGHT]", CLI_A_CALL(s, f, cli_take_adapter),                  \
        .help =                                                                         \
            "a class that masksketch teach added to the model; repeatable. The weight " \
            "scales what it adds to the matrices, 1 by itself"                          \
  }
#define CLI_CLIP_ROW(s, f)                                                                  \
  {                                                                                         \
    "clip", 0, "DIR", CLI_A_FOLDER(s, f),                                                   \
        .help = "folder of a CLIP: model.safetensors, config.json, vocab.json, merges.txt", \
        .otherwise = "models/clip beside the default model"                                 \
  }
#define CLI_JUDGE_ROW(s, f)                                                                    \
  {                                                                                            \
    "judge", 0, "FILE", CLI_AN_INPUT(s, f), .help = "the judge's file",                        \
                                            .otherwise = "the one that comes with the program" \
  }

/* clang-format on */
cli_take cli_take_adapter; /* adapter_list: one more */
const char *cli_device_word(int index);
cli_take cli_take_isa; /* const char *: one that this machine has */

/* A recipe field given by --set or by a short-hand of it; `key` is not terminated. */
typedef struct recipe_setting {
  const char *option; /* that it came by: "set", "lambda" */
  const char *key;
  int key_length;
  const char *value;
} recipe_setting;

typedef struct setting_list {
  recipe_setting at[MAX_SETTINGS];
  int count;
} setting_list;

typedef struct recipe_options {
  const char *name;
  setting_list settings;
} recipe_options;
extern const cli_table recipe_table;
/* setting_list: one more; the row's detail is the key, or NULL for KEY=VALUE. */
cli_take cli_take_setting;
/* Sets what the command line wants of a recipe. */
msk_status recipe_set(msk_recipe *recipe, const recipe_options *options, msk_job job,
                      msk_error *error);
#endif
