// SPDX-License-Identifier: Apache-2.0
#include "core/log.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include "core/log_line.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"
#include "spdlog/sinks/sink.h"

namespace flow::core {
namespace {

std::string_view level_name(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
      return "trace";
    case spdlog::level::debug:
      return "debug";
    case spdlog::level::info:
      return "info";
    case spdlog::level::warn:
      return "warning";
    case spdlog::level::err:
    case spdlog::level::critical:
      return "error";
    default:
      return "off";
  }
}

spdlog::level::level_enum level_from(std::string_view name) {
  using spdlog::level::level_enum;
  for (int level = spdlog::level::trace; level < spdlog::level::off; ++level) {
    if (level_name(static_cast<level_enum>(level)) == name) return static_cast<level_enum>(level);
  }
  return name == "off" ? spdlog::level::off : spdlog::level::info;
}

// 0 if the width cannot be told. Asked for each line, because windows are resized.
std::size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

// All of it goes out with one write, except to a pipe that takes only a part. What standard error
// does not take is lost: there is nobody left to tell.
void write_to_stderr(std::string_view line) {
  while (!line.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    line.remove_prefix(static_cast<std::size_t>(written));
  }
}

// Thread-safe without a lock: a line is put together on the caller's stack.
class StderrSink final : public spdlog::sinks::sink {
 public:
  explicit StderrSink(LogFormat format)
      : format_(format),
        terminal_(::isatty(STDERR_FILENO) == 1),
        colour_(terminal_ && std::getenv("NO_COLOR") == nullptr ? LogColour::On : LogColour::Off) {}

  void log(const spdlog::details::log_msg& message) override {
    const LogRecord record{.level = level_name(message.level),
                           .name = {message.logger_name.data(), message.logger_name.size()},
                           .pid = ::getpid(),
                           .message = {message.payload.data(), message.payload.size()},
                           .time = message.time};
    write_to_stderr(format_ == LogFormat::Json
                        ? json_line(record)
                        : text_line(record, terminal_ ? terminal_width() : 0, colour_));
  }

  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

 private:
  const LogFormat format_;
  const bool terminal_;
  const LogColour colour_;
};

}  // namespace

Logger make_logger(std::string_view name, const LogConfig& config) {
  auto logger = std::make_shared<spdlog::logger>(std::string(name),
                                                 std::make_shared<StderrSink>(config.format));
  logger->set_level(level_from(config.level));
  return logger;
}

absl::StatusOr<LogConfig> effective_log_config(const LogConfig& config,
                                               const Environment& environment) {
  for (const char* variable : {"FLOW_LOG_LEVEL", "JINA_LOG_LEVEL"}) {
    std::optional<std::string> level = environment(variable);
    if (!level || level->empty()) continue;

    // People write "DEBUG" there, as Jina's documentation does.
    std::string name = lower_case(*level);
    if (std::find(kLogLevels.begin(), kLogLevels.end(), name) == kLogLevels.end()) {
      return error(absl::StatusCode::kInvalidArgument,
                   fmt::format("the environment's {} is \"{}\", expected one of {}{}", variable,
                               *level, fmt::join(kLogLevels, ", "),
                               suggestion(name, {kLogLevels.begin(), kLogLevels.end()})));
    }
    LogConfig effective = config;
    effective.level = std::move(name);
    return effective;
  }
  return config;
}

}  // namespace flow::core
