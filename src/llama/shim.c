/*
 * A flat C interface to llama.cpp for bun:ffi, which cannot pass structs by value. TinyCC compiles it
 * in-process, without headers: everything used is declared here, laid out as in llama.h and ggml*.h of the
 * pinned release. xllm_check() runs first and compares the default values of these structs with those
 * expected here.
 *
 * Signatures contain only pointers, integers and floats. Functions that fail return 0 or a negative number
 * and set xllm_error().
 */

typedef signed char int8_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
typedef unsigned long size_t;
typedef unsigned char boolean;

extern void *dlopen(const char *path, int flags);
extern void *dlsym(void *handle, const char *name);
extern char *dlerror(void);
extern int snprintf(char *out, size_t size, const char *format, ...);
extern long write(int fd, const void *data, size_t size);
extern void *memset(void *to, int byte, size_t size);
extern void *memcpy(void *to, const void *from, size_t size);
extern void *calloc(size_t count, size_t size);
extern void free(void *memory);
extern size_t strlen(const char *text);
extern int strcmp(const char *a, const char *b);
extern int strncmp(const char *a, const char *b, size_t size);
extern char *strchr(const char *text, int character);
extern void *realloc(void *memory, size_t size);
extern int pthread_mutex_init(void *mutex, const void *attributes);
extern int pthread_mutex_lock(void *mutex);
extern int pthread_mutex_unlock(void *mutex);
extern size_t pthread_self(void);
extern int pthread_create(size_t *thread, const void *attributes, void *(*run)(void *), void *data);
extern int pthread_join(size_t thread, void **result);
extern int pthread_detach(size_t thread);

#define RTLD_NOW 2
#ifdef __APPLE__
#define RTLD_GLOBAL 8
#else
#define RTLD_GLOBAL 0x100
#endif

/* ------------------------------------------------------------------------------------------ structs of the API */

typedef boolean (*progress_fn)(float fraction, void *data);

struct model_params {
  void **devices;
  void *tensor_buft_overrides;
  int32_t n_gpu_layers;
  int32_t split_mode;
  int32_t load_mode;
  int32_t lazy_mode;
  int32_t main_gpu;
  const float *tensor_split;
  progress_fn progress_callback;
  void *progress_callback_user_data;
  void *kv_overrides;
  boolean vocab_only, check_tensors, use_extra_bufts, no_host, no_alloc, load_mtp;
};

struct context_params {
  uint32_t n_ctx, n_batch, n_ubatch, n_seq_max, n_rs_seq, n_outputs_max, n_outputs_max_per_seq;
  int32_t n_threads, n_threads_batch;
  int32_t ctx_type, rope_scaling_type, pooling_type, attention_type, flash_attn_type;
  float rope_freq_base, rope_freq_scale, yarn_ext_factor, yarn_attn_factor, yarn_beta_fast, yarn_beta_slow;
  uint32_t yarn_orig_ctx;
  float defrag_thold;
  void *cb_eval;
  void *cb_eval_user_data;
  int32_t type_k, type_v;
  void *abort_callback;
  void *abort_callback_data;
  boolean embeddings, offload_kqv, no_perf, op_offload, swa_full, kv_unified;
  void *samplers;
  size_t n_samplers;
  void *ctx_other;
};

struct batch {
  int32_t n_tokens;
  int32_t *token;
  float *embd;
  int32_t *pos;
  int32_t *n_seq_id;
  int32_t **seq_id;
  int8_t *logits;
};

struct sampler_chain_params {
  boolean no_perf;
};

/* Of libmtmd, which turns pictures and sounds into embeddings. */
struct mtmd_params {
  boolean use_gpu;
  void *device;
  boolean print_timings;
  int32_t n_threads;
  const char *image_marker, *media_marker;
  int32_t flash_attn_type;
  boolean warmup;
  int32_t image_min_tokens, image_max_tokens;
  void *cb_eval;
  void *cb_eval_user_data;
  int32_t batch_max_tokens;
  void *progress_callback;
  void *progress_callback_user_data;
};

struct mtmd_part {
  const void *text;
  const void *bitmap;
};

struct mtmd_position {
  uint32_t t, x, y, z;
};

struct threadpool_params {
  boolean cpumask[512];
  int32_t n_threads;
  int32_t prio;
  uint32_t poll;
  boolean strict_cpu;
  boolean paused;
};

/* --------------------------------------------------------------------------------------- functions of the API */

