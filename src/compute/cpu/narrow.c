/* SPDX-License-Identifier: Apache-2.0
 *
 * narrow.c - convolutions to at most four channels (a decoder's last): a panel would be nearly
 * empty, so each output is a dot product along the channels of all taps, two pixels at a time. A
 * task is a row of output pixels. */
#include <string.h>

#include "base/error.h"
#include "compute/cpu/cpu.h"

enum { MOST_OUT = 4, LEAST_IN = 32, MOST_TAPS = 16, TOGETHER = 2 };

bool msk_narrow_pays(const msk_kernels *kernels, size_t in, size_t out) {
  return kernels->narrow_pixels != NULL && out <= MOST_OUT && in >= LEAST_IN;
}

/* [out][tap][in] from [tap][in][out] */
msk_status msk_narrow_create(float **packed, const msk_device *device, const msk_linear_part *part,
                             size_t taps, size_t in, msk_error *error) {
  size_t depth = taps * in, out = part->out;
  float *created = msk_device_take(device, depth, out * sizeof(float));
  if (created == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY,
                    "no memory for the packed weights of a %zu x %zu convolution", in, out);
  for (size_t k = 0; k < depth && !msk_device_measures(device); k++) {
    float room[MOST_OUT];
    const float *row = msk_part_row(&device->kernels, part, depth, k, 0, out, room);
    for (size_t o = 0; o < out; o++) created[o * depth + k] = row[o];
  }
  *packed = created;
  return MSK_OK;
}

struct job {
  const msk_kernels *kernels;
  const float *packed, *bias, *residual, *zeros;
  const msk_pixels *pixels;
  float *y;
  size_t out;
};

static void row_task(void *user, size_t index, int worker) {
  const struct job *job = user;
  const msk_pixels *p = job->pixels;
  (void)worker;
  size_t oy = index % p->out_height, taps = p->kernel * p->kernel;
  const float *picture = p->x + index / p->out_height * p->height * p->width * p->channels,
              *pixels[TOGETHER * MOST_TAPS];
  for (size_t ox = 0; ox < p->out_width; ox += TOGETHER) {
    size_t count = msk_smaller(TOGETHER, p->out_width - ox),
           first = (index * p->out_width + ox) * job->out;
    for (size_t i = 0; i < TOGETHER * taps; i++) {
      /* past the row's end the last pixel is made again, and not written: the kernel takes
       * TOGETHER */
      size_t tap = i % taps, x = msk_smaller(ox + i / taps, p->out_width - 1);
      const float *pixel = msk_pixel_at(p, picture, oy * p->stride + tap / p->kernel,
                                        x * p->stride + tap % p->kernel);
      pixels[i] = pixel == NULL ? job->zeros : pixel;
    }
    float sums[TOGETHER * MOST_OUT];
    job->kernels->narrow_pixels(job->out, taps, p->channels, pixels, job->packed, sums);
    for (size_t i = 0; i < count * job->out; i++) {
      float value = job->bias == NULL ? sums[i] : sums[i] + job->bias[i % job->out];
      job->y[first + i] = job->residual == NULL ? value : value + job->residual[first + i];
    }
  }
}

void msk_narrow_run(msk_stream *stream, const float *packed, const float *bias,
                    const float *residual, const msk_pixels *pixels, size_t batch, size_t out,
                    float *y) {
  if (msk_stream_measure(stream, msk_scratch_floats(pixels->channels))) return;
  memset(stream->scratch, 0, pixels->channels * sizeof(float));
  struct job job = {.kernels = &stream->device->kernels,
                    .packed = packed,
                    .bias = bias,
                    .residual = residual,
                    .zeros = stream->scratch,
                    .pixels = pixels,
                    .y = y,
                    .out = out};
  msk_pool_run(stream->pool, batch * pixels->out_height, row_task, &job);
}
