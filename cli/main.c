/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c - masksketch: finds the command, has its options read (options.h), runs it, and turns
 * its status into one line of error and an exit code. The program uses the library through its
 * public header alone. */
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "app/cancel.h"
#include "app/json.h"
#include "commands.h"
#include "devices.h"
#include "help.h"

const cli_command cli_commands[] = {
    {"Pictures", "draw", "a sketch and a class in, a photo out", &draw_usage},
    {"Pictures", "generate", "a photo of a class, without a sketch", &generate_usage},
    {"Pictures", "edit", "repaint a part of a photo, or paint outside its frame", &edit_usage},
    {"Pictures", "replay", "make a picture again from what its PNG says", &replay_usage},
    {"Pictures", "sheet", "join pictures into one", &sheet_usage},
    {"Pictures", "serve", "the sketch pad in the browser, and an HTTP interface", &serve_usage},
    {"Pictures", "krita", "puts the plug-in for Krita in place", &krita_usage},
    {"Models", "classes", "the class names of a model, searched", &classes_usage},
    {"Models", "info", "what is in a model, a checkpoint or a picture", &info_usage},
    {"Models", "pull", "download published checkpoints, checked, and convert them", &pull_usage},
    {"Models", "convert", "make a model file from published checkpoints", &convert_usage},
    {"Models", "teach", "add a class to a model, from pictures of it", &teach_usage},
    {"Models", "train", "a model of one's own, from a spec", &train_usage},
    {"Research", "tokenize", "picture to tokens", &tokenize_usage},
    {"Research", "detokenize", "tokens to picture", &detokenize_usage},
    {"Research", "attention", "attention maps of a picture, or what chosen tokens attend to",
     &attention_usage},
    {"Research", "score", "how well pictures fit a text and a sketch, by CLIP", &score_usage},
    {"Research", "eval", "a grid of settings, drawings and seeds: pictures, scores, a report",
     &eval_usage},
    {"Research", "distance", "how far apart two folders of pictures are, or two arrays of features",
     &distance_usage},
    {"Research", "npz", "the pictures of a folder in one array, for published evaluators",
     &npz_usage},
    {"Research", "bench", "how fast this machine is, and what share of its peak", &bench_usage},
    {"The program", "help", "what a command does, and its options", &help_usage},
    {"The program", "completions", "a script that completes commands and options in a shell",
     &completions_usage},
    {.name = NULL},
};

/* True if an option that asks for a text stands among the arguments: then the text is all that
 * is wanted. */
static bool asks_for(int argc, char **argv, const char *word, const char *letter) {
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
    if (strcmp(argv[i], word) == 0 || strcmp(argv[i], letter) == 0) return true;
  }
  return false;
}

/* True if the devices are asked for, in one word or two: the list is all that is wanted. */
static bool asks_for_devices(int argc, char **argv) {
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
    if (strcmp(argv[i], "--device=list") == 0) return true;
    if (strcmp(argv[i], "--device") == 0 && i + 1 < argc && strcmp(argv[i + 1], "list") == 0)
      return true;
  }
  return false;
}

static msk_status run(const cli_command *command, int argc, char **argv, msk_error *error) {
  cli_line line;
  void *options = calloc(1, command->usage->bytes + 1);
  if (options == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the options");
  msk_status status = cli_parse(&line, options, command, argc, argv, error);
  if (status == MSK_OK) status = command->usage->action(&line, error);
  free(options);
  return status;
}

static msk_status choose(int argc, char **argv, msk_error *error) {
  const cli_command *command = NULL;
  const bool named = argc >= 2 && argv[1][0] != '-';
  if (asks_for(argc, argv, "--version", "--version")) {
    printf("masksketch %s\n", msk_version());
    return MSK_OK;
  }
  msk_status status = named ? cli_find_command(&command, argv[1], error) : MSK_OK;
  if (status != MSK_OK) return status;
  if (asks_for(argc, argv, "--help", "-h")) {
    help_print(command);
    return MSK_OK;
  }
  if (asks_for_devices(argc, argv)) return devices_print(error);
  if (named) return run(command, argc, argv, error);
  return app_fail(
      error, MSK_ERROR_ARGUMENT,
      "%s, expected a command, as in masksketch draw SKETCH --class CLASS: masksketch --help "
      "lists them all",
      argc < 2 ? "no command was given" : "an option stands where the command is expected");
}

int main(int argc, char **argv) {
  msk_error error = {0};
  setlocale(LC_CTYPE, "");
  cancel_install();
  json_watch();
  msk_status status = choose(argc, argv, &error);
  if (status == MSK_OK) status = app_flush_stdout(&error);
  if (status != MSK_OK) app_report(&error);
  return app_exit_code(status);
}