static struct model_params (*model_default_params)(void);
static struct context_params (*context_default_params)(void);
static void *(*model_load_from_file)(const char *path, struct model_params params);
static void *(*model_load_from_splits)(const char **paths, size_t count, struct model_params params);
static void *(*init_from_model)(void *model, struct context_params params);
static void (*context_free)(void *context);
static int32_t (*decode)(void *context, struct batch batch);
static void *(*sampler_chain_init)(struct sampler_chain_params params);
static void (*log_set)(void (*callback)(int, const char *, void *), void *data);
static void (*set_abort_callback)(void (*callback)(const char *));
static void *(*backend_load)(const char *path);
static void *(*dev_by_type)(int type);
static void *(*dev_by_name)(const char *name);
static void *(*dev_backend_reg)(void *device);
static void *(*reg_get_proc_address)(void *reg, const char *name);
static void (*attach_threadpool)(void *context, void *pool, void *pool_batch);
static void (*detach_threadpool)(void *context);
static void (*dev_memory)(void *device, size_t *free, size_t *total);
static void (*dev_get_props)(void *device, void *props);
static const char *(*op_desc)(const void *tensor);
static size_t (*tensor_overhead)(void);
static size_t (*tensor_bytes)(const void *tensor);
static boolean (*buffer_is_host)(void *buffer);
static void (*tensor_get)(const void *tensor, void *data, size_t offset, size_t size);

static struct mtmd_params (*mtmd_default_params)(void);
static void *(*mtmd_init)(const char *path, const void *model, struct mtmd_params params);
static void (*mtmd_set_log)(void (*callback)(int, const char *, void *), void *data);
static int32_t (*mtmd_tokenize)(const void *context, void *chunks, const struct mtmd_part *const *parts, size_t count,
                                boolean add_special);
static const void *(*mtmd_image_of)(const void *chunk);
static struct mtmd_position (*mtmd_position_of)(const void *image, int32_t start, size_t index);

static char error[1024];

const char *xllm_error(void) { return error; }

static void *open_library(const char *path) {
  void *handle = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
  if (!handle) snprintf(error, sizeof error, "%s", dlerror());
  return handle;
}

static int bind_symbol(void *library, const char *name, void **to) {
  *to = dlsym(library, name);
  if (!*to) snprintf(error, sizeof error, "the library has no function %s", name);
  return *to != 0;
}

/*
 * Loads the three libraries in dependency order and resolves all functions used here. Returns 1 on success.
 */
int32_t xllm_open(const char *ggml_base, const char *ggml, const char *llama) {
  void *b = open_library(ggml_base);
  void *g = b ? open_library(ggml) : 0;
  void *l = g ? open_library(llama) : 0;
  if (!l) return 0;
  return bind_symbol(l, "llama_model_default_params", (void **)&model_default_params) &&
         bind_symbol(l, "llama_context_default_params", (void **)&context_default_params) &&
         bind_symbol(l, "llama_model_load_from_file", (void **)&model_load_from_file) &&
         bind_symbol(l, "llama_model_load_from_splits", (void **)&model_load_from_splits) &&
         bind_symbol(l, "llama_init_from_model", (void **)&init_from_model) &&
         bind_symbol(l, "llama_free", (void **)&context_free) &&
         bind_symbol(l, "llama_decode", (void **)&decode) &&
         bind_symbol(l, "llama_sampler_chain_init", (void **)&sampler_chain_init) &&
         bind_symbol(l, "llama_log_set", (void **)&log_set) &&
         bind_symbol(l, "llama_attach_threadpool", (void **)&attach_threadpool) &&
         bind_symbol(l, "llama_detach_threadpool", (void **)&detach_threadpool) &&
         bind_symbol(g, "ggml_backend_load", (void **)&backend_load) &&
         bind_symbol(g, "ggml_backend_dev_by_type", (void **)&dev_by_type) &&
         bind_symbol(g, "ggml_backend_dev_by_name", (void **)&dev_by_name) &&
         bind_symbol(b, "ggml_backend_dev_backend_reg", (void **)&dev_backend_reg) &&
         bind_symbol(b, "ggml_backend_reg_get_proc_address", (void **)&reg_get_proc_address) &&
         bind_symbol(b, "ggml_backend_dev_memory", (void **)&dev_memory) &&
         bind_symbol(b, "ggml_backend_dev_get_props", (void **)&dev_get_props) &&
         bind_symbol(b, "ggml_op_desc", (void **)&op_desc) &&
         bind_symbol(b, "ggml_tensor_overhead", (void **)&tensor_overhead) &&
         bind_symbol(b, "ggml_nbytes", (void **)&tensor_bytes) &&
         bind_symbol(b, "ggml_backend_buffer_is_host", (void **)&buffer_is_host) &&
         bind_symbol(b, "ggml_backend_tensor_get", (void **)&tensor_get) &&
         bind_symbol(b, "ggml_set_abort_callback", (void **)&set_abort_callback);
}

