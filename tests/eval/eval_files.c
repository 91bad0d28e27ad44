/* SPDX-License-Identifier: Apache-2.0
 * eval_files.c - see eval_files.h. */
#include "eval_files.h"

#include <sys/stat.h>

enum { SIDE = 96 };

static int is_inside(int kind, int x, int y) {
  if (kind == 0) return (x - 34) * (x - 34) + (y - 50) * (y - 50) <= 26 * 26;
  return x >= 44 && x < 84 && y >= 20 && y < 60;
}

/* outline: the border of the shape, dark on white; else the shape, white on black. */
static void write_picture(const char *name, int kind, int outline) {
  msk_image image = {0};
  void *bytes = NULL;
  size_t byte_count = 0;
  assert_int_equal(msk_image_create(&image, SIDE, SIDE, NULL, NULL), MSK_OK);
  for (int y = 0; y < SIDE; y++) {
    for (int x = 0; x < SIDE; x++) {
      int inside = is_inside(kind, x, y), edge = 0;
      for (int k = 0; k < 9; k++) edge |= is_inside(kind, x + k % 3 - 1, y + k / 3 - 1) != inside;
      memset(image.pixels + 3 * (y * SIDE + x), outline ? (edge ? 0 : 255) : (inside ? 255 : 0), 3);
    }
  }
  assert_int_equal(
      msk_image_encode(&image, MSK_FORMAT_PNG, 0, NULL, 0, &bytes, &byte_count, NULL, NULL),
      MSK_OK);
  assert_int_equal(msk_file_write(in_folder("%s", name), bytes, byte_count, NULL), MSK_OK);
  msk_free(NULL, bytes);
  msk_image_free(&image);
}

int set_up_eval(void **state) {
  if (set_up_models(state) != 0) return -1;
  write_text("names.txt", "ball\ncube\ncone\nc3\nc4\nc5\nc6\nc7\nc8\nc9\n");
  EXPECT(0, "convert", "--tokenizer", golden_path("tiny/tokenizer_imagenet128_checkpoint"),
         "--transformer", golden_path("tiny/maskgit_imagenet128_checkpoint"), "--classes",
         in_folder("names.txt"), "-o", in_folder("shapes.safetensors"), "--quiet");
  write_picture("a.png", 0, 1);
  write_picture("b.png", 1, 1);
  write_picture("mask-a.png", 0, 0);
  write_picture("mask-b.png", 1, 0);
  return setenv("MASKSKETCH_MODEL", in_folder("shapes.safetensors"), 1);
}

int tear_down_eval(void **state) { return tear_down_folder(state); }

const char *golden_judge(void) { return golden_path("judge/judge.safetensors"); }

void make_reference(int count) {
  mkdir(in_folder("reference"), 0777);
  for (int i = 0; i < count; i++) {
    char seed[12];
    snprintf(seed, sizeof seed, "%d", i);
    EXPECT(0, "generate", "--class", "cube", "--seed", seed, "--steps", "2", "-o",
           in_folder("reference/r%d.png", i), "--quiet");
  }
}

const char *write_text(const char *name, const char *format, ...) {
  const char *path = in_folder("%s", name);
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  va_list arguments;
  va_start(arguments, format);
  vfprintf(file, format, arguments);
  va_end(arguments);
  assert_int_equal(fclose(file), 0);
  return path;
}

const char *write_spec(const char *name, const char *more) {
  return write_text(
      name,
      "{\"settings\": {\"lambda_structure\": [0, 0.75], \"steps\": 2, \"tail\": 0},\n"
      " \"sketches\": [{\"file\": \"a.png\", \"class\": \"ball\", \"mask\": \"mask-a.png\"},\n"
      "                {\"file\": \"b.png\", \"class\": \"ball\", \"mask\": \"mask-b.png\"}],\n"
      " \"seeds\": [0, 1, 7]%s}\n",
      more);
}

char *read_text_file(const char *path) {
  size_t bytes = 0;
  uint8_t *data = test_read_file(path, &bytes);
  char *text = realloc(data, bytes + 1);
  assert_non_null(text);
  text[bytes] = 0;
  return text;
}

const char *csv_field(const char *csv, const char *name, int row) {
  static char field[256];
  size_t column = 0;
  const char *at = csv, *line_end = strchr(csv, '\n');
  assert_non_null(line_end);
  for (;; column++) {
    size_t length = strcspn(at, ",\n");
    if (strlen(name) == length && strncmp(at, name, length) == 0) break;
    at += length + 1;
    if (at > line_end) fail_msg("the CSV has no column %s", name);
  }
  for (at = csv; row >= 0; row--) {
    at = strchr(at, '\n');
    assert_non_null(at);
    at++;
  }
  for (; column > 0; column--) at += strcspn(at, ",\n") + 1;
  snprintf(field, sizeof field, "%.*s", (int)strcspn(at, ",\n"), at);
  return field;
}

int count_lines(const char *text) {
  int count = 0;
  for (; *text != 0; text++) count += *text == '\n';
  return count;
}
