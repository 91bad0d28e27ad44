/* SPDX-License-Identifier: Apache-2.0
 *
 * conv.c - SAME convolutions, channels last. Direct: a matrix product whose rows are gathered
 * pixel by pixel into the product's small block (never an im2col of the picture), contracted
 * index (ky, kx, channel); padding and nearest upsampling are part of the gather's addressing. 3
 * x 3 convolutions for which it pays go to winograd.c instead, those to few channels to
 * narrow.c; which, depends on the weight's shape alone, so only one form is kept. Winograd's
 * form takes four times the filters' memory, and a picture uses each once: above LARGE_FORM the
 * filters are kept as a direct convolution has them, and transformed on their way to the
 * product. */
#include <string.h>

#include "base/error.h"
#include "compute/cpu/cpu.h"

enum {
  LARGE_FORM = 2 << 20, /* bytes of a Winograd form that is not kept */
  LEAST_INT8 = 16       /* channels of an 8-bit convolution that is worth its ends */
};

static msk_status take_form(const msk_conv *conv, size_t floats, float **form, msk_error *error) {
  *form = msk_device_take(conv->head.device, floats, sizeof(float));
  if (*form != NULL) return MSK_OK;
  return msk_fail(error, MSK_ERROR_MEMORY,
                  "no memory for the packed weights of a %zu x %zu convolution", conv->head.in,
                  conv->head.out);
}

static size_t winograd_floats(const msk_conv *conv, bool int16) {
  size_t floats = 0;
  msk_winograd_floats(&conv->head.device->kernels, conv->head.in, conv->head.out, int16, &floats);
  return floats;
}

/* From the matrix, which goes. */
static msk_status make_winograd(msk_conv *conv, msk_pool *pool, msk_error *error) {
  const msk_device *device = conv->head.device;
  size_t floats = winograd_floats(conv, false);
  float *form = NULL;
  msk_status status = take_form(conv, floats, &form, error);
  if (status != MSK_OK) return status;
  msk_winograd_pack(device, &conv->matrix, form, pool);
  msk_matrix_destroy(&conv->matrix, device);
  if (!conv->head.int16) {
    conv->winograd = form;
    return MSK_OK;
  }
  status = take_form(conv, winograd_floats(conv, true), &conv->winograd, error);
  if (status == MSK_OK)
    msk_winograd_quantise(device, form, conv->head.in, conv->head.out, conv->winograd, pool);
  msk_device_give(device, form, floats, sizeof(float));
  return status;
}

/* The tiled form takes four times the filters' memory, twice in 16 bits: where that is much, it is
 * not kept, unless in 16 bits. */
static bool keeps_winograd(const msk_conv *conv) {
  return conv->tiled &&
         (conv->head.int16 || winograd_floats(conv, false) <= LARGE_FORM / sizeof(float));
}

static msk_status pack(msk_conv *conv, const void *weight, msk_dtype dtype, const float *bias,
                       msk_pool *pool, msk_error *error) {
  const msk_device *device = conv->head.device;
  const msk_linear_part part = {.weight = weight, .out = conv->head.out, .dtype = dtype};
  if (bias != NULL) {
    conv->bias = msk_device_take(device, conv->head.out, sizeof(float));
    if (conv->bias == NULL)
      return msk_fail(error, MSK_ERROR_MEMORY, "no memory for the bias of a convolution");
    if (!msk_device_measures(device)) memcpy(conv->bias, bias, conv->head.out * sizeof(float));
  }
  conv->tiled = msk_winograd_pays(&device->kernels, conv->head.kernel, conv->head.stride,
                                  conv->head.in, conv->head.out);
  /* few outputs fill no panel: the layer that makes the pixels has a form of its own */
  if (!conv->tiled && msk_narrow_pays(&device->kernels, conv->head.in, conv->head.out)) {
    return msk_narrow_create(&conv->narrow, device, &part, conv->head.kernel * conv->head.kernel,
                             conv->head.in, error);
  }
  msk_status status =
      msk_matrix_pack(&conv->matrix, device, conv->head.kernel * conv->head.kernel * conv->head.in,
                      &part, 1, conv->head.out, pool, error);
  return status == MSK_OK && keeps_winograd(conv) ? make_winograd(conv, pool, error) : status;
}