/*
 * Spare room after a struct that the library fills in: a struct that grew is detected instead of overrunning
 * the stack.
 */
#define PROBE 512

static int untouched(const unsigned char *bytes, int from) {
  for (int i = from; i < PROBE; i++)
    if (bytes[i] != 0xAA) return 0;
  return 1;
}

static int expect(int holds, const char *what) {
  if (!holds) snprintf(error, sizeof error, "the libraries' layout differs at %s", what);
  return holds;
}

/* Returns 1 if the default parameters have the expected size and values. */
int32_t xllm_check(void) {
  union {
    struct model_params params;
    unsigned char bytes[PROBE];
  } m;
  union {
    struct context_params params;
    unsigned char bytes[PROBE];
  } c;
  memset(m.bytes, 0xAA, PROBE);
  memset(c.bytes, 0xAA, PROBE);
  m.params = model_default_params();
  c.params = context_default_params();
  return expect(sizeof(struct model_params) == 80 && sizeof(struct context_params) == 160, "our own sizes") &&
         expect(untouched(m.bytes, 80), "the size of llama_model_params") &&
         expect(untouched(c.bytes, 160), "the size of llama_context_params") &&
         expect(m.params.n_gpu_layers == -1 && m.params.split_mode == 1 && m.params.load_mode == -1,
                "llama_model_params") &&
         expect(!m.params.vocab_only && m.params.use_extra_bufts == 1 && !m.params.no_alloc, "llama_model_params flags") &&
         expect(c.params.n_ctx == 512 && c.params.n_batch == 2048 && c.params.n_ubatch == 512 && c.params.n_seq_max == 1,
                "llama_context_params") &&
         expect(c.params.flash_attn_type == -1 && c.params.type_k == 1 && c.params.type_v == 1,
                "llama_context_params types") &&
         expect(c.params.no_perf == 1 && c.params.swa_full == 1 && c.params.kv_unified == 0, "llama_context_params flags");
}

/* ------------------------------------------------------------------------------------ log and progress frames */

static int frame_fd = 2;
static int lowest_level = 2;

/* Large enough for a pthread_mutex_t of any system; the largest has 64 bytes. */
static uint64_t log_mutex[16];
/* The line being assembled and its thread, guarded by the mutex. */
static char pending[2048];
static int pending_size = 0;
static int pending_level = 2;
static size_t pending_thread = 0;

/*
 * `wanted`: the return value of snprintf, which may exceed the capacity. The frame always ends with a
 * newline.
 */
static void send_frame(char *frame, int wanted, int capacity) {
  if (wanted <= 0) return;
  int size = wanted < capacity ? wanted : capacity - 1;
  frame[size - 1] = '\n';
  write(frame_fd, frame, size);
}

static void flush_pending(void) {
  char frame[2100];
  if (pending_size == 0) return;
  int wanted = snprintf(frame, sizeof frame, "\x1eL%d %.*s\n", pending_level, pending_size, pending);
  if (pending_level >= lowest_level) send_frame(frame, wanted, sizeof frame);
  pending_size = 0;
}

/* Called from any thread. Text arrives in pieces: level 5 continues the previous line of the same thread. */
static void on_log(int level, const char *text, void *data) {
  int size = strlen(text);
  pthread_mutex_lock(log_mutex);
  if (level != 5 || pending_thread != pthread_self()) flush_pending();
  if (level != 5) pending_level = level;
  pending_thread = pthread_self();
  for (int i = 0; i < size; i++) {
    if (text[i] == '\n' || pending_size == (int)sizeof pending) flush_pending();
    if (text[i] != '\n') pending[pending_size++] = text[i];
  }
  pthread_mutex_unlock(log_mutex);
}

/* The process aborts after this, possibly while the mutex is locked. */
static void on_abort(const char *message) {
  char frame[1200];
  send_frame(frame, snprintf(frame, sizeof frame, "\x1eL4 %s\n", message), sizeof frame);
}

static boolean on_progress(float fraction, void *data) {
  char frame[32];
  static int last = -1;
  int percent = (int)(fraction * 100);
  if (percent == last) return 1;
  last = percent;
  send_frame(frame, snprintf(frame, sizeof frame, "\x1eP%.2f\n", (double)fraction), sizeof frame);
  return 1;
}

/* Sends log lines of `level` and above, and load progress, as frames to `fd`. */
void xllm_log_to(int32_t fd, int32_t level) {
  frame_fd = fd;
  lowest_level = level;
  pthread_mutex_init(log_mutex, 0);
  log_set(on_log, 0);
  set_abort_callback(on_abort);
}

/* ------------------------------------------------------------------------------------------ backends, devices */

