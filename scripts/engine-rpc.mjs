// The engine's RPC backend with one difference: a server that is gone is an error that the caller hears of, within seconds, where
// the original ends the process or waits forever. It speaks the original's protocol; commands that have no answer are followed by a
// request that has one.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = 'ggml/src/ggml-rpc/';

/** Files of the engine's sources that its RPC backend is compiled from. */
export const RPC_SOURCE = /^ggml\/src\/(ggml-rpc\/(ggml-rpc\.cpp|transport\.(cpp|h))|ggml(-backend)?-impl\.h)$/;

/** Changes with this file. */
export const rpcVersion = createHash('sha256')
  .update(readFileSync(fileURLToPath(import.meta.url)))
  .digest('hex');

const lost = `
// How often the server at an endpoint was lost or not found, and why the last time. It never goes down: whoever remembers an older
// number has weights or results on a connection that is gone, whatever answers there now.
struct losses {
    uint64_t    count = 0;
    std::string why;
};
static std::mutex lost_mutex;
static std::unordered_map<std::string, losses> lost_servers;

static void set_lost(const std::string & endpoint, const std::string & why) {
    std::lock_guard<std::mutex> lock(lost_mutex);
    losses & known = lost_servers[endpoint];
    ++known.count;
    known.why = why;
}

// The count; \`why\`, unless null, is valid until the thread's next call.
static uint64_t rosi_rpc_losses(const char * endpoint, const char ** why) {
    static thread_local std::string last;
    std::lock_guard<std::mutex> lock(lost_mutex);
    const losses & known = lost_servers[endpoint];
    last = known.why;
    if (why != nullptr) {
        *why = last.c_str();
    }
    return known.count;
}

static std::runtime_error lost_error(const std::string & endpoint) {
    const char * why = nullptr;
    rosi_rpc_losses(endpoint.c_str(), &why);
    return std::runtime_error("RPC server " + endpoint + ": " + why);
}

// Two sessions may compute on one device: which graph the server holds is looked at and changed under this lock. A server forgets its
// graphs when a buffer is freed.
static std::mutex graph_mutex;
static uint64_t n_freed = 0;
`;

const watch = `
// A peer that is gone without a word is found out within about ten seconds, also while an answer is waited for.
static void watch_peer(sockfd_t sockfd) {
#ifndef _WIN32
    fcntl(sockfd, F_SETFD, FD_CLOEXEC); // a program that is started meanwhile would keep the connection open
#endif
    const int on = 1;
    setsockopt(sockfd, SOL_SOCKET, SO_KEEPALIVE, (const char *)&on, sizeof(on));
#if defined(__linux__)
    const int idle = 4, interval = 2, probes = 3, attempts = 2;
    const unsigned int unacknowledged = 10000; // milliseconds
    setsockopt(sockfd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    setsockopt(sockfd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
    setsockopt(sockfd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
    setsockopt(sockfd, IPPROTO_TCP, TCP_SYNCNT, &attempts, sizeof(attempts));
    setsockopt(sockfd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged, sizeof(unacknowledged));
#elif defined(__APPLE__)
    const int idle = 4, interval = 2, probes = 3, connecting = 10; // seconds but for the probes
    setsockopt(sockfd, IPPROTO_TCP, TCP_KEEPALIVE, &idle, sizeof(idle));
    setsockopt(sockfd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
    setsockopt(sockfd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
    setsockopt(sockfd, IPPROTO_TCP, TCP_CONNECTIONTIMEOUT, &connecting, sizeof(connecting));
#endif
}

void socket_t::set_patience(int seconds) {
#ifdef _WIN32
    const DWORD value = 1000u * (DWORD)seconds;
#else
    const struct timeval value = { seconds, 0 };
#endif
    setsockopt(pimpl->fd, SOL_SOCKET, SO_RCVTIMEO, (const char *)&value, sizeof(value));
}

`;

