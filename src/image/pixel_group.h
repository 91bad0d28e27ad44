/* SPDX-License-Identifier: Apache-2.0
 *
 * pixel_group.h - pixels of one kind that touch, over corners too: dots, strokes, specks. */
#ifndef MSK_IMAGE_PIXEL_GROUP_H
#define MSK_IMAGE_PIXEL_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct msk_pixel_group {
  size_t pixels;
  int left, top, right, bottom; /* the box around them, its last column and row included */
} msk_pixel_group;

/* Whether a pixel is of the kind and was in no group yet; from then on it is in one. */
typedef bool msk_pixel_take(void *user, int x, int y);

static inline int msk_group_side(const msk_pixel_group *group) {
  int width = group->right - group->left + 1, height = group->bottom - group->top + 1;
  return width > height ? width : height;
}

/* The group at (x, y), of no pixels where `take` does not have that one. stack: room for the whole
 * picture; the group's pixels, y * width + x, are left on it. Inline, so that `take` is no call. */
static inline msk_pixel_group msk_collect_group(int width, int height, int x, int y,
                                                uint32_t *stack, msk_pixel_take *take, void *user) {
  msk_pixel_group group = {.left = x, .top = y, .right = x, .bottom = y};
  if (!take(user, x, y)) return group;
  stack[group.pixels++] = (uint32_t)y * (uint32_t)width + (uint32_t)x;
  for (size_t done = 0; done < group.pixels; done++) {
    x = (int)(stack[done] % (uint32_t)width), y = (int)(stack[done] / (uint32_t)width);
    group.left = x < group.left ? x : group.left, group.right = x > group.right ? x : group.right;
    group.top = y < group.top ? y : group.top, group.bottom = y > group.bottom ? y : group.bottom;
    for (int ny = y > 0 ? y - 1 : 0; ny <= y + 1 && ny < height; ny++) {
      for (int nx = x > 0 ? x - 1 : 0; nx <= x + 1 && nx < width; nx++) {
        if (take(user, nx, ny))
          stack[group.pixels++] = (uint32_t)ny * (uint32_t)width + (uint32_t)nx;
      }
    }
  }
  return group;
}

#endif