/* Registers a backend from its library. Returns 1 on success. */
int32_t xllm_backend_load(const char *path) {
  void *handle = dlopen(path, RTLD_NOW);
  if (!handle) {
    snprintf(error, sizeof error, "%s", dlerror());
    return 0;
  }
  if (!backend_load(path)) {
    snprintf(error, sizeof error, "the backend refused to start");
    return 0;
  }
  return 1;
}

/* The PCI address of a device, or null if unknown. */
const char *xllm_device_address(void *device) {
  /* struct ggml_backend_dev_props, with spare room for fields added at its end. */
  struct {
    const char *name, *description;
    size_t memory_free, memory_total;
    int32_t type;
    const char *device_id;
    unsigned char more[PROBE];
  } props;
  memset(&props, 0, sizeof props);
  dev_get_props(device, &props);
  return props.device_id;
}

/* out: free and total bytes. */
void xllm_device_memory(void *device, uint64_t *out) {
  size_t free = 0, total = 0;
  dev_memory(device, &free, &total);
  out[0] = free;
  out[1] = total;
}

/* ------------------------------------------------------------------------------------------------- parameters */

/* Parameters are set by their names in llama.h, so that the caller needs to know neither order nor layout. */
struct parameter {
  const char *name;
  size_t offset;
  enum { WHOLE, UNSIGNED, REAL, FLAG } type;
};

#define PARAMETER(params, type, member) {#member, (size_t)&((struct params *)0)->member, type}

static const struct parameter model_parameters[] = {
    PARAMETER(model_params, WHOLE, n_gpu_layers),
    PARAMETER(model_params, WHOLE, split_mode),
    PARAMETER(model_params, WHOLE, load_mode),
    PARAMETER(model_params, FLAG, use_extra_bufts),
    PARAMETER(model_params, FLAG, no_alloc),
    {0},
};

static const struct parameter context_parameters[] = {
    PARAMETER(context_params, UNSIGNED, n_ctx),
    PARAMETER(context_params, UNSIGNED, n_batch),
    PARAMETER(context_params, UNSIGNED, n_ubatch),
    PARAMETER(context_params, UNSIGNED, n_seq_max),
    PARAMETER(context_params, UNSIGNED, n_outputs_max),
    PARAMETER(context_params, WHOLE, n_threads),
    PARAMETER(context_params, WHOLE, n_threads_batch),
    PARAMETER(context_params, WHOLE, rope_scaling_type),
    PARAMETER(context_params, WHOLE, pooling_type),
    PARAMETER(context_params, WHOLE, flash_attn_type),
    PARAMETER(context_params, REAL, rope_freq_base),
    PARAMETER(context_params, REAL, rope_freq_scale),
    PARAMETER(context_params, UNSIGNED, yarn_orig_ctx),
    PARAMETER(context_params, WHOLE, type_k),
    PARAMETER(context_params, WHOLE, type_v),
    PARAMETER(context_params, FLAG, embeddings),
    PARAMETER(context_params, FLAG, offload_kqv),
    PARAMETER(context_params, FLAG, swa_full),
    PARAMETER(context_params, FLAG, kv_unified),
    {0},
};

static int set_parameter(const struct parameter *known, char *params, const char *name, double value) {
  while (known->name && strcmp(known->name, name)) known++;
  if (!known->name) {
    snprintf(error, sizeof error, "there is no parameter called %s", name);
    return 0;
  }
  void *at = params + known->offset;
  int64_t whole = known->type == REAL ? 0 : (int64_t)value;
  if (known->type != REAL && (double)whole != value || known->type == FLAG && whole != 0 && whole != 1 ||
      known->type == WHOLE && whole != (int32_t)whole || known->type == UNSIGNED && whole != (uint32_t)whole) {
    snprintf(error, sizeof error, "the parameter %s cannot be %g", name, value);
    return 0;
  }
  if (known->type == WHOLE) *(int32_t *)at = whole;
  if (known->type == UNSIGNED) *(uint32_t *)at = whole;
  if (known->type == REAL) *(float *)at = value;
  if (known->type == FLAG) *(boolean *)at = whole;
  return 1;
}

/* llama.cpp's defaults, to be freed with xllm_params_free; null without memory. */
void *xllm_model_params(void) {
  struct model_params *params = calloc(1, sizeof *params);
  if (params) *params = model_default_params();
  return params;
}

void *xllm_context_params(void) {
  struct context_params *params = calloc(1, sizeof *params);
  if (params) *params = context_default_params();
  return params;
}

/* Returns 0 for a name that is not known, and for a value of another type. */
int32_t xllm_model_param(void *params, const char *name, double value) {
  return set_parameter(model_parameters, params, name, value);
}

