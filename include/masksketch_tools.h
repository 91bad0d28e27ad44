/* SPDX-License-Identifier: Apache-2.0
 *
 * masksketch_tools.h - what stands beside the core of MaskSketch (masksketch.h, whose rules hold
 * here too): names and lists of what can be asked, what callbacks and candidates tell, arrays in
 * files, making and listing model files, the networks' parts for research, measuring a machine,
 * looking at pictures (CLIP, the judge, distances of sets), training. */
#ifndef MASKSKETCH_TOOLS_H
#define MASKSKETCH_TOOLS_H

#include "masksketch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Names and lists ------------------------------------------------------------------------- */

typedef enum msk_dtype {
  MSK_DTYPE_F32 = 0,
  MSK_DTYPE_F16,
  MSK_DTYPE_BF16,
  MSK_DTYPE_I8,
  MSK_DTYPE_I32,
  MSK_DTYPE_I64,
  MSK_DTYPE_U8,
  MSK_DTYPE_U32,
  MSK_DTYPE_BOOL,
  MSK_DTYPE_F64
} msk_dtype;

/* What a prepared sketch shows. */
typedef enum msk_sketch_kind {
  MSK_SKETCH_DRAWING = 0,
  MSK_SKETCH_EMPTY,  /* nothing is drawn */
  MSK_SKETCH_DARK,   /* dark nearly everywhere */
  MSK_SKETCH_PHOTO,  /* shades and colours: a photo or a painting */
  MSK_SKETCH_WRITING /* lines of text */
} msk_sketch_kind;

/* Each value's one name, as people type and read it; NULL past the end. */
MSK_API const char *msk_status_name(int status);
MSK_API const char *msk_fit_name(int fit);
MSK_API const char *msk_invert_name(int invert);
MSK_API const char *msk_photo_name(int photo);
MSK_API const char *msk_sketch_kind_name(int kind);
MSK_API const char *msk_precision_name(int precision); /* "fp32", "int8" */
MSK_API const char *msk_job_name(int job);
MSK_API const char *msk_rng_layout_name(int layout);
MSK_API const char *msk_dtype_name(int dtype); /* as safetensors calls them: "F32", "BOOL" */

/* The kernel sets that this machine can run, best last ("ref" is always there); NULL past the
 * end. */
MSK_API const char *msk_isa_name(int index);

/* What OpenCL offers on this machine, GPUs first: msk_model_options.device takes a number, from 1,
 * or a part of "platform: name". *devices: to be given back with msk_free(). MSK_ERROR_DEVICE: no
 * OpenCL is installed, or it fails. */
typedef struct msk_device_info {
  char name[128], platform[128], driver[128];
  int is_gpu;    /* 0: a processor that OpenCL runs on */
  size_t memory; /* bytes */
} msk_device_info;
MSK_API msk_status msk_device_list(msk_device_info **devices, int *count,
                                   const msk_allocator *allocator, msk_error *error);
MSK_API int msk_default_threads(void); /* affinity and cgroup quota honoured */

/* The recipes, and the keys that have an effect in a job, in order; NULL past the end. */
MSK_API const char *msk_recipe_name(int index);
MSK_API const char *msk_recipe_description(int index);
MSK_API const char *msk_recipe_key(int index, msk_job job, const char **help);
/* The value of a key as text that msk_recipe_set() takes; MSK_ERROR_ARGUMENT for an unknown key
 * or a short buffer. */
MSK_API msk_status msk_recipe_get(const msk_recipe *recipe, const char *key, char *text,
                                  size_t text_bytes, msk_error *error);

/* Writes up to `limit` ids of classes that match `word` (all if NULL), best first; returns how
 * many match in all. Hidden classes (null class, style labels) are left out. */
MSK_API int msk_model_class_search(const msk_model *model, const char *word, int *class_ids,
                                   int limit);
/* 1 if two words in small letters are equal, or one is the other's plural in English, or both are
 * one noun's (regular ones, and the commonest of the others); else 0. */
MSK_API int msk_same_noun(const char *a, const char *b);
MSK_API int msk_model_class_hidden(const msk_model *model, int class_id);
/* An entry of the model file (name, licence, provenance, defaults, ...), or NULL. */
MSK_API const char *msk_model_metadata(const msk_model *model, const char *key);
/* What the user should be told about this machine, NULL for nothing: at opening, the kernel set is
 * held against the reference on small shapes; one that computes wrong results is left out for the
 * next best; and why the device "auto" is the CPU. */
