#include "transport/webrtc/ice_loop.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <nice/agent.h>

#include "observe/log.hpp"

namespace sluice::webrtc {

namespace {

/// What GLib and libnice have to say is of use to those who look into them, and no line of ours: it goes to
/// our log, at its lowest levels, and never raw to standard error. Only a fatal error is left to GLib, which
/// ends the process.
GLogWriterOutput log_for_glib(GLogLevelFlags level, const GLogField* fields, gsize count,
                              gpointer /*unused*/) {
  if ((level & G_LOG_FLAG_FATAL) != 0) return g_log_writer_default(level, fields, count, nullptr);
  const bool wrong = (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING)) != 0;
  observe::log(wrong ? observe::LogLevel::debug : observe::LogLevel::trace, "ice", [&] {
    std::string text;
    for (const GLogField& field : std::span{fields, count}) {
      if (std::string_view{field.key} != "MESSAGE") continue;
      const auto* const value = static_cast<const char*>(field.value);
      text =
          field.length < 0 ? std::string{value} : std::string{value, static_cast<std::size_t>(field.length)};
    }
    return text;
  });
  return G_LOG_WRITER_HANDLED;
}

GMainContext* make_context() {
  g_log_set_writer_func(log_for_glib, nullptr, nullptr);  // once in a process, as this is
  return g_main_context_new();
}

}  // namespace

IceLoop& IceLoop::instance() {
  static IceLoop loop;
  return loop;
}

IceLoop::IceLoop()
    : context_(make_context()), loop_(g_main_loop_new(context_, FALSE)), thread_([this] {
        // libnice resolves names and ends its closing through the thread's default context.
        g_main_context_push_thread_default(context_);
        g_main_loop_run(loop_);
        g_main_context_pop_thread_default(context_);
      }) {}

IceLoop::~IceLoop() {
  {
    std::unique_lock lock{mutex_};
    none_left_.wait_for(lock, std::chrono::milliseconds{500}, [this] { return agents_ == 0; });
  }
  post([this] { g_main_loop_quit(loop_); });
  thread_.join();
  g_main_loop_unref(loop_);
  g_main_context_unref(context_);
}

void IceLoop::post(std::move_only_function<void()> task) {
  using Task = std::move_only_function<void()>;
  // Not g_main_context_invoke: that runs the task in the caller's thread while the loop is not running yet.
  GSource* const source = g_idle_source_new();
  g_source_set_priority(source, G_PRIORITY_DEFAULT);
  g_source_set_callback(
      source,
      [](gpointer data) -> gboolean {
        (*static_cast<Task*>(data))();
        return G_SOURCE_REMOVE;
      },
      std::make_unique<Task>(std::move(task)).release(),
      [](gpointer data) { delete static_cast<Task*>(data); });
  g_source_attach(source, context_);
  g_source_unref(source);
}

void IceLoop::agent_made() {
  const std::scoped_lock lock{mutex_};
  ++agents_;
}

void IceLoop::agent_gone() {
  const std::scoped_lock lock{mutex_};
  if (--agents_ == 0) none_left_.notify_all();
}

}  // namespace sluice::webrtc