int32_t xllm_context_param(void *params, const char *name, double value) {
  return set_parameter(context_parameters, params, name, value);
}

void xllm_params_free(void *params) { free(params); }

/* ------------------------------------------------------------------------------------------------------ model */

/* The same limit as in `formats/gguf/split.ts`. */
#define MAX_PARTS 1024

#define MAX_DEVICES 16

/*
 * paths and device_names: as many C strings as said, one after another. tensor_split: 16 floats, or null. The model
 * keeps these pointers: tensor_split and the devices must outlive it.
 */
void *xllm_model_load(const void *chosen, const char *paths, int32_t path_count, const char *device_names,
                      int32_t device_count, const float *tensor_split) {
  const char *parts[MAX_PARTS];
  struct model_params params = *(const struct model_params *)chosen;
  params.tensor_split = tensor_split;
  params.progress_callback = on_progress;
  int count = device_count < MAX_DEVICES ? device_count : MAX_DEVICES;
  if (count > 0) {
    const char *name = device_names;
    void **devices = calloc(MAX_DEVICES + 1, sizeof *devices);
    if (!devices) {
      snprintf(error, sizeof error, "there is no memory for a list of devices");
      return 0;
    }
    for (int i = 0; i < count; i++) {
      devices[i] = dev_by_name(name);
      if (!devices[i]) {
        snprintf(error, sizeof error, "there is no device called %s", name);
        return 0;
      }
      name += strlen(name) + 1;
    }
    params.devices = devices;
  }
  error[0] = 0;
  if (path_count == 1) return model_load_from_file(paths, params);
  if (path_count > MAX_PARTS) {
    snprintf(error, sizeof error, "a model of %d files is not supported", path_count);
    return 0;
  }
  for (int i = 0; i < path_count; i++) {
    parts[i] = paths;
    paths += strlen(paths) + 1;
  }
  return model_load_from_splits(parts, path_count, params);
}

/* ---------------------------------------------------------------------------------------------------- context */

void *xllm_context_new(void *model, const void *params) {
  return init_from_model(model, *(const struct context_params *)params);
}

/* A context that a second thread makes. The mutex guards what follows it. */
struct making {
  void *model;
  struct context_params params;
  size_t thread;
  uint64_t mutex[16];
  void *context;
  int done, abandoned;
};

static void *make_context(void *data) {
  struct making *making = data;
  void *context = init_from_model(making->model, making->params);
  pthread_mutex_lock(making->mutex);
  making->context = context;
  making->done = 1;
  int abandoned = making->abandoned;
  pthread_mutex_unlock(making->mutex);
  if (!abandoned) return 0;
  if (context) context_free(context);
  free(making);
  return 0;
}

/* Begins to make a context on a second thread; null if there is none. End it with one of the next two. */
void *xllm_context_begin(void *model, const void *params) {
  struct making *making = calloc(1, sizeof *making);
  if (!making) {
    snprintf(error, sizeof error, "there is no memory for another context");
    return 0;
  }
  making->model = model;
  making->params = *(const struct context_params *)params;
  pthread_mutex_init(making->mutex, 0);
  if (pthread_create(&making->thread, 0, make_context, making)) {
    snprintf(error, sizeof error, "a second thread could not be started");
    free(making);
    return 0;
  }
  return making;
}

/* Is the thread done, with a context or without? */
int32_t xllm_context_done(void *data) {
  struct making *making = data;
  pthread_mutex_lock(making->mutex);
  int done = making->done;
  pthread_mutex_unlock(making->mutex);
  return done;
}

/* Waits for the thread. The context, or null if llama.cpp refused it. */
void *xllm_context_take(void *data) {
  struct making *making = data;
  pthread_join(making->thread, 0);
  void *context = making->context;
  free(making);
  return context;
}

/* Gives up a context without waiting for its thread, which frees it. The model must outlive the thread. */
void xllm_context_abandon(void *data) {
  struct making *making = data;
  pthread_mutex_lock(making->mutex);
  making->abandoned = 1;
  int done = making->done;
  size_t thread = making->thread;
  pthread_mutex_unlock(making->mutex);
  if (!done) {
    pthread_detach(thread);
    return;
  }
  void *context = xllm_context_take(making);
  if (context) context_free(context);
}

/* The return code of llama_decode: 0 done, 1 no room in the KV cache, 2 aborted, negative for an error. */
int32_t xllm_decode(void *context, int32_t n, int32_t *token, int32_t *pos, int32_t *n_seq_id, int32_t **seq_id,
                    int8_t *logits) {
  struct batch batch;
  batch.n_tokens = n;
  batch.token = token;
  batch.embd = 0;
  batch.pos = pos;
  batch.n_seq_id = n_seq_id;
  batch.seq_id = seq_id;
  batch.logits = logits;
  return decode(context, batch);
}

