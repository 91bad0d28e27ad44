/* SPDX-License-Identifier: Apache-2.0
 * command_edit.c - edit: repaint a part of a photo, or paint outside its frame. */
#include "pictures.h"

typedef struct edit_options {
  const char *box, *mask, *extend;
  int fit;
  picture_options pictures;
} edit_options;

static msk_status action(const cli_line *line, msk_error *error) {
  const edit_options *own = line->options;
  cli_options options = pictures_begin(line, &own->pictures);
  options.box = own->box;
  options.mask = own->mask;
  options.extend = own->extend;
  options.fit = own->fit;
  return pictures_make(&options, MSK_JOB_EDIT, error);
}

static const cli_option rows[] = {
    {"box", 0, "T,L,H,W", CLI_A_TEXT(edit_options, box),
     .help = "the box to repaint, in pixels of the photo: top, left, height, width"},
    {"mask", 0, "MASK", CLI_AN_INPUT(edit_options, mask),
     .help = "picture that is white where the photo is repainted"},
    {"extend", 0, "T,L,B,R", CLI_A_TEXT(edit_options, extend),
     .help = "paint outside the frame: pixels to add at the top, left, bottom and right"},
    CLI_FIT_ROW(edit_options),
    CLI_TABLE(edit_options, pictures, picture_table),
    {.type = CLI_END},
};
static const cli_table table = {NULL, rows};

const cli_usage edit_usage = {
    .arguments = "PHOTO (--box T,L,H,W | --mask MASK | --extend T,L,B,R) --class CLASS [-o OUT]",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = &table,
    .bytes = sizeof(edit_options),
    .action = action,
    .with_recipes = true,
    .job = MSK_JOB_EDIT};