MSK_API const char *msk_model_warning(const msk_model *model);
/* An adapter that the model was opened with. */
typedef struct msk_adapter_info {
  const char *file; /* its name, without the folder */
  const char *hash; /* SHA-256 of the file */
  int class_id;
  double weight;
} msk_adapter_info;
/* The index-th; 0 past the last. */
MSK_API int msk_model_adapter(const msk_model *model, int index, msk_adapter_info *info);

/* ---- Inside a request ------------------------------------------------------------------------ */

#define MSK_MAX_RANK 8
/* An array with its shape; C order, little-endian. */
struct msk_array {
  msk_dtype dtype;
  int rank;
  size_t shape[MSK_MAX_RANK];
  void *data;
};

/* What became of a candidate. */
struct msk_candidate_info {
  int item;                    /* of the seed */
  double guidance;             /* its scale */
  int steps;                   /* taken before it was dropped, or all */
  float structure, confidence; /* means over the image's tokens, as last measured while drawing */
  int result;                  /* its place among the results, or -1: dropped */
};
/* How the candidates of the running request stand after the last step; NULL, and 0, where it has
 * none. Valid until the session's next call. */
MSK_API const msk_candidate_info *msk_session_candidates(const msk_session *session, int *count);
/* Whether a session can run a request: *fits is 1, or 0 where it was opened for smaller ones.
 * Takes no memory. */
MSK_API msk_status msk_session_fits(int *fits, const msk_session *session,
                                    const msk_request *request, msk_error *error);

/* Whether the request can be run on the model: every rule about requests is here. Takes no memory.
 * MSK_ERROR_ARGUMENT, with error->field. Opening a session and beginning a request ask it too. */
MSK_API msk_status msk_request_check(const msk_request *request, const msk_model *model,
                                     msk_error *error);
/* Memory that msk_session_open() will take. */
MSK_API msk_status msk_session_bytes(size_t *bytes, const msk_model *model,
                                     const msk_request *request, const msk_session_options *options,
                                     msk_error *error);
/* msk_run() step by step: begin; step until *done; end decodes. The request stays valid until
 * the end. */
MSK_API msk_status msk_begin(msk_session *session, const msk_request *request, msk_error *error);
MSK_API msk_status msk_step(msk_session *session, int *done, msk_error *error);
MSK_API msk_status msk_end(msk_session *session, msk_result *result, msk_error *error);

/* ---- Sketches and files ---------------------------------------------------------------------- */

/* Judges what msk_image_prepare() made. Any sketch can be drawn; one that is no drawing gives
 * pictures that follow nothing. */
MSK_API msk_status msk_sketch_judge(msk_sketch_kind *kind, const msk_image *sketch,
                                    const msk_allocator *allocator, msk_error *error);
/* One line that says what was found and what helps; NULL for a drawing. */
MSK_API const char *msk_sketch_kind_warning(msk_sketch_kind kind);

/* Pixels to be added around a photo, from 0. */
typedef struct msk_margins {
  int top, left, bottom, right;
} msk_margins;
/* To paint outside a photo's frame: `out` is the photo with margins, in which stands what is at its
 * edge; `mask`, side x side, is white where they lie when `out` is brought to that square by `fit`
 * (stretch or crop): edit's photo and mask. Both are new pictures of the caller's. */
MSK_API msk_status msk_image_extend(msk_image *out, msk_image *mask, const msk_image *photo,
                                    const msk_margins *margins, int side, msk_fit fit,
                                    const msk_allocator *allocator, msk_error *error);

/* The value of a text chunk of a PNG (tEXt, iTXt, zTXt; at most 1 MiB), or *value = NULL where
 * the key is missing. */
MSK_API msk_status msk_png_text(const void *bytes, size_t byte_count, const char *key, char **value,
                                const msk_allocator *allocator, msk_error *error);

/* What a PNG says of how it was made, under the key "masksketch": JSON with all that picture `item`
 * of a request that was run depends on, as `masksketch info` shows it and `masksketch replay` reads
 * it (docs/commands.md). draw: with picture_tokens, those of the result. A candidate: its guidance
 * in the recipe, and no guidance_scales. `fit`: how its picture was prepared. *text is
 * allocated. */
MSK_API msk_status msk_request_text(char **text, const msk_request *request, const msk_model *model,
                                    int item, msk_fit fit, const msk_allocator *allocator,
                                    msk_error *error);

/* SHA-256 of a regular file of any size, as 64 lower-case hexadecimal digits. */
MSK_API msk_status msk_file_hash(char hash[65], const char *path, msk_error *error);
/* Reads a whole regular file of at most `limit` bytes; *bytes is allocated. */
MSK_API msk_status msk_file_read(const char *path, size_t limit, void **bytes, size_t *byte_count,
                                 const msk_allocator *allocator, msk_error *error);