/* The same for embeddings instead of tokens, all of one sequence. */
int32_t xllm_decode_embeddings(void *context, int32_t n, float *embd, int32_t *pos, int32_t *n_seq_id,
                               int32_t **seq_id, int8_t *logits) {
  struct batch batch;
  batch.n_tokens = n;
  batch.token = 0;
  batch.embd = embd;
  batch.pos = pos;
  batch.n_seq_id = n_seq_id;
  batch.seq_id = seq_id;
  batch.logits = logits;
  return decode(context, batch);
}

void *xllm_sampler_chain_new(void) {
  struct sampler_chain_params params;
  params.no_perf = 1;
  return sampler_chain_init(params);
}

/* ------------------------------------------------------------------------------------------------ thread pool */

/*
 * A thread pool for the lifetime of a context. `poll` (0 to 100): how long its threads spin for the next step
 * before they sleep. The functions are looked up in the CPU backend, which is loaded at run time, not linked.
 */
void *xllm_threadpool_new(int32_t threads, int32_t poll) {
  struct threadpool_params params;
  void *cpu = dev_by_type(0);
  void *(*create)(struct threadpool_params *) =
      cpu ? reg_get_proc_address(dev_backend_reg(cpu), "ggml_threadpool_new") : 0;
  if (!create) {
    snprintf(error, sizeof error, "the CPU backend has no thread pool");
    return 0;
  }
  memset(&params, 0, sizeof params);
  params.n_threads = threads;
  params.poll = poll;
  return create(&params);
}

void xllm_threadpool_free(void *pool) {
  void *cpu = dev_by_type(0);
  void (*destroy)(void *) = cpu ? reg_get_proc_address(dev_backend_reg(cpu), "ggml_threadpool_free") : 0;
  if (destroy) destroy(pool);
}

void xllm_threadpool_attach(void *context, void *decode_pool, void *prefill_pool) {
  attach_threadpool(context, decode_pool, prefill_pool);
}

void xllm_threadpool_detach(void *context) { detach_threadpool(context); }

/* ------------------------------------------------------------------------------------------ pictures and sounds */

/* Loads libmtmd and compares the layout of its parameters; the three libraries must be loaded. Returns 1 on success. */
int32_t xllm_mtmd_open(const char *path) {
  union {
    struct mtmd_params params;
    unsigned char bytes[PROBE];
  } m;
  void *library = dlopen(path, RTLD_NOW);
  if (!library) {
    snprintf(error, sizeof error, "%s", dlerror());
    return 0;
  }
  if (!bind_symbol(library, "mtmd_context_params_default", (void **)&mtmd_default_params) ||
      !bind_symbol(library, "mtmd_init_from_file", (void **)&mtmd_init) ||
      !bind_symbol(library, "mtmd_log_set", (void **)&mtmd_set_log) ||
      !bind_symbol(library, "mtmd_tokenize_from_parts", (void **)&mtmd_tokenize) ||
      !bind_symbol(library, "mtmd_input_chunk_get_tokens_image", (void **)&mtmd_image_of) ||
      !bind_symbol(library, "mtmd_image_tokens_get_decoder_pos", (void **)&mtmd_position_of))
    return 0;
  memset(m.bytes, 0xAA, PROBE);
  m.params = mtmd_default_params();
  return expect(sizeof(struct mtmd_params) == 96, "our own size of mtmd_context_params") &&
         expect(untouched(m.bytes, 96), "the size of mtmd_context_params") &&
         expect(m.params.use_gpu == 1 && !m.params.device && m.params.print_timings == 1 && m.params.n_threads == 4,
                "mtmd_context_params") &&
         expect(!m.params.image_marker && m.params.media_marker && m.params.flash_attn_type == -1 &&
                    m.params.warmup == 1,
                "mtmd_context_params markers") &&
         expect(m.params.image_min_tokens == -1 && m.params.image_max_tokens == -1 && m.params.batch_max_tokens == 1024,
                "mtmd_context_params limits");
}

/*
 * Loads a projector for a model: onto the device of that name, or to be computed on CPUs where there is none. Its log
 * goes where the others' goes, see xllm_log_to; by itself it would print prompts. Null if the file was refused.
 */
void *xllm_mtmd_new(const char *path, const void *model, const char *device, int32_t threads,
                    int32_t flash_attn_type) {
  struct mtmd_params params = mtmd_default_params();
  params.use_gpu = device != 0;
  params.device = device ? dev_by_name(device) : 0;
  if (device && !params.device) {
    snprintf(error, sizeof error, "there is no device called %s", device);
    return 0;
  }
  params.print_timings = 0;
  params.n_threads = threads;
  params.flash_attn_type = flash_attn_type;
  params.warmup = 0;
  error[0] = 0;
  mtmd_set_log(on_log, 0);
  return mtmd_init(path, model, params);
}

