/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c - masksketch: reads the command line (options.c), runs the command, turns its status
 * into one line of error and an exit code. The program uses the library through its public
 * header alone. */
#include <locale.h>

#include "actions.h"
#include "app/cancel.h"
#if MASKSKETCH_SERVE
#include "serve.h"
#endif

#if !MASKSKETCH_SERVE
static msk_status action_serve(const cli_options *options, msk_error *error) {
  (void)options;
  return app_fail(error, MSK_ERROR_UNSUPPORTED,
                  "this program was built without libmicrohttpd, which serve needs: build it with "
                  "-Dserve=enabled");
}
#endif

const cli_command cli_commands[] = {
    {"draw", "SKETCH --class CLASS [-o OUT]", "a sketch and a class in, a photo out", 1, 1,
     action_draw, MSK_JOB_DRAW},
    {"generate", "--class CLASS [-o OUT]", "a photo of a class, without a sketch", 0, 0,
     action_generate, MSK_JOB_GENERATE},
    {"edit", "PHOTO (--box T,L,H,W | --mask MASK | --extend T,L,B,R) --class CLASS [-o OUT]",
     "repaint a part of a photo, or paint outside its frame", 1, 1, action_edit, MSK_JOB_EDIT},
    {"replay", "PICTURE.png [-o OUT]", "make a picture again from what its PNG says", 1, 1,
     action_replay, -1},
    {"convert",
     "--tokenizer FILE --transformer FILE [--classes NAMES.txt] [--dtype TYPE] [--int8] -o "
     "MODEL.safetensors",
     "make a model file from published checkpoints", 0, 0, action_convert, -1},
    {"info", "MODEL|CHECKPOINT|PICTURE", "what is in a model, a checkpoint or a picture", 1, 1,
     action_info, -1},
    {"classes", "[WORD]", "the class names of a model, searched", 0, 1, action_classes, -1},
    {"tokenize", "IMAGE -o TOKENS.npy", "picture to tokens", 1, 1, action_tokenize, -1},
    {"detokenize", "TOKENS.npy -o IMAGE.png|.npy", "tokens to picture", 1, 1, action_detokenize,
     -1},
    {"attention", "IMAGE [PHOTO --at X,Y] --class CLASS [--layers L,L] -o MAPS.npy|.png",
     "attention maps of a picture, or what chosen tokens attend to", 1, 2, action_attention, -1},
    {"sheet", "PICTURE... -o OUT", "join pictures into one", 1, 1000, action_sheet, -1},
    {"score", "PICTURE... [--text TEXT] [--class CLASS] [--sketch SKETCH] [--clip DIR]",
     "how well pictures fit a text and a sketch, by CLIP", 1, 1000, action_score, -1},
    {"bench", "[forward] [step] [encode] [decode] [draw] [--size official|default|MODEL]",
     "how fast this machine is, and what share of its peak", 0, 5, action_bench, -1},
    {"eval", "SPEC.json [-o FOLDER]",
     "a grid of settings, drawings and seeds: pictures, scores, a report", 1, 1, action_eval, -1},
    {"distance", "FOLDER FOLDER [--features judge|clip]",
     "how far apart two folders of pictures are", 2, 2, action_distance, -1},
    {"serve", "[--listen ADDRESS] [--port N] [--open]",
     "the sketch pad in the browser, and an HTTP interface", 0, 0, action_serve, -1},
};
const int cli_command_count = sizeof cli_commands / sizeof cli_commands[0];

static int finish(msk_status status, const msk_error *error) {
  if (status != MSK_OK) app_report(error);
  return app_exit_code(status);
}

int main(int argc, char **argv) {
  msk_error error = {MSK_OK, ""};
  cli_options options;
  setlocale(LC_CTYPE, "");
  cancel_install();
  msk_status status = cli_options_parse(&options, argc, argv, &error);
  if (status != MSK_OK) return finish(status, &error);
  if (options.help || options.version) {
    if (options.help) {
      cli_options_help(options.command);
    } else {
      printf("masksketch %s\n", msk_version());
    }
    return finish(app_flush_stdout(&error), &error);
  }
  status = options.command->action(&options, &error);
  if (status == MSK_OK) status = app_flush_stdout(&error);
  return finish(status, &error);
}
