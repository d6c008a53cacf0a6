// SPDX-License-Identifier: Apache-2.0
#include "flowctl/convert/convert.hpp"

#include <string>

#include "core/limits.hpp"
#include "flowctl/commands/command.hpp"
#include "flowctl/console.hpp"
#include "flowctl/text_file.hpp"

namespace flow::ctl {
namespace {

struct ConvertOptions {
  std::string input;
  std::string output;
};

int run_convert(const ConvertOptions& options) {
  const auto yaml = read_text(options.input, core::limits::kConfigBytesMax);
  if (!yaml.ok()) return fail(yaml.status());
  const auto conversion =
      convert_flow(*yaml, options.input == "-" ? "standard input" : options.input);
  if (!conversion.ok()) return fail(conversion.status());
  if (options.output.empty()) {
    print(conversion->toml);
  } else if (const auto status = write_text(options.output, conversion->toml); !status.ok()) {
    return fail(status);
  }
  for (const std::string& note : conversion->notes) remark(note);
  return conversion->notes.empty() ? kExitOk : kExitError;
}

}  // namespace

void add_convert(CLI::App& app, Run& chosen) {
  CLI::App* command = app.add_subcommand(
      "convert",
      "Make a flow.toml of Jina's flow YAML; says on standard error, line by line, what has no "
      "counterpart, and then exits 1");
  const auto options = options_of(command, chosen, run_convert);
  command->add_option("FILE", options->input, "The YAML; - is standard input")
      ->required()
      ->type_name("");
  command->add_option("-o,--output", options->output, "Where to write it [standard output]")
      ->type_name("FILE");
}

}  // namespace flow::ctl