/* What a path's suffix asks for: .png .jpg .jpeg .webp, any case. */
MSK_API msk_format msk_format_of_path(const char *path);

/* ---- Arrays in files ------------------------------------------------------------------------- */

/* NumPy's .npy, version 1.0. Loading takes f4, f8, i4, i8, u1, u4, b1 in C order; `array->data`
 * is freed with msk_free(). */
MSK_API msk_status msk_npy_encode(const msk_array *array, void **bytes, size_t *byte_count,
                                  const msk_allocator *allocator, msk_error *error);
/* The header alone, for whoever writes the data himself: *data_bytes follow it. array->data is not
 * looked at. */
enum { MSK_NPY_HEADER = 256 };
MSK_API msk_status msk_npy_header(uint8_t header[MSK_NPY_HEADER], size_t *data_bytes,
                                  const msk_array *array, msk_error *error);
MSK_API msk_status msk_npy_decode(msk_array *array, const void *bytes, size_t byte_count,
                                  const char *name, const msk_allocator *allocator,
                                  msk_error *error);

/* ---- Model files ----------------------------------------------------------------------------- */

/* A class that masksketch teach made for this model, in a file of its own (docs/training.md). */
struct msk_adapter_choice {
  const char *path;
  double weight; /* of what it adds to the matrices: 1 as it was taught, 0 nothing */
};
#define MSK_MAX_ADAPTERS 8       /* of a model */
#define MSK_MAX_ADAPTER_WEIGHT 4 /* a weight's size at most */

/* Memory that opening a model takes, told before it is taken: from the file's list of tensors
 * alone, nothing else is read. */
typedef struct msk_memory_plan {
  /* as long as the model is open; weights stored as F16 are kept in that many bytes */
  size_t weights;
  size_t loading;        /* beside them at most, while it is being opened */
  size_t device_weights; /* in the memory of the GPU that the options name */
} msk_memory_plan;
MSK_API msk_status msk_model_plan(msk_memory_plan *plan, const char *path,
                                  const msk_model_options *options, msk_error *error);

/* Memory of the model's GPU that msk_session_open() will take; 0 where the model has none. */
MSK_API msk_status msk_session_device_bytes(size_t *bytes, const msk_model *model,
                                            const msk_request *request,
                                            const msk_session_options *options, msk_error *error);

/* A tensor of any weight file, for listings. */
typedef struct msk_tensor_info {
  const char *name;
  msk_dtype dtype;
  int rank;
  size_t shape[MSK_MAX_RANK];
  size_t bytes;
} msk_tensor_info;
typedef struct msk_weight_listing msk_weight_listing;
/* Lists a weight file of any kind that `convert` reads (safetensors, Flax msgpack), checked
 * whole. */
MSK_API msk_status msk_weights_open(msk_weight_listing **listing, const char *path,
                                    const msk_allocator *allocator, msk_error *error);
MSK_API int msk_weights_count(const msk_weight_listing *listing);
MSK_API void msk_weights_get(const msk_weight_listing *listing, int index, msk_tensor_info *info);
/* key, NULL past the end */
MSK_API const char *msk_weights_metadata(const msk_weight_listing *listing, int index,
                                         const char **value);
/* "safetensors" or "flax" */
MSK_API const char *msk_weights_kind(const msk_weight_listing *listing);
MSK_API void msk_weights_close(msk_weight_listing *listing);

typedef struct msk_convert_options {
  size_t size;
  /* Flax msgpack, or safetensors under the authors' or the open-muse names */
  const char *tokenizer_path;
  const char *transformer_path; /* Flax msgpack or safetensors */
  /* one name a line; NULL: the ImageNet names if there are 1000 classes, else numbers */
  const char *classes_path;
  /* JSON with the model's own defaults (docs/formats.md); NULL: none */
  const char *defaults_path;
  const char *name; /* NULL: the output's base name */
  msk_dtype dtype;  /* F32, F16 or BF16 for matrices and kernels */
  /* 1: those of the transformer's layers in 8 bits instead, made from numbers of that type */
  int int8;
  const char *output_path;
  const msk_allocator *allocator;
  /* melted into the transformer, which then has to be a model file's */
  const msk_adapter_choice *adapters;
  int adapter_count;
} msk_convert_options;
MSK_API void msk_convert_options_init(msk_convert_options *options);
/* Checkpoints -> one run-time file. Every size is read from the tensors; contradictions name the
 * tensor. */
