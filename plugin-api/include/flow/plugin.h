/* SPDX-License-Identifier: Apache-2.0
 *
 * The flow plugin ABI, major 1: what an executor's shared library and the host that loads it agree
 * on. Compiles as C11 and C++20, needs no other file of this project. Rules A1..A13 that comments
 * refer to are in ABI.md. Not frozen before the first tagged release; append-only after it.
 *
 * Threads, by the tag on each function:
 *   [setup]  the host's setup thread; never concurrent with anything on the same executor (A10)
 *   [work]   one at a time per executor unless FLOW_CONCURRENT; any thread unless FLOW_AFFINE
 *   [call]   one thread at a time per call, only while the call is alive
 *   [any]    any thread, concurrently; does not block
 *
 * Memory: everything passed in a call is borrowed until that call completes. Nothing that crosses
 * the boundary is ever freed by the receiver (A7).
 */
#ifndef FLOW_PLUGIN_H
#define FLOW_PLUGIN_H

/* The columns are the documentation. */
/* clang-format off */

#include <stdint.h>

#ifdef __cplusplus
#define FLOW_NOEXCEPT noexcept
extern "C" {
#else
#define FLOW_NOEXCEPT
#endif

#define FLOW_ABI_MAJOR 1
#define FLOW_ABI_MINOR 0

/* ---- scalars ---------------------------------------------------------------------------------*/

/* gRPC's status codes, so that nothing is translated on the way to the caller, and FLOW_PENDING. */
typedef int32_t flow_status;
enum {
  FLOW_PENDING = -1, /* from process() only: flow_host.call_finish will follow (A9) */
  FLOW_OK = 0,
  FLOW_CANCELLED = 1,
  FLOW_UNKNOWN = 2,
  FLOW_INVALID_ARGUMENT = 3,
  FLOW_DEADLINE_EXCEEDED = 4,
  FLOW_NOT_FOUND = 5,
  FLOW_ALREADY_EXISTS = 6,
  FLOW_PERMISSION_DENIED = 7,
  FLOW_RESOURCE_EXHAUSTED = 8,
  FLOW_FAILED_PRECONDITION = 9,
  FLOW_ABORTED = 10,
  FLOW_OUT_OF_RANGE = 11,
  FLOW_UNIMPLEMENTED = 12,
  FLOW_INTERNAL = 13,
  FLOW_UNAVAILABLE = 14,
  FLOW_DATA_LOSS = 15,
  FLOW_UNAUTHENTICATED = 16
};

/* Log levels. */
typedef int32_t flow_level;
enum { FLOW_TRACE = 0, FLOW_DEBUG = 1, FLOW_INFO = 2, FLOW_WARNING = 3, FLOW_ERROR = 4 };

/* ---- views: frozen layouts (A4) --------------------------------------------------------------*/

/* UTF-8 by convention, never assumed valid, not NUL-terminated (A6). data may be NULL if size is 0. */
typedef struct flow_str {
  const char *data;
  uint64_t size; /* bytes */
} flow_str;

typedef struct flow_bytes {
  const uint8_t *data;
  uint64_t size; /* bytes */
} flow_bytes;

/* Element type in DLPack's encoding (https://dmlc.github.io/dlpack): a code, bits per lane, lanes. */
typedef struct flow_dtype {
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
} flow_dtype;
enum { FLOW_INT = 0, FLOW_UINT = 1, FLOW_FLOAT = 2, FLOW_BFLOAT = 4, FLOW_COMPLEX = 5, FLOW_BOOLEAN = 6 };

/* Dense, C order, little endian; data is aligned to the element's size. ndim 0 and size 0: absent. */
typedef struct flow_tensor {
  const void *data;
  uint64_t size;         /* bytes */
  const uint32_t *shape; /* ndim numbers, outermost dimension first */
  uint32_t ndim;
  flow_dtype dtype;
} flow_tensor;

/* A JSON-like value. Lists and maps are walked with flow_host.value_at, value_get and value_key. */
typedef struct flow_value {
  uint32_t kind;
  uint32_t count; /* entries of a list or map */
  union {
    double number; /* FLOW_NUMBER; FLOW_BOOL: 0 or 1 */
    flow_str text; /* FLOW_STRING */
    const void *node; /* FLOW_LIST, FLOW_MAP: the host's */
  } as;
} flow_value;
enum { FLOW_NULL = 0, FLOW_BOOL = 1, FLOW_NUMBER = 2, FLOW_STRING = 3, FLOW_LIST = 4, FLOW_MAP = 5 };

/* One document, as it was when the view was taken: setters do not change it. Absent strings and
 * blobs have size 0, absent tags kind FLOW_NULL. */
typedef struct flow_doc {
  flow_str id;
  flow_str text;
  flow_str uri;
  flow_str mime_type;
  flow_bytes blob;
  flow_tensor tensor;
  flow_tensor embedding;
  flow_value tags;
  const void *handle; /* names this document in the functions of flow_host while the call lives */
} flow_doc;

/* count documents, each stride bytes after the one before; stride may exceed sizeof(flow_doc). */
typedef struct flow_docs {
  const void *first;
  uint64_t count;
  uint32_t stride; /* bytes */
  uint32_t reserved;
} flow_docs;

/* What process() is asked. Grows at its end: check size (A4). */
typedef struct flow_request {
  uint32_t size; /* bytes of this struct, as the host knows it */
  uint32_t flags;
  flow_str id;       /* the request's id */
  flow_str endpoint; /* "/index"; one that the metadata lists, or any if it lists "/default" */
  flow_str trace;    /* W3C traceparent, or empty */
  uint64_t deadline_ns; /* CLOCK_MONOTONIC, absolute; UINT64_MAX: none */
  flow_value parameters;
  flow_docs docs;
} flow_request;

typedef struct flow_call flow_call;         /* the host's, one per process() */
typedef struct flow_executor flow_executor; /* the plugin's, one per create() */

/* Which list of children, or which tensor. */
enum { FLOW_ROOT = 0, FLOW_CHUNKS = 1, FLOW_MATCHES = 2 };
enum { FLOW_TENSOR = 0, FLOW_EMBEDDING = 1 };

/* ---- what the host gives ---------------------------------------------------------------------*/

/* The response starts as the request's documents, edited in place: what is not set is not copied.
 * Setters copy their arguments and answer FLOW_OK, or FLOW_INVALID_ARGUMENT for a handle that is
 * not of this call. A pointer handed out by doc_new_* is writable until the call completes or
 * call_emit sends its document. */
typedef struct flow_host {
  uint32_t size; /* bytes of this table, as the host knows it (A4) */
  uint32_t abi_minor;
  void *impl; /* the host's own */

  /* [any] One line, without a line break at its end. */
  void (*log)(const struct flow_host *host, flow_level level, flow_str line) FLOW_NOEXCEPT;
  /* [any] Says why the status about to be returned is not FLOW_OK. call NULL: in create() or
   * health(). The text is copied; the last one counts; 4 KiB at most. */
  void (*error)(const struct flow_host *host, flow_call *call, flow_str text) FLOW_NOEXCEPT;

  /* [any] The entry of a map, FLOW_NULL if it has none or if map is no map. */
  flow_value (*value_get)(const flow_value *map, flow_str key) FLOW_NOEXCEPT;
  /* [any] The entry of a list, or the value of a map's index-th entry; FLOW_NULL past the end. */
  flow_value (*value_at)(const flow_value *list, uint64_t index) FLOW_NOEXCEPT;
  /* [any] The key of a map's index-th entry, empty past the end. Costs O(index). */
  flow_str (*value_key)(const flow_value *map, uint64_t index) FLOW_NOEXCEPT;

  /* [call] Children of a document as the response has them now; views live until the call ends. */
  flow_docs (*doc_children)(flow_call *call, const void *doc, uint32_t kind) FLOW_NOEXCEPT;
  /* [call] Appends an empty document to the response (parent NULL, kind FLOW_ROOT) or to a
   * document's children, and names it. */
  flow_status (*doc_append)(flow_call *call, const void *parent, uint32_t kind,
                            const void **doc) FLOW_NOEXCEPT;
  /* [call] Takes a document, with its children, out of the response. Its handle is dead. */
  flow_status (*doc_remove)(flow_call *call, const void *doc) FLOW_NOEXCEPT;
  flow_status (*doc_set_id)(flow_call *call, const void *doc, flow_str id) FLOW_NOEXCEPT;
  /* Text, blob and tensor exclude each other, as in DocArray: setting one clears the others. */
  flow_status (*doc_set_text)(flow_call *call, const void *doc, flow_str text) FLOW_NOEXCEPT;
  flow_status (*doc_set_uri)(flow_call *call, const void *doc, flow_str uri) FLOW_NOEXCEPT;
  flow_status (*doc_set_mime_type)(flow_call *call, const void *doc, flow_str type) FLOW_NOEXCEPT;
  /* [call] *bytes points to size zeroed bytes inside the response. */
  flow_status (*doc_new_blob)(flow_call *call, const void *doc, uint64_t size,
                              uint8_t **bytes) FLOW_NOEXCEPT;
  /* [call] field is FLOW_TENSOR or FLOW_EMBEDDING; shape's data and size are not looked at.
   * *elements points to that many zeroed elements inside the response. */
  flow_status (*doc_new_tensor)(flow_call *call, const void *doc, uint32_t field,
                                const flow_tensor *shape, void **elements) FLOW_NOEXCEPT;
  /* [call] value may be a scalar or any value the host handed out; FLOW_NULL kind removes the tag. */
  flow_status (*doc_set_tag)(flow_call *call, const void *doc, flow_str key,
                             const flow_value *value) FLOW_NOEXCEPT;
  flow_status (*doc_set_score)(flow_call *call, const void *doc, flow_str name,
                               double value) FLOW_NOEXCEPT;

  /* [any] Non-zero once the caller is gone or the deadline has passed. Cheap: poll it in loops. */
  int32_t (*call_cancelled)(const flow_call *call) FLOW_NOEXCEPT;
  /* [any] "Still at work": a call without it, call_emit or an end for longer than its executor's
   * budget counts as stuck, and its process is replaced. Costs as much as reading a clock. */
  void (*call_progress)(flow_call *call) FLOW_NOEXCEPT;
  /* [call, may block] FLOW_STREAMS: sends the response as it stands as one part of the answer and
   * empties it (A13). Waits while the caller reads more slowly than the plugin emits. FLOW_CANCELLED:
   * nobody reads any more (the caller is gone, the deadline has passed, the host stops), and the call
   * has failed. FLOW_RESOURCE_EXHAUSTED: the part is too large; nothing was sent, the response is as
   * it was. FLOW_UNIMPLEMENTED: the plugin's flags lack FLOW_STREAMS. */
  flow_status (*call_emit)(flow_call *call) FLOW_NOEXCEPT;
  /* [any] Exactly once after FLOW_PENDING; the call is dead afterwards (A9). */
  void (*call_finish)(flow_call *call, flow_status status) FLOW_NOEXCEPT;

  /* [any] A named table of further functions, such as "flow.metrics/1"; NULL if unknown (A12). */
  const void *(*extension)(const struct flow_host *host, const char *id) FLOW_NOEXCEPT;
} flow_host;

/* ---- what the plugin gives -------------------------------------------------------------------*/

enum {
  FLOW_CONCURRENT = 1u << 0, /* process() may run in parallel on one executor */
  FLOW_AFFINE = 1u << 1,     /* create, process and destroy always on the same OS thread */
  FLOW_ASYNC = 1u << 2,      /* process() may return FLOW_PENDING */
  FLOW_STREAMS = 1u << 3,    /* process() may use call_emit, and waits in it: see FLOW_BLOCKS */
  FLOW_BATCHES = 1u << 4,    /* answer i depends on document i alone: requests may be merged */
  FLOW_BLOCKS = 1u << 5,     /* process() waits for I/O: give it a larger pool */
  FLOW_PINNED = 1u << 6      /* links gRPC, Go, Python or the like */
};

typedef struct flow_plugin {
  uint32_t size; /* bytes of this table, as the plugin knows it (A4) */
  uint32_t abi_minor;
  uint32_t flags;
  uint32_t reserved;    /* 0 */
  const char *metadata; /* the same JSON as in the ELF note, NUL-terminated */

  /* [setup] config is a map, already checked and completed from the metadata's "config" list. */
  flow_status (*create)(const flow_host *host, const flow_value *config,
                        flow_executor **executor) FLOW_NOEXCEPT;
  /* [setup] Once per create() that returned FLOW_OK, when every call is finished. */
  void (*destroy)(flow_executor *executor) FLOW_NOEXCEPT;
  /* [work] A final status, or FLOW_PENDING if FLOW_ASYNC. */
  flow_status (*process)(flow_executor *executor, const flow_request *request,
                         flow_call *call) FLOW_NOEXCEPT;
  /* [any] Optional: the caller of a pending call is gone. At most once per call; may race with its
   * call_finish, and the call outlives both. */
  void (*cancel)(flow_executor *executor, flow_call *call) FLOW_NOEXCEPT;
  /* [any] Optional: FLOW_OK, or FLOW_UNAVAILABLE with a reason through flow_host.error. 1 ms, no
   * I/O. */
  flow_status (*health)(flow_executor *executor) FLOW_NOEXCEPT;
  /* [any] Optional: as flow_host.extension, the other way round. */
  const void *(*extension)(const char *id) FLOW_NOEXCEPT;
} flow_plugin;

#define FLOW_EXPORT __attribute__((visibility("default")))

/* The one symbol a plugin exports (A2). */
FLOW_EXPORT extern const flow_plugin flow_plugin_v1;

/* Does the table reach as far as field, and is it set? */
#ifdef __cplusplus
#define FLOW_ADDRESS(pointer) reinterpret_cast<uintptr_t>(pointer)
#else
#define FLOW_ADDRESS(pointer) ((uintptr_t)(pointer))
#endif
#define FLOW_HAS(table, field)                                                           \
  (FLOW_ADDRESS(&(table)->field + 1) - FLOW_ADDRESS(table) <= (table)->size &&           \
   (table)->field != 0)

/* ---- metadata --------------------------------------------------------------------------------*/

/* The metadata stands in an ELF note, so that a host can read it without running any code. */
#define FLOW_NOTE_SECTION ".note.flow.plugin"
#define FLOW_NOTE_NAME "FLOW"
#define FLOW_NOTE_TYPE 0x464c4f57u

/* clang's AddressSanitizer would put red zones into the note. */
#if defined(__clang__)
#define FLOW_NO_ASAN __attribute__((no_sanitize("address")))
#else
#define FLOW_NO_ASAN
#endif

/* FLOW_METADATA("{...}"); defines flow_metadata with the note; flow_metadata.desc is the JSON. */
#define FLOW_METADATA(json)                                                                \
  FLOW_NO_ASAN __attribute__((section(FLOW_NOTE_SECTION), used, aligned(4))) static const struct { \
    uint32_t namesz, descsz, type;                                                         \
    char name[8];                                                                          \
    char desc[(sizeof(json) + 3u) & ~3u];                                                  \
  } flow_metadata = {5, sizeof(json), FLOW_NOTE_TYPE, FLOW_NOTE_NAME, json}

#ifdef __cplusplus
}
#endif
#endif
