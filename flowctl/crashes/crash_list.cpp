// SPDX-License-Identifier: Apache-2.0
#include "flowctl/crashes/crash_list.hpp"

#include <algorithm>

#include "core/status.hpp"
#include "core/text.hpp"
#include "flowctl/table.hpp"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace flow::ctl {
namespace {

using host::CrashReport;

std::string quoted(std::string_view text) { return '"' + core::escape_json(text) + '"'; }

std::string or_nothing(std::string text) { return text.empty() ? "-" : std::move(text); }

// "normalize/rep-0", or several: a thread that is nobody's was it.
std::string joined(const CrashReport& report, std::string CrashReport::Subject::*member) {
  std::vector<std::string> all;
  for (const auto& subject : report.subjects) all.push_back(subject.*member);
  return fmt::format("{}", fmt::join(all, ", "));
}

std::string request_of(const CrashReport& report) {
  return report.calls.empty() ? std::string() : report.calls.front().request_id;
}

std::vector<std::string> row_of_unreadable(const FoundCrash& crash) {
  return {crash.name, "-", "-", "-", "-", "-", std::string(core::message(crash.report.status()))};
}

std::vector<std::string> row_of(const std::string& name, const CrashReport& report,
                                const std::string& place) {
  return {name,
          or_nothing(report.time),
          or_nothing(joined(report, &CrashReport::Subject::executor)),
          or_nothing(joined(report, &CrashReport::Subject::plugin)),
          host::signal_name(report.signal),
          or_nothing(request_of(report)),
          or_nothing(place)};
}

std::string call_json(const CrashReport::Call& call) {
  return fmt::format(R"({{"request":{},"endpoint":{}}})", quoted(call.request_id),
                     quoted(call.endpoint));
}

std::string subject_json(const CrashReport::Subject& subject) {
  return fmt::format(R"({{"executor":{},"plugin":{},"version":{},"file":{},"build_id":{}}})",
                     quoted(subject.executor), quoted(subject.plugin), quoted(subject.version),
                     quoted(subject.file), quoted(subject.build_id));
}

template <typename Item, typename ToJson>
std::string list_json(const std::vector<Item>& items, ToJson to_json) {
  std::vector<std::string> all;
  for (const auto& item : items) all.push_back(to_json(item));
  return fmt::format("[{}]", fmt::join(all, ","));
}

}  // namespace

absl::StatusOr<std::vector<FoundCrash>> find_crashes(const std::string& folder) {
  FLOW_ASSIGN_OR_RETURN(auto files, host::list_crashes(folder));
  std::reverse(files.begin(), files.end());
  std::vector<FoundCrash> crashes;
  for (auto& file : files) {
    auto report = host::read_crash(folder, file.name);
    crashes.push_back({std::move(file.name), std::move(report)});
  }
  return crashes;
}

std::string crashes_text(const std::string& folder, const std::vector<FoundCrash>& crashes,
                         std::size_t width) {
  if (crashes.empty()) return fmt::format("no crash reports in {}\n", core::one_line(folder));
  std::vector<const CrashReport*> reports;
  for (const FoundCrash& crash : crashes) {
    if (crash.report.ok()) reports.push_back(&*crash.report);
  }
  const std::vector<std::string> places = host::places_of(reports);
  auto place = places.begin();
  std::vector<std::vector<std::string>> rows;
  for (const FoundCrash& crash : crashes) {
    rows.push_back(crash.report.ok() ? row_of(crash.name, *crash.report, *place++)
                                     : row_of_unreadable(crash));
  }
  return format_table(
      {{"NAME"}, {"TIME"}, {"EXECUTOR"}, {"PLUGIN"}, {"SIGNAL"}, {"REQUEST"}, {"FUNCTION"}}, rows,
      width);
}

std::string crashes_json(const std::string& folder, const std::vector<FoundCrash>& crashes) {
  return fmt::format(R"({{"folder":{},"crashes":{}}})", quoted(folder),
                     list_json(crashes, [](const FoundCrash& crash) {
                       if (crash.report.ok()) return crash_json(crash.name, *crash.report);
                       return fmt::format(R"({{"name":{},"error":{}}})", quoted(crash.name),
                                          quoted(core::message(crash.report.status())));
                     }));
}

std::string crash_text(const CrashReport& report) {
  return fmt::format("{}\n", fmt::join(host::explain(report).lines, "\n"));
}

std::string crash_json(const std::string& name, const CrashReport& report) {
  const auto evidence = host::explain(report);
  const auto text = [](const std::string& each) { return quoted(each); };
  return fmt::format(
      R"({{"name":{},"time":{},"process":{},"thread":{},"thread_name":{},"signal":{},)"
      R"("signal_name":{},"code":{},"address":{},"sender":{},"subjects":{},"function":{},"calls":{},)"
      R"("exception":{},"function_at":{},"lines":{},"modules":{},"complete":{}}})",
      quoted(name), quoted(report.time), report.process, report.thread, quoted(report.thread_name),
      report.signal, quoted(host::signal_name(report.signal)), report.code, quoted(report.address),
      report.sender, list_json(report.subjects, subject_json), quoted(report.function),
      list_json(report.calls, call_json), quoted(report.exception), quoted(evidence.place),
      list_json(evidence.lines, text), list_json(report.modules, text), report.complete);
}

}  // namespace flow::ctl