/* Fills in what stands for a picture or sound in a prompt: its chunks, and the model's own tokens around them. */
int32_t xllm_mtmd_chunks(const void *context, void *chunks, const void *bitmap) {
  struct mtmd_part part;
  const struct mtmd_part *parts[1];
  part.text = 0;
  part.bitmap = bitmap;
  parts[0] = &part;
  return mtmd_tokenize(context, chunks, parts, 1, 0);
}

/* The positions of a chunk's n cells where positions have dimensions. out: four rows of n. */
void xllm_mtmd_positions(const void *chunk, int32_t start, int32_t n, int32_t *out) {
  const void *image = mtmd_image_of(chunk);
  for (int i = 0; i < n; i++) {
    struct mtmd_position position;
    if (image) {
      position = mtmd_position_of(image, start, i);
    } else {
      position.t = position.x = position.y = start + i;
      position.z = 0;
    }
    out[i] = position.t;
    out[n + i] = position.y;
    out[2 * n + i] = position.x;
    out[3 * n + i] = position.z;
  }
}

/* ------------------------------------------------------------------------------------------------ activations */

/* struct ggml_tensor up to its name; xllm_sums_new() compares the size of all of it. */
struct tensor {
  int32_t type;
  void *buffer;
  int64_t ne[4];
  size_t nb[4];
  int32_t op;
  int32_t op_params[16];
  int32_t flags;
  struct tensor *src[10];
  struct tensor *view_src;
  size_t view_offs;
  char *data;
  char name[64];
  void *extra;
  char padding[8];
};

/* ggml_tensor_overhead() counts the object before a tensor as well. */
#define OBJECT_BYTES 32
#define TYPE_F32 0
/* Smaller batches are not those of prompts. */
#define FEWEST_ROWS 16

/* The sums of the squares of what one tensor was multiplied with; `counts`: how many rows, for each of its matrices. */
struct sums {
  char name[64];
  int64_t columns, matrices, counted;
  float *values;
  int64_t *counts;
};

/* What is collected while a context computes. */
struct collection {
  struct sums *all;
  int32_t size, room;
  boolean wants_output;
  char *copy;
  size_t copy_size;
  char *ids;
  size_t ids_size;
};

/* The name without the device before it and the number behind it: CUDA0#blk.0.attn_k.weight#0. */
static void plain_name(const char *name, char *out) {
  const char *from = strchr(name, '#');
  from = from ? from + 1 : name;
  int size = 0;
  while (size < 63 && from[size] && (from == name || from[size] != '#')) size++;
  memcpy(out, from, size);
  out[size] = 0;
}

static int is_wanted(struct collection *to, const struct tensor *result) {
  const char *op = op_desc(result);
  if (!strcmp(op, "MUL_MAT_ID")) return 1;
  if (strcmp(op, "MUL_MAT") || result->src[1]->ne[1] < FEWEST_ROWS || result->src[1]->type != TYPE_F32) return 0;
  char name[64];
  plain_name(result->src[0]->name, name);
  return !strncmp(name, "blk.", 4) || to->wants_output && !strcmp(name, "output.weight");
}

/* The sums of a tensor, made where there are none; null without memory, or where the tensor has another size. */
static struct sums *sums_of(struct collection *to, const char *name, int64_t columns, int64_t matrices, int64_t counted) {
  for (int32_t i = 0; i < to->size; i++)
    if (!strcmp(to->all[i].name, name))
      return to->all[i].columns == columns && to->all[i].matrices == matrices ? &to->all[i] : 0;
  if (to->size == to->room) {
    int32_t room = to->room ? 2 * to->room : 256;
    struct sums *all = realloc(to->all, room * sizeof *all);
    if (!all) return 0;
    to->all = all;
    to->room = room;
  }
  struct sums *made = &to->all[to->size];
  made->values = calloc(columns * matrices, sizeof(float));
  made->counts = calloc(counted, sizeof(int64_t));
  if (!made->values || !made->counts) return 0;
  memcpy(made->name, name, 64);
  made->columns = columns;
  made->matrices = matrices;
  made->counted = counted;
  to->size++;
  return made;
}

/* Reads a tensor from a device, into memory that is kept for the next one. */
static char *fetched(const struct tensor *from, char **copy, size_t *copy_size) {
  size_t size = tensor_bytes(from);
  if (size > *copy_size) {
    char *larger = realloc(*copy, size);
    if (!larger) return 0;
    *copy = larger;
    *copy_size = size;
  }
  tensor_get(from, *copy, 0, size);
  return *copy;
}