MSK_API msk_status msk_convert(const msk_convert_options *options, msk_error *error);
/* The way back, for programs that read what the authors publish: the networks of a model file as
 * two Flax checkpoints (float32, whatever the file's type), its class names, one a line, and its
 * defaults, where it has any (defaults_path is not touched otherwise). No path may be NULL.
 * msk_convert() of the four gives the same tensors. Files are written whole or not at all, one
 * after the other. Errors: MSK_ERROR_FILE for what is no model file, MSK_ERROR_OUTPUT. */
MSK_API msk_status msk_export_flax(const char *model_path, const char *tokenizer_path,
                                   const char *transformer_path, const char *classes_path,
                                   const char *defaults_path, const msk_allocator *allocator,
                                   msk_error *error);

/* A model file of the official networks' sizes (256 pixels, 1000 classes) with random weights,
 * the same for the same seed: for measuring speed and memory, where the weights do not matter. */
typedef struct msk_random_options {
  size_t size;
  uint64_t seed;
  msk_dtype dtype; /* F32, F16 or BF16 for matrices and kernels */
  const char *output_path;
  const msk_allocator *allocator;
} msk_random_options;
MSK_API void msk_random_options_init(msk_random_options *options); /* seed 0, F16 */
MSK_API msk_status msk_model_make_random(const msk_random_options *options, msk_error *error);

/* ---- The parts, for research ----------------------------------------------------------------- */

/* Picture of any size (a cell cut by the border averages the pixels that exist, as the authors'
 * pooling does) -> image tokens, row by row. *tokens is allocated, rows x columns of them.
 * `latents`, if not NULL: rows x columns x codebook_dim before quantising, allocated too. */
MSK_API msk_status msk_tokenize(msk_session *session, const msk_image *image, int32_t **tokens,
                                float **latents, int *rows, int *columns, msk_error *error);
/* The same from float pixels (H x W x 3 in [0,1]). */
MSK_API msk_status msk_tokenize_float(msk_session *session, const float *pixels, int width,
                                      int height, int32_t **tokens, float **latents, int *rows,
                                      int *columns, msk_error *error);
/* Image tokens -> picture, height x width x 3 floats unclamped; *pixels is allocated. */
MSK_API msk_status msk_detokenize(msk_session *session, const int32_t *tokens, int rows,
                                  int columns, float **pixels, int *width, int *height,
                                  msk_error *error);
/* Attention maps of a sequence (tokens as in the model's info, class token first): layers x
 * heads x N x N floats, allocated. */
MSK_API msk_status msk_attention(msk_session *session, const int32_t *sequence, const int *layers,
                                 int layer_count, float **maps, msk_error *error);
/* Logits of a sequence: N x codebook_size floats, allocated. */
MSK_API msk_status msk_logits(msk_session *session, const int32_t *sequence, float **logits,
                              msk_error *error);

/* ---- Measuring ------------------------------------------------------------------------------- */

/* What this machine can do at best with a kernel set's instructions: what speeds are to be held
 * against. */
typedef struct msk_limits {
  int threads;
  /* fused multiply-adds in fp32, two operations each; 0: not known for this kind of processor */
  double fma_gflops;
  /* 8-bit products summed in 32 bits, two operations each; 0: not known */
  double int8_gops;
  /* products of bf16 summed in fp32, two operations each; 0: the set has no instruction for them */
  double bf16_gflops;
  double memory_gbs; /* reading from memory, 10^9 bytes a second */
  /* the instructions that reached it, "" if not known */
  const char *fma_name, *int8_name, *bf16_name;
} msk_limits;
/* Measures for about `seconds` in all. isa NULL or "ref": the best set that the machine has.
 * threads 0: msk_default_threads(). */
MSK_API msk_status msk_limits_measure(msk_limits *limits, const char *isa, int threads,
                                      double seconds, const msk_allocator *allocator,
                                      msk_error *error);

/* ---- CLIP ------------------------------------------------------------------------------------ */

/* A CLIP in Hugging Face's layout: how well a picture fits a text or another picture. Belongs to
 * one thread at a time. */
typedef struct msk_clip msk_clip;

typedef struct msk_clip_options {
  size_t size;
  const char *isa; /* as in msk_model_options, as are the next two */
  const char *device, *device_cache;
  int threads;                    /* 0: all processors that this process may use */
  const msk_allocator *allocator; /* must outlive it */
} msk_clip_options;
MSK_API void msk_clip_options_init(msk_clip_options *options);

/* Opens a folder with model.safetensors, config.json, vocab.json and merges.txt (docs/clip.md).
 * Every tensor is held against config.json; what is missing or contradicts is named. */
