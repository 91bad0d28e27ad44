/* SPDX-License-Identifier: Apache-2.0
 *
 * backward_conv.c - convolutions whose weights change, and their gradients. Forward and by x they
 * are the convolutions of conv.c on panels that are packed anew every step: the gradient by x is
 * one with the weights transposed and the taps in reverse, so it goes through winograd.c where that
 * pays. By the weights: winograd_weights.c where that pays, else the product of backward_linear.c
 * on rows that are gathered on the way. */
#include <stdio.h>
#include <string.h>

#include "compute/backward.h"
#include "compute/cpu/cpu.h"

size_t msk_filters_floats(const msk_device *device, const msk_filters *filters, bool turned) {
  size_t taps = filters->kernel * filters->kernel;
  return turned ? msk_panels_floats(device, taps * filters->out, filters->in)
                : msk_panels_floats(device, taps * filters->in, filters->out);
}

/* ---- packing ---- */

struct turning {
  const msk_kernels *kernels;
  const float *weight;
  size_t taps, in, out;
  float *panels;
};

static void turn_task(void *user, size_t p, int worker) {
  const struct turning *turning = user;
  const msk_kernels *kernels = turning->kernels;
  size_t first = p * kernels->panel, width = msk_panel_width(kernels, turning->in, p),
         plane = turning->in * turning->out;
  float *panel = turning->panels + first * turning->taps * turning->out;
  (void)worker;
  for (size_t tap = turning->taps; tap-- > 0; panel += turning->out * width)
    kernels->transpose_rows(msk_smaller(width, turning->in - first), width, turning->out,
                            turning->weight + tap * plane + first * turning->out, turning->out,
                            1.0f, panel);
}

void msk_op_pack_filters(msk_stream *stream, const msk_filters *filters, const float *weight,
                         bool turned, float *panels) {
  size_t taps = filters->kernel * filters->kernel;
  assert(!stream->device->bf16); /* whose panels msk_op_pack() makes for linear layers */
  if (!turned) {
    msk_rows rows = msk_rows_at(weight, taps * filters->in, filters->out);
    msk_op_pack(stream, &rows, 1, false, panels);
    return;
  }
  if (stream->measuring) return;
  struct turning turning = {.kernels = &stream->device->kernels,
                            .weight = weight,
                            .taps = taps,
                            .in = filters->in,
                            .out = filters->out,
                            .panels = panels};
  msk_pool_run(stream->pool, msk_panel_count(turning.kernels, filters->in), turn_task, &turning);
}

/* ---- forward, and by x ---- */

/* A convolution that reads these panels. */
static msk_conv borrow(const msk_stream *stream, size_t kernel, size_t stride, size_t in,
                       size_t out, const float *panels, const float *bias) {
  const msk_device *device = stream->device;
  return (msk_conv){.head = {device, kernel, stride, in, out, false},
                    .tiled = msk_winograd_pays(&device->kernels, kernel, stride, in, out),
                    .matrix = {.depth = kernel * kernel * in,
                               .columns = out,
                               .panels = (float *)(uintptr_t)panels},
                    .bias = (float *)(uintptr_t)bias};
}

void msk_op_filters(msk_stream *stream, const msk_filters *filters, const float *panels,
                    const float *bias, msk_map x, msk_map residual, msk_map y) {
  const msk_conv conv =
      borrow(stream, filters->kernel, filters->stride, filters->in, filters->out, panels, bias);
  msk_op_conv(stream, &conv, x, filters->upsample, NULL, residual, y);
}

/* What a pixel of dx gathers: dy where the tap, counted from behind, came from it; else zeros. */
struct strided {
  msk_map dy, dx;
  size_t kernel, stride, top, left;
};

static const float *strided_pixel(const struct strided *s, size_t pixel, size_t tap) {
  size_t ky = s->kernel - 1 - tap / s->kernel, kx = s->kernel - 1 - tap % s->kernel;
  size_t y = pixel / s->dx.width % s->dx.height + s->top, x = pixel % s->dx.width + s->left;
  if (y < ky || x < kx || (y - ky) % s->stride != 0 || (x - kx) % s->stride != 0) return NULL;
  y = (y - ky) / s->stride, x = (x - kx) / s->stride;
  if (y >= s->dy.height || x >= s->dy.width) return NULL;
  size_t picture = pixel / (s->dx.height * s->dx.width);
  return s->dy.at + ((picture * s->dy.height + y) * s->dy.width + x) * s->dy.channels;
}