/* Adds the squares of a row. Numbers that are none show in the sums. */
static void add_squares(float *to, const float *row, int64_t columns) {
  for (int64_t i = 0; i < columns; i++) to[i] += row[i] * row[i];
}

static int add_rows(struct collection *to, const struct tensor *result) {
  const struct tensor *weights = result->src[0], *input = result->src[1], *ids = result->src[2];
  int has_ids = !strcmp(op_desc(result), "MUL_MAT_ID");
  int64_t columns = input->ne[0];
  int64_t matrices = weights->ne[2] * (has_ids ? 1 : weights->ne[3]);
  char name[64];
  plain_name(weights->name, name);
  if (input->type != TYPE_F32 || input->nb[0] != sizeof(float)) return 1;
  struct sums *sums = sums_of(to, name, columns, matrices, has_ids ? matrices : 1);
  const char *data = buffer_is_host(input->buffer) ? input->data : fetched(input, &to->copy, &to->copy_size);
  if (!sums || !data) return 0;
  if (has_ids) {
    const char *chosen = fetched(ids, &to->ids, &to->ids_size);
    if (!chosen) return 0;
    for (int64_t index = 0; index < ids->ne[0]; index++)
      for (int64_t row = 0; row < input->ne[2]; row++) {
        int32_t expert = *(const int32_t *)(chosen + row * ids->nb[1] + index * ids->nb[0]);
        if (expert < 0 || expert >= matrices) return 0;
        sums->counts[sums->counted > 1 ? expert : 0]++;
        add_squares(sums->values + expert * columns,
                    (const float *)(data + (index % input->ne[1]) * input->nb[1] + row * input->nb[2]), columns);
      }
    return 1;
  }
  for (int64_t i3 = 0; i3 < input->ne[3]; i3++)
    for (int64_t i2 = 0; i2 < input->ne[2]; i2++) {
      int64_t matrix = (i3 % weights->ne[3]) * weights->ne[2] + i2 % weights->ne[2];
      for (int64_t row = 0; row < input->ne[1]; row++)
        add_squares(sums->values + matrix * columns,
                    (const float *)(data + row * input->nb[1] + i2 * input->nb[2] + i3 * input->nb[3]), columns);
    }
  for (int64_t i = 0; i < sums->counted; i++)
    sums->counts[i] += input->ne[1] * input->ne[2] * input->ne[3] / matrices;
  return 1;
}

/* `ask`: is the result of this step wanted? Otherwise it is there; 0 ends the computation. */
static boolean on_step(struct tensor *result, boolean ask, void *data) {
  return ask ? is_wanted(data, result) : add_rows(data, result);
}

/* Null where the layout of tensors differs, or without memory. */
void *xllm_sums_new(int32_t wants_output) {
  if (!expect(tensor_overhead() == OBJECT_BYTES + sizeof(struct tensor), "ggml_tensor")) return 0;
  struct collection *made = calloc(1, sizeof *made);
  if (made) made->wants_output = wants_output;
  return made;
}

/* Contexts made with the parameters collect into it; it must outlive them. */
void xllm_sums_collect(void *collection, void *params) {
  ((struct context_params *)params)->cb_eval = on_step;
  ((struct context_params *)params)->cb_eval_user_data = collection;
}

int32_t xllm_sums_size(void *collection) { return ((struct collection *)collection)->size; }

const char *xllm_sums_name(void *collection, int32_t index) { return ((struct collection *)collection)->all[index].name; }

/* out: columns, matrices, and how many counts there are: one for each matrix, or one for all. */
void xllm_sums_shape(void *collection, int32_t index, uint64_t *out) {
  struct sums *sums = &((struct collection *)collection)->all[index];
  out[0] = sums->columns;
  out[1] = sums->matrices;
  out[2] = sums->counted;
}

void xllm_sums_values(void *collection, int32_t index, float *out) {
  struct sums *sums = &((struct collection *)collection)->all[index];
  memcpy(out, sums->values, sums->columns * sums->matrices * sizeof(float));
}

void xllm_sums_counts(void *collection, int32_t index, float *out) {
  struct sums *sums = &((struct collection *)collection)->all[index];
  for (int64_t i = 0; i < sums->counted; i++) out[i] = sums->counts[i];
}

void xllm_sums_free(void *collection) {
  struct collection *old = collection;
  for (int32_t i = 0; i < old->size; i++) {
    free(old->all[i].values);
    free(old->all[i].counts);
  }
  free(old->all);
  free(old->copy);
  free(old->ids);
  free(old);
}
