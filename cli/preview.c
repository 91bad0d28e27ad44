/* SPDX-License-Identifier: Apache-2.0
 *
 * preview.c - see preview.h. Sources: the terminal graphics protocol of kitty; DEC's sixel
 * graphics and device attributes (attribute 4: sixel). */
#include "preview.h"

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "app/base64.h"
#include "app/progress.h"

/* ---- What the terminal can do ---- */

static bool environment_is(const char *variable, const char *value) {
  const char *found = getenv(variable);
  return found != NULL && strcmp(found, value) == 0;
}

static bool environment_contains(const char *variable, const char *part) {
  const char *found = getenv(variable);
  return found != NULL && strstr(found, part) != NULL;
}

/* Reads the answer to "device attributes": ESC [ ? 62 ; 4 ; ... c. Gives up after a fifth of a
 * second without a byte. */
static bool answer_names_sixel(void) {
  char answer[64];
  size_t used = 0;
  struct pollfd waiting = {STDIN_FILENO, POLLIN, 0};
  while (used + 1 < sizeof answer && poll(&waiting, 1, 200) == 1 &&
         read(STDIN_FILENO, answer + used, 1) == 1) {
    if (answer[used++] == 'c') break;
  }
  answer[used] = 0;
  for (const char *p = strchr(answer, '?'); p != NULL && (p = strchr(p, ';')) != NULL; p++) {
    if (strncmp(p, ";4;", 3) == 0 || strncmp(p, ";4c", 3) == 0) return true;
  }
  return false;
}

/* Only as the terminal's foreground process, and with nothing typed ahead, which the answer
 * would get mixed with. */
static bool ask_for_sixel(void) {
  struct termios before, raw;
  int waiting = 0;
  if (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp() ||
      ioctl(STDIN_FILENO, FIONREAD, &waiting) != 0 || waiting > 0)
    return false;
  if (tcgetattr(STDIN_FILENO, &before) != 0) return false;
  raw = before;
  raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
  if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0) return false;
  fputs("\x1b[c", stderr);
  fflush(stderr);
  bool found = answer_names_sixel();
  tcsetattr(STDIN_FILENO, TCSANOW, &before);
  return found;
}

preview_kind preview_detect(void) {
  if (!progress_is_terminal()) return PREVIEW_NONE;
  /* they swallow kitty's escapes */
  bool multiplexed = getenv("TMUX") != NULL || getenv("STY") != NULL;
  bool kitty = getenv("KITTY_WINDOW_ID") != NULL || environment_contains("TERM", "kitty") ||
               environment_contains("TERM", "ghostty") ||
               environment_is("TERM_PROGRAM", "ghostty") ||
               environment_is("TERM_PROGRAM", "WezTerm");
  if (kitty && !multiplexed) return PREVIEW_KITTY;
  bool sixel = environment_contains("TERM", "sixel") || environment_contains("TERM", "foot") ||
               environment_contains("TERM", "mlterm") || environment_is("TERM_PROGRAM", "mintty");
  if (!multiplexed && sixel) return PREVIEW_SIXEL;
  return ask_for_sixel() ? PREVIEW_SIXEL : PREVIEW_BLOCKS;
}

void preview_start(preview *p, preview_kind kind, int image_size) {
  struct winsize size = {0};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
    size = (struct winsize){.ws_row = 24, .ws_col = 80};
  int rows = size.ws_row > 4 ? size.ws_row - 3 : 1;
  if (2 * rows > size.ws_col) rows = size.ws_col / 2;
  /* finer than the picture shows nothing more */
  int most = kind == PREVIEW_BLOCKS ? image_size / 2 : 24;
  if (rows > most) rows = most;
  if (rows < 1) rows = 1;
  int cell = size.ws_ypixel > 0 ? size.ws_ypixel / size.ws_row : 16;
  if (cell <= 0) cell = 16;
  int pixels = image_size;
  if (kind == PREVIEW_BLOCKS) pixels = 2 * rows;
  if (kind == PREVIEW_SIXEL) pixels = rows * cell;
  *p = (preview){.kind = kind,
                 .columns = 2 * rows,
                 .rows = rows,
                 .pixel_width = pixels,
                 .pixel_height = pixels};
}

/* ---- Drawing ---- */

static void draw_blocks(const preview *p, const msk_image *image) {
  for (int row = 0; row < p->rows; row++) {
    for (int column = 0; column < p->columns; column++) {
      const uint8_t *upper =
          image->pixels + 3 * ((size_t)(2 * row) * (size_t)image->width + (size_t)column);
      const uint8_t *lower = upper + 3 * (size_t)image->width;
      fprintf(stderr, "\x1b[38;2;%d;%d;%dm\x1b[48;2;%d;%d;%dm\xE2\x96\x80", upper[0], upper[1],
              upper[2], lower[0], lower[1], lower[2]);
    }
    fputs("\x1b[0m\r\n", stderr);
  }
}