static void gather_strided(const void *source, size_t row, size_t rows, size_t k, size_t count,
                           float *a, size_t a_stride) {
  const struct strided *s = source;
  for (size_t i = 0; i < rows; i++) {
    for (size_t done = 0; done < count;) {
      size_t tap = (k + done) / s->dy.channels, channel = (k + done) % s->dy.channels,
             run = msk_smaller(s->dy.channels - channel, count - done);
      const float *from = strided_pixel(s, row + i, tap);
      float *to = a + i * a_stride + done;
      for (size_t c = 0; c < run; c++) to[c] = from == NULL ? 0.0f : from[channel + c];
      done += run;
    }
  }
}

static void turn_strided(msk_stream *stream, const msk_conv *conv, const msk_filters *filters,
                         msk_map dy, msk_map residual, msk_map dx) {
  const msk_conv forward = {
      .head = {.kernel = filters->kernel, .stride = filters->stride, .in = filters->in}};
  const msk_pixels pixels = msk_conv_pixels(&forward, dx, 1, dy);
  const struct strided source = {dy, dx, filters->kernel, filters->stride, pixels.top, pixels.left};
  msk_product product = {.matrix = &conv->matrix,
                         .residual = msk_map_rows(residual),
                         .y = msk_map_rows(dx),
                         .gather = gather_strided,
                         .source = &source};
  msk_product_run(stream, &product);
}

void msk_op_filters_backward(msk_stream *stream, const msk_filters *filters, const float *panels,
                             msk_map dy, msk_map residual, msk_map dx) {
  const msk_conv conv = borrow(stream, filters->kernel, 1, filters->out, filters->in, panels, NULL);
  if (filters->stride == 1) {
    assert(filters->kernel % 2 == 1);
    msk_op_conv(stream, &conv, dy, 1, NULL, residual, dx);
  } else {
    turn_strided(stream, &conv, filters, dy, residual, dx);
    msk_meter_note(stream, "strided conv, backward", 0);
  }
}

/* ---- by the weights ---- */

static void contract_pixels(msk_stream *stream, const msk_filters *filters,
                            const msk_pixels *pixels, msk_map dy, float *dw, float *db) {
  const msk_weights_product product = {.dy = dy.at,
                                       .rows = dy.batch * dy.height * dy.width,
                                       .depth = filters->kernel * filters->kernel * filters->in,
                                       .columns = filters->out,
                                       .dy_stride = filters->out,
                                       .dw = dw,
                                       .db = db,
                                       .gather = msk_gather_pixels,
                                       .source = pixels};
  msk_weights_product_run(stream, &product);
}

void msk_op_filters_weights(msk_stream *stream, const msk_filters *filters, msk_map x, msk_map dy,
                            float *dw, float *db) {
  const msk_conv conv = {
      .head = {.kernel = filters->kernel, .stride = filters->stride, .in = filters->in}};
  const msk_pixels pixels = msk_conv_pixels(&conv, x, filters->upsample, dy);
  if (msk_winograd_pays(&stream->device->kernels, filters->kernel, filters->stride, filters->in,
                        filters->out)) {
    msk_winograd_weights_run(stream, &pixels, dy.batch, filters->out, dy.at, dw, db);
  } else {
    contract_pixels(stream, filters, &pixels, dy, dw, db);
  }
  if (!msk_meter_listens(stream)) return;
  char name[64];
  snprintf(name, sizeof name, "conv %zux%zu %zu->%zu, weights", filters->kernel, filters->kernel,
           filters->in, filters->out);
  msk_meter_note(stream, name,
                 2.0 * (double)(dy.batch * dy.height * dy.width) *
                     (double)(filters->kernel * filters->kernel) * (double)filters->in *
                     (double)filters->out);
}