static msk_status create(msk_conv **conv, const msk_conv_head *head, const void *weight,
                         msk_dtype dtype, const float *bias, msk_pool *pool, msk_error *error) {
  msk_conv *created = msk_device_make(head->device, 1, sizeof *created);
  if (created == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for a convolution");
  *created = (msk_conv){.head = *head};
  msk_status status = pack(created, weight, dtype, bias, pool, error);
  if (status == MSK_OK) {
    *conv = created;
  } else {
    msk_cpu_conv_destroy(created);
  }
  return status;
}

msk_status msk_cpu_conv_create(msk_conv **conv, const msk_device *device, const void *weight,
                               msk_dtype dtype, const float *bias, size_t kernel, size_t stride,
                               size_t in, size_t out, msk_pool *pool, msk_error *error) {
  const msk_conv_head head = {
      .device = device, .kernel = kernel, .stride = stride, .in = in, .out = out};
  return create(conv, &head, weight, dtype, bias, pool, error);
}

msk_status msk_conv_create_int16(msk_conv **conv, const msk_device *device, const void *weight,
                                 msk_dtype dtype, const float *bias, size_t in, size_t out,
                                 msk_pool *pool, msk_error *error) {
  const msk_conv_head head = {
      .device = device, .kernel = 3, .stride = 1, .in = in, .out = out, .int16 = true};
  assert(msk_winograd_pays(&device->kernels, 3, 1, in, out));
  return create(conv, &head, weight, dtype, bias, pool, error);
}

bool msk_cpu_conv_int16_pays(const msk_device *device, size_t kernel, size_t stride, size_t in,
                             size_t out) {
  return msk_winograd_int16_pays(&device->kernels, kernel, stride, in, out);
}

bool msk_cpu_conv_int8_pays(const msk_device *device, size_t kernel, size_t stride, size_t upsample,
                            size_t in, size_t out) {
  const msk_kernels *kernels = &device->kernels;
  if (kernel != 3 || stride != 1 || in % 4 != 0 || in < LEAST_INT8 || out < LEAST_INT8)
    return false;
  /* upsampling ones are four of 2 x 2, which leaves less of the work than Winograd's method */
  if (upsample == 2) return kernels->int8_rate >= 2;
  if (msk_winograd_int16_pays(kernels, kernel, stride, in, out))
    return kernels->int8_rate >= 16 * kernels->int16_rate;
  return kernels->int8_rate >= (msk_winograd_pays(kernels, kernel, stride, in, out) ? 4 : 2);
}

msk_status msk_conv_create_int8(msk_conv **conv, const msk_device *device, const void *weight,
                                msk_dtype dtype, const float *bias, size_t upsample, size_t in,
                                size_t out, msk_pool *pool, msk_error *error) {
  assert(dtype == MSK_DTYPE_F32 || dtype == MSK_DTYPE_F16);
  msk_conv *created = msk_device_make(device, 1, sizeof *created);
  if (created == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for a convolution");
  *created = (msk_conv){
      .head = {.device = device, .kernel = 3, .stride = 1, .in = in, .out = out, .int8 = true},
      .upsample = upsample};
  msk_status status = msk_conv_int8_create(&created->int8, device, weight, dtype, bias, upsample,
                                           in, out, pool, error);
  if (status == MSK_OK) {
    *conv = created;
  } else {
    msk_cpu_conv_destroy(created);
  }
  return status;
}

void msk_cpu_conv_destroy(msk_conv *conv) {
  const msk_device *device = conv->head.device;
  msk_matrix_destroy(&conv->matrix, device);
  msk_device_give(device, conv->winograd, winograd_floats(conv, conv->head.int16), sizeof(float));
  msk_device_give(device, conv->narrow, conv->head.kernel * conv->head.kernel * conv->head.in,
                  conv->head.out * sizeof(float));
  msk_device_give(device, conv->bias, conv->head.out, sizeof(float));
  msk_conv_int8_destroy(conv->int8, device);
  msk_device_unmake(device, conv, 1, sizeof *conv);
}

/* ---- the gather ---- */

/* How many taps from this one on, whose pixel lies in the picture at x (with padding), are
 * neighbours in memory. */
static size_t taps_in_a_run(const msk_pixels *p, size_t tap, size_t x) {
  if (p->upsample != 1) return 1;
  return msk_smaller(p->kernel - tap % p->kernel, p->left + p->width - x);
}

void msk_gather_pixels(const void *source, size_t row, size_t rows, size_t k, size_t count,
                       float *a, size_t a_stride) {
  const msk_pixels *p = source;
  size_t pixel = row % (p->out_height * p->out_width), ox = pixel % p->out_width,
         oy = pixel / p->out_width;
  const float *picture =
      p->x + row / (p->out_height * p->out_width) * p->height * p->width * p->channels;
  for (size_t i = 0; i < rows; i++, a += a_stride) {
    size_t tap = k / p->channels, channel = k % p->channels;
    for (size_t done = 0; done < count;) {
      size_t y = oy * p->stride + tap / p->kernel, x = ox * p->stride + tap % p->kernel;
      const float *from = msk_pixel_at(p, picture, y, x);
      size_t taps = from == NULL ? 1 : taps_in_a_run(p, tap, x);
      size_t run = msk_smaller(taps * p->channels - channel, count - done);
      /* outside the picture: zeros, as the padding of the authors' convolutions */
      if (from == NULL) {
        memset(a + done, 0, run * sizeof(float));
      } else {
        memcpy(a + done, from + channel, run * sizeof(float));
      }
      done += run;
      tap += taps;
      channel = 0;
    }
    if (++ox == p->out_width) {
      ox = 0;
      if (++oy == p->out_height) {
        oy = 0;
        picture += p->height * p->width * p->channels;
      }
    }
  }
}

static void run_product(msk_stream *stream, const msk_conv *conv, const msk_pixels *source,
                        msk_map residual, msk_map y) {
  msk_product product = {.matrix = &conv->matrix,
                         .bias = conv->bias,
                         .residual = msk_map_rows(residual),
                         .y = msk_map_rows(y),
                         .gather = msk_gather_pixels,
                         .source = source};
  msk_product_run(stream, &product);
}

msk_pixels msk_conv_pixels(const msk_conv *conv, msk_map x, size_t upsample, msk_map y) {
  return (msk_pixels){.x = x.at,
                      .height = x.height,
                      .width = x.width,
                      .channels = conv->head.in,
                      .upsample = upsample,
                      .out_height = y.height,
                      .out_width = y.width,
                      .kernel = conv->head.kernel,
                      .stride = conv->head.stride,
                      .top = msk_conv_padding(&conv->head, x.height * upsample, y.height),
                      .left = msk_conv_padding(&conv->head, x.width * upsample, y.width)};
}

static void run_float(msk_stream *stream, const msk_conv *conv, msk_map x, size_t upsample,
                      msk_map residual, msk_map y) {
  const msk_pixels source = msk_conv_pixels(conv, x, upsample, y);
  if (conv->tiled) {
    msk_winograd_weights weights = {conv->winograd, conv->winograd == NULL ? &conv->matrix : NULL,
                                    conv->head.int16};
    msk_winograd_run(stream, weights, conv->bias, residual.at, &source, x.batch, conv->head.out,
                     y.at);
  } else if (conv->narrow != NULL) {
    msk_narrow_run(stream, conv->narrow, conv->bias, residual.at, &source, x.batch, conv->head.out,
                   y.at);
  } else {
    run_product(stream, conv, &source, residual, y);
  }
}

void msk_cpu_conv(msk_stream *stream, const msk_conv *conv, msk_map x, size_t upsample,
                  const msk_norm *norm, msk_map residual, msk_map y) {
  assert(msk_conv_fits(conv, x, upsample, residual, y) && (x.at != y.at || stream->measuring));
  assert(norm == NULL || conv->int8 != NULL);
  if (conv->int8 != NULL) {
    assert(upsample == conv->upsample);
    msk_conv_int8_run(stream, conv->int8, x, norm, residual, y);
  } else {
    run_float(stream, conv, x, upsample, residual, y);
  }
  msk_meter_conv(stream, &conv->head, norm != NULL, y);
}
