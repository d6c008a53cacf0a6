// SPDX-License-Identifier: Apache-2.0
#include "host/crash/crash_report.hpp"

#include <charconv>
#include <csignal>
#include <cstring>
#include <optional>
#include <type_traits>
#include <utility>

#include "core/limits.hpp"
#include "core/status.hpp"
#include "core/text.hpp"
#include "fmt/format.h"
#include "host/stack/demangle.hpp"

namespace flow::host {
namespace {

namespace limits = core::limits;

template <typename Number>
std::optional<Number> number(std::string_view text, int base = 10) {
  if (base == 16 && text.starts_with("0x")) text.remove_prefix(2);
  Number value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Cuts the text at the first `separator`; what is behind it stays.
std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

// "0x7f1c 0x11c4 3fa2 /usr/lib/libc.so.6", or only the address.
std::optional<Frame> parse_frame(std::string_view text) {
  Frame frame;
  const auto address = number<std::uintptr_t>(take_until(text, ' '), 16);
  if (!address) return std::nullopt;
  frame.address = *address;
  if (text.empty()) return frame;
  const auto offset = number<std::uintptr_t>(take_until(text, ' '), 16);
  const std::string_view build_id = take_until(text, ' ');
  if (!offset || text.empty()) return std::nullopt;
  frame.offset = *offset;
  if (build_id != "-") frame.build_id = build_id;
  frame.module = text;
  return frame;
}

CrashReport::Call parse_call(std::string_view text) {
  CrashReport::Call call;
  call.request_id = take_until(text, ' ');
  call.endpoint = text;
  return call;
}

std::string parse_exception(std::string_view text) {
  const std::string_view mangled = take_until(text, ' ');
  const std::string name = demangle_type(mangled);
  return text.empty() ? name : fmt::format("{}: {}", name, text);
}

template <typename Item>
void keep(std::vector<Item>& items, Item item, std::size_t max) {
  if (items.size() < max) items.push_back(std::move(item));
}

void read_line(std::string_view key, std::string_view value, CrashReport& report) {
  const auto whole = [&](auto& to) {
    if (const auto parsed = number<std::remove_reference_t<decltype(to)>>(value)) to = *parsed;
  };
  auto* subject = report.subjects.empty() ? nullptr : &report.subjects.back();
  if (key == "time") {
    report.time = value;
  } else if (key == "process") {
    whole(report.process);
  } else if (key == "thread") {
    std::string_view rest = value;
    report.thread = number<std::int64_t>(take_until(rest, ' ')).value_or(0);
    report.thread_name = rest;
  } else if (key == "signal") {
    whole(report.signal);
  } else if (key == "code") {
    whole(report.code);
  } else if (key == "address") {
    report.address = value;
  } else if (key == "sender") {
    whole(report.sender);
  } else if (key == "function") {
    report.function = value;
  } else if (key == "request" || key == "in_hand") {
    keep(report.calls, parse_call(value), limits::kCrashCallsMax);
  } else if (key == "exception") {
    report.exception = parse_exception(value);
  } else if (key == "executor") {
    keep(report.subjects, {std::string(value), {}, {}, {}, {}}, limits::kExecutorsMax);
  } else if (key == "plugin" && subject != nullptr) {
    subject->plugin = value;
  } else if (key == "plugin_version" && subject != nullptr) {
    subject->version = value;
  } else if (key == "plugin_file" && subject != nullptr) {
    subject->file = value;
  } else if (key == "plugin_build_id" && subject != nullptr) {
    subject->build_id = value;
  } else if (key == "frame") {
    if (auto frame = parse_frame(value)) {
      keep(report.stack, *std::move(frame), RawStack::kFramesMax);
    }
  } else if (key == "module") {
    keep(report.modules, std::string(value), limits::kCrashModulesMax);
  }
}

// The frame to blame: the innermost one of a plugin's own, or else just the innermost.
std::size_t culprit(const CrashReport& report) {
  for (std::size_t i = 0; i < report.stack.size(); ++i) {
    for (const auto& subject : report.subjects) {
      if (!subject.file.empty() && report.stack[i].module == subject.file) return i;
    }
  }
  return 0;
}

// "libbad.so bad::process()+0x1c", "libbad.so+0x11c4"
std::string place_of(const Frame& frame, const std::string& function) {
  if (frame.module.empty()) return fmt::format("no module, at {:#x}", frame.address);
  const auto file = std::string_view(frame.module).substr(frame.module.rfind('/') + 1);
  if (function.empty()) return fmt::format("{}+{:#x}", file, frame.offset);
  return fmt::format("{} {}", file, function);
}

// The words of sigaction(2) for what the kernel says of a fault.
std::string_view code_text(int signal, int code) {
  switch (signal) {
    case SIGSEGV:
      if (code == SEGV_MAPERR) return "nothing is there";
      if (code == SEGV_ACCERR) return "it may not be used so";
      return {};
    case SIGBUS:
      if (code == BUS_ADRALN) return "it is not aligned";
      if (code == BUS_ADRERR) return "nothing is behind it; was a mapped file cut off?";
      return {};
    case SIGFPE:
      if (code == FPE_INTDIV) return "a whole number was divided by zero";
      if (code == FPE_INTOVF) return "a whole number overflowed";
      return {};
    case SIGILL:
      return "the processor has no such instruction";
    default:
      return {};
  }
}

// What x86-64 does not tell the kernel, and that one not us, has these causes.
constexpr std::string_view kNoAddress =
    "at an address that the kernel does not tell (there can be no such address, it is not aligned "
    "as the instruction needs it, or the instruction is not allowed)";

// "signal 11 (SIGSEGV) at address 0x0 (nothing is there)"
std::string signal_line(const CrashReport& report) {
  std::string text = signal_text(report.signal);
  if (report.code == SI_KERNEL) {
    const bool is_of_memory = report.signal == SIGSEGV || report.signal == SIGBUS;
    return is_of_memory ? fmt::format("{} {}", text, kNoAddress) : text;
  }
  if (report.address.empty()) {
    const bool itself = report.sender == report.process;
    return text + (itself ? std::string(", which it sent itself")
                          : fmt::format(", sent by process {}", report.sender));
  }
  text += fmt::format(" at address {}", report.address);
  if (const auto why = code_text(report.signal, report.code); !why.empty()) {
    text += fmt::format(" ({})", why);
  }
  return text;
}

std::string call_text(const CrashReport::Call& call) {
  return fmt::format("request {} to {}", core::in_quotes(call.request_id),
                     core::in_quotes(call.endpoint));
}

std::string subject_text(const CrashReport::Subject& subject) {
  return fmt::format("executor {}, plugin {} {} ({}{}{})", core::in_quotes(subject.executor),
                     core::in_quotes(subject.plugin), subject.version, subject.file,
                     subject.build_id.empty() ? "" : ", build id ", subject.build_id);
}

std::vector<std::string> facts(const CrashReport& report) {
  std::vector<std::string> lines;
  lines.push_back(
      fmt::format("process {} died at {} of {}", report.process, report.time, signal_line(report)));
  for (const auto& subject : report.subjects) lines.push_back(subject_text(subject));
  lines.push_back(fmt::format(
      "in thread {} \"{}\"{}", report.thread, report.thread_name,
      report.function.empty() ? "" : fmt::format(", in {}() of the plugin", report.function)));
  if (!report.exception.empty()) {
    lines.push_back(fmt::format("nobody caught {}", report.exception));
  }
  for (const auto& call : report.calls) lines.push_back(call_text(call));
  return lines;
}

}  // namespace

absl::StatusOr<CrashReport> parse_crash_report(std::string_view text) {
  if (take_until(text, '\n') != kCrashReportHead) {
    return core::error(
        absl::StatusCode::kInvalidArgument,
        fmt::format("not a crash report: it does not begin with \"{}\"", kCrashReportHead));
  }
  CrashReport report;
  while (!text.empty()) {
    const bool whole = text.find('\n') != text.npos;
    const std::string_view line = take_until(text, '\n');
    if (!whole) break;  // half a line says something else
    if (line == kCrashReportTail) {
      report.complete = true;
      break;
    }
    const std::size_t colon = line.find(": ");
    if (colon == line.npos) continue;
    read_line(line.substr(0, colon), line.substr(colon + 2), report);
  }
  if (report.process <= 0 || report.signal <= 0) {
    return core::error(absl::StatusCode::kDataLoss,
                       "the crash report ends before it says which process died of what");
  }
  return report;
}

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name == nullptr ? fmt::format("signal {}", signal) : fmt::format("SIG{}", name);
}

std::string signal_text(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name == nullptr ? fmt::format("signal {}", signal)
                         : fmt::format("signal {} (SIG{})", signal, name);
}

CrashEvidence explain(const CrashReport& report) {
  CrashEvidence evidence;
  const std::vector<std::string> functions = functions_of(report.stack);
  if (!report.stack.empty()) {
    const std::size_t blamed = culprit(report);
    evidence.place = core::one_line(place_of(report.stack[blamed], functions[blamed]));
    evidence.where = "in " + evidence.place;
  }
  if (!report.calls.empty()) {
    if (!evidence.where.empty()) evidence.where += ", ";
    evidence.where += call_text(report.calls.front());
    if (report.calls.size() > 1) {
      evidence.where += fmt::format(" or one of {} others", report.calls.size() - 1);
    }
  }
  evidence.lines = facts(report);
  for (std::string& line : lines_of(report.stack, functions)) {
    evidence.lines.push_back(std::move(line));
  }
  if (!report.complete) evidence.lines.push_back("the report is cut off here");
  for (std::string& line : evidence.lines) line = core::one_line(line);
  evidence.where = core::one_line(evidence.where);
  return evidence;
}

std::vector<std::string> places_of(const std::vector<const CrashReport*>& reports) {
  std::vector<Frame> blamed;
  for (const CrashReport* report : reports) {
    blamed.push_back(report->stack.empty() ? Frame() : report->stack[culprit(*report)]);
  }
  const std::vector<std::string> functions = functions_of(blamed);
  std::vector<std::string> places;
  for (std::size_t i = 0; i < reports.size(); ++i) {
    const bool is_known = !reports[i]->stack.empty();
    places.push_back(is_known ? core::one_line(place_of(blamed[i], functions[i])) : std::string());
  }
  return places;
}

}  // namespace flow::host