MSK_API msk_status msk_clip_open(msk_clip **clip, const char *folder,
                                 const msk_clip_options *options, msk_error *error);
MSK_API void msk_clip_close(msk_clip *clip); /* NULL is ignored */

typedef struct msk_clip_info {
  int image_size, patch_size; /* pixels a side */
  int dimensions;             /* of an embedding */
  int text_tokens;            /* longest text, start and end token included (77) */
  int vocabulary;
  float logit_scale;  /* what cosines are multiplied by in CLIP's loss */
  const char *isa;    /* kernel set in use */
  const char *device; /* "cpu", or who drives it and its name */
} msk_clip_info;
MSK_API void msk_clip_get_info(const msk_clip *clip, msk_clip_info *info);
/* What the user should be told about this machine, NULL for nothing; it may be something else after
 * each use: a GPU has failed, and, as "auto" has it, the CPU goes on with the same. */
MSK_API const char *msk_clip_warning(const msk_clip *clip);
/* Memory that a CLIP takes, weights and what its passes work in together, as msk_model_plan()
 * tells a model's. */
MSK_API msk_status msk_clip_plan(msk_memory_plan *plan, const char *folder,
                                 const msk_clip_options *options, msk_error *error);

/* Texts (UTF-8, at most 8192 bytes each) -> count x dimensions floats of length 1 each.
 * token_counts, if not NULL: count numbers of tokens that each text takes; one above text_tokens
 * means that its end was cut off, as CLIP does. */
MSK_API msk_status msk_clip_embed_texts(msk_clip *clip, const char *const *texts, int count,
                                        float *embeddings, int *token_counts, msk_error *error);
/* Pictures of any size (the centre square counts) -> count x dimensions floats of length 1 each. */
MSK_API msk_status msk_clip_embed_images(msk_clip *clip, const msk_image *images, int count,
                                         float *embeddings, msk_error *error);
/* Cosine of two embeddings of length 1, in [-1,1]. */
MSK_API double msk_clip_cosine(const float *a, const float *b, int dimensions);

/* ---- The judge ------------------------------------------------------------------------------- */

/* A network apart from the generator that measures pictures of the default model's world: what
 * does it show, where does the object lie, how whole is it. training/README.md says how it was
 * trained, docs/quality.md what it is good for. Belongs to one thread at a time. */
typedef struct msk_judge msk_judge;

typedef struct msk_judge_options {
  size_t size;
  const char *isa; /* as in msk_model_options, as are the next two */
  const char *device, *device_cache;
  int threads;                    /* 0: all processors that this process may use */
  const msk_allocator *allocator; /* must outlive it */
} msk_judge_options;
MSK_API void msk_judge_options_init(msk_judge_options *options);

/* Opens training/judge/judge.safetensors or one like it: every tensor is checked, what is
 * missing or contradicts is named. */
MSK_API msk_status msk_judge_open(msk_judge **judge, const char *path,
                                  const msk_judge_options *options, msk_error *error);
MSK_API void msk_judge_close(msk_judge *judge); /* NULL is ignored */

typedef struct msk_judge_info {
  int image_size;     /* pixels a side of what it sees and of a silhouette */
  int class_count;    /* classes it tells apart */
  int feature_count;  /* numbers of a feature vector */
  const char *isa;    /* kernel set in use */
  const char *device; /* "cpu", or who drives it and its name */
} msk_judge_info;
MSK_API void msk_judge_get_info(const msk_judge *judge, msk_judge_info *info);
MSK_API const char *msk_judge_warning(const msk_judge *judge); /* as msk_clip_warning() */
/* NULL out of range */
MSK_API const char *msk_judge_class_name(const msk_judge *judge, int class_id);

/* Looks at pictures of any size, brought to image_size x image_size by area mean (a pixel is the
 * mean of what lies under it; stretched where not square). Each of these is filled in unless
 * NULL:
 *   classes      count x class_count: probabilities, adding up to 1 for each picture
 *   silhouettes  count x image_size x image_size: probability of every pixel to be the object's;
 *                rows from top to bottom
 *   wholes       count: how whole the object is, 0 to 1: the share of it that is as it should be;
 *                patches of something else, missing parts and lumps beside it count against it
 *   features     count x feature_count: for a Frechet distance between two sets of pictures */
MSK_API msk_status msk_judge_look(msk_judge *judge, const msk_image *images, int count,
                                  float *classes, float *silhouettes, float *wholes,
                                  float *features, msk_error *error);

/* ---- Distances of two sets of pictures ------------------------------------------------------- */

/* Features of a set of pictures: count x dimensions floats, all finite; CLIP embeddings, or the
 * judge's. A view: nothing is owned. */