/** By file: what is replaced, how often it is there, and by what. */
const edits = {
  'ggml-rpc.cpp': [
    ['#include <thread>\n', 1, '#include <thread>\n#include <stdexcept>\n'],
    ['// RPC helper functions\n', 1, `${lost}\n// RPC helper functions\n`],
    // A handshake that fails is told like a connection that does.
    [
      'sizeof(response));\n    RPC_STATUS_ASSERT(status);\n\n',
      1,
      'sizeof(response));\n    if (!status) {\n        return false;\n    }\n\n',
    ],
    [
      'private:\n    bool interrupted = false;',
      1,
      `    // What was waiting when it was interrupted.
    std::queue<T> take_rest() {
        std::unique_lock<std::mutex> lock(mutex);
        std::queue<T> rest;
        rest.swap(queue);
        return rest;
    }

private:
    bool interrupted = false;`,
    ],
    [
      '    void work();\n\n    ~rpc_dispatcher();\n',
      1,
      '    void work();\n    bool is_lost() const { return lost; }\n\n    ~rpc_dispatcher();\n',
    ],
    [
      '    rpc_msg_queue    queue;\n    socket_ptr       sock;\n',
      1,
      `    void wait_for(const rpc_msg_ptr & msg);
    void give_up(const rpc_msg_ptr & msg);

    std::string      endpoint;
    std::atomic_bool lost = false;
    rpc_msg_queue    queue;
    socket_ptr       sock;
`,
    ],
    [
      'static void rpc_dispatcher_trampoline(',
      1,
      `// Throws where the server is lost.
void rpc_dispatcher::wait_for(const rpc_msg_ptr & msg) {
    auto future = msg->completion.get_future();
    if (!queue.push(msg)) {
        throw lost_error(endpoint);
    }
    future.get();
}

// Nothing more is sent; whoever waits hears of it.
void rpc_dispatcher::give_up(const rpc_msg_ptr & msg) {
    set_lost(endpoint, "the connection was lost, or the answer makes no sense");
    lost = true;
    sock = nullptr; // a server that is there after all is free for others
    queue.interrupt();
    const auto why = std::make_exception_ptr(lost_error(endpoint));
    msg->completion.set_exception(why);
    for (auto rest = queue.take_rest(); !rest.empty(); rest.pop()) {
        rest.front()->completion.set_exception(why);
    }
}

static void rpc_dispatcher_trampoline(`,
    ],
    [
      '    GGML_ASSERT(queue.push(msg));\n    auto future = msg->completion.get_future();\n    future.wait();\n',
      2,
      '    wait_for(msg);\n',
    ],
    // What is left of these: two messages that nobody waits for, and one that is there to be waited for.
    [
      '    GGML_ASSERT(queue.push(msg));\n}\n',
      2,
      '    if (!queue.push(msg)) {\n        throw lost_error(endpoint);\n    }\n}\n',
    ],
    [
      '    GGML_ASSERT(queue.push(msg));\n    msg->completion.get_future().wait();\n',
      1,
      // Destructors wait, too, so that this does not throw: whoever uses what was computed asks rosi_rpc_losses.
      '    auto future = msg->completion.get_future();\n    if (queue.push(msg)) {\n        future.wait();\n    }\n',
    ],
    [
      '    GGML_ASSERT(queue.push(ev->msg));\n',
      2,
      '    if (!queue.push(ev->msg)) {\n        ev->msg->completion.set_value();\n    }\n',
    ],
    [
      'void rpc_dispatcher::start(const std::string & endpoint) {\n',
      1,
      `void rpc_dispatcher::start(const std::string & endpoint) {
    this->endpoint = endpoint;
    const auto refuse = [&](const char * why) {
        set_lost(endpoint, why);
        throw lost_error(endpoint);
    };
`,
    ],
    [
      '        GGML_ABORT("Failed to parse endpoint: %s\\n", endpoint.c_str());\n',
      1,
      '        refuse("not HOST:PORT");\n',
    ],
    ['        GGML_ABORT("RPC transport initialization failed\\n");\n', 1, '        refuse("no network here");\n'],
    [
      '        GGML_ABORT("Failed to connect to %s\\n", endpoint.c_str());\n    }\n',
      1,
      '        refuse("nothing answers there");\n    }\n    sock->set_patience(10); // seconds\n',
    ],
    [
      '        GGML_ABORT("RPC handshake failed for %s\\n", endpoint.c_str());\n    }\n',
      1,
      `        refuse("no RPC server of the engine's version answers there, or it is serving somebody else");
    }
    sock->set_patience(0);
`,
    ],
    // Both ways of sending.
    [
      '                RPC_STATUS_ASSERT(status);\n',
      2,
      '                if (!status) {\n                    give_up(msg_ptr);\n                    return;\n                }\n',
    ],
    // The socket is the thread's own while that runs.
    [
      '    sock = nullptr;\n    if (thread.joinable()) {\n        thread.join();\n    }\n',
      1,
      '    if (thread.joinable()) {\n        thread.join();\n    }\n    sock = nullptr;\n',
    ],
    // A command without an answer is followed by one with, so that nothing is written to a server that is busy and does not read:
    // only one that is gone acknowledges nothing.
    [
      '                bool status = send_rpc_cmd(sock, msg_ptr->cmd, msg_ptr->input.get(), msg_ptr->input_size);\n',
      1,
      `                const rpc_msg_get_alignment_req ask = {};
                rpc_msg_get_alignment_rsp done;
                bool status = send_rpc_cmd(sock, msg_ptr->cmd, msg_ptr->input.get(), msg_ptr->input_size) &&
                    send_rpc_cmd(sock, RPC_CMD_GET_ALIGNMENT, &ask, sizeof(ask), &done, sizeof(done));
`,
    ],
    ['    uint64_t    last_graph_uid;\n', 1, '    uint64_t    last_graph_uid;\n    uint64_t    last_freed = 0;\n'],
    [
      '    bool reuse = cgraph->uid != 0 && rpc_dev_ctx->last_graph_uid == cgraph->uid;\n',
      1,
      `    std::lock_guard<std::mutex> lock(graph_mutex);
    bool reuse = cgraph->uid != 0 && rpc_dev_ctx->last_graph_uid == cgraph->uid && rpc_dev_ctx->last_freed == n_freed;
    rpc_dev_ctx->last_freed = n_freed;
`,
    ],
    [
      '        if (auto dispatcher = it->second.lock()) {\n            return dispatcher;\n',
      1,
      '        if (auto dispatcher = it->second.lock(); dispatcher && !dispatcher->is_lost()) {\n            return dispatcher;\n',
    ],
    // Destructors use these two: they do without a connection.
    ['    void event_free(', 1, '    static void event_free('],
    ['    void event_synchronize(', 1, '    static void event_synchronize('],
    ...['free', 'synchronize'].map((what) => [
      `    ggml_backend_rpc_device_context * ctx = (ggml_backend_rpc_device_context *)dev->context;
    auto dispatcher = get_dispatcher(ctx->endpoint);
    dispatcher->event_${what}(event);
`,
      1,
      `    rpc_dispatcher::event_${what}(event);
    GGML_UNUSED(dev);
`,
    ]),
    [
      '    ctx->dispatcher->send(RPC_CMD_FREE_BUFFER, request, sizeof(*request));\n',
      1,
      `    try {
        std::lock_guard<std::mutex> lock(graph_mutex);
        ++n_freed;
        ctx->dispatcher->send(RPC_CMD_FREE_BUFFER, request, sizeof(*request));
    } catch (const std::exception &) {
        // the server freed it when the connection ended
    }
`,
    ],
    [
      '    if (std::strcmp(name, "ggml_backend_rpc_start_server") == 0) {\n',
      1,
      '    if (std::strcmp(name, "rosi_rpc_losses") == 0) {\n        return (void *)rosi_rpc_losses;\n    }\n    if (std::strcmp(name, "ggml_backend_rpc_start_server") == 0) {\n',
    ],
  ],
  'transport.h': [
    [
      '    bool flush();\n',
      1,
      '    bool flush();\n    // How long an answer may take, in seconds; 0: as long as the peer is there.\n    void set_patience(int seconds);\n',
    ],
  ],
  'transport.cpp': [
    ['#include "transport.h"\n', 1, '#include "transport.h"\n#ifndef _WIN32\n#include <fcntl.h>\n#endif\n'],
    ['static bool set_reuse_addr(', 1, `${watch}static bool set_reuse_addr(`],
    [
      '    struct sockaddr_in addr;\n    addr.sin_family = AF_INET;\n    addr.sin_port = htons(port);\n    struct hostent',
      1,
      '    watch_peer(sockfd);\n    // Closed with it on every way out.\n    socket_ptr made(new socket_t(std::make_unique<impl>(sockfd)));\n    struct sockaddr_in addr = {};\n    addr.sin_family = AF_INET;\n    addr.sin_port = htons(port);\n    struct hostent',
    ],
    [
      '(struct sockaddr *)&addr, sizeof(addr)) < 0) {\n        return nullptr;\n    }\n    return socket_ptr(new socket_t(std::make_unique<impl>(sockfd)));\n',
      1,
      '(struct sockaddr *)&addr, sizeof(addr)) < 0) {\n        return nullptr;\n    }\n    return made;\n',
    ],
  ],
};

/**
 * The sources of the backend, to be compiled from one folder.
 *
 * @param {Map<string, { bytes: Buffer }>} sources - Files of the engine's that match {@link RPC_SOURCE}, by path.
 * @returns {Map<string, string | Buffer>} By file name.
 */
export function rpcSources(sources) {
  const files = new Map();
  for (const [path, { bytes }] of sources) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const own = path.startsWith(folder) ? edits[name] : undefined;
    files.set(name, own === undefined ? bytes : edited(name, bytes.toString('utf8'), own));
  }
  return files;
}

function edited(name, source, own) {
  return own.reduce((text, [from, times, to]) => {
    const parts = text.split(from);
    if (parts.length !== times + 1) {
      throw new Error(`${name} has ${parts.length - 1} times what is replaced ${times} times: ${JSON.stringify(from)}`);
    }
    return parts.join(to);
  }, source);
}
