#include "tools/completion.h"

#include <algorithm>
#include <map>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "events/commands.h"
#include "events/kinds.h"
#include "events/tables.h"
#include "tools/command_fields.h"

namespace tenantry::tools {
namespace {

using Kind = CompletionValue::Kind;
using Words = std::vector<std::string>;

template <class Range>
Words names_of(const Range& range) {
  Words names;
  for (const auto& one : range) names.push_back(one.name);
  return names;
}

// What a value is, judged by the name that the help gives it.
CompletionValue value_named(const std::string& name) {
  if (name == "DIR") return {Kind::kDirectory, {}};
  if (name == "FILE") return {Kind::kFile, {}};
  if (name == "FORMAT") return {Kind::kWords, {"table", "json", "ndjson", "csv"}};
  if (name == "WHEN") return {Kind::kWords, {"auto", "always", "never"}};
  if (name == "SCOPE") return {Kind::kWords, {"system", "auth", "core", "tenants"}};
  if (name == "SHELL") return {Kind::kWords, {"bash", "zsh", "fish"}};
  if (name == "ROLE") return {Kind::kWords, events::roles()};
  if (name == "TABLE") return {Kind::kWords, names_of(events::tables())};
  if (name == "KIND,KIND") return {Kind::kWords, names_of(events::kinds())};
  if (name == "KIND/ID") {
    Words kinds;
    for (const events::TableInfo& table : events::tables())
      kinds.push_back(table.entity_name + "/");
    return {Kind::kWords, std::move(kinds)};
  }
  return {Kind::kAnything, {}};
}

CompletionOption option_of(const CLI::Option& option) {
  CompletionOption found;
  for (const std::string& name : option.get_snames()) found.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) found.names.push_back("--" + name);
  found.help = option.get_description();
  if (option.get_items_expected_max() > 0) found.value = value_named(option.get_type_name());
  return found;
}

CompletionCommand command_of(const CLI::App& app, std::string path) {
  CompletionCommand command{std::move(path), app.get_description(), {}, {}};
  command.help = command.help.substr(0, command.help.find('\n'));
  for (const CLI::Option* const option : app.get_options()) {
    if (option->get_positional()) {
      command.argument = value_named(option->get_name(true));
    } else {
      command.options.push_back(option_of(*option));
    }
  }
  return command;
}

CompletionOption option_of(const events::CommandField& field) {
  CompletionOption option{{option_name(field.name)}, field_help(field), {Kind::kAnything, {}}};
  if (field.type == events::FieldType::kBoolean) option.value = {Kind::kWords, {"true", "false"}};
  if (field.syntax == events::Syntax::ROLE) option.value = {Kind::kWords, events::roles()};
  if (field.syntax == events::Syntax::THEME) option.value = {Kind::kWords, events::themes()};
  return option;
}

// --- Shells -------------------------------------------------------------------------------------

std::string quote(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string last_word(const std::string& path) { return path.substr(path.rfind(' ') + 1); }

// The commands directly below `path`.
std::vector<const CompletionCommand*> below(const std::vector<CompletionCommand>& commands,
                                            const std::string& path) {
  std::vector<const CompletionCommand*> found;
  const std::string prefix = path.empty() ? "" : path + " ";
  for (const CompletionCommand& command : commands) {
    const bool inside = command.path.starts_with(prefix) && command.path != path;
    if (inside && command.path.find(' ', prefix.size()) == std::string::npos) {
      found.push_back(&command);
    }
  }
  return found;
}

// Every option that takes a value, once.
std::map<std::string, CompletionValue> valued_options(
    const std::vector<CompletionCommand>& commands) {
  std::map<std::string, CompletionValue> found;
  for (const CompletionCommand& command : commands) {
    for (const CompletionOption& option : command.options) {
      if (option.value.kind == Kind::kNone) continue;
      for (const std::string& name : option.names) {
        CompletionValue& value = found[name];
        if (value.kind != Kind::kWords) value = option.value;
      }
    }
  }
  return found;
}

// Which commands stand on the line, for bash and zsh: `$1` and on are the words before the cursor.
std::string path_function(const std::vector<CompletionCommand>& commands) {
  Words valued;
  for (const auto& [name, value] : valued_options(commands)) valued.push_back(name);
  std::string text = "_tenantry_path() {\n  local word before= typed=\n  for word in \"$@\"; do\n";
  text += fmt::format("    case \"$before\" in\n      {}) before=; continue ;;\n    esac\n",
                      fmt::join(valued, "|"));
  text += "    before=\"$word\"\n    case \"$typed:$word\" in\n";
  for (const CompletionCommand& command : commands) {
    if (command.path.empty()) continue;
    const std::size_t space = command.path.rfind(' ');
    const std::string above = space == std::string::npos ? "" : command.path.substr(0, space);
    text += fmt::format("      {}) typed={} ;;\n", quote(above + ":" + last_word(command.path)),
                        quote(command.path));
  }
  return text + "    esac\n  done\n  printf '%s' \"$typed\"\n}\n";
}

std::string bash_value(const CompletionValue& value) {
  switch (value.kind) {
    case Kind::kFile:
      return "compgen -f -- \"$current\"";
    case Kind::kDirectory:
      return "compgen -d -- \"$current\"";
    case Kind::kWords:
      return fmt::format("compgen -W {} -- \"$current\"",
                         quote(fmt::format("{}", fmt::join(value.words, " "))));
    default:
      return ":";
  }
}

std::string bash_words(const std::vector<CompletionCommand>& commands,
                       const CompletionCommand& command) {
  Words words;
  for (const CompletionCommand* const sub : below(commands, command.path)) {
    words.push_back(last_word(sub->path));
  }
  for (const CompletionOption& option : command.options) {
    words.insert(words.end(), option.names.begin(), option.names.end());
  }
  return fmt::format("{}", fmt::join(words, " "));
}

}  // namespace

std::vector<CompletionCommand> completion_commands(const CLI::App& root) {
  std::vector<CompletionCommand> commands = {command_of(root, "")};
  for (const CLI::App* const app : root.get_subcommands({})) {
    commands.push_back(command_of(*app, app->get_name()));
    for (const CLI::App* const inner : app->get_subcommands({})) {
      commands.push_back(command_of(*inner, app->get_name() + " " + inner->get_name()));
    }
    if (app->get_name() != "do") continue;
    const std::vector<CompletionOption> shared = commands.back().options;
    for (const events::CommandInfo& info : events::commands()) {
      CompletionCommand command{"do " + info.name, info.help, shared, {}};
      for (const events::CommandField& field : info.fields) {
        command.options.push_back(option_of(field));
      }
      commands.push_back(std::move(command));
    }
  }
  return commands;
}

std::string bash_completion(const std::vector<CompletionCommand>& commands) {
  std::string text =
      "# Completion of tenantry for bash:\n"
      "#   tenantry completion bash > ~/.local/share/bash-completion/completions/tenantry\n";
  text += path_function(commands);
  text +=
      "_tenantry_replies() {\n"
      "  local current=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
      "  if [[ $current == '=' ]]; then current=; "
      "elif [[ $before == '=' ]]; then before=\"${COMP_WORDS[COMP_CWORD-2]}\"; fi\n"
      "  case \"$before\" in\n";
  for (const auto& [name, value] : valued_options(commands)) {
    text += fmt::format("    {}) {}; return ;;\n", name, bash_value(value));
  }
  text += "  esac\n  case \"$(_tenantry_path \"${COMP_WORDS[@]:1:COMP_CWORD-1}\")\" in\n";
  for (const CompletionCommand& command : commands) {
    std::string words = bash_words(commands, command);
    if (!command.path.empty()) words += " " + bash_words({}, commands.front());
    text += fmt::format("    {}) compgen -W {} -- \"$current\"", quote(command.path), quote(words));
    if (command.argument.kind != Kind::kNone) {
      text += fmt::format("\n      [[ $current == -* ]] || {}", bash_value(command.argument));
    }
    text += " ;;\n";
  }
  return text +
         "  esac\n}\n"
         "_tenantry() {\n"
         "  mapfile -t COMPREPLY < <(_tenantry_replies)\n"
         "  [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == */ ]] && compopt -o nospace\n"
         "  return 0\n"
         "}\n"
         "complete -o filenames -F _tenantry tenantry\n";
}

std::string zsh_completion(const std::vector<CompletionCommand>& commands) {
  const auto described = [](const std::string& word, std::string help) {
    std::ranges::replace(help, ':', ' ');
    return quote(word + ":" + help);
  };
  const auto action = [](const CompletionValue& value) -> std::string {
    if (value.kind == Kind::kFile) return "_files";
    if (value.kind == Kind::kDirectory) return "_files -/";
    if (value.kind == Kind::kWords)
      return fmt::format("compadd -- {}", fmt::join(value.words, " "));
    return "_message value";
  };
  std::string text =
      "#compdef tenantry\n"
      "# Completion of tenantry for zsh: put it on the fpath under the name _tenantry.\n";
  text += path_function(commands);
  text += "_tenantry() {\n  local -a replies\n  case \"${words[CURRENT-1]}\" in\n";
  for (const auto& [name, value] : valued_options(commands)) {
    text += fmt::format("    {}) {}; return ;;\n", name, action(value));
  }
  text += "  esac\n  case \"$(_tenantry_path \"${(@)words[2,CURRENT-1]}\")\" in\n";
  for (const CompletionCommand& command : commands) {
    text += fmt::format("    {})\n", quote(command.path));
    if (command.argument.kind != Kind::kNone) {
      text += fmt::format("      [[ $PREFIX == -* ]] || {}\n", action(command.argument));
    }
    text += "      replies=(";
    for (const CompletionCommand* const sub : below(commands, command.path)) {
      text += "\n        " + described(last_word(sub->path), sub->help);
    }
    std::vector<CompletionOption> options = command.options;
    if (!command.path.empty()) {
      options.insert(options.end(), commands.front().options.begin(),
                     commands.front().options.end());
    }
    for (const CompletionOption& option : options) {
      for (const std::string& name : option.names) {
        text += "\n        " + described(name, option.help);
      }
    }
    text += ") ;;\n";
  }
  return text +
         "  esac\n  _describe tenantry replies\n}\n"
         "if [[ ${funcstack[1]} == _tenantry ]]; then _tenantry \"$@\"; "
         "else compdef _tenantry tenantry; fi\n";
}

std::string fish_completion(const std::vector<CompletionCommand>& commands) {
  std::string text =
      "# Completion of tenantry for fish:\n"
      "#   tenantry completion fish > ~/.config/fish/completions/tenantry.fish\n"
      "complete -c tenantry -f\n";
  const auto where = [&commands](const std::string& path, bool itself) -> std::string {
    if (path.empty() && itself) return "";
    if (path.empty()) return "-n __fish_use_subcommand ";
    std::string condition = "__fish_seen_subcommand_from " + last_word(path);
    Words inner;
    if (!itself) {
      for (const CompletionCommand* const sub : below(commands, path)) {
        inner.push_back(last_word(sub->path));
      }
      condition += fmt::format("; and not __fish_seen_subcommand_from {}", fmt::join(inner, " "));
    }
    return "-n " + quote(condition) + " ";
  };
  const auto value = [](const CompletionValue& taken) -> std::string {
    if (taken.kind == Kind::kNone) return "";
    if (taken.kind == Kind::kFile) return "-r -F ";
    if (taken.kind == Kind::kDirectory) return "-x -a '(__fish_complete_directories)' ";
    if (taken.kind != Kind::kWords) return "-x ";
    return "-x -a " + quote(fmt::format("{}", fmt::join(taken.words, " "))) + " ";
  };
  for (const CompletionCommand& command : commands) {
    for (const CompletionCommand* const sub : below(commands, command.path)) {
      text += fmt::format("complete -c tenantry {}-a {} -d {}\n", where(command.path, false),
                          last_word(sub->path), quote(sub->help));
    }
    for (const CompletionOption& option : command.options) {
      text += "complete -c tenantry " + where(command.path, true);
      for (const std::string& name : option.names) {
        text +=
            name.starts_with("--") ? "-l " + name.substr(2) + " " : "-s " + name.substr(1) + " ";
      }
      text += value(option.value) + "-d " + quote(option.help) + "\n";
    }
    if (command.argument.kind == Kind::kFile) {
      text += fmt::format("complete -c tenantry {}-F\n", where(command.path, true));
    } else if (command.argument.kind == Kind::kWords) {
      text += fmt::format("complete -c tenantry {}-a {}\n", where(command.path, true),
                          quote(fmt::format("{}", fmt::join(command.argument.words, " "))));
    }
  }
  return text;
}

}  // namespace tenantry::tools