typedef struct msk_features {
  const float *values;
  int count;      /* 2..1000000 */
  int dimensions; /* 1..2048 */
} msk_features;

/* Frechet distance ("FID" when the features are Inception's): |mean_a - mean_b|^2 + trace(A + B
 * - 2 (A B)^(1/2)) of the two sets' means and unbiased covariances A, B. 0: the same first two
 * moments. Too large for small sets (it counts the covariances' noise): compare figures of equal
 * counts only. Memory: 3 x dimensions^2 doubles. */
MSK_API msk_status msk_features_frechet(const msk_features *a, const msk_features *b,
                                        double *distance, const msk_allocator *allocator,
                                        msk_error *error);
/* Kernel distance ("KID"): the unbiased estimate, over all pairs, of the squared maximum mean
 * discrepancy under the kernel (x.y / dimensions + 1)^3. Its mean does not depend on the counts,
 * so it can come out slightly below 0 where the sets are alike. Sets of more than 5000 are cut
 * into equal parts of at most that, and the estimate is the mean over these. */
MSK_API msk_status msk_features_kernel(const msk_features *a, const msk_features *b,
                                       double *distance, msk_error *error);

/* ---- Training -------------------------------------------------------------------------------- */

enum { MSK_TRAIN_SET, MSK_HELD_OUT_SET };

/* Where pictures come from: objects of `classes` kinds, each a photo, drawings of the same
 * object by `hands` hands, and a map of its parts. Called from a thread of its own, one object
 * at a time. */
typedef struct msk_train_source {
  void *user;
  int image_size, classes, hands; /* hands 0: there are no drawings */
  /* of the classes, for the model that is written; NULL: the model of the tokenizer has them */
  const char *const *class_names;
  /* names the source and all that its pictures depend on: tokens of another are not mixed in */
  const char *description[2];
  /* Fills photo [size, size, 3], drawings [hands, size, size] (grey, dark on light; the first is
   * the plain contour; one without a line is no drawing) and parts [size, size] (0: background) of
   * object `index` of a set. Returns its class, or -1 where that fails. */
  int (*render)(void *user, int set, size_t index, uint8_t *photo, uint8_t *drawings,
                uint8_t *parts);
} msk_train_source;

/* Arithmetic of a transformer's training: all in fp32, or the products of linear layers and of
 * attention of numbers rounded to bf16, with sums, weights and all else in fp32. AUTO: as the run
 * was begun; a new one in bf16 where the kernel set has instructions for it. */
typedef enum msk_train_precision {
  MSK_TRAIN_AUTO = 0,
  MSK_TRAIN_FP32,
  MSK_TRAIN_BF16
} msk_train_precision;
MSK_API const char *msk_train_precision_name(int precision); /* "auto", "fp32", "bf16"; or NULL */

typedef struct msk_train_progress {
  long step;
  size_t sequences, all_sequences; /* seen; of the whole run */
  size_t objects;                  /* of which there are tokens */
  int waits;                       /* for objects: nothing was trained since the last call */
  int logged; /* the means are over all steps since the last log, held-out losses were measured, and
                 the model was written */
  /* means; NaN: none. Of masked tokens and of pairs; or of pictures, and the commitment of latents
   * to their codes */
  double loss, second_loss;
  double gradient_norm;             /* of the last step */
  double held_out, held_out_hinted; /* losses, the second with a drawing's tokens */
  /* how well the distance of attention rows tells right tokens from wrong ones: 0.5 not at all */
  double held_out_auc;
  /* unseen photos, restored: decibels over all pixels, share of their sharpness, mean error of
   * colour differences (0 to 255) */
  double decibels, sharpness, colour;
  double sequences_per_second, flop_per_second; /* while training */
  double seconds_left;
  msk_train_precision precision; /* FP32 or BF16 */
} msk_train_progress;

/* What is trained: a transformer for the codes of a model that exists; a tokenizer of a model's
 * sizes, from nothing; a model's decoder alone, from what it is, with the codes fixed. */
typedef enum msk_train_stage {
  MSK_TRAIN_TRANSFORMER = 0,
  MSK_TRAIN_TOKENIZER,
  MSK_TRAIN_DECODER
} msk_train_stage;

/* Numbers that are 0 have no default: msk_train_options_init() sets those of the default model's
 * transformer, msk_train_options_set_stage() those that are others for another stage, whose
 * "sequences" are pictures. */
/* Processes that train together, each a share of every step's batch (docs/cluster.md): how they
 * talk. All make the same calls in the same order, and each returns when its own part is done; a
 * call that fails does not return. */