/* One picture with a fixed number, put over the one before; in pieces of at most 4096
 * characters; the terminal's answers are off. */
static void draw_kitty(const preview *p, const msk_image *image) {
  size_t bytes = 3 * (size_t)image->width * (size_t)image->height;
  char *text = base64_encode(image->pixels, bytes);
  if (text == NULL) return;
  size_t length = strlen(text);
  for (size_t at = 0; at < length; at += 4096) {
    size_t piece = length - at < 4096 ? length - at : 4096;
    fputs("\x1b_G", stderr);
    if (at == 0) {
      fprintf(stderr, "a=T,f=24,s=%d,v=%d,c=%d,r=%d,i=7193,p=1,C=1,q=2,", image->width,
              image->height, p->columns, p->rows);
    }
    fprintf(stderr, "m=%d;%.*s\x1b\\", at + piece < length, (int)piece, text + at);
  }
  free(text);
}

/* Index in a 6 x 6 x 6 colour cube, with ordered dithering. */
static int cube_index(const uint8_t *pixel, int x, int y) {
  static const int threshold[4][4] = {{0, 8, 2, 10}, {12, 4, 14, 6}, {3, 11, 1, 9}, {15, 7, 13, 5}};
  int index = 0;
  for (int channel = 0; channel < 3; channel++) {
    int level = (pixel[channel] * 5 * 16 + threshold[y & 3][x & 3] * 255 + 127) / (255 * 16);
    index = index * 6 + (level > 5 ? 5 : level);
  }
  return index;
}

/* One band of six rows: for each colour in it a line of run-length coded columns. */
static void draw_sixel_band(const msk_image *image, int top) {
  bool used[216] = {false};
  int height = image->height - top < 6 ? image->height - top : 6;
  for (int i = 0; i < height * image->width; i++) {
    int x = i % image->width, y = top + i / image->width;
    used[cube_index(image->pixels + 3 * ((size_t)y * (size_t)image->width + (size_t)x), x, y)] =
        true;
  }
  for (int colour = 0; colour < 216; colour++) {
    if (!used[colour]) continue;
    fprintf(stderr, "#%d", colour);
    int run = 0, previous = -1;
    for (int x = 0; x <= image->width; x++) {
      int bits = 0;
      for (int y = 0; x < image->width && y < height; y++) {
        const uint8_t *pixel =
            image->pixels + 3 * ((size_t)(top + y) * (size_t)image->width + (size_t)x);
        if (cube_index(pixel, x, top + y) == colour) bits |= 1 << y;
      }
      if (x < image->width && bits == previous) {
        run++;
        continue;
      }
      if (run > 0) fprintf(stderr, "!%d%c", run, 63 + previous);
      previous = bits;
      run = 1;
    }
    fputc('$', stderr);
  }
  fputc('-', stderr);
}

static void draw_sixel(const msk_image *image) {
  fprintf(stderr, "\x1bPq\"1;1;%d;%d", image->width, image->height);
  for (int i = 0; i < 216; i++)
    fprintf(stderr, "#%d;2;%d;%d;%d", i, i / 36 * 20, i / 6 % 6 * 20, i % 6 * 20);
  for (int top = 0; top < image->height; top += 6) draw_sixel_band(image, top);
  fputs("\x1b\\", stderr);
}

void preview_draw(preview *p, const float *pixels, int image_size) {
  if (p->kind == PREVIEW_NONE) return;
  msk_image full = {0}, small = {0};
  msk_error error;
  msk_prepare_options options;
  msk_prepare_plain(&options);
  if (msk_image_from_float(&full, pixels, image_size, image_size, NULL, &error) == MSK_OK &&
      msk_image_prepare(&small, &full, p->pixel_width, p->pixel_height, &options, NULL, &error) ==
          MSK_OK) {
    fputs("\r\x1b[K", stderr);
    if (!p->drawn) {
      for (int i = 0; i < p->rows; i++) fputc('\n', stderr); /* scrolls, so that there is room */
    }
    fprintf(stderr, "\x1b[%dA", p->rows);
    if (p->kind == PREVIEW_BLOCKS) {
      draw_blocks(p, &small);
    } else {
      fputs(
          "\x1b"
          "7",
          /* the cursor's place after a picture differs between terminals: save and restore it */
          stderr);
      if (p->kind == PREVIEW_KITTY) {
        draw_kitty(p, &small);
      } else {
        draw_sixel(&small);
      }
      fprintf(stderr,
              "\x1b"
              "8\x1b[%dB",
              p->rows);
    }
    fflush(stderr);
    p->drawn = 1;
  }
  msk_image_free(&full);
  msk_image_free(&small);
}