typedef struct msk_train_ranks {
  int rank, count; /* 0 leads: it renders, logs and writes; count: 2..MSK_MAX_TRAIN_RANKS */
  void *user;
  /* The `bytes` at `mine` of every rank, in the order of the ranks, to all. */
  void (*gather)(void *user, const void *mine, size_t bytes, void *all);
  /* Of the count pieces of `bytes` at `mine`, the r-th to rank r; those for this rank, in the order
   * of the ranks, to `all`. */
  void (*exchange)(void *user, const void *mine, size_t bytes, void *all);
  /* Rank 0's bytes to all. */
  void (*share)(void *user, void *bytes, size_t count);
} msk_train_ranks;
#define MSK_MAX_TRAIN_RANKS 256

typedef struct msk_train_options {
  size_t size;
  msk_train_stage stage;
  /* a model file; its classes: the source's, one without a name, hands, unless the source has names
   * of its own */
  const char *tokenizer_path;
  const char *work_path;   /* an existing folder for checkpoint and tokens */
  const char *output_path; /* the model file */
  /* checkpoint, or model, to begin from where work_path has no checkpoint; NULL: none. With a
   * model the schedule begins anew; its transformer has these sizes, or fewer units in its MLPs, or
   * other classes, whose names tell which are the same, or other codes, which begin anew. */
  const char *start_path;
  const char *isa; /* NULL: the best */
  int threads;     /* 0: all */
  /* of the transformer; FP32 or BF16 also changes a run that was begun in the other (AUTO) */
  msk_train_precision precision;
  /* batch and pair_batch are each rank's; work, output and callbacks rank 0's. The other options
   * are the same for all. NULL: this process alone. */
  const msk_train_ranks *ranks;
  msk_train_source source;
  uint64_t seed;
  int layers, width, heads;
  int intermediate; /* units of each layer's MLP; 0: four times the width */
  int codes;        /* of a tokenizer that is trained; 0: as many as tokenizer_path's */
  /* residual blocks a level of a decoder that is trained; 0: as many as tokenizer_path's. More than
   * those of the model that it begins from: the new ones change nothing at first */
  int decoder_blocks;
  int batch, pair_batch, pair_every, hands_each;
  size_t sequences, warmup_sequences, decay_sequences;
  size_t objects, held_out_objects, first_objects;
  double sequences_per_object; /* another object is taken in every so many sequences */
  double muon_rate, adam_rate, pair_weight;
  double null_share, style_share, hint_share, wrong_share;
  int structure_layers[MSK_MAX_LAYERS], structure_layer_count;
  double photo_share; /* of a tokenizer's pictures; the others are drawings */
  /* of a tokenizer's pictures: the first, without quantiser; the first, crops */
  double autoencoder_share, crops_share;
  double log_seconds, save_seconds;
  void *user;
  int (*on_progress)(void *user, const msk_train_progress *progress); /* nonzero: save and stop */
  /* What parameters, gradients, moments and a step's activations will take, before they do; beside
   * the tokenizer's model. Nonzero: stop. NULL: nobody asks. */
  int (*on_memory)(void *user, size_t bytes);
} msk_train_options;
MSK_API void msk_train_options_init(msk_train_options *options);
MSK_API void msk_train_options_set_stage(msk_train_options *options, msk_train_stage stage);
/* Goes on from the checkpoint in work_path if there is one; the result depends on the options
 * alone, not on threads, stops or what was rendered when. MSK_ERROR_CANCELLED after a stop. */
MSK_API msk_status msk_train(const msk_train_options *options, msk_error *error);

#define MSK_MAX_TRAIN_BATCH 4096 /* sequences of a step of training */
#define MSK_LEAST_PHOTOS 5       /* that a class is taught or trained from */
#define MSK_MAX_PHOTO_CLASSES 256

/* Photos of several classes as a source: each is an object as the square of its middle, and again
 * as squares at random. Of each class every tenth, the first among them, is held out. Belongs to
 * one thread at a time. */
typedef struct msk_photo_source msk_photo_source;

/* What the pointers point to stays the caller's, and as it is until the source is closed. */
typedef struct msk_photo_source_options {
  size_t size;
  int image_size;            /* pixels that the squares are brought to */
  const char *const *photos; /* photo_count paths */
  /* of the same things, in the same frame, or NULL: of none; likewise each of them */
  const char *const *drawings;
  const int *classes; /* of each photo */
  const char *const *class_names;
  int photo_count, class_count; /* classes: 2..MSK_MAX_PHOTO_CLASSES */
  int crops;                    /* squares of a photo that is trained on; default 8 */
  uint64_t seed;
  void *user;
  /* A photo that cannot be read, or whose drawing cannot, is left out. NULL: nobody is told. */
  void (*on_left_out)(void *user, const char *path, const char *reason);
  int (*on_progress)(void *user, int done, int all); /* nonzero: stop. NULL: none */
} msk_photo_source_options;
MSK_API void msk_photo_source_options_init(msk_photo_source_options *options);
/* Reads every picture once. MSK_ERROR_ARGUMENT where a class has too few that can be read, or
 * there are too few classes; MSK_ERROR_CANCELLED. */
MSK_API msk_status msk_photo_source_open(msk_photo_source **source,
                                         const msk_photo_source_options *options, msk_error *error);
MSK_API void msk_photo_source_close(msk_photo_source *source); /* NULL is ignored */
/* The source, its numbers of objects, and where it has no drawings, no losses that want them. */
MSK_API void msk_photo_source_attach(msk_photo_source *source, msk_train_options *options);

/* How long a step of training takes: forward, backward and update of a transformer of a model's
 * sizes, from random weights, on random tokens of which 2 / pi are masked. */
typedef struct msk_train_measure_options {
  size_t size;
  const char *model_path;        /* a model file, for its sizes */
  const char *isa;               /* NULL: the best */
  int threads;                   /* 0: all */
  msk_train_precision precision; /* (AUTO) */
  int batch;                     /* sequences of a step, 1..MSK_MAX_TRAIN_BATCH; default 32 */
  int steps;                     /* at most; one before them does not count; default 3 */
  void *user;
  /* After each step; flop: of the plain algorithm. Nonzero: no more. Never NULL. */
  int (*on_step)(void *user, double seconds, double flop);
  /* As in msk_callbacks; pass: "train". NULL: none. */
  void (*on_operation)(void *user, const char *pass, const char *name, double seconds, double flop);
} msk_train_measure_options;
MSK_API void msk_train_measure_options_init(msk_train_measure_options *options);
MSK_API msk_status msk_train_measure(const msk_train_measure_options *options, msk_error *error);

typedef enum msk_teach_phase {
  MSK_TEACH_PHOTOS = 0, /* pictures become tokens */
  MSK_TEACH_REPLAY,     /* the model draws what it knows */
  MSK_TEACH_TRAINING    /* steps */
} msk_teach_phase;
typedef struct msk_teach_progress {
  msk_teach_phase phase;
  long done, all;      /* of the phase; training's first call is with 0 done */
  double loss;         /* of training: running mean */
  double seconds_left; /* of training */
} msk_teach_progress;

/* Teaches a class to a model from pictures of it, into an adapter file, or into a model file with
 * one class more. */
typedef struct msk_teach_options {
  size_t size;
  const char *model_path, *output_path;
  /* Where the training stands is kept in this file while it lasts, and goes on from it if it is
   * there already, with the same bytes at the end; NULL: nowhere. */
  const char *checkpoint_path;
  const char *class_name;
  const char *const *photos;   /* photo_count paths, MSK_LEAST_PHOTOS at least */
  const char *const *drawings; /* of the same things, in the same frame; NULL: of none */
  int photo_count;
  const char *isa; /* NULL: the best */
  int threads;     /* 0: msk_default_threads() */
  msk_train_precision precision;
  uint64_t seed;
  int full;            /* 1: trains all weights and writes a model; 0: what is added to them */
  int rank, layers;    /* of what is added; the last so many layers, 0: all */
  int steps, batch;    /* sequences of a step */
  int crops;           /* of each picture, the first the whole of its middle */
  int replay;          /* samples of the model's own, which keep the old classes as they are */
  double rate;         /* Adam's; 0: 0.001, of all weights 0.0001 */
  double replay_share; /* sequences that are such samples */
  double hint_share;   /* sequences with the drawing's tokens in masked places, if there is one */
  void *user;
  /* Nonzero: stop; nothing but the checkpoint is written then. NULL: none. */
  int (*on_progress)(void *user, const msk_teach_progress *progress);
  /* What weights, additions and a step's activations will take, before they do. Nonzero: stop.
   * NULL: nobody asks. */
  int (*on_memory)(void *user, size_t bytes);
} msk_teach_options;
/* rank 8, all layers, 240 steps of 16, 8 crops, 96 samples, shares 0.5 and 0.7 */
MSK_API void msk_teach_options_init(msk_teach_options *options);
/* The file depends on the options and the files alone, not on threads or stops. */
MSK_API msk_status msk_teach(const msk_teach_options *options, msk_error *error);

#ifdef __cplusplus
}
#endif
#endif
